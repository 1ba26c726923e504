"""Every command that writes leaves a manifest, and `verify` computes any of them again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from supplychain.cli import run
from supplychain.report import manifest

TEMPLATE = Path(__file__).parents[2] / "datasets" / "template"
SCENARIO = 'title = "Stock"\n[[action]]\ndo = "stock"\nitems = ["my-chip"]\ndays = 20\n'
LIST = '{"id": "x", "schema": "Company", "properties": {"name": ["Example"], "topics": ["sanction"]}}\n'
TRADE = "t,i,j,k,v,q\n2022,490,276,010121,100.5,3\n2022,276,757,854231,2000,5\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a network of one's own, a scenario, a screening list and a file of trade."""
    shutil.copytree(TEMPLATE, tmp_path / "net")
    (tmp_path / "one.toml").write_text(SCENARIO)
    (tmp_path / "list.jsonl").write_text(LIST)
    (tmp_path / "BACI_HS17_Y2022.csv").write_text(TRADE)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMANDS = {
    "exposure --network net --format json --output folder": "folder",
    "source --network net --format csv --output s.csv": "s.csv",
    "cutsets --network net --plot c.svg --export t.xml --output c.json --format json": "c.svg",
    "whatif one.toml --network net --page w --output w.json --format json": "w",
    "sweep one.toml --network net --samples 2 --workers 1 --output sw": "sw",
    "match list.jsonl --network net --output m.csv --format csv": "m.csv",
    "import baci BACI_HS17_Y2022.csv f": "f",
    "export package p --network net": "p",
    "merge net m --onto net --output m.json --format json": "m.json",
    "check net --fix mended": "mended",
}


@pytest.mark.parametrize(("line", "written"), COMMANDS.items(), ids=[line.split(" --")[0] for line in COMMANDS])
def test_what_a_command_wrote_is_recorded_and_can_be_computed_again(
    line: str, written: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*line.split(), *(["--quiet"] if "check" not in line else [])]) == 0
    target = place / written
    body = manifest.read(target)
    assert body["command"]["arguments"][0] == line.split()[0]
    assert body["outputs"]
    assert body["threads"] == 1
    assert {"version", "inputs", "seed", "tolerances", "solves", "solved", "warnings", "environment", "started"} <= set(
        body
    )
    read = {entry["role"] for entry in body["inputs"] if entry["files"]}
    assert ("network" in read) == ("--network" in line)
    if "one.toml" in line:
        assert any("one.toml" in entry["files"] for entry in body["inputs"])
    if "source" in line or "plan" in line:
        assert body["solved"]["by_status"].keys() == {"optimal"}
        assert {"status", "objective", "bound", "gap", "violation"} <= set(body["solves"][0])
    for path in [target, manifest.path_of(target), *(target.rglob("*") if target.is_dir() else ())]:
        if path.parent.name != "runs" and path != place / "folder":
            assert path.stat().st_mode & 0o077 == 0, path
    capsys.readouterr()
    assert run(["verify", str(target), "--quiet"]) == 0, capsys.readouterr().out
    assert "gives the same bytes" in capsys.readouterr().out


def test_a_changed_result_and_a_changed_input_are_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["exposure", "--network", "net", "--output", "e.csv", "--format", "csv", "--quiet"]) == 0
    result = place / "e.csv"
    whole = result.read_bytes()
    result.write_bytes(whole[:-1] + b"7\n")
    assert run(["verify", "e.csv", "--files-only", "--quiet"]) == 4
    assert "changed" in capsys.readouterr().out
    result.write_bytes(whole)
    assert run(["verify", "e.csv", "--files-only", "--quiet"]) == 0
    supplies = place / "net" / "supplies.csv"
    supplies.write_text(supplies.read_text().replace(",0.7,", ",0.69,", 1))
    capsys.readouterr()
    assert run(["verify", "e.csv", "--quiet"]) == 4
    told = capsys.readouterr().out
    assert "supplies.csv" in told
    assert "not verified" in told
    shutil.rmtree(place / "net")
    assert run(["verify", "e.csv", "--quiet"]) == 4
    assert run(["verify", "folder", "--quiet"]) == 3


def test_a_target_inside_an_input_or_of_another_kind_is_refused_before_computing(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it computed")

    monkeypatch.setattr("supplychain.case.Case.load", never)
    before = {path: path.read_bytes() for path in sorted((place / "net").iterdir())}
    (place / "folder" / "letter.txt").write_text("dear")
    for output, code, words in (
        ("net/items.csv", 2, "overlaps the input"),
        ("net/new.csv", 2, "overlaps the input"),
        ("folder", 2, "holds files that are not a run"),
        ("one.toml/x.csv", 2, "is a file, not a folder"),
    ):
        assert run(["exposure", "--network", "net", "--output", output, "--quiet"]) == code, output
        assert words in capsys.readouterr().err
    assert run(["whatif", "one.toml", "--network", "net", "--page", "net/w", "--quiet"]) == 2
    assert run(["whatif", "one.toml", "--network", "net", "--page", ".", "--quiet"]) == 2
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    assert run(["exposure", "--network", "net", "--output", "e.csv", "--quiet"]) == 5
    assert "allows no writing" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in sorted((place / "net").iterdir())}


def test_ids_of_any_length_name_no_file(place: Path) -> None:
    long = "my-chip-" + "x" * 150
    for path in (place / "net").glob("*.csv"):
        path.write_text(path.read_text().replace("my-chip", long))
    assert run(["exposure", "--network", "net", "--output", "e.json", "--format", "json", "--quiet"]) == 0
    assert long in json.dumps(json.loads((place / "e.json").read_text()))
    assert run(["whatif", "one.toml", "--network", "net", "--page", "w", "--quiet"]) == 3  # no such item now
    (place / "one.toml").write_text(SCENARIO.replace("my-chip", long))
    assert run(["whatif", "one.toml", "--network", "net", "--page", "w", "--quiet"]) == 0
    assert max(len(path.name) for path in (place / "w").rglob("*")) < 60
    for path in (place / "net").glob("*.csv"):
        path.write_text(path.read_text().replace(long, long * 30))
    assert run(["check", "net"]) == 3


def test_templates_to_be_edited_leave_no_manifest(place: Path) -> None:
    assert run(["init", "mine"]) == 0
    assert not (place / "mine" / "manifest.json").exists()
