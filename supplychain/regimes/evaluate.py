"""How far each control reaches each combination of item, seller, buyer and epoch; and the strictest of them.

Every clause of a control is NO, CONDITIONAL (it turns on an end user or end use that the flow does not state), MAYBE
(a fact of the flow or of the book is missing) or YES; the weakest clause speaks for the control. All of this is done
on arrays over the distinct combinations of one item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from supplychain.regimes.codes import CONDITIONAL, MAYBE, NO, YES, Classification, list_of
from supplychain.regimes.flows import Distinct, parse_content
from supplychain.regimes.law import (
    EXCEPTED,
    POLICIES,
    STATUSES,
    TIGHT_SHARE,
    TIGHTER,
    UNCLASSIFIED,
    UNLISTED,
    Bytes,
    Law,
    Rule,
    Waiver,
)
from supplychain.regimes.reach import Term

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Why a control is not settled for a flow (bits), and what else a reader must know of it.
CODE, CONTENT, DIRECT, EXPORTER, PLACE, PAIR, ASSUMED, INFERRED, UNHELD = (1 << bit for bit in range(9))


@dataclass(frozen=True, eq=False)
class Sellers:
    """Facts of the distinct sellers as arrays. Shares: NaN = unknown."""

    origin: npt.NDArray[np.intp]
    head_office: npt.NDArray[np.intp]
    parent: npt.NDArray[np.intp]
    content: tuple[dict[str, float] | None, ...]
    direct: tuple[tuple[str, ...] | None, ...]
    _memo: dict[tuple[str, str], npt.NDArray[Any]] = field(default_factory=dict)

    def share(self, state: str) -> Floats:
        """Return each seller's stated content from a state; NaN where none is stated."""
        if ("share", state) not in self._memo:
            found = [np.nan if shares is None else shares.get(state, 0.0) for shares in self.content]
            self._memo["share", state] = np.array(found, np.float64)
        return self._memo["share", state]

    def product(self, state: str) -> Bytes:
        """Return whether each seller's goods are stated to be a direct product of a state: YES, NO, MAYBE = not
        stated.
        """
        if ("product", state) not in self._memo:
            found = [MAYBE if states is None else YES if state in states else NO for states in self.direct]
            self._memo["product", state] = np.array(found, np.int8)
        return self._memo["product", state]

    @classmethod
    def of(cls, distinct: Distinct, places: Mapping[str, int]) -> Sellers:
        def index(name: str) -> npt.NDArray[np.intp]:
            return np.array([places[word] for word in distinct.column(name)], np.intp)

        return cls(
            index("origin"),
            index("head_office"),
            index("parent"),
            tuple(parse_content(word) if word else None for word in distinct.column("content")),
            tuple(
                tuple(p for p in word.split(";") if p != "none") if word else None
                for word in distinct.column("direct_product")
            ),
        )


@dataclass(frozen=True, eq=False)
class Buyers:
    """Facts of the distinct buyers. Tags: None = not stated; an empty set = stated that there is none."""

    destination: npt.NDArray[np.intp]
    head_office: npt.NDArray[np.intp]
    end_use: tuple[frozenset[str] | None, ...]
    entity: tuple[frozenset[str] | None, ...]
    _memo: dict[tuple[str, str], Bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, distinct: Distinct, places: Mapping[str, int]) -> Buyers:
        def index(name: str) -> npt.NDArray[np.intp]:
            return np.array([places[word] for word in distinct.column(name)], np.intp)

        return cls(
            index("destination"),
            index("end_party_head_office"),
            tuple(_tags(word) for word in distinct.column("end_use")),
            tuple(_tags(word) for word in distinct.column("entity")),
        )

    def stated(self, kind: str, tag: str) -> Bytes:
        """Return for each buyer whether it carries the tag: YES, NO, or CONDITIONAL when the flow does not say."""
        if (kind, tag) not in self._memo:
            column = self.entity if kind == "entity" else self.end_use
            found = [CONDITIONAL if tags is None else YES if tag in tags else NO for tags in column]
            self._memo[kind, tag] = np.array(found, np.int8)
        return self._memo[kind, tag]


def _tags(text: str) -> frozenset[str] | None:
    if not text:
        return None
    return frozenset(part.strip() for part in text.split(";") if part.strip() not in ("", "none"))


_OTHERS = "*"  # every category that the assumptions do not name


