"""The cost-exposure frontier: ends exact, monotone, convex on its supported points, and never beaten by any plan."""

from __future__ import annotations

import numpy as np
import pytest

from supplychain.errors import NoAnswer
from supplychain.sourcing.engine import Engine
from supplychain.sourcing.frontier import default_threats, frontier
from supplychain.sourcing.tiling import build
from tests.sourcing.family import draw, draw_policy


@pytest.mark.parametrize("seed", range(10))
def test_frontier_is_monotone_convex_and_exact_at_its_ends(seed):
    whole = seed % 2 == 0
    problem = draw(seed, whole).problem()
    policy = draw_policy(seed, whole).with_(**{"contract.reserve": True, "stock.maximum_days": 200.0})
    try:
        found = frontier(problem, policy)
    except NoAnswer:
        return
    table = found.table
    cost, exposure = table["cost"].to_numpy(), table["exposure"].to_numpy()
    scale = max(1.0, abs(cost[0]))
    assert found.proven
    assert (np.diff(cost) >= -1e-6 * scale).all()
    assert (np.diff(exposure) <= 1e-6).all()
    ends = _by_weight(problem, policy, (1.0, 0.0)), _by_weight(problem, policy, (0.0, 1.0))
    assert cost[0] == pytest.approx(ends[0], rel=1e-6)
    assert exposure[-1] == pytest.approx(ends[1], abs=1e-6)
    if len(table) > 1:
        assert len(table) >= 9
        hull = table[table["kind"] != "between"]
        price = np.diff(hull["cost"]) / np.maximum(-np.diff(hull["exposure"]), 1e-12)
        steps = -np.diff(hull["exposure"]) > 1e-6
        assert (np.diff(price[steps]) >= -1e-4 * np.maximum(1.0, price[steps][1:])).all()
    # No plan lies below the frontier: at any price of exposure the best point of the table is the best there is.
    for price in (0.1 * scale, scale, 10 * scale):
        best = _by_weight(problem, policy, (1.0, price))
        assert (cost + price * exposure).min() >= best - 1e-6 * max(1.0, abs(best))


def _by_weight(problem, policy, weights):
    bare = policy.with_(**{"secure.against": (), "scenarios": {}, "risk.price": 0.0})
    threats = default_threats(problem, policy)
    model = build(problem, bare, exposed=threats)
    engine = Engine(model)
    cost = weights[0] * model.linear.cost
    cost[model.block["loss"]] += weights[1] / (len(threats) * len(problem.needs))
    total = 0.0
    for part in engine.parts:
        if part.live.solve().status == "infeasible":
            engine.give_way(part)
        part.live.set_costs(np.arange(len(part.columns)), cost[part.columns])
        total += part.live.solve(gap=0.0).objective
    return total
