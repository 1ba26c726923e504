"""What a scenario costs to serve: the plan held from before against the plan made for the scenario, and the regret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from scipy import sparse

from supplychain.analysis.cascade import cascade
from supplychain.analysis.needs import at_or
from supplychain.case import Case
from supplychain.errors import NoAnswer
from supplychain.network import Floats
from supplychain.shocks import Shocks
from supplychain.sourcing import Plan, Policy, load_policy, make_plan
from supplychain.sourcing.core import margins
from supplychain.sourcing.from_case import problem_from_case
from supplychain.sourcing.problem import SourcingProblem
from supplychain.whatif.apply import Applied

HORIZON: Final = 12.0
NOISE: Final = 1e-9  # parts of a need, and of a cost


@dataclass(frozen=True)
class Regret:
    """Costs of a year under a scenario, in ``currency`` ("index": one need of a year costs 1; see `supplychain
    source`).

    held: the plan made before the scenario, kept; new: the plan made for it. Each is purchase plus the margin of what
    stays unmet. regret = held - new: what knowing the scenario would have saved. note: why there is no plan, if so.
    """

    currency: str
    held: float = np.nan
    new: float = np.nan
    held_purchase: float = np.nan
    new_purchase: float = np.nan
    held_unmet: float = np.nan
    new_unmet: float = np.nan
    regret: float = np.nan
    note: str = ""


def plan_before(case: Case, policy: Policy | None = None) -> Plan:
    """Return the plan for the case as it is: the one that a buyer holds when the scenario comes."""
    policy = policy or load_policy("cheapest")
    return make_plan(problem_from_case(case, policy), policy)


def regret_matrix(cases: Sequence[Applied], policy: Policy | None = None) -> pd.DataFrame:
    """Return what the plan made for one scenario costs under each other: plan, scenario, cost, regret (against the plan
    made for it), and per plan `largest` (its largest regret over the scenarios) and, where every scenario but the first
    (the baseline) has a probability, `expected` cost. The plan with the smallest largest regret is the minimax one."""
    policy = policy or load_policy("cheapest")
    limits = {applied.scenario.name: applied.scenario.limited(policy) for applied in cases}
    problems = {applied.scenario.name: _limited(applied, limits[applied.scenario.name]) for applied in cases}
    made: dict[str, tuple[Plan, pd.Series[float]]] = {}
    for name, (problem, limited, output) in problems.items():
        try:
            made[name] = make_plan(limited, limits[name]), pd.Series(output, index=problem.supplies["supply"])
        except NoAnswer:
            continue
    rows = []
    for scenario, (problem, _, output) in problems.items():
        for name, (plan, usual) in made.items():
            # A plan counts on what its makers can make under its own scenario; it loses what they make less than that.
            counted = usual.reindex(pd.Index(problem.supplies["supply"])).fillna(1.0).to_numpy(float)
            left = np.minimum(output / np.where(counted > 0, counted, 1.0), 1.0)
            purchase, unmet = _cost(problem, policy, _delivered(problem, plan, left))
            rows.append((name, scenario, purchase + unmet))
    table = pd.DataFrame(rows, columns=["plan", "scenario", "cost"])
    if table.empty:
        return table.assign(regret=[], largest=[], expected=[])
    least = table.groupby("scenario")["cost"].transform("min").to_numpy(float)
    table["regret"] = _less(table["cost"].to_numpy(float), least)
    table["largest"] = table.groupby("plan")["regret"].transform("max")
    chance = {applied.scenario.name: applied.scenario.probability for applied in cases}
    others = [value for name, value in list(chance.items())[1:]]
    table["expected"] = np.nan
    if others and all(value is not None for value in others):
        first = next(iter(chance))
        chance[first] = 1.0 - sum(value for value in others if value is not None)
        weighed = table["cost"] * table["scenario"].map(chance).astype(float)
        table["expected"] = weighed.groupby(table["plan"]).transform("sum")
    return table


def regret(applied: Applied, held: Plan) -> Regret:
    """Return what the held plan costs under the scenario against one made for it. Flows refused on the scenario's day
    deliver nothing; what a maker can still make in the short run limits both plans; unmet demand costs its margin."""
    unchanged = applied.case is applied.base and not (applied.outages or applied.ramps or applied.actions)
    if unchanged and not applied.scenario.policy:
        return _nothing(held)
    policy = applied.scenario.limited(held.policy)
    try:
        problem, limited, output = _limited(applied, policy)
        plan = make_plan(limited, policy)
    except NoAnswer as error:
        return Regret(held.problem.currency, note=str(error).splitlines()[0])
    held_purchase, held_unmet = _cost(problem, policy, _delivered(problem, held, output))
    new_purchase, new_unmet = _cost(problem, policy, plan.contracts.buy[:, -1])
    total_held, total_new = held_purchase + held_unmet, new_purchase + new_unmet
    return Regret(
        problem.currency, total_held, total_new, held_purchase, new_purchase, held_unmet, new_unmet,
        float(_less(np.array(total_held), np.array(total_new))), "; ".join(plan.relaxed[:3]),
    )  # fmt: skip


def problem_under(applied: Applied, policy: Policy) -> SourcingProblem:
    """Return the sourcing problem of the scenario's case: what outages leave of a maker is all that it can sell."""
    case = applied.at(HORIZON)
    problem, own = problem_from_case(case, policy), applied.own_lost(HORIZON)
    if not own.any():
        return problem
    shock = replace(Shocks.none(case.compiled, ["outages"]), own_lost=sparse.csc_array(own[:, None]))
    output = _output(case, problem, shock)
    return replace(problem, supplies=problem.supplies.assign(capacity=_capacity(problem, output)))


