"""Lays a user's package over another: own suppliers for the first tiers, the world market behind them.

Things meet by identifier only. What looks alike but has another id is suggested, never joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pandas as pd

from supplychain.errors import Problems
from supplychain.facts.package import Package, read_package
from supplychain.facts.schema import NUMERIC, Table, schema

REPORT = ["table", "id", "outcome", "detail"]
_ALIKE = 0.72  # names at least this similar are suggested


@dataclass(frozen=True)
class Merged:
    """The merged package, and one row per row of the user's package and per row of the other that gave way (REPORT)."""

    package: Package
    report: pd.DataFrame

    @property
    def summary(self) -> pd.DataFrame:
        """Rows by table and outcome."""
        return self.report.groupby(["table", "outcome"], sort=True).size().rename("rows").reset_index()


def merge(mine: Path, base: Package) -> Merged:
    """Return `base` with the package at `mine` laid over it.

    items, organisations: a known cell of mine wins, blanks are filled from the base. supplies: where mine says who
    supplies an item (weight rows), the base's shares of that item no longer weigh; they are kept beside. demand: mine
    replaces the base's of that item. plants: with plants of mine, the base's invented ones are left out. Everything
    else: mine wins by key, the rest is added. Sources of one id must agree. Raises InputError with all faults.
    """
    return lay_over(read_package(mine, "network", over=base), base)


def lay_over(over: Package, base: Package) -> Merged:
    """Return `base` with the package `over`, read already, laid over it."""
    problems = Problems()
    report: list[tuple[str, str, str, str]] = []
    tables = {table.name: base.tables[table.name] for table in schema("network").tables}
    for table in schema("network").tables:
        own = over.tables[table.name]
        if table.name in ("items", "organisations"):
            tables[table.name] = _cells(tables[table.name], own, table, report)
        elif table.name == "sources":
            tables[table.name] = _sources(tables[table.name], own, report, problems)
        else:
            tables[table.name] = _rows(_make_way(tables[table.name], own, table, report), own, table, report)
    problems.raise_if_any()
    tables["lanes"] = _lanes_that_hold(tables, report)
    _suggest(over, base, report)
    descriptor = dict(over.descriptor) or dict(base.descriptor)
    descriptor.pop("resources", None)
    own_part = {**base.descriptor.get("supplychain", {}), **over.descriptor.get("supplychain", {})}
    descriptor["supplychain"] = {**own_part, "merged": {"mine": over.hashes, "onto": base.name, "base": base.hashes}}
    licences = [*over.descriptor.get("licences", []), *base.descriptor.get("licences", [])]
    if licences:
        descriptor["licences"] = [entry for at, entry in enumerate(licences) if entry not in licences[:at]]
    package = replace(
        base, name=over.name, path=over.path, tables=tables, descriptor=descriptor, hashes={}, warnings=()
    )
    told = pd.DataFrame(report, columns=REPORT).sort_values(REPORT, kind="stable", ignore_index=True)
    return Merged(package, told)


def _key(frame: pd.DataFrame, table: Table) -> pd.Series:
    return frame[list(table.key)].astype(str).agg(" ".join, axis=1) if len(frame) else pd.Series([], dtype="str")


def _cells(base: pd.DataFrame, own: pd.DataFrame, table: Table, report: list[Any]) -> pd.DataFrame:
    """Return base with the known cells of own on top, and own's further rows."""
    key = table.key[0]
    known = base.set_index(key)
    over = own.set_index(key)
    both = over.index.intersection(known.index)
    for column in table.columns:
        if column.name == key:
            continue
        cells = over.loc[both, column.name]
        filled = cells.notna() if column.type in (*NUMERIC, "boolean", "date") else cells != ""
        known.loc[both[filled.to_numpy(bool)], column.name] = cells[filled.to_numpy(bool)]
    report += [(table.name, name, "matched by id", "known cells of mine win") for name in both]
    added = over.index.difference(known.index, sort=True)
    report += [(table.name, name, "added", "not in the other package") for name in added]
    return pd.concat([known, over.loc[added, known.columns.intersection(over.columns)]]).reset_index()[
        list(base.columns)
    ]


