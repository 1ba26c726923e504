"""Choke points: exact ranking, ranges, single sources and the law that decides them; refusals by states."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from supplychain.analysis.cascade import cascade
from supplychain.analysis.chokepoints import ChokePoints, area_weights, choke_points
from supplychain.analysis.concentration import concentration, through_tiers
from supplychain.analysis.elements import elements, members, with_unknown
from supplychain.analysis.flow import loss_after
from supplychain.analysis.needs import need_loss, need_weights
from supplychain.analysis.paths import item_paths
from supplychain.analysis.refusals import CONTROLLED, MEASURES, SUPPLY, Refusals, refusals
from supplychain.case import Case
from supplychain.cli import run
from supplychain.errors import UsageError
from supplychain.network import SupplyNetwork, is_firm

pytestmark = pytest.mark.xdist_group("chokepoints")  # one worker finds the choke points that these tests read

STATES = ["USA", "CHN", "JPN", "NLD", "DEU", "KOR", "TWN", "GBR", "FRA", "ZAF", "AUS", "RUS", "MYS"]
PRODUCTS = ["ai-accelerator", "automotive-mcu", "gan-rf-device", "server-cpu", "sic-power-module", "smartphone-soc"]


@pytest.fixture(scope="module")
def india() -> Case:
    return Case.bundled(buyer="IND", products=["ai-accelerator"], on="2026-11-01")


@pytest.fixture(scope="module")
def found(india: Case) -> ChokePoints:
    return choke_points(india, ("jurisdiction", "organisation"), top=6)


@pytest.fixture(scope="module")
def table(found: ChokePoints) -> pd.DataFrame:
    return found.table.set_index("element")


def small() -> SupplyNetwork:
    """Chip <- film or foil (alternatives), scanner; film <- resin. Half of foil nobody knows."""
    items = pd.DataFrame({"item": ["chip", "film", "foil", "resin", "scanner"], "tier": [0.0, 1, 1, 2, 1]})
    supplies = pd.DataFrame(
        [
            ("chip-a", "chip", "TWN", 0.6, "alpha"),
            ("chip-b", "chip", "KOR", 0.4, "beta"),
            ("film-a", "film", "JPN", 0.5, "alpha"),
            ("film-c", "film", "JPN", 0.3, "gamma"),
            ("foil-b", "foil", "KOR", 0.5, "beta"),
            ("resin-o", "resin", "JPN", 0.9, "producers-jpn"),
            ("scan", "scanner", "NLD", 1.0, "delta"),
        ],
        columns=["supply", "item", "site", "share", "organisation"],
    )
    requirements = pd.DataFrame(
        [
            ("chip", "film", "consumable", "carrier"),
            ("chip", "foil", "consumable", "carrier"),
            ("chip", "scanner", "capital", ""),
            ("film", "resin", "consumable", ""),
        ],
        columns=["item", "requires", "role", "alternatives"],
    )
    organisations = pd.DataFrame({"organisation": ["alpha", "beta", "gamma", "delta", "producers-jpn"]})
    organisations["jurisdiction"] = ["USA", "KOR", "JPN", "NLD", "JPN"]
    tables = {"items": items, "supplies": supplies, "requirements": requirements, "organisations": organisations}
    return SupplyNetwork.from_tables(tables)


def test_concentration_is_a_range_where_makers_are_unknown() -> None:
    network = small()
    table = concentration(network, network.compile(["IND"])).set_index(["item", "view"])
    film = table.loc["film", "organisation"]
    assert film["hhi_low"] == pytest.approx(0.5**2 + 0.3**2)
    assert film["hhi_high"] == pytest.approx(0.7**2 + 0.3**2)
    assert (film["effective_low"], film["effective_high"]) == pytest.approx((1 / 0.58, 1 / 0.34))
    assert (film["largest"], film["largest_share"], film["unknown_share"]) == ("alpha", 0.5, pytest.approx(0.2))
    assert table.loc[("film", "site"), "hhi_low"] == pytest.approx(0.64)
    assert table.loc[("film", "jurisdiction"), "largest"] == "USA"  # head office, not site
    # "All producers of Japan" are a place, not a firm: as firms they are unknown.
    resin = table.loc["resin"]
    assert resin.loc["organisation", "hhi_low"] == 0
    assert resin.loc["organisation", "hhi_high"] == pytest.approx(1.0)
    assert resin.loc["site", "hhi_low"] == pytest.approx(0.81)
    assert (table["hhi_low"] <= table["hhi_high"]).all()
    assert table["hhi_high"].between(0, 1).all()


def test_concentration_through_all_tiers_by_hand() -> None:
    # From chip the walk meets film, foil and scanner (a third each), then resin behind film: weights 1/4 each.
    network = small()
    sites = through_tiers(network, network.compile(["IND"]), "chip").set_index("view").loc["site"]
    shares = np.array([0.8 + 0.9, 0.5, 1.0]) / np.array([3, 3, 3])
    assert sites["largest"] == "JPN"
    assert sites["largest_share"] == pytest.approx(shares[0] / (4 / 3))
    assert sites["hhi_low"] == pytest.approx(float(np.sum((shares / (4 / 3)) ** 2)))


def test_paths_know_what_every_way_passes() -> None:
    compiled = small().compile(["IND"])
    table = item_paths(compiled, ["chip"]).rename(index=dict(enumerate(compiled.items)))
    assert not table["dominates"].any()  # three ways lead to the chip
    assert set(table.index[table["in_minimum_cut"]]) in ({"film", "foil", "scanner"}, {"resin", "foil", "scanner"})
    of_film = item_paths(compiled, ["film"]).rename(index=dict(enumerate(compiled.items)))
    assert of_film.index[of_film["dominates"]].tolist() == ["resin"]
    assert table.loc["film", "betweenness"] > 0
    assert table.loc["scanner", "betweenness"] == 0


def test_the_high_end_gives_the_element_what_nobody_is_known_to_make() -> None:
    compiled = small().compile(["IND"]).completed()
    firms = elements(compiled, "organisation")
    assert set(firms.names) == {"alpha", "beta", "gamma", "delta"}
    assert not is_firm("producers-jpn")
    high = with_unknown(compiled, firms, "organisation")
    gamma = firms.names.index("gamma")
    taken = [set(compiled.supply_ids[shocks.own_lost.toarray()[:, gamma] > 0]) for shocks in (firms, high)]
    assert taken == [{"film-c"}, {"film-c", "unattributed:film"}]
    sources = elements(compiled, "source")
    assert "resin@JPN" in sources.names
    parts = members(compiled, sources)[sources.names.index("film@JPN")]
    assert set(compiled.supply_ids[parts.nodes]) == {"film-a", "film-c"}
    for kind in ("jurisdiction", "site", "source", "supply", "organisation", "item"):
        low, top = elements(compiled, kind), with_unknown(compiled, elements(compiled, kind), kind)
        assert (top.own <= low.own).all()
        assert (top.tau <= low.tau).all()


def test_areas_are_unit_months_under_straight_lines() -> None:
    assert area_weights((3, 12, 36)) @ np.ones(3) == pytest.approx(36 - 1.5)
    assert area_weights((12,)) @ [0.5] == pytest.approx(3.0)
    loss = np.array([0.1, 0.4, 0.2])
    months, curve = np.array([0.0, 3, 12, 36]), np.array([0.0, *loss])
    assert area_weights((3, 12, 36)) @ loss == pytest.approx(np.trapezoid(curve, months))


def test_the_first_elements_are_the_first_of_all(india: Case, found: ChokePoints) -> None:
    every = choke_points(india, ("organisation",), top=None, single_sources=False).table
    first = found.table[found.table["kind"] == "organisation"]
    assert first["element"].tolist() == every["element"].head(6).tolist()
    assert first["area_after"].to_numpy() == pytest.approx(every["area_after"].head(6).to_numpy(), abs=1e-7)
    assert len(every) > 40
    # The Netherlands and ASML are the same choke point; all else differs.
    assert (found.spread["elements"], found.spread["distinct"]) == (12, 11)


def test_numbers_are_those_of_the_two_measures(india: Case, table: pd.DataFrame) -> None:
    shocks = elements(india.compiled, "jurisdiction")
    chosen = shocks.take([shocks.names.index(state) for state in ("USA", "JPN")])
    market = india.needs["market"].to_numpy()
    short = cascade(india.compiled, chosen, (3, 12, 36), markets=market).market_loss
    after = loss_after(india, chosen, (3, 12, 36))
    for at, state in enumerate(("USA", "JPN")):
        row = table.loc[state]
        for t, horizon in enumerate((3, 12, 36)):
            assert row[f"short_{horizon}_low"] == pytest.approx(short[0, at, t], abs=1e-9)
            assert row[f"after_{horizon}_low"] == pytest.approx(after.loss[0, at, t], abs=1e-7)
            assert after.bound[0, at, t] <= after.loss[0, at, t] <= short[0, at, t] + 1e-7


def test_ranges_and_words_are_kept_apart(found: ChokePoints) -> None:
    for rows in (found.table, found.singles):
        for horizon in (3, 12, 36):
            low, high = rows[f"after_{horizon}_low"], rows[f"after_{horizon}_high"]
            assert (low <= high + 1e-9).all()
            assert (low <= rows[f"short_{horizon}_low"] + 1e-9).all()
            assert (high <= rows[f"short_{horizon}_high"] + 1e-7).all()
        assert (rows["denied"] <= rows["at_leave"] + 1e-12).all()
        assert (rows["touch"] >= rows["growth"] - 1e-9).all()
        assert rows["w1"].isin(["decides", "may decide", "no"]).all()
        assert (rows.loc[rows["area_after"] > 1e-6, "because"] != "").all()
        assert (rows["sources"] != "").mean() > 0.9
    assert {"kind", "element", "supply", "quality", "source", "share"} <= set(found.evidence)
    assert (found.concentration["hhi_low"] <= found.concentration["hhi_high"] + 1e-12).all()


def test_single_points_of_the_facts_are_named_with_their_law() -> None:
    case = Case.bundled(buyer="IND", products=["ai-accelerator", "gan-rf-device"], on="2026-11-01")
    singles = choke_points(case, ("jurisdiction",), top=1, horizons=(12,)).singles.set_index("element")
    expected = {
        "euv-scanner by asml": ("nld-sme", "NLD"),
        "euv-optics by carl-zeiss-smt": None,
        "euv-drive-laser by trumpf": ("baseline-lists", "EUU"),
        "mask-inspection-actinic by lasertec": ("jpn-sme-2023", "JPN"),
        "gallium-primary@CHN": ("chn-ga-ge-2023", "CHN"),
        "abf-film@JPN": None,
        "photoresist-euv@JPN": ("baseline-lists", "JPN"),
        "photoresist-arf@JPN": None,
    }
    for element, law in expected.items():
        row = singles.loc[element]
        assert row["share"] >= 0.7
        assert row["w1"] == "no"  # each is controlled by its own state, or not at all: not by Wassenaar minus one
        assert (row["regime"], row["imposing"]) == (law or ("", ""))


def test_wassenaar_minus_one_decides_only_once_it_is_in_force() -> None:
    after = Case.bundled(buyer="IND", products=["ai-accelerator"], on="2024-09-10")
    before = after.with_(on="2024-09-01")
    states = [choke_points(case, ("jurisdiction",), 8, (36,), single_sources=False).table for case in (before, after)]
    usa = [rows.set_index("element").loc["USA"] for rows in states]
    assert [row["w1"] for row in usa] == ["no", "decides"]
    assert usa[1]["w1_part"] > 0
    # The arrays are those of the same facts: only the law differs.
    assert usa[0]["area_after"] == pytest.approx(usa[1]["area_after"], abs=1e-9)


def test_needs_of_a_plant_weigh_by_margin_and_feel_their_own_stock() -> None:
    case = Case.bundled(products=["gallium-6n", "photoresist-arf", "euv-scanner", "cmp-slurry"])
    weight = need_weights(case)
    assert weight.sum() == pytest.approx(1.0)
    assert (case.needs["plant"] != "").sum() > 4
    shocks = elements(case.compiled, "item")
    markets = case.needs["market"].to_numpy()
    raw = cascade(case.compiled, shocks, (3, 12), markets=np.unique(markets))
    lost = raw.market_loss[np.searchsorted(raw.markets, markets)]
    felt = need_loss(case.compiled, case.needs["need"].to_numpy(), lost, (3, 12))
    assert (felt <= lost + 1e-12).all()
    assert (felt < lost - 1e-3).any()
    assert (loss_after(case, shocks, (3, 12)).loss <= felt + 1e-7).all()


def test_questions_that_cannot_be_asked_are_refused(india: Case) -> None:
    with pytest.raises(UsageError, match="planet"):
        choke_points(india, ("planet",))
    with pytest.raises(UsageError, match="at least 1"):
        choke_points(india, top=0)
    with pytest.raises(UsageError, match="XXX"):
        refusals(india, ["XXX"])


@pytest.fixture(scope="module")
def refused() -> Refusals:
    return refusals(Case.bundled(buyer="IND", products=PRODUCTS, on="2026-11-01"), STATES, (12,))


def test_refusals_tell_states_and_products_apart(refused: Refusals) -> None:
    assert len(refused.table) == len(MEASURES) * len(STATES) * len(PRODUCTS)
    assert (refused.table["after_resourcing"] <= refused.table["short_run"] + 1e-9).all()
    for measure in MEASURES:
        spread = refused.spread(measure, 12)
        assert spread["saturated"] + spread["equal"] <= 0.25
    assert refused.spread(SUPPLY, 12)["highest"] > 0.9
    # What a state controls is part of its supply or reaches abroad; for what starts at home it cannot take more.
    wide = {measure: refused.matrix(measure, 12) for measure in MEASURES}
    assert (wide[CONTROLLED]["JPN"] <= wide[SUPPLY]["JPN"] + 1e-7).all()
    lost = refused.table[refused.table["after_resourcing"] > 1e-6]
    assert (lost["because"] != "").all()


@pytest.mark.parametrize(
    ("state", "product", "low", "high", "chain"),
    [
        # Nearly all AI accelerators are made at TSMC in Taiwan: no one else can take over 5 nm and CoWoS within a year.
        ("TWN", "ai-accelerator", 0.9, 0.97, "ai-accelerator"),
        # Glass cloth for substrates comes from one Japanese maker.
        ("JPN", "ai-accelerator", 0.5, 0.8, "ai-accelerator <- packaging-cowos <- t-glass"),
        # Stacked memory comes from Korea.
        ("KOR", "ai-accelerator", 0.5, 0.8, "ai-accelerator <- hbm"),
        # Palladium and chromium: chips take a hundredth or less, the rest of the world covers that.
        ("ZAF", "ai-accelerator", 0.0, 0.0, ""),
    ],
)
def test_extremes_have_their_reason(
    refused: Refusals, state: str, product: str, low: float, high: float, chain: str
) -> None:
    rows = refused.table.set_index(["measure", "state", "item"])
    row = rows.loc[(SUPPLY, state, product)]
    assert low <= row["after_resourcing"] <= high
    assert row["because"] == chain


def test_the_command_writes_one_record_with_all_tables(tmp_path: Path) -> None:
    target = tmp_path / "found.json"
    arguments = ["chokepoints", "--buyer", "IND", "--product", "ai-accelerator", "--on", "2026-11-01", "--by", "source"]
    assert run([*arguments, "--top", "3", "--format", "json", "--quiet", "--output", str(target)]) == 0
    answer = json.loads(target.read_text(encoding="utf-8"))
    assert [row["kind"] for row in answer["rows"]] == ["source"] * 3
    assert answer["rows"][0]["element"] == "ai-accelerator@TWN"
    assert {"singles", "evidence", "concentration", "through_tiers", "assumptions", "warnings"} <= set(answer)
    assert run(["chokepoints", "--buyer", "IND", "--by", "planet"]) == 2


def test_the_command_refusals_compares_states(tmp_path: Path) -> None:
    target = tmp_path / "refusals.csv"
    arguments = ["refusals", "--buyer", "IND", "--product", "ai-accelerator", "--state", "NLD", "--state", "JPN"]
    assert (
        run([*arguments, "--horizons", "12,36", "--high", "--format", "csv", "--quiet", "--output", str(target)]) == 0
    )
    table = pd.read_csv(target)
    assert len(table) == 2 * 2 * 2
    assert (table["after_resourcing"] <= table["after_resourcing_high"] + 1e-9).all()
