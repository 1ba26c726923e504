"""Faults of docs/reliability.md that are not of one cell: encodings, vintages, circles, many at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_package import TABLES, places, refused, write

from supplychain.cli import run
from supplychain.errors import InputError
from supplychain.facts.package import read_package
from supplychain.facts.tomlfile import read_toml
from supplychain.locate import datasets


@pytest.mark.parametrize(("encoding", "text"), [("gbk", "半导体材料"), ("cp1252", "Zürich"), ("utf-16", "半导体")])
def test_another_encoding_is_read_when_it_is_named(
    small: Path, tmp_path: Path, encoding: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small / "sources.csv"
    path.write_bytes(path.read_text().replace("Older report", text).encode(encoding))
    (problem,) = (p for p in refused(small) if p.file == "sources.csv")
    assert (problem.code, "--encoding" in problem.cure) == ("encoding", True)
    if encoding != "utf-16":
        assert problem.row == 3
        assert f"--encoding {encoding}" in problem.cure
    assert read_package(small, encoding=encoding).tables["sources"]["title"].tolist()[1] == text
    assert run(["check", str(small), "--encoding", encoding, "--fix", str(tmp_path / "copy")]) == 0
    assert text in (tmp_path / "copy" / "sources.csv").read_text(encoding="utf-8")
    assert run(["check", str(small), "--encoding", "rot13"]) == 2
    capsys.readouterr()


def test_figures_of_several_years_or_long_ago_are_told(edited: Callable[..., Path]) -> None:
    path = edited("supplies", ("0.4,,,revenue,true,2025", "0.4,,,revenue,true,2021"),
                  ("units,true,2024", "units,true,1999"))  # fmt: skip
    warned = {(p.code, p.row, p.column) for p in read_package(path).warnings}
    assert {("vintage-mixed", 3, "year"), ("vintage-old", 5, "year")} <= warned


def test_every_circle_is_told_with_its_rows(edited: Callable[..., Path]) -> None:
    path = edited("organisations", ("acme,Acme,NLD,,", "acme,Acme,NLD,bolt,"),
                  ("other,Other producers,,,,none,\n", "other,Other,,self,,none,\nself,S,,self,,none,\n"))  # fmt: skip
    circles = [p for p in refused(path) if p.code == "cycle"]
    assert [p.value for p in circles] == ["acme -> bolt -> acme", "self -> self"]
    assert [p.row for p in circles] == [2, 5]


def test_a_circle_of_thousands_is_found(tmp_path: Path) -> None:
    count = 5_000
    rows = "".join(f"o{i},O,NLD,o{(i + 1) % count},,none,\n" for i in range(count))
    head = "organisation,name,jurisdiction,parent,parent_jurisdiction,source,note\n"
    known = TABLES["organisations"].split("\n", 1)[1]
    path = write(tmp_path / "p", {**TABLES, "organisations": head + known + rows})
    (problem,) = refused(path)
    assert (problem.code, problem.row) == ("cycle", 5)
    assert "5,000 in all" in problem.rule


def test_all_faults_of_a_book_come_at_once_with_their_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(datasets() / "regimes", tmp_path / "book")
    path = tmp_path / "book" / "controls.csv"
    head, first, *rest = path.read_text(encoding="utf-8").split("\n")
    assert '"' not in first
    cells = dict(zip(head.split(","), first.split(","), strict=True))
    bad = {**cells, "control": "bad-one", "reach": "everywhere", "quality": "certain", "imposing": "XYZ"}
    path.write_text("\n".join([head, "", ",".join(bad.values()), first, *rest]), encoding="utf-8", newline="")
    assert run(["check", str(tmp_path / "book")]) == 3
    told = capsys.readouterr().err
    for column in ("reach", "quality", "imposing"):
        assert f"controls.csv row 3, column {column}:" in told


def test_a_bad_toml_file_names_its_line(tmp_path: Path) -> None:
    for text, row in ((b"a = 1\na = 2\n", 2), (b"a = 1\nb = \xff\n", 2), (b"a = [\n" + b"[" * 5_000, None)):
        (tmp_path / "a.toml").write_bytes(text)
        with pytest.raises(InputError) as caught:
            read_toml(tmp_path / "a.toml", "a policy")
        (problem,) = caught.value.problems
        assert (problem.file, problem.row) == ("a.toml", row)
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfa = 1\r\n")
    assert read_toml(tmp_path / "a.toml", "a policy")[0] == {"a": 1}


def test_a_header_alone_is_a_table_that_was_lost(small: Path) -> None:
    for table in ("requirements", "plants"):
        (small / f"{table}.csv").write_text(TABLES[table].split("\n", 1)[0] + "\n")
    assert places(refused(small)) == {("table-empty", f"{table}.csv", 1, "") for table in ("requirements", "plants")}
