"""The commands that bring data in and take results out: `init`, `merge`, `import`, `export`, `bom`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from supplychain.cli.options import (
    DEFAULT_DATE,
    CaseOptions,
    Encoding,
    Format,
    On,
    Output,
    OutputFormat,
    Quiet,
    known_encoding,
)
from supplychain.errors import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from supplychain.exchange.intake import Intake
    from supplychain.exchange.tradefolder import TradeImport

_SHOWN = 25  # warnings that the terminal shows
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(init)
    app.command("import")(bring)
    app.command()(export)
    app.command()(merge)
    bills = typer.Typer(
        no_args_is_help=True, help="Bring in a bill of materials: propose what its parts are, then apply."
    )
    bills.command("propose")(bom_propose)
    bills.command("apply")(bom_apply)
    app.add_typer(bills, name="bom")


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
    baci = "baci"
    comtrade = "comtrade"
    icio = "icio"
    usgs = "usgs"


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

    found: Intake | TradeImport
    warnings: list[str] = []
    odd: list[str] = []
    if name in (DataSet.baci, DataSet.comtrade):
        found = _trade(name, source, dest, overwrite)
    else:
        found = _read(name, source)
        written = save(found, dest, overwrite=overwrite)
        warnings = [str(warning) for warning in written.warnings]
        odd = [str(warning) for warning in found.warnings]
    record = {
        "data_set": name.value,
        "package": str(dest),
        "rows_in": dict(found.rows_in),
        "lost": found.lost,
        "notice": found.notice,
        "remarks": list(found.remarks),
        "warnings": [*odd, *warnings],
    }
    rows = sum(found.rows_in.values())
    notes = [f"{rows:,} rows in, {found.lost} lost; written and checked: {dest}", *found.remarks]
    notes += [f"warning: {warning}" for warning in odd[:_SHOWN]]
    notes += [f"and {len(odd) - _SHOWN} more warnings; --format json tells all"] if len(odd) > _SHOWN else []
    notes += [f"{len(warnings)} warnings; supplychain check {dest} tells them"] if warnings else []
    notes += [found.notice] if found.notice else []
    show_table(found.counts, form, output, title=f"Import of {name.value}", notes=notes, record=record)


def _read(name: DataSet, source: Path) -> Intake:
    from supplychain.exchange.eto import read_eto
    from supplychain.exchange.iotables import read_io
    from supplychain.exchange.usgs import read_usgs

    readers: dict[DataSet, Callable[[Path], Intake]] = {
        DataSet.eto: read_eto,
        DataSet.icio: read_io,
        DataSet.usgs: read_usgs,
    }
    return readers[name](source)


def _trade(name: DataSet, source: Path, dest: Path, overwrite: bool) -> TradeImport:
    from supplychain.exchange.baci import import_baci
    from supplychain.exchange.comtrade import import_comtrade

    read = import_baci if name is DataSet.baci else import_comtrade
    return read(source, dest, overwrite=overwrite)


class Shape(StrEnum):
    """What leaves: a sourcing plan in a procurement format, or the network."""

    sap_quota = "sap-quota"
    sap_source_list = "sap-source-list"
    ariba = "ariba"
    coupa = "coupa"
    plan = "plan"
    graphml = "graphml"
    gexf = "gexf"
    nodes_edges = "nodes-edges"
    geojson = "geojson"
    package = "package"


_PLANS = (Shape.sap_quota, Shape.sap_source_list, Shape.ariba, Shape.coupa, Shape.plan)


def export(
    shape: Annotated[Shape, typer.Argument(help="Format to write: a sourcing plan's, or the network's.")],
    dest: Annotated[Path, typer.Argument(help="File to write (.xlsx, .csv, .json, .parquet); a folder for a package.")],
    policy: Annotated[str, typer.Option("--policy", help="For plans: a bundled policy, or a TOML file.")] = "balanced",
    parquet: Annotated[bool, typer.Option("--parquet", help="For a folder: Parquet files instead of CSV.")] = False,
    on: On = DEFAULT_DATE,
    *,
    wanted: CaseOptions,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> int:
    """Write a sourcing plan for a procurement system, or the network for another tool."""
    if shape not in _PLANS:
        _export_network(shape, dest, wanted.network, parquet, overwrite)
        typer.echo(dest)
        return 0
    from supplychain.cli.output import progress
    from supplychain.exchange.award import award_sheet, coupa_items, plain_plan
    from supplychain.exchange.planned import planned
    from supplychain.exchange.sap import quota_arrangements, source_list
    from supplychain.exchange.sheets import writable, write_tables
    from supplychain.sourcing import load_policy
    from supplychain.sourcing import source as make

    writable(dest, overwrite)
    tables = {
        Shape.sap_quota: quota_arrangements,
        Shape.sap_source_list: source_list,
        Shape.ariba: award_sheet,
        Shape.coupa: coupa_items,
        Shape.plan: plain_plan,
    }[shape]
    chosen = load_policy(policy)
    with progress(quiet) as step:
        step("reading facts and law")
        case = wanted.load(on)
        step(f"solving {chosen.name}")
        plan = make(case, chosen)
        lines = planned(plan, case)
        write_tables(shape.value, tables(lines), lines.about, dest, overwrite=overwrite)
    typer.echo(dest)
    return 0 if plan.outcome.proven else NoAnswer.exit_code


def _export_network(shape: Shape, dest: Path, network: Path | None, parquet: bool, overwrite: bool) -> None:
    from supplychain.exchange.geojson import write_geojson
    from supplychain.exchange.graph import nodes_and_edges, write_graph
    from supplychain.exchange.sheets import write_folder
    from supplychain.facts.package import read_package, write_package
    from supplychain.locate import datasets
    from supplychain.network import SupplyNetwork

    package = read_package(network or datasets() / "semiconductors", "network")
    form = "parquet" if parquet else "csv"
    if shape is Shape.package:
        write_package(package, dest, format=form, overwrite=overwrite)
    elif shape is Shape.geojson:
        write_geojson(package, dest, overwrite=overwrite)
    elif shape is Shape.nodes_edges:
        nodes, edges = nodes_and_edges(SupplyNetwork.from_package(package))
        about = {"name": package.name, "hashes": package.hashes}
        write_folder(shape.value, {"nodes": nodes, "edges": edges}, about, dest, form, overwrite=overwrite)
    else:
        write_graph(SupplyNetwork.from_package(package), dest, shape.value, overwrite=overwrite)


def merge(
    mine: Annotated[Path, typer.Argument(help="Your package: a folder, or a workbook (.xlsx).")],
    dest: Annotated[Path, typer.Argument(help="Package to write: a folder, or a workbook (.xlsx).")],
    onto: Annotated[
        Path | None, typer.Option("--onto", help="Package to lay it over. Default: the bundled network.")
    ] = None,
    overwrite: Overwrite = False,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Lay your package over another: your suppliers first, the world market behind them. Matches by id only."""
    from supplychain.cli.output import show_table
    from supplychain.exchange.intake import write_checked
    from supplychain.exchange.merge import merge as lay_over
    from supplychain.facts.package import read_package
    from supplychain.locate import datasets

    base = read_package(onto or datasets() / "semiconductors", "network")
    merged = lay_over(mine, base)
    write_checked(merged.package, dest, overwrite=overwrite)
    record = {"package": str(dest), "onto": base.name, "summary": merged.summary.to_dict("records")}
    close = merged.report[merged.report["outcome"] == "resembles"]
    notes = [f"{row.table} {row.id} resembles {row.detail}" for row in close.head(20).itertuples()]
    notes.append(f"written and checked: {dest}; --format csv tells every row")
    table = merged.summary if form is Format.table else merged.report
    show_table(table, form, output, title=f"{mine} over {base.name}", notes=notes, record=record)