@dataclass(frozen=True, eq=False)
class Content:
    """Named assumptions on controlled content by item category; used only where a flow does not state it."""

    shares: Mapping[str, Mapping[str, float]]
    direct: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, assumptions: Mapping[str, Any] | None) -> Content | None:
        """Read the table ``content``: ``default`` and one table for each category."""
        table = None if assumptions is None else assumptions.get("content")
        if not table:
            return None
        default = dict(table.get("default", {}))
        shares, direct = {}, {}
        for name, row in {_OTHERS: {}, **table.get("category", {})}.items():
            merged = {**default, **row}
            text = str(merged.pop("direct_product", ""))
            shares[name] = {state: float(share) for state, share in merged.items() if len(state) == 3}
            if text:
                direct[name] = tuple(part for part in text.split(";") if part != "none")
        return cls(shares, direct)

    def share(self, category: str, state: str) -> float:
        """Return the share assumed for a category; NaN where none is, or where the category is not known."""
        row = self.shares.get(category, self.shares[_OTHERS]) if category else {}
        return row.get(state, np.nan)

    def product(self, category: str) -> tuple[str, ...] | None:
        """Return whose direct product a category is assumed to be; None where that stays open."""
        return self.direct.get(category, self.direct.get(_OTHERS)) if category else None


@dataclass(frozen=True, eq=False)
class Item:
    """A distinct item: its classification and the rules that its codes may meet, in order of precedence."""

    classification: Classification
    category: str
    rules: tuple[Rule, ...]
    matches: tuple[tuple[Bytes, ...], ...]  # [list][variant] -> how far each rule's codes are met


def read_item(text: str, category: str, law: Law, hs6: str = "") -> Item:
    """Classify an item and pick the rules that its codes may meet."""
    found = law.codes.classify(text, hs6)
    missing = {f"{UNLISTED}:{list_of(code)}" if list_of(code) in law.lists else UNCLASSIFIED for code in found.unlisted}
    # Never classified: it may fall under any control, and under laws that the book does not hold. What is written in
    # customs headings turns on the heading, not on the classification.
    open_ = law.open if found.unknown else np.array([rule.control in missing for rule in law.rules], bool)
    codeless = np.where(open_, MAYBE, NO).astype(np.int8)
    # What turns on no code at all (any item, unknown codes) stands as a list of its own with one variant.
    groups: list[tuple[Bytes, ...]] = [(np.maximum(law.codes.meets(""), codeless),)]
    groups += [tuple(law.codes.match(variant) for variant in group) for group in found.groups]
    hit = np.max([state for group in groups for state in group], axis=0) > NO
    return Item(
        found,
        category,
        tuple(rule for rule, keep in zip(law.rules, hit, strict=True) if keep),
        tuple(tuple(state[hit] for state in group) for group in groups),
    )


