"""What the facts of a supply network must keep, beyond the form of each table: one function per rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from supplychain.errors import Problems
from supplychain.facts.cells import report, split_list
from supplychain.facts.raw import SHOWN
from supplychain.facts.tables import Loaded

TOLERANCE = 0.025  # published shares are rounded: sums up to 1.025 are scaled back with a warning, more is refused
OLD = 15  # years
_UNSOURCED = r"^(none|unverified)(;(none|unverified))*$"
_UNSURE = ("estimate", "assumption")

# What the capacity of a site is counted in; "300 mm wafers/month" and "wafers/month (plan)" are such units too.
COUNTED = ("wafers", "units", "pieces", "systems", "sets", "tools", "licences", "t", "kg", "g", "m3", "m2", "l", "MWh")
PERIODS = ("year", "quarter", "month", "week", "day")
_SITE_UNIT = re.compile(rf"share of \S.*|fraction|(?:.* )?(?:{'|'.join(COUNTED)})/(?:{'|'.join(PERIODS)})(?: .*)?")

Tables = Mapping[str, Loaded]


def check(tables: Tables, problems: Problems, below: Mapping[str, pd.DataFrame] | None = None) -> None:
    """Apply every rule to a network package; faults and oddities go to `problems`. `below` are the tables of the
    package that this one is laid over."""
    weight_shares_sum_to_one(tables, problems)
    weight_has_one_basis(tables, problems)
    aggregates_are_acyclic(tables, problems)
    owners_are_acyclic(tables, problems)
    capital_and_knowledge_have_a_lifetime(tables, problems)
    relations_stand_once(tables, problems)
    quality_is_honest(tables, problems)
    customs_headings_have_six_digits(tables, problems)
    none_stands_alone(tables, problems)
    plants_have_one_place(tables, problems)
    units_agree(tables, problems)
    figures_have_a_unit(tables, problems, below or {})
    periods_are_not_mixed(tables, problems)
    costs_have_a_currency(tables, problems)
    lanes_have_one_end(tables, problems)
    parts_sum_to_one(tables, problems)
    items_are_used(tables, problems)
    vintages_agree(tables, problems)
    figures_are_not_old(tables, problems)


def weight_shares_sum_to_one(tables: Tables, problems: Problems) -> None:
    """The shares of an item's weight rows sum to at most 1 (+ TOLERANCE); a blank share stays unknown, never zero."""
    loaded = tables["supplies"]
    weight = loaded.frame["weight"].fillna(False).to_numpy(dtype=bool)
    _sums(loaded, weight, ["item"], problems)
    blank = weight & loaded.frame["share"].isna().to_numpy() & loaded.frame["capacity"].isna().to_numpy()
    where = np.flatnonzero(blank)
    rule = "a weight row has a share or a capacity"
    cure = "its part of the item counts as unattributed; find the share"
    _warn(problems, loaded, where, "share-blank", rule, cure, "share", loaded.frame["supply"])


def weight_has_one_basis(tables: Tables, problems: Problems) -> None:
    """The weight rows of an item are on one basis (revenue, volume, ...), and an item with shares has weight rows."""
    loaded = tables["supplies"]
    frame = loaded.frame
    weight = frame["weight"].fillna(False).to_numpy(dtype=bool)
    unsaid = frame["weight"].isna() & frame["share"].notna()
    where = np.flatnonzero(unsaid.to_numpy(dtype=bool))
    rule = "a row with a share says whether it weighs"
    cure = "write true or false; until then it is no part of the network"
    _warn(problems, loaded, where, "weight-blank", rule, cure, "weight", frame["supply"])
    bases = frame[weight].groupby("item")["basis"].nunique()
    for item in sorted(bases.index[bases > 1])[:SHOWN]:
        rows = np.flatnonzero(weight & (frame["item"] == item).to_numpy(dtype=bool))
        problems.add(
            "weight-basis",
            f"the weight rows of {item} are on one basis",
            "set weight to true for the rows of one basis only",
            file=loaded.file,
            table=loaded.name,
            row=loaded.row(rows[0]),
            column="basis",
            value=", ".join(sorted(set(frame["basis"].iloc[rows]))),
        )
    shared = frame["item"][frame["share"].notna()].unique()
    for item in sorted(set(shared) - set(frame["item"][weight].unique()))[:SHOWN]:
        rows = np.flatnonzero((frame["item"] == item).to_numpy(dtype=bool))
        problems.warn(
            "weight-missing",
            f"one basis of {item} is chosen as its weight",
            "set weight to true for the rows of one basis; without it the item counts as wholly unattributed",
            file=loaded.file,
            table=loaded.name,
            row=loaded.row(rows[0]),
            column="weight",
            value=item,
        )


