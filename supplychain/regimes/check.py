"""What a regime book must keep beyond the form of its tables: scopes, reach, codes and dates that the engine can
read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.errors import Problems
from supplychain.facts.countries import countries, likely_code
from supplychain.regimes import destinations, reach
from supplychain.regimes.codes import NOT_LISTS, SHARED_LISTS
from supplychain.regimes.flows import UNION

Rows = npt.NDArray[np.int64]
OWNED = 0.5  # 15 CFR 744.11(a)(1): owned 50 percent or more by listed parties, together
TRUTH = "the regime book's grammar (docs/law.md)"
_BESIDE = frozenset({UNION, "XKX"})
_ASSIGNED = re.compile("ZZ[A-Z]")  # codes that the standard leaves to its users, for states of a scenario
_SHORT = {"USA": "US", "CHN": "CN", UNION: "EU"}  # lists that go by two letters; all others by the state's code


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
    _states(tables["jurisdictions"], places, problems)
    # Texts are read as lists: walking a column of a frame takes forty times as long.
    states = {*tables["jurisdictions"]["jurisdiction"].tolist(), *countries()}
    names = {*tables["groups"]["group"].tolist(), *states}
    scopes = (
        ("controls", "destination_scope"),
        ("controls", "end_party"),
        ("exceptions", "destination"),
        ("exceptions", "exporter"),
        ("exceptions", "exporter_head_office"),
        ("coverage", "states"),
        ("coverage", "destination_scope"),
    )
    for table, column in scopes:
        _each(tables[table], places, table, column, lambda text: _scope(text, names), problems)
    _each(tables["controls"], places, "controls", "reach", _reach, problems)
    lists = (states - set(_SHORT)) | set(_SHORT.values()) | NOT_LISTS | SHARED_LISTS
    coded = (
        ("controls", "item_code"),
        ("exceptions", "item_code"),
        ("exceptions", "except_code"),
        ("correspondences", "code"),
        ("correspondences", "corresponds"),
        ("coverage", "item_code"),
    )
    for table, column in coded:
        _each(tables[table], places, table, column, lambda text: _codes(text, lists), problems)
    _each(tables["exceptions"], places, "exceptions", "condition", _condition, problems)
    _each(tables["entries"], places, "entries", "hs6", _headings, problems)
    for table, column in (("controls", "rule"), ("coverage", "class"), ("organisation_tags", "tag")):
        _each(tables[table], places, table, column, _plain, problems)
    _corresponding(tables["correspondences"], places, problems)
    _periods(tables["controls"], places, problems)
    _suspensions(tables["controls"], places, problems)
    _branches(tables, places, problems)
    _dated(tables["controls"], places, problems)
    _versions(tables["controls"], places, problems)
    _coverage(tables["coverage"], places, problems)
    _tags(tables, places, problems)
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
    texts = frame[column].tolist()
    said = {text: wrong for text in set(texts) if text and (wrong := rule(text))}
    for position, text in enumerate(texts if said else ()):
        if text in said:
            where = places(table, position, column)
            problems.add("grammar", f"{column} follows {TRUTH}", said[text], value=text, **where)


def _scope(text: str, names: Collection[str]) -> str:
    try:
        if wrong := _plain(text):
            return wrong
        clauses = destinations.parse(text)
    except ValueError as error:
        return str(error)
    unknown = sorted({name for clause in clauses for name in clause.names if name not in names})
    return f"no state or group is called {', '.join(unknown)}" if unknown else ""


def _plain(text: str) -> str:
    """Names are compared byte for byte: one with an unseen character would be another name, and match nothing."""
    if text.isascii() and text.isprintable():
        return ""
    odd = sorted({c for c in text if not (c.isascii() and c.isprintable())})
    return f"write it in plain characters, without {', '.join(f'U+{ord(c):04X}' for c in odd)}"


def _reach(text: str) -> str:
    try:
        if wrong := _plain(text):
            return wrong
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
    if wrong := _plain(text):
        return wrong
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
    again = frame.duplicated(key, keep=False).to_numpy(bool).nonzero()[0]
    ordered = frame.iloc[again].assign(_row=again).sort_values([*key, "from"], na_position="first", kind="stable")
    for position in _joins(ordered, key)["overlaps"].nonzero()[0]:
        row = ordered.iloc[position + 1]
        where = places(table, int(row["_row"]), "from")
        value = ", ".join(str(row[name]) for name in key)
        rule, cure = "periods of one member do not overlap", "end the earlier period first"
        problems.add("overlap", rule, cure, value=value, **where)


def _joins(ordered: pd.DataFrame, key: list[str]) -> dict[str, npt.NDArray[np.bool_]]:
    """Return how each row and the next, if they are of one key, follow one another: `overlaps` or leaves a `gap`."""
    same = np.ones(max(len(ordered) - 1, 0), bool)
    for name in key:
        texts = ordered[name].to_numpy(object)
        same &= texts[:-1] == texts[1:]
    end, start = ordered["to"].to_numpy()[:-1], ordered["from"].to_numpy()[1:]
    return {"overlaps": same & (np.isnat(end) | np.isnat(start) | (start < end)), "gap": same & (start > end)}


def _states(frame: pd.DataFrame, places: _Places, problems: Problems) -> None:
    """A state goes by its code; the Union and Kosovo have none in the standard and a place in the book."""
    known = {*countries(), *_BESIDE}
    for position, code in enumerate(frame["jurisdiction"].tolist()):
        if code and code not in known and not _ASSIGNED.fullmatch(code):
            rule = f"jurisdiction is a code of ISO 3166-1 alpha-3, or {' or '.join(sorted(_BESIDE))}"
            cure = f"write {likely_code(code) or 'the code that datasets/reference/countries.csv gives it'}"
            where = places("jurisdictions", position, "jurisdiction")
            problems.add("country", rule, cure, value=code, **where)


def _corresponding(frame: pd.DataFrame, places: _Places, problems: Problems) -> None:
    for position in ((frame["code"] == frame["corresponds"]) & (frame["code"] != "")).to_numpy(bool).nonzero()[0]:
        where = places("correspondences", position, "corresponds")
        rule, cure = "a code corresponds to one of another list", "name the other code, or drop the row"
        problems.add("correspondence", rule, cure, value=frame["code"].iloc[position], **where)


def _suspensions(frame: pd.DataFrame, places: _Places, problems: Problems) -> None:
    """A suspension falls, at least in part, into the time of its control: another one suspends nothing."""
    outside = (frame["suspended_from"] >= frame["to"]) | (frame["suspended_to"] <= frame["from"])
    for position in outside.to_numpy(bool).nonzero()[0]:
        where = places("controls", position, "suspended_from")
        rule, cure = "a control is suspended while it is law", "correct the days of the suspension, or of the control"
        problems.add("period", rule, cure, value=f"{frame['suspended_from'].iloc[position]:%Y-%m-%d}", **where)


def _branches(tables: Mapping[str, pd.DataFrame], places: _Places, problems: Problems) -> None:
    """A branch says when suspended controls are law again: on a day after their suspension began."""
    frame, controls = tables["branches"], tables["controls"].drop_duplicates("control")
    began = dict(zip(controls["control"].tolist(), controls["suspended_from"].tolist(), strict=True))
    for position, (named, day) in enumerate(zip(frame["control"].tolist(), frame["date"].tolist(), strict=True)):
        early = [name for name in named.split(";") if name in began and not began[name] < day]
        if early and not pd.isna(day):
            where = places("branches", position, "date")
            rule = "the controls of a branch are suspended, and in force again on a day after that began"
            cure = f"correct the day, or look at the suspension of {', '.join(early)}"
            problems.add("branch", rule, cure, value=f"{day:%Y-%m-%d}", **where)


def _dated(frame: pd.DataFrame, places: _Places, problems: Problems) -> None:
    """Only what is proposed may be undated, and it is never in force; whatever else is law has a first day."""
    status = frame["status"].to_numpy(object)
    for position in (frame["from"].isna().to_numpy(bool) & (status != "proposed")).nonzero()[0]:
        rule = "a control has a first day; only one of status proposed may go without"
        cure = "fill from, or set status to proposed"
        where = places("controls", position, "from")
        problems.add("undated", rule, cure, value=frame["control"].iloc[position], **where)
    for position in ((frame["source"] == "") & (frame["control"] != "")).to_numpy(bool).nonzero()[0]:
        where = places("controls", position, "source")
        problems.add("unsourced", "a control has a source", "name a row of sources, or none", **where)


def _versions(frame: pd.DataFrame, places: _Places, problems: Problems) -> None:
    """Versions of one rule join: each begins on the day on which the one before ends, or says why not."""
    several = (frame["rule"] != "") & frame.duplicated("rule", keep=False)
    rows = several.to_numpy(bool).nonzero()[0]
    ordered = frame.iloc[rows].assign(_row=rows).sort_values(["rule", "from"], kind="stable")
    joins = _joins(ordered, ["rule"])
    unsaid = joins["gap"] & (ordered["gap"].to_numpy(object)[1:] == "")
    for position in (joins["overlaps"] | unsaid).nonzero()[0]:
        before, after = ordered.iloc[position], ordered.iloc[position + 1]
        spot = places("controls", int(after["_row"]), "from")
        told = f"{after['rule']}: {before['control']}, {after['control']}"
        if joins["overlaps"][position]:
            what = "versions of one rule do not overlap"
            problems.add("overlap", what, f"end {before['control']} first", value=told, **spot)
        else:
            what = "versions of one rule join, or the later one says in `gap` why not"
            cure = f"begin on {before['to']:%Y-%m-%d}, or fill gap"
            problems.add("gap", what, cure, value=told, **spot)


def _coverage(frame: pd.DataFrame, places: _Places, problems: Problems) -> None:
    """What is not held says how strict it may be; the rows of a class are on the same codes; a row lasts."""
    wanting = (frame["extent"] != "held") & (frame["at_most"] == "")
    for position in wanting.to_numpy(bool).nonzero()[0]:
        rule = "law that is not held says the strictest that it may ask for"
        problems.add("coverage", rule, "fill at_most, such as case-by-case", **places("coverage", position, "at_most"))
    first = frame.groupby("class")["item_code"].transform("first") if len(frame) else frame["item_code"]
    for position in (frame["item_code"] != first).to_numpy(bool).nonzero()[0]:
        rule = "the rows of one class are on the same codes"
        where = places("coverage", position, "item_code")
        problems.add("coverage", rule, f"write {first.iloc[position]}, or name another class", **where)
    tagged = frame["states"].str.contains(":") & frame["states"].str.contains("entity:|end-use:|head-office:")
    for position in tagged.to_numpy(bool).nonzero()[0]:
        rule = "states are places, not parties or uses"
        problems.add("coverage", rule, "name states or groups", **places("coverage", position, "states"))


def _tags(tables: Mapping[str, pd.DataFrame], places: _Places, problems: Problems) -> None:
    """A tag is one that some scope or condition of the book turns on; ownership reaches the threshold of its rule."""
    frame = tables["organisation_tags"]
    places_of_tags = (("controls", "destination_scope"), ("controls", "reach"), ("exceptions", "condition"))
    texts = {text for table, column in places_of_tags for text in tables[table][column].tolist()} if len(frame) else ()
    known = sorted({tag for text in texts for tag in re.findall(r"entity:([^\s;]+)", text)})
    for position, row in enumerate(frame.to_dict("records")):
        if row["tag"] not in known:
            rule = "a tag is one that a control or exception of the book turns on"
            where = places("organisation_tags", position, "tag")
            problems.add("tag", rule, f"one of {', '.join(known)}", value=row["tag"], **where)
        if row["basis"] == "owned" and not row["share"] >= OWNED:
            rule = f"ownership counts from {OWNED:.0%} on, as far as shares are known"
            where = places("organisation_tags", position, "share")
            problems.add("threshold", rule, "take the row out", value=row["share"], **where)
    _overlaps(frame, places, "organisation_tags", ["organisation", "tag"], problems)


def _aimless(frame: pd.DataFrame, places: _Places, problems: Problems) -> None:
    for position in ((frame["control"] == "") & (frame["regime"] == "")).to_numpy(bool).nonzero()[0]:
        where = places("exceptions", position, "control")
        rule = "an exception names the controls or the regime that it lifts"
        problems.add("aim", rule, "fill control or regime", value=frame["exception"].iloc[position], **where)
