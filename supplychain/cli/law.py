"""The commands about the law of one flow: `determine` and `explain`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.cli.options import Assumptions as AssumptionsFile
from supplychain.cli.options import Format, Network, On, Output, OutputFormat, Overlay, Regimes

if TYPE_CHECKING:
    from supplychain.regimes import RegimeBook


_ITEM = "Item of the network, or LIST:CODE (a bare ECCN is a US code); several codes joined by ;."

Item = Annotated[str, typer.Option("--item", help=_ITEM)]
Headings = Annotated[str, typer.Option("--hs", help="Customs heading of six digits (HS), several joined by ;.")]
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


@dataclass(frozen=True)
class FlowOptions:
    """The options that describe one flow, and the law it is put to, but for the day."""

    item: Item
    origin: Origin
    destination: Destination
    hs: Headings = ""
    organisation: Organisation = ""
    head_office: HeadOffice = ""
    parent: Parent = ""
    content: ContentShare = None
    direct_product: DirectProduct = None
    end_use: EndUse = ""
    entity: Entity = ""
    end_party: EndParty = ""
    inferred: Inferred = False
    assume: Assume = True
    network: Network = None
    regimes: Regimes = None
    overlay: Overlay = None
    assumptions: AssumptionsFile = None


def register(app: typer.Typer) -> None:
    """Add the commands about law to the application."""
    from supplychain.cli import lawbook

    app.command()(determine)
    app.command()(explain)
    lawbook.register(app)


def determine(
    on: On,
    *,
    asked: FlowOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Say what the law makes of one flow on a day: status, policy, deciding control and its citation."""
    import pandas as pd

    from supplychain.cli.options import day
    from supplychain.cli.output import show_record

    flow, notes, book, settings = _question(asked)
    found = book.determine(pd.DataFrame([flow]), day(on), inferred=asked.inferred, assumptions=settings)
    show_record(_record(flow, day(on), book, found, notes), form, output)


def _record(flow: dict[str, str], on: str, book: RegimeBook, found: Any, notes: list[str]) -> dict[str, Any]:
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
        "warnings": [
            *found.warnings,
            *notes,
            *lists["warnings"],
            *(f"book changed: {change}" for change in book.changes),
        ],
        "known_as_of": book.known_as_of.isoformat(),
    }


