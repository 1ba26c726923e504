"""Shares under leave, by hand on a network of three supplies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from supplychain.network import Compiled, SupplyNetwork
from supplychain.report import matrix


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    supplies = pd.DataFrame(
        [("p.jp", "p", "JPN", 0.6), ("p.us", "p", "USA", 0.3), ("g.cn", "g", "CHN", 1.0)],
        columns=["supply", "item", "site", "share"],
    )
    requirements = pd.DataFrame([("p", "g")], columns=["item", "requires"])
    network = SupplyNetwork.from_tables({"supplies": supplies, "requirements": requirements})
    return network.compile(["DEU"], ["p"])


def test_parts_of_an_item_sum_to_one_and_follow_its_buyers(compiled: Compiled) -> None:
    parts = matrix.offer_parts(compiled)
    items = np.asarray(compiled.items, dtype=object)[compiled.market_item[compiled.offer_market]]
    assert pd.Series(parts).groupby(items).sum().to_dict() == pytest.approx({"g": 1, "p": 1})
    # gas goes to the makers of p: Japan 0.6 and the United States 0.3 of the recorded 0.9
    places = np.asarray(compiled.places, dtype=object)[compiled.market_place[compiled.offer_market]]
    gas = {place: part for item, place, part in zip(items, places, parts, strict=True) if item == "g"}
    assert gas["JPN"] / gas["USA"] == pytest.approx(2)


def test_leave_unknown_and_denial_by_hand(compiled: Compiled) -> None:
    places = np.asarray(compiled.places, dtype=object)[compiled.market_place[compiled.offer_market]]
    items = np.asarray(compiled.items, dtype=object)[compiled.market_item[compiled.offer_market]]
    to_us = int(np.flatnonzero((items == "g") & (places == "USA"))[0])
    to_jp = int(np.flatnonzero((items == "g") & (places == "JPN"))[0])
    parts = matrix.offer_parts(compiled)
    applied = pd.DataFrame(
        [
            (to_us, "c1", "CHN", "r1", "licence", "presumption-of-denial", True),
            (to_us, "c2", "CHN", "r2", "licence", "case-by-case", True),  # same flow, same state: counted once
            (to_jp, "c2", "CHN", "r2", "licence", "case-by-case", False),
            (to_jp, "c3", "USA", "r3", "excepted", "", True),  # lifted: no leave is needed
        ],
        columns=["flow", "control", "imposing", "regime", "status", "policy", "certain"],
    )
    table = matrix.by_state(compiled, applied)
    assert table[["item", "imposing"]].to_numpy().tolist() == [["g", "CHN"]]
    row = table.iloc[0]
    assert row["leave"] == pytest.approx(parts[to_us])
    assert row["denied"] == pytest.approx(parts[to_us])
    assert row["unknown"] == pytest.approx(parts[to_jp])
    assert row["controls"] == "c1;c2"
    assert row["regimes"] == "r1;r2"


def test_every_item_is_split_whole_by_status(compiled: Compiled) -> None:
    statuses = ["free", "licence", "indeterminate", "excepted", "prohibited"]
    count = compiled.n_offers
    table = pd.DataFrame(
        {"status": [statuses[k % 5] for k in range(count)], "policy": ["presumption-of-denial"] * count}
    )
    split = matrix.by_item(compiled, table)
    assert (split["leave"] + split["unknown"] + split["excepted"] + split["free"]).tolist() == pytest.approx([1, 1])
    assert (split["denied"] <= split["leave"]).all()
