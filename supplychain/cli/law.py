"""The commands about law: `determine` and `explain` one flow, `regimes`, `diff` of two days, `horizon`, `timeline`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.cli.options import Assumptions as AssumptionsFile
from supplychain.cli.options import Buyer, Format, Network, On, Output, OutputFormat, Overlay, Product, Quiet, Regimes

if TYPE_CHECKING:
    from supplychain.regimes import RegimeBook


_ITEM = "Item of the network, or LIST:CODE (a bare ECCN is a US code); several codes joined by ;."

Item = Annotated[str, typer.Option("--item", help=_ITEM)]
Origin = Annotated[str, typer.Option("--from", help="Country where it is made (ISO3).")]
Destination = Annotated[str, typer.Option("--to", help="Country where it is finally used (ISO3).")]
Organisation = Annotated[str, typer.Option("--organisation", help="Supplier, an organisation of the network.")]
HeadOffice = Annotated[str, typer.Option("--head-office", help="Country of the supplier's head office (ISO3).")]
Parent = Annotated[str, typer.Option("--parent", help="Country of the supplier's ultimate parent (ISO3).")]
ContentShare = Annotated[
    list[str] | None, typer.Option("--content", help="Controlled content, ISO3=SHARE; may be repeated; none = none.")
]
DirectProduct = Annotated[
    list[str] | None,
    typer.Option("--direct-product", help="Direct product of (ISO3); may be repeated; none = of none."),
]
EndUse = Annotated[str, typer.Option("--end-use", help="End use, such as military or advanced-node-fab; none = none.")]
Entity = Annotated[str, typer.Option("--entity", help="List that a party is on, such as footnote-5; none = on none.")]
EndParty = Annotated[str, typer.Option("--end-party", help="Country of the end party's head office (ISO3).")]
Inferred = Annotated[
    bool, typer.Option("--inferred", help="Let pairs of item and country that are only inferred lift.")
]
Assume = Annotated[
    bool, typer.Option("--assume/--no-assume", help="Take content that is not stated from the assumptions.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(determine)
    app.command()(explain)
    app.command()(regimes)
    app.command()(diff)
    app.command()(horizon)
    app.command()(timeline)
    app.command("overlay")(overlay_diff)
    app.command()(match)


def determine(
    item: Item,
    origin: Origin,
    destination: Destination,
    on: On,
    organisation: Organisation = "",
    head_office: HeadOffice = "",
    parent: Parent = "",
    content: ContentShare = None,
    direct_product: DirectProduct = None,
    end_use: EndUse = "",
    entity: Entity = "",
    end_party: EndParty = "",
    inferred: Inferred = False,
    assume: Assume = True,
    network: Network = None,
    regimes: Regimes = None,
    overlay: Overlay = None,
    assumptions: AssumptionsFile = None,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Say what the law makes of one flow on a day: status, policy, deciding control and its citation."""
    import pandas as pd

    from supplychain.cli.options import day
    from supplychain.cli.output import show_record

    flow = _flow(
        item,
        origin,
        destination,
        organisation,
        head_office,
        parent,
        content,
        direct_product,
        end_use,
        entity,
        end_party,
        network,
    )
    book = _book(regimes, overlay)
    settings = _settings(assumptions)
    if not assume:
        settings = {"licence": settings["licence"]}
    found = book.determine(pd.DataFrame([flow]), day(on), inferred=inferred, assumptions=settings)
    show_record(_record(flow, day(on), book, found), form, output)


def _record(flow: dict[str, str], on: str, book: RegimeBook, found: Any) -> dict[str, Any]:
    from supplychain.regimes.words import BREAK

    row = found.table.iloc[0].to_dict()
    lists = {
        name: [part for part in str(row.pop(name)).split(BREAK) if part]
        for name in ("questions", "conditions", "warnings")
    }
    applied = found.applied
    others = applied[(applied["control"] != row["control"]) & ~applied["conditional"]]
    columns = ["control", "imposing", "regime", "status", "policy", "certain", "exception"]
    return {
        "item": flow["item_codes"] or "unknown",
        "from": flow["origin"],
        "to": flow["destination"],
        "on": on,
        **row,
        "others": others[columns].to_dict("records"),
        "questions": lists["questions"],
        "conditions": lists["conditions"],
        "warnings": [*found.warnings, *lists["warnings"], *(f"book changed: {change}" for change in book.changes)],
        "known_as_of": book.known_as_of.isoformat(),
    }