def _limited(applied: Applied, policy: Policy) -> tuple[SourcingProblem, SourcingProblem, Floats]:
    """Return the problem under the scenario, the same with what makers can still make, and that part by supply."""
    case = applied.at(HORIZON)
    problem = problem_from_case(case, policy)
    output = _output(case, problem, applied.shocks(HORIZON).take([0]))
    return problem, replace(problem, supplies=problem.supplies.assign(capacity=_capacity(problem, output))), output


def _delivered(problem: SourcingProblem, plan: Plan, output: Floats) -> Floats:
    """Share of each need that a plan made elsewhere still delivers on each line."""
    bought = pd.Series(plan.contracts.buy[:, -1], index=_keys(plan.problem)).reindex(_keys(problem)).fillna(0.0)
    return np.asarray(bought.to_numpy(float) * output[problem.supply] * ~problem.closed)


def _cost(problem: SourcingProblem, policy: Policy, share: Floats) -> tuple[float, float]:
    """Return what shares of the needs cost over the horizon: purchase and qualification, margin of what is unmet."""
    supplies, needs = problem.supplies, problem.needs
    price = margins(problem, policy) * needs["demand"].to_numpy(float)
    unit = problem.lines["unit_cost"].to_numpy(float) * problem.line_demand
    fees = supplies["qualification_cost"].to_numpy(float) * supplies["new"].to_numpy(bool)
    unmet = _unmet(problem, share)
    used = np.bincount(problem.supply, share, len(supplies)) > 1e-9
    return float(share @ unit * problem.periods + fees[used].sum()), float(unmet @ price * problem.periods)


def _unmet(problem: SourcingProblem, share: Floats) -> Floats:
    """Part of each need (N,) that the shares of its lines leave unmet; what solver or sums round away is none."""
    unmet = np.clip(1.0 - np.bincount(problem.need, share, len(problem.needs)), 0.0, 1.0)
    return np.where(unmet > NOISE, unmet, 0.0)


def _less(cost: Floats, other: Floats) -> Floats:
    """What ``other`` saves against ``cost``; a difference of rounding is none."""
    return np.where(np.abs(cost - other) > NOISE * np.maximum(np.abs(cost), 1.0), cost - other, 0.0)


def _nothing(held: Plan) -> Regret:
    """The baseline: the plan that is held is the plan made for it."""
    problem, share = held.problem, held.contracts.buy[:, -1]
    unmet = _unmet(problem, share)
    lost = float(unmet @ (margins(problem, held.policy) * problem.needs["demand"].to_numpy(float)) * problem.periods)
    bought = held.costs["purchase"] + held.costs["qualification"]
    total = bought + lost
    return Regret(problem.currency, total, total, bought, bought, lost, lost, 0.0, "; ".join(held.relaxed[:3]))


def _keys(problem: SourcingProblem) -> pd.MultiIndex:
    needs, supplies = problem.needs.iloc[problem.need], problem.supplies.iloc[problem.supply]
    return pd.MultiIndex.from_arrays(
        [needs["plant"].to_numpy(), needs["item"].to_numpy(), supplies["supply"].to_numpy()]
    )


def _output(case: Case, problem: SourcingProblem, shock: Shocks) -> Floats:
    """Part of its usual output that each supply of the problem can make in the mean of the horizon, in the short
    run."""
    made = cascade(case.compiled, shock, (HORIZON,), markets=[]).output[:, 0, 0]
    at = pd.Index(case.compiled.supply_ids).get_indexer(pd.Index(problem.supplies["supply"]))
    return at_or(made, at, 1.0)


def _capacity(problem: SourcingProblem, output: Floats) -> Floats:
    capacity = problem.supplies["capacity"].to_numpy(float)
    sold = np.bincount(problem.supply, problem.lines["today"].to_numpy(float) * problem.line_demand, len(capacity))
    known = np.where(np.isinf(capacity) & (output < 1), sold, capacity)
    return np.asarray(np.where(output < 1, np.where(output > 1e-6, known * output, 0.0), capacity))
