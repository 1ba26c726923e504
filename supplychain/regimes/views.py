"""Dated views of a book: who is in what, what changed between two days, what lies ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from supplychain.errors import UsageError
from supplychain.facts.countries import likely_code
from supplychain.regimes.book import RegimeBook
from supplychain.regimes.determinations import Determinations
from supplychain.regimes.flows import REQUIRED, UNION
from supplychain.regimes.law import POLICIES, STATUSES

if TYPE_CHECKING:
    from supplychain.network import SupplyNetwork

SHOWN = ("regime", "kind", "name", "established", "members", "controls", "in_force", "suspended", "proposed")


@dataclass(frozen=True)
class RegimeView:
    """One regime on a day: its facts, the states in it, and every control with its standing."""

    facts: Mapping[str, Any]
    members: pd.DataFrame
    controls: pd.DataFrame


@dataclass(frozen=True)
class Difference:
    """Flows whose determination differs between two days.

    table: one row for each change of a kind of flow: item, origin, destination, flows (how many), was and is (status,
    with the policy), control, regime, imposing, citation (of the instrument that moved it: the control that decides
    now, or that decided before and no longer does), by (what happened to it: starts, ends, suspended, revives, or a
    state changed groups). flows: positions of the flows that changed, with the row of `table` that each belongs to.
    """

    start: date
    end: date
    table: pd.DataFrame
    flows: pd.DataFrame
    compared: int
    unclassified: int

    def summary(self) -> list[str]:
        """Return what changed in words: in all, and by regime and destination scope of the control that moved it."""
        told = [f"{len(self.flows):,} of {self.compared:,} flows changed"]
        if self.unclassified:
            told.append(f"beside them the range of {self.unclassified:,} flows of items that nobody classified")
        for (regime, scope), rows in self.table.groupby(["regime", "scope"], sort=True):
            items = rows.iloc[:, 0].nunique()
            told.append(f"{regime}, {scope or 'any scope'}: {int(rows['flows'].sum()):,} flows, {items} items")
        return told


def regimes(book: RegimeBook, on: str | date) -> pd.DataFrame:
    """Return one row per regime: how many states are in it on the day, and how its controls stand."""
    controls, members = book.in_force(on), book.members(on)
    counts = members[members["role"] != "candidate"].groupby("regime")["jurisdiction"].nunique()
    standing = controls.groupby(["regime", "standing"]).size().unstack(fill_value=0)
    table = book.tables["regimes"].sort_values(["kind", "regime"]).reset_index(drop=True)
    found = table.assign(members=table["regime"].map(counts).fillna(0).astype(int))
    found["controls"] = found["regime"].map(controls.groupby("regime").size()).fillna(0).astype(int)
    for name in ("in force", "suspended", "announced", "proposed", "ended"):
        column = standing[name] if name in standing else pd.Series(dtype=int)
        found[name.replace(" ", "_")] = found["regime"].map(column).fillna(0).astype(int)
    return found


def regime(book: RegimeBook, name: str, on: str | date) -> RegimeView:
    """Return one regime on a day; an unknown name is a UsageError."""
    table = book.tables["regimes"]
    row = table[table["regime"] == name]
    if row.empty:
        close = get_close_matches(name, sorted(table["regime"]), n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise UsageError(f"no regime {name!r} in the book{hint}")
    controls, members = book.in_force(on), book.members(on)
    return RegimeView(
        facts={str(key): value for key, value in row.iloc[0].to_dict().items()},
        members=members[members["regime"] == name].reset_index(drop=True),
        controls=controls[controls["regime"] == name].reset_index(drop=True),
    )


def coverage(book: RegimeBook, on: str | date) -> pd.DataFrame:
    """Return whose law towards where, on which class of items, the book holds on a day, and what it does not hold."""
    table, day = book.tables["coverage"], pd.Timestamp(on)
    holds = ~(table["from"] > day) & ~(table["to"] <= day)
    return table[holds.to_numpy(bool)].sort_values(["class", "coverage"]).reset_index(drop=True)


def state(book: RegimeBook, code: str, on: str | date) -> pd.DataFrame:
    """Return what a state is in on a day: kind (regime | group), name, role, from, quality, source, note, controls."""
    if code not in set(book.tables["jurisdictions"]["jurisdiction"]):
        likely = likely_code(code)
        hint = f"did you mean {likely}?" if likely else "write its ISO 3166-1 alpha-3 code, such as IND"
        raise UsageError(f"no state {code!r} in the book; {hint}")
    members, groups = book.members(on), book.groups_of(code, on)
    regimes_of = members[members["jurisdiction"] == code].rename(columns={"regime": "name"}).assign(kind="regime")
    groups_in = groups.rename(columns={"group": "name"}).assign(kind="group", role="member")
    controls = book.in_force(on)
    own = controls[(controls["imposing"] == code) & (controls["standing"] == "in force")]
    counts = own.groupby("regime").size().rename("controls").reset_index().rename(columns={"regime": "name"})
    columns = ["kind", "name", "role", "from", "quality", "source", "note"]
    found = pd.concat([regimes_of[columns], groups_in[columns]], ignore_index=True).merge(counts, on="name", how="left")
    found["controls"] = found["controls"].fillna(0).astype(int)
    return found.sort_values(["kind", "name"], ascending=[False, True], kind="stable").reset_index(drop=True)


def every_flow(network: SupplyNetwork, book: RegimeBook) -> pd.DataFrame:
    """Return the flow of every supply with a known site to every state of the book: what the law alone can be asked."""
    supplies = network.supplies[network.supplies["site"] != ""].merge(
        network.items[["item", "control_codes", "category", "hs6"]], on="item"
    )
    supplies = supplies.merge(network.organisations[["organisation", "jurisdiction"]], on="organisation", how="left")
    places = sorted(set(book.tables["jurisdictions"]["jurisdiction"]) - {UNION})
    found = supplies.merge(pd.DataFrame({"destination": places}), how="cross")
    found = found.rename(
        columns={
            "control_codes": "item_codes",
            "category": "item_category",
            "site": "origin",
            "jurisdiction": "head_office",
        }
    )
    columns = ["supply", "item", "item_codes", "item_category", "hs6", "origin", "head_office", "destination"]
    return found[columns].fillna("")


def difference(
    book: RegimeBook,
    flows: pd.DataFrame,
    start: str | date,
    end: str | date,
    assumptions: Mapping[str, Any] | None = None,
) -> Difference:
    """Return which flows changed between two days and by which instrument.

    A flow changed when its status, policy, floor or ceiling differs. Raises UsageError when the days are in the wrong
    order.
    """
    first, last = pd.Timestamp(start).date(), pd.Timestamp(end).date()
    if first >= last:
        raise UsageError(f"--from {first} must lie before --to {last}")
    before = book.determine(flows, first, assumptions=assumptions)
    after = book.determine(flows, last, assumptions=assumptions)
    changed = _changed(before, after)
    # A never-classified item may fall under any rule, so its range moves with every one: counted, not listed.
    classified = (flows["item_codes" if "item_codes" in flows else "item"].astype(str) != "").to_numpy(bool)[changed]
    unlisted, changed = int((~classified).sum()), changed[classified]
    old, new = before.distinct.iloc[before.index[changed]], after.distinct.iloc[after.index[changed]]
    moved = _moved(book, flows.iloc[changed], first, last, assumptions)
    rows = pd.DataFrame(
        {
            **{name: flows[name].astype(str).to_numpy(object)[changed] for name in _shown(flows)},
            "was": _told(old),
            "is": _told(new),
            **{name: book.wording.of_rule(name)[moved] for name in ("control", "regime", "imposing", "citation")},
        }
    )
    keys = list(rows.columns)
    table = rows.groupby(keys, sort=True, dropna=False).size().rename("flows").reset_index()
    happened = {control: _happened(book, control, first, last) for control in sorted(set(table["control"]))}
    table["by"] = table["control"].map(happened).astype("str")
    scopes = book.tables["controls"].set_index("control")["destination_scope"]
    table["scope"] = table["control"].map(scopes).fillna("").astype("str")
    numbered = rows.merge(table.assign(row=np.arange(len(table))), on=keys, how="left")["row"]
    listed = pd.DataFrame({"flow": changed, "row": numbered.to_numpy(np.int64)})
    order = [*_shown(flows), "flows", "was", "is", "control", "regime", "imposing", "scope", "by", "citation"]
    return Difference(first, last, table[order], listed, len(flows), unlisted)


def horizon(
    book: RegimeBook, flows: pd.DataFrame, on: date, days: int, assumptions: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Return what starts, ends, lapses or revives in the `days` after `on`.

    Columns: date, event, control (";" list), regime, variant (of a branch), branch, description, flows_stricter,
    flows_looser: flows of the case whose determination it moves, each event taken alone against the law of the day
    before.
    """
    table = _events(book, on, on + timedelta(days=days))
    rows = []
    for _, part in table.groupby(["date", "branch", "variant"], sort=True):
        first = part.iloc[0]
        day, branch, variant = first["date"], str(first["branch"]), str(first["variant"])
        other = book.with_branch(branch, variant) if branch else book
        event = day.date()
        before = other.determine(flows, event - timedelta(days=1), assumptions=assumptions)
        after = other.determine(flows, event, assumptions=assumptions)
        gained = _strengths(after) - _strengths(before)
        rows.append(
            {
                "date": day,
                "event": first["event"],
                "control": ";".join(sorted(set(part["control"]))),
                "regime": ";".join(sorted(set(part["regime"]))),
                "branch": branch,
                "variant": variant,
                "flows_stricter": int((gained > 0).sum()),
                "flows_looser": int((gained < 0).sum()),
                "description": first["description"],
            }
        )
    columns = [
        "date",
        "event",
        "control",
        "regime",
        "branch",
        "variant",
        "flows_stricter",
        "flows_looser",
        "description",
    ]
    return pd.DataFrame(rows, columns=columns)


