"""The flow LP of `analysis.flow` written out in PuLP, one producer and one market at a time, to read and to check."""

from __future__ import annotations

import pulp

from supplychain.analysis.flow import FlowModel
from supplychain.network import CONSUMABLE, DAYS_PER_MONTH, ESSENTIAL
from supplychain.shocks import Shocks


def flow_problem(model: FlowModel, shocks: Shocks, column: int = 0) -> pulp.LpProblem:
    """Return the LP of one need under one shock. Its optimum is the loss after re-sourcing.

    Every quantity is a fraction of what the chain uses today of the item concerned:

    * y[s] <= headroom * own[s] * today[s]                                        capacity
    * sum over markets of x[s, m] <= y[s]                                         what is sent was made
    * x[s, m] <= (1 - lost) * headroom * own[s] * today[s] * use[m]               where a part of the flow is withheld
    * sum over needs on m of part * z[need] <= sum over sellers of x[s, m]        what is used has arrived
    * y[s] <= sum over the clause of weight * (rate * z + base * own * today)     every essential clause
    * the same bracket <= (1 + what may move within the mix) * most[s]            alternatives
    * y[s] <= (1 - sum of weights) * most[s] + sum of weight * v, v <= most[s]    important needs, v as above
    * 1 - loss <= rate * z[final] + base                                          the need (a country: 1, 0)
    """
    compiled, chain = model.compiled, model.chain
    own, lost = shocks.own[:, column], 1.0 - shocks.tau[:, column]
    problem = pulp.LpProblem("flow", pulp.LpMinimize)
    loss = problem.add_variable("loss", 0, 1)
    final = problem.add_variable("final", 0, 1)
    problem += loss
    head = {s: float(model.head[compiled.supply_item[s]]) for s in chain.nodes}
    left = {s: float(own[s] * chain.output[s]) for s in chain.nodes}
    made = {s: problem.add_variable(f"y{s}", 0, head[s] * left[s]) for s in chain.nodes}
    arriving: dict[int, list[pulp.LpVariable]] = {int(m): [] for m in chain.markets}
    sent: dict[int, list[pulp.LpVariable]] = {int(s): [] for s in chain.nodes}
    for k in chain.offers:
        s, m = int(compiled.offer_supply[k]), int(compiled.offer_market[k])
        most = head[s] * left[s] if lost[k] == 0 else float((1 - lost[k]) * head[s] * left[s] * chain.demand[m])
        flow = problem.add_variable(f"x{k}", 0, most)
        arriving[m].append(flow)
        sent[s].append(flow)
    for s in chain.nodes:
        problem += pulp.lpSum(sent[int(s)]) <= made[s]
    used: dict[int, list[pulp.LpAffineExpression]] = {int(m): [] for m in chain.markets}
    used[model.market].append(chain.final_part * final)
    for s in chain.nodes:
        clauses: dict[int, list[pulp.LpAffineExpression]] = {}
        usual, linear = 1.0, []
        for r in range(compiled.need_start[s], compiled.need_start[s + 1]):
            taken = problem.add_variable(f"z{r}", 0)
            used[int(compiled.need_market[r])].append(float(chain.part[r]) * taken)
            weight = float(compiled.need_weight[r])
            if compiled.need_role[r] == CONSUMABLE:
                cover = float(compiled.need_stock_days[r]) / DAYS_PER_MONTH / model.horizon
                supported = taken + min(cover, head[s]) * left[s]
            else:
                worn = min(model.horizon / float(compiled.need_life_months[r]), 1.0)
                supported = head[s] * ((1 - worn) * left[s] + worn * taken)
            if compiled.need_essential[r] == ESSENTIAL:
                group = int(compiled.need_group[r])
                if group >= 0:
                    qualified = model.resourcing.qualified(model.horizon)[compiled.market_item[compiled.need_market[r]]]
                    moved = model.resourcing.substitution * float(qualified) * (1 / max(weight, 1e-9) - 1)
                    problem += supported <= head[s] * left[s] * (1 + moved)
                clauses.setdefault(group if group >= 0 else -1 - r, []).append(weight * supported)
                continue
            felt = problem.add_variable(f"v{r}", 0, head[s] * left[s])
            problem += felt <= supported
            usual -= weight
            linear.append(weight * felt)
        for members in clauses.values():
            problem += made[s] <= pulp.lpSum(members)
        if linear:
            problem += made[s] <= pulp.lpSum(linear) + max(usual, 0.0) * head[s] * left[s]
    for m in chain.markets:
        problem += pulp.lpSum(used[int(m)]) <= pulp.lpSum(arriving[int(m)])
    problem += 1 - loss <= model.final_rate * final + model.final_base
    return problem
