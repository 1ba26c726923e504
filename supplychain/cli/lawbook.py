"""The commands about the regime book: `regimes`, `diff` of two days, `horizon`, `timeline`, `overlay`, `match`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.cli.options import (
    CaseOptions,
    Format,
    Network,
    OnOrKnown,
    Output,
    OutputFormat,
    Overlay,
    Quiet,
    Regimes,
)

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from supplychain.regimes import RegimeBook


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(regimes)
    app.command()(diff)
    app.command()(horizon)
    app.command()(timeline)
    app.command("overlay")(overlay_diff)
    app.command()(match)


def regimes(
    regime: Annotated[str, typer.Argument(help="One regime; without it, all of them.")] = "",
    on: OnOrKnown = None,
    state: Annotated[str, typer.Option("--state", help="A state (ISO3): what it is in, and what it imposes.")] = "",
    coverage: Annotated[
        bool,
        typer.Option("--coverage", help="Whose law towards where the book holds on the day, and what it does not."),
    ] = False,
    book: Regimes = None,
    overlay: Overlay = None,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """List the regimes of the book; or who is in one of them on a day and what it controls; or what a state is in."""
    from supplychain.cli.options import day
    from supplychain.cli.output import show_table
    from supplychain.errors import UsageError
    from supplychain.regimes import views

    if state and regime:
        raise UsageError(f"ask of one regime ({regime}) or of one state (--state {state}), not of both at once")
    law = _book(book, overlay)
    on = day(on) if on else law.known_as_of.isoformat()
    notes = list(law.warnings_for(_date(on)))
    if coverage:
        if state or regime:
            raise UsageError("--coverage tells of the whole book; ask of a state or a regime without it")
        table = views.coverage(law, on)
        columns = ["coverage", "states", "item_code", "destination_scope", "extent", "at_most", "quality"]
        notes = ["what is not held is indeterminate, never free", *notes]
        show_table(table, form, output, title=f"What the book holds on {on}", columns=columns, notes=notes,
                   record={"on": on, "warnings": notes})  # fmt: skip
        return
    if state:
        table = views.state(law, state, on)
        columns = ["kind", "name", "role", "from", "controls", "quality", "note"]
        about: dict[str, Any] = {"state": state, "on": on, "warnings": notes}
        show_table(table, form, output, title=f"{state} on {on}", columns=columns, notes=notes, record=about)
        return
    if not regime:
        table = views.regimes(law, on)
        show_table(
            table,
            form,
            output,
            title=f"Regimes on {on}",
            columns=views.SHOWN,
            notes=notes,
            record={"on": on, "warnings": notes},
        )
        return
    one = views.regime(law, regime, on)
    record = {**one.facts, "on": on, "members": one.members.to_dict("records"), "warnings": notes}
    if form is Format.table:
        pairs = zip(one.members["jurisdiction"], one.members["role"], strict=True)
        people = ", ".join(state if role == "member" else f"{state} ({role})" for state, role in pairs)
        notes = [str(one.facts["summary"]), f"in it on {on}: {people or 'nobody named'}", *notes]
    columns = ["control", "imposing", "item_code", "destination_scope", "licence_policy", "from", "standing"]
    show_table(one.controls, form, output, title=str(one.facts["name"]), columns=columns, notes=notes, record=record)


def diff(
    start: Annotated[str, typer.Option("--from", help="First day.")],
    end: Annotated[str, typer.Option("--to", help="Second day.")],
    everything: Annotated[
        bool, typer.Option("--everything", help="Every supply of the network to every country, not this buyer's case.")
    ] = False,
    *,
    wanted: CaseOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Name the flows of a case whose status differs between two days, and the instrument that changed it."""
    from supplychain.cli.options import day
    from supplychain.cli.output import show_table
    from supplychain.regimes import views

    case = wanted.load(day(end, "--to"))
    flows = views.every_flow(case.network, case.book) if everything else case.flows()
    first, last = day(start, "--from"), day(end, "--to")
    found = views.difference(case.book, flows, first, last, assumptions=case.assumptions.settings)
    notes = [*found.summary(), *case.book.warnings_for(_date(max(start, end)))]
    record = {"from": start, "to": end, "buyer": "every country" if everything else case.buyer, "warnings": notes}
    columns = ["item", "origin", "destination", "flows", "was", "is", "control", "regime", "by"]
    show_table(
        found.table,
        form,
        output,
        title=f"What changed from {start} to {end}",
        columns=columns,
        notes=notes,
        record=record,
    )