def aggregates_are_acyclic(tables: Tables, problems: Problems) -> None:
    """No item is a part of itself, directly or through other aggregates."""
    frame = tables["items"].frame
    parts, owner = split_list(pa.array(frame["aggregate_of"], pa.large_string()))
    whole = frame["item"].to_numpy()[owner]
    _acyclic(
        tables["items"], "item", "aggregate_of", list(zip(map(str, whole), parts.to_pylist(), strict=True)), problems
    )


def owners_are_acyclic(tables: Tables, problems: Problems) -> None:
    """No organisation owns itself, directly or through others."""
    frame = tables["organisations"].frame
    owned = frame[frame["parent"] != ""]
    edges = list(zip(owned["organisation"], owned["parent"], strict=True))
    _acyclic(tables["organisations"], "organisation", "parent", edges, problems)


def capital_and_knowledge_have_a_lifetime(tables: Tables, problems: Problems) -> None:
    """Without a lifetime, the time axis cannot tell when a capital or knowledge requirement bites."""
    loaded = tables["requirements"]
    frame = loaded.frame
    lacking = frame["role"].isin(["capital", "knowledge"]) & frame["lifetime_years"].isna()
    where = np.flatnonzero(lacking.to_numpy(dtype=bool))
    rule = "a capital or knowledge requirement has lifetime_years"
    cure = "give the service life or the term of the licence; until then the assumption of its category is used"
    _warn(problems, loaded, where, "lifetime-missing", rule, cure, "lifetime_years", frame["requirement"])


def relations_stand_once(tables: Tables, problems: Problems) -> None:
    """An item requires another once in each role, and never itself; one lane joins a supply to a buyer (each year)."""
    loaded = tables["requirements"]
    frame = loaded.frame
    twice = np.flatnonzero(frame.duplicated(["item", "requires", "role"]).to_numpy(dtype=bool))
    pairs = (frame["item"] + " requires " + frame["requires"]).to_numpy()
    rule, cure = "an item requires another once in each role", "merge the rows"
    report(problems, twice, list(pairs[twice]), "relation-twice", rule, cure, loaded.place, "requires")
    lanes = tables["lanes"]
    ends = ["from_supply", "to_supply", "to_plant", "year"]
    again = np.flatnonzero(lanes.frame.duplicated(ends).to_numpy(dtype=bool))
    named = (lanes.frame["from_supply"] + " to " + lanes.frame["to_supply"] + lanes.frame["to_plant"]).iloc[again]
    rule, cure = "one lane joins a supply to a buyer", "merge the lanes"
    report(problems, again, named.tolist(), "relation-twice", rule, cure, lanes.place, "from_supply")
    own = np.flatnonzero(((frame["item"] == frame["requires"]) & (frame["item"] != "")).to_numpy(dtype=bool))
    rule, cure = "an item does not require itself", "name the input, or drop the row"
    report(problems, own, list(pairs[own]), "self-requirement", rule, cure, loaded.place, "requires")


def quality_is_honest(tables: Tables, problems: Problems) -> None:
    """A figure that rests on no source, or only on unverified knowledge, is an estimate or an assumption."""
    for loaded in tables.values():
        for source, quality in (
            ("source", "quality"),
            ("control_source", "control_quality"),
            ("ops_source", "ops_quality"),
        ):
            if source not in loaded.frame or quality not in loaded.frame:
                continue
            unsourced = loaded.frame[source].str.match(_UNSOURCED).to_numpy(dtype=bool)
            sure = ~loaded.frame[quality].isin([*_UNSURE, ""]).to_numpy(dtype=bool)
            where = np.flatnonzero(unsourced & sure)
            words = loaded.frame[quality].iloc[where].tolist()
            rule = f"with {source} 'none' or only 'unverified', {quality} is estimate or assumption"
            report(
                problems,
                where,
                words,
                "quality-honest",
                rule,
                "name the source or lower the quality",
                loaded.place,
                quality,
            )


def customs_headings_have_six_digits(tables: Tables, problems: Problems) -> None:
    """hs6 holds headings of the Harmonized System with six digits."""
    loaded = tables["items"]
    codes, owner = split_list(pa.array(loaded.frame["hs6"], pa.large_string()))
    texts = pd.Series(codes.to_pylist(), dtype="str")
    bad = np.flatnonzero(~texts.str.fullmatch("[0-9]{6}").to_numpy(dtype=bool))
    rule, cure = "hs6 holds customs headings of six digits", "drop dots; keep leading zeros"
    report(problems, owner[bad], list(texts.iloc[bad]), "hs6", rule, cure, loaded.place, "hs6")


