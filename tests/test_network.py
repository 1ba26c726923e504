"""The network's arrays: what is reached, what is offered and needed, lanes, plants, canonical order, refused tables."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from supplychain.errors import InputError, UsageError
from supplychain.network import IMPORTANT, PLANT, REMAINDER, SUPPLY, Compiled, SupplyNetwork


def tables() -> dict[str, pd.DataFrame]:
    supplies = pd.DataFrame(
        [
            ("chip-t", "chip", "TWN", 1.0),
            ("wafer-j", "wafer", "JPN", 0.6),
            ("wafer-d", "wafer", "DEU", 0.3),
            ("gas-x", "gas", "", 0.5),
            ("toy-x", "toy", "FRA", 1.0),
        ],
        columns=["supply", "item", "site", "share"],
    )
    requirements = pd.DataFrame(
        [
            ("chip", "wafer", "essential", ""),
            ("chip", "gas", "important", ""),
            ("wafer", "gas", "essential", ""),
            ("toy", "chip", "essential", ""),
            ("chip", "toy", "minor", ""),
        ],
        columns=["item", "requires", "essentiality", "alternatives"],
    )
    return {"supplies": supplies, "requirements": requirements}


def offers(compiled: Compiled, market: int) -> dict[str, float]:
    rows = compiled.offer_market == market
    names = compiled.supply_ids[compiled.offer_supply[rows]]
    return dict(zip(names, compiled.offer_weight[rows].round(12).tolist(), strict=True))


def test_only_what_is_needed_is_reached_and_offers_sum_to_one() -> None:
    compiled = SupplyNetwork.from_tables(tables()).compile(["IND"], ["chip"])
    assert list(compiled.supply_ids) == [
        "chip-t",
        "gas-x",
        "wafer-d",
        "wafer-j",
        "unattributed:gas",
        "unattributed:wafer",
    ]
    assert compiled.supply_kind.tolist() == [SUPPLY] * 4 + [REMAINDER] * 2
    assert compiled.places == ("DEU", "FRA", "IND", "JPN", "TWN", "???")
    labels = {
        (compiled.items[i], compiled.places[p])
        for i, p in zip(compiled.market_item, compiled.market_place, strict=True)
    }
    # Toys are a minor need of chips: they are not reached. Gas is wanted where chips and wafers are made.
    assert labels == {("chip", "IND"), ("wafer", "TWN"), ("gas", "TWN"), ("gas", "DEU"), ("gas", "JPN"), ("gas", "???")}
    assert offers(compiled, compiled.market("wafer", "TWN")) == {
        "wafer-d": 0.3,
        "wafer-j": 0.6,
        "unattributed:wafer": 0.1,
    }
    assert compiled.market_unknown[compiled.market("wafer", "TWN")] == pytest.approx(0.1)
    assert compiled.market_unknown[compiled.market("gas", "JPN")] == pytest.approx(1.0)
    assert np.asarray(compiled.weights.sum(axis=1)) == pytest.approx(1.0)
    # Two needs of the chip that are not minor: the important one weighs one half.
    node = compiled.node("chip-t")
    rows = slice(compiled.need_start[node], compiled.need_start[node + 1])
    important = compiled.need_essential[rows] == IMPORTANT
    assert compiled.need_weight[rows][important].tolist() == [0.5]


def test_alternatives_share_their_group_by_coefficient() -> None:
    given = tables()
    given["requirements"] = pd.DataFrame(
        {"item": "chip", "requires": ["wafer", "gas"], "alternatives": "a", "coefficient": [3.0, 1.0]}
    )
    compiled = SupplyNetwork.from_tables(given).compile(["IND"], ["chip"])
    weight = dict(zip(compiled.market_item[compiled.need_market], compiled.need_weight, strict=True))
    assert {compiled.items[i]: w for i, w in weight.items()} == {"wafer": 0.75, "gas": 0.25}
    assert len(set(compiled.need_group)) == 1


def test_lanes_replace_the_world_market_of_their_buyer() -> None:
    given = tables()
    given["lanes"] = pd.DataFrame(
        [("wafer-d", "chip-t", 30.0), ("wafer-j", "chip-t", 10.0)], columns=["from_supply", "to_supply", "volume"]
    )
    compiled = SupplyNetwork.from_tables(given).compile(["IND"], ["chip"])
    (market,) = np.flatnonzero(compiled.market_buyer == compiled.node("chip-t"))
    assert offers(compiled, market) == {"wafer-d": 0.75, "wafer-j": 0.25}
    # A lane with a share leaves the rest to the item's unattributed remainder.
    given["lanes"] = pd.DataFrame({"from_supply": ["wafer-d"], "to_supply": ["chip-t"], "share": [0.7]})
    compiled = SupplyNetwork.from_tables(given).compile(["IND"], ["chip"])
    (market,) = np.flatnonzero(compiled.market_buyer >= 0)
    assert offers(compiled, market) == {"wafer-d": 0.7, "unattributed:wafer": 0.3}


def test_plants_are_nodes_that_need_and_offer_nothing() -> None:
    given = tables()
    given["plants"] = pd.DataFrame(
        {"plant": "p", "buyer": "b", "site": "MYS", "item": ["gas", "wafer"], "stock_days": [10.0, 20.0]}
    )
    network = SupplyNetwork.from_tables(given)
    compiled = network.compile(buyer="b")
    node = compiled.node("plant:p")
    assert compiled.supply_kind[node] == PLANT
    assert node not in compiled.offer_supply
    rows = slice(compiled.need_start[node], compiled.need_start[node + 1])
    assert compiled.need_stock_days[rows].tolist() == [10.0, 20.0]
    assert "chip-t" not in compiled.supply_ids
    with pytest.raises(UsageError, match="did you mean 'b'"):
        network.compile(buyer="bb")


def test_order_of_rows_does_not_matter() -> None:
    plain = SupplyNetwork.from_tables(tables()).compile()
    mixed = SupplyNetwork.from_tables({name: table.iloc[::-1] for name, table in tables().items()}).compile()
    for name in ("offer_supply", "offer_weight", "need_market", "need_weight", "market_item", "supply_share"):
        assert np.array_equal(getattr(plain, name), getattr(mixed, name)), name


def test_capacities_stand_for_shares_where_an_item_has_none() -> None:
    given = tables()
    given["supplies"] = pd.DataFrame(
        {"supply": ["a", "b"], "item": "chip", "site": "TWN", "capacity": [3.0, 1.0], "weight": [True, True]}
    )
    given["supplies"].loc[2] = ["c", "chip", "TWN", 50.0, False]  # another basis, kept out of the network
    given["requirements"] = tables()["requirements"].iloc[:0]
    compiled = SupplyNetwork.from_tables(given).compile(["IND"], ["chip"])
    assert offers(compiled, 0) == {"a": 0.75, "b": 0.25}


def test_one_call_to_networkx() -> None:
    network = SupplyNetwork.from_tables(tables())
    items = network.to_networkx()
    assert nx.has_path(items, "gas", "chip")
    assert items.edges["gas", "wafer"]["essentiality"] == "essential"
    gates = network.compile(["IND"], ["chip"]).to_networkx()
    assert nx.has_path(gates, ("supply", "gas-x"), ("market", "chip", "IND", ""))
    assert sum(d["weight"] for _, _, d in gates.in_edges(("market", "wafer", "TWN", ""), data=True)) == pytest.approx(1)


def test_faults_are_told_all_at_once() -> None:
    given = tables()
    given["items"] = pd.DataFrame({"item": ["chip", "wafer", "gas"]})
    given["supplies"] = pd.concat([given["supplies"], given["supplies"].iloc[[0]].assign(share=-0.1)])
    given["requirements"] = given["requirements"].assign(role="magic")
    with pytest.raises(InputError) as caught:
        SupplyNetwork.from_tables(given)
    codes = sorted({problem.code for problem in caught.value.problems})
    assert codes == ["duplicate", "negative", "reference", "word"]


@pytest.mark.parametrize(
    ("destinations", "items", "message"),
    [
        (["Indien"], None, "alpha-3"),
        (["IND"], ["chips"], "did you mean 'chip'"),
        (None, ["chip"], "say where they are wanted"),
    ],
)
def test_requests_that_make_no_sense(destinations: list[str] | None, items: list[str] | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SupplyNetwork.from_tables(tables()).compile(destinations, items)


def test_nodes_are_found_by_name_or_refused() -> None:
    compiled = SupplyNetwork.from_tables(tables()).compile(["IND"], ["chip"])
    assert compiled.supply_ids[compiled.node("wafer-d")] == "wafer-d"
    with pytest.raises(UsageError, match="'toy-x' is not part of this network"):
        compiled.node("toy-x")
