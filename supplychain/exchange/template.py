"""The template that `init` writes: a small package of invented rows, as a folder or as a workbook to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supplychain.exchange.form import write_form
from supplychain.facts.package import Package, read_package, write_package
from supplychain.facts.schema import Column, Schema, Table, schema
from supplychain.locate import datasets

_TYPES = {"number": "number", "integer": "integer", "year": "year", "boolean": "boolean", "date": "date"}
HOW = """\
# {title}

A network data package. Every row in it is invented: replace the rows, keep the headers. Then:

    supplychain check {name}
    supplychain exposure --network {name}
    supplychain report --network {name}

A blank cell means *unknown*: never zero, never "not controlled". Several values in one cell are joined by `;`.
Shares and other fractions run from 0 to 1. Countries are ISO 3166-1 alpha-3 (IND, DEU, TWN).
Tables and columns marked * must be there; columns marked ** must be filled.
"""


def start(path: Path, *, overwrite: bool = False) -> Package:
    """Write the template to `path`: a workbook when it ends in .xlsx, else a folder of CSV. Return it as read back."""
    package = read_package(datasets() / "template", "network", strict=True)
    package.descriptor["name"] = name = path.stem
    if path.suffix.lower() == ".xlsx":
        write_form(package, path, overwrite=overwrite)
        return read_package(path)
    package.descriptor["resources"] = [_resource(table) for table in schema("network").tables]
    title = str(package.descriptor.get("title", name))
    readme = HOW.format(title=title, name=path.name) + columns_page(schema("network"))
    write_package(package, path, overwrite=overwrite, companions={"README.md": readme.encode()})
    return read_package(path)


def columns_page(kind: Schema) -> str:
    """Return Markdown that tells table by table what each column holds."""
    lines: list[str] = []
    for table in kind.tables:
        lines += ["", f"## {table.name}{'*' if table.required else ''}", "", f"{table.description}.", ""]
        lines += ["| column | unit or values | meaning | example |", "|---|---|---|---|"]
        lines += [
            f"| {column.name}{'**' if column.filled else '*' if column.present else ''} | {values_of(column)} "
            f"| {column.description} | {column.example} |"
            for column in table.columns
        ]
    return "\n".join(lines) + "\n"


def values_of(column: Column) -> str:
    """Return what may stand in a cell of the column: its values, what it refers to, its unit or its type."""
    if column.references:
        also = f" or {', '.join(column.values)}" if column.values else ""
        return f"{column.references}{also}"
    if column.values:
        return ", ".join(column.values)
    if column.unit:
        return column.unit
    kinds = {"country": "ISO 3166-1 alpha-3", "date": "YYYY-MM-DD", "when": "YYYY-MM-DD or c. YYYY"}
    return kinds.get(column.type, column.type)


def _resource(table: Table) -> dict[str, Any]:
    """Return the Frictionless description of a table; `write_package` adds its path."""
    return {
        "name": table.name,
        "title": table.description,
        "schema": {"fields": [_field(column) for column in table.columns], "primaryKey": list(table.key)},
    }


def _field(column: Column) -> dict[str, Any]:
    constraints: dict[str, Any] = {"required": True} if column.filled else {}
    if column.values and not column.references and column.type == "text":
        constraints["enum"] = list(column.values)
    field: dict[str, Any] = {"name": column.name, "type": _TYPES.get(column.type, "string")}
    field |= {"description": column.description, "unit": column.unit, "example": column.example}
    return {key: value for key, value in field.items() if value} | ({"constraints": constraints} if constraints else {})