def none_stands_alone(tables: Tables, problems: Problems) -> None:
    """The literal `none` (no source; on no list) excludes every other member of its cell."""
    for loaded in tables.values():
        for column in ("source", "control_source", "ops_source", "control_codes"):
            if column not in loaded.frame:
                continue
            cells = loaded.frame[column]
            mixed = cells.str.contains(r"(?:^|;)none(?:;|$)", regex=True) & (cells != "none")
            where = np.flatnonzero(mixed.to_numpy(dtype=bool))
            rule, cure = "'none' stands alone in its cell", "drop 'none' or the others"
            report(problems, where, cells.iloc[where].tolist(), "none-mixed", rule, cure, loaded.place, column)


def plants_have_one_place(tables: Tables, problems: Problems) -> None:
    """The rows of a plant name one buyer and one site."""
    loaded = tables["plants"]
    frame = loaded.frame
    for column in ("buyer", "site"):
        counts = frame.groupby("plant")[column].transform("nunique")
        first = frame.groupby("plant")[column].transform("first")
        where = np.flatnonzero(((counts > 1) & (frame[column] != first)).to_numpy(dtype=bool))
        rule, cure = f"the rows of a plant name one {column}", "correct it, or give the plant its own id"
        report(problems, where, frame[column].iloc[where].tolist(), "plant-place", rule, cure, loaded.place, column)


def units_agree(tables: Tables, problems: Problems) -> None:
    """The demand of a plant is in the unit of the item; a demand without any unit is not guessed."""
    loaded = tables["plants"]
    frame = loaded.frame
    items = tables["items"].frame.drop_duplicates("item").set_index("item")["unit"]
    unit = items.reindex(frame["item"]).fillna("").set_axis(frame.index)
    differs = (frame["unit"] != "") & (unit != "") & (frame["unit"] != unit)
    where = np.flatnonzero(differs.to_numpy(dtype=bool))
    rule = "a plant's demand is in the unit of its item"
    report(
        problems, where, frame["unit"].iloc[where].tolist(), "unit", rule, "convert the demand", loaded.place, "unit"
    )
    lacking = frame["demand"].notna() & (frame["unit"] == "") & (unit == "")
    where = np.flatnonzero(lacking.to_numpy(dtype=bool))
    rule, cure = "a demand has a unit", "give the unit here or in items"
    report(problems, where, frame["item"].iloc[where].tolist(), "unit", rule, cure, loaded.place, "unit")


def figures_have_a_unit(tables: Tables, problems: Problems, below: Mapping[str, pd.DataFrame]) -> None:
    """A volume or price of an item and the capacity of a site have a unit; a site's unit is one that people count in
    per year, month or day, with any words around it."""
    loaded = tables["items"]
    frame = loaded.frame
    known: list[str] = below["items"].loc[below["items"]["unit"] != "", "item"].tolist() if "items" in below else []
    lacking = (frame["world_volume"].notna() | frame["price_usd"].notna()) & (frame["unit"] == "")
    lacking &= ~frame["item"].isin(known)
    where = np.flatnonzero(lacking.to_numpy(dtype=bool))
    rule, cure = "a volume or a price of an item has a unit", "fill unit, e.g. t"
    report(problems, where, frame["item"].iloc[where].tolist(), "unit", rule, cure, loaded.place, "unit")
    loaded = tables["sites"]
    frame = loaded.frame
    where = np.flatnonzero((frame["capacity"].notna() & (frame["unit"] == "")).to_numpy(dtype=bool))
    rule, cure = "a capacity has a unit", "fill unit, e.g. wafers/month"
    report(problems, where, frame["site"].iloc[where].tolist(), "unit", rule, cure, loaded.place, "unit")
    odd = [text for text in frame["unit"].unique() if text and not _SITE_UNIT.fullmatch(text)]
    where = np.flatnonzero(frame["unit"].isin(odd).to_numpy(dtype=bool))
    rule = f"unit is {', '.join(COUNTED)} per {', '.join(PERIODS)}, such as wafers/month, or 'share of ...'"
    report(problems, where, frame["unit"].iloc[where].tolist(), "unit", rule, "write it so", loaded.place, "unit")


