"""Coalitions on the data set of the Emerging Technology Observatory, read beside the checkout and never copied."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from supplychain.analysis.cutsets import minimal_cut_sets
from supplychain.analysis.faulttree import TOP, fault_tree
from supplychain.analysis.leverage import defectors, minimal_coalitions, shapley
from supplychain.analysis.refusal import state_game
from supplychain.case import Case
from supplychain.exchange.eto import read_eto
from supplychain.network import SupplyNetwork
from supplychain.regimes import RegimeBook

PRODUCTS = [
    "euv-lithography-tools",
    "conductor-etching-tools",
    "dry-etch-tools",
    "etch-and-clean",
    "finished-logic-chip",
]


@pytest.fixture(scope="module")
def network(shared: Path) -> SupplyNetwork:
    return SupplyNetwork.from_package(read_eto(shared / "eto").package)


@pytest.mark.parametrize("buyer", ["CHN", "IND", "DEU"])
@pytest.mark.parametrize(
    "product",
    ["euv-lithography-tools", "conductor-etching-tools", "dry-etch-tools", "etch-and-clean", "finished-logic-chip"],
)
def test_minimal_coalitions_agree_with_brute_force(network: SupplyNetwork, product: str, buyer: str) -> None:
    case = Case.make(network, RegimeBook.bundled(), buyer, [product])
    whole = state_game(case, math.inf)
    players = whole.relevant[:14]
    game = whole.among(players)
    n = len(players)
    rows = (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(bool)
    worth = game(rows)
    cut = 0.8
    enough = [m for m in range(1 << n) if worth[m] >= cut - 1e-9]
    kept: list[int] = []
    for m in sorted(enough, key=int.bit_count):
        if not any(known & m == known for known in kept):
            kept.append(m)
    found = minimal_coalitions(game, players, cut)
    assert {frozenset(c) for c in found.found} == {
        frozenset(p for i, p in enumerate(players) if m >> i & 1) for m in kept
    }
    assert defectors(game, players, found.found, cut)["voids"].all()
    assert shapley(game, n).sum() == pytest.approx(worth[-1], abs=1e-12)
    total = minimal_coalitions(game, players, 1.0)
    tree = fault_tree(case, "state", below=0.0, horizon=math.inf)
    gates = {c for c in minimal_cut_sets(tree.tree.gates, TOP).sets() if set(c) <= set(players)}
    assert gates <= {tuple(sorted(c)) for c in total.found}
    if product == "euv-lithography-tools":
        assert gates == {("NLD",)} == {tuple(sorted(c)) for c in found.found}
