"""The sourcing problem as arrays: what each plant needs, who can supply it, and what each refusal leaves of each
line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.errors import Problems
from supplychain.regimes.law import REFUSED

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# A flow with one of these statuses moves without asking anyone; a notification is controlled but needs no leave.
FREE = ("free", "excepted")
NO_LEAVE = (*FREE, "notification")
WIDE = 1e9

_NEEDS = {"margin": np.nan, "stock_today": 0.0, "price": np.nan, "unit": "", "site": ""}
_SUPPLIES = {
    "organisation": "",
    "site": "",
    "jurisdiction": "",
    "capacity": np.inf,
    "spare": 0.0,
    "qualification_cost": 0.0,
    "minimum_order": 0.0,
    "new": False,
    "ready_months": 0.0,
    "quality": "",
    "unit_cost": np.nan,
}
_LINES = {
    "unit_cost": 0.0,
    "today": 0.0,
    "capacity": np.inf,
    "delay_months": 0.0,
    "status": "free",
    "policy": "",
    "control": "",
    "regime": "",
    "citation": "",
    "regimes": "",
    "probability": 1.0,
}


@dataclass(frozen=True)
class Threat:
    """One refusal or outage: `factor` (L lines x A periods after the strike) is the part of each line that is left."""

    name: str
    kind: str  # state | supplier | regime | other
    factor: Floats


@dataclass(frozen=True, eq=False)
class SourcingProblem:
    """N needs (plant x item), S supplies, L lines (a supply that can serve a need), P periods, and the threats to them.

    needs: plant, item, site, unit, demand (units per period), margin (money per unit; NaN unknown), stock_today
    (periods of demand), price (money per unit, for stock). supplies: supply, organisation, site, jurisdiction,
    capacity (units per period; inf = no known limit), spare (fraction), qualification_cost, minimum_order
    (units), new (must be qualified), ready_months (before the first delivery). lines: need and supply
    (positions), unit_cost (money per unit, freight included), today (share of the need), capacity (units per
    period), delay_months (licence), status, policy, control, regime, citation, regimes (`;` list of regimes under
    which the flow needs leave), probability (that leave is given).

    All tables are in canonical order; money is in one currency (`index`: no money, one unit of need costs about 1).
    """

    buyer: str
    currency: str
    needs: pd.DataFrame
    supplies: pd.DataFrame
    lines: pd.DataFrame
    periods: int
    period_months: float
    strike: int  # first period after the refusal
    threats: tuple[Threat, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def after(self) -> int:
        """Number of periods after the strike."""
        return self.periods - self.strike

    @cached_property
    def need(self) -> Ints:
        return self.lines["need"].to_numpy(np.int64)

    @cached_property
    def supply(self) -> Ints:
        return self.lines["supply"].to_numpy(np.int64)

    @cached_property
    def demand(self) -> Floats:
        return self.needs["demand"].to_numpy(float)

    @cached_property
    def line_demand(self) -> Floats:
        """Demand of each line's need, units per period."""
        return self.demand[self.need]

    @cached_property
    def free(self) -> Flags:
        """Lines whose flow is free or excepted, with certainty."""
        return self.lines["status"].isin(FREE).to_numpy()

    @cached_property
    def needs_leave(self) -> Flags:
        """Lines whose flow needs a licence, is prohibited, or may (unknown is treated as needing one)."""
        return ~self.lines["status"].isin(NO_LEAVE).to_numpy()

    @cached_property
    def closed(self) -> Flags:
        """Lines that are refused on the date: prohibited, embargoed, or denied by presumption."""
        denied = self.lines["policy"].isin(REFUSED)
        return (self.lines["status"].eq("prohibited") | denied & self.lines["status"].eq("licence")).to_numpy()

    @cached_property
    def first_period(self) -> Ints:
        """First period in which a line can deliver; a plan of one period is a steady state, in which all can."""
        if self.periods == 1:
            return np.zeros(len(self.lines), dtype=np.int64)
        wait = self.supplies["ready_months"].to_numpy(float)[self.supply] + self.lines["delay_months"].to_numpy(float)
        running = self.lines["today"].to_numpy(float) > 0
        return np.where(running, 0, np.ceil(wait / self.period_months - 1e-9)).astype(np.int64)

    @cached_property
    def regime_names(self) -> tuple[str, ...]:
        """Every regime under which some line needs leave, sorted."""
        return tuple(sorted({r for cell in self.lines["regimes"] for r in str(cell).split(";") if r}))

    def under(self, regime: str) -> Flags:
        """Lines that need leave under `regime`."""
        return np.array([regime in str(cell).split(";") for cell in self.lines["regimes"]], dtype=bool)

    @cached_property
    def canonical(self) -> Floats:
        """A number in (1, 2) per line, from what the line is and not from how it is called or where it stands.

        Ties between equal plans are broken by these weights, so renaming or permuting rows does not change a
        plan. Lines alike in everything are told apart by their ids, the only thing that differs.
        """
        table = pd.concat(
            [
                self.lines[["unit_cost", "today", "capacity", "delay_months", "status", "probability"]],
                self.supplies.drop(columns=["supply", "organisation"]).iloc[self.supply].reset_index(drop=True),
                self.needs[["site", "demand", "margin", "stock_today"]].iloc[self.need].reset_index(drop=True),
            ],
            axis=1,
        )
        keys = ["|".join(map(repr, row)) for row in table.itertuples(index=False, name=None)]
        twin = pd.Series(keys).groupby(keys).cumcount().tolist()
        digests = [
            hashlib.blake2b(f"{k}#{t}".encode(), digest_size=7).digest() for k, t in zip(keys, twin, strict=True)
        ]
        return 1.0 + np.array([int.from_bytes(d, "big") for d in digests], dtype=float) / 2.0**56

    def threat(self, name: str) -> Threat:
        """The threat called `name`; raises KeyError."""
        return {t.name: t for t in self.threats}[name]


