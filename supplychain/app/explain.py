"""Any number of a reading, opened: number, lines behind it, determinations, controls, sources with links.

Each level is a table. A row of one opens further where `Level.opens` says what it is: hand `row_of(level, position)`
back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.analysis.because import Chain, Tracer
from supplychain.analysis.cascade import cascade
from supplychain.analysis.elements import members, name_of
from supplychain.case import Case
from supplychain.errors import UsageError
from supplychain.network import Floats
from supplychain.regimes.coverage import PREFIX
from supplychain.regimes.explain import explain as explain_flow
from supplychain.shocks import Shocks
from supplychain.whatif.apply import MEASURES, Applied
from supplychain.whatif.outlook import NEED

if TYPE_CHECKING:
    from supplychain.app.draft import Draft
    from supplychain.app.workspace import Setup, Workspace

KINDS: Final = ("headline", "need", "element", "item", "flow", "control", "source", "line")
_KIND: Final = {"leave of": "jurisdiction", "all supply of": "jurisdiction", "organisation": "organisation"}
Rows = npt.NDArray[np.integer[Any]]
_SUPPLY: Final = ["organisation", "site", "year", "quality", "source", "note"]
_LAW: Final = ["status", "policy", "control"]
_CONTROL: Final = ["instrument", "item_code", "destination_scope", "end_party", "reach", "from", "to", "suspended_from",
                   "suspended_to", "quality", "source", "note"]  # fmt: skip


@dataclass(frozen=True)
class What:
    """What is to be explained: a kind and its keys.

    headline: measure, horizon. need: plant, destination, item, measure, horizon. element: of (a kind of choke point),
    element, horizon. item: item. flow: supply, destination. control: control. source: source. line: plant, item,
    supply (of the recommended plan).
    """

    kind: str
    keys: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str, **keys: Any) -> What:
        return cls(kind, keys)


@dataclass(frozen=True, eq=False)
class Level:
    """One step of an explanation. ``opens``: what a row is (a kind of `What`), "" for nothing; ``keys``: the columns
    that are its keys; ``fixed``: keys that all rows share."""

    title: str
    table: pd.DataFrame
    note: str = ""
    opens: str = ""
    keys: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)


def row_of(level: Level, position: int) -> What | None:
    """Return what a row of a level opens, None for nothing."""
    if not level.opens:
        return None
    row = level.table.iloc[position]
    return What(level.opens, {**level.fixed, **{key: row[key] for key in level.keys}})


def explain(workspace: Workspace, setup: Setup, draft: Draft, what: What) -> list[Level]:
    """Return the levels behind a number of a draft's reading, the number first.

    Raises UsageError for what the reading does not hold.
    """
    if what.kind not in KINDS:
        raise UsageError(f"{what.kind!r} cannot be explained: {', '.join(KINDS)}")
    with workspace.lock:
        applied = workspace.applied(setup, draft)
        try:
            if what.kind == "headline":
                return _headline(workspace, setup, draft, what)
            if what.kind == "line":
                return _line(workspace, setup, draft, applied, what)
            if what.kind == "need":
                return _need(workspace, setup, draft, applied, what)
            if what.kind == "element":
                return _element(workspace, setup, draft, applied, what)
            case = applied.case
            makers = {"item": _item, "flow": _flow, "control": _control, "source": _source}
            return makers[what.kind](case, what)
        except KeyError as error:
            raise UsageError(f"to explain a {what.kind}, name its {error.args[0]}") from None


def _headline(workspace: Workspace, setup: Setup, draft: Draft, what: What) -> list[Level]:
    from supplychain.app.measure import measured
    from supplychain.whatif.outlook import LOSSES, need_weights

    found = measured(workspace, setup, draft).outlook
    measure_, horizon = what.keys["measure"], float(what.keys["horizon"])
    head = _rows(found.headline, measure=measure_, horizon=horizon)
    rows = _rows(found.losses, measure=measure_, horizon=horizon)
    weights = need_weights(found.applied.case)
    table = rows[[*NEED, *LOSSES]].merge(weights, on=NEED, how="left")
    table["part"] = table["weight"] * table["short"]
    table = table.sort_values(["part", *NEED], ascending=[False, True, True, True], ignore_index=True)
    note = "weight: of the need in the mean, by yearly margin; part: weight times short-run loss; parts sum to the mean"
    fixed = {"measure": measure_, "horizon": horizon}
    return [
        Level(f"Loss {measure_} after {horizon:g} months", head),
        Level("Needs", table, note, "need", tuple(NEED), fixed),
    ]


def _need(workspace: Workspace, setup: Setup, draft: Draft, applied: Applied, what: What) -> list[Level]:
    from supplychain.app.measure import measured

    horizon, measure_ = float(what.keys["horizon"]), str(what.keys["measure"])
    if measure_ not in MEASURES:
        raise UsageError(f"{measure_!r} is no measure: {', '.join(MEASURES)}")
    found = measured(workspace, setup, draft).outlook
    keys = {name: what.keys[name] for name in NEED}
    figures = _rows(found.losses, **keys, measure=measure_)
    case = applied.at(horizon)
    place = np.flatnonzero(_match(case.needs, keys))
    if not len(place) or not len(figures):
        raise UsageError(f"the buyer has no need of {keys['item']!r} at {keys['plant'] or keys['destination']!r}")
    shocks = applied.shocks(horizon).take([MEASURES.index(measure_)])
    compiled, market = case.compiled, int(case.needs["market"].iloc[place[0]])
    result = cascade(compiled, shocks, (horizon,))
    tracer = Tracer(compiled, shocks, (horizon,), result.market_loss, result.supply_loss)
    chains = tracer.chains(market, 0, horizon)
    markets = _markets_of(case, market, chains)
    offers = np.concatenate([np.arange(compiled.offer_start[m], compiled.offer_start[m + 1]) for m in markets])
    note = "the item itself, then what binds upstream; withheld: part of the flow; lost: part of the maker's output"
    return [
        Level(f"{keys['item']} at {keys['plant'] or keys['destination']}, {measure_}", figures),
        Level(
            "Why: binding chain",
            _chain_table(chains),
            "rank 2 binds once the cause of rank 1 is mended",
            "item",
            ("item",),
        ),
        *_behind(case, offers, shocks, result.supply_loss[:, 0, 0], note),
    ]


def _markets_of(case: Case, market: int, chains: Sequence[Chain]) -> list[int]:
    """The need's own market, then those along its binding chain."""
    compiled = case.compiled
    found = [market]
    for step in chains[0].steps[1:] if chains else ():
        item, place = compiled.items.index(step.item), compiled.places.index(step.place)
        found += np.flatnonzero((compiled.market_item == item) & (compiled.market_place == place)).tolist()
    return list(dict.fromkeys(found))


