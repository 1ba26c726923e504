"""The commands about what may come: `whatif`, `sweep`, `backtest`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.cli.options import (
    DEFAULT_BUYER,
    DEFAULT_DATE,
    Assumptions,
    Buyer,
    Format,
    Horizons,
    Network,
    On,
    Output,
    OutputFormat,
    Overlay,
    Product,
    Quiet,
    Regimes,
    load_case,
    months,
)

if TYPE_CHECKING:
    import pandas as pd

    from supplychain.whatif.compare import Comparison


class Part(StrEnum):
    """Which table of a comparison the formats of one table (table, csv, parquet) carry."""

    headline = "headline"
    needs = "needs"
    plants = "plants"
    by_part = "split"
    choke_points = "choke_points"
    times = "times"
    weeks = "weeks"
    phases = "phases"
    costs = "costs"


_SHOWN = {
    Part.headline: ["scenario", "measure", "horizon", "after", "short", "after_high", "short_high", "delta_after",
                    "delta_short", "margin_short"],
    Part.times: ["scenario", "plant", "item", "measure", "weeks_to_survive", "week_recovered", "loss_area",
                 "baseline_weeks_to_survive", "baseline_loss_area"],
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(whatif)


def whatif(
    scenarios: Annotated[
        list[str] | None, typer.Argument(metavar="[SCENARIO]...", help="Bundled scenarios by name, or TOML files.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the bundled scenarios and stop.")] = False,
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", help="As the arguments: a name or file; may be repeated.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Another value of a scenario's parameter.")
    ] = None,
    buyer: Buyer = DEFAULT_BUYER,
    product: Product = None,
    on: On = DEFAULT_DATE,
    horizons: Horizons = "3,12,36",
    part: Annotated[Part, typer.Option("--part", help="Which table to write; JSON carries all.")] = Part.headline,
    page: Annotated[
        Path | None, typer.Option("--page", help="Also write a page with charts, and every table, into this folder.")
    ] = None,
    network: Network = None,
    regimes: Regimes = None,
    overlay: Overlay = None,
    assumptions: Assumptions = None,
    form: OutputFormat = Format.table,
    output: Output = None,
    quiet: Quiet = False,
) -> None:
    """Compare the case as it is with scenarios: losses over time, who is hit, choke points, stock, cost and regret."""
    from supplychain.cli.output import progress, show_table
    from supplychain.errors import UsageError

    if listing:
        show_table(_listing(), form, output, title="Bundled scenarios")
        return
    names = [*(scenarios or []), *(scenario or [])]
    if not names:
        raise UsageError("name a scenario, such as `supplychain whatif taiwan-outage`; --list tells the bundled ones")
    from supplychain.whatif.compare import compare
    from supplychain.whatif.scenario import load_scenario

    span = months(horizons)
    loaded = [load_scenario(name) for name in dict.fromkeys(names)]
    values = _values(set_ or [])
    for name in values:
        if not any(name in (one.parameters or {}) for one in loaded):
            known = sorted({key for one in loaded for key in one.parameters or {}})
            raise UsageError(f"no scenario here has a parameter {name!r}; there are: {', '.join(known) or 'none'}")
    loaded = [one.with_values({k: v for k, v in values.items() if k in (one.parameters or {})}) for one in loaded]
    with progress(quiet) as step:
        step("reading facts and law")
        case = load_case(
            buyer=buyer,
            product=product,
            on=on,
            network=network,
            regimes=regimes,
            overlay=overlay,
            assumptions=assumptions,
        )
        found = compare(case, loaded, span, step)
        if page is not None:
            from supplychain.report.whatif_page import write_page

            step("writing the page")
            written = write_page(found, page)
    show_table(
        found.tables[part.value],
        form,
        output,
        title=f"What-if for {case.buyer} on {case.on}",
        columns=_SHOWN.get(part),
        notes=_notes(found),
        record=_record(found) if form is Format.json else None,
    )
    if page is not None:
        typer.echo(written, err=True)


def _values(given: list[str]) -> dict[str, float]:
    from supplychain.errors import UsageError

    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            sign = ""
        if not sign:
            raise UsageError(f"--set {text!r} is not NAME=VALUE with a number, such as --set part=0.5")
    return found


def _listing() -> pd.DataFrame:
    import pandas as pd

    from supplychain.whatif.scenario import load_scenario, presets

    rows = []
    for name in presets():
        one = load_scenario(name)
        rows.append((name, one.title, one.question, ", ".join(one.parameters or {}), str(one.on or "")))
    return pd.DataFrame(rows, columns=["scenario", "title", "question", "parameters", "on"])


def _notes(found: Comparison) -> list[str]:
    notes = [
        "Fractions of the need lost, buyer's mean; horizons in months. [after, short]: after re-sourcing, short run, on "
        "what is known; *_high: if every unknown fact were adverse. delta: to the baseline. margin_short: USD a year.",
    ]
    for side in found.sides:
        r = side.regret
        if r.regret == r.regret:
            notes.append(
                f"{side.name}: a year's cost to serve: plan held {r.held:,.4g}, plan made for it {r.new:,.4g} "
                f"{r.currency}; regret {r.regret:,.4g}"
            )
        rows = found.choke_points[found.choke_points["scenario"] == side.name]
        for change in ("became", "stopped"):
            some = rows[rows["change"] == change]
            told = [f"{row.kind} {row.element}" for row in some.head(6).itertuples()]
            more = f" and {len(some) - 6} more" if len(some) > 6 else ""
            if told:
                verb = "became choke points" if change == "became" else "are choke points no longer"
                notes.append(f"{side.name}: {', '.join(told)}{more} {verb}")
    return [*notes, *(f"warning: {warning}" for warning in found.warnings)]


def _record(found: Comparison) -> dict[str, Any]:
    case = found.case
    sides = []
    for side in (found.baseline, *found.sides):
        one = side.applied.scenario
        sides.append(
            {
                "scenario": one.name,
                "title": one.title,
                "question": one.question,
                "on": str(side.applied.case.on),
                "sources": list(one.sources),
                "assumes": list(one.assumes),
                "parameters": one.values,
                "actions": [action.words for action in one.actions],
                "probability": one.probability,
                "status": list(side.outlook.statuses),
            }
        )
    return {
        "buyer": case.buyer,
        "on": case.on.isoformat(),
        "products": list(case.products),
        "known_as_of": case.book.known_as_of.isoformat(),
        "illustrative": case.illustrative,
        "scenarios": sides,
        "warnings": list(found.warnings),
        "assumptions": case.assumptions.table.to_dict("records"),
        **{name: table.to_dict("records") for name, table in found.tables.items() if name != "headline"},
    }
