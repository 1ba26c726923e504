"""The page of a what-if: its pictures and tables stand for themselves, and no name stands in it once redacted."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from supplychain.cli import run
from supplychain.report.formats import FORMATS
from supplychain.report.language import language
from supplychain.report.manifest import read
from supplychain.report.view import Figure, Sheet
from supplychain.report.whatif_page import document, write_page
from supplychain.report.whatif_told import Told, redacted
from supplychain.whatif.compare import Comparison, compare
from supplychain.whatif.scenario import load_scenario, scenario_from
from tests.report.test_redact import found_in, texts
from tests.whatif import small

SAID = ("Sekret", "sekret-plan", "Secret Sam", "kept quiet", "acme", "shin", "silt", "litho", "fab-a")


@pytest.fixture(scope="module")
def found() -> Comparison:
    outage = {"do": "outage", "organisations": ["shin", "silt"], "months": 9, "recover_months": 3}
    own = {"title": "Sekret of Shin", "question": "Does Secret Sam stop?", "assumes": ["all of it is kept quiet"],
           "action": [outage]}  # fmt: skip
    return compare(small.case(), [scenario_from(own, "sekret-plan"), load_scenario("taiwan-outage")])


def test_every_picture_is_dated_and_every_table_holds_what_is_shown(found: Comparison, tmp_path: Path) -> None:
    told = Told.of(found)
    made = document(told)
    parts = [*made.opening, *(part for section in made.sections for part in section.parts)]
    figures = [part for part in parts if isinstance(part, Figure)]
    assert len(figures) == 3
    for figure in figures:
        assert "Law as of 1\u00a0Nov\u00a02026; unknown facts may add up to" in figure.caption
    assert {part.file if isinstance(part, Sheet) else part.table for part in parts} <= set(told.tables)
    write_page(found, tmp_path / "run")
    table = pd.read_csv(tmp_path / "run" / "tables" / "scenarios.csv", dtype=str, keep_default_na=False)
    (shown,) = [part for part in parts if isinstance(part, Sheet) and part.file == "scenarios"]
    assert [row["does"] for row in shown.rows] == table["actions"].tolist()
    assert [row["assumes"] for row in shown.rows] == table["assumes"].tolist()
    (plants,) = [part for part in parts if isinstance(part, Sheet) and part.file == "plants"]
    assert all("±0.0" not in row["delta_short_words"] or row["delta_after"] != 0 for row in plants.rows)


def test_a_sentence_says_what_changes_beside_the_case_as_it_is(found: Comparison) -> None:
    told = Told.of(found)
    head = told.tables["headline"].set_index(["scenario", "measure", "horizon"])
    speech = language("en")
    for scene, sentence in zip(told.scenes, document(told).sentences, strict=True):
        for name in (scene.name, "baseline"):
            row = head.loc[(name, "at leave", 12.0)]
            assert speech.percent_range(float(row["after"]), float(row["short"]), 1) in sentence["body"]
        margin = float(head.loc[(scene.name, "in force", 12.0), "margin_short"])
        assert ("at risk" in sentence["body"]) == (margin >= 0.5)
        assert "USD\u00a00" not in sentence["body"]


@pytest.mark.parametrize("code", ["en", "zh"])
def test_no_name_stands_in_a_redacted_page(found: Comparison, tmp_path: Path, code: str) -> None:
    wanted = FORMATS if code == "en" else ("html", "md")
    folder, private = tmp_path / "run", tmp_path / "mine.csv"
    write_page(found, folder, language(code), wanted, hide=True, key_file=private)
    key = pd.read_csv(private, dtype=str, keep_default_na=False)
    # The network is called small and the plants p1 and p2, as are a class of the page and tags of XML.
    names = key[~key["kind"].isin(["request", "plant", "network"])]
    names = names.assign(name=names["name"].where(names["name"] != "", names["id"]))
    assert set(names["kind"]) >= {"organisation", "supply", "buyer", "scenario"}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        text = texts(path.name, path.read_bytes())
        assert found_in(text, names) == set(), path
        assert [said for said in SAID if re.search(rf"\b{said}\b", text, re.IGNORECASE)] == [], path
    page = (folder / "whatif.html").read_text(encoding="utf-8")
    assert {"W-001", "B-001", "N-001"} <= set(re.findall(r"[WBN]-\d{3}", page))
    assert not re.search(r">p[12]<", page)
    codes = key.set_index("id")["code"]
    hit = ",".join(sorted([codes["shin"], codes["silt"]]))
    assert f"organisations={hit}" in page
    body = read(folder)
    assert body["scenarios"] == [{"name": "W-001"}, {"name": "taiwan-outage"}]
    assert all(set(entry["files"]) == {"all"} for entry in body["inputs"])


def test_redacting_changes_no_quantity(found: Comparison) -> None:
    told = Told.of(found)
    hidden, _ = redacted(told, found)
    assert set(hidden.tables) == set(told.tables)
    for name, table in told.tables.items():
        assert list(hidden.tables[name].columns) == list(table.columns)
        for column in table.select_dtypes("number"):
            assert sorted(hidden.tables[name][column].dropna()) == sorted(table[column].dropna())


def test_a_scenario_that_brings_in_a_maker_gives_no_name_away(tmp_path: Path) -> None:
    fab = {
        "do": "grow",
        "item": "wafer",
        "state": "IND",
        "organisation": "zeta-newco",
        "add": 0.5,
        "until": "2027-11-01",
    }
    bringing = compare(small.case(), [scenario_from({"title": "x", "action": [fab]}, "newco-plan")])
    write_page(bringing, tmp_path / "run", hide=True)
    key = pd.read_csv(tmp_path / "run.redaction-key.csv", dtype=str, keep_default_na=False)
    assert "zeta-newco" in set(key["id"])
    for path in sorted(path for path in (tmp_path / "run").rglob("*") if path.is_file()):
        assert "newco" not in texts(path.name, path.read_bytes()), path
    assert "organisation=O-00" in (tmp_path / "run" / "tables" / "scenarios.csv").read_text(encoding="utf-8")


def test_the_command_redacts_and_the_key_makes_it_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "sekret-plan.toml"
    mine.write_text('title = "Sekret"\n[[action]]\ndo = "outage"\nsites = ["TWN"]\nmonths = 6\n', encoding="utf-8")
    folder, private = tmp_path / "out", tmp_path / "mine.csv"
    asked = ["whatif", str(mine), "--buyer", "IND", "--product", "quantum-computer", "--page", str(folder)]
    assert run([*asked, "--redact", "--key", str(private)]) == 0
    assert str(private) in capsys.readouterr().err
    body = (folder / "manifest.json").read_text(encoding="utf-8")
    for said in ("sekret", "Sekret", str(tmp_path), "mine.csv", "arguments"):
        assert said not in body
    before = private.read_bytes()
    assert run(["verify", str(folder), "--quiet"]) == 0
    assert "by hash" in capsys.readouterr().out
    assert run(["verify", str(folder), "--key", str(private), "--quiet"]) == 0
    assert "computing it again gives the same bytes" in capsys.readouterr().out
    assert private.read_bytes() == before


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--redact"], "give --page"),
        (["--page", "OUT", "--key", "k.csv"], "give --redact"),
        (["--page", "OUT", "--redact", "--key", "OUT/k.csv"], "inside the run"),
        (["--page", "OUT", "--redact", "--output", "o.csv"], "leave it out"),
    ],
)
def test_slips_are_told_before_anything_is_computed(
    more: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("OUT", str(tmp_path / "out")).replace("o.csv", str(tmp_path / "o.csv")) for word in more]
    assert run(["whatif", "taiwan-outage", *words]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