def _chain_table(chains: Sequence[Chain]) -> pd.DataFrame:
    rows = [
        (rank, number, step.item, step.place, step.role, step.loss,
         chain.kind if step is chain.steps[-1] else "",
         ";".join(f"{place}={part:.3g}" for place, part in chain.origins) if step is chain.steps[-1] else "")
        for rank, chain in enumerate(chains, start=1)
        for number, step in enumerate(chain.steps)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["rank", "step", "item", "place", "role", "loss", "cause", "origins"])


def _element(workspace: Workspace, setup: Setup, draft: Draft, applied: Applied, what: What) -> list[Level]:
    from supplychain.app.measure import HORIZON, measured

    kind, element = str(what.keys["of"]), str(what.keys["element"])
    if kind not in _KIND:
        raise UsageError(f"{kind!r} is no kind of choke point: {', '.join(_KIND)}")
    found = measured(workspace, setup, draft).chokes
    case = applied.at(HORIZON)
    name = name_of(case.network, _KIND[kind], element)[0]
    shocks = found.shocks[kind]
    if element not in shocks.names:
        raise UsageError(f"{element!r} is no {kind!r} of this case")
    at = shocks.names.index(element)
    own = Shocks(shocks.names, found.own[kind], shocks.flow_lost).take([at])
    offers = members(case.compiled, own)[0].offers
    note = f"flows that the {'refusal' if _KIND[kind] == 'jurisdiction' else 'loss'} takes"
    return [
        Level(f"{kind} {name}", _rows(found.losses, kind=kind, element=element)),
        *_behind(case, offers, own, own.own_lost.toarray()[:, 0], note),
    ]


def _item(case: Case, what: What) -> list[Level]:
    from supplychain.report.matrix import by_item

    item = str(what.keys["item"])
    facts, compiled = _rows(case.network.items, item=item), case.compiled
    if item not in {compiled.items[code] for code in np.unique(compiled.market_item)}:
        raise UsageError(f"{item!r} is no item of this case's chains")
    offers = np.flatnonzero(compiled.market_item[compiled.offer_market] == compiled.items.index(item))
    shares = _rows(by_item(compiled, case.determinations.table), item=item)
    needs = _rows(case.network.requirements, item=item)
    return [
        Level(str(facts["name"].iloc[0] or item), shares, "shares of its supply to users in this case, by status"),
        Level("Recorded facts", facts.T.reset_index().set_axis(["fact", "value"], axis=1).astype(str)),
        Level("What it needs", needs, opens="item", keys=("requires",))
        if len(needs)
        else Level("What it needs", needs),
        *_behind(case, offers, None, None, "every flow of it to a user"),
    ]


