"""The command about single firms in networks of money flows: `esri`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from supplychain.cli.options import Format, Output, OutputFormat, Quiet
from supplychain.cli.plots import Plot


class Replaceability(StrEnum):
    """Whether what the rest of a sector still makes can stand in for a failed firm."""

    none = "none"
    sector = "sector"


def esri(
    links: Annotated[Path | None, typer.Option("--links", help="CSV or Parquet: supplier, buyer, flow.")] = None,
    sectors: Annotated[
        Path | None, typer.Option("--sectors", help="CSV or Parquet: firm, sector (revenue, cost optional).")
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option("--network", help="Instead of the lists: a data package with priced lanes."),
    ] = None,
    essentiality: Annotated[
        str, typer.Option("--essentiality", help="linear, leontief, or a table supplier_sector, buyer_sector, class.")
    ] = "linear",
    replaceability: Annotated[
        Replaceability, typer.Option("--replaceability", help="sector: the rest of a sector stands in for a firm.")
    ] = Replaceability.none,
    threshold: Annotated[
        str, typer.Option("--threshold", help="Stop when no level moves more; 'published' is 0.01.")
    ] = "published",
    group: Annotated[
        Path | None,
        typer.Option("--group", help="CSV firm, group: the firms of a group fail together, one row a group."),
    ] = None,
    revenue_sink: Annotated[
        float, typer.Option("--revenue-sink", help="Revenues are this many times the sales in the links (try 1.3).")
    ] = 1.0,
    cost_sink: Annotated[
        float, typer.Option("--cost-sink", help="Costs are this many times the purchases in the links (try 1.2).")
    ] = 1.0,
    drop: Annotated[
        float, typer.Option("--drop", help="Leave changes below this unpropagated; the error bound is printed.")
    ] = 0.0,
    form: OutputFormat = Format.table,
    output: Output = None,
    plot: Plot = None,
    quiet: Quiet = False,
) -> None:
    """Show the Economic Systemic Risk Index of each firm: the share of all sales that fails when it fails."""
    from supplychain.analysis.esri import esri as measure
    from supplychain.analysis.moneyflow import lane_lists, read_list
    from supplychain.cli.output import progress, remark, show_table
    from supplychain.cli.plots import bars, check_suffix, save
    from supplychain.errors import UsageError

    check_suffix(plot)
    if (network is None) == (links is None and sectors is None) or (links is None) != (sectors is None):
        raise UsageError("give --links and --sectors together, or --network with lanes instead")
    try:
        limit: Any = "published" if threshold == "published" else float(threshold)
    except ValueError:
        raise UsageError(f"--threshold {threshold!r} is neither a number nor 'published'") from None
    with progress(quiet) as step:
        step("reading the lists")
        classes: Any = essentiality
        if essentiality not in ("linear", "leontief"):
            classes = read_list(Path(essentiality), ("supplier_sector", "buyer_sector", "class"), "essentiality")
        if links is not None and sectors is not None:
            flows = read_list(links, ("supplier", "buyer"), "links")
            firms = read_list(sectors, ("firm", "sector"), "sectors")
        else:
            from supplychain.facts.package import read_package
            from supplychain.network import SupplyNetwork

            assert network is not None
            flows, firms = lane_lists(SupplyNetwork.from_package(read_package(network, "network")))
        members = None
        if group is not None:
            listed = read_list(group, ("firm", "group"), "group")
            members = {str(name): rows["firm"].tolist() for name, rows in listed.groupby("group")}
        step("letting firms fail")
        found = measure(
            flows,
            firms,
            essentiality=classes,
            replaceability=replaceability.value,
            threshold=limit,
            revenue_sink=revenue_sink,
            cost_sink=cost_sink,
            groups=members,
            drop=drop,
        )
    for warning in found.warnings:
        remark(f"warning: {warning}", quiet=quiet)
    name = str(found.table.columns[0])
    ranked = found.table.sort_values(["esri", name], ascending=[False, True], kind="stable")
    table = ranked if form is Format.table else found.table
    notes = [
        "Share of all sales lost when the firm fails; down and up: each direction alone. The index depends on the stop "
        f"threshold ({found.threshold:g}), which is part of its definition."
    ]
    show_table(table, form, output, title="Economic Systemic Risk Index", notes=notes)
    if plot is not None:
        save(
            bars(ranked.head(30), name, "esri", f"ESRI, stop threshold {found.threshold:g}", "share of all sales"), plot
        )
