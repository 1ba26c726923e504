"""The book as arrays: places x epochs for every group and scope, controls in order of precedence, classes of what is
alike.

An epoch is a stretch of days on which no date of the book falls, so that the law of an epoch is one law. Place 0 is
the unknown place: it may be anywhere, so every group and state is MAYBE there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.facts.countries import countries
from supplychain.regimes import coverage as held
from supplychain.regimes import destinations, reach
from supplychain.regimes.codes import MAYBE, NO, NOT_LISTS, SHARED_LISTS, YES, Codes, list_of, normal, relation
from supplychain.regimes.destinations import Clause
from supplychain.regimes.flows import UNION
from supplychain.regimes.reach import Term

Bytes = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

TIGHTER = "E:1;E:2"  # destinations for which 25 percent de minimis is 10 percent (15 CFR 734.4(c))
TIGHT_SHARE = 0.10
UNLISTED, UNCLASSIFIED = "code-not-in-book", "not-classified"
ORIGIN, DESTINATION = "@origin", "@destination"  # stand for the places of the flow in what is said of a gap

# Levels of strictness; the strictest applicable control decides.
FREE, EXCEPTED, NOTIFICATION, APPROVAL, CASE_BY_CASE, DENIAL, EMBARGO = range(7)
POLICY_LEVEL = {
    "notification": NOTIFICATION,
    "presumption-of-approval": APPROVAL,
    "case-by-case": CASE_BY_CASE,
    "presumption-of-denial": DENIAL,
    "embargo": EMBARGO,
}
STATUSES = ("free", "excepted", "notification", "licence", "licence", "licence", "prohibited")
POLICIES = (
    "",
    "",
    "notification",
    "presumption-of-approval",
    "case-by-case",
    "presumption-of-denial",
    "embargo",
)
# Statuses that differ only within one class do not make an answer indeterminate.
CLASSES = (0, 0, 1, 2, 2, 2, 3)


@dataclass(frozen=True, eq=False)
class Scope:
    """A parsed scope: for each clause its kind and tag, and where it holds (places x epochs)."""

    clauses: tuple[tuple[str, str, Bytes], ...]

    @property
    def tagged(self) -> bool:
        return any(kind for kind, _, _ in self.clauses)


@dataclass(frozen=True, eq=False)
class Waiver:
    """What lifts a control: an exception of the book, bound to the control it lifts."""

    exception: str
    name: str
    basis: str
    effect: int  # YES: lifts it when its terms are met; MAYBE: may lift it; NO: only told
    destination: Bytes
    exporter: Bytes
    head_office: Bytes
    foreign_made: bool
    condition: tuple[str, str]  # kind and tag that the flow must state, or ("", "")
    force: Bools


@dataclass(frozen=True, eq=False)
class Rule:
    """One control as the engine reads it. `rank` orders controls of equal strictness: the earliest in force comes
    first.
    """

    control: str
    regime: str
    imposing: str
    codes: tuple[str, ...]
    scope: str
    end_party: str
    reach: str
    terms: tuple[Term, ...]
    level: int
    rank: int
    force: Bools
    waivers: tuple[Waiver, ...]
    estimated: bool
    home: str = ""  # key of the territory from which goods are reached: the imposing state, or the states of a gap
    gap: str = ""  # for law that the book does not hold: the question that would settle it

    @property
    def key(self) -> tuple[str, str]:
        """What names the rule, whatever the book holds beside it."""
        return self.control, self.home


@dataclass(frozen=True, eq=False)
class Law:
    """Everything `determine` needs of a book, compiled once."""

    places: dict[str, int]
    breaks: npt.NDArray[np.datetime64]  # first day of each epoch but the first
    groups: dict[str, Bytes]
    scopes: dict[str, Scope]
    rules: tuple[Rule, ...]
    codes: Codes
    estimated_pairs: frozenset[tuple[str, str]]
    lists: dict[str, str]
    territories: dict[str, Bytes]

    @cached_property
    def tags(self) -> dict[str, tuple[str, ...]]:
        """The end uses and the lists of parties that the book's controls and exceptions turn on, by kind."""
        found = {(kind, tag) for scope in self.scopes.values() for kind, tag, _ in scope.clauses}
        found |= {("entity", term.entity) for rule in self.rules for term in rule.terms}
        found |= {waiver.condition for rule in self.rules for waiver in rule.waivers}
        return {name: tuple(sorted(t for k, t in found if k == name and t)) for name in ("end-use", "entity")}

    def epochs(self, days: npt.NDArray[np.datetime64]) -> Ints:
        """Return the epoch of each day."""
        return np.searchsorted(self.breaks, days.astype("datetime64[D]"), side="right").astype(np.int64)


