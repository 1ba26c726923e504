"""The commands `check` and `show`, as a user calls them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
import typer

from supplychain.cli import data
from supplychain.errors import InputError, UsageError
from supplychain.locate import datasets

BROKEN = "supply,organisation,item,site,share,weight,quality,source\ns1,o,x,Germany,45%,true,estimate,none\n"


def call(*arguments: str) -> object:
    app = typer.Typer()
    data.register(app)
    return app(args=list(arguments), standalone_mode=False)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "supplies.csv").write_text(BROKEN, encoding="utf-8")
    (folder / "items.csv").write_text("item,name,control_codes,source\n<b>,=1+1,,none\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ["semiconductors", "regimes"])
def test_the_bundled_packages_pass_strictly(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not call("check", str(datasets() / name), "--strict", "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["accepted"] is True
    assert {row["table"] for row in answer["rows"]} >= {"sources"}
    assert answer["hashes"]
    assert all(len(digest) == 64 for digest in answer["hashes"].values())


def test_check_refuses_with_every_fault(broken: Path) -> None:
    with pytest.raises(InputError) as caught:
        call("check", str(broken))
    assert caught.value.exit_code == 3
    text = str(caught.value)
    for part in ("45%", "'Germany'", "organisations", "sources", "requirements", "items.csv row 2, column item"):
        assert part in text


def test_check_writes_the_faults_as_a_table(broken: Path, tmp_path: Path) -> None:
    output = tmp_path / "faults.csv"
    assert call("check", str(broken), "--format", "csv", "--output", str(output)) == 3
    rows = list(csv.DictReader(io.StringIO(output.read_text(encoding="utf-8"))))
    found = {(row["severity"], row["code"], row["file"], row["row"], row["column"]) for row in rows}
    assert ("error", "number", "supplies.csv", "2", "share") in found
    assert ("warning", "descriptor", "datapackage.json", "", "") in found
    assert all(row["rule"] for row in rows)


def test_check_writes_the_faults_as_json(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("check", str(broken), "--format", "json") == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["accepted"] is False
    assert {"code", "file", "table", "row", "column", "value", "rule", "cure", "severity"} == set(answer["rows"][0])


def test_check_reads_the_grammar_of_a_regime_book(tmp_path: Path) -> None:
    book = tmp_path / "book"
    shutil.copytree(datasets() / "regimes", book)
    path = book / "controls.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("worldwide-except:", "wordwide-except:", 1), encoding="utf-8")
    with pytest.raises(InputError, match="wordwide-except"):
        call("check", str(book))


def test_show_an_item_with_rows_and_resolved_sources(capsys: pytest.CaptureFixture[str]) -> None:
    call("show", "euv-scanner", "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["table"] == "items"
    assert {"supplies", "requirements"} <= {part["table"] for part in answer["related"]}
    known = {row["source"] for row in answer["sources"]}
    cited = {
        source
        for part in answer["related"]
        for row in part["rows"]
        for source in row["source"].split(";")
        if source not in ("none", "unverified")
    }
    assert cited
    assert cited <= known
    assert all(row["title"] for row in answer["sources"])


@pytest.mark.parametrize("name", ["asml", "IND", "w1-iec", "us-iec-2b910-concern", "euv-scanner"])
@pytest.mark.parametrize("form", ["table", "csv"])
def test_show_things_of_every_kind(name: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    call("show", name, "--format", form)
    assert name in capsys.readouterr().out


def test_show_a_name_of_nothing_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="gallium"):
        call("show", "galium-6n")
