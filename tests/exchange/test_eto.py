"""The ETO importer: no row lost, sums as in the source, blanks unknown, ids that point into two tables."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import eto_sample
import pytest

from supplychain.case import Case
from supplychain.errors import InputError
from supplychain.exchange.eto import read_eto
from supplychain.exchange.intake import Intake, save
from supplychain.exchange.mapping import bundled, mapping
from supplychain.regimes import RegimeBook


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return eto_sample.write(tmp_path / "eto")


@pytest.fixture(scope="module")
def real(shared: Path) -> Intake:
    if not (shared / "eto").is_dir():
        pytest.skip("the ETO data set is not beside this checkout (../shared/eto)")
    return read_eto(shared / "eto")


def test_sample_is_read_whole(sample: Path, tmp_path: Path) -> None:
    intake = read_eto(sample)
    assert intake.rows_in == eto_sample.ROWS
    assert intake.lost == 0
    package = save(intake, tmp_path / "out")
    supplies = package.tables["supplies"]
    weighs = supplies[supplies["weight"].astype(bool)]
    brushes = weighs[weighs["item"] == "brushes-all"].set_index("organisation")["share"]
    assert brushes.to_dict() == {"pinsel": 0.6, "fude": 0.325, "other": 0.075}  # the level of firms
    assert supplies.loc[supplies["item"] == "paint", "share"].isna().all()  # blank = unknown
    rules = weighs[weighs["item"] == "drawing-rules"]
    assert sorted(zip(rules["site"], rules["share"], strict=True)) == [("", 0.3), ("JPN", 0.71)]  # Europe is no state
    drawing = weighs[weighs["item"] == "drawing"]
    assert set(drawing["quality"]) == {"assumption"}
    assert drawing.set_index("site")["share"].to_dict() == {"NLD": 0.55, "JPN": 0.45}
    items = package.tables["items"].set_index("item")
    assert items.at["brushes-all", "aggregate_of"] == "fine-brushes;wide-brushes"
    assert items.at["fine-brushes", "market_usd"] == 5e8
    assert items["market_usd"].isna()["wide-brushes"]  # a market of more than the item
    assert items.at["drawing-rules", "tier"] == 2
    needs = package.tables["requirements"].set_index("requirement")
    assert needs.at["drawing.needs.brushes-all", "essentiality"] == "essential"
    assert needs.at["drawing.needs.fine-brushes", "essentiality"] == "important"
    assert needs.at["drawing.needs.fine-brushes", "quality"] == "assumption"
    assert needs.at["drawing.needs.drawing-rules", "role"] == "knowledge"  # the mapping says so of N84
    assert "NonCommercial" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    went = package.descriptor["supplychain"]["import"]["went_to"]
    assert sum(entry["rows"] for entry in went) == sum(eto_sample.ROWS.values())


@pytest.mark.parametrize(
    ("table", "old", "new", "code"),
    [
        ("provision", "P10,Brushes (all),N19,60", "P10,Brushes (all),N19,sixty", "number"),
        ("provision", "P10,Brushes (all),N19,60", "P10,Brushes (all),N19,160", "number"),
        ("provision", "Fude,P11,Paint,N31", "Fude,P11,Paint,N77", "reference"),
        ("provision", "Fude,P11,Paint", "Fude,P77,Paint", "reference"),
        ("sequence", "Paint,N31,Drawing,N25", "Paint,N31,Drawing,N77", "reference"),
        ("inputs", "N21,Wide", "N20,Wide", "duplicate-key"),
        ("inputs", "input_id,input_name", "id,input_name", "column-missing"),
    ],
)
def test_faults_are_refused_with_their_place(sample: Path, table: str, old: str, new: str, code: str) -> None:
    path = sample / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_eto(sample)
    assert code in {problem.code for problem in caught.value.problems}
    assert {problem.file for problem in caught.value.problems} <= {f"{name}.csv" for name in eto_sample.TABLES}
    assert all(problem.row for problem in caught.value.problems)


def test_mapping_is_sourced_and_agrees_with_the_bundled_network() -> None:
    package = bundled()
    items = package.tables["items"].set_index("item")
    sources = {"unverified", *package.tables["sources"]["source"]}
    for name, row in mapping("eto").items():
        assert row["match"] in ("", "same", "near", "broader", "narrower"), name
        assert bool(row["item"]) == bool(row["match"]), name
        assert not row["item"] or row["item"] in items.index, name
        assert bool(row["control_codes"]) == bool(row["quality"]) == bool(row["source"]), name
        assert set(filter(None, row["source"].split(";"))) <= sources, name
        if row["match"] == "same":
            assert row["control_codes"] == items.at[row["item"], "control_codes"], name
        if row["source"] == "unverified":
            assert row["quality"] in ("estimate", "assumption"), name


def test_real_data_set_sums_as_its_source(real: Intake, shared: Path) -> None:
    with (shared / "eto" / "provision.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (shared / "eto" / "providers.csv").open(encoding="utf-8", newline="") as file:
        level = {row["provider_id"]: row["provider_type"] for row in csv.DictReader(file)}
    wanted: dict[tuple[str, str], float] = defaultdict(float)
    for row in rows:
        note = f"{row['provided_id']}"
        wanted[note, level[row["provider_id"]]] += float(row["share_provided"] or 0) / 100
    assert real.rows_in["provision.csv"] == len(rows) == 1300
    assert real.lost == 0
    items = real.package.tables["items"]
    key = {
        item: note.split(";")[0].removeprefix("ETO ") for item, note in zip(items["item"], items["note"], strict=True)
    }
    supplies = real.package.tables["supplies"]
    given = supplies[supplies["note"].str.startswith("provision.csv row")]
    assert len(given) == 1300
    assert given["share"].isna().sum() == 246
    kind = (
        given["supply"]
        .str.extract(r"\.(country|firm)(?:\.\d+)?$")[0]
        .map({"country": "country", "firm": "organization"})
    )
    sums = given.assign(key=given["item"].map(key), kind=kind).groupby(["key", "kind"])["share"].sum()
    assert len(sums) == len(wanted)
    for pair, total in wanted.items():
        assert sums[pair] == pytest.approx(total, abs=1e-9), pair


def test_real_data_set_runs_with_regime_tags(real: Intake, tmp_path: Path) -> None:
    package = save(real, tmp_path / "eto")
    supplies = package.tables["supplies"]
    euv = supplies[(supplies["item"] == "euv-lithography-tools") & supplies["weight"].astype(bool)]
    assert euv.groupby("site")["share"].sum().to_dict() == {"NLD": 1.0}
    case = Case.load(network=tmp_path / "eto", buyer="CHN", on="2026-06-01")
    flows = case.flows()
    table = case.determinations.table
    scanners = table[(flows["item"] == "euv-lithography-tools").to_numpy()]
    assert len(scanners)
    assert "NLD" in set(scanners["imposing"])
    assert set(scanners.loc[flows["destination"][scanners.index] == "CHN", "status"]) <= {"licence", "prohibited"}
    assert RegimeBook.load().known_as_of == case.book.known_as_of
    losses = case.exposure((36,)).table
    assert (losses["short_run"] >= losses["after_resourcing"] - 1e-9).all()


@pytest.mark.parametrize(
    ("table", "old", "new", "place"),
    [
        ("inputs", "N31,Paint", "Ｎ31,Paint", ("id", "inputs.csv", 7, "input_id")),
        ("inputs", "N31,Paint", "N\u00a031,Paint", ("id", "inputs.csv", 7, "input_id")),
        ("inputs", "N31,Paint,material_resource", "N31,Paint,matter", ("value", "inputs.csv", 7, "type")),
        ("inputs", "N31,Paint", "N31,\u200b", ("blank", "inputs.csv", 7, "input_name")),
    ],
)
def test_what_is_not_seen_is_no_part_of_an_id_and_no_name(
    sample: Path, table: str, old: str, new: str, place: tuple[str, str, int, str]
) -> None:
    path = sample / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_eto(sample)
    told = {(p.code, p.file, p.row, p.column): p.cure for p in caught.value.problems}
    assert told[place]


def test_an_id_beside_the_name_of_another_is_told(sample: Path) -> None:
    path = sample / "sequence.csv"
    text = path.read_text(encoding="utf-8")
    assert text.count("Paint,N31,Drawing,N25") == 1
    path.write_text(text.replace("Paint,N31,Drawing,N25", "Wide brushes,N31,Drawing,N25"), encoding="utf-8")
    (told,) = [p for p in read_eto(sample).warnings if p.code == "id-name"]
    assert (told.file, told.column, told.value) == ("sequence.csv", "input_id", "N31")
    assert "N21" in told.rule
