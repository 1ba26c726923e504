"""Which sellers, buyers and epochs are alike in the eyes of one item's rules, so that each kind is judged once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from supplychain.regimes.evaluate import Buyers, Item, Sellers
from supplychain.regimes.law import TIGHTER, Bytes, Law

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Classes:
    """`of[i]` is the class of thing i; `first[c]` a thing of class c that stands for all of them."""

    of: Longs
    first: Longs

    @property
    def count(self) -> int:
        return len(self.first)


@dataclass(eq=False)
class Likeness:
    """Works out classes for one item after another, remembering what it has seen."""

    law: Law
    sellers: Sellers
    buyers: Buyers
    used: Longs  # the epochs that occur
    _places: dict[Hashable, Longs] = field(default_factory=dict)
    _done: dict[Hashable, Classes] = field(default_factory=dict)
    _seen: dict[str, Longs] = field(default_factory=dict)

    def seller_classes(self, item: Item) -> Classes:
        states = sorted({rule.home for rule in item.rules} - {""})
        waivers = {w.exception: w for rule in item.rules for w in rule.waivers if w.effect}
        terms = any(rule.terms for rule in item.rules)
        key = ("seller", tuple(states), tuple(sorted(waivers)), terms)
        if key in self._done:
            return self._done[key]
        origin = self._place_classes(
            ("origin", tuple(states), tuple(sorted(waivers))),
            [self.law.territories[state] for state in states] + [waivers[name].exporter for name in sorted(waivers)],
        )
        columns = [origin[self.sellers.origin]]
        if waivers:
            office = self._place_classes(
                ("office", tuple(sorted(waivers))), [waivers[n].head_office for n in sorted(waivers)]
            )
            columns += [office[self.sellers.head_office], office[self.sellers.parent]]
        if terms:
            columns += self._facts()
        self._done[key] = _classes(columns)
        return self._done[key]

    def _facts(self) -> list[Longs]:
        """Distinct statements of content and of direct product, numbered."""
        for name, facts in (("content", self.sellers.content), ("direct", self.sellers.direct)):
            if name not in self._seen:
                self._seen[name] = _numbers([repr(fact) for fact in facts])
        return [self._seen["content"], self._seen["direct"]]

    def buyer_classes(self, item: Item) -> Classes:
        arrays, tags, offices = self._buyer_arrays(item)
        names = tuple(sorted(arrays))
        key = ("buyer", names, tuple(sorted(tags)), offices)
        if key in self._done:
            return self._done[key]
        place = self._place_classes(("place", names), [arrays[name] for name in names])
        columns = [place[self.buyers.destination]]
        columns += [self.buyers.stated(kind, tag).astype(np.int64) for kind, tag in sorted(tags)]
        if offices:
            columns.append(place[self.buyers.head_office])
            columns.append((self.buyers.head_office == 0).astype(np.int64))
        self._done[key] = _classes(columns)
        return self._done[key]

    def epoch_classes(self, item: Item) -> Classes:
        """Classes of the used epochs (positions in `used`)."""
        if len(self.used) == 1:
            return Classes(np.zeros(1, np.int64), np.zeros(1, np.int64))
        arrays, _, _ = self._buyer_arrays(item)
        columns = [self._epochs(name, array) for name, array in sorted(arrays.items())]
        for rule in item.rules:
            columns.append(rule.force[self.used].astype(np.int64))
            columns += [(law_day(self.law, self.used) >= term.since).astype(np.int64) for term in rule.terms]
            for waiver in rule.waivers:
                if waiver.effect:
                    columns.append(waiver.force[self.used].astype(np.int64))
                    columns.append(self._epochs(f"exporter {waiver.exception}", waiver.exporter))
                    columns.append(self._epochs(f"office {waiver.exception}", waiver.head_office))
        return _classes(list({column.tobytes(): column for column in columns}.values()))

    def _epochs(self, name: str, array: Bytes) -> Longs:
        """Class of each used epoch as one array of places sees it."""
        if name not in self._seen:
            self._seen[name] = _classes_of_rows(np.ascontiguousarray(array[:, self.used].T)).of
        return self._seen[name]

    def _buyer_arrays(self, item: Item) -> tuple[dict[str, Bytes], set[tuple[str, str]], bool]:
        arrays: dict[str, Bytes] = {}
        tags: set[tuple[str, str]] = set()
        offices = False
        for rule in item.rules:
            if rule.home and not rule.gap:
                arrays[f"own {rule.home}"] = self.law.territories[rule.home]
            for text in filter(None, (rule.scope, rule.end_party, TIGHTER if rule.terms else "")):
                for position, (kind, tag, where) in enumerate(self.law.scopes[text].clauses):
                    arrays[f"{text} #{position}"] = where
                    offices |= kind == "head-office"
                    if kind and tag:
                        tags.add((kind, tag))
            offices |= bool(rule.end_party)
            tags |= {("entity", term.entity) for term in rule.terms if term.entity}
            for waiver in rule.waivers:
                if waiver.effect:
                    arrays[f"waiver {waiver.exception}"] = waiver.destination
                    if waiver.condition[0]:
                        tags.add(waiver.condition)
        return arrays, tags, offices

    def _place_classes(self, key: Hashable, arrays: Sequence[Bytes]) -> Longs:
        """Class of each place: places are alike when every array agrees on them in every used epoch; the unknown
        stands apart.
        """
        if key not in self._places:
            parts = [array[:, self.used] for array in arrays]
            known = np.ones((len(self.law.places), 1), np.int8)
            known[0] = 0
            self._places[key] = _classes_of_rows(np.concatenate([known, *parts], axis=1)).of
        return self._places[key]


def law_day(law: Law, epochs: Longs) -> npt.NDArray[np.datetime64]:
    """Return the first day of each epoch; the first epoch has none and stands before every day."""
    days = np.concatenate([np.array(["0001-01-01"], "datetime64[D]"), law.breaks])
    return np.asarray(days[epochs])


def _numbers(texts: Sequence[str]) -> Longs:
    order = {text: position for position, text in enumerate(sorted(set(texts)))}
    return np.array([order[text] for text in texts], np.int64)


def _classes(columns: Sequence[Longs]) -> Classes:
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        code = code * (int(column.max(initial=0)) + 1) + column
        _, code = np.unique(code, return_inverse=True)
    _, first, of = np.unique(code, return_index=True, return_inverse=True)
    return Classes(of.astype(np.int64), first.astype(np.int64))


def _classes_of_rows(rows: Bytes) -> Classes:
    packed = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, first, of = np.unique(packed, return_index=True, return_inverse=True)
    return Classes(of.astype(np.int64), first.astype(np.int64))