def make_problem(
    needs: pd.DataFrame,
    supplies: pd.DataFrame,
    lines: pd.DataFrame,
    *,
    threats: Mapping[str, tuple[str, Any]] | None = None,
    periods: int = 1,
    period_months: float = 12.0,
    strike: int = 0,
    buyer: str = "",
    currency: str = "index",
    notes: tuple[str, ...] = (),
) -> SourcingProblem:
    """Return the problem of plain tables, checked and in canonical order.

    `needs` has plant, item, demand (per period); `supplies` has supply; `lines` has plant, item, supply (by id);
    every other column of `SourcingProblem` is optional. `threats` maps a name to (kind, factor): a Series by line
    row or an array (L, or L x periods after the strike) in the order of `lines` as given. Raises InputError with
    all faults.
    """
    needs = _filled(needs, _NEEDS).sort_values(["plant", "item"], kind="stable", ignore_index=True)
    supplies = _filled(supplies, _SUPPLIES).sort_values("supply", kind="stable", ignore_index=True)
    lines = _filled(lines.reset_index(drop=True), _LINES)
    need_at = pd.MultiIndex.from_frame(needs[["plant", "item"]]).get_indexer(
        pd.MultiIndex.from_frame(lines[["plant", "item"]])
    )
    supply_at = pd.Index(supplies["supply"]).get_indexer(lines["supply"])
    order = np.lexsort((supply_at, need_at))
    numbered = lines.assign(need=need_at, supply=supply_at).drop(columns=["plant", "item"])
    found = tuple(
        Threat(name, kind, _factor(factor, len(lines), periods - strike)[order])
        for name, (kind, factor) in sorted((threats or {}).items())
    )
    problem = SourcingProblem(
        buyer=buyer,
        currency=currency,
        needs=needs,
        supplies=supplies,
        lines=numbered.iloc[order].reset_index(drop=True),
        periods=periods,
        period_months=period_months,
        strike=strike,
        threats=found,
        notes=notes,
    )
    check_problem(problem)
    return problem


