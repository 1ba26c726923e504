"""The commands about loss: `exposure`, and those of `cli.chokepoints`."""

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

if TYPE_CHECKING:
    from supplychain.analysis.exposure import Exposure
    from supplychain.case import Case

_SHOWN = ["plant", "destination", "item", "measure", "horizon", "after_resourcing", "short_run", "unknown", "growth",
          "touch", "because"]  # fmt: skip


class Part(StrEnum):
    """Which table of the exposure the formats of one table (table, csv, parquet) carry."""

    losses = "table"
    by_part = "split"
    reasons = "because"
    summary = "summary"
    over_time = "curve"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    from supplychain.cli import chokepoints

    app.command()(exposure)
    chokepoints.register(app)


def exposure(
    on: On = DEFAULT_DATE,
    horizons: Horizons = "3,12,36",
    part: Annotated[Part, typer.Option("--part", help="Which table to write; JSON carries all of them.")] = Part.losses,
    *,
    wanted: CaseOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
    quiet: Quiet = False,
) -> None:
    """Show what part of each need controls can withhold, in force and at leave, in the short run and re-sourced."""
    from supplychain.analysis.exposure import exposure as measure
    from supplychain.cli.output import progress, show_table

    span = months(horizons)
    with progress(quiet) as step:
        step("reading facts and law")
        case = wanted.load(on)
        step("measuring exposure")
        found = measure(case, span, split=form is Format.json or part is Part.by_part)
    notes = [
        "Fractions of the need lost; horizons in months. Bracket: [after re-sourcing, short run] on what is known; "
        "'unknown' is what unknown facts may add.",
        "in force: flows refused already. at leave: if all leave that flows need were refused. touch is not a loss.",
        *(f"warning: {warning}" for warning in found.warnings),
    ]
    show_table(
        getattr(found, part.value),
        form,
        output,
        title=f"Exposure of {case.buyer} on {found.on}",
        columns=_columns(found) if part is Part.losses else None,
        notes=notes,
        record=_record(case, found) if form is Format.json else None,
    )


def _columns(found: Exposure) -> list[str]:
    """Return the columns people see: no plant column where the buyer is a country."""
    return [name for name in _SHOWN if name != "plant" or found.table["plant"].ne("").any()]


def _record(case: Case, found: Exposure) -> dict[str, Any]:
    tables = {part.value: getattr(found, part.value).to_dict("records") for part in Part if part is not Part.losses}
    return {
        "buyer": found.buyer,
        "on": found.on,
        "products": list(case.products),
        "horizons": list(found.horizons),
        "known_as_of": case.book.known_as_of.isoformat(),
        "illustrative": case.illustrative,
        "status": found.status,
        "iterations": found.iterations,
        "residual": found.residual,
        "warnings": list(found.warnings),
        "assumptions": case.assumptions.table.to_dict("records"),
        **tables,
    }