def periods_are_not_mixed(tables: Tables, problems: Problems) -> None:
    """Capacities of one product that are per month here and per year there are easily misread: warn at the rarer."""
    loaded = tables["sites"]
    frame = loaded.frame
    parts = frame["unit"].str.extract(r"^(?P<what>.*)/(?P<per>\w+)$").fillna("")  # a remark after it tells them apart
    parts = parts.assign(product=frame["product"])[(parts["per"] != "") & frame["capacity"].notna()]
    for (product, what), group in parts.groupby(["product", "what"], sort=True):
        counts = group["per"].value_counts(sort=False).sort_index().sort_values(kind="stable")
        if len(counts) < 2:
            continue
        where = group.index[(group["per"] != counts.index[-1]).to_numpy(dtype=bool)]
        rule = f"capacities of {product or 'one product'} in {what} are per {counts.index[-1]} elsewhere"
        cure = "give all of them for one period, or say after the unit why not"
        _warn(problems, loaded, where, "mixed-periods", rule, cure, "unit", frame["unit"])


def costs_have_a_currency(tables: Tables, problems: Problems) -> None:
    """A cost without its currency is not a cost."""
    loaded = tables["supplies"]
    frame = loaded.frame
    lacking = (frame["unit_cost"].notna() | frame["qualification_cost"].notna()) & (frame["currency"] == "")
    where = np.flatnonzero(lacking.to_numpy(dtype=bool))
    rule, cure = "a cost has a currency", "fill currency, e.g. USD"
    report(problems, where, frame["supply"].iloc[where].tolist(), "currency", rule, cure, loaded.place, "currency")


def lanes_have_one_end(tables: Tables, problems: Problems) -> None:
    """A lane ends at one supply or at one plant, not at both or neither."""
    loaded = tables["lanes"]
    frame = loaded.frame
    wrong = (frame["to_supply"] == "") == (frame["to_plant"] == "")
    where = np.flatnonzero(wrong.to_numpy(dtype=bool))
    rule, cure = "a lane has either to_supply or to_plant", "fill exactly one of them"
    report(problems, where, frame["lane"].iloc[where].tolist(), "lane-end", rule, cure, loaded.place, "to_supply")


def parts_sum_to_one(tables: Tables, problems: Problems) -> None:
    """Content of a supply, demand for a product and lanes of one item into one buyer are parts of a whole."""
    for name, key in (("content", ["supply"]), ("demand", ["item"])):
        _sums(tables[name], np.ones(len(tables[name].frame), dtype=bool), key, problems)
    lanes = tables["lanes"]
    if lanes.frame.empty:
        return
    item = tables["supplies"].frame.drop_duplicates("supply").set_index("supply")["item"]
    frame = lanes.frame.assign(item=item.reindex(lanes.frame["from_supply"]).fillna("").to_numpy())
    _sums(
        Loaded(lanes.name, lanes.file, frame, lanes.rows),
        np.ones(len(frame), dtype=bool),
        ["to_supply", "to_plant", "item"],
        problems,
    )


def items_are_used(tables: Tables, problems: Problems) -> None:
    """An item that nobody makes, needs, buys or totals changes no result."""
    loaded = tables["items"]
    items = loaded.frame["item"]
    parts, owner = split_list(pa.array(loaded.frame["aggregate_of"], pa.large_string()))
    naming = (("supplies", "item"), ("requirements", "item"), ("requirements", "requires"), ("plants", "item"))
    used = {name for table, column in naming for name in tables[table].frame[column].unique()}
    used |= {*parts.to_pylist(), *items.iloc[owner]}
    where = np.flatnonzero(~items.isin(used).to_numpy(dtype=bool))
    rule = "an item is made, needed, bought or totalled by someone"
    cure = "add a supply or a requirement; until then it changes no result"
    _warn(problems, loaded, where, "orphan", rule, cure, "item", items)


def vintages_agree(tables: Tables, problems: Problems) -> None:
    """Shares that are added up are of one year: those of an item's weight, of a product's demand, of a content."""
    for name, key in (("supplies", "item"), ("demand", "item"), ("content", "supply")):
        loaded = tables[name]
        frame = loaded.frame
        dated = frame["share"].notna() & frame["year"].notna()
        if name == "supplies":
            dated &= frame["weight"].fillna(False).astype(bool)
        part = frame.loc[dated.to_numpy(dtype=bool), [key, "year"]]
        if part.empty:
            continue
        newest = part.groupby(key)["year"].transform("max")
        for position in part.index[(part["year"] != newest).to_numpy(dtype=bool)][:SHOWN]:
            problems.warn(
                "vintage-mixed",
                f"the shares of one {key} are of one year; others of {part[key].loc[position]} are of "
                f"{newest.loc[position]:.0f}",
                "take all of them from one year where you can",
                file=loaded.file,
                table=name,
                row=loaded.row(position),
                column="year",
                value=f"{part['year'].loc[position]:.0f}",
            )


