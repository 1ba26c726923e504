"""The sourcing model in PuLP: first stage and one scenario, one function per constraint, its inequality in the
docstring.

Symbols: line l = (supply s(l), need n(l)), period t, periods after the strike t >= t*; d_n demand, c_l unit cost,
x_lt the part of a need contracted on a line, r_lt idle capacity reserved, y_s in {0,1} on the panel, z_l in {0,1}
a source of the need, b_n stock built (periods of demand), and in scenario k: g_lt delivered, u_nt unmet, h_nt
stock held.
"""

from __future__ import annotations

import numpy as np
import pulp

from supplychain.network import DAYS_PER_MONTH
from supplychain.sourcing.core import DEMAND_WEIGHT, Core, divide, groups, line_costs, margins, permitted, prices
from supplychain.sourcing.policy import Policy
from supplychain.sourcing.problem import SourcingProblem
from supplychain.sourcing.rules import (
    budget,
    change_from_today,
    controlled_share,
    price_tiers,
    qualification_budget,
    share_caps,
    sources,
)


def build_core(problem: SourcingProblem, policy: Policy, probability: float, scenarios: bool, threatened: bool) -> Core:
    """Return the PuLP core: the first stage, and one scenario when the plan has any.

    `threatened`: the plan must face a threat in some way, so that reserves and stock can be worth having.
    """
    core = Core(problem, policy, probability, pulp.LpProblem("sourcing", pulp.LpMinimize))
    core.permitted = permitted(problem, policy)
    first_stage_columns(core, threatened)
    for rule in (
        meet_demand,
        panel_before_buying,
        capacity,
        minimum_order,
        price_tiers,
        sources,
        share_caps,
        controlled_share,
        budget,
        qualification_budget,
        change_from_today,
    ):
        core.family = rule.__name__
        rule(core)
    if scenarios:
        scenario_columns(core)
        for rule in (deliveries_within_contract, scenario_balance, conditional_value_at_risk):
            core.family = rule.__name__
            rule(core)
    core.lp += pulp.lpSum(core.terms)
    return core


def first_stage_columns(core: Core, threatened: bool) -> None:
    """Columns x, r, y, b and their costs.

    cost: sum_{t<t*} c d x + p0 sum_{t>=t*} c d x + reservation c d r + q y + (1 + holding years) price d b
    """
    problem, policy = core.problem, core.policy
    P, A = problem.periods, problem.after
    d = problem.line_demand
    price, unit = problem.lines["unit_cost"].to_numpy(float), line_costs(problem, policy)
    limit = np.minimum(1.0, divide(problem.lines["capacity"].to_numpy(float), d))
    ready = np.arange(P)[None, :] >= problem.first_period[:, None]
    upper = np.where(ready & core.permitted[:, None], limit[:, None], 0.0)
    core.columns("buy", upper.ravel())
    share = np.where(np.arange(P) < problem.strike, 1.0, core.probability)
    core.cost(core.blocks["buy"], np.outer(unit * d, share).ravel().tolist())
    if policy.contract.reserve and threatened:
        core.columns("reserve", upper[:, problem.strike :].ravel())
        fee = np.repeat(policy.cost.reservation_rate * price * d, A)
        core.cost(core.blocks["reserve"], fee.tolist())
    new = problem.supplies["new"].to_numpy(bool)
    ordered = problem.supplies["minimum_order"].to_numpy(float) > 0
    gated = np.flatnonzero(new | ordered)
    core.gate = {int(s): i for i, s in enumerate(gated)}
    core.columns("panel", np.ones(len(gated)), cat="Integer")
    fee = np.where(new, problem.supplies["qualification_cost"].to_numpy(float), 0.0)[gated]
    core.cost(core.blocks["panel"], (policy.cost.qualification * fee).tolist())
    days = problem.period_months * DAYS_PER_MONTH
    today = problem.needs["stock_today"].to_numpy(float)
    most = np.maximum(policy.stock.maximum_days / days - today, 0.0) * threatened
    least = np.maximum(policy.stock.minimum_days / days - today, 0.0)
    core.columns("build", np.maximum(most, least), least)
    years = P * problem.period_months / 12
    held = prices(problem) * problem.demand * (policy.cost.purchase + policy.cost.holding_rate * years)
    core.cost(core.blocks["build"], held.tolist())