def _line(workspace: Workspace, setup: Setup, draft: Draft, applied: Applied, what: What) -> list[Level]:
    from supplychain.app.advise import planned_for

    plan = planned_for(workspace, setup, draft)
    keys = {name: what.keys[name] for name in ("plant", "item", "supply")}
    rows = _rows(plan.lines, **keys)
    if not len(rows):
        raise UsageError("the plan has no such line")
    sites = _rows(plan.problem.needs, plant=keys["plant"], item=keys["item"])
    flow = What.of("flow", supply=keys["supply"], destination=str(sites["site"].iloc[0]))
    needs = _rows(plan.needs, plant=keys["plant"], item=keys["item"])
    return [
        Level(f"{keys['item']} from {keys['supply']} for {keys['plant']}", rows),
        Level("The need", needs),
        *_flow(applied.case, flow),
    ]


def _flow(case: Case, what: What) -> list[Level]:
    supply, destination = str(what.keys["supply"]), str(what.keys["destination"])
    compiled = case.compiled
    found = np.flatnonzero(
        (np.asarray(compiled.supply_ids, object)[compiled.offer_supply] == supply)
        & (np.array(compiled.places, object)[compiled.market_place[compiled.offer_market]] == destination)
    )
    if not len(found):
        raise UsageError(f"no flow of {supply!r} to {destination!r} in this case")
    offer = int(found[0])
    flow = {str(name): str(value) for name, value in case.flows().iloc[offer].items()}
    asked = {name: value for name, value in flow.items() if name not in ("supply", "item")}
    told = explain_flow(case.book, asked, case.on, assumptions=case.assumptions.settings)
    answer = pd.DataFrame({"fact": list(told.determination), "value": [str(v) for v in told.determination.values()]})
    clauses = told.controls.assign(links=[";".join(dict.fromkeys(links)) for links in told.controls["links"]])
    stated = pd.DataFrame({"fact": list(flow), "value": list(flow.values())})
    return [
        Level(
            f"{flow['item']} from {flow['origin'] or 'an unknown place'} to {destination}",
            stated,
            "what is known of it",
        ),
        Level("Determination", answer, "; ".join(told.warnings)),
        Level("Every control on the item, clause by clause", clauses, "", "control", ("control",)),
        *_behind(case, found[:1], None, None, "the line", law=False),
    ]


def _control(case: Case, what: What) -> list[Level]:
    control = str(what.keys["control"])
    if control.startswith(PREFIX):
        return _not_held(case, control)
    table = case.book.in_force(case.on)
    row = table[table["control"] == control]
    if not len(row):
        raise UsageError(f"the regime book has no control {control!r}")
    exceptions = case.book.tables["exceptions"]
    lifting = exceptions[exceptions["control"].str.split(";").apply(lambda names: control in names)
                         | ((exceptions["control"] == "") & exceptions["regime"].isin(row["regime"]))]  # fmt: skip
    facts = row.T.reset_index().set_axis(["fact", "value"], axis=1).astype(str)
    return [
        Level(f"Control {control}", facts),
        Level("Exceptions that may lift it", lifting.reset_index(drop=True)),
        _sources(case, [*row["source"], *lifting["source"]]),
    ]


def _not_held(case: Case, control: str) -> list[Level]:
    """Return what the book says of law that it does not hold, which may therefore ask for leave."""
    coverage = case.book.tables["coverage"]
    row = coverage[coverage["coverage"] == control.removeprefix(PREFIX)]
    facts = row.T.reset_index().set_axis(["fact", "value"], axis=1).astype(str) if len(row) else row
    note = "the book does not hold this law: until it does, what it may ask for counts as unknown, never as free"
    return [Level("Law that the book does not hold", facts, note), _sources(case, list(row["source"]))]


def _source(case: Case, what: What) -> list[Level]:
    return [replace(_sources(case, [str(what.keys["source"])]), opens="")]  # the end: it does not open itself


def _behind(
    case: Case, offers: Rows, shocks: Shocks | None, lost: Floats | None, note: str, law: bool = True
) -> list[Level]:
    """Return the lines of some flows, their determinations, the controls that apply, and the sources of all."""
    lines = _lines(case, offers, shocks, lost)
    levels = [Level("Lines", lines, note, "flow", ("supply", "destination"))]
    ids = list(lines["source"])
    applied = case.determinations.applied
    rows = applied[applied["flow"].isin(offers)]
    controls = _controls(case, offers, rows)
    if law:
        levels.append(_determinations(case, offers))
        levels.append(
            Level("Controls", controls, "deciding ones first; all that apply or may apply", "control", ("control",))
        )
    ids += list(controls["source"])
    return [*levels, _sources(case, ids)]


