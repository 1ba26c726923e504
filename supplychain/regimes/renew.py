"""What a change of law leaves as it was: outcomes of items that no changed rule can meet are taken over as they are.

A scenario changes a few rules of some hundred. Two laws are compared rule by rule as they stand on the day; an item is
judged again when a rule that changed, or a correspondence or a code that became known, may concern one of its codes.
The result is the same as judging everything anew, which tests hold it to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from supplychain.regimes.codes import EVERYTHING, HEADINGS, list_of, normal, relation
from supplychain.regimes.evaluate import Earlier, Outcome
from supplychain.regimes.flows import Flows
from supplychain.regimes.law import TIGHTER, UNCLASSIFIED, UNLISTED, Law, Rule

ItemKey = tuple[str, ...]
RuleKey = tuple[str, str]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Basis:
    """What determinations were made of. ``rows`` are the flows of each item, ``at`` the position of its outcome."""

    law: Law
    flows: Flows
    inferred: bool
    content: Any
    rows: Mapping[ItemKey, Rows]
    at: Mapping[ItemKey, int]

    @cached_property
    def prints(self) -> dict[RuleKey, bytes]:
        """A digest of each rule as it stands on the day."""
        epoch = int(self.law.epochs(self.flows.days[:1])[0])
        return _prints(self.law, epoch, np.arange(len(self.law.places)))

    @cached_property
    def classified(self) -> dict[ItemKey, tuple[bool, tuple[str, ...]]]:
        """Of each item, whether it was never classified, and all codes that it may stand on."""
        found = {}
        for key in self.flows.items.rows:
            item = self.law.codes.classify(key[0], key[2])
            codes = {code for group in item.groups for variant in group for code, _ in variant}
            found[key] = item.unknown, tuple(sorted(codes))
        return found


@dataclass(frozen=True, eq=False)
class Kept:
    """What of earlier determinations still holds: by item, its flows and outcome (None: no rule concerns it)."""

    index: npt.NDArray[np.int32]
    starts: Sequence[int]
    outcomes: Sequence[Outcome]
    basis: Basis
    touched: frozenset[ItemKey]
    span: int
    new_span: int
    ranks: npt.NDArray[np.int64]
    changed: frozenset[RuleKey]

    def find(self, key: ItemKey, rows: Rows) -> tuple[Outcome | None, npt.NDArray[np.int32]] | None:
        """Return an item's outcome and which of its combinations each flow has (-1: none); None to judge it anew."""
        old = self.basis.rows.get(key)
        if key in self.touched or old is None or not np.array_equal(old, rows):
            return None
        position = self.basis.at.get(key, -1)
        if position < 0:
            return None, np.full(len(rows), -1, np.int32)
        index = self.index[rows]
        return self._moved(self.outcomes[position]), np.where(index > 0, index - self.starts[position], -1)

    def earlier(self, key: ItemKey, rows: Rows, position: npt.NDArray[np.integer[Any]], count: int) -> Earlier | None:
        """Return the outcome of an item that must be judged anew, for what has not changed in it. ``position`` is the
        combination of each of the flows ``rows`` under the new law, of ``count``."""
        at = self.basis.at.get(key, -1)
        if at < 0:
            return None
        old = self.outcomes[at]
        index = self.index[rows]
        row = np.full(count, -1, np.intp)
        row[position] = index - self.starts[at]
        if (index < self.starts[at]).any() or (index >= self.starts[at] + len(old.floor)).any() or (row < 0).any():
            return None
        names = enumerate(rule.key for rule in old.item.rules)
        return Earlier(old, {name: column for column, name in names if name not in self.changed}, row)

    def _moved(self, outcome: Outcome) -> Outcome:
        """Return an outcome with its scores told by the ranks of the new law."""
        scores = (outcome.floor, outcome.low, outcome.high)
        floor, low, high = (s // self.span * self.new_span + self.ranks[s % self.span] for s in scores)
        moved = replace(outcome, floor=floor, low=low, high=high)
        moved.__dict__["told"] = outcome.told  # nothing in it depends on ranks
        return moved


def kept(
    index: npt.NDArray[np.int32], starts: Sequence[int], outcomes: Sequence[Outcome], basis: Basis, span: int,
    law: Law, new_span: int, flows: Flows, inferred: bool, content: Any,
) -> Kept | None:  # fmt: skip
    """Return what of some determinations holds under another law for the same sellers and buyers on the same day; None
    when nothing can be taken over."""
    old = basis.flows
    days = np.unique(np.concatenate([old.days, flows.days]))
    alike = len(days) == 1 and inferred == basis.inferred and content == basis.content
    for one, other in ((old.sellers, flows.sellers), (old.buyers, flows.buyers)):
        alike = alike and one.rows == other.rows and np.array_equal(one.of, other.of)
    if not alike or not set(basis.law.places) <= set(law.places):
        return None
    places = np.array([law.places[code] for code in basis.law.places], np.intp)
    before = basis.prints
    after = _prints(law, int(law.epochs(flows.days[:1])[0]), places)
    if before[TIGHT] != after[TIGHT] or basis.law.codes.headed != law.codes.headed:
        return None
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    ranks = _ranks(basis.law, law, changed, span)
    if ranks is None:
        return None
    touched = _touched(basis, law, changed, flows)
    return Kept(index, starts, outcomes, basis, touched, span, new_span, ranks, frozenset(changed))


TIGHT: RuleKey = ("", "")


def _prints(law: Law, epoch: int, places: Rows) -> dict[RuleKey, bytes]:
    """Return a digest of each rule as it stands on the day, on some places in their order: all but its rank."""
    memo: dict[int, bytes] = {}

    def of(array: npt.NDArray[Any]) -> bytes:
        known = memo.get(id(array))
        if known is None:
            part = array[places, epoch] if array.ndim == 2 else array[epoch : epoch + 1]
            known = memo[id(array)] = blake2b(np.ascontiguousarray(part).tobytes(), digest_size=12).digest()
        return known

    def scope(text: str) -> list[Any]:
        return [(kind, tag, of(where)) for kind, tag, where in law.scopes[text].clauses] if text else []

    waivers: dict[int, bytes] = {}
    found = {TIGHT: repr(scope(TIGHTER)).encode()}
    for rule in law.rules:
        lifts = []
        for w in rule.waivers:
            if id(w) not in waivers:
                parts = [of(array) for array in (w.destination, w.exporter, w.head_office, w.force)]
                said = (w.exception, w.name, w.basis, w.effect, w.foreign_made, w.condition)
                waivers[id(w)] = blake2b(repr((parts, said)).encode(), digest_size=12).digest()
            lifts.append(waivers[id(w)])
        facts = (
            rule.regime, rule.imposing, rule.codes, scope(rule.scope), scope(rule.end_party), rule.reach, rule.terms,
            rule.level, of(rule.force), rule.estimated, rule.gap, lifts,
            [of(law.territories[name]) for name in (rule.home, rule.imposing) if name in law.territories],
        )  # fmt: skip
        found[rule.key] = blake2b(repr(facts).encode(), digest_size=16).digest()
    return found


def _ranks(old: Law, new: Law, changed: set[RuleKey], span: int) -> npt.NDArray[np.int64] | None:
    """Return the new rank of each old one (-1: the rule changed), or None if rules that stay have changed places."""
    place = {rule.key: rule.rank for rule in new.rules}
    ranks = np.full(span, -1, np.int64)
    ranks[0] = 0
    for rule in old.rules:
        key = rule.key
        if key not in changed and key in place:
            ranks[rule.rank] = place[key]
    stay = ranks[ranks >= 0]
    return ranks if (np.diff(stay) > 0).all() else None


def _touched(basis: Basis, new: Law, changed: set[RuleKey], flows: Flows) -> frozenset[ItemKey]:
    """Return the items that a changed rule may meet, or whose codes mean something else now."""
    old = basis.law
    pairs = {code for code, _ in old.estimated_pairs ^ new.estimated_pairs}
    before, after = old.codes.correspondences, new.codes.correspondences
    pairs |= {code for code in before.keys() | after.keys() if before.get(code) != after.get(code)}
    known = set(old.codes.known) ^ set(new.codes.known)
    for code, implied in old.codes._implied.items():
        if not any(relation(code, left) for left in pairs):
            new.codes._implied.setdefault(code, implied)
    sides = [_Side.of([rule for rule in law.rules if rule.key in changed]) for law in (old, new)]
    found = set()
    for key in flows.items.rows:
        stated = [normal(part) for part in key[0].split(";") if part.strip()]
        moved = any(relation(code, other) for code in stated for other in (*pairs, *known))
        # An item whose codes mean what they meant stands on the same codes under both laws.
        if moved or key not in basis.classified or any(side.meets(*basis.classified[key], stated) for side in sides):
            found.add(key)
    return frozenset(found)


@dataclass(frozen=True, eq=False)
class _Side:
    """Rules of one law that are not in the other, and what codes they are on."""

    codes: frozenset[str]
    every: bool  # one of them is on any item at all
    classified: bool  # one of them is on codes other than customs headings, so on what was never classified too
    lists: frozenset[str]  # those for codes that the book does not know, by list; "" for items never classified
    known: dict[str, bool]

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> _Side:
        codes = {code for rule in rules for code in rule.codes}
        plain = {rule.control for rule in rules if not rule.codes}
        return cls(
            frozenset(codes),
            any(code.partition(":")[2] == EVERYTHING for code in codes),
            UNCLASSIFIED in plain or any(list_of(code) != HEADINGS for code in codes),
            frozenset(name.removeprefix(UNLISTED).removeprefix(":") for name in plain if name != UNCLASSIFIED)
            | ({""} if UNCLASSIFIED in plain else frozenset()),
            {},
        )

    def meets(self, unknown: bool, codes: Sequence[str], stated: Sequence[str]) -> bool:
        """May one of the rules concern an item?"""
        if self.every or "" in self.lists or any(list_of(code) in self.lists for code in stated):
            return True
        return bool(self.codes) and ((unknown and self.classified) or any(map(self._on, codes)))

    def _on(self, code: str) -> bool:
        if code not in self.known:
            self.known[code] = any(relation(code, other) for other in self.codes)
        return self.known[code]