def meet_demand(core: Core) -> None:
    """sum_{l of n} x_lt + slack_nt = 1 for every need n and period t; >= 1 where a minimum order may force more."""
    problem = core.problem
    ordered = problem.supplies["minimum_order"].to_numpy(float)[problem.supply] > 0
    for n, lines in enumerate(groups(problem.need, len(problem.needs))):
        sense = ">=" if ordered[lines].any() else "=="
        for t in range(problem.periods):
            gap = core.slack("demand", n, f"period {t + 1}", DEMAND_WEIGHT)
            core.row([*((core.buy(line, t), 1.0) for line in lines), (gap, 1.0)], sense, 1.0)


def panel_before_buying(core: Core) -> None:
    """x_lt + r_lt <= y_s(l): nothing is bought or reserved from a supply that is not on the panel (the strong form,
    per line)."""
    problem = core.problem
    for line in np.flatnonzero(core.permitted).tolist():
        gate = core.gate.get(int(problem.supply[line]))
        if gate is None:
            continue
        for t in range(int(problem.first_period[line]), problem.periods):
            terms = [(core.buy(line, t), 1.0), (core.blocks["panel"][gate], -1.0)]
            if "reserve" in core.blocks and t >= problem.strike:
                terms.append((core.reserve(line, t), 1.0))
            core.row(terms, "<=", 0.0)


def capacity(core: Core) -> None:
    """sum_l d ((1 + f) x_lt + r_lt) <= C_s (1 + spare_s) y_s and sum_l d x_lt <= C_s y_s: a supply promises no more
    than it can make, its spare capacity included; so every call on the promises can be met at once."""
    problem, flexible = core.problem, 1.0 + core.policy.contract.flexibility
    limit = problem.supplies["capacity"].to_numpy(float)
    spare = problem.supplies["spare"].to_numpy(float)
    for s, lines in enumerate(groups(problem.supply, len(problem.supplies), core.permitted)):
        if not lines or not np.isfinite(limit[s]):
            continue
        gate = core.gate.get(s)
        shut = limit[s] == 0  # a supply that can make nothing, on the panel or not
        seat = [] if gate is None or shut else [(core.blocks["panel"][gate], -1.0)]
        right = 0.0 if shut or gate is not None else 1.0
        for t in range(problem.periods):
            sold = [(core.buy(line, t), problem.line_demand[line] / max(limit[s], 1e-300)) for line in lines]
            if shut:
                sold = [(variable, 1.0) for variable, _ in sold]
            tight = flexible == 1.0 and "reserve" not in core.blocks
            if tight or spare[s] > flexible - 1 or t < problem.strike:
                core.row([*sold, *seat], "<=", right)
            if not tight and t >= problem.strike:
                room = 1.0 + spare[s]
                promised = [(variable, a * flexible / room) for variable, a in sold]
                if "reserve" in core.blocks:
                    promised += [(core.reserve(line, t), a / room) for line, (_, a) in zip(lines, sold, strict=True)]
                core.row([*promised, *seat], "<=", right)


def minimum_order(core: Core) -> None:
    """sum_{l,t} d x_lt >= m_s y_s: who is on the panel gets an order of at least the smallest size."""
    problem = core.problem
    least = problem.supplies["minimum_order"].to_numpy(float)
    for s, lines in enumerate(groups(problem.supply, len(problem.supplies), core.permitted)):
        if least[s] > 0 and lines:
            sold = [
                (core.buy(line, t), problem.line_demand[line] / least[s])
                for line in lines
                for t in range(int(problem.first_period[line]), problem.periods)
            ]
            core.row([*sold, (core.blocks["panel"][core.gate[s]], -1.0)], ">=", 0.0)