def figures_are_not_old(tables: Tables, problems: Problems) -> None:
    """Warn of figures that are more than OLD years older than the newest of the package."""
    dated = {name: tables[name].frame["year"] for name in ("items", "supplies", "content", "demand", "lanes")}
    years = pd.concat(list(dated.values()))
    if years.notna().sum() == 0:
        return
    oldest = years.max() - OLD
    for name, year in dated.items():
        loaded = tables[name]
        for position in np.flatnonzero((year < oldest).to_numpy(dtype=bool))[:SHOWN]:
            problems.warn(
                "vintage-old",
                f"figures are at most {OLD} years older than the newest of the package ({years.max():.0f})",
                "find a newer figure; until then it is taken as it is",
                file=loaded.file,
                table=name,
                row=loaded.row(position),
                column="year",
                value=f"{year.iloc[position]:.0f}",
            )


def _warn(
    problems: Problems,
    loaded: Loaded,
    where: np.ndarray | pd.Index,
    code: str,
    rule: str,
    cure: str,
    column: str,
    values: pd.Series,
) -> None:
    """Warn of the rows at the positions `where`, telling SHOWN of them; `values` are what stands there, by row."""
    for position in where[:SHOWN]:
        problems.warn(
            code,
            rule,
            cure,
            file=loaded.file,
            table=loaded.name,
            row=loaded.row(position),
            column=column,
            value=values.iloc[position],
        )


def _sums(loaded: Loaded, mask: np.ndarray, key: list[str], problems: Problems) -> None:
    """Refuse groups of `key` whose shares sum to more than 1 + TOLERANCE; warn of those above 1."""
    frame = loaded.frame.loc[mask, [*key, "share"]]
    frame = frame.assign(position=np.flatnonzero(mask))
    # Sorted before adding, so that the sum does not hang on the order of the rows.
    if frame.empty:
        return
    grouped = frame.sort_values([*key, "share"]).groupby(key)
    groups = pd.DataFrame({"total": grouped["share"].sum(), "first": grouped["position"].min()})
    over = groups[groups["total"] > 1 + 1e-9].reset_index()
    for names, total, first in zip(over[key].to_numpy(), over["total"], over["first"], strict=True):
        name = ", ".join(str(part) for part in names if part)
        rule = f"the shares of one {' and '.join(key)} sum to at most 1"
        place: dict[str, Any] = {"file": loaded.file, "table": loaded.name, "column": "share"}
        place |= {"row": loaded.row(first), "value": f"{name}: {total:.6g}"}
        if total > 1 + TOLERANCE + 1e-9:
            problems.add("share-sum", rule, "correct the shares; this is the first row of the group", **place)
        else:
            problems.warn("share-sum", rule, "scaled back to 1", **place)


def _acyclic(loaded: Loaded, key: str, column: str, edges: list[tuple[str, str]], problems: Problems) -> None:
    """Report circles, each once: when one is found its members are taken out and the rest is searched again."""
    graph: dict[str, set[str]] = {}
    for start, end in sorted(edges):
        graph.setdefault(start, set()).add(end)
    for _ in range(SHOWN):
        try:
            TopologicalSorter({node: sorted(ends) for node, ends in sorted(graph.items())}).prepare()
            return
        except CycleError as error:
            cycle = list(reversed(error.args[1]))
        first = cycle.index(min(cycle))  # told from its first id on, wherever the search met it
        cycle = [*cycle[first:-1], *cycle[:first], cycle[first]]
        rows = np.flatnonzero(loaded.frame[key].isin(cycle).to_numpy(dtype=bool))
        named = " -> ".join(cycle[:12]) + (f" ... ({len(cycle) - 1:,} in all)" if len(cycle) > 12 else "")
        problems.add(
            "cycle",
            f"{column} makes no circle: {named}",
            f"break it at one of rows {', '.join(str(loaded.row(row)) for row in rows[:SHOWN])}",
            file=loaded.file,
            table=loaded.name,
            row=loaded.row(rows[0]),
            column=column,
            value=" -> ".join(cycle),
        )
        for node in cycle:
            graph.pop(node, None)
