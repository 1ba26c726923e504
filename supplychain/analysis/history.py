"""A case month by month under the law of each month: flows held, what is lost, and the instruments that moved it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.analysis.flow import loss_after
from supplychain.analysis.needs import need_weights, short_run
from supplychain.case import refusals
from supplychain.errors import UsageError
from supplychain.shocks import Bound, flows_lost

if TYPE_CHECKING:
    from supplychain.case import Case

HORIZON = 12.0
MEASURES = ("in_force", "at_leave")
BOUNDS: tuple[Bound, ...] = ("optimistic", "pessimistic")
MAX_MONTHS = 600


@dataclass(frozen=True)
class History:
    """A case over a period.

    table: one row per month: month (its first day), for each measure the flows that it holds and the short-run loss of
    the case's needs after 12 months (in the buyer's mean, a plant's own stock counted), each as `_low` (whatever the
    unknown facts are) and `_high` (if all were adverse); where asked for, after_resourcing_* in the same way, the other
    end of the bracket; instruments (";" list of controls that started, ended, were suspended or revived since the
    month before and concern classified flows of the case), regimes (theirs, with how many controls), known (is the law
    of that month known?).
    """

    buyer: str
    table: pd.DataFrame
    warnings: tuple[str, ...]


def history(
    case: Case, start: str, end: str, step: Callable[[str], None] = lambda text: None, *, after: bool = False
) -> History:
    """Return the case from month `start` to month `end` (YYYY-MM), both included; `after` adds the losses after
    re-sourcing, which take an LP for each need and each different set of refused flows.

    The network stays that of the case: only the law moves. Raises UsageError for months that are none, or too many.
    """
    days = _months(start, end)
    epochs = case.book.law.epochs(days)
    distinct, first, of = np.unique(epochs, return_index=True, return_inverse=True)
    step(f"law of {len(distinct)} stretches of days without a change")
    plain = [case.with_(on=days[position].astype(object)).flows() for position in first]
    count = len(plain[0])
    when = np.repeat(days[first], count)
    # The law of all stretches is judged at once: what is alike in several of them is judged once.
    judged = case.book.determine(pd.concat(plain, ignore_index=True), when, assumptions=case.assumptions.settings)
    flags = refusals(judged, np.tile(case.nowhere, len(distinct)))
    classified = np.asarray(plain[0]["item_codes"] != "", bool)
    names, masks, controls = [], [], []
    for number, position in enumerate(first):
        span = slice(number * count, (number + 1) * count)
        for bound in BOUNDS:
            names += [f"{measure} {bound} {position}" for measure in MEASURES]
            masks += [part[span] for part in flags[bound]]
        own = np.zeros(len(when), bool)
        own[span] = classified
        controls.append(judged.concerned(own))
    step("losses")
    # Most changes of law leave what is refused as it was: each different set of flows is computed once.
    alike: dict[bytes, int] = {}
    which = np.array([alike.setdefault(np.packbits(mask).tobytes(), len(alike)) for mask in masks])
    once = [int(np.argmax(which == number)) for number in range(len(alike))]
    shocks = flows_lost(case.compiled, [names[k] for k in once], [masks[k] for k in once])
    weight = need_weights(case)
    short = short_run(case, shocks, (HORIZON,))
    losses = {"loss": (weight @ short[:, :, 0])[which]}
    if after:
        step(f"losses after re-sourcing, {len(once)} times")
        solved = loss_after(case, shocks, (HORIZON,), short)
        losses["after_resourcing"] = (weight @ solved.loss[:, :, 0])[which]
    counts = np.array([int(mask.sum()) for mask in masks])
    width = len(BOUNDS) * len(MEASURES)
    columns: dict[str, npt.NDArray[np.float64] | npt.NDArray[np.int64]] = {}
    for b, end_of in enumerate(("low", "high")):
        for m, measure in enumerate(MEASURES):
            at = np.arange(len(distinct)) * width + b * len(MEASURES) + m
            columns[f"flows_{measure}_{end_of}"] = counts[at][of]
            for name, loss in losses.items():
                columns[f"{name}_{measure}_{end_of}"] = loss[at][of]
    moved = [
        "" if not i else _moved(case, days[i - 1], days[i], controls[of[i - 1]] | controls[of[i]])
        for i in range(len(days))
    ]
    table = pd.DataFrame({"month": days.astype("datetime64[s]"), **columns, "instruments": moved})
    table["regimes"] = [_regimes(case, text) for text in moved]
    table["known"] = days <= np.datetime64(case.book.known_as_of)
    return History(case.buyer, table, case.with_(on=days[-1].astype(object)).warnings)


def _months(start: str, end: str) -> npt.NDArray[np.datetime64]:
    try:
        first, last = np.datetime64(start, "M"), np.datetime64(end, "M")
        if len(start) != 7 or len(end) != 7:
            raise ValueError(start)
    except ValueError:
        raise UsageError(f"{start!r} and {end!r} are to be months YYYY-MM, such as 2022-01") from None
    count = int((last - first).astype(int)) + 1
    if not 0 < count <= MAX_MONTHS:
        raise UsageError(f"from {start} to {end} are {count} months; give 1 to {MAX_MONTHS}")
    return np.arange(first, last + np.timedelta64(1, "M")).astype("datetime64[D]")


def _regimes(case: Case, instruments: str) -> str:
    """Return the regimes of some controls, each with how many of them."""
    of = case.book.tables["controls"].set_index("control")["regime"]
    counts = of.reindex([name for name in instruments.split(";") if name]).value_counts().sort_index()
    return ";".join(f"{name} ({count})" for name, count in counts.items())


def _moved(case: Case, before: np.datetime64, after: np.datetime64, concerned: set[str]) -> str:
    """Return the controls of the book that changed standing between two days and concern flows of the case."""
    old, new = (case.book.in_force(str(day)).set_index("control")["standing"] for day in (before, after))
    return ";".join(sorted(set(new.index[(old != new).to_numpy(bool)]) & concerned))
