"""Refusals by coalitions, fault trees of cases, leverage: held to the cascade, to plain loops and to brute force."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from networks import random_tables

from supplychain.analysis.blocs import back_fill, two_sided
from supplychain.analysis.cascade import cascade
from supplychain.analysis.cutsets import minimal_cut_sets
from supplychain.analysis.faulttree import TOP, fault_tree
from supplychain.analysis.leverage import banzhaf, defectors, leverage, minimal_coalitions, owen, shapley
from supplychain.analysis.openpsa import open_psa, read_open_psa
from supplychain.analysis.refusal import (
    ItemGame,
    OfferGame,
    control_game,
    pooled,
    state_game,
    target,
)
from supplychain.assumptions import Assumptions
from supplychain.case import Case
from supplychain.errors import UsageError
from supplychain.network import ESSENTIAL, Compiled, SupplyNetwork
from supplychain.regimes import RegimeBook
from supplychain.shocks import flows_lost

STATES = ["JPN", "NLD", "USA"]
REAL = {"AAA": "USA", "BBB": "JPN", "CCC": "NLD", "": ""}
BOOK = RegimeBook.bundled()
ASSUMPTIONS = Assumptions.load()


def random_case(seed: int, *, all_known: bool = False, lanes: bool = False) -> Case:
    """A random network (cycles, alternatives, stocks) sold to India; `all_known` leaves nothing unattributed."""
    tables = random_tables(seed, lanes)
    supplies = tables["supplies"].replace({"site": REAL})
    if all_known:
        supplies["site"] = supplies["site"].replace({"": "NLD"})
        left = 1 - supplies.groupby("item")["share"].sum().reindex(tables["items"]["item"]).fillna(0.0)
        rest = [(f"{item}-rest", item, "USA", share, "o9") for item, share in left.items() if share > 1e-9]
        supplies = pd.concat([supplies, pd.DataFrame(rest, columns=supplies.columns)], ignore_index=True)
        # Without loops: one can drain to nothing by halves, which no gate sees.
        needs = tables["requirements"]
        needs = needs[needs["requires"] > needs["item"]]
        tables["requirements"] = needs.assign(essentiality=needs["essentiality"].replace("important", "essential"))
    network = SupplyNetwork.from_tables({**tables, "supplies": supplies})
    return Case.make(network, BOOK, "IND", ["i0"], assumptions=ASSUMPTIONS)


def refused_flows(compiled: Compiled, states: Sequence[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The offers that a coalition withholds: from its sites to known places outside it."""
    inside = np.isin(np.array(compiled.places, object), list(states))
    origin, goal = compiled.supply_place[compiled.offer_supply], compiled.market_place[compiled.offer_market]
    return np.asarray(inside[origin] & ~inside[goal] & (goal != len(compiled.places) - 1))