def _sources(base: pd.DataFrame, own: pd.DataFrame, report: list[Any], problems: Problems) -> pd.DataFrame:
    known = base.set_index("source")
    for row in own.to_dict("records"):
        name = str(row["source"])
        if name not in known.index:
            report.append(("sources", name, "added", "not in the other package"))
        elif known.at[name, "title"] == row["title"]:
            report.append(("sources", name, "matched by id", "the same title"))
        else:
            title = known.at[name, "title"]
            problems.add(
                "source-clash",
                "a source id names one source in both packages",
                f"give yours another id: there {name!r} is {title!r}",
                table="sources",
                column="source",
                value=name,
            )
    return pd.concat([base, own[~own["source"].isin(base["source"])]], ignore_index=True)


def _make_way(base: pd.DataFrame, own: pd.DataFrame, table: Table, report: list[Any]) -> pd.DataFrame:
    """Return base without what own replaces as a whole."""
    if table.name == "supplies":
        weighs = set(own.loc[own["weight"].fillna(False).astype(bool), "item"])
        gives = base["item"].isin(weighs) & base["weight"].fillna(False).astype(bool)
        report += [
            ("supplies", name, "kept beside", "mine says who supplies the item") for name in base["supply"][gives]
        ]
        return base.assign(weight=base["weight"].mask(gives, False))
    if table.name == "demand":
        gives = base["item"].isin(own["item"])
    elif table.name == "plants" and len(own):
        gives = base["illustrative"].fillna(False).astype(bool)
    else:
        return base
    why = "mine says where the demand is" if table.name == "demand" else "invented, and mine has plants"
    report += [(table.name, name, "left out", why) for name in _key(base, table)[gives]]
    return base[~gives]


def _rows(base: pd.DataFrame, own: pd.DataFrame, table: Table, report: list[Any]) -> pd.DataFrame:
    mine, theirs = _key(own, table), _key(base, table)
    again = theirs.isin(set(mine)).to_numpy(bool)
    if table.name == "requirements" and len(own):
        relation = ["item", "requires", "role"]
        again = again | pd.MultiIndex.from_frame(base[relation]).isin(pd.MultiIndex.from_frame(own[relation]))
    replaced = set(theirs[again])
    report += [
        (table.name, name, "replaces", "the same id") if name in replaced else (table.name, name, "added", "")
        for name in mine
    ]
    report += [(table.name, name, "left out", "mine says the same relation") for name in sorted(replaced - set(mine))]
    return pd.concat([base[~again], own], ignore_index=True)


def _lanes_that_hold(tables: dict[str, pd.DataFrame], report: list[Any]) -> pd.DataFrame:
    """Leave out lanes from or to a supply that no longer weighs."""
    supplies, lanes = tables["supplies"], tables["lanes"]
    weighs = {"", *supplies.loc[supplies["weight"].fillna(False).astype(bool), "supply"]}
    holds = lanes["from_supply"].isin(weighs) & lanes["to_supply"].isin(weighs)
    report += [("lanes", name, "left out", "its supply no longer weighs") for name in lanes["lane"][~holds]]
    return lanes[holds].reset_index(drop=True)


def _suggest(over: Package, base: Package, report: list[Any]) -> None:
    """Name items and organisations of the base that resemble one of mine under another id."""
    for table, key in (("items", "item"), ("organisations", "organisation")):
        own, known = over.tables[table], base.tables[table]
        new = own[~own[key].isin(known[key])]
        names = list(zip(known[key], known["name"], strict=True))
        for identity, name in zip(new[key], new["name"], strict=True):
            close = alike(name, names)
            if close:
                text = ", ".join(f"{other} ({score:.2f})" for other, score in close)
                report.append((table, identity, "resembles", f"{text}: give it that id if it is the same"))


def alike(name: str, known: Sequence[tuple[str, str]], least: float = _ALIKE, most: int = 3) -> list[tuple[str, float]]:
    """Return the ids of `known` (id, name) whose name resembles `name`, best first, with the similarity (0 to 1).

    Words are sorted first, so their order does not matter; equal scores are sorted by id.
    """
    words = " ".join(sorted(name.casefold().replace("-", " ").split()))
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(words)
    found = []
    for identity, other in known:
        best = 0.0
        for text in {other, identity}:
            matcher.set_seq1(" ".join(sorted(text.casefold().replace("-", " ").split())))
            if matcher.real_quick_ratio() >= least and matcher.quick_ratio() >= least:
                best = max(best, matcher.ratio())
        if best >= least:
            found.append((identity, best))
    return sorted(found, key=lambda entry: (-entry[1], entry[0]))[:most]
