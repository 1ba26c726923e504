"""Data packages: a folder of CSV or Parquet tables, or one XLSX, read and checked with every fault told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd

from supplychain.errors import Problem, Problems
from supplychain.facts import rules
from supplychain.facts.folder import DESCRIPTOR, UTF8, Contents, read_contents
from supplychain.facts.schema import NAMES, Schema, schema
from supplychain.facts.tables import Loaded, check_periods, check_references, empty, load
from supplychain.facts.write import write_package

__all__ = ["STRICT", "Package", "read_package", "write_package"]

# Warnings that `strict` turns into errors: what a maintained package should not have.
STRICT = frozenset(
    {
        "descriptor",
        "duplicate-row",
        "header-variant",
        "lifetime-missing",
        "stray-file",
        "unknown-column",
        "weight-missing",
    }
)


# A check of typed tables that adds its findings, given the row in its file of each record.
Check = Callable[[Mapping[str, pd.DataFrame], Problems, Mapping[str, np.ndarray]], None]


@dataclass(frozen=True)
class Package:
    """A data package that passed its checks.

    `tables` maps every table of the schema to a DataFrame with all of its columns: text is str ("" = unknown), numbers
    are float64 (NaN), dates datetime64[s] (NaT), truth values pandas "boolean" (NA). `hashes` maps each file read to
    its SHA-256.
    """

    name: str
    path: Path
    schema: str
    tables: dict[str, pd.DataFrame]
    descriptor: dict[str, Any] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()


def read_package(
    path: Path | str,
    schema_name: str | None = None,
    *,
    strict: bool = False,
    over: Package | None = None,
    encoding: str = UTF8,
    also: Check | None = None,
) -> Package:
    """Read and check the data package at `path` (a folder, or one .xlsx file).

    `schema_name` is "network" or "regimes"; by default the package's datapackage.json says which, or else its tables
    do. With `strict`, faults of form (see STRICT) are refused too. With `over`, the package is meant to be laid over
    that one: it may leave tables out and refer to the other's rows. CSV tables that are not UTF-8 are in `encoding`.
    `also` checks what the tables mean, given with the rows of their records. Raises InputError with every fault found,
    UsageError when there is nothing at `path`, EnvironmentFault when it cannot be read.
    """
    source = Path(path)
    problems = Problems(strict=strict, strict_codes=STRICT)
    contents = read_contents(source, problems, encoding)
    kind = _schema(schema_name, contents, problems)
    if kind is None:
        problems.raise_if_any()
        raise AssertionError("unreachable: a schema or a problem")
    loaded = _load(contents, kind, problems, partial=over is not None)
    check_references(loaded, kind, problems, contents.failed, over.tables if over else {})
    check_periods(loaded, problems)
    if kind.name == "network":  # the grammar of a regime book is checked by the room that reads it, `regimes`
        rules.check(loaded, problems, over.tables if over else {})
    if also is not None:
        found = Problems()
        also({name: part.frame for name, part in loaded.items()}, found, {n: part.rows for n, part in loaded.items()})
        for tell, told in ((problems.add, found.errors), (problems.warn, found.warnings)):
            for problem in told:
                file = loaded[problem.table].file if problem.table in loaded else problem.file
                tell(**{**problem.__dict__, "file": file})
    problems.raise_if_any()
    name = contents.descriptor.get("name")
    return Package(
        name=name if isinstance(name, str) and name else source.resolve().stem,
        path=source,
        schema=kind.name,
        tables={table: part.frame for table, part in loaded.items()},
        descriptor=contents.descriptor,
        hashes=contents.hashes,
        warnings=problems.warnings,
    )


def _schema(asked: str | None, contents: Contents, problems: Problems) -> Schema | None:
    if asked is not None:
        return schema(asked)
    own = contents.descriptor.get("supplychain", {})
    declared = own.get("schema")
    if declared in NAMES:
        return schema(declared)
    if "schema" in own:
        problems.add(
            "descriptor",
            f"the schema is one of {', '.join(NAMES)}",
            "correct 'supplychain': {'schema': ...}",
            file=DESCRIPTOR,
            value=declared,
        )
        return None
    present: Set[str] = contents.tables.keys() | contents.failed
    for name, telling in (("network", {"items", "supplies"}), ("regimes", {"controls", "regimes"})):
        if present & telling:
            return schema(name)
    if not problems.errors:
        problems.add(
            "not-a-package",
            "a data package has tables such as items and supplies, or regimes and controls",
            "is this the right folder?",
            file=DESCRIPTOR,
        )
    return None


def _load(contents: Contents, kind: Schema, problems: Problems, *, partial: bool = False) -> dict[str, Loaded]:
    """Return every table of the schema, typed; a table that is absent and may be is empty."""
    loaded: dict[str, Loaded] = {}
    for table in kind.tables:
        raw = contents.tables.get(table.name)
        if raw is not None:
            loaded[table.name] = load(raw, table, problems)
            continue
        loaded[table.name] = empty(table)
        if table.required and not partial and table.name not in contents.failed:
            users = sorted(
                {f"{t.name}.{c.name}" for t in kind.tables for c in t.columns if _refers(c.references, table.name)}
            )
            problems.add(
                "table-missing",
                f"the package has a table {table.name}: {table.description}",
                f"add {table.name}.csv" + (f"; {', '.join(users)} refer to it" if users else ""),
                table=table.name,
            )
    for name in sorted(contents.tables.keys() - set(kind.names)):
        meant = PurePath(contents.tables[name].file).stem.lower()
        if meant in kind.names and meant not in contents.tables and meant not in contents.failed:
            rule, cure = f"the resource that holds the table {meant} has its name", f"write {meant!r}"
            problems.add("resource-name", rule, cure, file=DESCRIPTOR, table=meant, column="resources", value=name)
            continue
        problems.warn(
            "stray-file",
            f"the schema {kind.name} has no table {name}",
            "not read: take it out",
            file=contents.tables[name].file,
            table=name,
        )
    return loaded


def _refers(references: str, table: str) -> bool:
    return references.split(".")[0] == table
