"""The book as arrays: controls in order of precedence, on the places and epochs of its grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.facts.countries import countries
from supplychain.regimes import coverage as held
from supplychain.regimes import reach
from supplychain.regimes.codes import (
    HEADINGS,
    MAYBE,
    NO,
    NOT_LISTS,
    SHARED_LISTS,
    YES,
    Codes,
    list_of,
    normal,
    relation,
)
from supplychain.regimes.flows import UNION
from supplychain.regimes.grid import Grid, Scope, days, grid_of
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
LEAVE = ("licence", "prohibited")  # statuses of what needs leave, or would be refused it
REFUSED = ("presumption-of-denial", "embargo")  # policies under which leave is refused
# Statuses that differ only within one class do not make an answer indeterminate.
CLASSES = (0, 0, 1, 2, 2, 2, 3)


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

    @cached_property
    def open(self) -> Bools:
        """Which rules an item that was never classified may fall under, whatever its customs heading is.

        Law that is not held adds nothing to that question.
        """
        return np.array(
            [
                rule.control == UNCLASSIFIED or (not rule.gap and any(list_of(code) != HEADINGS for code in rule.codes))
                for rule in self.rules
            ],
            bool,
        )

    def epochs(self, days: npt.NDArray[np.datetime64]) -> Ints:
        """Return the epoch of each day."""
        return np.searchsorted(self.breaks, days.astype("datetime64[D]"), side="right").astype(np.int64)


def compile_law(tables: Mapping[str, pd.DataFrame], day: date | None = None) -> Law:
    """Compile the tables of a book (assumed checked) into arrays: for all days, or for one, which is much quicker."""
    controls, groups, exceptions = tables["controls"], tables["groups"], tables["exceptions"]
    terms = {text: reach.parse(text) for text in sorted(set(controls["reach"].tolist()))}
    coverage = tables["coverage"]
    # One day needs the epochs before it, of it, and after it; the law of the day is the same as in all epochs.
    if day is None:
        breaks = _breaks([controls, groups, exceptions, coverage], terms)
    else:
        breaks = np.array([day, day + timedelta(days=1)], "datetime64[D]")
    grid = _grid(groups, places_of(tables), breaks)
    columns = [controls["destination_scope"], controls["end_party"], coverage["destination_scope"]]
    columns += [exceptions[name] for name in ("destination", "exporter", "exporter_head_office")]
    texts = {text for column in columns for text in column.tolist()} - {""} | {TIGHTER, "worldwide"}
    scopes = {text: grid.scope(text) for text in sorted(texts)}
    lists = _issuers(controls)
    states = {*controls["imposing"].tolist(), *lists.values()}
    territories = {state: grid.territory(state) for state in sorted(states)}
    gaps = _gaps(coverage, grid)
    scopes |= {gap.scope: Scope((("", "", gap.where),)) for gap in gaps}
    territories |= {gap.key: np.minimum(gap.states, MAYBE).astype(np.int8) for gap in gaps}
    pairs = tables["correspondences"]
    correspondences: dict[str, list[tuple[str, int]]] = {}
    for code, other, how in zip(*(pairs[name].tolist() for name in ("code", "corresponds", "match")), strict=True):
        correspondences.setdefault(normal(code), []).append((normal(other), YES if how == "same" else MAYBE))
    weak = pairs[pairs["quality"].isin(["estimate", "assumption"])]
    entries = tables["entries"]
    modelled = entries[entries["standing"] != "not-modelled"]["code"]
    known = {c for text in set(controls["item_code"].tolist()) for c in _codes(text) if not c.endswith((":any", "*"))}
    rules = _rules(controls, exceptions, grid, terms, lists, gaps)
    alike = {code: tuple(sorted(others)) for code, others in sorted(correspondences.items())}
    return Law(
        places=grid.places,
        breaks=grid.breaks,
        groups=grid.groups,
        scopes=scopes,
        rules=rules,
        codes=Codes(
            tuple(rule.codes for rule in rules), alike, tuple(sorted(known | set(map(normal, modelled.tolist()))))
        ),
        estimated_pairs=frozenset(
            zip(map(normal, weak["code"].tolist()), map(normal, weak["corresponds"].tolist()), strict=True)
        ),
        lists=lists,
        territories=territories,
    )


# Most books differ in their controls only: what the last few made of tables that they share is remembered.
_GRIDS: list[tuple[pd.DataFrame, bytes, Grid]] = []
_GAPS: list[tuple[pd.DataFrame, Grid, tuple[held.Gap, ...]]] = []
_REMEMBERED = 8


def _grid(groups: pd.DataFrame, places: dict[str, int], breaks: npt.NDArray[np.datetime64]) -> Grid:
    """Return places, epochs and groups."""
    key = repr(list(places)).encode() + breaks.tobytes()
    for table, when, known in tuple(_GRIDS):
        if table is groups and when == key:
            return known
    made = grid_of(groups, places, breaks)
    _GRIDS.append((groups, key, made))
    del _GRIDS[:-_REMEMBERED]
    return made


def _gaps(coverage: pd.DataFrame, grid: Grid) -> tuple[held.Gap, ...]:
    """Return the gaps of the coverage."""
    for table, of, known in tuple(_GAPS):
        if table is coverage and of is grid:
            return known
    made = held.gaps(coverage, grid.where, grid.window)
    _GAPS.append((coverage, grid, made))
    del _GAPS[:-_REMEMBERED]
    return made


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table; `DataFrame.to_dict` takes ten times as long over texts."""
    names = frame.columns.tolist()
    columns = [frame[name].tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def places_of(tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return the position of every place that a book knows; 0 is the unknown one."""
    codes = sorted({*countries(), *tables["jurisdictions"]["jurisdiction"].tolist()} - {UNION})
    return {code: position for position, code in enumerate(["", *codes])}


def _issuers(controls: pd.DataFrame) -> dict[str, str]:
    """Return the state behind each list of codes: the one that imposes most of the controls on it."""
    votes = Counter(
        (list_of(code), state)
        for state, text in zip(controls["imposing"].tolist(), controls["item_code"].tolist(), strict=True)
        for code in text.split(";")
        if list_of(code) not in SHARED_LISTS | NOT_LISTS
    )
    ranked = sorted(votes.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    found: dict[str, str] = {}
    for (name, state), _ in ranked:
        found.setdefault(name, state)
    return found


def _breaks(frames: Sequence[pd.DataFrame], terms: Mapping[str, tuple[Term, ...]]) -> npt.NDArray[np.datetime64]:
    dated = ("from", "to", "suspended_from", "suspended_to")
    columns = [frame[name] for frame in frames for name in dated if name in frame]
    days = [column.to_numpy().astype("datetime64[D]") for column in columns]
    since = [term.since for row in terms.values() for term in row if term.since != reach.ALWAYS]
    merged = np.concatenate([*days, np.array(since, "datetime64[D]")])
    return np.unique(merged[~np.isnat(merged)])


def _rules(
    controls: pd.DataFrame,
    exceptions: pd.DataFrame,
    grid: Grid,
    terms: Mapping[str, tuple[Term, ...]],
    lists: Mapping[str, str],
    gaps: Sequence[held.Gap],
) -> tuple[Rule, ...]:
    start = days(controls, "from")
    start = np.where(np.isnat(start), np.datetime64("2200-01-01", "D"), start)
    order = [str(control) for _, control in sorted(zip(start.tolist(), controls["control"].tolist(), strict=True))]
    synthetic = [*((f"{UNLISTED}:{key}", state) for key, state in sorted(lists.items())), (UNCLASSIFIED, "")]
    below = len(gaps) + len(synthetic)
    rank = {control: below + len(order) - place for place, control in enumerate(order)}
    lifting = _Lifting.of_table(exceptions, grid)
    found = []
    for row, force in zip(records(controls), _forces(controls, grid), strict=True):
        codes = _codes(row["item_code"])
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
    always = np.ones(grid.shape[1], bool)
    for place, (name, imposing) in enumerate(synthetic):
        at = len(gaps) + place + 1
        plain = Rule(name, "", imposing, (), "worldwide", "", "none", (), CASE_BY_CASE, at, always, (), False)
        found.append(replace(plain, home=imposing))
    for place, gap in enumerate(gaps):
        level, codes = POLICY_LEVEL[gap.at_most], _codes(gap.item_code)
        plain = Rule(
            gap.name, "", ORIGIN, codes, gap.scope, "", "none", (), level, len(gaps) - place, always, (), False
        )
        found.append(replace(plain, force=gap.force, home=gap.key, gap=gap.question))
    return tuple(sorted(found, key=lambda rule: (-rule.rank, rule.control)))


def _forces(controls: pd.DataFrame, grid: Grid) -> Bools:
    """Return when each control is in force, (controls x epochs): from its day on, but while it is suspended."""
    start, paused = days(controls, "from"), days(controls, "suspended_from")
    idle = np.isnat(start) | (controls["status"].to_numpy(object) == "proposed")
    rests = grid.windows(paused, days(controls, "suspended_to")) & ~np.isnat(paused)[:, None]
    return np.asarray(grid.windows(start, days(controls, "to")) & ~rests & ~idle[:, None])


@lru_cache(maxsize=1 << 14)
def _codes(text: str) -> tuple[str, ...]:
    """Return the codes of a ``;`` list."""
    return tuple(normal(code) for code in text.split(";"))


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
    def of_table(cls, exceptions: pd.DataFrame, grid: Grid) -> _Lifting:
        lifts = _lifts(exceptions, grid)
        places: dict[tuple[str, str], list[int]] = {}
        for place, lift in enumerate(lifts):
            for name in [("control", name) for name in lift.controls] or [("regime", lift.regime)]:
                places.setdefault(name, []).append(place)
        return cls(lifts, places)

    def of(self, control: str, regime: str, codes: tuple[str, ...]) -> tuple[Waiver, ...]:
        """Return what may lift a control."""
        near = [*self.places.get(("control", control), ()), *self.places.get(("regime", regime), ())]
        return tuple(self.lifts[at].waiver for at in sorted(near) if self.lifts[at].lifts(control, regime, codes))


def _lifts(exceptions: pd.DataFrame, grid: Grid) -> list[_Lift]:
    found = []
    forces = grid.windows(days(exceptions, "from"), days(exceptions, "to"))
    rows = zip(records(exceptions), forces, strict=True)
    for row, force in sorted(rows, key=lambda pair: str(pair[0]["exception"])):
        kind, _, tag = row["condition"].partition(":")
        waiver = Waiver(
            exception=row["exception"],
            name=row["name"],
            basis=row["basis"],
            effect={"text": YES, "inferred": YES, "published": MAYBE}.get(row["basis"], NO),
            destination=grid.where(row["destination"]),
            exporter=grid.where(row["exporter"]),
            head_office=grid.where(row["exporter_head_office"]),
            foreign_made=row["foreign_made"] is True,
            condition=(kind, tag),
            force=force,
        )
        named = frozenset(name for name in row["control"].split(";") if name)
        codes, barred = (_codes(row[name]) if row[name] else () for name in ("item_code", "except_code"))
        found.append(_Lift(named, row["regime"], codes, barred, waiver))
    return found