def _lines(case: Case, offers: Rows, shocks: Shocks | None, lost: Floats | None) -> pd.DataFrame:
    compiled, network = case.compiled, case.network
    seller, market = compiled.offer_supply[offers], compiled.offer_market[offers]
    row = compiled.supply_row[seller]
    supplies = network.supplies.reindex(row).reset_index(drop=True)
    places = np.array([*compiled.places[:-1], ""], object)
    table = pd.DataFrame(
        {
            "item": np.array(compiled.items, object)[compiled.market_item[market]],
            "destination": np.array(compiled.places, object)[compiled.market_place[market]],
            "supply": np.asarray(compiled.supply_ids, object)[seller],
            "share": compiled.offer_weight[offers],
        }
    )
    for name in _SUPPLY:
        column = supplies[name] if name in supplies else pd.Series("", supplies.index)
        table[name] = column if name == "year" else column.fillna("").astype(str)
    table["site"] = places[compiled.supply_place[seller]]
    unknown = row < 0
    table.loc[unknown, "organisation"] = "unattributed"
    if shocks is not None:
        table["withheld"] = shocks.flow_lost.toarray()[offers, 0]
    if lost is not None:
        table["lost"] = lost[seller]
    found = case.determinations
    for name in _LAW:
        table[name] = np.asarray(found.column(name), dtype=object)[offers]
    first = {item: number for number, item in enumerate(dict.fromkeys(table["item"]))}
    order = table.assign(_item=table["item"].map(first)).sort_values(
        ["_item", "destination", "share", "supply"], ascending=[True, True, False, True], ignore_index=True
    )
    return order.drop(columns="_item")


def _determinations(case: Case, offers: Rows) -> Level:
    found = case.determinations
    distinct, count = np.unique(found.index[offers], return_counts=True)
    table = found.distinct.iloc[distinct].reset_index(drop=True)
    table.insert(0, "flows", count)
    names = ["flows", "status", "policy", "control", "regime", "imposing", "citation", "floor", "floor_policy",
             "ceiling", "ceiling_policy", "questions", "conditions", "warnings"]  # fmt: skip
    table = table[names].sort_values("flows", ascending=False, kind="stable", ignore_index=True)
    note = "flows: how many of the lines; floor and ceiling: what the facts that are not known leave open"
    return Level("Determinations", table, note)


def _controls(case: Case, offers: Rows, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the controls that apply or may apply to some flows, deciding ones first, with instrument and days."""
    decides = pd.Series(np.asarray(case.determinations.column("control"), dtype=object)[offers]).value_counts()
    keys = ["control", "imposing", "regime", "status", "policy"]
    table = rows.groupby(keys, sort=True).agg(
        flows=("flow", "nunique"),
        certain=("certain", "sum"),
        exceptions=("exception", lambda names: ";".join(sorted(set(names) - {""}))),
    )
    table = table.reset_index()
    table["decides"] = table["control"].map(decides).fillna(0).astype(int)
    facts = case.book.tables["controls"].set_index("control")
    known = [name for name in _CONTROL if name in facts]
    table = table.join(facts[known], on="control")
    for name in known:
        if not pd.api.types.is_datetime64_any_dtype(table[name]):
            table[name] = table[name].fillna("").astype(str)
    return table.sort_values(["decides", "flows", *keys], ascending=[False, False, *[True] * 5], ignore_index=True)


def _sources(case: Case, texts: Sequence[str]) -> Level:
    """Return the sources that some cells name: source, title, publisher, date, url, licence."""
    ids = {part for text in texts for part in str(text).split(";") if part and part != "none"}
    frames = [case.network.sources, case.book.tables["sources"]]
    every = pd.concat(frames, ignore_index=True).drop_duplicates("source")
    table = every[every["source"].isin(ids)].sort_values("source", ignore_index=True)
    names = [name for name in ("source", "title", "publisher", "date", "url", "licence", "note") if name in table]
    missing = sorted(ids - set(table["source"]))
    note = f"named but not listed: {', '.join(missing)}" if missing else ""
    return Level("Sources", table[names].fillna(""), note, "source", ("source",))


def _match(table: pd.DataFrame, keys: Mapping[str, Any]) -> Any:
    keep = np.ones(len(table), bool)
    for name, value in keys.items():
        keep &= (table[name] == value).to_numpy(bool)
    return keep


def _rows(table: pd.DataFrame, **keys: Any) -> pd.DataFrame:
    found: pd.DataFrame = table[_match(table, keys)].reset_index(drop=True)
    return found