class Frame:
    """Combinations that are asked for, of one item or of several whose rules are much the same: arrays of sellers,
    buyers and epochs, all of one length; ``of`` says which of the ``categories`` of items each is of."""

    def __init__(
        self, law: Law, categories: Sequence[str], sellers: Sellers, buyers: Buyers, content: Content | None,
        inferred: bool, of: Longs, seller: Longs, buyer: Longs, epoch: Longs,
    ) -> None:  # fmt: skip
        self.law, self.categories, self.sellers, self.buyers = law, categories, sellers, buyers
        self.content, self.inferred = content, inferred
        self.of, self.seller, self.buyer, self.epoch = of, seller, buyer, epoch
        self.origin = sellers.origin[seller]
        self.destination = buyers.destination[buyer]
        self.used = np.unique(epoch)
        self._scopes: dict[str, Bytes] = {}
        self._waivers: dict[int, Bytes] = {}  # by identity: the law holds them for longer than this
        self._judged: dict[tuple[Any, ...], Clauses] = {}

    def judged(self, rule: Rule) -> Clauses:
        """Return every clause of a rule; rules that differ in nothing but codes and strictness share them."""
        lifts = tuple(map(id, rule.waivers))
        key = (rule.home, rule.imposing, rule.scope, rule.end_party, rule.terms, rule.gap, rule.force.tobytes(), lifts)
        if key not in self._judged:
            self._judged[key] = clauses(self, rule)
        return self._judged[key]

    def scope(self, text: str) -> Bytes:
        """Return how far the buyer is in a destination scope."""
        if text not in self._scopes:
            found = np.zeros(len(self.seller), np.int8)
            for kind, tag, where in self.law.scopes[text].clauses:
                if kind == "head-office":
                    office = self.buyers.head_office[self.buyer]
                    inside = np.where(office == 0, CONDITIONAL, where[office, self.epoch]).astype(np.int8)
                else:
                    inside = where[self.destination, self.epoch]
                    if kind:
                        inside = np.minimum(inside, self.buyers.stated(kind, tag)[self.buyer])
                np.maximum(found, inside, out=found)
            self._scopes[text] = found
        return self._scopes[text]

    def end_party(self, text: str) -> Bytes:
        """Return how far the end party's head office is in a scope; when not stated it is taken to be at the
        destination.
        """
        if not text:
            return np.full(len(self.seller), YES, np.int8)
        office = self.buyers.head_office[self.buyer]
        place = np.where(office == 0, self.destination, office)
        states = [where[place, self.epoch] for _, _, where in self.law.scopes[text].clauses]
        found: Bytes = np.max(states, axis=0).astype(np.int8)
        return found

    def territory(self, state: str, place: npt.NDArray[Any]) -> Bytes:
        """Return how far a place is in the territory of a state; the nameless state of unclassified items is
        everywhere.
        """
        if not state:
            return np.full(len(place), YES, np.int8)
        found: Bytes = self.law.territories[state][place, self.epoch]
        return found

    def border(self, rule: Rule) -> Bytes:
        """Return how far the flow is an export in the eyes of the state that imposes a rule: not into its own
        territory.

        Flows within one state never come here; the places of a combination stand for their kind only.
        """
        state = "" if rule.gap else rule.home
        inside = self.territory(state, self.destination) if state else np.zeros(len(self.seller), np.int8)
        out = np.where(inside == MAYBE, MAYBE, YES - inside)
        blind = (self.origin == 0) | (self.destination == 0)
        return np.where(blind, np.minimum(out, MAYBE), out).astype(np.int8)

    def abroad(self, rule: Rule) -> tuple[Bytes, npt.NDArray[np.int16]]:
        """Return how far the control reaches goods made abroad, and why that is not settled or what it was assumed
        from.
        """
        best = np.zeros(len(self.seller), np.int8)
        why, spared = np.zeros((2, len(self.seller)), np.int16)
        for term in rule.terms:
            state, bits = self._term(rule, term)
            if term.entity:
                state = np.minimum(state, self.buyers.stated("entity", term.entity)[self.buyer])
            if term.since > np.datetime64("0001-01-01", "D"):
                started = np.concatenate([[False], self.law.breaks >= term.since])
                state = np.where(started[self.epoch], state, NO).astype(np.int8)
            why |= np.where(state > NO, bits, 0).astype(np.int16)
            spared |= np.where(state == NO, bits & ASSUMED, 0).astype(np.int16)
            np.maximum(best, state, out=best)
        open_bits = CONTENT | DIRECT
        why = np.where(best == MAYBE, why, why & ~open_bits)
        why = np.where(best == NO, spared, why).astype(np.int16)
        return best, why

    def _term(self, rule: Rule, term: Term) -> tuple[Bytes, npt.NDArray[np.int16]]:
        if term.kind == "fdp":
            return self._product(rule.imposing)
        stated = self.sellers.share(rule.imposing)
        silent = np.isnan(stated)
        told = self.content
        guess = np.array([np.nan if told is None else told.share(name, rule.imposing) for name in self.categories])
        guessed = silent[self.seller]
        share = np.where(guessed, guess[self.of], stated[self.seller])
        unknown = np.isnan(share)
        over = share >= term.threshold if term.kind == "content-floor" else share > term.threshold
        found = np.where(unknown, MAYBE, np.where(over, YES, NO)).astype(np.int8)
        why = np.where(unknown, CONTENT, np.where(guessed, ASSUMED, 0)).astype(np.int16)
        if term.kind == "de-minimis" and term.threshold > TIGHT_SHARE:
            tight = self.scope(TIGHTER)
            between = (share > TIGHT_SHARE) & ~over & ~unknown
            found = np.where(between, tight, found).astype(np.int8)
            why = np.where(between & (tight == MAYBE), why | CONTENT, why).astype(np.int16)
        return found, why

    def _product(self, state: str) -> tuple[Bytes, npt.NDArray[np.int16]]:
        stated = self.sellers.product(state)[self.seller]
        told = [None if self.content is None else self.content.product(name) for name in self.categories]
        guesses = [MAYBE if states is None else YES if state in states else NO for states in told]
        guess, silent = np.array(guesses, np.int8)[self.of], stated == MAYBE
        why = np.where(silent, np.where(guess == MAYBE, DIRECT, ASSUMED), 0).astype(np.int16)
        return np.where(silent, guess, stated).astype(np.int8), why

    def waiver(self, waiver: Waiver, by_origin: Bytes) -> Bytes:
        """Return how far an exception lifts the control: YES, MAYBE (not proven) or NO."""
        known = self._waivers.get(id(waiver))
        if known is None:
            known = self._waivers[id(waiver)] = self._waiver(waiver)
        return np.where(by_origin == YES, NO, known).astype(np.int8) if waiver.foreign_made else known

    def _waiver(self, waiver: Waiver) -> Bytes:
        idle = not waiver.effect or (waiver.basis == "inferred" and not self.inferred)
        if idle or not waiver.force[self.used].any():
            return np.zeros(len(self.seller), np.int8)
        state = np.minimum(waiver.destination[self.destination, self.epoch], waiver.exporter[self.origin, self.epoch])
        office = waiver.head_office[self.sellers.head_office[self.seller], self.epoch]
        parent = self.sellers.parent[self.seller]
        owner = np.where(parent == 0, YES, waiver.head_office[parent, self.epoch])
        state = np.minimum(np.minimum(state, np.minimum(office, owner)), waiver.effect).astype(np.int8)
        kind, tag = waiver.condition
        if kind:
            state = np.where(self.buyers.stated(kind, tag)[self.buyer] == YES, state, NO).astype(np.int8)
        return np.where(waiver.force[self.epoch], state, NO).astype(np.int8)


