"""The compiled cascade for firm-level networks gives the answers of the batched one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from networks import random_tables, side_by_side

from supplychain.analysis.cascade import GROWTH, cascade
from supplychain.network import SupplyNetwork
from supplychain.shocks import refuse_all, remove_supplies

pytest.importorskip("numba", reason="the extra 'fast' is not installed")
from supplychain.analysis.wave import Wave


@pytest.mark.parametrize("lanes", [False, True])
def test_same_answers_as_the_batched_cascade(lanes: bool) -> None:
    harmed = 0
    for start in range(0, 60, 4):
        many = [random_tables(seed, lanes) for seed in range(start, start + 4)]
        network = SupplyNetwork.from_tables(side_by_side(many))
        compiled = network.compile(["DDD"], items=[f"{k}.i0" for k in range(len(many))]).completed()
        shocks = remove_supplies(compiled).beside(refuse_all(compiled, ["AAA"], bound="pessimistic"))
        expected = cascade(compiled, shocks, (3.0, GROWTH))
        for at, horizon in enumerate((3.0, GROWTH)):
            wave = Wave(compiled, horizon)
            for column in range(len(shocks)):
                market, node, _ = wave.one(shocks, column)
                assert market == pytest.approx(expected.market_loss[:, column, at], abs=1e-6), (start, column)
                assert node == pytest.approx(expected.supply_loss[:, column, at], abs=1e-6), (start, column)
                harmed += node.sum() > 1
    assert harmed > 300


def test_removals_one_by_one_and_on_any_number_of_threads() -> None:
    compiled = SupplyNetwork.from_tables(random_tables(5, lanes=True)).compile().completed(stock_days=5)
    shocks = remove_supplies(compiled)
    nodes = [compiled.node(name) for name in shocks.names]
    wave, value = Wave(compiled, 12.0), np.arange(1.0, compiled.n_supplies + 1)
    found = wave.removals(nodes, value, markets=range(compiled.n_markets), threads=1)
    expected = cascade(compiled, shocks, (12.0,))
    assert found.total == pytest.approx(value @ expected.supply_loss[:, :, 0], abs=1e-6)
    assert pytest.approx(expected.market_loss[:, :, 0], abs=1e-6) == found.market_loss.T
    assert (found.touched >= 1).all()
    twice = wave.removals(nodes, value, markets=range(compiled.n_markets), threads=2)
    assert np.array_equal(found.total, twice.total)
    assert np.array_equal(found.market_loss, twice.market_loss)
    # Waiting for changes to grow costs accuracy within what it says.
    rough = wave.removals(nodes, value, drop=1e-4)
    assert (found.total - rough.total >= -1e-9).all()
    assert (found.total - rough.total).max() <= 1e-4 * value.sum() * rough.passes.max()


def test_a_loop_that_drains_slowly_is_jumped() -> None:
    # a and b need only one another; without b's small second maker each pass takes a thousandth of what is left.
    tables = {
        "supplies": pd.DataFrame(
            {"supply": ["a", "b", "b2"], "item": ["a", "b", "b"], "site": "AAA", "share": [1.0, 0.999, 0.001]}
        ),
        "requirements": pd.DataFrame({"requirement": ["r1", "r2"], "item": ["a", "b"], "requires": ["b", "a"]}),
    }
    compiled = SupplyNetwork.from_tables(tables).compile(["AAA"], ["a"]).completed()
    shocks, wave = remove_supplies(compiled, ["b2"]), Wave(compiled, 3.0)
    expected = cascade(compiled, shocks, (3.0,))
    market, node, passes = wave.one(shocks)
    assert 200 <= passes < 1000
    assert node == pytest.approx(expected.supply_loss[:, 0, 0], abs=1e-8)
    assert market == pytest.approx(expected.market_loss[:, 0, 0], abs=1e-8)
    assert node == pytest.approx(1.0, abs=1e-6)
    alone = wave.removals([compiled.node("b2"), compiled.node("b")], markets=range(compiled.n_markets))
    assert alone.total == pytest.approx([3.0, 3.0], abs=1e-6)
    assert alone.market_loss[0] == pytest.approx(market)
    assert alone.touched.tolist() == [3, 3]
