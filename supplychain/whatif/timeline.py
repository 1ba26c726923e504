"""The course of a scenario week by week: stock runs down, equipment wears out, licences arrive, outages end, capacity
grows, and the law changes on its days.

Every week, in this order: gaps of the markets from last week's output and this week's law; what each need feels (a
consumable draws on its stock first, and refills it from spare capacity once supply is back; equipment and know-how feel
the mean gap of the last life of it); what each node can make. With a shock that stays as it is the course never shows
more loss than the cascade at that horizon, which takes a gap to have lasted from the beginning.

Two courses, each at both ends of what is unknown: *in force*, flows refused on the day are refused, flows that newly
need leave wait as long as leave takes and are then let through; *at leave*, no leave is given at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from supplychain.analysis.cascade import Gates
from supplychain.analysis.exposure import MEASURES, NOTICED
from supplychain.analysis.needs import at_or
from supplychain.case import Case
from supplychain.network import CONSUMABLE, DAYS_PER_MONTH, Compiled, Floats
from supplychain.shocks import Bound
from supplychain.whatif import supply
from supplychain.whatif.apply import WINDOW, Applied
from supplychain.whatif.outlook import NEED, need_weights

WEEKS: Final = 156
WEEK: Final = 7.0 / DAYS_PER_MONTH  # months
_ORDER = {"free": 0, "excepted": 0, "notification": 0, "indeterminate": 1, "licence": 1, "prohibited": 2}
_GROWTH_EVERY = 13  # weeks between two looks at what new capacity stands


@dataclass(frozen=True, eq=False)
class Timeline:
    """The course of a scenario. Losses are fractions of the need in the week.

    weeks: week, day, measure, loss, loss_high (buyer's mean).
    needs: plant, destination, item, measure, weeks_to_survive (full weeks with at most 1 % lost; NaN: all of them),
      week_recovered (first week from which the loss stays at or below 1 %; NaN: never within the weeks), loss_area
      (unit-months lost), lowest_stock_days (NaN where the need holds no stock of its own).
    phases: day and what changes on it.
    """

    weeks: pd.DataFrame
    needs: pd.DataFrame
    phases: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Law:
    """What the law withholds of each offer (K,), week by week, in few distinct patterns."""

    patterns: list[Floats]
    of_week: npt.NDArray[np.intp]


def timeline(applied: Applied, weeks: int = WEEKS) -> Timeline:
    """Return the course of a scenario over the weeks after its day."""
    stands = (
        [applied.standing(week * WEEK) for week in range(0, weeks, _GROWTH_EVERY)] if applied.ramps else [applied.case]
    )
    days = law_days(applied.case, weeks)
    judged = [stands[0], *(_on(stands[0], day) for day in days)]
    starts = [0, *(max((day - applied.case.on).days // 7, 0) for day in days)]
    frames, tables = [], []
    for measure in MEASURES:
        low, stock = _course(applied, stands, _law(applied, judged, starts, measure, "optimistic", weeks), "optimistic")
        high, _ = _course(applied, stands, _law(applied, judged, starts, measure, "pessimistic", weeks), "pessimistic")
        high = np.maximum(low, high)
        weight = need_weights(applied.case)["weight"].to_numpy(float)
        frames.append(
            pd.DataFrame(
                {
                    "week": np.arange(1, weeks + 1),
                    "day": [str(applied.case.on + timedelta(weeks=week)) for week in range(1, weeks + 1)],
                    "measure": measure,
                    "loss": weight @ low,
                    "loss_high": weight @ high,
                }
            )
        )
        tables.append(_summary(applied.case, measure, low, stock))
    return Timeline(pd.concat(frames, ignore_index=True), pd.concat(tables, ignore_index=True), _phases(applied, days))


@dataclass(frozen=True, eq=False)
class RunDown:
    """Stock and loss of each need (N, weeks), at the end of the week: days that the stock would serve alone (NaN where
    the need holds no stock of its own), part of the need lost."""

    stock_days: Floats
    loss: Floats


def run_down(case: Case, withheld: Floats, weeks: int = 52) -> RunDown:
    """Return how the needs of a case run down while the parts ``withheld`` of its offers (K,) stay away.

    The same week by week play as a timeline, without law that changes, outages or new capacity.
    """
    play = _Play(case)
    flowing, lacking = play.transmission(withheld)
    needs, own = case.needs["market"].to_numpy(), case.needs["need"].to_numpy()
    kept = at_or(play.consumable & (play.full > 0), own, False)
    stock, loss = np.full((len(needs), weeks), np.nan), np.zeros((len(needs), weeks))
    still = np.zeros(case.compiled.n_supplies)
    for week in range(weeks):
        gap, felt = play.pass_week(flowing, lacking, still)
        loss[:, week] = at_or(felt, own, gap[needs])
        stock[:, week] = np.where(kept, at_or(play.stock, own, 0.0) * DAYS_PER_MONTH, np.nan)
    return RunDown(stock, loss)


def _course(applied: Applied, stands: Sequence[Case], law: _Law, bound: Bound) -> tuple[Floats, Floats]:
    """Return losses of the needs, (N, weeks), and the lowest stock of each need in days, (N,)."""
    case, weeks = stands[0], len(law.of_week)
    play = _Play(case)
    needs, own = case.needs["market"].to_numpy(), case.needs["need"].to_numpy()
    loss = np.zeros((len(needs), weeks))
    weights = [play.transmission(pattern) for pattern in law.patterns]
    lost = _lost(applied, case, 0.5 * WEEK, bound)
    for week in range(weeks):
        if len(stands) > 1 and week and week % _GROWTH_EVERY == 0:
            case = stands[week // _GROWTH_EVERY]
            play.change(case)
            weights = [play.transmission(pattern) for pattern in law.patterns]
        if week and not (applied.constant and len(stands) == 1):
            lost = _lost(applied, case, (week + 0.5) * WEEK, bound)
        flowing, lacking = weights[law.of_week[week]]
        gap, felt = play.pass_week(flowing, lacking, lost)
        loss[:, week] = at_or(felt, own, gap[needs])
    return loss, at_or(play.lowest * DAYS_PER_MONTH, own, np.nan)


def _lost(applied: Applied, case: Case, month: float, bound: Bound) -> Floats:
    lost = supply.own_lost(case.compiled, applied.outages, bound, month, mean=False)
    more = supply.surge(case.compiled, applied.actions, case.resourcing.spare, case.on, month)
    return np.asarray(1.0 - (1.0 - lost) * (1.0 - more))


class _Play:
    """Stocks, wear and output of a network as the weeks go by."""

    def __init__(self, case: Case) -> None:
        self.history = np.zeros((1, case.compiled.n_needs))  # cumulated gap of each need, unit-months
        self.change(case)
        self.stock = self.full.copy()
        self.lowest = self.full.copy()
        self.node = np.zeros(case.compiled.n_supplies)

    def change(self, case: Case) -> None:
        """Go on with other arrays (new capacity stands): what is alike by name keeps its state."""
        compiled = case.compiled
        before: Compiled | None = getattr(self, "compiled", None)
        self.compiled, self.gates = compiled, Gates(compiled, (1.0,))
        self.spare = case.resourcing.spare[compiled.market_item[compiled.need_market]]
        self.consumable = compiled.need_role == CONSUMABLE
        self.full = np.where(self.consumable, compiled.need_stock_days / DAYS_PER_MONTH, 0.0)
        self.life = np.maximum(compiled.need_life_months, WEEK)
        self.life_weeks = np.maximum((self.life / WEEK).astype(np.int64), 1)
        if before is not None and before is not compiled:
            nodes = pd.Index(before.supply_ids).get_indexer(pd.Index(compiled.supply_ids))
            self.node = at_or(self.node, nodes, 0.0)
            old, new = _need_keys(before), _need_keys(compiled)
            at = pd.Index(old).get_indexer(pd.Index(new))
            self.stock = at_or(self.stock, at, self.full)
            self.lowest = at_or(self.lowest, at, self.full)
            self.history = at_or(self.history, at, 0.0)

    def transmission(self, withheld: Floats) -> tuple[sparse.csr_array, Floats]:
        """Return the weights that still flow, (M, S), and what each market lacks outright, (M,)."""
        compiled = self.compiled
        pattern = compiled.weights
        left = compiled.offer_weight * (1.0 - withheld)
        lacking = np.bincount(compiled.offer_market, compiled.offer_weight * withheld, compiled.n_markets).astype(float)
        return sparse.csr_array((left, pattern.indices, pattern.indptr), shape=pattern.shape), lacking

    def pass_week(self, weights: sparse.csr_array, lacking: Floats, own: Floats) -> tuple[Floats, Floats]:
        """Let a week pass; return the gaps of the markets (M,) and what the needs feel (R,)."""
        # Own losses of this week count at once; what a node lacks by its needs counts from last week's deliveries.
        gap = np.minimum(lacking + weights @ np.maximum(self.node, own), 1.0)
        lack = gap[self.compiled.need_market]
        drawn = np.minimum(self.stock / WEEK, lack)
        calm = (lack <= 0) & (self.stock < self.full)
        self.stock = np.where(calm, np.minimum(self.stock + self.spare * WEEK, self.full), self.stock - drawn * WEEK)
        self.lowest = np.minimum(self.lowest, self.stock)
        self.history = np.vstack([self.history, self.history[-1] + lack * WEEK])
        since = np.maximum(len(self.history) - 1 - self.life_weeks, 0)
        worn = np.minimum((self.history[-1] - self.history[since, np.arange(len(since))]) / self.life, 1.0)
        felt = np.where(self.consumable, lack - drawn, worn)
        self.node = own + (1.0 - own) * self.gates.lost_by(felt)
        return gap, felt


def _need_keys(compiled: Compiled) -> npt.NDArray[np.object_]:
    """Return a name for every need: its node and the item it needs."""
    items = np.array(compiled.items, object)[compiled.market_item[compiled.need_market]]
    names = compiled.supply_ids[compiled.need_supply] + "|" + items
    again = pd.Series(names).groupby(names).cumcount().astype(str).to_numpy(object)
    return np.asarray(names + "|" + again, dtype=object)


def _law(
    applied: Applied, judged: Sequence[Case], starts: Sequence[int], measure: str, bound: Bound, weeks: int
) -> _Law:
    """Return what the law withholds in every week; it is judged on each day on which it changes."""
    patterns: list[Floats] = []
    of_week = np.zeros(weeks, np.intp)
    known = _base_levels(applied, judged[0])
    waited: Floats = np.zeros(judged[0].compiled.n_offers)
    for at, (start, now) in enumerate(zip(starts, judged, strict=True)):
        stop = starts[at + 1] if at + 1 < len(starts) else weeks
        refused = now.denied_flows(bound) if measure == "in force" else now.leave_flows(bound)
        if measure == "at leave":
            patterns.append(refused.astype(float))
            of_week[start:stop] = len(patterns) - 1
            continue
        levels = _levels(now)
        fresh = (levels == 1) & (levels > known)
        waited = np.where(fresh, np.maximum(waited, start * 7.0 + applied.licence_days(now)), waited)
        known = levels
        begin = start
        for end in sorted({min(int(np.ceil(day / 7)), stop) for day in waited[waited > start * 7.0]} | {stop}):
            if end > begin:
                patterns.append((refused | (waited > begin * 7.0)).astype(float))
                of_week[begin:end] = len(patterns) - 1
                begin = end
    return _Law(patterns, of_week)


def _levels(case: Case) -> npt.NDArray[np.int64]:
    """How strictly each flow is treated: free, leave needed (or open), prohibited."""
    status = case.determinations.column("status")
    of_word = np.array([_ORDER[str(word)] for word in status.categories], np.int64)
    return np.asarray(of_word[status.codes], dtype=np.int64)


def _base_levels(applied: Applied, case: Case) -> npt.NDArray[np.int64]:
    """How strictly each flow was treated before the scenario: flows that it does not change wait for nothing new."""
    levels = _levels(applied.base)
    before, after = applied.base.compiled, case.compiled
    if before is after:
        return levels
    at = pd.Index(_offer_keys(before)).get_indexer(pd.Index(_offer_keys(after)))
    # Flows from new makers start under the law as it is: they have asked for leave in time.
    return at_or(levels, at, _levels(case))


def _offer_keys(compiled: Compiled) -> npt.NDArray[np.object_]:
    places = np.array(compiled.places, object)[compiled.market_place[compiled.offer_market]]
    buyers = np.append(compiled.supply_ids, "")[compiled.market_buyer[compiled.offer_market]]
    return np.asarray(compiled.supply_ids[compiled.offer_supply] + "|" + places + "|" + buyers, dtype=object)


def law_days(case: Case, weeks: int) -> list[date]:
    """Return the days in the weeks after the case's day on which a date of the book falls."""
    breaks = case.book.law.breaks.astype("datetime64[D]")
    first = np.datetime64(case.on, "D")
    inside = breaks[(breaks > first) & (breaks <= first + np.timedelta64(7 * weeks, "D"))]
    return [pd.Timestamp(day).date() for day in inside]


def _on(case: Case, day: date) -> Case:
    """The case on another day, remembered: all scenarios that change no law share what was judged."""
    known: dict[date, Case] = case.__dict__.setdefault("_by_day", {})
    if day not in known:
        other = case.with_(on=day, buyer=case.buyer, products=case.products)
        other.__dict__["compiled"] = case.compiled
        known[day] = other
    return known[day]


def _summary(case: Case, measure: str, loss: Floats, stock: Floats) -> pd.DataFrame:
    lost = loss > NOTICED
    weeks = loss.shape[1]
    ever = lost.any(axis=1)
    first = np.where(ever, lost.argmax(axis=1), 0).astype(float)
    last = weeks - lost[:, ::-1].argmax(axis=1)
    return case.needs[NEED].assign(
        measure=measure,
        weeks_to_survive=np.where(ever, first, np.nan),
        week_recovered=np.where(ever & (last < weeks), last + 1.0, np.nan),
        loss_area=loss.sum(axis=1) * WEEK,
        lowest_stock_days=stock,
    )


def _phases(applied: Applied, days: Sequence[date]) -> pd.DataFrame:
    """Return the days on which something changes, with what."""
    case = applied.case
    rows = [(str(case.on), "the scenario begins")]
    for day in days:
        before, after = (
            case.book.in_force(when).set_index("control")["standing"] for when in (day - timedelta(days=1), day)
        )
        moved = after[after != before.reindex(after.index)]
        told = [f"{control}: {standing}" for control, standing in moved.items()]
        if told:
            rows.append((str(day), "; ".join(told[:6]) + (f"; {len(told) - 6} more" if len(told) > 6 else "")))
    for outage in applied.outages:
        for month, word in (
            (outage.start, "begins"),
            (outage.end, "ends"),
            (outage.end + outage.recover, "is made good"),
        ):
            if 0 < month <= WINDOW and (word != "is made good" or outage.recover):
                day = case.on + timedelta(days=round(month * DAYS_PER_MONTH))
                rows.append((str(day), f"{outage.action.words} {word}"))
    for ramp in applied.ramps:
        for month, word in ((ramp.start, "begins to grow"), (ramp.end, "stands")):
            if 0 < month <= WINDOW:
                day = case.on + timedelta(days=round(month * DAYS_PER_MONTH))
                rows.append((str(day), f"new capacity of {ramp.item} in {ramp.state} {word}"))
    return pd.DataFrame(sorted(rows), columns=["day", "what"])
