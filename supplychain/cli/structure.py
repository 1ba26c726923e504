"""The commands about structure: `cutsets`; those about power (`leverage`) and firms (`esri`) are registered here
too.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from supplychain.cli.options import (
    DEFAULT_DATE,
    CaseOptions,
    Format,
    On,
    Output,
    OutputFormat,
    Quiet,
)
from supplychain.cli.plots import Horizon, Plot, horizon_months

if TYPE_CHECKING:
    from supplychain.analysis.cutsets import CutSets
    from supplychain.analysis.faulttree import CaseTree

DEFAULT_LIMIT = 1000


class Method(StrEnum):
    """How minimal cut sets are found."""

    auto = "auto"
    bdd = "bdd"
    zbdd = "zbdd"


class By(StrEnum):
    """What cut sets are made of."""

    state = "state"
    organisation = "organisation"
    site = "site"
    supply = "supply"
    control = "control"


class Need(StrEnum):
    """Which of several products must be lost."""

    all = "all"
    any = "any"


class Unknown(StrEnum):
    """What becomes of supply whose maker or place is not known."""

    kept = "kept"
    lost = "lost"


def register(app: typer.Typer) -> None:
    """Add the commands about structure, power and firms to the application."""
    from supplychain.cli import firms, power

    app.command()(cutsets)
    app.command()(power.leverage)
    app.command()(firms.esri)


def cutsets(
    open_psa: Annotated[
        Path | None, typer.Option("--open-psa", help="Open-PSA fault tree to analyse instead of the case.")
    ] = None,
    top: Annotated[str | None, typer.Option("--top", help="Gate to analyse. Default: every gate nothing uses.")] = None,
    count: Annotated[bool, typer.Option("--count", help="Only count the minimal cut sets, by size.")] = False,
    max_size: Annotated[
        int | None, typer.Option("--max-size", min=0, help="Only sets of at most this many elements.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="List at most so many sets; 0 for all.")] = DEFAULT_LIMIT,
    method: Annotated[Method, typer.Option("--method", help="How to find them; auto is fastest.")] = Method.auto,
    by: Annotated[By, typer.Option("--by", help="Elements that can be lost or refuse.")] = By.state,
    below: Annotated[
        float, typer.Option("--below", help="Cut off means that at most this share of supply is left; 0 is nothing.")
    ] = 0.1,
    horizon: Horizon = "36",
    unknown: Annotated[
        Unknown,
        typer.Option("--unknown", help="Supply of unknown maker or place: kept, or lost as soon as anything is."),
    ] = Unknown.kept,
    need: Annotated[Need, typer.Option("--need", help="Cut off from all of the products, or from any.")] = Need.all,
    cheapest: Annotated[
        bool, typer.Option("--cheapest", help="Only the cheapest set, by integer programming.")
    ] = False,
    weight: Annotated[
        list[str] | None, typer.Option("--weight", help="ELEMENT=COST for --cheapest; others cost 1. May be repeated.")
    ] = None,
    export: Annotated[Path | None, typer.Option("--export", help="Also write the fault tree as Open-PSA.")] = None,
    on: On = DEFAULT_DATE,
    *,
    wanted: CaseOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
    plot: Plot = None,
    quiet: Quiet = False,
) -> None:
    """List or count the smallest sets of states, makers, sites or controls whose loss cuts the buyer off."""
    from supplychain.cli.plots import check_suffix

    check_suffix(plot)
    if open_psa is not None:
        _open_psa_cutsets(open_psa, top, count, max_size, limit, method, form, output, plot, quiet)
        return
    from supplychain.analysis.cutsets import minimal_cut_sets
    from supplychain.analysis.faulttree import TOP, fault_tree
    from supplychain.analysis.openpsa import open_psa as written
    from supplychain.cli.output import progress, remark
    from supplychain.files import replace_file

    with progress(quiet) as step:
        step("reading facts and law")
        case = wanted.load(on)
        step("building the fault tree")
        built = fault_tree(
            case, by.value, below=below, horizon=horizon_months(horizon), unknown=unknown.value, need=need.value
        )
        if export is not None:
            replace_file(export, written(built.tree, built.labels).encode("utf-8"))
        if not cheapest:
            step("finding minimal cut sets")
            found = minimal_cut_sets(built.tree.gates, TOP, max_size=max_size, method=method.value)
    for warning in case.warnings:
        remark(f"warning: {warning}", quiet=quiet)
    if cheapest:
        _show_cheapest(built, _weights(weight), form, output)
        return
    _show_cut_sets({TOP: found}, built.tree.name, count, limit, form, output, built.labels)
    if plot is not None:
        _plot_sizes({TOP: found}, plot)


def _weights(given: list[str] | None) -> dict[str, float]:
    from supplychain.errors import UsageError

    weights = {}
    for text in given or []:
        name, _, cost = text.rpartition("=")
        try:
            weights[name] = float(cost)
        except ValueError:
            name = ""
        if not name:
            raise UsageError(f"--weight {text!r}: write ELEMENT=COST, such as NLD=2.5") from None
    return weights


def _show_cheapest(built: CaseTree, weights: dict[str, float], form: Format, output: Path | None) -> None:
    from supplychain.analysis.faulttree import TOP
    from supplychain.analysis.interdiction import cheapest_cut_set
    from supplychain.cli.output import show_record
    from supplychain.errors import UsageError, shown

    unknown = sorted(set(weights) - set(built.events))
    if unknown:
        raise UsageError(f"--weight: {shown(unknown[0])!r} is not an element of this case")
    found = cheapest_cut_set(built.tree.gates, TOP, weights, others=20)
    record = {
        "events": list(found.events),
        "names": [built.labels.get(event, event) for event in found.events],
        "cost": found.cost,
        "bound": found.bound,
        "weights": found.weights,
        "others_of_the_same_cost": [list(others) for others in found.others],
    }
    show_record(record, form, output)


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
    found: dict[str, CutSets],
    tree: str,
    count: bool,
    limit: int,
    form: Format,
    output: Path | None,
    labels: dict[str, str] | None = None,
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
    if labels is not None:
        table["names"] = [[labels.get(event, event) for event in chosen] for chosen in table["events"]]
    total = sum(sets.count for sets in found.values())
    notes = [f"{total:,} minimal cut sets" + (f"; the first {len(rows):,} are listed" if len(rows) < total else "")]
    about = {**records[0], "listed": len(rows)} if len(records) == 1 else {"tops": records, "listed": len(rows)}
    show_table(
        table,
        form,
        output,
        title=f"Minimal cut sets of {tree}",
        columns=[name for name in table.columns if name != "top"] if len(found) == 1 else None,
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