def compile_law(tables: Mapping[str, pd.DataFrame], day: date | None = None) -> Law:
    """Compile the tables of a book (assumed checked) into arrays: for all days, or for one, which is much quicker."""
    controls, groups, exceptions = tables["controls"], tables["groups"], tables["exceptions"]
    terms = {text: reach.parse(text) for text in sorted(set(controls["reach"]))}
    coverage = tables["coverage"]
    # One day needs the epochs before it, of it, and after it; the law of the day is the same as in all epochs.
    if day is None:
        breaks = _breaks([controls, groups, exceptions, coverage], terms)
    else:
        breaks = np.array([day, day + timedelta(days=1)], "datetime64[D]")
    places = places_of(tables)
    frame = _frame(groups, places, breaks)
    texts = {
        *controls["destination_scope"],
        *(t for t in controls["end_party"] if t),
        *(t for column in ("destination", "exporter", "exporter_head_office") for t in exceptions[column] if t),
        *coverage["destination_scope"],
        TIGHTER,
        "worldwide",
    }
    scopes = {text: frame.scope(text) for text in sorted(texts)}
    lists = _issuers(controls)
    territories = {state: frame.territory(state) for state in sorted({*controls["imposing"], *lists.values()})}
    gaps = _gaps(coverage, frame)
    scopes |= {gap.scope: Scope((("", "", gap.where),)) for gap in gaps}
    territories |= {gap.key: np.minimum(gap.states, MAYBE).astype(np.int8) for gap in gaps}
    pairs = tables["correspondences"]
    correspondences: dict[str, list[tuple[str, int]]] = {}
    for code, other, how in zip(pairs["code"], pairs["corresponds"], pairs["match"], strict=True):
        correspondences.setdefault(normal(code), []).append((normal(other), YES if how == "same" else MAYBE))
    weak = pairs[pairs["quality"].isin(["estimate", "assumption"])]
    entries = tables["entries"]
    modelled = entries[entries["standing"] != "not-modelled"]["code"]
    known = {normal(c) for text in controls["item_code"] for c in text.split(";") if not c.endswith((":any", "*"))}
    rules = _rules(controls, exceptions, frame, scopes, terms, lists, gaps)
    alike = {code: tuple(sorted(others)) for code, others in sorted(correspondences.items())}
    return Law(
        places=places,
        breaks=breaks,
        groups=frame.groups,
        scopes=scopes,
        rules=rules,
        codes=Codes(
            tuple(rule.codes for rule in rules), alike, tuple(sorted(known | {normal(code) for code in modelled}))
        ),
        estimated_pairs=frozenset(zip(map(normal, weak["code"]), map(normal, weak["corresponds"]), strict=True)),
        lists=lists,
        territories=territories,
    )


# Most books differ in their controls only: what the last few made of tables that they share is remembered.
_FRAMES: list[tuple[pd.DataFrame, bytes, _Frame]] = []
_GAPS: list[tuple[pd.DataFrame, _Frame, tuple[held.Gap, ...]]] = []
_REMEMBERED = 8


def _frame(groups: pd.DataFrame, places: dict[str, int], breaks: npt.NDArray[np.datetime64]) -> _Frame:
    """Return places, epochs and groups."""
    key = repr(list(places)).encode() + breaks.tobytes()
    for table, when, known in tuple(_FRAMES):
        if table is groups and when == key:
            return known
    made = _Frame(places, breaks, _groups(groups, places, breaks))
    _FRAMES.append((groups, key, made))
    del _FRAMES[:-_REMEMBERED]
    return made


def _gaps(coverage: pd.DataFrame, frame: _Frame) -> tuple[held.Gap, ...]:
    """Return the gaps of the coverage."""
    for table, of, known in tuple(_GAPS):
        if table is coverage and of is frame:
            return known
    made = held.gaps(coverage, frame.scope_places, frame.window)
    _GAPS.append((coverage, frame, made))
    del _GAPS[:-_REMEMBERED]
    return made


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table; `DataFrame.to_dict` takes ten times as long over texts."""
    columns = [frame[name].astype(object).to_list() for name in frame.columns]
    return [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def places_of(tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return the position of every place that a book knows; 0 is the unknown one."""
    codes = sorted({*countries(), *tables["jurisdictions"]["jurisdiction"]} - {UNION})
    return {code: position for position, code in enumerate(["", *codes])}