def _filled(table: pd.DataFrame, defaults: Mapping[str, Any]) -> pd.DataFrame:
    missing = {name: value for name, value in defaults.items() if name not in table}
    return table.assign(**missing)


def _factor(factor: Any, lines: int, after: int) -> Floats:
    values = np.asarray(factor, dtype=float)
    values = np.repeat(values[:, None], after, axis=1) if values.ndim == 1 else values
    if values.shape != (lines, after):
        raise ValueError(f"a threat's factor is {lines} lines x {after} periods, not {values.shape}")
    return np.asarray(np.clip(values, 0.0, 1.0), dtype=np.float64)


def check_problem(problem: SourcingProblem) -> None:
    """Raise InputError naming every number that would make a plan meaningless, before anything is built."""
    faults = Problems()
    needs, supplies, lines = problem.needs, problem.supplies, problem.lines
    labels = (needs["plant"] + " x " + needs["item"]).to_numpy(object)
    if not len(needs):
        faults.add("sourcing-empty", "the buyer needs nothing", "give the plants table rows for this buyer")
    if (problem.need < 0).any() or (problem.supply < 0).any():
        faults.add("sourcing-reference", "a line names a plant, item or supply that is not in the tables")
        faults.raise_if_any()

    def each(code: str, table: str, column: str, bad: Any, ids: Any, values: Any, rule: str, cure: str) -> None:
        for i in np.flatnonzero(np.asarray(bad))[:100]:
            value = f"{ids[i]}: {values[i]}"
            faults.add(code, rule, cure, table=table, column=column, value=value)

    bad = ~(np.isfinite(problem.demand) & (problem.demand >= 0))
    each("sourcing-demand", "plants", "demand", bad, labels, problem.demand, "demand must be known", "give a number")
    lonely = np.bincount(problem.need, minlength=len(needs)) == 0
    cure = "add a supply of the item, or remove the need"
    each("sourcing-no-supplier", "plants", "item", lonely, labels, labels, "demand without any supplier", cure)
    ids = supplies["supply"].to_numpy(object)
    for column in ("capacity", "minimum_order", "qualification_cost", "spare"):
        values = supplies[column].to_numpy(float)
        each(
            "sourcing-number", "supplies", column, np.isnan(values) | (values < 0), ids, values, "must be 0 or more", ""
        )
    capacity, order = supplies["capacity"].to_numpy(float), supplies["minimum_order"].to_numpy(float)
    short = order > capacity * problem.periods * (1 + 1e-9)
    rule = "capacity over the horizon is below the minimum order: nothing can be bought there"
    each("sourcing-minimum-order", "supplies", "minimum_order", short, ids, order, rule, "correct one of the two")
    names = ids[problem.supply] + " -> " + labels[problem.need] if len(lines) else ids[:0]
    cost = lines["unit_cost"].to_numpy(float)
    each("sourcing-cost", "supplies", "unit_cost", ~np.isfinite(cost), names, cost, "a price must be known", "")
    money = np.abs(np.concatenate([cost * problem.line_demand, supplies["qualification_cost"].to_numpy(float)]))
    money = money[np.isfinite(money) & (money > 0)]
    if money.size and money.max() / money.min() > WIDE:
        span = f"{money.min():.3g} to {money.max():.3g}"
        faults.add("sourcing-range", "costs lie more than 1e9 apart", "check units", table="supplies", value=span)
    volumes = np.concatenate([problem.demand, capacity[np.isfinite(capacity)]])
    for item, group in needs.groupby("item"):
        own = problem.demand[group.index]
        own = own[own > 0]
        if own.size and own.max() / own.min() > WIDE:
            span = f"{item}: {own.min():.3g} to {own.max():.3g}"
            faults.add("sourcing-range", "demands lie more than 1e9 apart", "check units", table="plants", value=span)
    if not np.isfinite(volumes).all():
        faults.add("sourcing-number", "a volume is not finite", table="plants")
    faults.raise_if_any()