def _events(book: RegimeBook, on: date, until: date) -> pd.DataFrame:
    """Every dated event of the book in (on, until], one row for each control."""
    controls, branches = book.tables["controls"], book.tables["branches"]
    branched = {c for text in branches["control"] for c in text.split(";")}
    rows = []
    low, high = pd.Timestamp(on), pd.Timestamp(until)
    words = {"from": "starts", "to": "ends", "suspended_from": "is suspended", "suspended_to": "is in force again"}
    for column, event in words.items():
        near = controls[(controls[column] > low) & (controls[column] <= high)]
        for row in near.to_dict("records"):
            if column == "suspended_to" and row["control"] in branched:
                continue
            told = f"{row['item']}: {row['instrument']} {event}"
            rows.append((row[column], event, row["control"], row["regime"], "", "", told))
    of = controls.set_index("control")["regime"]
    for row in branches[(branches["date"] > low) & (branches["date"] <= high)].to_dict("records"):
        rest = (row["branch"], row["variant"], row["description"])
        rows += [(row["date"], "may revive", control, of[control], *rest) for control in row["control"].split(";")]
    return pd.DataFrame(rows, columns=["date", "event", "control", "regime", "branch", "variant", "description"])


def _shown(flows: pd.DataFrame) -> list[str]:
    names = ["item"] if "item" in flows and "item_codes" in flows else []
    return [*(names or ["item_codes"]), *(name for name in REQUIRED if name != "item_codes")]


