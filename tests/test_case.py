"""The case: what it is made of, its flows and determinations, and the shocks that law makes of them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from supplychain.case import Case
from supplychain.errors import InputError, UsageError
from supplychain.locate import datasets
from supplychain.network import SupplyNetwork
from supplychain.regimes import RegimeBook


@pytest.fixture(scope="module")
def india() -> Case:
    return Case.bundled(buyer="IND", products=["ai-accelerator"], on="2026-11-01")


def test_bundled_case_is_loaded_and_determined_within_two_seconds() -> None:
    warm = Case.bundled(buyer="IND", on="2024-09-10").determinations
    assert len(warm.table)
    start = time.process_time()
    network = datasets() / "semiconductors"
    case = Case.load(network=network, buyer="IND", on="2025-01-01")
    assert len(case.determinations.table) == case.compiled.n_offers
    if sys.gettrace() is None:  # tracing (coverage) makes it slower
        assert time.process_time() - start < 2.0


def test_a_country_wants_end_products_and_a_buyer_what_its_plants_need() -> None:
    country, named = Case.bundled(buyer="MYS"), Case.bundled()
    assert country.is_country
    assert country.destinations == ("MYS",)
    assert set(country.products) == set(country.network.end_products)
    assert (country.needs["plant"] == "").all()
    assert not named.is_country
    assert named.illustrative
    assert named.warnings[0].endswith("invented for illustration")
    plants = named.network.plants
    assert len(named.needs) == (plants["buyer"] == named.buyer).sum()
    for row in named.needs.itertuples():
        compiled = named.compiled
        assert compiled.items[compiled.market_item[row.market]] == row.item
        assert compiled.places[compiled.market_place[row.market]] == row.destination
        assert compiled.need_market[row.need] == row.market
    both = named.with_(products=["gallium-6n", "ai-accelerator"])
    assert set(both.needs["item"]) <= {"gallium-6n", "ai-accelerator"}


def test_flows_are_the_offers_of_the_network(india: Case) -> None:
    flows, compiled = india.flows(), india.compiled
    assert len(flows) == compiled.n_offers
    row = int(np.flatnonzero((flows["item"] == "euv-scanner") & (flows["origin"] == "NLD"))[0])
    assert flows.loc[row, "item_codes"] == india.network.items.set_index("item").loc["euv-scanner", "control_codes"]
    assert flows.loc[row, "head_office"] == "NLD"
    assert (flows["origin"] == "").sum() > 0  # unknown places stay blank for the law
    supply = india.network.supplies.set_index("supply")
    known = flows[~flows["supply"].str.startswith("unattributed:")]
    assert (known["origin"].astype(str).to_numpy() == supply.loc[known["supply"], "site"].to_numpy()).all()


def test_the_bounds_and_the_parts_of_a_shock_are_nested(india: Case) -> None:
    for bound in ("optimistic", "pessimistic"):
        denied, leave = india.denied_flows(bound), india.leave_flows(bound)
        assert (leave | ~denied).all()
        for state in india.imposing_states:
            assert (leave | ~india.leave_flows(bound, imposing=[state])).all(), state
    assert (india.denied_flows("pessimistic") | ~india.denied_flows("optimistic")).all()
    assert (india.leave_flows("pessimistic") | ~india.leave_flows("optimistic")).all()
    assert india.leave_flows().any()
    states = india.at_leave_by_state()
    regimes = india.at_leave_by_regime()
    assert states.names == india.imposing_states
    # Every flow that surely needs leave needs it of some state, and under some regime.
    for shocks in (states, regimes):
        covered = np.asarray(shocks.flow_lost.sum(axis=1)).ravel() > 0
        assert (covered | ~india.leave_flows()).all()


def test_the_date_decides_what_is_refused() -> None:
    """Gallium from China to the United States was refused from 2024-12-03 until the suspension (MOFCOM 46 of 2024)."""
    refused = {}
    for day in ("2024-11-30", "2025-06-01", "2026-01-15"):
        case = Case.bundled(buyer="USA", products=["gallium-6n"], on=day)
        flows = case.flows()
        chinese = (
            (flows["item"] == "gallium-6n") & (flows["origin"] == "CHN") & (flows["destination"] == "USA")
        ).to_numpy()
        assert chinese.any()
        refused[day] = bool(case.denied_flows()[chinese].all())
        assert case.leave_flows()[chinese].all(), day  # leave was needed on each of these days
    assert refused == {"2024-11-30": False, "2025-06-01": True, "2026-01-15": False}


def test_with_changes_one_part_and_keeps_the_others(india: Case) -> None:
    compiled = india.compiled
    later = india.with_(on="2022-06-01")
    assert later.compiled is compiled
    assert later.products == india.products
    assert (later.on.isoformat(), india.on.isoformat()) == ("2022-06-01", "2026-11-01")
    assert india.with_(buyer="DEU", products=["hbm"]).destinations == ("DEU",)
    longer = india.with_(assumptions={"short_run.stock_days": 99})
    assert longer.assumptions.number("short_run.stock_days") == 99
    with pytest.raises(UsageError, match="no part 'colour'"):
        india.with_(colour="red")


@pytest.mark.parametrize(
    ("buyer", "products", "on", "message"),
    [
        ("ilustrative", None, "2024-09-10", "did you mean 'illustrative'"),
        ("XXX", None, "2024-09-10", "nor a country code"),
        ("IND", ["ai-acelerator"], "2024-09-10", "did you mean 'ai-accelerator'"),
        ("IND", [], "2024-09-10", "at least one product"),
        ("IND", None, "10.9.2024", "not a day"),
    ],
)
def test_questions_that_cannot_be_put(buyer: str, products: list[str] | None, on: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Case.bundled(buyer=buyer, products=products, on=on)


def test_content_reaches_the_law_as_text(tmp_path: Path) -> None:
    tables = {
        "supplies": pd.DataFrame({"supply": ["t"], "item": ["tool"], "site": ["NLD"], "share": [1.0]}),
        "content": pd.DataFrame(
            {
                "supply": ["t", "t", "t"],
                "origin": ["USA", "JPN", "DEU"],
                "share": [0.3, 0.1, np.nan],
                "direct_product": pd.array([True, pd.NA, False], dtype="boolean"),
            }
        ),
    }
    case = Case.make(SupplyNetwork.from_tables(tables), RegimeBook.bundled(), "IND", ["tool"], "2024-09-10")
    flows = case.flows()
    assert flows["content"].tolist() == ["JPN=0.1;USA=0.3"]
    assert flows["direct_product"].tolist() == ["USA"]


def test_tags_of_parties_reach_their_flows_and_no_others(tmp_path: Path) -> None:
    """A confirmed match makes the rules on listed parties apply to what that party buys, while the tag holds."""
    plain = Case.bundled(buyer="CHN", products=["automotive-mcu", "nand"], on="2026-10-01")
    (tmp_path / "organisation_tags.csv").write_text(
        "organisation,tag,from,basis,share,quality,source\n"
        "smic,us-entity-list,2020-12-18,listed,,estimate,none\nymtc,us-listed-50pct,,owned,0.5,estimate,none\n"
    )
    tagged = Case.load(buyer="CHN", products=["automotive-mcu", "nand"], on="2026-10-01", overlays=(tmp_path,))
    flows, compiled = tagged.flows(), tagged.compiled
    party = compiled.market_buyer[compiled.offer_market]
    own = np.array([*compiled.organisations, ""], object)[np.where(party >= 0, compiled.supply_org[party], -1)]
    assert set(own[flows["entity"] == "us-entity-list"]) == {"smic"}
    assert set(own[flows["entity"] == "us-listed-50pct"]) == {"ymtc"}
    assert set(flows["entity"][party < 0]) == {""}
    deciding = tagged.determinations.table["control"].to_numpy(object)
    assert set(own[deciding == "us-744.11-entity-list"]) == {"smic"}
    assert "us-affiliates" not in set(deciding), "the 50 percent rule is stayed on this day"
    revived = tagged.with_(on="2026-11-10").determinations.table["control"].to_numpy(object)
    assert set(own[revived == "us-affiliates"]) == {"ymtc"}
    before = tagged.with_(on="2020-12-17")
    assert not (before.flows()["entity"] == "us-entity-list").any()
    # Markets of their own change no loss by themselves: with tags that hold on no day the case is as before.
    silent = before.with_(on="2026-10-01", book=plain.book)
    assert silent.compiled.n_markets == plain.compiled.n_markets < compiled.n_markets
    assert tagged.denied_flows().sum() > plain.denied_flows().sum()


def test_ownership_below_the_threshold_is_refused(tmp_path: Path) -> None:
    (tmp_path / "organisation_tags.csv").write_text(
        "organisation,tag,from,basis,share,quality,source\n"
        "smic,us-listed-50pct,,owned,0.499,estimate,none\nymtc,no-such-tag,,listed,,estimate,none\n"
    )
    with pytest.raises(InputError) as caught:
        Case.load(buyer="CHN", products=["automotive-mcu"], overlays=(tmp_path,))
    assert {(p.code, p.row) for p in caught.value.problems} == {("threshold", 2), ("tag", 3)}