Bill = Annotated[Path, typer.Argument(help="Bill of materials: CSV or XLSX, by level or by parent and child.")]
Onto = Annotated[Path | None, typer.Option("--onto", help="Network it is mapped to. Default: the bundled one.")]


def bom_propose(
    bill: Bill,
    mapping: Annotated[Path, typer.Argument(help="Mapping to write (CSV), for you to confirm row by row.")],
    onto: Onto = None,
    encoding: Encoding = "utf-8",
    overwrite: Overwrite = False,
) -> None:
    """Propose which item each part is. Write yes or no in the column `confirmed`; without it nothing is used."""
    from supplychain.exchange.bom import propose, write_mapping
    from supplychain.exchange.bomfile import read_bom
    from supplychain.facts.package import read_package
    from supplychain.locate import datasets

    known_encoding(encoding)
    bom = read_bom(bill, encoding)
    table = propose(bom, read_package(onto or datasets() / "semiconductors", "network"))
    write_mapping(table, mapping, overwrite=overwrite)
    found = int((table["item"] != "").sum())
    typer.echo(f"{bom.rows_in} lines, {len(table)} parts to map, {found} proposals, 0 confirmed")
    if bom.ignored:
        typer.echo(f"columns not used: {', '.join(bom.ignored)}")
    typer.echo(
        f"write yes or no in the column confirmed of {mapping}, then: supplychain bom apply {bill} {mapping} DEST"
    )


def bom_apply(
    bill: Bill,
    mapping: Annotated[Path, typer.Argument(help="The mapping, every row confirmed yes or no.")],
    dest: Annotated[Path, typer.Argument(help="Package to write: a folder, or a workbook (.xlsx).")],
    buyer: Annotated[str, typer.Option("--buyer", help="Who makes the product.")],
    site: Annotated[str, typer.Option("--site", help="Country where it is made (ISO3).")],
    demand: Annotated[float | None, typer.Option("--demand", help="Products a year; unknown without it.")] = None,
    onto: Onto = None,
    encoding: Encoding = "utf-8",
    overwrite: Overwrite = False,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Make a network of a bill and its confirmed mapping, laid over the one it was mapped to."""
    from supplychain.cli.output import show_table
    from supplychain.exchange.bom import bom_network, read_mapping
    from supplychain.exchange.bomfile import read_bom
    from supplychain.exchange.intake import write_checked
    from supplychain.exchange.merge import lay_over
    from supplychain.facts.countries import country
    from supplychain.facts.package import read_package
    from supplychain.locate import datasets

    country(site)
    base = read_package(onto or datasets() / "semiconductors", "network")
    known_encoding(encoding)
    bom = read_bom(bill, encoding)
    own, lines = bom_network(bom, read_mapping(mapping, bom, base), buyer=buyer, site=site, demand=demand)
    write_checked(lay_over(own, base).package, dest, overwrite=overwrite)
    tops = " ".join(f"--product {name}" for name in own.tables["plants"]["item"])
    notes = [f"{len(lines)} lines; written and checked: {dest}"]
    notes.append(f"supplychain exposure --network {dest} --buyer {own.tables['plants']['buyer'].iloc[0]} {tops}")
    show_table(lines, form, output, title=f"{bom.name} over {base.name}", notes=notes, record={"package": str(dest)})
