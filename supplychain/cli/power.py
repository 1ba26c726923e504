"""The command about power: `leverage`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from supplychain.cli.options import (
    DEFAULT_DATE,
    CaseOptions,
    Format,
    On,
    Output,
    OutputFormat,
    Quiet,
    Seed,
)
from supplychain.cli.plots import Horizon, Plot, horizon_months


class Measure(StrEnum):
    """What states refuse: all they make, or what needs their leave on the date."""

    all = "all"
    controlled = "controlled"


class Part(StrEnum):
    """Which table of leverage the formats of one table (table, csv, parquet) carry."""

    states = "states"
    coalitions = "coalitions"
    defectors = "defectors"
    blocs = "blocs"
    back_fill = "back-fill"


def leverage(
    horizon: Horizon = "36",
    measure: Annotated[
        Measure, typer.Option("--measure", help="all: states refuse all they make; controlled: what needs their leave.")
    ] = Measure.all,
    cut: Annotated[float, typer.Option("--cut", help="Loss from which the buyer counts as cut off.")] = 0.9,
    states: Annotated[str | None, typer.Option("--states", help="Only these states play, separated by commas.")] = None,
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, help="Only so many of the strongest states play; 20 or fewer are exact."),
    ] = None,
    coalition: Annotated[
        str | None, typer.Option("--coalition", help="Put this coalition to the defector test and show who fills in.")
    ] = None,
    bloc: Annotated[
        list[str] | None, typer.Option("--bloc", help="NAME=ISO3,ISO3: two or more give what each can withhold.")
    ] = None,
    permutations: Annotated[
        int, typer.Option("--permutations", min=2, help="Orders drawn when more than 20 states play.")
    ] = 2000,
    part: Annotated[Part, typer.Option("--part", help="Which table to write; JSON carries all of them.")] = Part.states,
    on: On = DEFAULT_DATE,
    *,
    wanted: CaseOptions,
    seed: Seed = 0,
    form: OutputFormat = Format.table,
    output: Output = None,
    plot: Plot = None,
    quiet: Quiet = False,
) -> None:
    """Show which states hold what power over the buyer, which coalitions cut it off, and who would fill in."""
    from supplychain.analysis.blocs import back_fill, two_sided
    from supplychain.analysis.leverage import leverage as measured
    from supplychain.cli.output import progress, remark, show_table
    from supplychain.cli.plots import bars, check_suffix, save
    from supplychain.errors import UsageError

    check_suffix(plot)
    named = _states(coalition)
    sides = dict(_bloc(text) for text in bloc or [])
    if part is Part.blocs and len(sides) < 2:
        raise UsageError("--part blocs needs two or more --bloc NAME=ISO3,ISO3")
    with progress(quiet) as step:
        step("reading facts and law")
        case = wanted.load(on)
        step("letting coalitions refuse")
        found = measured(
            case,
            horizon_months(horizon),
            measure=measure.value,
            cut=cut,
            players=_states(states) or None,
            top=top,
            coalition=named or None,
            permutations=permutations,
            seed=seed,
        )
        filled = back_fill(case, named or (found.coalitions["members"].iloc[0] if len(found.coalitions) else ()))
        matrix = two_sided(case, sides, horizon_months(horizon)) if len(sides) > 1 else None
    for warning in found.warnings:
        remark(f"warning: {warning}", quiet=quiet)
    tables = {
        Part.states: found.table,
        Part.coalitions: found.coalitions,
        Part.defectors: found.defectors,
        Part.back_fill: filled,
        Part.blocs: matrix,
    }
    table = tables[part]
    assert table is not None
    how = "exact" if found.exact else f"sampled over {found.draws:,} orders; low and high: 95 % interval"
    complete = "complete" if found.complete_to >= found.players else f"complete up to {found.complete_to} members"
    notes = [
        "Parts of the need, short run. alone: loss when the state refuses alone; shapley: its mean contribution "
        f"to a refusal ({how}); owen: with the EU as one bloc; with_unknown: if unknown supply is lost as well.",
        f"All {found.players} states together take {found.total:.3g}. {len(found.coalitions)} minimal coalitions take "
        f"{found.cut:g} or more ({complete}).",
    ]
    record = {
        "buyer": case.buyer,
        "products": list(case.products),
        "on": case.on.isoformat(),
        "horizon": horizon,
        "measure": measure.value,
        "cut": found.cut,
        "total": found.total,
        "exact": found.exact,
        "draws": found.draws,
        "players": found.players,
        "complete_to": found.complete_to,
        "warnings": list(found.warnings),
        **{
            str(name): rows.to_dict("records") for name, rows in tables.items() if rows is not None and name is not part
        },
    }
    shown = table if form is not Format.table or part is not Part.states else table[table["shapley"].abs() > 5e-5]
    title = f"Leverage over {case.buyer}: {', '.join(case.products)}"
    show_table(shown, form, output, title=title, notes=notes, record=record)
    if plot is not None:
        save(
            bars(found.table.head(25), "name", "shapley", title, "Shapley value, part of the need", ("low", "high")),
            plot,
        )


def _states(text: str | None) -> list[str]:
    """Return the codes in "USA,JPN"; a word that is no country code is a usage error."""
    from supplychain.errors import UsageError
    from supplychain.facts.countries import is_country
    from supplychain.regimes.flows import UNION

    codes = [code.strip().upper() for code in (text or "").split(",") if code.strip()]
    for code in codes:
        if not is_country(code) and code != UNION:
            raise UsageError(f"{code!r} is not an ISO 3166-1 alpha-3 code, such as IND")
    return codes


def _bloc(text: str) -> tuple[str, list[str]]:
    from supplychain.errors import UsageError

    name, _, members = text.partition("=")
    if not name or not _states(members):
        raise UsageError(f"--bloc {text!r}: write NAME=ISO3,ISO3, such as allies=USA,JPN,NLD")
    return name, _states(members)
