"""The commands about structure and power: `cutsets`, `leverage`, `esri`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.cli.options import Format, Output, OutputFormat, Quiet

if TYPE_CHECKING:
    from supplychain.analysis.cutsets import CutSets

DEFAULT_LIMIT = 1000
Plot = Annotated[Path | None, typer.Option("--plot", help="Also draw a picture: a file ending in .png, .svg or .html.")]


class Method(StrEnum):
    """How minimal cut sets are found."""

    auto = "auto"
    bdd = "bdd"
    zbdd = "zbdd"


class Replaceability(StrEnum):
    """Whether what the rest of a sector still makes can stand in for a failed firm."""

    none = "none"
    sector = "sector"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(cutsets)
    app.command()(esri)


def cutsets(
    open_psa: Annotated[
        Path | None, typer.Option("--open-psa", help="Open-PSA fault tree to analyse instead of the case.")
    ] = None,
    top: Annotated[str | None, typer.Option("--top", help="Gate to analyse. Default: every gate nothing uses.")] = None,
    count: Annotated[bool, typer.Option("--count", help="Only count the minimal cut sets, by size.")] = False,
    max_size: Annotated[
        int | None, typer.Option("--max-size", min=0, help="Only sets of at most this many elements.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="List at most this many sets; 0 lists all.")
    ] = DEFAULT_LIMIT,
    method: Annotated[Method, typer.Option("--method", help="How to find them; auto is fastest.")] = Method.auto,
    form: OutputFormat = Format.table,
    output: Output = None,
    plot: Plot = None,
    quiet: Quiet = False,
) -> None:
    """List or count the smallest sets of elements whose loss stops the product, smallest first."""
    from supplychain.cli.plots import check_suffix
    from supplychain.errors import UsageError

    check_suffix(plot)
    if open_psa is None:
        raise UsageError("name a fault tree with --open-psa")
    _open_psa_cutsets(open_psa, top, count, max_size, limit, method, form, output, plot, quiet)


def _open_psa_cutsets(
    path: Path,
    top: str | None,
    count: bool,
    max_size: int | None,
    limit: int,
    method: Method,
    form: Format,
    output: Path | None,
    plot: Path | None,
    quiet: bool,
) -> None:
    from supplychain.analysis.cutsets import minimal_cut_sets
    from supplychain.analysis.openpsa import read_open_psa
    from supplychain.cli.output import remark
    from supplychain.errors import UsageError, shown

    tree = read_open_psa(path)
    for warning in tree.warnings:
        remark(f"warning: {warning}", quiet=quiet)
    if top is not None and top not in tree.gates:
        known = ", ".join(shown(name, 40) for name in tree.tops[:10])
        raise UsageError(f"--top {shown(top)!r} is not a gate of the file; its top gates are: {known}")
    found = {
        name: minimal_cut_sets(tree.gates, name, max_size=max_size, method=method.value)
        for name in ([top] if top is not None else tree.tops)
    }
    for name, sets in found.items():
        if not sets.coherent:
            remark(
                f"warning: {shown(name)} is not coherent (some failure helps): these are its minimal solutions, the "
                "positive parts of prime implicants, as fault-tree programs count them",
                quiet=quiet,
            )
    _show_cut_sets(found, tree.name, count, limit, form, output)
    if plot is not None:
        _plot_sizes(found, plot)


def _show_cut_sets(
    found: dict[str, CutSets], tree: str, count: bool, limit: int, form: Format, output: Path | None
) -> None:
    import pandas as pd

    from supplychain.cli.output import show_record, show_table

    records = [
        {
            "tree": tree,
            "top": name,
            "count": sets.count,
            "sizes": {size: number for size, number in enumerate(sets.sizes) if number},
            "max_size": sets.max_size,
            "events": len(sets.events),
            "coherent": sets.coherent,
            "method": sets.method,
            "nodes": sets.nodes,
        }
        for name, sets in found.items()
    ]
    if count and len(records) == 1:
        show_record(records[0], form, output)
        return
    if count:
        show_table(pd.DataFrame(records), form, output, title=f"Minimal cut sets of {tree}")
        return
    rows = [
        {"top": name, "size": len(chosen), "events": list(chosen)}
        for name, sets in found.items()
        for chosen in sets.sets(limit or None)
    ]
    table = pd.DataFrame(rows, columns=["top", "size", "events"])
    total = sum(sets.count for sets in found.values())
    notes = [f"{total:,} minimal cut sets" + (f"; the first {len(rows):,} are listed" if len(rows) < total else "")]
    about = {**records[0], "listed": len(rows)} if len(records) == 1 else {"tops": records, "listed": len(rows)}
    show_table(
        table,
        form,
        output,
        title=f"Minimal cut sets of {tree}",
        columns=["size", "events"] if len(found) == 1 else None,
        notes=notes,
        record=about,
    )


def _plot_sizes(found: dict[str, CutSets], plot: Path) -> None:
    import pandas as pd

    from supplychain.cli.plots import bars, save

    rows = [
        (f"{name}: {size}" if len(found) > 1 else str(size), number)
        for name, sets in found.items()
        for size, number in enumerate(sets.sizes)
        if number
    ]
    table = pd.DataFrame(rows, columns=["elements", "sets"])
    save(bars(table, "elements", "sets", "Minimal cut sets by number of elements", "sets"), plot)


def esri(
    links: Annotated[Path, typer.Option("--links", help="CSV or Parquet: supplier, buyer, flow.")],
    sectors: Annotated[Path, typer.Option("--sectors", help="CSV or Parquet: firm, sector (revenue, cost optional).")],
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
    from supplychain.analysis.moneyflow import read_list
    from supplychain.cli.output import progress, remark, show_table
    from supplychain.cli.plots import bars, check_suffix, save
    from supplychain.errors import UsageError

    check_suffix(plot)
    try:
        limit: Any = "published" if threshold == "published" else float(threshold)
    except ValueError:
        raise UsageError(f"--threshold {threshold!r} is neither a number nor 'published'") from None
    with progress(quiet) as step:
        step("reading the lists")
        classes: Any = essentiality
        if essentiality not in ("linear", "leontief"):
            classes = read_list(Path(essentiality), ("supplier_sector", "buyer_sector", "class"), "essentiality")
        flows, firms = (
            read_list(links, ("supplier", "buyer"), "links"),
            read_list(sectors, ("firm", "sector"), "sectors"),
        )
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
