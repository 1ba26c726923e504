"""The compiled cascade for firm-level networks gives the answers of the batched one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from networks import random_tables, side_by_side

from supplychain.analysis.cascade import GROWTH, cascade
from supplychain.errors import NoAnswer
from supplychain.network import SupplyNetwork
from supplychain.shocks import outage, refuse_all, remove_supplies

pytest.importorskip("numba", reason="the extra 'fast' is not installed")
from supplychain.analysis.wave import Wave


@pytest.mark.parametrize("lanes", [False, True])
def test_same_answers_as_the_batched_cascade(lanes: bool) -> None:
    harmed = settled = 0
    for start in range(0, 60, 4):
        many = [random_tables(seed, lanes) for seed in range(start, start + 4)]
        network = SupplyNetwork.from_tables(side_by_side(many))
        compiled = network.compile(["DDD"], items=[f"{k}.i0" for k in range(len(many))]).completed()
        shocks = remove_supplies(compiled).beside(refuse_all(compiled, ["AAA"], bound="pessimistic"))
        expected = cascade(compiled, shocks, (3.0, GROWTH))
        for at, horizon in enumerate((3.0, GROWTH)):
            wave = Wave(compiled, horizon)
            for column in range(len(shocks)):
                try:
                    market, node, _ = wave.one(shocks, column)
                except NoAnswer:
                    continue  # a loop drains too slowly for plain iteration: `cascade` jumps it
                assert market == pytest.approx(expected.market_loss[:, column, at], abs=1e-6), (start, column)
                assert node == pytest.approx(expected.supply_loss[:, column, at], abs=1e-6), (start, column)
                settled += 1
                harmed += node.sum() > 1
    assert harmed > 300
    assert settled > 500


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


def test_a_loop_that_drains_too_slowly_is_refused() -> None:
    tables = {
        "supplies": pd.DataFrame({"supply": ["a", "b"], "item": ["a", "b"], "site": "AAA", "share": 1.0}),
        "requirements": pd.DataFrame({"item": ["a", "b"], "requires": ["b", "a"]}),
    }
    compiled = SupplyNetwork.from_tables(tables).compile(["AAA"], ["a"]).completed()
    with pytest.raises(NoAnswer, match="drains slowly"):
        Wave(compiled, 3.0).one(outage(compiled, {"a": 1e-6}))
