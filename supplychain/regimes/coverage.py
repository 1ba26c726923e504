"""What law the book holds and what it does not: the dated table `coverage`, read as rules that may apply.

A row says of the law of some states, on a class of items, towards some destinations and for a time, that the book
holds it (`held`), holds part of it (`partial`) or holds none of it (`none`). What is not held may ask for leave of
any kind up to `at_most`; so may what no row speaks of. Unknown law is never read as freedom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.regimes.codes import MAYBE, NO, YES

Bytes = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]

HELD = "held"
PREFIX = "not-held:"
SILENT = "embargo"  # law of which the book says nothing at all may be anything
QUESTION = "The book does not hold the law of @origin towards @destination on that day: does it ask for leave?"


@dataclass(frozen=True, eq=False)
class Gap:
    """Law that the book does not hold: whose (`states`) towards where (`where`), both places x epochs, and when."""

    name: str
    key: str  # name, made distinct where several stretches of silence share one
    item_code: str
    scope: str  # the destination scope as written, or a name of its own
    states: Bytes
    where: Bytes
    force: Bools
    at_most: str
    question: str


def gaps(
    coverage: pd.DataFrame,
    places: Callable[[str], Bytes],
    window: Callable[[np.datetime64, np.datetime64], Bools],
) -> tuple[Gap, ...]:
    """Return the gaps of a book in order of name: its rows that are not `held`, and what no row speaks of.

    `places` gives where a scope holds (places x epochs), `window` on which epochs a period lies.
    """
    found: list[Gap] = []
    for kind, rows in coverage.groupby("class", sort=True):
        spoken = np.zeros(0, bool)
        code = str(rows["item_code"].iloc[0])
        for row in rows.sort_values("coverage").to_dict("records"):
            states, where = places(row["states"]), places(row["destination_scope"])
            force = window(_day(row["from"]), _day(row["to"]))
            told = (states > NO)[:, None, :] & (where > NO)[None, :, :] & force[None, None, :]
            spoken = told if not spoken.size else spoken | told
            if row["extent"] != HELD:
                scope, asked = row["destination_scope"], row["question"] or QUESTION
                name = f"{PREFIX}{row['coverage']}"
                found.append(Gap(name, name, code, scope, states, where, force, row["at_most"], asked))
        found += _silent(str(kind), code, ~spoken)
    return tuple(sorted(found, key=lambda gap: gap.key))


def _silent(kind: str, code: str, silent: Bools) -> list[Gap]:
    """Return what no row of a class speaks of (origins x destinations x epochs) as gaps: origins that are alike in
    one.
    """
    flat = np.packbits(silent.reshape(len(silent), -1), axis=1)
    alike, of = np.unique(flat, axis=0, return_inverse=True)
    found = []
    for number in range(len(alike)):
        members = of.ravel() == number
        where = silent[int(np.argmax(members))]
        if not where.any():
            continue
        states = np.repeat(np.where(members, MAYBE, NO)[:, None], silent.shape[2], axis=1).astype(np.int8)
        name = f"{PREFIX}{kind}-silent"
        key, reach = f"{name}-{number}", np.where(where, YES, NO).astype(np.int8)
        found.append(Gap(name, key, code, key, states, reach, where.any(axis=0), SILENT, QUESTION))
    return found


def _day(value: object) -> np.datetime64:
    return np.datetime64("NaT", "D") if value is pd.NaT else np.datetime64(str(value)[:10], "D")
