"""The baseline against scenarios: what changes, for whom, when, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from supplychain.case import Case
from supplychain.errors import InputError, NoAnswer
from supplychain.sourcing import Plan
from supplychain.whatif.apply import Applied, apply
from supplychain.whatif.choke import choke_points
from supplychain.whatif.outlook import HORIZONS, LOSSES, NEED, Outlook, outlook, split, waiting
from supplychain.whatif.regret import Regret, plan_before, regret, regret_matrix
from supplychain.whatif.scenario import Scenario
from supplychain.whatif.timeline import Timeline, timeline

MIDDLE = 12.0  # months: the horizon of splits, choke points and plans


@dataclass(frozen=True, eq=False)
class Side:
    """One scenario, measured: losses, course over time, parts, choke points, time that leave takes, cost to serve."""

    applied: Applied
    outlook: Outlook
    timeline: Timeline
    split: pd.DataFrame
    choke_points: pd.DataFrame
    waiting: dict[str, float]
    regret: Regret

    @property
    def name(self) -> str:
        return self.applied.scenario.name


@dataclass(frozen=True, eq=False)
class Comparison:
    """The baseline and scenarios, side by side. Losses are fractions of the need; `delta_*` = scenario - baseline.

    headline: scenario, measure, horizon, after, short, after_high, short_high, margin_after ... (USD a year at risk),
      and delta_after, delta_short, delta_margin_short.
    needs: scenario, plant, destination, item, measure, horizon, the four ends, delta_after, delta_short; rows that
      change anything. plants: likewise by plant, with margins.
    split: scenario, measure, by (imposing, regime, role, tier, item, outage), value, loss, baseline, delta: short-run
      loss of each part alone at 12 months.
    choke_points: scenario, kind, element, change (became, stopped), after, short.
    times: scenario, plant, destination, item, measure, weeks_to_survive, week_recovered, loss_area,
      lowest_stock_days, and the same of the baseline (baseline_*): rows in which something is lost in either.
    weeks: scenario, week, day, measure, loss, loss_high (the baseline is a scenario of its own here). phases: scenario,
      day, what.
    costs: scenario, needs_leave, licence_days, currency, held, new, regret, held_unmet, new_unmet, note.
    regrets: plan, scenario, cost, regret, largest, expected: each scenario's plan under each other (two scenarios or
    more).
    """

    case: Case
    baseline: Side
    sides: tuple[Side, ...]
    headline: pd.DataFrame
    needs: pd.DataFrame
    plants: pd.DataFrame
    split: pd.DataFrame
    choke_points: pd.DataFrame
    times: pd.DataFrame
    weeks: pd.DataFrame
    phases: pd.DataFrame
    costs: pd.DataFrame
    regrets: pd.DataFrame
    warnings: tuple[str, ...]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by its name."""
        names = ("headline", "needs", "plants", "split", "choke_points", "times", "weeks", "phases", "costs", "regrets")
        return {name: getattr(self, name) for name in names}


def compare(
    case: Case,
    scenarios: Sequence[Scenario],
    horizons: Sequence[float] = HORIZONS,
    step: Callable[[str], None] | None = None,
) -> Comparison:
    """Return the scenarios against the case as it is. Raises InputError for a scenario that does not fit the case."""
    tell = step or (lambda _: None)
    everyone = [apply(scenario, case) for scenario in scenarios]
    tell("measuring the baseline")
    held, why = _held(case)
    base = _side(apply(Scenario.empty(), case), horizons, held, why)
    sides = []
    for number, applied in enumerate(everyone, start=1):
        tell(f"measuring {applied.scenario.name} ({number} of {len(everyone)})")
        sides.append(_side(applied, horizons, held, why, base))
    return Comparison(
        case=case,
        baseline=base,
        sides=tuple(sides),
        headline=_headline(base, sides),
        needs=_joined(base, sides, "losses", [*NEED, "measure", "horizon"], LOSSES),
        plants=_joined(
            base, sides, "plants", ["plant", "measure", "horizon"], [*LOSSES, "margin_after", "margin_short"]
        ),
        split=_split(base, sides),
        choke_points=_choke(base, sides),
        times=_times(base, sides),
        weeks=_all(base, sides, "weeks"),
        phases=_all(base, sides, "phases"),
        costs=_costs(base, sides),
        regrets=_regrets(base, sides),
        warnings=tuple(dict.fromkeys([*case.warnings, *(w for side in sides for w in _told(side))])),
    )


def _told(side: Side) -> list[str]:
    assumed = [f"{side.name} assumes: {text}" for text in side.applied.scenario.assumes]
    return [*(f"{side.name}: {warning}" for warning in side.applied.warnings), *assumed]


def _held(case: Case) -> tuple[Plan | None, str]:
    try:
        return plan_before(case), ""
    except NoAnswer as error:
        return None, str(error).splitlines()[0]
    except InputError as error:
        if not case.is_country:
            raise
        # A country has no row of data that could be mended: what is missing for a plan is said instead of its cost.
        return None, error.problems[0].rule


