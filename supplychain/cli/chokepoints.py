"""The commands about elements whose loss matters: `chokepoints`, and `refusals` by states."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.cli.options import (
    DEFAULT_DATE,
    CaseOptions,
    Format,
    Horizons,
    On,
    Output,
    OutputFormat,
    Quiet,
    months,
)
from supplychain.cli.plots import Plot

if TYPE_CHECKING:
    import pandas as pd

    from supplychain.analysis.chokepoints import ChokePoints
    from supplychain.analysis.refusals import Refusals
    from supplychain.case import Case

SHOWN_SINGLES = 12


class By(StrEnum):
    """What is lost one by one: of a source, one item that one state refuses."""

    jurisdiction = "jurisdiction"
    organisation = "organisation"
    site = "site"
    item = "item"
    source = "source"
    supply = "supply"


class Part(StrEnum):
    """Which table the formats of one table (table, csv, parquet) carry."""

    elements = "table"
    singles = "singles"
    evidence = "evidence"
    concentration = "concentration"
    tiers = "through_tiers"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(chokepoints)
    app.command()(refusals)


def chokepoints(
    on: On = DEFAULT_DATE,
    by: Annotated[
        list[By] | None,
        typer.Option(
            "--by",
            help="Kind of element; may be repeated. Default: jurisdiction, organisation, site, item, single sources.",
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=0, help="Elements of each kind; 0 for all that cost anything.")] = 10,
    part: Annotated[Part, typer.Option("--part", help="Which table to write; JSON carries all.")] = Part.elements,
    horizons: Horizons = "3,12,36",
    *,
    wanted: CaseOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
    plot: Plot = None,
    quiet: Quiet = False,
) -> None:
    """Rank what the buyer can least do without: loss after re-sourcing, who controls it, and what that rests on."""
    from supplychain.analysis.chokepoints import DEFAULT_KINDS, choke_points
    from supplychain.cli.output import progress, show_table
    from supplychain.cli.plots import bars, check_suffix, save

    check_suffix(plot)
    span = months(horizons)
    kinds = tuple(dict.fromkeys(kind.value for kind in by)) if by else DEFAULT_KINDS
    with progress(quiet) as step:
        step("reading facts and law")
        case = wanted.load(on)
        found = choke_points(case, kinds, top or None, span, step=step)
    table = found.everything if part is Part.elements and not by else getattr(found, part.value)
    if plot is not None:
        drawn = found.table.assign(label=found.table["kind"] + ": " + found.table["name"])
        save(bars(drawn.head(40), "label", "area_after", _title(case), "unit-months lost after re-sourcing"), plot)
    show_table(
        table,
        form,
        output,
        title=_title(case),
        columns=_columns(found, table) if part in (Part.elements, Part.singles) else None,
        notes=_notes(found),
        record=_record(case, found) if form is Format.json else None,
    )


def refusals(
    on: On = DEFAULT_DATE,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help="State that refuses (ISO3); may be repeated. Default: all that make or control."),
    ] = None,
    horizons: Horizons = "12",
    high: Annotated[bool, typer.Option("--high", help="Also the high ends: every unknown fact adverse.")] = False,
    *,
    wanted: CaseOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
    quiet: Quiet = False,
) -> None:
    """Show what each state could withhold: all its supply, and apart from that only what it controls on the day."""
    from supplychain.analysis.refusals import MEASURES
    from supplychain.analysis.refusals import refusals as measure
    from supplychain.cli.matrix import refusal_matrix
    from supplychain.cli.output import progress, show_table

    span = months(horizons)
    with progress(quiet) as step:
        step("reading facts and law")
        case = wanted.load(on)
        step("refusing state by state")
        found = measure(case, state or None, span, high)
    spread = {name: found.spread(name, span[-1]) for name in MEASURES}
    notes = [
        "Fractions of the need lost if the state refused; the bracket is [after re-sourcing, short run].",
        *(_told(name, span[-1], told) for name, told in spread.items()),
        *(f"warning: {warning}" for warning in case.warnings),
    ]
    record = {**_head(case), "horizons": list(span), "spread": spread, "solved": found.solved}
    title = f"Refusal by states: {case.buyer} on {case.on.isoformat()}"
    if form is not Format.table:
        show_table(found.table, form, output, record=record if form is Format.json else None)
    elif state or high:
        losing = found.table[found.table["short_run"] > 0]
        if len(losing) < len(found.table):
            notes.append(f"{len(found.table) - len(losing)} rows that lose nothing are left out.")
        show_table(losing, form, output, title=title, columns=_refusal_columns(found), notes=notes)
    else:
        matrix, left_out = refusal_matrix(found.table[found.table["horizon"] == span[-1]])
        lead = [f"Part of the need lost after re-sourcing / in the short run, {span[-1]:g} months after the refusal."]
        if found.table["plant"].ne("").any():
            lead.append("Of several plants the one hit worst counts.")
        more = [*left_out, "--state ISO3 shows the chains of one state."]
        show_table(matrix, form, output, title=title, lead=lead, notes=[*notes, *more])


def _refusal_columns(found: Refusals) -> list[str]:
    plant = ["plant"] if found.table["plant"].ne("").any() else []
    high = [name for name in ("after_resourcing_high", "short_run_high") if name in found.table]
    return ["state", "measure", *plant, "item", "horizon", "after_resourcing", "short_run", *high, "because"]


def _title(case: Case) -> str:
    return f"Choke points of {case.buyer} on {case.on.isoformat()}"


def _columns(found: ChokePoints, table: pd.DataFrame) -> list[str]:
    """Return the columns people see; the machine formats carry all."""
    middle = f"{found.horizons[len(found.horizons) // 2]:g}"
    wanted = [
        "kind", "element", "share", "area_after", f"after_{middle}_low", f"after_{middle}_high", f"short_{middle}_low",
        "at_leave", "control", "w1", "because",
    ]  # fmt: skip
    return [name for name in wanted if name in table]


def _told(name: str, horizon: float, told: dict[str, float]) -> str:
    return (
        f"{name}, {horizon:g} months: {told['values']} values where the short run loses something; of them "
        f"{told['zero']:.0%} made whole by re-sourcing, {told['saturated']:.0%} above 0.95, {told['equal']:.0%} equal"
    )


def _notes(found: ChokePoints) -> list[str]:
    last = f"{found.horizons[-1]:g}"
    single = ", ".join(found.singles["element"].head(SHOWN_SINGLES)) or "none"
    return [
        f"area_after: unit-months of need lost in {last} months after re-sourcing; after, short: fractions of it. "
        "low: unknown makers and places are others; high: they are the element.",
        f"at_leave: part of its flows in the chain that needs leave. w1: does {found.regime} decide for one.",
        f"single sources, worst first (--part singles shows all {len(found.singles)} apart): {single}.",
        f"{found.examined} elements examined, {found.solved} programmes solved.",
        *(f"warning: {warning}" for warning in found.warnings),
    ]


def _head(case: Case) -> dict[str, Any]:
    return {
        "buyer": case.buyer,
        "on": case.on.isoformat(),
        "products": list(case.products),
        "known_as_of": case.book.known_as_of.isoformat(),
        "illustrative": case.illustrative,
        "warnings": list(case.warnings),
        "assumptions": case.assumptions.table.to_dict("records"),
    }


def _record(case: Case, found: ChokePoints) -> dict[str, Any]:
    tables = {part.value: getattr(found, part.value).to_dict("records") for part in Part if part is not Part.elements}
    return {
        **_head(case),
        "horizons": list(found.horizons),
        "threshold": found.threshold,
        "regime": found.regime,
        "spread": found.spread,
        "examined": found.examined,
        "solved": found.solved,
        **tables,
    }
