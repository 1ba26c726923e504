"""The commands that bring data in and take results out: `init`, `merge`, `import`, `export`, `bom`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from supplychain.cli.options import Format, Output, OutputFormat

if TYPE_CHECKING:
    from supplychain.exchange.intake import Intake

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(init)
    app.command("import")(bring)


def init(
    path: Annotated[Path, typer.Argument(help="Folder to make, or a workbook (.xlsx).")],
    xlsx: Annotated[
        bool, typer.Option("--xlsx", help="One workbook with drop-downs and comments, instead of CSV files.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Start a network of your own from a template: every table, its columns explained, a few rows to replace."""
    from supplychain.exchange.template import start

    if xlsx and path.suffix.lower() != ".xlsx":
        path = path.with_name(f"{path.name}.xlsx")
    package = start(path, overwrite=overwrite)
    rows = sum(len(table) for table in package.tables.values())
    typer.echo(f"{path}: a template of {rows} invented rows. Replace them, then: supplychain check {path}")


class DataSet(StrEnum):
    """Data sets of others that can be imported."""

    eto = "eto"


def bring(
    name: Annotated[DataSet, typer.Argument(help="Which data set the source is.")],
    source: Annotated[Path, typer.Argument(help="Its folder or file, as published.")],
    dest: Annotated[Path, typer.Argument(help="Package to write: a folder, or a workbook (.xlsx).")],
    overwrite: Overwrite = False,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Turn a public data set into a checked data package; every row that came in is accounted for."""
    from supplychain.cli.output import show_table
    from supplychain.exchange.intake import save

    found = _read(name, source)
    package = save(found, dest, overwrite=overwrite)
    record = {
        "data_set": name.value,
        "package": str(dest),
        "rows_in": dict(found.rows_in),
        "lost": found.lost,
        "notice": found.notice,
        "remarks": list(found.remarks),
        "warnings": [str(warning) for warning in package.warnings],
    }
    rows = sum(found.rows_in.values())
    notes = [f"{rows:,} rows in, {found.lost} lost; written and checked: {dest}", *found.remarks]
    notes += [f"{len(package.warnings)} warnings; supplychain check {dest} tells them"] if package.warnings else []
    notes += [found.notice] if found.notice else []
    show_table(found.counts, form, output, title=f"Import of {name.value}", notes=notes, record=record)


def _read(name: DataSet, source: Path) -> Intake:
    from supplychain.exchange.eto import read_eto

    return {DataSet.eto: read_eto}[name](source)