def _side(applied: Applied, horizons: Sequence[float], held: Plan | None, why: str, base: Side | None = None) -> Side:
    idle = not (applied.scenario.actions or applied.scenario.policy)
    if base is not None and idle and applied.case is base.applied.case:
        return replace(base, applied=applied)
    cost = Regret("", note=why) if held is None else regret(applied, held)
    return Side(
        applied=applied,
        outlook=outlook(applied, horizons),
        timeline=timeline(applied),
        split=split(applied, MIDDLE),
        choke_points=choke_points(applied, MIDDLE),
        waiting=waiting(applied),
        regret=cost,
    )


def _headline(base: Side, sides: Sequence[Side]) -> pd.DataFrame:
    keys = ["measure", "horizon"]
    before = base.outlook.headline.set_index(keys)
    frames = [
        base.outlook.headline.assign(scenario=base.name, delta_after=0.0, delta_short=0.0, delta_margin_short=0.0)
    ]
    for side in sides:
        now = side.outlook.headline.set_index(keys)
        frame = now.assign(
            scenario=side.name,
            **{f"delta_{end}": now[end] - before[end] for end in ("after", "short", "margin_short")},
        )
        frames.append(frame.reset_index())
    return _first(pd.concat(frames, ignore_index=True), "scenario")


def _joined(base: Side, sides: Sequence[Side], table: str, keys: list[str], ends: Sequence[str]) -> pd.DataFrame:
    before = getattr(base.outlook, table).set_index(keys)
    frames = []
    for side in sides:
        now = getattr(side.outlook, table).set_index(keys)
        old = before.reindex(now.index)
        frame = now[list(ends)].assign(
            scenario=side.name, delta_after=now["after"] - old["after"], delta_short=now["short"] - old["short"]
        )
        moved = (frame[["delta_after", "delta_short"]].abs() > 1e-9).any(axis=1)
        moved |= (now[LOSSES] - old[LOSSES]).abs().max(axis=1) > 1e-9
        frames.append(frame[moved].reset_index())
    return _first(_stacked(frames, [*keys, *ends, "scenario", "delta_after", "delta_short"]), "scenario")


def _split(base: Side, sides: Sequence[Side]) -> pd.DataFrame:
    keys = ["measure", "by", "value"]
    before = base.split.set_index(keys)["loss"].rename("baseline")
    frames = []
    for side in sides:
        both = pd.concat([side.split.set_index(keys)["loss"], before], axis=1).fillna(0.0).reset_index()
        frames.append(both.assign(scenario=side.name, delta=both["loss"] - both["baseline"]))
    table = _first(_stacked(frames, [*keys, "loss", "baseline", "scenario", "delta"]), "scenario")
    return table.sort_values(["scenario", "measure", "by", "loss", "value"],
                             ascending=[True, True, True, False, True], ignore_index=True)  # fmt: skip


def _choke(base: Side, sides: Sequence[Side]) -> pd.DataFrame:
    keys = ["kind", "element"]
    before = base.choke_points.set_index(keys)
    frames = []
    for side in sides:
        now = side.choke_points.set_index(keys)
        became = now[~now.index.isin(before.index)].assign(change="became")
        stopped = before[~before.index.isin(now.index)].assign(change="stopped")
        frames.append(pd.concat([became, stopped]).reset_index().assign(scenario=side.name))
    return _first(_stacked(frames, [*keys, "change", "after", "short", "scenario"]), "scenario")


def _times(base: Side, sides: Sequence[Side]) -> pd.DataFrame:
    keys = [*NEED, "measure"]
    values = ["weeks_to_survive", "week_recovered", "loss_area", "lowest_stock_days"]
    before = base.timeline.needs.set_index(keys)[values]
    frames = []
    for side in sides:
        now = side.timeline.needs.set_index(keys)[values]
        frame = now.join(before.reindex(now.index).add_prefix("baseline_")).assign(scenario=side.name)
        lost = (frame["loss_area"] > 1e-9) | (frame["baseline_loss_area"] > 1e-9)
        frames.append(frame[lost].reset_index())
    columns = [*keys, *values, *(f"baseline_{value}" for value in values), "scenario"]
    return _first(_stacked(frames, columns), "scenario")


def _costs(base: Side, sides: Sequence[Side]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for side in (base, *sides):
        r = side.regret
        rows.append(
            {"scenario": side.name, **side.waiting, "currency": r.currency, "held": r.held, "new": r.new,
             "regret": r.regret, "held_unmet": r.held_unmet, "new_unmet": r.new_unmet, "note": r.note}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _regrets(base: Side, sides: Sequence[Side]) -> pd.DataFrame:
    """The regret of every plan under every scenario; with one scenario `costs` says it all."""
    if len(sides) < 2:
        return pd.DataFrame(columns=["plan", "scenario", "cost", "regret", "largest", "expected"])
    return regret_matrix([base.applied, *(side.applied for side in sides)])


def _all(base: Side, sides: Sequence[Side], table: str) -> pd.DataFrame:
    frames = [getattr(side.timeline, table).assign(scenario=side.name) for side in (base, *sides)]
    return _first(pd.concat(frames, ignore_index=True), "scenario")


def _stacked(frames: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    full = [frame for frame in frames if len(frame)]
    return pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=list(columns))


def _first(table: pd.DataFrame, column: str) -> pd.DataFrame:
    return table[[column, *(name for name in table.columns if name != column)]]
