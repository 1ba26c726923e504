"""The commands that bring data in and take results out: `init`, `merge`, `import`, `export`, `bom`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(init)


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
