"""The commands `cutsets`, `leverage` and `esri`: what they print, draw, and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from supplychain.cli import run

TREE = """<opsa-mef><define-fault-tree name="pair"><define-gate name="top"><and><gate name="g"/><event name="c"/></and>
</define-gate><define-gate name="g"><or><event name="a"/><event
name="b"/></or></define-gate></define-fault-tree></opsa-mef>
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / "tree.xml"
    path.write_text(TREE, encoding="utf-8")
    return path


def test_a_fault_tree_is_counted_listed_and_drawn(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cutsets", "--open-psa", str(tree), "--count", "--format", "json"]) == 0
    counted = json.loads(capsys.readouterr().out)
    assert (counted["count"], counted["sizes"], counted["coherent"]) == (2, {"2": 2}, True)
    assert run(["cutsets", "--open-psa", str(tree), "--format", "json", "--limit", "1"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["rows"] == [{"top": "top", "size": 2, "events": ["a", "c"]}]
    assert listed["count"] == 2
    assert run(["cutsets", "--open-psa", str(tree)]) == 0
    assert "a; c" in capsys.readouterr().out
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<svg"), (".html", b"<!doctype html>")):
        picture = tree.with_suffix(suffix)
        assert run(["cutsets", "--open-psa", str(tree), "--count", "--plot", str(picture)]) == 0
        assert picture.read_bytes().startswith(start)
        assert b"http" not in picture.read_bytes().replace(b"http://www.w3.org/", b"")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["cutsets", "--open-psa", "{tree}", "--top", "zzz"], 2, "not a gate"),
        (["cutsets", "--open-psa", "{tree}", "--plot", "x.gif"], 2, ".png"),
        (["cutsets", "--open-psa", "{tree}.missing"], 5, "cannot read"),
        (["cutsets", "--horizon", "soon", "--buyer", "IND"], 2, "growth"),
        (["cutsets", "--below", "1.5", "--buyer", "IND", "--product", "euv-scanner"], 2, "below"),
        (["cutsets", "--cheapest", "--weight", "NLD", "--buyer", "IND", "--product", "euv-scanner"], 2, "ELEMENT=COST"),
        (["leverage", "--states", "Holland"], 2, "alpha-3"),
        (["leverage", "--bloc", "west", "--part", "blocs"], 2, "NAME=ISO3"),
        (["esri", "--links", "{tree}", "--sectors", "{tree}", "--threshold", "big"], 2, "published"),
        (["esri", "--links", "{tree}.missing", "--sectors", "{tree}"], 5, "cannot read"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    tree: Path, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([argument.replace("{tree}", str(tree)) for argument in arguments]) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_cut_sets_of_a_case_and_its_fault_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = ["--buyer", "CHN", "--product", "euv-scanner", "--quiet", "--format", "json"]
    exported = tmp_path / "case.xml"
    assert run(["cutsets", *case, "--below", "0", "--export", str(exported)]) == 0
    states = json.loads(capsys.readouterr().out)
    assert {"top": "cut off", "size": 1, "events": ["NLD"], "names": ["Netherlands"]} in states["rows"]
    assert run(["cutsets", "--open-psa", str(exported), "--format", "json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert [row["events"] for row in again["rows"]] == [row["events"] for row in states["rows"]]
    assert run(["cutsets", *case, "--by", "organisation", "--cheapest", "--weight", "asml=9", "--below", "0"]) == 0
    cheapest = json.loads(capsys.readouterr().out)
    assert cheapest["cost"] == 1
    assert cheapest["events"] != ["asml"]


def test_leverage_with_every_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = ["--buyer", "IND", "--product", "gallium-6n", "--quiet"]
    picture = tmp_path / "power.svg"
    blocs = ["--bloc", "china=CHN", "--bloc", "japan=JPN", "--plot", str(picture)]
    assert run(["leverage", *case, "--format", "json", "--permutations", "100", *blocs]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"][0]["state"] == "CHN"
    assert found["coalitions"][0]["members"] == ["CHN"] or found["coalitions"]
    assert {"defectors", "back-fill", "blocs"} <= found.keys()
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    assert run(["leverage", *case, "--part", "back-fill", "--coalition", "CHN", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("product,destination,state")


def test_esri_of_firms_and_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "links.csv").write_text("supplier,buyer,flow\na,b,1\nb,c,2\n", encoding="utf-8")
    (tmp_path / "sectors.csv").write_text("firm,sector\na,s\nb,t\nc,t\n", encoding="utf-8")
    (tmp_path / "groups.csv").write_text("firm,group\na,north\nb,north\nc,south\n", encoding="utf-8")
    (tmp_path / "classes.csv").write_text("supplier_sector,buyer_sector,class\ns,t,2\nt,t,1\n", encoding="utf-8")
    lists = ["--links", str(tmp_path / "links.csv"), "--sectors", str(tmp_path / "sectors.csv"), "--quiet"]
    output = tmp_path / "esri.csv"
    assert run(["esri", *lists, "--format", "csv", "--output", str(output)]) == 0
    table = pd.read_csv(output)
    assert table.columns.tolist() == ["firm", "esri", "down", "up", "iterations", "own_share", "threshold", "bound"]
    assert table["firm"].tolist() == ["a", "b", "c"]
    assert (table["threshold"] == 0.01).all()
    more = ["--essentiality", str(tmp_path / "classes.csv"), "--replaceability", "sector", "--threshold", "1e-6"]
    picture = tmp_path / "esri.png"
    group = [
        "--group",
        str(tmp_path / "groups.csv"),
        "--format",
        "json",
        "--revenue-sink",
        "1.3",
        "--plot",
        str(picture),
    ]
    assert run(["esri", *lists, *more, *group]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["group"] for row in rows] == ["north", "south"]
    assert picture.stat().st_size > 1000
    assert run(["esri", *lists]) == 0
    assert "0.01" in capsys.readouterr().out
