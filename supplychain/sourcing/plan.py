"""From a problem and a policy to a plan: solved, re-checked against the data, and set out line by line."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from supplychain.errors import SupplychainError
from supplychain.network import DAYS_PER_MONTH
from supplychain.solve import PROVEN
from supplychain.sourcing.check import Checked, check_plan
from supplychain.sourcing.core import change_costs, prices, today_cost
from supplychain.sourcing.decompose import Decomposed, NoPlan, decompose, large
from supplychain.sourcing.engine import Engine, Outcome, relaxation_text
from supplychain.sourcing.lazy import many, plan_lazily
from supplychain.sourcing.losses import Contracts, loss_table, today
from supplychain.sourcing.policy import Policy
from supplychain.sourcing.problem import Floats, SourcingProblem
from supplychain.sourcing.tiling import SourcingModel, build

SHOWN = 1e-6  # a share below this is rounding
NOTABLE = 0.005  # a change of share that is worth a reader's attention


@dataclass(frozen=True, eq=False)
class Plan:
    """A sourcing plan and what it does.

    lines: one row per plant x item x supply x period with a share today or in the plan: share and volume, change from
      today (parts of the need), unit cost and cost, lead time, status, policy, deciding control and citation of the
      flow, needs_licence, probability (that leave is given, an assumption), new (a supplier to qualify), reserved.
    needs: one row per plant x item: stock now and to hold, losses before and after under the worst refusal.
    losses: one row per threat x need: both losses before and after.
    threats: one row per threat: mean and largest loss over the needs, before and after.
    summary: the figures of the plan; `relaxed` names rules that cannot hold, `notes` what a reader must know.
    """

    problem: SourcingProblem
    policy: Policy
    model: SourcingModel
    outcome: Outcome
    contracts: Contracts
    checked: Checked
    relaxed: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def status(self) -> str:
        """`optimal`, or `feasible, not proven` with a gap in the summary."""
        return "optimal" if self.outcome.proven else "feasible, not proven"

    @cached_property
    def before(self) -> Contracts:
        return today(self.problem)

    @cached_property
    def lines(self) -> pd.DataFrame:
        return _lines(self)

    @cached_property
    def losses(self) -> pd.DataFrame:
        return loss_table(self.problem, self.before, self.contracts)

    @cached_property
    def threats(self) -> pd.DataFrame:
        return _threats(self.losses, len(self.problem.needs))

    @cached_property
    def needs(self) -> pd.DataFrame:
        return _needs(self)

    @cached_property
    def qualifications(self) -> pd.DataFrame:
        """Suppliers that the plan adds: cost, months until the first delivery, the share of needs they take."""
        return _qualifications(self)

    @cached_property
    def costs(self) -> dict[str, float]:
        """Cost by kind over the horizon when nothing happens, the expected loss, and what buying as today costs."""
        return _costs(self)

    @cached_property
    def summary(self) -> dict[str, Any]:
        return _summary(self)


def make_plan(problem: SourcingProblem, policy: Policy) -> Plan:
    """Return the best plan under the policy, broken ties included.

    Raises NoAnswer when no plan keeps the rules (naming the needs and the smallest relaxation) and the policy
    refuses to give way, and when no plan is found in time. A plan that fails the independent check is never
    returned.
    """
    if large(problem, policy):
        with suppress(NoPlan):  # the whole model then names the smallest relaxation
            found = decompose(problem, policy)
            return plan_from(replace(found.model, policy=policy), _outcome(found))
    if many(problem, policy):
        return plan_from(*plan_lazily(problem, policy))
    model = build(problem, policy)
    return plan_from(model, Engine(model).plan())


def _outcome(found: Decomposed) -> Outcome:
    record = {"status": "optimal" if found.gap <= PROVEN else "feasible-not-proven", "objective": found.objective}
    record |= {"bound": found.bound, "gap": found.gap, "rounds": found.rounds, "solver": "highs, by decomposition"}
    return Outcome(
        x=found.x,
        objective=found.objective,
        bound=found.bound,
        gap=found.gap,
        proven=found.gap <= PROVEN,
        settled=False,
        relaxed=(),
        solves=(record,),
        seconds=found.seconds,
        expected_loss=found.expected_loss,
    )


def plan_from(model: SourcingModel, outcome: Outcome) -> Plan:
    """Return the plan that a solved model holds, checked against the data."""
    problem, policy = model.problem, model.policy
    contracts = read_contracts(model, outcome.x)
    names = problem.supplies["supply"].tolist()
    panel = {names[supply]: chosen for supply, chosen in model.panel(outcome.x).items()}
    allowed = {(r.rule, r.need, r.label): r.amount for r in outcome.relaxed}
    checked = check_plan(problem, policy, contracts, panel, allowed)
    if not checked.holds:
        shown = "; ".join(checked.violations[:5])
        raise SupplychainError(f"the plan fails its own check and is withheld: {shown}")
    relaxed = tuple(relaxation_text(model, item) for item in outcome.relaxed)
    return Plan(problem, policy, model, outcome, contracts, checked, relaxed, problem.notes)


def read_contracts(model: SourcingModel, x: Floats) -> Contracts:
    """The contracts in a point of the model, free of rounding noise."""
    return Contracts(
        buy=_clean(model.values("buy", x)),
        reserve=_clean(model.values("reserve", x)),
        build=_clean(model.values("build", x)),
        flexibility=model.policy.contract.flexibility,
    )


def _clean(values: Floats) -> Floats:
    return np.where(np.abs(values) < 1e-9, 0.0, values)


def _lines(plan: Plan) -> pd.DataFrame:
    problem, P = plan.problem, plan.problem.periods
    lines = problem.lines
    today_share = lines["today"].to_numpy(float)
    share = plan.contracts.buy
    kept = np.zeros_like(share)
    kept[:, problem.strike :] = plan.contracts.reserve
    shown = (share.max(axis=1) > SHOWN) | (kept.max(axis=1) > SHOWN) | (today_share > SHOWN)
    at = np.repeat(np.flatnonzero(shown), P)
    period = np.tile(np.arange(P), int(shown.sum()))
    needs, supplies = problem.needs.iloc[problem.need[at]], problem.supplies.iloc[problem.supply[at]]
    chosen = lines.iloc[at]
    volume = share[at, period] * problem.line_demand[at]
    unit = chosen["unit_cost"].to_numpy(float)
    wait = supplies["ready_months"].to_numpy(float) + chosen["delay_months"].to_numpy(float)
    return pd.DataFrame(
        {
            "plant": needs["plant"].to_numpy(),
            "item": needs["item"].to_numpy(),
            "supply": supplies["supply"].to_numpy(),
            "organisation": supplies["organisation"].to_numpy(),
            "site": supplies["site"].to_numpy(),
            "jurisdiction": supplies["jurisdiction"].to_numpy(),
            "period": period + 1,
            "share": share[at, period],
            "today": today_share[at],
            "change": share[at, period] - today_share[at],
            "reserved": kept[at, period],
            "volume": volume,
            "unit": needs["unit"].to_numpy(),
            "unit_cost": unit,
            "cost": volume * unit,
            "currency": problem.currency,
            "new": supplies["new"].to_numpy(bool),
            "lead_time_months": wait,
            "status": chosen["status"].to_numpy(),
            "policy": chosen["policy"].to_numpy(),
            "needs_licence": problem.needs_leave[at],
            "probability": chosen["probability"].to_numpy(float),
            "control": chosen["control"].to_numpy(),
            "regime": chosen["regime"].to_numpy(),
            "citation": chosen["citation"].to_numpy(),
            "quality": supplies["quality"].to_numpy(),
        }
    )


def _threats(losses: pd.DataFrame, needs: int) -> pd.DataFrame:
    """One row per threat: mean over all needs (untouched ones count 0) and the largest, before and after; worst
    first."""
    columns = ["short_run_before", "short_run_after", "resourced_before", "resourced_after"]
    grouped = losses.groupby(["threat", "kind"], sort=True)[columns]
    mean = (grouped.sum() / max(needs, 1)).add_prefix("mean_")
    most = grouped.max().add_prefix("largest_")
    table = pd.concat([mean, most], axis=1).reset_index()
    return table.sort_values(
        ["mean_resourced_before", "threat"], ascending=[False, True], kind="stable", ignore_index=True
    )


def _needs(plan: Plan) -> pd.DataFrame:
    problem = plan.problem
    days = problem.period_months * DAYS_PER_MONTH
    stock = problem.needs["stock_today"].to_numpy(float)
    build_ = plan.contracts.build
    table = problem.needs[["plant", "item", "site", "unit"]].copy()
    table["demand_per_period"] = problem.demand
    table["sources_today"] = _count(problem, problem.lines["today"].to_numpy(float))
    table["sources"] = _count(problem, plan.contracts.buy[:, -1])
    table["stock_days_today"] = stock * days
    table["stock_days"] = (stock + build_) * days
    table["stock_to_build"] = build_ * problem.demand
    free = np.bincount(problem.need, plan.contracts.buy[:, -1] * problem.free, len(problem.needs))
    leave = np.bincount(problem.need, plan.contracts.buy[:, -1] * problem.needs_leave, len(problem.needs))
    table["share_free"], table["share_needing_licence"] = free, leave
    if len(plan.losses):
        worst = plan.losses.groupby(["plant", "item"], sort=True)[
            ["short_run_before", "short_run_after", "resourced_before", "resourced_after"]
        ].max()
        table = table.merge(worst.add_prefix("worst_").reset_index(), on=["plant", "item"], how="left")
        states = plan.losses.sort_values(["resourced_after", "threat"], ascending=[False, True], kind="stable")
        first = states.drop_duplicates(["plant", "item"])[["plant", "item", "threat"]]
        table = table.merge(first.rename(columns={"threat": "worst_threat"}), on=["plant", "item"], how="left")
    return table


def _count(problem: SourcingProblem, share: Floats) -> Any:
    return np.bincount(problem.need, share > SHOWN, len(problem.needs)).astype(int)


def _qualifications(plan: Plan) -> pd.DataFrame:
    problem = plan.problem
    seats = plan.model.panel(plan.outcome.x)
    new = problem.supplies["new"].to_numpy(bool)
    promised = plan.contracts.buy[:, -1] + (plan.contracts.reserve[:, -1] if problem.after else 0.0)
    taken = np.bincount(problem.supply, promised, len(problem.supplies))
    chosen = [s for s, on in sorted(seats.items()) if on and new[s] and taken[s] > SHOWN]
    supplies = problem.supplies.iloc[chosen]
    table = supplies[["supply", "organisation", "site", "jurisdiction"]].reset_index(drop=True)
    table["cost"] = supplies["qualification_cost"].to_numpy(float)
    table["ready_months"] = supplies["ready_months"].to_numpy(float)
    bought = np.bincount(problem.supply, plan.contracts.buy[:, -1], len(problem.supplies))
    table["share_of_needs"] = bought[chosen]
    table["needs_served"] = np.bincount(problem.supply, promised > SHOWN, len(problem.supplies)).astype(int)[chosen]
    return table


def _costs(plan: Plan) -> dict[str, float]:
    problem, policy, contracts = plan.problem, plan.policy, plan.contracts
    unit = problem.lines["unit_cost"].to_numpy(float) * problem.line_demand
    seats = plan.model.panel(plan.outcome.x)
    fees = problem.supplies["qualification_cost"].to_numpy(float) * problem.supplies["new"].to_numpy(bool)
    years = problem.periods * problem.period_months / 12
    today_ = problem.lines["today"].to_numpy(float)
    value = prices(problem) * problem.demand * contracts.build
    unmet = plan.model.values("unmet", plan.outcome.x)
    margin = problem.needs["margin"].to_numpy(float)
    margin = np.where(np.isnan(margin), policy.cost.unknown_margin * prices(problem), margin) * problem.demand
    chance = np.array([scenario.probability for scenario in plan.model.scenarios])
    expected = float((chance[:, None] * (unmet.sum(axis=2) * margin)).sum()) if len(chance) else 0.0
    if plan.outcome.expected_loss is not None:
        expected = plan.outcome.expected_loss
    tiers = 0.0
    if "tier" in plan.model.block:
        cost = plan.model.linear.cost[plan.model.block["tier"]] / max(policy.cost.purchase, 1e-300)
        tiers = float(cost @ plan.outcome.x[plan.model.block["tier"]])
    parts = {
        "purchase": float((contracts.buy * unit[:, None]).sum()) + tiers,
        "qualification": float(sum(fees[s] for s, on in seats.items() if on)),
        "reservation": float((contracts.reserve * unit[:, None]).sum() * policy.cost.reservation_rate),
        "stock": float(value.sum() * (1 + policy.cost.holding_rate * years)),
        "change": float(np.clip(today_ - contracts.buy[:, -1], 0.0, None) @ change_costs(problem, policy)),
    }
    return {
        **parts,
        "total": sum(parts.values()),
        "expected_loss": expected,
        "today": today_cost(problem),
    }


def _summary(plan: Plan) -> dict[str, Any]:
    problem, costs, threats = plan.problem, plan.costs, plan.threats
    share, old = plan.contracts.buy[:, -1], plan.before.buy[:, -1]
    n = max(len(problem.needs), 1)
    known_today = np.bincount(problem.need, problem.lines["today"].to_numpy(float), len(problem.needs)).sum() > 0
    worst = threats[threats["kind"] == "state"]
    record: dict[str, Any] = {
        "policy": plan.policy.name,
        "status": plan.status,
        "objective": plan.outcome.objective,
        "bound": plan.outcome.bound,
        "gap": plan.outcome.gap,
        "currency": problem.currency,
        "total_cost": costs["total"],
        **{f"{kind}_cost": costs[kind] for kind in ("purchase", "qualification", "reservation", "stock", "change")},
        "expected_loss": costs["expected_loss"],
        "cost_today": costs["today"],
        "cost_change": costs["total"] / costs["today"] - 1 if costs["today"] else float("nan"),
        "needs": len(problem.needs),
        "suppliers_today": int((np.bincount(problem.supply, old) > SHOWN).sum()),
        "suppliers": int((np.bincount(problem.supply, share) > SHOWN).sum()),
        "to_qualify": len(plan.qualifications),
        "unserved": float(np.clip(1.0 - np.bincount(problem.need, share, n), 0.0, None).mean()),
        "share_changed": float(np.abs(share - old).sum() / 2 / n) if known_today else float("nan"),
        "controlled_share_today": float((old * problem.needs_leave).sum() / n),
        "controlled_share": float((share * problem.needs_leave).sum() / n),
        "rules_given_way": len(plan.relaxed),
        "checks": sum(plan.checked.counts.values()),
        "ties_settled": plan.outcome.settled,
    }
    for strength in ("at-leave", "all"):
        states = worst[worst["threat"].str.endswith(f":{strength}")]
        for when in ("before", "after"):
            for measure in ("short_run", "resourced"):
                column = f"mean_{measure}_{when}"
                key = f"worst_{strength.replace('-', '_')}_{measure}_{when}"
                values = states[column].to_numpy(float)
                record[key] = float(values.max()) if len(values) else 0.0
                by = states["threat"].iloc[int(values.argmax())] if record[key] > 0 else ""
                record[f"{key}_by"] = str(by).split(":")[0]
    return record
