"""The fault kit's parts: a package as bytes, a fault as a variant of it, and what became of it when it was read."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from supplychain.errors import InputError, Problem, SupplychainError
from supplychain.facts.schema import Column
from supplychain.facts.workbook import write_workbook

DESCRIPTOR = "datapackage.json"
FORMS = ("csv", "parquet", "xlsx")


@dataclass
class Sheet:
    """A table as lists of texts, to be changed cell by cell."""

    header: list[str]
    rows: list[list[str]]

    @classmethod
    def of(cls, data: bytes) -> Sheet:
        header, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        return cls(header, rows)

    def at(self, column: str) -> int:
        return self.header.index(column)

    def copy(self) -> Sheet:
        return Sheet(list(self.header), [list(row) for row in self.rows])

    def csv(self) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return out.getvalue().encode()

    def arrays(self) -> dict[str, pa.Array]:
        return {name: pa.array([row[i] for row in self.rows], pa.string()) for i, name in enumerate(self.header)}


@dataclass(frozen=True)
class Seed:
    """A sound package: its files, how it is read, and the columns of each table by the schema."""

    name: str
    files: dict[str, bytes]
    read: Callable[[Path], tuple[str, Iterable[Problem]]]  # content hash and warnings
    columns: dict[str, dict[str, Column]]
    keys: dict[str, tuple[str, ...]]
    required: frozenset[str]

    def sheet(self, table: str) -> Sheet:
        return Sheet.of(self.files[f"{table}.csv"])

    @property
    def tables(self) -> list[str]:
        return sorted(name[:-4] for name in self.files if name.endswith(".csv"))


@dataclass(frozen=True)
class Variant:
    """One fault put into a package. `make` writes it into a folder that holds the sound package."""

    fault: int
    what: str
    expected: str
    make: Callable[[Path], None]
    file: str = ""
    row: int | None = None
    column: str = ""
    sheet: tuple[str, Sheet] | None = None  # the changed table, where the fault is one of cells
    hint: str = ""  # what the message must hold
    keeps: str = ""  # text that the accepted package must hold
    same: bool = False  # the content hash must not change


@dataclass
class Outcome:
    variant: Variant
    got: str
    right: bool
    located: bool
    told: str = ""


def cells(fault: int, what: str, expected: str, table: str, sheet: Sheet, row: int | None, column: str = "", **more: Any
          ) -> Variant:  # fmt: skip
    """A variant that is a changed table; `row` counts records from 0."""
    number = None if row is None else row + 2
    return Variant(fault, f"{table}.{column}: {what}" if column else f"{table}: {what}", expected,
                   lambda folder: put(folder / f"{table}.csv", sheet.csv()), f"{table}.csv", number, column,
                   (table, sheet), **more)  # fmt: skip


def raw(fault: int, what: str, expected: str, table: str, data: bytes, **more: Any) -> Variant:
    return Variant(fault, f"{table}: {what}", expected, lambda folder: put(folder / f"{table}.csv", data),
                   f"{table}.csv", **more)  # fmt: skip


def put(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def run(seed: Seed, variant: Variant, folder: Path, baseline: str) -> Outcome:
    """Put the fault into `folder` (which holds the sound package), read it, and mend the folder again."""
    before = {path.name for path in folder.iterdir()}
    variant.make(folder)
    got, told, place, problems, content = "accepted", "", True, (), ""
    started = time.process_time()  # a busy machine is not the reader's fault
    try:
        content, warnings = seed.read(folder)
        problems = tuple(warnings)
        got = "warned" if problems else "accepted"
    except InputError as error:
        got, problems, told = "refused", error.problems, str(error)
    except SupplychainError as error:
        got, told = f"exit {error.exit_code}", str(error)
    except Exception:
        got, told = "traceback", traceback.format_exc()
    took = time.process_time() - started
    told = told or "\n".join(map(str, problems))
    for path in folder.iterdir():
        if path.name not in before or path.name == variant.file or path.is_symlink() or not path.is_file():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, data in seed.files.items():
        if name == variant.file or not (folder / name).is_file():
            put(folder / name, data)
    if got == "warned":  # what the sound package is warned of is no news
        problems = tuple(problem for problem in problems if str(problem) not in baseline)
        got, told = ("warned" if problems else "accepted"), "\n".join(map(str, problems))
    place = any(_is_at(problem, variant) for problem in problems) if variant.expected != "A" else True
    right = got == {"R": "refused", "W": "warned", "A": "accepted"}[variant.expected]
    if variant.expected == "A" and got == "warned":
        right = True  # accepted with a word about it
    if right and variant.hint:
        right = variant.hint in told
    if right and variant.keeps:
        right = variant.keeps in content
    if right and variant.same:
        right = content.split("\n", 1)[0] == baseline.split("\n", 1)[0]
    if took > 10:
        right, told = False, f"took {took:.0f} s\n{told}"
    return Outcome(variant, got, right, place, told)


def _is_at(problem: Problem, variant: Variant) -> bool:
    file = problem.file.split("!")[0]
    return (
        (not variant.file or file == variant.file or Path(file).stem == Path(variant.file).stem or "!" in problem.file)
        and (variant.row is None or problem.row == variant.row or f"row {variant.row}" in str(problem))
        and (not variant.column or problem.column == variant.column)
    )


def run_all(seed: Seed, chosen: Iterable[Variant], form: str = "csv") -> list[Outcome]:
    """Run variants in one folder; in another `form`, those that change cells only."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, "package")
        folder.mkdir()
        for name, data in seed.files.items():
            (folder / name).write_bytes(data)
        content, warnings = seed.read(folder)
        baseline = "\n".join([content.split("\n", 1)[0], *map(str, warnings)])
        if form == "csv":
            return [run(seed, variant, folder, baseline) for variant in chosen]
        return [_in_form(seed, variant, form, Path(work), baseline) for variant in chosen if variant.sheet]


def _in_form(seed: Seed, variant: Variant, form: str, work: Path, baseline: str) -> Outcome:
    """Run a variant of cells with the whole package as one workbook, or its changed table as Parquet."""
    assert variant.sheet is not None
    table, sheet = variant.sheet
    target = work / ("book.xlsx" if form == "xlsx" else "parquet")
    if form == "xlsx":
        sheets = {name: (sheet if name == table else seed.sheet(name)).arrays() for name in seed.tables}
        about = {k: v for k, v in json.loads(seed.files[DESCRIPTOR]).items() if k != "resources"}
        data = write_workbook(about, sheets)
        shown = replace(variant, make=lambda _: target.write_bytes(data), file="book.xlsx")
        empty = replace(seed, files={"book.xlsx": b""}, read=lambda folder: seed.read(folder / "book.xlsx"))
        holder = work / "holder"
        holder.mkdir(exist_ok=True)
        target = holder / "book.xlsx"
        return run(empty, shown, holder, baseline)
    if not target.is_dir():
        target.mkdir()
        for name, data in seed.files.items():
            (target / name).write_bytes(data)
    described = json.loads(seed.files[DESCRIPTOR])
    described.pop("resources", None)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(sheet.arrays()), sink)
    blob = bytes(sink.getvalue())

    def make(folder: Path) -> None:
        (folder / f"{table}.csv").unlink()
        put(folder / DESCRIPTOR, json.dumps(described).encode())
        put(folder / f"{table}.parquet", blob)

    outcome = run(seed, replace(variant, make=make, file=f"{table}.parquet"), target, baseline)
    put(target / DESCRIPTOR, seed.files[DESCRIPTOR])
    return outcome
