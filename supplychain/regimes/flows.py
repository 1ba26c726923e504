"""A table of flows as integers: what distinct items, sellers and buyers there are, and which row has which.

Flows repeat themselves: ten million rows hold a few hundred items, sellers and buyers. Everything after this module
works on the distinct ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.errors import Problems, UsageError
from supplychain.network import UNKNOWN_PLACE

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.intp]

REQUIRED = ("item_codes", "origin", "destination")
COLUMNS = (
    *REQUIRED,
    "item_category",
    "hs6",
    "head_office",
    "parent",
    "content",
    "direct_product",
    "end_use",
    "entity",
    "end_party_head_office",
)
_PLACES = ("origin", "head_office", "parent", "destination", "end_party_head_office")
UNION = "EUU"  # the European Union as imposing power; its territory is the group EU
_SPARSE = 64  # how many times more possible than actual codes a table of all possible ones may hold


@dataclass(frozen=True, eq=False)
class Distinct:
    """Distinct combinations of some columns: `rows[i]` are the texts of one of them, `of` says which one each flow
    has.
    """

    names: tuple[str, ...]
    rows: list[tuple[str, ...]]
    of: Codes

    def column(self, name: str) -> list[str]:
        position = self.names.index(name)
        return [row[position] for row in self.rows]


@dataclass(frozen=True, eq=False)
class Flows:
    """The flows of one question, by their distinct items, sellers and buyers, with the day of each."""

    count: int
    items: Distinct  # item_codes, item_category, hs6
    sellers: Distinct  # origin, head_office, parent, content, direct_product
    buyers: Distinct  # destination, end_use, entity, end_party_head_office
    days: npt.NDArray[np.datetime64]  # one, or one per flow


def read_flows(flows: pd.DataFrame, on: Any, places: dict[str, int]) -> Flows:
    """Return the flows by their distinct parts.

    `flows` has the columns REQUIRED and any of COLUMNS; `item` stands in for `item_codes`. `on` is a day, one per
    flow, or None when the flows have a column `on`. Raises UsageError for a missing column, InputError naming each
    cell that cannot be read.
    """
    if "item_codes" not in flows and "item" in flows:
        flows = flows.rename(columns={"item": "item_codes"})
    missing = [name for name in REQUIRED if name not in flows]
    if missing:
        raise UsageError(f"flows want the columns {', '.join(REQUIRED)}; missing: {', '.join(missing)}")
    texts = {name: _texts(flows, name) for name in COLUMNS}
    problems = Problems()
    for name in _PLACES:
        codes, words = texts[name]
        bad = [word for word in words if word and word not in places]
        for word in bad:
            row = int(np.flatnonzero(codes == words.index(word))[0])
            rule = f"{name} is a country code of ISO 3166-1 alpha-3, or blank when unknown"
            problems.add("country", rule, "such as IND", table="flows", row=row + 2, column=name, value=word)
    for word in texts["content"][1]:
        try:
            wrong = sorted(set(parse_content(word)) - {*places, UNION})
            if wrong:
                raise ValueError(f"{wrong[0]!r} is no state; such as USA=0.3")
        except ValueError as error:
            codes, words = texts["content"]
            row = int(np.flatnonzero(codes == words.index(word))[0])
            rule = "content is ISO3=SHARE, several joined by ;"
            problems.add("content", rule, str(error), table="flows", row=row + 2, column="content", value=word)
    for word in texts["direct_product"][1]:
        wrong = [part for part in word.split(";") if part not in ("", "none", UNION, *places)]
        if wrong:
            codes, words = texts["direct_product"]
            row = int(np.flatnonzero(codes == words.index(word))[0])
            rule = "direct_product names states by ISO3, several joined by ;, or none"
            cure = f"{wrong[0]!r} is no state; such as USA"
            problems.add("country", rule, cure, table="flows", row=row + 2, column="direct_product", value=word)
    problems.raise_if_any()
    count = len(flows)
    return Flows(
        count=count,
        items=_combine(texts, ("item_codes", "item_category", "hs6"), count),
        sellers=_combine(texts, ("origin", "head_office", "parent", "content", "direct_product"), count),
        buyers=_combine(texts, ("destination", "end_use", "entity", "end_party_head_office"), count),
        days=_days(flows["on"] if on is None and "on" in flows else on, count),
    )


def parse_content(text: str) -> dict[str, float]:
    """Return the controlled content by origin: ``USA=0.3;JPN=0.1``; ``none`` = no foreign content; blank = unknown.

    >>> parse_content("USA=0.3;JPN=0.1")
    {'USA': 0.3, 'JPN': 0.1}
    """
    shares: dict[str, float] = {}
    for part in text.split(";"):
        if not part or part == "none":
            continue
        origin, equals, share = part.partition("=")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not equals or len(origin) != 3 or not 0 <= value <= 1:
            raise ValueError(f"{part!r} is not ISO3=SHARE with a fraction from 0 to 1, such as USA=0.3")
        shares[origin] = shares.get(origin, 0.0) + value
    if sum(shares.values()) > 1 + 1e-9:
        raise ValueError(f"the shares of {text!r} add up to more than 1")
    return shares


def _texts(flows: pd.DataFrame, name: str) -> tuple[Codes, list[str]]:
    """Return the code of each flow's cell and the distinct texts; a column that is not there is unknown throughout."""
    if name not in flows:
        return np.zeros(1, np.intp), [""]
    column = flows[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        words = column.cat.categories.astype(str).tolist()
        codes = column.cat.codes.to_numpy().astype(np.intp, copy=False)
    else:
        codes, uniques = pd.factorize(column)
        words = [str(word) for word in uniques]
    if (codes < 0).any():
        codes = np.where(codes < 0, len(words), codes)
        words = [*words, ""]
    words = ["" if word == UNKNOWN_PLACE else word.strip() for word in words]
    return codes, words


def _combine(texts: dict[str, tuple[Codes, list[str]]], names: Sequence[str], count: int) -> Distinct:
    """Return the distinct combinations of some columns, in canonical (sorted) order."""
    code: Ints = np.zeros(1, np.int64)
    distinct: list[tuple[str, ...]] = [()]
    for name in names:
        column, words = texts[name]
        if len(column) == 1 and count != 1:
            distinct = [(*row, words[int(column[0])]) for row in distinct]
            continue
        joined = code * len(words) + column
        used, code = compress(joined, len(distinct) * len(words))
        distinct = [(*distinct[int(c) // len(words)], words[int(c) % len(words)]) for c in used]
    unique = sorted(set(distinct))
    place = {row: position for position, row in enumerate(unique)}
    of = np.array([place[row] for row in distinct], np.intp)[code]
    return Distinct(tuple(names), unique, of if len(of) == count else np.full(count, of[0] if count else 0, np.intp))


def compress(codes: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the distinct codes in ascending order, and for each code its position among them."""
    if size <= _SPARSE * len(codes) + 4096:
        seen = np.zeros(size, bool)
        seen[codes] = True
        used = np.flatnonzero(seen)
        lookup = np.zeros(size, np.int64)
        lookup[used] = np.arange(len(used))
        return used, lookup[codes]
    raw, uniques = pd.factorize(codes)
    order = np.argsort(uniques)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return uniques[order], rank[raw]


def _days(on: Any, count: int) -> npt.NDArray[np.datetime64]:
    if on is None:
        raise UsageError("say on which day: on=DATE, or a column 'on' in the flows")
    try:
        if isinstance(on, (pd.Series, pd.Index, np.ndarray, list)):
            days = pd.to_datetime(pd.Series(on)).to_numpy().astype("datetime64[D]")
        else:
            days = np.array([pd.Timestamp(on)], "datetime64[D]")
    except (ValueError, TypeError):
        raise UsageError(f"{on!r} is not a day; write it as YYYY-MM-DD, such as 2024-09-10") from None
    if len(days) not in (1, count) or np.isnat(days).any():
        raise UsageError("'on' wants one day, or one for each flow, none of them blank")
    return days