def _issuers(controls: pd.DataFrame) -> dict[str, str]:
    """Return the state behind each list of codes: the one that imposes most of the controls on it."""
    votes = Counter(
        (list_of(code), state)
        for state, text in zip(controls["imposing"], controls["item_code"], strict=True)
        for code in text.split(";")
        if list_of(code) not in SHARED_LISTS | NOT_LISTS
    )
    ranked = sorted(votes.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    found: dict[str, str] = {}
    for (name, state), _ in ranked:
        found.setdefault(name, state)
    return found


@dataclass(frozen=True, eq=False)
class _Frame:
    """Places and epochs, and how a name or scope looks on them."""

    places: dict[str, int]
    breaks: npt.NDArray[np.datetime64]
    groups: dict[str, Bytes]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.places), len(self.breaks) + 1

    def everywhere(self) -> Bytes:
        return np.full(self.shape, YES, np.int8)

    def state(self, code: str) -> Bytes:
        found = np.zeros(self.shape, np.int8)
        found[self.places[code]] = YES
        found[0] = MAYBE
        return found

    def territory(self, state: str) -> Bytes:
        return self.groups["EU"] if state == UNION else self.state(state)

    def names(self, names: Iterable[str]) -> Bytes:
        found = np.zeros(self.shape, np.int8)
        for name in names:
            np.maximum(found, self.state(name) if name in self.places else self.groups[name], out=found)
        return found

    def clause(self, clause: Clause) -> Bytes:
        inside = self.everywhere() if clause.include is None else self.names(clause.include)
        if not clause.exclude:
            return inside
        left_out = (YES - self.names(clause.exclude)).astype(np.int8)
        left_out[left_out == YES - MAYBE] = MAYBE
        for name in clause.include or ():
            if name in self.places:
                left_out[self.places[name]] = YES
        return np.minimum(inside, left_out)

    def scope(self, text: str) -> Scope:
        return Scope(tuple((c.kind, c.tag, self.clause(c)) for c in destinations.parse(text)))

    def scope_places(self, text: str) -> Bytes:
        """Return where a scope of plain places (no end use or party) holds."""
        return np.asarray(np.max([where for _, _, where in self.scope(text).clauses], axis=0))

    def window(self, start: np.datetime64, end: np.datetime64) -> Bools:
        """Return on which epochs start <= day < end; a missing start is always, a missing end never comes."""
        first = 0 if np.isnat(start) else int(np.searchsorted(self.breaks, start, side="right"))
        last = self.shape[1] if np.isnat(end) else int(np.searchsorted(self.breaks, end, side="right"))
        force = np.zeros(self.shape[1], bool)
        force[first:last] = True
        return force


def _breaks(frames: Sequence[pd.DataFrame], terms: Mapping[str, tuple[Term, ...]]) -> npt.NDArray[np.datetime64]:
    dated = ("from", "to", "suspended_from", "suspended_to")
    columns = [frame[name] for frame in frames for name in dated if name in frame]
    days = [column.to_numpy().astype("datetime64[D]") for column in columns]
    since = [term.since for row in terms.values() for term in row if term.since != reach.ALWAYS]
    merged = np.concatenate([*days, np.array(since, "datetime64[D]")])
    return np.unique(merged[~np.isnat(merged)])


def _groups(groups: pd.DataFrame, places: Mapping[str, int], breaks: npt.NDArray[np.datetime64]) -> dict[str, Bytes]:
    frame = _Frame(dict(places), breaks, {})
    found: dict[str, Bytes] = {}
    for row in groups.rename(columns={"from": "start"}).itertuples(index=False):
        state = found.setdefault(str(row.group), np.zeros(frame.shape, np.int8))
        force = frame.window(_day(row.start), _day(row.to))
        place = places[str(row.jurisdiction)]
        state[place, force] = np.maximum(state[place, force], MAYBE if bool(row.doubt) else YES)
    for state in found.values():
        state[0] = np.where(state.max(axis=0) > NO, MAYBE, NO)
    return found


def _day(value: object) -> np.datetime64:
    return np.datetime64("NaT", "D") if value is pd.NaT else np.datetime64(str(value)[:10], "D")