def every(n: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(bool)


@pytest.mark.parametrize("horizon", [2.0, 12.0, math.inf])
def test_both_games_are_the_cascade(horizon: float) -> None:
    compared = 0
    for seed in range(12):
        case = random_case(seed)
        k = case.compiled
        players = [state for state in STATES if state in k.places]
        masks = [
            refused_flows(k, [p for p, inside in zip(players, row, strict=True) if inside])
            for row in every(len(players))
        ]
        result = cascade(
            k, flows_lost(k, [str(i) for i in range(len(masks))], masks), [horizon], markets=target(case).market
        )
        expected = result.market_loss[0, :, 0]
        by_item = ItemGame(k, players, target(case), horizon)(every(len(players)))
        assert np.abs(by_item - expected).max() <= 1e-9
        single = OfferGame(k, [str(i) for i in range(len(masks))], np.array(masks).T, target(case), horizon)
        assert np.abs(single(np.eye(len(masks), dtype=bool)) - expected).max() <= 1e-9
        compared += len(masks)
    assert compared > 40


def test_games_on_lanes_are_the_cascade_too() -> None:
    found = 0
    for seed in range(12):
        case = random_case(seed, lanes=True)
        k = case.compiled
        if pooled(k):
            continue
        found += 1
        masks = [refused_flows(k, [state]) for state in STATES if state in k.places]
        game = OfferGame(k, STATES[: len(masks)], np.array(masks).T, target(case), 12.0)
        union = np.array(masks).any(axis=0) if masks else np.zeros(k.n_offers, dtype=bool)
        expected = cascade(k, flows_lost(k, ["all"], [union]), [12.0], markets=target(case).market).market_loss[0, 0, 0]
        assert game(np.ones((1, len(masks)), dtype=bool))[0] == pytest.approx(expected, abs=1e-9)
        with pytest.raises(UsageError, match="lanes"):
            state_game(case, 12.0)
    assert found > 3


@pytest.mark.parametrize("horizon", [6.0, 60.0, math.inf])
def test_cut_sets_at_nothing_left_are_the_coalitions_of_total_loss(horizon: float) -> None:
    """The Boolean fault tree and the real-valued cascade meet where everything is lost."""
    several = 0
    for seed in range(25):
        case = random_case(seed, all_known=True)
        game = state_game(case, horizon)
        by_loss = minimal_coalitions(game, game.players, 1.0)
        built = fault_tree(case, "state", below=0.0, horizon=horizon)
        sets = list(minimal_cut_sets(built.tree.gates, TOP).sets())
        assert sets == [tuple(sorted(members)) for members in by_loss.found], seed
        several += len(sets) > 1
    assert several > 1


def plain_lost(case: Case, by: str, below: float, horizon: float, chosen: set[str], lose_unknown: bool) -> bool:
    """Is the buyer cut off? Losses spread, tier by tier, until no further market is lost."""
    k = case.compiled
    least = Fraction(1) - Fraction(str(below))
    lost_markets: set[int] = set()
    gone: set[str] = set()

    def bites(need: int) -> bool:
        if k.need_role[need] == 0:
            return bool(k.need_stock_days[need] / 30.4375 < horizon)
        return math.isinf(horizon) or min(horizon / k.need_life_months[need], 1.0) >= float(least) - 1e-12

    def lacks_input(node: int) -> bool:
        groups: dict[int, Fraction] = {}
        whole: dict[int, Fraction] = {}
        for need in range(k.need_start[node], k.need_start[node + 1]):
            item = k.market_item[k.need_market[need]]
            if k.need_essential[need] == ESSENTIAL:
                key = int(k.need_group[need]) if k.need_group[need] >= 0 else -1 - need
                weight = Fraction(str(round(float(k.need_weight[need]), 9))) if key >= 0 else Fraction(1)
                whole[key] = whole.get(key, Fraction(0)) + weight
                if bites(need) and item in lost_markets:
                    groups[key] = groups.get(key, Fraction(0)) + weight
        return any(weight >= least * whole[key] for key, weight in groups.items())

    while True:
        before = len(lost_markets)
        for item in set(k.market_item.tolist()) - lost_markets:
            market = int(np.flatnonzero(k.market_item == item)[0])
            total = lost = Fraction(0)
            for offer in range(k.offer_start[market], k.offer_start[market + 1]):
                node = int(k.offer_supply[offer])
                weight = Fraction(str(round(float(k.offer_weight[offer]), 9)))
                total += weight
                place = k.places[k.supply_place[node]]
                maker = k.organisations[k.supply_org[node]] if k.supply_org[node] >= 0 else ""
                name = {"state": place, "site": place, "organisation": maker, "supply": str(k.supply_ids[node])}[by]
                known = k.supply_kind[node] == 0 and (name not in ("", "???")) and (by != "supply" or maker != "")
                if not known and lose_unknown:
                    lost += weight * bool(chosen)
                elif not known and by == "state":
                    continue
                elif (known and name in chosen and not (by == "state" and place in case.destinations)) or lacks_input(
                    node
                ):
                    lost += weight
            if lost >= least * total:
                lost_markets.add(item)
        if len(lost_markets) == before:
            break
    gone |= {k.items[item] for item in lost_markets}
    return set(case.products) <= gone


@pytest.mark.parametrize("by", ["state", "organisation", "site", "supply"])
@pytest.mark.parametrize("unknown", ["kept", "lost"])
def test_cut_sets_below_any_threshold_agree_with_plain_loops(by: Any, unknown: Any) -> None:
    random = np.random.default_rng(5)
    for seed in range(9):
        case = random_case(seed)
        below = float(random.choice([0.0, 0.2, 0.45]))
        horizon = float(random.choice([3.0, 24.0, math.inf]))
        built = fault_tree(case, by, below=below, horizon=horizon, unknown=unknown)
        found = set(minimal_cut_sets(built.tree.gates, TOP).sets())
        expected: set[tuple[str, ...]] = set()
        for size in range(4):
            for chosen in combinations(built.events, size):
                if any(set(known) <= set(chosen) for known in expected):
                    continue
                if plain_lost(case, by, below, horizon, set(chosen), unknown == "lost"):
                    expected.add(chosen)
        assert {members for members in found if len(members) < 4} == expected, (seed, below, horizon)


@pytest.fixture(scope="module")
def euv() -> Case:
    return Case.bundled(buyer="CHN", products=["euv-scanner"])


def test_who_can_cut_china_off_from_euv(euv: Case) -> None:
    """One maker in one state, with one source of lasers and of optics each."""
    sets = list(minimal_cut_sets(fault_tree(euv, "state", below=0.0).tree.gates, TOP).sets())
    assert ("NLD",) in sets
    firms = list(minimal_cut_sets(fault_tree(euv, "organisation", below=0.0).tree.gates, TOP).sets())
    assert ("asml",) in firms
    assert ("carl-zeiss-smt",) in firms
    game = state_game(euv, 36.0)
    losses = dict(zip(game.players, game(np.eye(len(game.players), dtype=bool)), strict=True))
    for chosen in sets:
        if len(chosen) == 1:
            assert losses[chosen[0]] == pytest.approx(1.0)


def test_the_fault_tree_of_a_case_reads_back_from_open_psa(euv: Case, tmp_path: Any) -> None:
    built = fault_tree(euv, "state", below=0.25)
    path = tmp_path / "tree.xml"
    path.write_text(open_psa(built.tree, built.labels), encoding="utf-8")
    again = read_open_psa(path)
    assert again.tops == (TOP,)
    assert set(minimal_cut_sets(again.gates, TOP).sets()) == set(minimal_cut_sets(built.tree.gates, TOP).sets())


CAPABILITIES = {
    "advanced logic": ["fab-logic-3nm-gaa", "fab-logic-5-7nm"],
    "EUV": ["euv-scanner"],
    "etch": ["etch-tool-conductor", "etch-tool-dielectric"],
    "gallium": ["gallium-primary", "gallium-6n"],
    "mature chips": ["automotive-mcu"],
}


@pytest.mark.parametrize("buyer", ["CHN", "IND", "DEU"])
@pytest.mark.parametrize("capability", list(CAPABILITIES))
def test_minimal_coalitions_of_the_bundled_case_agree_with_brute_force(buyer: str, capability: str) -> None:
    """All coalitions of twelve states, tried one by one; the defector test of each that is found; and the fault
    tree.
    """
    case = Case.bundled(buyer=buyer, products=CAPABILITIES[capability])
    strong = [
        s for s in ["AUS", "CHE", "CHN", "DEU", "GBR", "JPN", "KOR", "MYS", "NLD", "RUS", "TWN", "USA"] if s != buyer
    ]
    game = state_game(case, 36.0)
    players = [state for state in strong if state in game.relevant]
    few = game.among(players)
    worth = few(every(len(players)))
    mask = [sum(1 << i for i in range(len(players)) if row[i]) for row in every(len(players))]
    enough = [m for m in mask if worth[m] >= 0.9 - 1e-9]
    brute = [m for m in enough if not any(other != m and other & m == other for other in enough)]
    found = minimal_coalitions(few, players, 0.9)
    assert {frozenset(c) for c in found.found} == {
        frozenset(p for i, p in enumerate(players) if m >> i & 1) for m in brute
    }
    by_size = minimal_coalitions(few, players, 0.9, max_size=4)
    assert set(by_size.found) == {tuple(sorted(c)) for c in found.found if len(c) <= 4}
    test = defectors(few, players, found.found, 0.9)
    assert test["voids"].all()
    tree = fault_tree(case, "state", below=0.1)
    gate_sets = {c for c in minimal_cut_sets(tree.tree.gates, TOP).sets() if set(c) <= set(players)}
    for chosen in gate_sets:
        assert few(np.array([[p in chosen for p in players]]))[0] > 0
    if capability == "gallium" and buyer != "CHN":
        assert any(c == ("CHN",) for c in gate_sets)


def test_leverage_of_a_case(euv: Case) -> None:
    few = ["DEU", "JPN", "KOR", "NLD", "TWN", "USA"]
    exact = leverage(euv, players=[s for s in few if s in state_game(euv, 36.0).players], coalition=["NLD", "TWN"])
    assert exact.exact
    table = exact.table.set_index("state")
    assert table["shapley"].sum() == pytest.approx(exact.total, abs=1e-12)
    assert (table["low"] == table["shapley"]).all()
    game = state_game(euv, 36.0).among(sorted(table.index))
    assert np.allclose(table["shapley"].sort_index(), shapley(lambda rows: game(rows), len(table)), atol=1e-12)
    assert np.allclose(table["banzhaf"].sort_index(), banzhaf(lambda rows: game(rows), len(table)), atol=1e-12)
    unions = ["EU" if state in ("DEU", "NLD") else state for state in sorted(table.index)]
    assert np.allclose(table["owen"].sort_index(), owen(lambda rows: game(rows), unions), atol=1e-12)
    assert table.loc["NLD", "bloc"] == "EU"
    test = exact.defectors.set_index("member")
    assert test.loc["NLD", "voids"]
    assert not test.loc["TWN", "voids"]
    everyone = leverage(euv, permutations=300, max_size=1)
    assert not everyone.exact
    assert everyone.complete_to == 1
    assert everyone.table["shapley"].sum() == pytest.approx(everyone.total, abs=1e-9)
    assert (everyone.table["low"] <= everyone.table["shapley"]).all()
    again = leverage(euv, permutations=300, max_size=1)
    assert again.table.equals(everyone.table)
    strongest = leverage(euv, top=3)
    assert strongest.exact
    assert len(strongest.table) == 3


def test_leverage_by_what_states_control(euv: Case) -> None:
    found = leverage(euv, measure="controlled")
    assert found.exact
    assert found.table.iloc[0]["shapley"] > 0.2
    game = control_game(euv, 36.0)
    k = euv.compiled
    for i, state in enumerate(game.players):
        shock = euv.at_leave_by_state([state])
        expected = cascade(k, shock, [36.0], markets=target(euv).market).market_loss[0, 0, 0]
        assert game(np.eye(len(game.players), dtype=bool)[i : i + 1])[0] == pytest.approx(expected, abs=1e-9)


def test_blocs_hold_one_another(euv: Case) -> None:
    case = euv.with_(products=["euv-scanner", "gallium-6n"])
    table = two_sided(case, {"allies": ["JPN", "NLD", "USA"], "china": ["CHN"]}).set_index(["product", "holder"])
    assert table.loc[("euv-scanner", "allies"), "all_supply"] == pytest.approx(1.0)
    assert table.loc[("gallium-6n", "china"), "all_supply"] > 0.5
    assert (table["controlled"] <= table["controlled_high"] + 1e-9).all()
    quick = two_sided(case, {"allies": ["JPN", "NLD", "USA"], "china": ["CHN"]}, controls=False)
    assert "controlled" not in quick
    assert quick["all_supply"].tolist() == table.reset_index()["all_supply"].tolist()
    with pytest.raises(UsageError, match="two blocs"):
        two_sided(case, {"a": ["USA"], "b": ["USA"]})


def test_back_fill_shares_out_what_is_refused() -> None:
    case = Case.bundled(buyer="DEU", products=["gallium-6n", "euv-scanner"])
    table = back_fill(case, ["CHN", "NLD"])
    supplies = case.network.supplies
    gallium = table[table["product"] == "gallium-6n"]
    refused = supplies[(supplies["item"] == "gallium-6n") & (supplies["site"] == "CHN")]["share"].sum()
    assert gallium["gains"].sum() == pytest.approx(refused, abs=1e-6)
    assert (gallium["state"] != "CHN").all()
    nobody = table[table["product"] == "euv-scanner"]
    assert nobody["state"].tolist() == [""]
    assert nobody["gains"].tolist() == [pytest.approx(1.0)]


def test_a_buyer_can_need_all_of_its_products_or_any(euv: Case) -> None:
    both = euv.with_(products=["euv-scanner", "gallium-6n"])
    single = [euv, euv.with_(products=["gallium-6n"])]
    sets = {
        need: set(minimal_cut_sets(fault_tree(both, "site", below=0.2, need=need).tree.gates, TOP, max_size=2).sets())
        for need in ("all", "any")
    }
    each = [set(minimal_cut_sets(fault_tree(c, "site", below=0.2).tree.gates, TOP, max_size=2).sets()) for c in single]
    union = each[0] | each[1]
    assert sets["all"]
    assert union
    assert sets["any"] == {c for c in union if not any(set(other) < set(c) for other in union)}
    assert all(any(set(part) <= set(c) for part in one) for c in sets["all"] for one in each)


def test_questions_that_cannot_be_put_are_refused(euv: Case) -> None:
    for call in (
        lambda: fault_tree(euv, below=1.0),
        lambda: fault_tree(euv, horizon=0.0),
        lambda: leverage(euv, cut=0.0),
        lambda: leverage(euv, horizon=-1.0),
        lambda: leverage(euv, players=["ATA"]),
        lambda: leverage(euv, measure="controlled", players=["ATA"]),
    ):
        with pytest.raises(UsageError):
            call()