@dataclass(frozen=True, eq=False)
class Clauses:
    """Every clause of one rule on every combination: what `evaluate` folds and what `explain` tells."""

    force: Bytes
    border: Bytes
    scope: Bytes
    end_party: Bytes
    origin: Bytes
    abroad: Bytes
    lifted: Bytes  # YES: an exception lifts it; MAYBE: one may
    by: npt.NDArray[np.int16]  # which waiver of the rule, -1 = none
    why: npt.NDArray[np.int16]

    @cached_property
    def _reached(self) -> Bytes:
        """The weakest clause, codes and the origin of the goods left aside."""
        return np.minimum(np.minimum(self.force, self.border), np.minimum(self.scope, self.end_party))

    @cached_property
    def applies(self) -> Bytes:
        """The weakest clause, the codes left aside."""
        return np.minimum(self._reached, np.maximum(self.origin, self.abroad))

    @cached_property
    def spared(self) -> npt.NDArray[np.bool_]:
        """Does nothing but an assumption on content keep the control from reaching the flow?"""
        return np.asarray((self._reached >= MAYBE) & (self.applies == NO) & ((self.why & ASSUMED) > 0))

    @cached_property
    def reasons(self) -> npt.NDArray[np.int16]:
        """Why it is not settled, where it applies or may, or is spared by an assumption."""
        kept = np.where(self.applies >= CONDITIONAL, self.why, np.where(self.spared, ASSUMED, 0))
        return np.asarray(kept, np.int16)


def clauses(frame: Frame, rule: Rule) -> Clauses:
    """Return every clause of `rule` on the combinations of `frame`."""
    origin = frame.territory(rule.home, frame.origin)
    abroad, why = frame.abroad(rule)
    scope, end_party, border = frame.scope(rule.scope), frame.end_party(rule.end_party), frame.border(rule)
    lifted = np.zeros(len(origin), np.int8)
    by = np.full(len(origin), -1, np.int16)
    for position, waiver in enumerate(rule.waivers):
        state = frame.waiver(waiver, origin)
        if not state.any():
            continue
        better = state > lifted
        lifted, by = np.where(better, state, lifted).astype(np.int8), np.where(better, position, by).astype(np.int16)
        if waiver.basis == "inferred":
            why = np.where(better & (state == YES), why | INFERRED, why)
        why = np.where(better & (state == MAYBE), why | (PAIR if waiver.effect == MAYBE else EXPORTER), why)
        why = np.where(lifted == YES, why & ~(PAIR | EXPORTER), why).astype(np.int16)
    blind = (np.minimum(np.minimum(border, scope), end_party) == MAYBE) | ((origin == MAYBE) & (abroad < YES))
    why = np.where(blind, why | PLACE, why)
    why = np.where(origin == YES, why & ~(CONTENT | DIRECT | ASSUMED), why).astype(np.int16)
    if rule.gap:
        why = np.full(len(origin), UNHELD, np.int16)
    force = np.where(rule.force[frame.epoch], YES, NO).astype(np.int8)
    return Clauses(force, border, scope, end_party, origin, abroad, lifted, by, why)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result for one item's combinations. Scores order outcomes: level first, then precedence of the control."""

    item: Item
    floor: Longs
    low: Longs
    high: Longs
    certain: Bytes  # combinations x rules: how far the rule applies whatever variant the item is
    possible: Bytes  # ... under some variant
    lifted: Bytes
    by: npt.NDArray[np.int16]
    why: npt.NDArray[np.int16]
    applies: Bytes  # ... before the item's codes are looked at

    @cached_property
    def told(self) -> dict[str, npt.NDArray[Any]]:
        """Every control that applies or may apply, combination by combination (``row``): the columns of TOLD."""
        row, column = np.nonzero(self.possible >= CONDITIONAL)
        lifted, by = self.lifted[row, column], self.by[row, column]
        rules = self.item.rules
        levels = np.array([rule.level for rule in rules], np.int64)[column]
        levels = np.where(lifted == YES, EXCEPTED, levels)
        waivers = [rules[c].waivers[b].exception if b >= 0 else "" for c, b in zip(column, by, strict=True)]
        return {
            "row": row,
            "control": np.array([rule.control for rule in rules], object)[column],
            "imposing": np.array([rule.imposing for rule in rules], object)[column],
            "regime": np.array([rule.regime for rule in rules], object)[column],
            "status": np.array(STATUSES, object)[levels],
            "policy": np.array(POLICIES, object)[levels],
            "certain": self.certain[row, column] == YES,
            "conditional": self.possible[row, column] == CONDITIONAL,
            "exception": np.array(waivers, object),
        }


