"""What every importer returns: a package, where each row that came in went, and what a reader must know."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from supplychain.errors import Problem, Problems, UsageError
from supplychain.facts.cells import STRING, blank_column, number_cure
from supplychain.facts.folder import read_table_file
from supplychain.facts.package import Package, read_package, write_package
from supplychain.facts.raw import SHOWN, RawTable
from supplychain.facts.schema import NUMERIC, schema
from supplychain.facts.tables import match_headers, record_rows

COUNTS = ["file", "went_to", "rows"]


@dataclass(frozen=True)
class Intake:
    """An imported package before it is written.

    `counts` has one row per file and destination (file, went_to, rows): for every file the rows sum to `rows_in`.
    `notice` is the licence notice that travels with the data, `remarks` what a reader must know, `warnings` what is odd
    in the files that came in.
    """

    package: Package
    counts: pd.DataFrame
    rows_in: Mapping[str, int]
    notice: str = ""
    remarks: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def lost(self) -> int:
        """Rows that came in and are not accounted for; 0 or the import is wrong."""
        accounted = self.counts.groupby("file")["rows"].sum()
        return int(sum(abs(rows - int(accounted.get(file, 0))) for file, rows in self.rows_in.items()))


def counted(journal: Mapping[str, Sequence[str] | np.ndarray]) -> pd.DataFrame:
    """Return the counts of a journal: for each file, where each of its rows went."""
    parts = [
        pd.Series(list(went), dtype="str").value_counts(sort=False).sort_index().rename("rows").rename_axis("went_to")
        for went in journal.values()
    ]
    frames = [part.reset_index().assign(file=file) for file, part in zip(journal, parts, strict=True)]
    return pd.concat(frames, ignore_index=True)[COUNTS] if frames else pd.DataFrame(columns=COUNTS)


def network_package(name: str, tables: Mapping[str, pd.DataFrame], descriptor: Mapping[str, Any]) -> Package:
    """Return a network package of partial tables: absent tables are empty, absent columns unknown, rows by key."""
    kind = schema("network")
    typed: dict[str, pd.DataFrame] = {}
    for table in kind.tables:
        given = tables.get(table.name, pd.DataFrame())
        columns: dict[str, Any] = {}
        for column in table.columns:
            if column.name not in given or given.empty:
                columns[column.name] = blank_column(column, len(given))
            elif column.type in NUMERIC:
                columns[column.name] = given[column.name].astype("float64").to_numpy()
            elif column.type == "boolean":
                columns[column.name] = given[column.name].astype("boolean").array
            elif column.type == "date":
                columns[column.name] = given[column.name].astype("datetime64[s]").to_numpy()
            else:
                columns[column.name] = pd.array(given[column.name].fillna("").astype(str).to_numpy(object), STRING)
        frame = pd.DataFrame(columns)
        typed[table.name] = frame.sort_values(list(table.key), kind="stable", ignore_index=True)
    own = {"schema": "network", **descriptor.get("supplychain", {})}
    return Package(name, Path(name), "network", typed, {"name": name, **descriptor, "supplychain": own})


def save(intake: Intake, path: Path, *, format: str = "csv", overwrite: bool = False) -> Package:
    """Write an import to `path` (folder or .xlsx) and return it as read back and checked.

    The counts go into datapackage.json, counts and notice into README.md beside the tables. Nothing is written when
    the package fails its check (InputError) or rows are unaccounted for.
    """
    if intake.lost:
        raise AssertionError(f"{intake.lost} rows of the import are not accounted for")
    record = {
        "rows_in": dict(intake.rows_in),
        "went_to": intake.counts.to_dict("records"),
        "notice": intake.notice,
        "remarks": list(intake.remarks),
    }
    described = dict(intake.package.descriptor)
    described["supplychain"] = {**described.get("supplychain", {}), "import": record}
    package = replace(intake.package, descriptor=described)
    readme = {"README.md": _readme(intake).encode()}
    return write_checked(package, path, format=format, overwrite=overwrite, companions=readme)


def write_checked(
    package: Package,
    path: Path,
    *,
    format: str = "csv",
    overwrite: bool = False,
    companions: Mapping[str, bytes] | None = None,
) -> Package:
    """Write a package and return it as read back; a package that fails its check (InputError) is not written."""
    write_package(package, path, format=format, overwrite=overwrite, companions=companions, check=read_package)
    return read_package(path)


def _readme(intake: Intake) -> str:
    lines = [f"# {intake.package.descriptor.get('title', intake.package.name)}", ""]
    if intake.notice:
        lines += [intake.notice, ""]
    lines += ["Every row that came in, and where it went:", "", "| file | went to | rows |", "|---|---|---:|"]
    lines += [f"| {row.file} | {row.went_to} | {row.rows:,} |" for row in records(intake.counts)]
    lines += ["", *(f"- {remark}" for remark in intake.remarks)]
    return "\n".join(lines).rstrip() + "\n"


def read_foreign(
    path: Path,
    problems: Problems,
    columns: Sequence[str],
    *,
    known: Sequence[str] | None = None,
    ids: Sequence[str] = (),
) -> tuple[pd.DataFrame, str]:
    """Return a table of another's format, all cells text, index = spreadsheet row, and the SHA-256 of its file.

    `columns` must be there; others are kept, with a warning when they are not `known` (where that is given). Cells of
    `ids` are compared byte for byte: one with stray spaces or unseen characters is a fault. With `known`, totals and
    repeated headers are faults too, and a row that repeats another whole is dropped with a warning. Faults (missing
    file or column, broken CSV) go to `problems`.
    """
    raw = read_table_file(path, problems)
    if raw is None:
        return pd.DataFrame(columns=list(columns)), ""
    if known is not None:
        names = [*columns, *known]
        found = match_headers(raw, names, f"{path.name} has no such column; it changes no result", problems)
        named = {header: name for name, header in found.items()}
        raw = RawTable(
            raw.name, raw.file, {named.get(head, head): texts for head, texts in raw.cells.items()}, raw.rows
        )
        keep = record_rows(raw, {name: name for name in columns if name in raw.cells}, problems)
        picked = {head: texts.filter(pa.array(keep)) for head, texts in raw.cells.items()}
        raw = RawTable(raw.name, raw.file, picked, raw.rows[keep])
    for column in ids:
        if column in raw.cells:
            _check_plain(raw, column, problems)
    frame = as_frame(raw)
    for column in columns:
        if column not in frame:
            problems.add(
                "column-missing",
                f"{path.name} has a column {column}",
                "is this the right file, in the published form?",
                file=path.name,
                row=1,
                column=column,
            )
            frame[column] = ""
    if known is not None:
        again = frame.duplicated().to_numpy(bool)
        for row in frame.index[again][:SHOWN]:
            rule, cure = "a row stands once", "dropped: it repeats another whole"
            problems.warn("duplicate-row", rule, cure, file=path.name, row=int(row), column=columns[0])
        frame = frame[~again]
        if not len(frame) and not any(problem.file == path.name for problem in problems.errors):
            problems.add("table-empty", "a table has rows", "export it again", file=path.name, row=1)
    return frame, hashlib.sha256(path.read_bytes()).hexdigest()


def _check_plain(raw: RawTable, column: str, problems: Problems) -> None:
    """Ids hold no spaces around them and no characters that are not seen or have two forms."""
    texts = raw.cells[column].combine_chunks() if isinstance(raw.cells[column], pa.ChunkedArray) else raw.cells[column]
    rule = f"{column} is plain text without spaces, control or other unseen characters"
    for position, text in enumerate(texts.to_pylist()):
        wide = unicodedata.normalize("NFKD", text.strip())
        plain = "".join(c for c in wide if c.isascii() and c.isprintable() and c != " ")
        if plain != text:
            row = int(raw.rows[position])
            problems.add("id", rule, f"write {plain!r}", file=raw.file, row=row, column=column, value=text)


def as_frame(raw: RawTable) -> pd.DataFrame:
    """Return the cells of a raw table as text, blanks trimmed, index = row as a spreadsheet shows it."""
    cells = {header.strip(): pd.array(texts, dtype=STRING) for header, texts in raw.cells.items()}
    frame = pd.DataFrame(cells, index=pd.Index(raw.rows, name="row"))
    return frame.apply(lambda column: column.str.strip()) if len(frame) else frame


def records(frame: pd.DataFrame) -> list[Any]:
    """Return the rows of a small table as named tuples (their index as `Index`)."""
    return list(frame.itertuples())


def numbers(
    frame: pd.DataFrame,
    column: str,
    file: str,
    problems: Problems,
    low: float = 0.0,
    high: float = 1e15,
    *,
    whole: bool = False,
) -> pd.Series:
    """Return a text column as numbers, NaN for blank; what is no number between `low` and `high` (a `whole` one, where
    asked) is a problem; one that is next to zero a warning."""
    text = frame[column]
    plain = text.str.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?") | (text == "")
    values = pd.to_numeric(text.where(plain & (text != ""), other=None)).astype("float64")
    wrong = ~plain | (values < low) | (values > high)
    if whole:
        wrong |= values.notna() & (values != values.round())
    tiny = ((values.abs() < 1e-100) & (values != 0)) & ~wrong
    for row in frame.index[tiny.to_numpy(bool)][:SHOWN]:
        rule = f"{column} is so small that it acts as zero"
        place: dict[str, Any] = {"file": file, "row": int(row), "column": column, "value": text.loc[row]}
        problems.warn("tiny", rule, "was the exponent mistyped?", **place)
    for row in frame.index[wrong.to_numpy(bool)][:SHOWN]:
        problems.add(
            "number",
            f"{column} is a {'whole ' if whole else ''}number from {low:g} to {high:g}, or blank when unknown",
            number_cure(str(text.loc[row])) if not plain.loc[row] else "correct it in the source",
            file=file,
            row=int(row),
            column=column,
            value=text.loc[row],
        )
    return values


def check_folder(folder: Path, files: Sequence[str], problems: Problems) -> None:
    """Refuse a folder that holds a table in two files, and warn of files that are not of the data set."""
    stems = {Path(file).stem: file for file in files}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name in files or entry.name.startswith(".") or entry.name.lower().startswith(("readme", "licen")):
            continue
        own = stems.get(entry.stem.lower())
        if own is not None and entry.suffix.lower() in (".csv", ".parquet", ".xlsx"):
            rule, cure = "a table stands in one file", f"delete {own} or {entry.name}"
            problems.add("table-twice", rule, cure, file=entry.name, table=Path(own).stem)
        elif entry.is_file():
            problems.warn("stray-file", "the folder holds the files of the data set", "not read", file=entry.name)


def refuse_missing(folder: Path, files: Sequence[str]) -> None:
    """Raise UsageError when `folder` is no folder, InputError naming every file that is not in it."""
    if not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is not a folder with {', '.join(files)}")
    problems = Problems()
    for file in files:
        if not (folder / file).is_file():
            rule = f"the data set has {', '.join(files)}"
            problems.add("file-missing", rule, "add the file in its published form", file=file)
    problems.raise_if_any()
