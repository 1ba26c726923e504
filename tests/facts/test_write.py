"""Writing: every format gives the same content back, the same bytes each time, whole or not at all."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from supplychain.errors import EnvironmentFault, UsageError
from supplychain.facts.package import Package, read_package, write_package

HOSTILE = [
    "=HYPERLINK(1)",
    "+1",
    "-5 % since 2020",
    "@x",
    "'=x",
    "''",
    "＝1",
    "_x0041_",
    "\x1b[31mred",
    'say "no"',
    "two\nlines",
    "lone\rreturn",
    "a,b;c",
    "氖气 é",
    "<b>",
    "NA",
]


def same(one: Package, two: Package) -> None:
    assert one.tables.keys() == two.tables.keys()
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, two.tables[name])


def test_a_package_goes_through_every_format_unchanged(small: Path, tmp_path: Path) -> None:
    package = read_package(small)
    last = package
    for name, form in (("a", "parquet"), ("b.xlsx", "csv"), ("c", "csv")):
        write_package(last, tmp_path / name, format=form)
        last = read_package(tmp_path / name, strict=True)
        same(package, last)
        assert last.name == "small"


ROWS = 40  # many cells in few packages: what takes the time is the workbook around them


@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking whole packages would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    notes=st.lists(st.text(min_size=1, max_size=20), min_size=ROWS, max_size=ROWS),
    costs=st.lists(st.one_of(st.none(), st.floats(0, 1e13)), min_size=ROWS, max_size=ROWS),
)
def test_any_text_and_number_comes_back(
    small: Path, tmp_path_factory: pytest.TempPathFactory, notes: list[str], costs: list[float | None]
) -> None:
    base = read_package(small)
    supplies = base.tables["supplies"].iloc[[3] * ROWS].reset_index(drop=True)
    # Blanks around a text are not kept; a NUL is refused in every file.
    texts = [note.replace("\0", "").strip() for note in [*HOSTILE, *notes[len(HOSTILE) :]]]
    supplies = supplies.assign(
        supply=[f"s{number}" for number in range(ROWS)],
        share=1 / ROWS,
        note=pd.Series(texts, dtype="str"),
        unit_cost=pd.Series(costs, dtype="float64"),
        currency="EUR",
    )
    package = replace(base, tables={**base.tables, "supplies": supplies})
    folder = tmp_path_factory.mktemp("round")
    for name, form in (("c", "csv"), ("p", "parquet"), ("x.xlsx", "csv")):
        write_package(package, folder / name, format=form)
        same(package, read_package(folder / name))


def test_no_text_can_run_in_a_spreadsheet(small: Path, tmp_path: Path) -> None:
    base = read_package(small)
    supplies = base.tables["supplies"].assign(note=pd.Series(HOSTILE[:4], dtype="str"))
    write_package(replace(base, tables={**base.tables, "supplies": supplies}), tmp_path / "out")
    text = (tmp_path / "out" / "supplies.csv").read_text(encoding="utf-8")
    cells = [line.split(",")[-1] for line in text.splitlines()[1:]]
    assert len(cells) == len(supplies)
    assert all(cell.startswith("'") for cell in cells)


@pytest.mark.parametrize(("name", "form"), [("a", "csv"), ("a", "parquet"), ("a.xlsx", "csv")])
def test_the_same_package_gives_the_same_bytes(small: Path, tmp_path: Path, name: str, form: str) -> None:
    package = read_package(small)
    written = []
    for run in ("one", "two"):
        target = tmp_path / run / name
        write_package(package, target, format=form)
        files = sorted(target.iterdir()) if target.is_dir() else [target]
        written.append([(file.name, file.read_bytes()) for file in files])
    assert written[0] == written[1]


def test_nothing_is_overwritten_unasked(small: Path, tmp_path: Path) -> None:
    package = read_package(small)
    before = (small / "items.csv").read_bytes()
    with pytest.raises(UsageError, match="overwrite"):
        write_package(package, small)
    assert (small / "items.csv").read_bytes() == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="not a data package"):
        write_package(package, tmp_path / "other", overwrite=True)
    assert (tmp_path / "other" / "letter.txt").read_text() == "mine"


def test_overwriting_replaces_the_tables_and_keeps_the_rest(small: Path) -> None:
    (small / "README.md").write_text("card")
    package = read_package(small)
    write_package(package, small, format="parquet", overwrite=True)
    assert (small / "README.md").read_text() == "card"
    assert not (small / "items.csv").exists()
    same(package, read_package(small, strict=True))


def test_a_failed_write_leaves_the_old_state_and_no_rubbish(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = read_package(small)
    write_package(package, tmp_path / "out")
    before = sorted((path.name, path.read_bytes()) for path in (tmp_path / "out").iterdir())

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for target in (tmp_path / "out", tmp_path / "new", tmp_path / "new.xlsx"):
        with pytest.raises(EnvironmentFault, match="No space left"):
            write_package(package, target, overwrite=True)
    assert sorted((path.name, path.read_bytes()) for path in (tmp_path / "out").iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "small"]


def test_a_text_too_long_for_excel_is_refused_rather_than_cut(small: Path, tmp_path: Path) -> None:
    base = read_package(small)
    sources = base.tables["sources"].assign(note=pd.Series(["x" * 40_000, ""], dtype="str"))
    package = replace(base, tables={**base.tables, "sources": sources})
    with pytest.raises(UsageError, match=r"sources\.note"):
        write_package(package, tmp_path / "out.xlsx")
    write_package(package, tmp_path / "out")
    same(package, read_package(tmp_path / "out"))


def test_a_check_of_a_workbook_comes_before_it_takes_its_place(small: Path, tmp_path: Path) -> None:
    package, target = read_package(small), tmp_path / "book.xlsx"
    seen: list[Path] = []

    def refuse(path: Path) -> None:
        assert read_package(path).name == "small"
        raise UsageError("not this one")

    with pytest.raises(UsageError, match="not this one"):
        write_package(package, target, check=refuse)
    assert list(tmp_path.glob("*book*")) == []
    write_package(package, target, check=seen.append)
    assert [path.name for path in seen] == ["book.xlsx"]
    assert target.is_file()
    with pytest.raises(UsageError, match="format is one of"):
        write_package(package, tmp_path / "new", format="json")