# Columns of the controls that apply, and their kinds.
TOLD = dict.fromkeys(("control", "imposing", "regime", "status", "policy"), object)
TOLD |= {"certain": bool, "conditional": bool, "exception": object}


@dataclass(frozen=True, eq=False)
class Earlier:
    """An outcome of the same item under another law: ``column`` finds a rule that has not changed, by its key, and
    ``row`` the combination there that stands for each one here."""

    outcome: Outcome
    column: Mapping[tuple[str, str], int]
    row: npt.NDArray[np.intp]


def evaluate(frame: Frame, item: Item, at: slice, span: int, earlier: Earlier | None = None) -> Outcome:
    """Fold the rules of an item into the strictest outcome; its combinations are the part ``at`` of the frame. `span`
    is one more than the highest rank."""
    epoch, width = frame.epoch[at], len(item.rules)
    count = len(epoch)
    applies, lifted = np.zeros((count, width), np.int8), np.zeros((count, width), np.int8)
    by, why = np.full((count, width), -1, np.int16), np.zeros((count, width), np.int16)
    known = np.full(width, -1, np.intp)
    if earlier is not None:
        known[:] = [earlier.column.get(rule.key, -1) for rule in item.rules]
        stay, old = known >= 0, earlier.outcome
        place = np.ix_(earlier.row, known[stay])
        applies[:, stay], lifted[:, stay], by[:, stay] = old.applies[place], old.lifted[place], old.by[place]
        why[:, stay] = old.why[place] & ~CODE
    for column in np.flatnonzero(known < 0).tolist():
        rule = item.rules[column]
        if rule.force[epoch].any():
            found = frame.judged(rule)
            applies[:, column], lifted[:, column] = found.applies[at], found.lifted[at]
            by[:, column], why[:, column] = found.by[at], found.reasons[at]
    full = np.array([rule.level * span + rule.rank for rule in item.rules], np.int64)
    waived = np.array([EXCEPTED * span + rule.rank for rule in item.rules], np.int64)
    score = np.where(lifted == YES, waived, full)
    kindest = np.where(lifted >= MAYBE, waived, full)
    zero = np.zeros(count, np.int64)
    floor, low, high = zero.copy(), zero.copy(), zero.copy()
    certain, possible = np.zeros((count, width), np.int8), np.zeros((count, width), np.int8)
    for group in item.matches:
        lows, floors = [], []
        group_certain = np.full((count, width), YES, np.int8)
        for states in group:
            met = np.minimum(applies, states)
            sure = met == YES
            lows.append(np.where(sure, score, 0).max(axis=1, initial=0))
            floors.append(np.where(sure, kindest, 0).max(axis=1, initial=0))
            np.maximum(high, np.where(met >= MAYBE, score, 0).max(axis=1, initial=0), out=high)
            np.minimum(group_certain, met, out=group_certain)
            np.maximum(possible, met, out=possible)
        np.maximum(low, np.min(lows, axis=0), out=low)
        np.maximum(floor, np.min(floors, axis=0), out=floor)
        np.maximum(certain, group_certain, out=certain)
    unsure = (possible >= MAYBE) & (certain < YES) & (applies == YES)
    why = np.where(unsure, why | CODE, why).astype(np.int16)
    return Outcome(item, floor, low, high, certain, possible, lifted, by, why, applies)