def explain(
    on: On,
    *,
    asked: FlowOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """Tell of one flow every control considered, and clause by clause why it applies or not."""
    from supplychain.cli.options import day
    from supplychain.cli.output import show_table, write_text
    from supplychain.regimes.explain import explain as explained
    from supplychain.regimes.explain import text

    flow, notes, book, settings = _question(asked)
    told = explained(book, flow, day(on), inferred=asked.inferred, assumptions=settings)
    if form is Format.table:
        write_text(text(told) + "".join(f"{note}\n" for note in notes), output)
        return
    record = {
        "flow": dict(told.flow),
        "on": told.on,
        "determination": dict(told.determination),
        "warnings": [*told.warnings, *notes],
    }
    show_table(told.controls, form, output, record=record)


def _question(asked: FlowOptions) -> tuple[dict[str, str], list[str], RegimeBook, dict[str, Any]]:
    """Return the flow and what to say of it, the book, and the assumptions under which it is asked."""
    from supplychain.assumptions import Assumptions
    from supplychain.regimes import RegimeBook

    flow, notes = _flow(asked)
    book = RegimeBook.load(asked.regimes, tuple(asked.overlay or ()))
    _known(flow, book)
    settings = Assumptions.load(asked.assumptions).settings
    return flow, notes, book, settings if asked.assume else {"licence": settings["licence"]}


def _flow(asked: FlowOptions) -> tuple[dict[str, str], list[str]]:
    """Return the flow that the options describe, and what was taken from the network to complete it.

    Items and organisations are looked up in the network. Where neither organisation nor head office is given and all
    who make the item there have one head office, that is taken.
    """
    from supplychain.errors import UsageError
    from supplychain.facts.countries import country
    from supplychain.regimes.codes import normal

    item, network = asked.item, asked.network
    head_office, parent, hs6 = asked.head_office, asked.parent, asked.hs
    for place in filter(None, (asked.origin, asked.destination, head_office, parent, asked.end_party)):
        country(place)
    for heading in filter(None, hs6.split(";")):
        if not (len(heading) == 6 and heading.isdigit()):
            raise UsageError(f"--hs {heading!r} is not a customs heading of six digits, such as 848620")
    codes, category = item, ""
    notes: list[str] = []
    if not all(":" in normal(part) or part.strip().lower() == "none" for part in item.split(";")):
        row = _look_up(network, "items", "item", item)
        codes, category, hs6 = row["control_codes"], row["category"], hs6 or row.get("hs6", "")
        if not asked.organisation and not head_office:
            head_office, notes = _makers(network, item, asked.origin)
    if asked.organisation:
        row = _look_up(network, "organisations", "organisation", asked.organisation)
        head_office, parent = head_office or row["jurisdiction"], parent or row["parent_jurisdiction"]
    if head_office == "" and parent:
        raise UsageError("--parent wants --head-office beside it")
    flow = {
        "item": item,
        "item_codes": ";".join(normal(part) for part in codes.split(";") if part.strip()),
        "item_category": category,
        "hs6": hs6,
        "origin": asked.origin,
        "destination": asked.destination,
        "head_office": head_office,
        "parent": parent,
        "content": ";".join(asked.content or ()),
        "direct_product": ";".join(asked.direct_product or ()),
        "end_use": asked.end_use,
        "entity": asked.entity,
        "end_party_head_office": asked.end_party,
    }
    return flow, notes


def _known(flow: dict[str, str], book: RegimeBook) -> None:
    """Refuse what only a slip of the pen explains: lists that the book does not hold, misspelt end uses and parties."""
    from supplychain.errors import UsageError
    from supplychain.facts.cells import nearest
    from supplychain.facts.countries import country
    from supplychain.regimes.codes import NOT_LISTS, SHARED_LISTS, list_of
    from supplychain.regimes.flows import UNION, parse_content

    lists = sorted({*book.law.lists, *NOT_LISTS, *SHARED_LISTS})
    for code in filter(lambda part: ":" in part, flow["item_codes"].split(";")):
        if list_of(code) not in lists:
            hint = nearest(list_of(code), lists)
            raise UsageError(f"the book holds no list {list_of(code)!r}; {hint or 'lists: ' + ', '.join(lists)}")
    for column, kind in (("end_use", "end-use"), ("entity", "entity")):
        for tag in flow[column].split(";"):
            hint = "" if tag in ("", "none", *book.law.tags[kind]) else nearest(tag, book.law.tags[kind])
            if hint:
                raise UsageError(f"--{kind} {tag!r} is none that the book knows; {hint}")
    try:
        states = list(parse_content(flow["content"]))
    except ValueError as error:
        raise UsageError(f"--content: {error}") from None
    for state in [*states, *filter(None, flow["direct_product"].split(";"))]:
        if state not in ("none", UNION):
            country(state)


def _makers(network: Path | None, item: str, site: str) -> tuple[str, list[str]]:
    """Return the head office that all makers of the item at a site share, or "", and what to say of it."""
    makers = {r["organisation"] for r in _table(network, "supplies") if r["item"] == item and r["site"] == site}
    offices = {r["organisation"]: r["jurisdiction"] for r in _table(network, "organisations")}
    places = {offices.get(maker, "") for maker in makers}
    if len(places) != 1 or "" in places:
        return "", []
    (place,) = places
    return place, [f"head office {place} is taken from the network: {', '.join(sorted(makers))} make it in {site}"]


def _table(network: Path | None, name: str) -> list[dict[str, str]]:
    """Return a table of the network; the bundled one is read as plain text, which is quick."""
    import csv

    from supplychain.locate import datasets

    if network is None:
        with (datasets() / "semiconductors" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    from supplychain.facts.package import read_package

    rows = read_package(network, "network").tables[name].to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def _look_up(network: Path | None, table: str, key: str, wanted: str) -> dict[str, str]:
    """Return one row of a table of the network, or say which name is probably meant."""
    from supplychain.errors import UsageError
    from supplychain.facts.cells import nearest

    rows = _table(network, table)
    for row in rows:
        if row[key] == wanted:
            return row
    hint = nearest(wanted, [str(row[key]) for row in rows])
    if key == "item" and wanted.isdigit():
        hint = f"write HS:{wanted} for a customs heading"
    elif key == "item" and not hint:
        hint = "write LIST:CODE for an entry of a list, such as US:3B001.f.1"
    raise UsageError(f"{wanted!r} is no {key} of the network{'; ' + hint if hint else ''}")