def _rules(
    controls: pd.DataFrame,
    exceptions: pd.DataFrame,
    frame: _Frame,
    scopes: Mapping[str, Scope],
    terms: Mapping[str, tuple[Term, ...]],
    lists: Mapping[str, str],
    gaps: Sequence[held.Gap],
) -> tuple[Rule, ...]:
    order = controls.assign(_from=controls["from"].fillna(pd.Timestamp("2200-01-01"))).sort_values(["_from", "control"])
    synthetic = [*((f"{UNLISTED}:{key}", state) for key, state in sorted(lists.items())), (UNCLASSIFIED, "")]
    below = len(gaps) + len(synthetic)
    rank = {str(control): below + len(order) - place for place, control in enumerate(order["control"])}
    lifting = _Lifting.of_table(exceptions, frame, scopes)
    found = []
    for row in records(controls):
        codes = tuple(normal(code) for code in row["item_code"].split(";"))
        start, paused = _day(row["from"]), _day(row["suspended_from"])
        idle = np.isnat(start) or row["status"] == "proposed"
        force = np.zeros(frame.shape[1], bool) if idle else frame.window(start, _day(row["to"]))
        if not np.isnat(paused):
            force &= ~frame.window(paused, _day(row["suspended_to"]))
        found.append(
            Rule(
                control=row["control"],
                regime=row["regime"],
                imposing=row["imposing"],
                codes=codes,
                scope=row["destination_scope"],
                end_party=row["end_party"],
                reach=row["reach"],
                terms=terms[row["reach"]],
                level=POLICY_LEVEL[row["licence_policy"]],
                rank=rank[row["control"]],
                force=force,
                waivers=lifting.of(row["control"], row["regime"], codes),
                estimated=row["quality"] in ("estimate", "assumption"),
                home=row["imposing"],
            )
        )
    always = np.ones(frame.shape[1], bool)
    for place, (name, imposing) in enumerate(synthetic):
        at = len(gaps) + place + 1
        plain = Rule(name, "", imposing, (), "worldwide", "", "none", (), CASE_BY_CASE, at, always, (), False)
        found.append(replace(plain, home=imposing))
    for place, gap in enumerate(gaps):
        level, codes = POLICY_LEVEL[gap.at_most], tuple(normal(code) for code in gap.item_code.split(";"))
        plain = Rule(
            gap.name, "", ORIGIN, codes, gap.scope, "", "none", (), level, len(gaps) - place, always, (), False
        )
        found.append(replace(plain, force=gap.force, home=gap.key, gap=gap.question))
    return tuple(sorted(found, key=lambda rule: (-rule.rank, rule.control)))


@dataclass(frozen=True, eq=False)
class _Lift:
    """An exception before it is bound to controls: what it names, what it spares, and what it does."""

    controls: frozenset[str]
    regime: str
    codes: tuple[str, ...]
    barred: tuple[str, ...]
    waiver: Waiver

    def lifts(self, control: str, regime: str, codes: tuple[str, ...]) -> bool:
        """Does it lift the control? Without codes of its own it lifts whatever is on any code."""
        if control not in self.controls if self.controls else regime != self.regime:
            return False
        return _spared(codes, self.codes, self.barred)


@lru_cache(maxsize=1 << 16)
def _spared(codes: tuple[str, ...], lifted: tuple[str, ...], barred: tuple[str, ...]) -> bool:
    """Do the codes of an exception cover all codes of a control, and none of those that it may not touch?"""
    if lifted and not all(any(relation(code, other) == YES for other in lifted) for code in codes):
        return False
    return not any(relation(code, other) == YES for code in codes for other in barred)


@dataclass(frozen=True, eq=False)
class _Lifting:
    """All exceptions in order, by the controls and the regimes that they name."""

    lifts: list[_Lift]
    places: dict[tuple[str, str], list[int]]

    @classmethod
    def of_table(cls, exceptions: pd.DataFrame, frame: _Frame, scopes: Mapping[str, Scope]) -> _Lifting:
        lifts = _lifts(exceptions, frame, scopes)
        places: dict[tuple[str, str], list[int]] = {}
        for place, lift in enumerate(lifts):
            for name in [("control", name) for name in lift.controls] or [("regime", lift.regime)]:
                places.setdefault(name, []).append(place)
        return cls(lifts, places)

    def of(self, control: str, regime: str, codes: tuple[str, ...]) -> tuple[Waiver, ...]:
        """Return what may lift a control."""
        near = [*self.places.get(("control", control), ()), *self.places.get(("regime", regime), ())]
        return tuple(self.lifts[at].waiver for at in sorted(near) if self.lifts[at].lifts(control, regime, codes))


def _lifts(exceptions: pd.DataFrame, frame: _Frame, scopes: Mapping[str, Scope]) -> list[_Lift]:
    found = []
    for row in records(exceptions.sort_values("exception")):
        kind, _, tag = row["condition"].partition(":")
        waiver = Waiver(
            exception=row["exception"],
            name=row["name"],
            basis=row["basis"],
            effect={"text": YES, "inferred": YES, "published": MAYBE}.get(row["basis"], NO),
            destination=_where(row["destination"], frame, scopes),
            exporter=_where(row["exporter"], frame, scopes),
            head_office=_where(row["exporter_head_office"], frame, scopes),
            foreign_made=row["foreign_made"] is True,
            condition=(kind, tag),
            force=frame.window(_day(row["from"]), _day(row["to"])),
        )
        named = frozenset(name for name in row["control"].split(";") if name)
        codes, barred = (
            tuple(normal(code) for code in row[name].split(";") if code) for name in ("item_code", "except_code")
        )
        found.append(_Lift(named, row["regime"], codes, barred, waiver))
    return found


def _where(text: str, frame: _Frame, scopes: Mapping[str, Scope]) -> Bytes:
    if not text:
        return frame.everywhere()
    found = np.zeros(frame.shape, np.int8)
    for _, _, where in scopes[text].clauses:
        np.maximum(found, where, out=found)
    return found