def explain(
    item: Item,
    origin: Origin,
    destination: Destination,
    on: On,
    organisation: Organisation = "",
    head_office: HeadOffice = "",
    parent: Parent = "",
    content: ContentShare = None,
    direct_product: DirectProduct = None,
    end_use: EndUse = "",
    entity: Entity = "",
    end_party: EndParty = "",
    inferred: Inferred = False,
    assume: Assume = True,
    network: Network = None,
    regimes: Regimes = None,
    overlay: Overlay = None,
    assumptions: AssumptionsFile = None,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Tell of one flow every control considered, and clause by clause why it applies or not."""
    from supplychain.cli.options import day
    from supplychain.cli.output import show_table, write_text
    from supplychain.regimes.explain import explain as explained
    from supplychain.regimes.explain import text

    flow = _flow(
        item,
        origin,
        destination,
        organisation,
        head_office,
        parent,
        content,
        direct_product,
        end_use,
        entity,
        end_party,
        network,
    )
    settings = _settings(assumptions)
    if not assume:
        settings = {"licence": settings["licence"]}
    told = explained(_book(regimes, overlay), flow, day(on), inferred=inferred, assumptions=settings)
    if form is Format.table:
        write_text(text(told), output)
        return
    record = {
        "flow": dict(told.flow),
        "on": told.on,
        "determination": dict(told.determination),
        "warnings": list(told.warnings),
    }
    show_table(told.controls, form, output, record=record)


def regimes(
    regime: Annotated[str, typer.Argument(help="One regime; without it, all of them.")] = "",
    on: On = "2026-10-08",
    book: Regimes = None,
    overlay: Overlay = None,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """List the regimes of the book, or who is in one of them on a day and what it controls."""
    from supplychain.cli.options import day
    from supplychain.cli.output import show_table
    from supplychain.regimes import views

    law = _book(book, overlay)
    notes = list(law.warnings_for(_date(day(on))))
    if not regime:
        table = views.regimes(law, day(on))
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
    one = views.regime(law, regime, day(on))
    record = {**one.facts, "on": on, "members": one.members.to_dict("records"), "warnings": notes}
    if form is Format.table:
        people = ", ".join(
            f"{r.jurisdiction} ({r.role})" if r.role != "member" else r.jurisdiction for r in one.members.itertuples()
        )
        notes = [str(one.facts["summary"]), f"in it on {on}: {people or 'nobody named'}", *notes]
    columns = ["control", "imposing", "item_code", "destination_scope", "licence_policy", "from", "standing"]
    show_table(one.controls, form, output, title=str(one.facts["name"]), columns=columns, notes=notes, record=record)


def diff(
    start: Annotated[str, typer.Option("--from", help="First day.")],
    end: Annotated[str, typer.Option("--to", help="Second day.")],
    buyer: Buyer = "illustrative",
    product: Product = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Every supply of the network to every country, not this buyer's case.")
    ] = False,
    network: Network = None,
    regimes: Regimes = None,
    overlay: Overlay = None,
    assumptions: AssumptionsFile = None,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Name the flows of a case whose status differs between two days, and the instrument that changed it."""
    from supplychain.cli.options import day, load_case
    from supplychain.cli.output import show_table
    from supplychain.regimes import views

    case = load_case(
        buyer=buyer,
        product=product,
        on=day(end),
        network=network,
        regimes=regimes,
        overlay=overlay,
        assumptions=assumptions,
    )
    flows = views.every_flow(case.network, case.book) if everything else case.flows()
    found = views.difference(case.book, flows, day(start), day(end), assumptions=case.assumptions.settings)
    notes = [*found.summary(), *case.book.warnings_for(_date(max(start, end)))]
    record = {"from": start, "to": end, "buyer": "every country" if everything else buyer, "warnings": notes}
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
    on: On = "2026-10-08",
    buyer: Buyer = "illustrative",
    product: Product = None,
    network: Network = None,
    regimes: Regimes = None,
    overlay: Overlay = None,
    assumptions: AssumptionsFile = None,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Tell what starts, lapses or revives in the next days, and how many flows of the case each would touch."""
    from supplychain.cli.options import day, load_case
    from supplychain.cli.output import show_table
    from supplychain.regimes import views

    case = load_case(
        buyer=buyer,
        product=product,
        on=day(on),
        network=network,
        regimes=regimes,
        overlay=overlay,
        assumptions=assumptions,
    )
    table = views.horizon(case.book, case.flows(), _date(day(on)), days, assumptions=case.assumptions.settings)
    notes = list(case.book.warnings_for(_date(day(on))))
    columns = ["date", "event", "control", "regime", "variant", "flows_stricter", "flows_looser", "description"]
    show_table(
        table,
        form,
        output,
        title=f"The {days} days after {on}",
        columns=columns,
        notes=notes,
        record={"on": on, "warnings": notes},
    )


def timeline(
    start: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")] = "2022-01",
    end: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM.")] = "2026-10",
    buyer: Buyer = "illustrative",
    product: Product = None,
    network: Network = None,
    regimes: Regimes = None,
    overlay: Overlay = None,
    assumptions: AssumptionsFile = None,
    quiet: Quiet = False,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Follow the case month by month: flows that need leave or are refused, exposure, and the instruments that moved
    it.
    """
    from supplychain.analysis.timeline import timeline as followed
    from supplychain.cli.options import load_case
    from supplychain.cli.output import progress, show_table

    case = load_case(
        buyer=buyer,
        product=product,
        on=f"{end}-01",
        network=network,
        regimes=regimes,
        overlay=overlay,
        assumptions=assumptions,
    )
    with progress(quiet) as step:
        found = followed(case, start, end, step)
    notes = list(case.book.warnings_for(_date(f"{end}-01")))
    columns = ["month", "at_leave", "in_force", "loss_in_force", "loss_at_leave", "instruments"]
    show_table(
        found,
        form,
        output,
        title=f"{buyer} by month",
        columns=columns,
        notes=notes,
        record={"buyer": buyer, "warnings": notes},
    )


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
        typer.Option("--confirmed", help="CSV of your decisions: organisation, entry, decision (same|other)."),
    ] = None,
    network: Network = None,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Propose which organisations of the network stand on official lists; you confirm, nothing is asserted."""
    from supplychain.cli.output import show_table
    from supplychain.facts.package import read_package
    from supplychain.locate import datasets
    from supplychain.regimes import ownership

    package = read_package(network or datasets() / "semiconductors", "network")
    entries = [entry for path in lists for entry in ownership.read_list(path)]
    decided = ownership.read_decisions(confirmed) if confirmed else None
    table = ownership.propose(package.tables["organisations"], entries, decided)
    notes = [f"{len(entries):,} list entries read; a proposal is not a finding: confirm each one"]
    show_table(table, form, output, title="Organisations that may be listed", notes=notes, record={"warnings": notes})


def _flow(
    item: str,
    origin: str,
    destination: str,
    organisation: str,
    head_office: str,
    parent: str,
    content: list[str] | None,
    direct_product: list[str] | None,
    end_use: str,
    entity: str,
    end_party: str,
    network: Path | None,
) -> dict[str, str]:
    """Return the flow that the options describe; items and organisations are looked up in the network."""
    from supplychain.errors import UsageError
    from supplychain.facts.countries import country
    from supplychain.regimes.codes import normal

    for place in filter(None, (origin, destination, head_office, parent, end_party)):
        country(place)
    codes, category = item, ""
    if not all(":" in normal(part) or part.strip().lower() == "none" for part in item.split(";")):
        row = _look_up(network, "items", "item", item)
        codes, category = row["control_codes"], row["category"]
    if organisation:
        row = _look_up(network, "organisations", "organisation", organisation)
        head_office, parent = head_office or row["jurisdiction"], parent or row["parent_jurisdiction"]
    if head_office == "" and parent:
        raise UsageError("--parent wants --head-office beside it")
    return {
        "item_codes": ";".join(normal(part) for part in codes.split(";") if part.strip()),
        "item_category": category,
        "origin": origin,
        "destination": destination,
        "head_office": head_office,
        "parent": parent,
        "content": ";".join(content or ()),
        "direct_product": ";".join(direct_product or ()),
        "end_use": end_use,
        "entity": entity,
        "end_party_head_office": end_party,
    }


def _look_up(network: Path | None, table: str, key: str, wanted: str) -> dict[str, str]:
    """Return one row of a table of the network: the bundled one is read as plain text, which is quick."""
    import csv

    from supplychain.errors import UsageError
    from supplychain.facts.cells import nearest
    from supplychain.locate import datasets

    if network is None:
        with (datasets() / "semiconductors" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        from supplychain.facts.package import read_package

        rows = read_package(network, "network").tables[table].to_dict("records")  # type: ignore[assignment]
    for row in rows:
        if row[key] == wanted:
            return row
    hint = nearest(wanted, [str(row[key]) for row in rows])
    raise UsageError(f"{wanted!r} is no {key} of the network{'; ' + hint if hint else ''}")


def _book(path: Path | None, overlays: list[Path] | None) -> RegimeBook:
    from supplychain.regimes import RegimeBook

    return RegimeBook.load(path, tuple(overlays or ()))


def _settings(path: Path | None) -> dict[str, Any]:
    from supplychain.assumptions import Assumptions

    return Assumptions.load(path).settings


def _date(text: str) -> Any:
    from datetime import date

    return date.fromisoformat(text)
