"""Shocks: what each builder takes away, and the two bounds of a refusal when places are unknown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from supplychain.errors import UsageError
from supplychain.network import Compiled, SupplyNetwork
from supplychain.shocks import (
    Shocks,
    outage,
    refuse_all,
    remove_items,
    remove_organisations,
    remove_sites,
    remove_supplies,
    states,
)


@pytest.fixture
def compiled() -> Compiled:
    supplies = pd.DataFrame(
        [("g-c", "gas", "CHN", 0.5, "acme"), ("g-j", "gas", "JPN", 0.3, "bolt"), ("g-x", "gas", "", 0.1, "other")],
        columns=["supply", "item", "site", "share", "organisation"],
    )
    return SupplyNetwork.from_tables({"supplies": supplies}).compile(["CHN", "IND"], ["gas"])


def withheld(compiled: Compiled, shocks: Shocks) -> dict[tuple[str, str], float]:
    lost = shocks.flow_lost.toarray()[:, 0]
    names = compiled.supply_ids[compiled.offer_supply]
    places = [compiled.places[p] for p in compiled.market_place[compiled.offer_market]]
    return {key: value for key, value in zip(zip(names, places, strict=True), lost, strict=True) if value}


def test_refusal_spares_domestic_flows_and_is_a_range_over_unknown_places(compiled: Compiled) -> None:
    assert withheld(compiled, refuse_all(compiled, ["CHN"])) == {("g-c", "IND"): 1}
    worst = withheld(compiled, refuse_all(compiled, ["CHN"], bound="pessimistic"))
    assert worst == {("g-c", "IND"): 1, ("g-x", "IND"): 1, ("unattributed:gas", "IND"): 1}
    both = refuse_all(compiled, ["CHN", "JPN"]).together("both")
    # The two refuse together, yet each also refuses the other's market.
    assert withheld(compiled, both) == {("g-c", "IND"): 1, ("g-j", "IND"): 1, ("g-j", "CHN"): 1}


def test_removals_take_output_everywhere(compiled: Compiled) -> None:
    assert states(compiled) == ("CHN", "JPN")
    assert remove_supplies(compiled).names == ("g-c", "g-j", "g-x")
    by_name = remove_organisations(compiled, ["acme"])
    assert by_name.own[:, 0].tolist() == (compiled.supply_ids != "g-c").astype(float).tolist()
    assert remove_items(compiled, ["gas"]).own_lost.sum() == 4  # with the unattributed remainder
    assert remove_sites(compiled, ["JPN"]).own_lost.sum() == 1
    for build in (remove_supplies, remove_organisations, remove_items, remove_sites, refuse_all):
        assert len(build(compiled, [])) == 0
        assert len(build(compiled)) > 0
    half = outage(compiled, {"g-j": 0.5})
    assert half.own[compiled.node("g-j"), 0] == 0.5
    with pytest.raises(UsageError, match="between 0 and 1"):
        outage(compiled, {"g-j": 2})
    with pytest.raises(UsageError, match="not part of this network"):
        remove_items(compiled, ["gold"])


def test_multipliers_and_combinations(compiled: Compiled) -> None:
    own = np.ones((compiled.n_supplies, 2))
    own[0, 1] = 0.25
    shocks = Shocks.from_multipliers(compiled, ["calm", "harm"], own=own)
    assert np.array_equal(shocks.own, own)
    assert (shocks.tau == 1).all()
    both = shocks.beside(refuse_all(compiled, ["CHN"])).together("all")
    assert both.own[0, 0] == 0.25
    assert both.flow_lost.sum() == 1
    assert shocks.take([1]).names == ("harm",)
    with pytest.raises(UsageError, match="shape"):
        Shocks.from_multipliers(compiled, ["x"], own=own)
    with pytest.raises(UsageError, match="between 0 and 1"):
        Shocks.from_multipliers(compiled, ["x", "y"], own=own * 2)
