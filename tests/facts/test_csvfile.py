"""CSV files as they come: what is accepted unchanged, and what is refused with its kind and place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_package import places, refused

from supplychain.errors import Problems
from supplychain.facts import csvfile
from supplychain.facts.csvfile import _plain, _records, read_csv


def codes(data: bytes) -> list[tuple[str, int | None]]:
    problems = Problems()
    read_csv(data, "items", "items.csv", problems)
    return [(problem.code, problem.row) for problem in problems.errors]


def cells(data: bytes) -> dict[str, list[str]]:
    problems = Problems()
    raw = read_csv(data, "items", "items.csv", problems)
    assert raw is not None, problems.errors
    assert not problems.errors
    return {name: column.to_pylist() for name, column in raw.cells.items()}


@pytest.mark.parametrize(
    ("data", "code", "row"),
    [
        (b"", "file-empty", None),
        (b" \n\n", "file-empty", None),
        (b"\x1f\x8b\x08rest", "file-kind", None),
        (b"PK\x03\x04rest", "file-kind", None),
        (b"PAR1rest", "file-kind", None),
        (b"%PDF-1.7", "file-kind", None),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "file-kind", None),
        (b"<!DOCTYPE html><html><body>log in</body></html>", "file-kind", None),
        (b"item,name\n<<<<<<< HEAD\na,A\n", "merge-marker", 2),
        ("item,name\na,A\n".encode("utf-16"), "encoding", None),
        ("item,name\na,A\n".encode("utf-16-le"), "encoding", None),
        ("item,name\nb,B\na,Händler\n".encode("latin-1"), "encoding", 3),
        ("item,name\na,氖气\n".encode("gbk"), "encoding", 2),
        (b"item,name\na,\x00A\n", "nul", 2),
        (b'item,name\na,12" wafer\n', "quote", 2),
        (b'item,name\na,"A"x\n', "quote", 2),
        (b'item,name\nb,B\na,"cut here\nc,C\n', "cut", 3),
        (b"item;share\na;0,5\n", "delimiter", 1),
        (b"item\tshare\na\t0.5\n", "delimiter", 1),
        (b"item,name,item\na,A,b\n", "header-duplicate", 1),
        (b"item,name, Item \na,A,b\n", "header-duplicate", 1),
        (b"item,,name\na,b,A\n", "header-blank", 1),
        (b"item,name\na,A\nb\nc,C\n", "ragged", 3),
        (b"item,name\na,A,more\n", "ragged", 2),
        (b",".join([b"c%d" % i for i in range(1001)]) + b"\n", "too-wide", 1),
    ],
)
def test_what_is_no_sound_csv_is_refused_with_its_place(data: bytes, code: str, row: int | None) -> None:
    found = codes(data)
    assert [name for name, _ in found] == [code]
    if row is not None:
        assert found[0][1] == row


def test_every_ragged_record_is_told_up_to_a_limit() -> None:
    found = codes(b"item,name\n" + b"a\n" * 1000)
    assert len(found) == 26
    assert found[-1] == ("ragged", 26)


def test_noise_is_refused_without_a_traceback() -> None:
    import random

    generator = random.Random(7)
    for _ in range(50):
        assert codes(bytes(generator.randrange(256) for _ in range(400)))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_and_line_ends_change_nothing(start: bytes, end: bytes) -> None:
    assert cells(start + end.join([b"item,name", b"a,A", b'b,"B, b"', b""])) == {
        "item": ["a", "b"],
        "name": ["A", "B, b"],
    }


def test_a_file_without_a_last_line_end_may_have_been_cut() -> None:
    problems = Problems()
    read_csv(b"item,name\na,A\nb,B", "items", "items.csv", problems)
    assert [(problem.code, problem.row) for problem in problems.errors] == [("unended", 3)]


@pytest.mark.parametrize("end", [b"b,", b'b,"B"'])
def test_a_last_cell_that_is_blank_or_quoted_was_hardly_cut(end: bytes) -> None:
    problems = Problems()
    assert read_csv(b"item,name\na,A\n" + end, "items", "items.csv", problems) is not None
    assert [(problem.code, problem.row) for problem in problems.warnings] == [("unended", 3)]
    assert not problems.errors


def test_rows_are_those_a_spreadsheet_shows() -> None:
    problems = Problems()
    raw = read_csv(b'item,name\n\na,"two\nlines"\nb,B\n', "items", "items.csv", problems)
    assert raw is not None
    assert raw.rows.tolist() == [3, 4]


def test_a_cell_of_a_million_characters_is_accepted() -> None:
    assert len(cells(b'item,name\na,"' + b"x" * 1_000_000 + b'"\n')["name"][0]) == 1_000_000


def test_an_endless_cell_is_refused() -> None:
    assert [code for code, _ in codes(b'item,name\na,"' + b"x" * 4_000_001 + b'"\n')] == ["cell-size"]


def test_what_a_spreadsheet_would_run_stands_behind_an_apostrophe() -> None:
    assert cells(b"item,name\na,'=1+1\nb,''=x\nc,'tis\n")["name"] == ["=1+1", "'=x", "'tis"]


WIDTH = 3
CELL = st.text(st.characters(blacklist_characters='",\r\n\0', blacklist_categories=["Cs"]), max_size=6)


@given(st.lists(st.lists(CELL, min_size=WIDTH, max_size=WIDTH), max_size=8), st.booleans())
def test_the_quick_way_reads_what_the_strict_way_reads(rows: list[list[str]], mark: bool) -> None:
    text = "".join(",".join(row) + "\n" for row in [["a", "b", "c"], *rows])
    data = text.encode("utf-8-sig" if mark else "utf-8")
    problems = Problems()
    quick = _plain(data, text, "t", "t.csv", problems)
    strict = _records(text, "t", "t.csv", problems)
    assert strict is not None
    assert problems.errors == ()
    if quick is None:
        assert not rows
        return
    assert quick.rows.tolist() == strict.rows.tolist()
    assert {name: cells.to_pylist() for name, cells in quick.cells.items()} == {
        name: cells.to_pylist() for name, cells in strict.cells.items()
    }


@pytest.mark.parametrize(
    "data", [b"a,b\n1\n", b"a,b\n1,2,3\n", b"a,b\n\n1,2\n", b"a,a\n1,2\n", b'a,b\n"1",2\n', b"a,b\r\n1,2"]
)
def test_the_quick_way_leaves_all_else_to_the_strict_way(data: bytes) -> None:
    assert _plain(data, data.decode(), "t", "t.csv", Problems()) is None


def test_a_table_has_at_most_so_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"item,name\na,A\nb,B\nc,C\n"
    monkeypatch.setattr(csvfile, "MAX_ROWS", 3)
    problems = Problems()
    assert csvfile.read_csv(data, "items", "items.csv", problems) is not None
    monkeypatch.setattr(csvfile, "MAX_ROWS", 2)
    assert csvfile.read_csv(data, "items", "items.csv", problems) is None
    assert [problem.code for problem in problems.errors] == ["too-long"]


def test_records_of_any_header_are_read_with_their_numbers() -> None:
    problems = Problems()
    grid = csvfile.csv_grid(b"part,part,qty\n\na,b,1\n,,\nc,d,2,x\n", "bom.csv", problems)
    assert grid == [(1, ["part", "part", "qty"]), (3, ["a", "b", "1"]), (5, ["c", "d", "2", "x"])]
    assert not problems.errors
    for data, code in ((b'part\n"open', "cut"), (b"a;b;c\n1;2;3\n", None), (b"\xff\xfe\xfa", None)):
        problems = Problems()
        csvfile.csv_grid(data, "bom.csv", problems)
        assert problems.errors
        assert code in (None, problems.errors[0].code)


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        ("acme,Acme,NLD,,,s1,\n", 'acme,Acme",NLD,,,s1,\n', 2),
        ("bolt,Bolt Gases,DEU,acme,NLD,s1,\n", 'bolt,Bolt Gases,DEU,acme,NLD,s1,"a\nb"\nc,C"\n', 4),
        ("bolt,Bolt Gases,DEU,acme,NLD,s1,\n", 'bolt,Bolt Gases,DEU,acme,NLD,s1,said"\n', 3),
        ("bolt,Bolt Gases,DEU", 'bolt,"Bolt"Gases,DEU', 3),
    ],
)
def test_a_quote_that_opens_no_cell_is_refused_at_its_row(
    edited: Callable[..., Path], old: str, new: str, row: int
) -> None:
    found = [(p.code, p.row) for p in refused(edited("organisations", (old, new))) if p.file == "organisations.csv"]
    assert found[0] == ("quote", row)


def test_a_file_of_a_byte_order_mark_is_empty(small: Path) -> None:
    (small / "items.csv").write_bytes(b"\xef\xbb\xbf")
    assert ("file-empty", "items.csv", None, "") in places(refused(small))