def _changed(before: Determinations, after: Determinations) -> np.ndarray[Any, np.dtype[np.int64]]:
    columns = ("status", "policy", "floor", "floor_policy", "ceiling", "ceiling_policy")
    kinds = pd.concat([before.distinct[list(columns)], after.distinct[list(columns)]], ignore_index=True)
    code = kinds.groupby(list(columns), sort=False).ngroup().to_numpy()
    split = len(before.distinct)
    return np.flatnonzero(code[:split][before.index] != code[split:][after.index])


def _moved(
    book: RegimeBook, flows: pd.DataFrame, first: date, last: date, assumptions: Mapping[str, Any] | None
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return for each changed flow the rank of the control that moved it: the strictest that applies on one day only,
    or otherwise than on the other.
    """
    frames = []
    for day in (first, last):
        frame = book.determine(flows, day, assumptions=assumptions).applied
        frames.append(frame[~frame["conditional"]])
    every = pd.concat(frames, ignore_index=True)
    said = ["flow", "control", "status", "policy", "certain", "exception"]
    alone = every[~every.duplicated(said, keep=False)]
    levels = {(STATUSES[level], POLICIES[level]): level for level in range(len(STATUSES))}
    ranks = {rule.control: rule.rank for rule in book.law.rules}
    rank = alone["control"].map(ranks).to_numpy(np.int64)
    level = np.array([levels[pair] for pair in zip(alone["status"], alone["policy"], strict=True)], np.int64)
    order = np.lexsort((rank, alone["certain"].to_numpy(bool), level))
    found = np.zeros(len(flows), np.int64)
    found[alone["flow"].to_numpy(np.int64)[order]] = rank[order]  # the last one written is the strictest
    return found


def _strength(table: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Strictness of determinations: the ceiling first, then the floor."""
    levels = {(STATUSES[level], POLICIES[level]): level for level in range(len(STATUSES))}
    high = [levels[pair] for pair in zip(table["ceiling"], table["ceiling_policy"], strict=True)]
    low = [levels[pair] for pair in zip(table["floor"], table["floor_policy"], strict=True)]
    return np.array(high, np.int64) * len(levels) + np.array(low, np.int64)


def _strengths(found: Determinations) -> np.ndarray[Any, np.dtype[np.int64]]:
    return _strength(found.distinct)[found.index]


def _told(table: pd.DataFrame) -> list[str]:
    return [
        f"{status} ({policy})" if policy else f"{status} ({low} to {high})" if status == "indeterminate" else status
        for status, policy, low, high in zip(
            table["status"], table["policy"], table["floor"], table["ceiling"], strict=True
        )
    ]


def _happened(book: RegimeBook, control: str, first: date, last: date) -> str:
    """Return what the book dates of a control between two days say."""
    row = book.tables["controls"].set_index("control").to_dict("index").get(control)
    if row is None:
        return "a group, an exception or a correspondence changed"
    words = {"from": "starts", "to": "ends", "suspended_from": "suspended", "suspended_to": "in force again"}
    low, high = pd.Timestamp(first), pd.Timestamp(last)
    said = [f"{word} {row[name]:%Y-%m-%d}" for name, word in words.items() if low < row[name] <= high]
    return ", ".join(said) or "a group or exception changed"
