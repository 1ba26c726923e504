"""The commands about facts: `check` a data package, `show` what the packages say of one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.cli.options import Encoding, Format, Network, Output, OutputFormat, Regimes, known_encoding

if TYPE_CHECKING:
    import pandas as pd

    from supplychain.errors import Problem, Problems
    from supplychain.facts.lookup import Entry
    from supplychain.facts.package import Package

_PROVENANCE = ("year", "quality", "source")
_SHOWN = 25  # related rows and warnings that the terminal shows; the machine formats carry all


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(check)
    app.command()(show)


def check(
    package: Annotated[Path, typer.Argument(help="Data package: a folder, or one .xlsx workbook.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse faults of form too, such as unknown columns.")
    ] = False,
    fix: Annotated[
        Path | None, typer.Option("--fix", help="Write a copy with the mends that lose nothing to this new folder.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the faults as one HTML page to this file.")] = None,
    encoding: Encoding = "utf-8",
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Check a data package and tell every fault at once (exit code 3 when it is refused)."""
    from supplychain.cli.output import show_table
    from supplychain.errors import InputError

    known_encoding(encoding)
    if fix is not None:
        _mend(package, fix, form, encoding)
        package, encoding = fix, "utf-8"
    try:
        good = _read(package, strict, encoding)
        _page(html, package, (), good.warnings)
    except InputError as error:
        _page(html, package, error.problems, error.warnings)
        if form is Format.table and output is None:
            raise
        record = {"package": str(package), "accepted": False}
        show_table(_findings(error.problems, error.warnings), form, output, record=record)
        raise typer.Exit(error.exit_code) from None
    record = {"package": good.name, "accepted": True, "schema": good.schema, "hashes": good.hashes}
    record["known_as_of"] = good.descriptor.get("supplychain", {}).get("known_as_of")
    record["warnings"] = _findings((), good.warnings).to_dict("records")
    notes = [f"warning: {warning}" for warning in good.warnings[:_SHOWN]]
    if len(good.warnings) > _SHOWN:
        notes.append(f"and {len(good.warnings) - _SHOWN} more warnings")
    notes.append(f"{package}: accepted as a {good.schema} package")
    show_table(_summary(good), form, output, title=f"{good.name}", notes=notes, record=record)


def _mend(package: Path, fixed: Path, form: Format, encoding: str) -> None:
    """Write the mended copy and tell every mend."""
    from supplychain.cli.output import remark, show_table
    from supplychain.facts.mend import mend, write_mended

    mended = mend(package, encoding)
    write_mended(mended, fixed)
    if len(mended.mends) and form is Format.table:
        rest = len(mended.mends) - 4 * _SHOWN
        notes = [f"and {rest:,} more"] if rest > 0 else []
        show_table(mended.mends.head(4 * _SHOWN), title=f"Mended in {fixed}", notes=notes)
    remark(f"{len(mended.mends):,} mends; the copy {fixed} is checked now")
    for name in mended.unread:
        remark(f"{name} could not be read and is not in the copy: see supplychain check {package}")


def _page(html: Path | None, package: Path, errors: Sequence[Problem], warnings: Sequence[Problem]) -> None:
    if html is not None:
        from supplychain.cli.output import write_text
        from supplychain.facts.faultpage import fault_page

        write_text(fault_page(package.name, errors, warnings), html)


def _read(path: Path, strict: bool, encoding: str = "utf-8") -> Package:
    """Read a package and let the room that uses it say whether it understands every cell."""
    from supplychain.facts.package import read_package

    def meaning(tables: Mapping[str, pd.DataFrame], problems: Problems, rows: Mapping[str, Any]) -> None:
        if "controls" in tables:
            from supplychain.regimes.check import find_faults

            find_faults(tables, problems, rows)

    package = read_package(path, strict=strict, encoding=encoding, also=meaning)
    if package.schema == "regimes":
        from supplychain.regimes.check import check_book

        check_book(package.tables, package.descriptor)
    return package


def _findings(errors: Sequence[Problem], warnings: Sequence[Problem]) -> pd.DataFrame:
    from dataclasses import asdict

    import pandas as pd

    rows = [{"severity": "error", **asdict(problem)} for problem in errors]
    rows += [{"severity": "warning", **asdict(problem)} for problem in warnings]
    columns = ["severity", "code", "file", "table", "row", "column", "value", "rule", "cure"]
    return pd.DataFrame(rows, columns=columns).astype({"row": "Int64"})