def horizon(
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="How many days ahead.")] = 365,
    on: OnOrKnown = None,
    *,
    wanted: CaseOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Tell what starts, lapses or revives in the next days, and how many flows of the case each would touch."""
    from supplychain.cli.options import day
    from supplychain.cli.output import show_table
    from supplychain.regimes import views

    first = _date(day(on)) if on else _book(wanted.regimes, wanted.overlay).known_as_of
    case = wanted.load(first.isoformat())
    table = views.horizon(case.book, case.flows(), first, days, assumptions=case.assumptions.settings)
    notes = list(case.book.warnings_for(first))
    columns = ["date", "event", "control", "regime", "variant", "flows_stricter", "flows_looser", "description"]
    show_table(
        table,
        form,
        output,
        title=f"The {days} days after {first}",
        columns=columns,
        notes=notes,
        record={"on": first.isoformat(), "warnings": notes},
    )


def timeline(
    start: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")] = "2022-01",
    end: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM.")] = "2026-10",
    after: Annotated[
        bool, typer.Option("--after-resourcing", help="Add the losses after re-sourcing: the other end of the bracket.")
    ] = False,
    chart: Annotated[
        Path | None, typer.Option("--chart", help="Also draw the curve into this SVG or HTML file.")
    ] = None,
    *,
    wanted: CaseOptions,
    quiet: Quiet = False,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Follow the case month by month: flows that need leave or are refused, the loss, and what moved it."""
    from supplychain.analysis.history import history
    from supplychain.cli.output import progress, show_table

    if chart is not None:
        from supplychain.cli.plots import check_suffix

        check_suffix(chart)
    case = wanted.load(f"{end}-01")
    with progress(quiet) as step:
        found = history(case, start, end, step, after=after)
    if chart is not None:
        from supplychain.cli.plots import save

        save(_curve(found.table, case.buyer), chart)
    changed = found.table["instruments"].ne("") | (found.table.index == 0) | (found.table.index == len(found.table) - 1)
    shown = (
        found.table
        if form is not Format.table
        else found.table[changed].assign(month=lambda t: t["month"].dt.strftime("%Y-%m"))
    )
    notes = list(found.warnings)
    if form is Format.table:
        notes.insert(0, "months in which nothing changed are left out here; --format csv has them all")
    columns = [name for name in shown.columns if name not in ("known", "instruments")]
    record = {"buyer": case.buyer, "warnings": notes}
    show_table(shown, form, output, title=f"{case.buyer} by month", columns=columns, notes=notes, record=record)


def _curve(table: pd.DataFrame, buyer: str) -> Any:
    """Return the chart of a history: loss in force and at leave by month, as bands, with a mark where law moved it."""
    import altair
    import pandas as pd

    bands = pd.concat(
        [
            pd.DataFrame(
                {
                    "month": table["month"],
                    "low": table[f"loss_{measure}_low"],
                    "high": table[f"loss_{measure}_high"],
                    "measure": measure.replace("_", " "),
                    "law": table["regimes"],
                }
            )
            for measure in ("in_force", "at_leave")
        ]
    )
    base = altair.Chart(bands, title=f"{buyer}: loss after 12 months, by month").encode(
        x=altair.X("month:T", title=None), color=altair.Color("measure:N", title=None)
    )
    area = base.mark_area(opacity=0.35, interpolate="step-after").encode(
        y=altair.Y("low:Q", title="part of the need lost", scale=altair.Scale(domain=[0, 1])), y2="high:Q"
    )
    line = base.mark_line(interpolate="step-after").encode(y="low:Q")
    return (area + line).properties(width=720, height=320)


def overlay_diff(
    folder: Annotated[Path, typer.Argument(help="Overlay folder: tables of a regime book, only the rows that differ.")],
    regimes: Regimes = None,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Tell what an overlay folder adds to the regime book and changes in it."""
    from supplychain.cli.output import show_table
    from supplychain.regimes.overlay import changes, overlay

    base = _book(regimes, None)
    laid = overlay(base, folder)
    table = changes(base, laid)
    show_table(
        table, form, output, title=f"{folder} over {base.name}", record={"overlay": str(folder), "book": base.name}
    )


def match(
    lists: Annotated[
        list[Path], typer.Argument(help="Exports: OpenSanctions/FollowTheMoney JSON lines, US CSL CSV or JSON.")
    ],
    confirmed: Annotated[
        Path | None,
        typer.Option(
            "--confirmed", help="CSV of your decisions: organisation, entry, decision (same|other), tag, from."
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option("--write", help="Folder for the confirmed tags, as an overlay that --overlay takes."),
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", help="Share from which a rule counts ownership as control.")
    ] = 0.5,
    network: Network = None,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Propose which organisations of the network stand on official lists; you confirm, nothing is asserted."""
    from supplychain.cli.output import show_table
    from supplychain.errors import UsageError
    from supplychain.facts.package import read_package
    from supplychain.files import make_folder, replace_file
    from supplychain.locate import datasets
    from supplychain.regimes import ownership

    package = read_package(network or datasets() / "semiconductors", "network")
    files = [ownership.read_list(path) for path in lists]
    entries = [entry for file in files for entry in file.entries if entry.listed]
    owned = ownership.affiliates(
        (entry.entry for entry in entries), [holding for file in files for holding in file.holdings], threshold
    )
    names = {entry.entry: entry for file in files for entry in file.entries}
    entries += ownership.reached(owned, names)
    decided = ownership.read_decisions(confirmed) if confirmed else None
    table = ownership.propose(package.tables["organisations"], entries, decided)
    if write is not None:
        if confirmed is None:
            raise UsageError("--write wants --confirmed beside it: only what you have decided is written")
        rows = ownership.tags(table, ownership.read_tags(confirmed), owned, threshold)
        if rows.empty:
            raise UsageError(f"{confirmed} confirms no match of these lists: there is nothing to write")
        make_folder(write)
        replace_file(write / "organisation_tags.csv", rows.to_csv(index=False, lineterminator="\n").encode())
    notes = [f"{len(entries):,} list entries read; a proposal is not a finding: confirm each one"]
    if len(owned):
        notes.append(f"{len(owned):,} of them through ownership of {threshold:.0%} or more by listed parties")
    show_table(table, form, output, title="Organisations that may be listed", notes=notes, record={"warnings": notes})


def _book(path: Path | None, overlays: list[Path] | None) -> RegimeBook:
    from supplychain.regimes import RegimeBook

    return RegimeBook.load(path, tuple(overlays or ()))


def _date(text: str) -> date:
    from datetime import date

    return date.fromisoformat(text)
