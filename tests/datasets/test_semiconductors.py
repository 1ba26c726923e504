"""The bundled semiconductor package: every published fact is in it, and what was added keeps its own rules."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from supplychain.analysis.cascade import cascade
from supplychain.analysis.flow import after_resourcing
from supplychain.analysis.resourcing import Resourcing
from supplychain.assumptions import Assumptions
from supplychain.facts.package import Package, read_package
from supplychain.locate import datasets
from supplychain.network import SupplyNetwork
from supplychain.shocks import refuse_all

UNSURE = {"estimate", "assumption"}
STATES = ["USA", "CHN", "JPN", "NLD", "DEU", "KOR", "TWN", "GBR", "FRA", "ZAF", "AUS", "RUS", "MYS", "IND"]
PRODUCTS = ["ai-accelerator", "smartphone-soc", "dram", "nand", "automotive-mcu", "quantum-computer"]
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def package() -> Package:
    return read_package(datasets() / "semiconductors", strict=True)


@pytest.fixture(scope="module")
def facts(shared: Path) -> dict[str, Rows]:
    folder = shared / "facts" / "supply"
    return {path.stem: _rows(path) for path in sorted(folder.glob("*.csv")) if "usgs" not in path.stem}


def _rows(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _real(source: str) -> bool:
    return bool(set(source.split(";")) - {"", "none", "unverified"})


def _weight(package: Package) -> pd.DataFrame:
    supplies = package.tables["supplies"]
    return supplies[supplies["weight"].fillna(False).astype(bool)]


# What was published is all there


def test_every_item_is_there_with_its_published_figures(package: Package, facts: dict[str, Rows]) -> None:
    items = package.tables["items"].set_index("item")
    for row in facts["equipment_inputs"] + facts["materials_inputs"]:
        item = items.loc[row["input_id"]]
        assert (item["name"], item["tier"], item["category"]) == (row["name"], float(row["tier"]), row["category"])
        assert item["hs6"] == row["hs6"]
    assert len(items) == len(facts["equipment_inputs"]) + len(facts["materials_inputs"]) >= 220


def test_every_share_row_is_there_once(package: Package, facts: dict[str, Rows]) -> None:
    supplies = package.tables["supplies"]
    published = supplies[~supplies["note"].str.startswith("added")]
    printed = [_printed(share, note) for share, note in zip(published["share"], published["note"], strict=True)]
    columns = (published[name] for name in ("year", "basis", "source"))
    kept = Counter(zip(published["item"], printed, *columns, strict=True))
    wanted = Counter(
        (row["input_id"], round(float(row["share"]), 6), float(row["year"]), row["basis"], row["source_ids"])
        for row in facts["equipment_shares"] + facts["materials_shares"]
    )
    assert kept == wanted


def _printed(share: float, note: str) -> float:
    """Return the share as published: rows of a set that adds up to more than 1 were divided, and say by what."""
    found = re.search(r"facts ([0-9.]+), divided by the printed total", note)
    return round(float(found[1]) if found else share, 6)


def test_every_published_need_is_accounted_for(package: Package, facts: dict[str, Rows]) -> None:
    alias: dict[str, set[str]] = {}
    for row in facts["materials_aliases"]:
        alias.setdefault(row["alias_id"], set()).add(row["input_id"])
    alias["ga-metal"] = {"gallium-primary", "gallium-6n"}  # the alias says: 6N for epitaxy and wafers
    table = package.tables["requirements"]
    origin = dict(zip(zip(table["item"], table["requires"], strict=True), table["note"], strict=True))
    steps = package.tables["processes"]
    mapped = {
        (step, requires): (essentiality, [item for item in items.split(";") if item])
        for step, requires, essentiality, items in zip(
            steps["process"], steps["requires"], steps["essentiality"], steps["applies_to"], strict=True
        )
    }
    direct = 0
    for row in facts["equipment_requires"] + facts["materials_requires"]:
        item, requires, essentiality = row["input_id"], row["requires_input_id"], row["essentiality"]
        if item.startswith("process:"):
            kept, users = mapped.pop((item.removeprefix("process:"), requires))
            assert kept == essentiality
            assert all(f"{item} ({essentiality})" in origin[user, requires] for user in users)
            continue
        direct += 1
        resolved = alias.get(requires, {requires})
        assert any(f"facts ({essentiality})" in origin.get((item, target), "") for target in resolved), (item, requires)
    assert not mapped
    assert direct + len(steps) == len(facts["equipment_requires"]) + len(facts["materials_requires"]) >= 813
    assert table["note"].str.match(r"from (facts|process:|added)").all()


def test_operating_figures_sites_events_and_sources_are_there(package: Package, facts: dict[str, Rows]) -> None:
    items = package.tables["items"].set_index("item")
    for row in facts["materials_ops"]:
        for name, column in (
            ("typical_inventory_days", "stock_days"),
            ("qualification_months", "qualification_months"),
            ("new_capacity_months", "new_capacity_months"),
        ):
            assert not row[name] or items.loc[row["input_id"], column] == float(row[name])
    for row in facts["equipment_ops"]:
        lead = row["lead_time_months"]
        assert not lead or items.loc[row["input_id"], "lead_time_months"] == float(lead)
    sites = package.tables["sites"]
    kept = Counter(zip(sites["name"], sites["country"], sites["source"], strict=True))
    assert kept == Counter((row["site"], row["iso3"], row["source_ids"]) for row in facts["equipment_sites"])
    assert list(package.tables["events"]["description"].sort_values()) == sorted(
        row["event"] for row in facts["materials_events"]
    )
    named = {row["source_id"] for row in facts["equipment_sources"] + facts["materials_sources"]}
    assert set(package.tables["sources"]["source"]) == named


# What was written down is honest


def test_every_row_resolves_to_a_source_or_says_it_has_none(package: Package) -> None:
    known = set(package.tables["sources"]["source"]) | {"none", "unverified"}
    for name in ("items", "supplies", "requirements", "processes", "demand", "plants", "content", "sites", "events"):
        table = package.tables[name]
        assert (table["source"] != "").all(), name
        assert set(";".join(table["source"]).split(";")) <= known, name
        if "quality" in table:
            unsourced = ~table["source"].map(_real)
            assert set(table.loc[unsourced, "quality"]) <= UNSURE, name


def test_added_supplies_are_assumptions_and_replace_what_they_were_made_from(package: Package) -> None:
    supplies = package.tables["supplies"]
    added = supplies[supplies["note"].str.startswith("added")]
    assert set(added["quality"]) == {"assumption"}
    assert added["weight"].all()
    made_from = added["note"].str.extract(r"^added, (?:filled|split by site) of ([a-z0-9._-]+):")[0].dropna()
    replaced = supplies.set_index("supply").loc[sorted(set(made_from))]
    assert not replaced["weight"].any()
    pieces = added.loc[made_from.index, "share"].groupby(made_from).sum()
    np.testing.assert_allclose(pieces.sort_index(), replaced["share"].sort_index(), atol=2e-6)


def test_changed_essentiality_says_why(package: Package) -> None:
    table = package.tables["requirements"]
    published = table[table["note"].str.startswith("from facts")]
    assert (published["quality"] == "assumption").any()
    for _, row in published.iterrows():
        printed = re.match(r"from facts \((\w+)\)", row["note"])
        assert printed is not None
        stronger = "process:" in row["note"].split(";")[0]
        if printed[1] != row["essentiality"] and not stronger:
            assert row["quality"] == "assumption", row["requirement"]
            assert row["note"].count(";") >= 2, row["requirement"]


# What the network rests on


def test_each_item_has_one_weight_set_that_sums_to_at_most_one(package: Package) -> None:
    weight = _weight(package)
    assert (weight.groupby("item")["share"].sum() <= 1 + 1e-9).all()
    assert (weight.groupby("item")["basis"].nunique() == 1).all()
    published = weight[~weight["note"].str.startswith("added")]
    years = published[~published["note"].str.contains("stage")].groupby("item")["year"].nunique()
    assert (years == 1).all()
    supplies = package.tables["supplies"]
    assert set(supplies["item"]) == set(weight["item"])


def test_items_without_any_supply_are_those_the_card_names(package: Package) -> None:
    without = set(package.tables["items"]["item"]) - set(_weight(package)["item"])
    card = " ".join((datasets() / "semiconductors" / "README.md").read_text(encoding="utf-8").split())
    named = re.search(r"wholly unattributed: (.*?)\. \*\*Control", card)
    assert named is not None
    assert without == set(re.findall(r"[a-z0-9-]+", named[1])) & set(package.tables["items"]["item"])
    needed = package.tables["requirements"]
    assert not (set(needed.loc[needed["essentiality"] == "essential", "requires"]) & without)


def test_the_card_counts_right(package: Package) -> None:
    card = (datasets() / "semiconductors" / "README.md").read_text(encoding="utf-8")
    counts = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", card, flags=re.MULTILINE))
    assert counts == {name: str(len(table)) for name, table in package.tables.items() if len(table)}
    added = package.tables["supplies"]["note"].str.startswith("added").sum()
    assert f"{added} supply rows are ours" in card


def test_use_shares_sum_to_at_most_one(package: Package) -> None:
    table = package.tables["requirements"]
    assert table["use_share"].notna().all()
    assert (table.groupby("requires")["use_share"].sum() <= 1 + 1e-6).all()
    counted = table[table["essentiality"] != "minor"]
    assert (counted["use_share"] > 0).all()


def test_roles_have_the_life_that_belongs_to_them(package: Package) -> None:
    table = package.tables["requirements"]
    lasting = table["role"] != "consumable"
    assert table.loc[lasting, "lifetime_years"].between(1, 15).all()
    assert table.loc[~lasting, "lifetime_years"].isna().all()
    category = table["requires"].map(package.tables["items"].set_index("item")["category"])
    assert set(table.loc[category.isin(["software", "technology"]), "role"]) == {"knowledge"}
    assert set(table.loc[category.isin(["lithography", "process", "metrology"]), "role"]) == {"capital"}
    assert set(table.loc[category.isin(["resist", "gas", "mineral"]), "role"]) == {"consumable"}


def test_mixes_have_weights_that_sum_to_one(package: Package) -> None:
    table = package.tables["requirements"]
    mixed = table[table["alternatives"] != ""]
    assert np.allclose(mixed.groupby("alternatives")["coefficient"].sum(), 1.0)
    assert (mixed.groupby("alternatives")["item"].nunique() == 1).all()
    assert (mixed.groupby("alternatives")["requires"].nunique() >= 2).all()


def test_operating_figures_are_filled_for_every_item(package: Package) -> None:
    items = package.tables["items"]
    for column in ("stock_days", "qualification_months", "new_capacity_months", "spare_capacity", "lead_time_months"):
        assert items[column].notna().all(), column


def test_aggregates_are_not_counted_beside_their_parts(package: Package) -> None:
    table = package.tables["requirements"]
    table = table[table["essentiality"] != "minor"]
    needs = table.groupby("item")["requires"].agg(set)
    items = package.tables["items"]
    assert items["aggregate_of"].any()
    for whole, parts in zip(items["item"], items["aggregate_of"], strict=True):
        for part in filter(None, parts.split(";")):
            assert not [user for user, needed in needs.items() if {whole, part} <= needed], (whole, part)


def test_old_nodes_do_not_hang_on_the_newest_tools(package: Package) -> None:
    newest = {"euv-scanner", "photoresist-euv", "mask-blank-euv", "eda-gaafet", "mask-inspection-actinic"}
    for fab in ("fab-logic-mature", "fab-logic-10-28nm", "fab-nand", "fab-sic", "fab-gan"):
        assert not (_without_fail(package, fab) & newest), fab
    assert {"euv-optics", "euv-drive-laser", "photoresist-euv"} <= _without_fail(package, "fab-logic-5-7nm")
    assert "sic-substrate" not in _without_fail(package, "fab-logic-mature")


def _without_fail(package: Package, item: str) -> set[str]:
    """Return all that an item cannot do without, through all tiers."""
    table = package.tables["requirements"]
    table = table[(table["essentiality"] == "essential") & (table["alternatives"] == "")]
    needs = table.groupby("item")["requires"].agg(list).to_dict()
    reached, ahead = set(), [item]
    while ahead:
        new = [needed for needed in needs.get(ahead.pop(), []) if needed not in reached]
        reached.update(new)
        ahead += new
    return reached


def test_single_makers_of_the_facts_are_single(package: Package) -> None:
    weight = _weight(package)
    for item, maker, site in (
        ("euv-scanner", "asml", "NLD"),
        ("euv-optics", "carl-zeiss-smt", "DEU"),
        ("euv-drive-laser", "trumpf", "DEU"),
        ("mask-inspection-actinic", "lasertec", "JPN"),
    ):
        rows = weight[weight["item"] == item]
        assert list(zip(rows["organisation"], rows["site"], rows["share"], strict=True)) == [(maker, site, 1.0)]


def test_codes_of_known_items(package: Package) -> None:
    codes = package.tables["items"].set_index("item")["control_codes"]
    assert codes["euv-scanner"] == "US:3B001.f.1"
    assert codes["gallium-6n"] == codes["gallium-primary"] == "CN:3C001.ga-metal"
    assert codes["gaafet-process-technology"] == "US:3E905"
    assert codes["bauxite"] == "none"
    assert codes["calcium-fluoride"] == ""
    assert not codes[[item for item in codes.index if item.startswith("fab-")]].str.contains("3E").any()


def test_the_buyer_is_illustrative_and_has_five_plants(package: Package) -> None:
    plants = package.tables["plants"]
    assert set(plants["buyer"]) == {"illustrative"} == set(package.descriptor["supplychain"]["illustrative"])
    assert plants["illustrative"].all()
    assert set(plants["quality"]) == {"assumption"}
    assert set(plants["site"]) == {"DEU", "SGP", "MYS", "IND", "CHN"}
    assert plants.groupby("plant").size().between(15, 30).all()
    assert (plants["demand"] > 0).all()


def test_demand_covers_every_end_product_and_every_state_asked_about(package: Package) -> None:
    items, demand = package.tables["items"], package.tables["demand"]
    assert set(demand["item"]) == set(items.loc[items["tier"] == 0, "item"])
    total = demand.groupby("item")["share"].sum()
    assert ((total > 0.9) & (total <= 1 + 1e-9)).all()
    assert all(set(STATES) <= set(rows) for _, rows in demand.groupby("item")["destination"])


# What follows from it


def test_refusals_of_all_supply_tell_states_and_products_apart(package: Package) -> None:
    network = SupplyNetwork.from_package(package)
    compiled = network.compile(["IND"], PRODUCTS).completed()
    states = STATES[:-1]
    shocks = refuse_all(compiled, [state for state in states if state in compiled.places])
    markets = [compiled.market(product, "IND") for product in PRODUCTS]
    result = cascade(compiled, shocks, horizons=(12,))
    short = result.market_loss[np.searchsorted(result.markets, markets)]
    resourcing = Resourcing.from_network(network, Assumptions.load().settings["resourcing"])
    after = after_resourcing(compiled, shocks, markets, resourcing, (12,), short_run=short).loss
    assert (after <= short + 1e-9).all()
    loss = pd.DataFrame(after[:, :, 0], PRODUCTS, shocks.names)
    values = loss.to_numpy()
    lost = np.round(values[values > 1e-6], 4)
    _, times = np.unique(lost, return_counts=True)
    assert len(lost) > 30
    assert ((lost > 0.95).sum() + times[times > 1].sum()) / len(lost) < 0.25
    assert loss.loc["ai-accelerator"].idxmax() == "TWN"
    assert loss.loc["quantum-computer"].idxmax() == "USA"
    assert loss.loc["dram"].idxmax() == "KOR"
    assert loss.loc["nand"].idxmax() == "JPN"
    assert loss.loc["ai-accelerator", "NLD"] > loss.loc["dram", "NLD"] > loss.loc["nand", "NLD"]  # layers with EUV
    assert (
        loss.loc["ai-accelerator", "CHN"] < short[0, list(shocks.names).index("CHN"), 0] / 3
    )  # tungsten can be outbid