def _summary(package: Package) -> pd.DataFrame:
    """Return one row per table: its rows, and how many of them are reported, derived, estimate, assumption."""
    import pandas as pd

    rows = []
    for name, table in package.tables.items():
        quality = table["quality"] if "quality" in table else pd.Series(dtype="str")
        qualities = {word: int((quality == word).sum()) for word in ("reported", "derived", "estimate", "assumption")}
        rows.append({"table": name, "rows": len(table), **qualities})
    return pd.DataFrame(rows)


def show(
    name: Annotated[str, typer.Argument(help="An id (gallium-6n, asml, w1-iec, IND...) or an exact name.")],
    table: Annotated[
        str,
        typer.Option("--table", help="Look only in this table: items, organisations, supplies, states, controls..."),
    ] = "",
    network: Network = None,
    regimes: Regimes = None,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Show what the packages say of one thing, with its quality and sources."""
    from supplychain.cli.output import show_table
    from supplychain.facts.lookup import describe, find
    from supplychain.facts.package import read_package
    from supplychain.locate import datasets

    packages = [
        read_package(network or datasets() / "semiconductors", "network"),
        read_package(regimes or datasets() / "regimes", "regimes"),
    ]
    hits = find(packages, name, table)
    if len(hits) > 1:
        import pandas as pd

        rows = pd.DataFrame([{"table": hit.table, "id": hit.id, "name": hit.name} for hit in hits])
        notes = ["several things go by this name: give the id, and --table where that is not enough"]
        show_table(rows, form, output, title=name, notes=notes, record={"name": name})
        return
    entry = describe(packages, hits[0])
    if form is Format.table:
        _print(entry, output)
    elif form is Format.json:
        from supplychain.cli.output import show_record

        show_record(_record(entry), form, output)
    else:
        show_table(_long(entry), form, output)


def _record(entry: Entry) -> dict[str, Any]:
    return {
        "table": entry.hit.table,
        "id": entry.hit.id,
        "name": entry.hit.name,
        "record": _known(entry.record),
        "sources": entry.sources.to_dict("records"),
        "related": [
            {"table": part.table, "by": part.by, "rows": [_known(row) for row in part.rows.to_dict("records")]}
            for part in entry.related
        ],
    }


def _known(row: dict[Any, Any]) -> dict[str, Any]:
    """Return the row with None for each unknown cell."""
    import pandas as pd

    return {str(key): None if pd.isna(value) or value == "" else value for key, value in row.items()}


def _long(entry: Entry) -> pd.DataFrame:
    """Return one line per cell that is known: table, by, row, column, value."""
    import pandas as pd

    from supplychain.cli.output import plain

    parts: list[tuple[str, str, list[Any]]] = [
        (entry.hit.table, "", [entry.record]),
        ("sources", "", entry.sources.to_dict("records")),
    ]
    parts += [(part.table, part.by, part.rows.to_dict("records")) for part in entry.related]
    lines = [
        {"table": table, "by": by, "row": number, "column": column, "value": str(plain(value))}
        for table, by, rows in parts
        for number, row in enumerate(rows, start=1)
        for column, value in _known(row).items()
        if value is not None
    ]
    return pd.DataFrame(lines, columns=["table", "by", "row", "column", "value"])


def _print(entry: Entry, output: Path | None) -> None:
    import io
    from contextlib import redirect_stdout

    from supplychain.cli.output import show_record, write_text

    page = io.StringIO()
    with redirect_stdout(page):
        show_record({key: value for key, value in entry.record.items() if _said(value)})
        for part in entry.related:
            rows = part.rows.loc[
                :, [name for name in part.rows if name != part.by and part.rows[name].map(_said).any()]
            ]
            facts = [str(name) for name in rows if name not in (*_PROVENANCE, "note")][:6]
            _print_table(rows[[*facts, *(name for name in _PROVENANCE if name in rows)]], f"{part.table} ({part.by})")
        if len(entry.sources):
            _print_table(entry.sources[["source", "title", "publisher", "date", "url"]], "sources")
    write_text(page.getvalue(), output)


def _print_table(rows: pd.DataFrame, title: str) -> None:
    from supplychain.cli.output import show_table, write_text

    rest = len(rows) - _SHOWN
    notes = [f"and {rest} more; --format json shows all"] if rest > 0 else []
    write_text("\n", None)
    show_table(rows.head(_SHOWN), title=title, notes=notes)


def _said(value: object) -> bool:
    return bool(_known({"": value})[""] is not None)
