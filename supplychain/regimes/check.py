"""What a regime book must keep beyond the form of its tables: scopes, reach, codes and dates that the engine can
read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.errors import Problems
from supplychain.facts.countries import countries
from supplychain.regimes import destinations, reach
from supplychain.regimes.codes import NOT_LISTS

Rows = npt.NDArray[np.int64]
TRUTH = "the regime book's grammar (docs/law.md)"
_SHORT = {"USA": "US", "CHN": "CN", "EUU": "EU"}  # lists that go by two letters; all others by the state's code


def check_book(tables: Mapping[str, pd.DataFrame], descriptor: Mapping[str, Any]) -> None:
    """Raise InputError with every fault found."""
    problems = Problems()
    _known_as_of(descriptor, problems)
    find_faults(tables, problems)
    problems.raise_if_any()


def find_faults(tables: Mapping[str, pd.DataFrame], problems: Problems, rows: Mapping[str, Rows] | None = None) -> None:
    """Add every fault to `problems`. `rows` gives the row of each record in its file, where that is not its place
    here.
    """
    places = _Places(rows or {})
    names = set(tables["groups"]["group"]) | set(tables["jurisdictions"]["jurisdiction"]) | set(countries())
    scopes = (
        ("controls", "destination_scope"),
        ("controls", "end_party"),
        ("exceptions", "destination"),
        ("exceptions", "exporter"),
        ("exceptions", "exporter_head_office"),
    )
    for table, column in scopes:
        _each(tables[table], places, table, column, lambda text: _scope(text, names), problems)
    _each(tables["controls"], places, "controls", "reach", _reach, problems)
    lists = ({*tables["jurisdictions"]["jurisdiction"], *countries()} - set(_SHORT)) | set(_SHORT.values()) | NOT_LISTS
    coded = (
        ("controls", "item_code"),
        ("exceptions", "item_code"),
        ("exceptions", "except_code"),
        ("correspondences", "code"),
        ("correspondences", "corresponds"),
    )
    for table, column in coded:
        _each(tables[table], places, table, column, lambda text: _codes(text, lists), problems)
    _each(tables["exceptions"], places, "exceptions", "condition", _condition, problems)
    _each(tables["entries"], places, "entries", "hs6", _headings, problems)
    _periods(tables["controls"], places, problems)
    _overlaps(tables["groups"], places, "groups", ["jurisdiction", "group"], problems)
    _overlaps(tables["memberships"], places, "memberships", ["regime", "jurisdiction"], problems)
    _aimless(tables["exceptions"], places, problems)


class _Places:
    """Where a record stands, so that a fault can name it."""

    def __init__(self, rows: Mapping[str, Rows]) -> None:
        self.rows = rows

    def __call__(self, table: str, position: int | np.integer[Any], column: str = "") -> dict[str, Any]:
        row = int(self.rows[table][position]) if table in self.rows else int(position) + 2
        return {"file": f"{table}.csv", "table": table, "row": row, "column": column}


def _known_as_of(descriptor: Mapping[str, Any], problems: Problems) -> None:
    value = descriptor.get("supplychain", {}).get("known_as_of", "")
    try:
        date.fromisoformat(str(value))
    except ValueError:
        rule = "supplychain.known_as_of is the last day whose law the book knows"
        problems.add("known-as-of", rule, "write it as YYYY-MM-DD", file="datapackage.json", value=value)


def _each(
    frame: pd.DataFrame, places: _Places, table: str, column: str, rule: Callable[[str], str], problems: Problems
) -> None:
    """Add a problem for every filled cell of which `rule` says what is wrong."""
    said = {text: rule(text) for text in set(frame[column]) if text}
    for position, text in enumerate(frame[column]):
        if said.get(text):
            where = places(table, position, column)
            problems.add("grammar", f"{column} follows {TRUTH}", said[text], value=text, **where)


def _scope(text: str, names: Iterable[str]) -> str:
    try:
        clauses = destinations.parse(text)
    except ValueError as error:
        return str(error)
    unknown = sorted({name for clause in clauses for name in clause.names} - set(names))
    return f"no state or group is called {', '.join(unknown)}" if unknown else ""


def _reach(text: str) -> str:
    try:
        reach.parse(text)
    except ValueError as error:
        return str(error)
    return ""


def _codes(text: str, lists: Collection[str]) -> str:
    for code in text.split(";"):
        head, colon, tail = code.partition(":")
        if not (colon and tail) or " " in code:
            return f"{code!r} is not LIST:CODE, such as US:3B001.f.1"
        if head not in lists:
            return f"no list is called {head}; " + (f"write {_SHORT[head]}" if head in _SHORT else "US, EU, CN or ISO3")
    return ""


def _headings(text: str) -> str:
    wrong = [part for part in text.split(";") if not (len(part) == 6 and part.isdigit())]
    return f"{wrong[0]!r} is not a customs heading of six digits, such as 848620" if wrong else ""


def _condition(text: str) -> str:
    kind, _, tag = text.partition(":")
    return "" if kind in ("entity", "end-use") and tag else "write entity:TAG or end-use:TAG"


def _periods(frame: pd.DataFrame, places: _Places, problems: Problems) -> None:
    """A suspension needs a first day, and an end needs a start."""
    for start, end in (("from", "to"), ("suspended_from", "suspended_to")):
        for position in (frame[start].isna() & frame[end].notna()).to_numpy(bool).nonzero()[0]:
            cure = f"fill {start} of {frame['control'].iloc[position]}"
            where = places("controls", position, start)
            problems.add("period", f"{end} has a {start} before it", cure, **where)


def _overlaps(frame: pd.DataFrame, places: _Places, table: str, key: list[str], problems: Problems) -> None:
    """Periods of one member in one group follow one another."""
    ordered = frame.assign(_row=range(len(frame))).sort_values([*key, "from"], na_position="first", kind="stable")
    for _, part in ordered[ordered.duplicated(key, keep=False)].groupby(key, sort=True):
        ends = part["to"].iloc[:-1].to_numpy()
        starts = part["from"].iloc[1:].to_numpy()
        for position, (end, start) in enumerate(zip(ends, starts, strict=True)):
            if pd.isna(end) or pd.isna(start) or start < end:
                row = part.iloc[position + 1]
                where = places(table, int(row["_row"]), "from")
                value = ", ".join(str(row[name]) for name in key)
                rule, cure = "periods of one member do not overlap", "end the earlier period first"
                problems.add("overlap", rule, cure, value=value, **where)


def _aimless(frame: pd.DataFrame, places: _Places, problems: Problems) -> None:
    for position in ((frame["control"] == "") & (frame["regime"] == "")).to_numpy(bool).nonzero()[0]:
        where = places("exceptions", position, "control")
        rule = "an exception names the controls or the regime that it lifts"
        problems.add("aim", rule, "fill control or regime", value=frame["exception"].iloc[position], **where)