def scenario_columns(core: Core) -> None:
    """Columns g, u, h of one scenario and their costs: c d g + (unmet weight) margin d u, to be weighted by its
    probability."""
    problem, policy = core.problem, core.policy
    N, A = len(problem.needs), problem.after
    unit = line_costs(problem, policy)
    core.columns("deliver", np.repeat(core.permitted.astype(float) * (1 + policy.contract.flexibility), A))
    core.cost(core.blocks["deliver"], np.repeat(unit * problem.line_demand, A).tolist())
    core.columns("unmet", np.ones(N * A))
    loss = np.repeat(policy.cost.unmet * margins(problem, policy) * problem.demand, A)
    core.cost(core.blocks["unmet"], loss.tolist())
    core.columns("hold", np.full(N * A, float(A)))  # more than the remaining demand is never held


def deliveries_within_contract(core: Core) -> None:
    """g_lt <= factor_lkt ((1 + f) x_lt + r_lt): the contract, its flexibility, and what the scenario leaves of the
    line."""
    problem, flexible = core.problem, 1.0 + core.policy.contract.flexibility
    for line in range(len(problem.lines)):
        for a, t in enumerate(core.ruled):
            at = line * problem.after + a
            promised = [(core.buy(line, t), -flexible)]
            if "reserve" in core.blocks:
                promised.append((core.reserve(line, t), -1.0))
            core.row([(core.blocks["deliver"][at], 1.0), *promised], "<=", 0.0, factor=at)


def scenario_balance(core: Core) -> None:
    """sum_l g_lt + u_nt + h_n,t-1 - h_nt = 1, with h_n,t*-1 = stock today + b_n: deliveries, stock and what stays
    unmet."""
    problem, A = core.problem, core.problem.after
    today = problem.needs["stock_today"].to_numpy(float)
    for n, lines in enumerate(groups(problem.need, len(problem.needs))):
        for a in range(A):
            held = core.blocks["hold"]
            before = (core.blocks["build"][n], 1.0) if a == 0 else (held[n * A + a - 1], 1.0)
            terms = [(core.blocks["deliver"][line * A + a], 1.0) for line in lines]
            terms += [(core.blocks["unmet"][n * A + a], 1.0), before, (held[n * A + a], -1.0)]
            core.row(terms, ">=", 1.0 - (today[n] if a == 0 else 0.0), factor=-2)


def conditional_value_at_risk(core: Core) -> None:
    """e_k >= sum_n margin d u_nk - eta, 0 <= e_k, 0 <= eta, cost price * (eta + sum_k p_k e_k / (1 - level)), and
    the same <= bound (Rockafellar and Uryasev, Journal of Risk 2, 2000). Losses are parts of the largest possible
    one, so both columns lie in [0, 1]; when nothing happens nothing is lost, and its excess is 0."""
    problem, risk = core.problem, core.policy.risk
    if not risk.price and risk.bound is None:
        return
    loss = np.repeat(margins(problem, core.policy) * problem.demand, problem.after)
    scale = max(float(loss.sum()), 1e-300)
    core.columns("tail", [1.0])
    core.columns("excess", [1.0])
    eta, excess = core.blocks["tail"][0], core.blocks["excess"][0]
    lost = zip(core.blocks["unmet"], (-loss / scale).tolist(), strict=True)
    core.row([(excess, 1.0), (eta, 1.0), *lost], ">=", 0.0, factor=-2)
    core.cost([eta, excess], [risk.price * scale, risk.price * scale / (1 - risk.level)])
    if risk.bound is not None:
        give = core.slack("risk.bound", -1, "")
        core.row([(eta, 1.0), (excess, 1.0 / (1 - risk.level)), (give, -1.0)], "<=", risk.bound / scale)
