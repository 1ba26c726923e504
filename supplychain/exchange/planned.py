"""A sourcing plan as lines with days and proof: what every procurement format takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from supplychain.case import Case
from supplychain.errors import UsageError
from supplychain.sourcing import Plan

# What each exported line carries beside the format's own fields.
PROOF = [
    "NeedsLicence",
    "LicenceStatus",
    "LicencePolicy",
    "Control",
    "Regime",
    "Citation",
    "AsOfDate",
    "SolverStatus",
    "Gap",
    "SourcingPolicy",
    "Quality",
    "Remark",
]


@dataclass(frozen=True)
class Planned:
    """Lines of a plan: plant, item, name, supply, organisation, maker (its name), site, valid_from, valid_to (last
    day), share (of the need), today, reserved, volume and unit (per period), unit_cost, cost, currency, capacity and
    minimum_order (NaN unknown or none), lead_time_months, new, and the columns of PROOF. `about` says of what case."""

    lines: pd.DataFrame
    about: dict[str, Any]


def planned(plan: Plan, case: Case) -> Planned:
    """Return the lines of `plan` for `case`. Consecutive periods with the same figures are one line.

    Raises UsageError when the plan is for another buyer than the case.
    """
    if plan.problem.buyer != case.buyer:
        raise UsageError(f"the plan is for {plan.problem.buyer!r}, the case for {case.buyer!r}")
    problem, lines = plan.problem, plan.lines
    months = problem.period_months
    status = plan.status if plan.outcome.proven else f"{plan.status}; gap {plan.outcome.gap:.3g}"
    names = case.network.items.set_index("item")["name"]
    makers = case.network.organisations.set_index("organisation")["name"]
    limits = problem.supplies.set_index("supply")[["capacity", "minimum_order"]]
    invented = "plants invented for illustration" if case.illustrative else ""
    unknown = np.where(lines["organisation"].isin(["", "other"]), "the maker is not known by name", "")
    new = np.where(lines["new"], "to be qualified first", "")
    remark = ["; ".join(filter(None, (*parts, invented))) for parts in zip(new, unknown, strict=True)]
    capacity = limits["capacity"].reindex(lines["supply"]).to_numpy(float)
    table = lines.assign(
        name=names.reindex(lines["item"]).fillna("").to_numpy(object),
        maker=makers.reindex(lines["organisation"]).fillna("").to_numpy(object),
        capacity=np.where(np.isfinite(capacity) & (capacity < 1e9), capacity, np.nan),
        minimum_order=limits["minimum_order"].replace(0.0, np.nan).reindex(lines["supply"]).to_numpy(float),
        NeedsLicence=lines["needs_licence"].to_numpy(bool),
        LicenceStatus=lines["status"],
        LicencePolicy=lines["policy"],
        Control=lines["control"],
        Regime=lines["regime"],
        Citation=lines["citation"],
        AsOfDate=case.on.isoformat(),
        SolverStatus=status,
        Gap=plan.outcome.gap,
        SourcingPolicy=plan.policy.name,
        Quality=lines["quality"],
        Remark=remark,
    )
    about = {
        "buyer": case.buyer,
        "as_of": case.on.isoformat(),
        "law_known_as_of": case.book.known_as_of.isoformat(),
        "illustrative": case.illustrative,
        "policy": plan.policy.name,
        "solver_status": status,
        "currency": problem.currency,
        "rules_that_give_way": list(plan.relaxed),
        "warnings": list(plan.notes),
    }
    return Planned(_merged(table, case.on, months), about)


def _merged(table: pd.DataFrame, start: date, months: float) -> pd.DataFrame:
    """Join consecutive periods of a plant and item whose splits are the same; give first and last day."""
    table = table.sort_values(["plant", "item", "supply", "period"], kind="stable", ignore_index=True)
    figures = table["share"].round(9).astype(str) + "|" + table["reserved"].round(9).astype(str)
    split = (
        table.assign(figure=table["supply"] + "=" + figures)
        .groupby(["plant", "item", "period"])["figure"]
        .agg("\n".join)
    )
    changed = split.ne(split.groupby(["plant", "item"]).shift()).groupby(["plant", "item"]).cumsum().rename("run")
    table = table.join(changed, on=["plant", "item", "period"])
    runs = table.groupby(["plant", "item", "run"])["period"].agg(["min", "max"])
    table = table.join(runs, on=["plant", "item", "run"])
    table = table[table["period"] == table["min"]].reset_index(drop=True)
    first = {p: _day(start, (p - 1) * months, 0) for p in table["min"].unique()}
    last = {p: _day(start, p * months, 1) for p in table["max"].unique()}
    return table.assign(valid_from=table["min"].map(first), valid_to=table["max"].map(last)).drop(
        columns=["run", "min", "max", "period"]
    )


def _day(start: date, months: float, before: int) -> str:
    whole = round(months)
    year, month = divmod(start.month - 1 + whole, 12)
    first = pd.Timestamp(start.year + year, month + 1, 1)
    day = min(start.day, first.days_in_month)
    return str((first + pd.Timedelta(days=day - 1 - before)).date())
