"""Places and epochs, and on which of them a state, a group, a scope or a period holds.

An epoch is a stretch of days on which no date of the book falls, so that the law of an epoch is one law. Place 0 is
the unknown place: it may be anywhere, so every group and state is MAYBE there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.regimes import destinations
from supplychain.regimes.codes import MAYBE, NO, YES
from supplychain.regimes.destinations import Clause
from supplychain.regimes.flows import UNION

Bytes = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scope:
    """A parsed scope: for each clause its kind and tag, and where it holds (places x epochs)."""

    clauses: tuple[tuple[str, str, Bytes], ...]

    @property
    def tagged(self) -> bool:
        return any(kind for kind, _, _ in self.clauses)


@dataclass(frozen=True, eq=False)
class Grid:
    """Places and epochs with the groups of a book. What a text means on it is worked out once; the arrays are shared
    and must not be changed."""

    places: dict[str, int]
    breaks: npt.NDArray[np.datetime64]  # first day of each epoch but the first
    groups: dict[str, Bytes]
    _scopes: dict[str, Scope] = field(default_factory=dict)
    _where: dict[str, Bytes] = field(default_factory=dict)
    _territories: dict[str, Bytes] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.places), len(self.breaks) + 1

    @cached_property
    def everywhere(self) -> Bytes:
        return np.full(self.shape, YES, np.int8)

    def state(self, code: str) -> Bytes:
        found = np.zeros(self.shape, np.int8)
        found[self.places[code]] = YES
        found[0] = MAYBE
        return found

    def territory(self, state: str) -> Bytes:
        """Return where a state holds sway; that of the Union is its group."""
        if state not in self._territories:
            self._territories[state] = self.groups["EU"] if state == UNION else self.state(state)
        return self._territories[state]

    def names(self, names: Iterable[str]) -> Bytes:
        found = np.zeros(self.shape, np.int8)
        for name in names:
            np.maximum(found, self.state(name) if name in self.places else self.groups[name], out=found)
        return found

    def clause(self, clause: Clause) -> Bytes:
        inside = self.everywhere if clause.include is None else self.names(clause.include)
        if not clause.exclude:
            return inside
        left_out = (YES - self.names(clause.exclude)).astype(np.int8)
        left_out[left_out == YES - MAYBE] = MAYBE
        for name in clause.include or ():
            if name in self.places:
                left_out[self.places[name]] = YES
        return np.minimum(inside, left_out)

    def scope(self, text: str) -> Scope:
        """Return a scope, clause by clause."""
        if text not in self._scopes:
            self._scopes[text] = Scope(tuple((c.kind, c.tag, self.clause(c)) for c in destinations.parse(text)))
        return self._scopes[text]

    def where(self, text: str) -> Bytes:
        """Return where some clause of a scope holds, whatever the end use or party; a blank one holds everywhere."""
        if not text:
            return self.everywhere
        if text not in self._where:
            self._where[text] = np.asarray(np.max([where for _, _, where in self.scope(text).clauses], axis=0))
        return self._where[text]

    def window(self, start: np.datetime64, end: np.datetime64) -> Bools:
        """Return on which epochs start <= day < end; a missing start is always, a missing end never comes."""
        return np.asarray(self.windows(np.array([start], "datetime64[D]"), np.array([end], "datetime64[D]"))[0])

    def windows(self, start: npt.NDArray[np.datetime64], end: npt.NDArray[np.datetime64]) -> Bools:
        """Return `window` of each of some periods, (periods x epochs)."""
        first = np.where(np.isnat(start), 0, np.searchsorted(self.breaks, start, side="right"))
        last = np.where(np.isnat(end), self.shape[1], np.searchsorted(self.breaks, end, side="right"))
        epochs = np.arange(self.shape[1])
        return np.asarray((epochs >= first[:, None]) & (epochs < last[:, None]))


def grid_of(groups: pd.DataFrame, places: Mapping[str, int], breaks: npt.NDArray[np.datetime64]) -> Grid:
    """Return the grid of the places and epochs with the groups of a book."""
    grid = Grid(dict(places), breaks, {})
    found: dict[str, Bytes] = {}
    force = grid.windows(days(groups, "from"), days(groups, "to"))
    names = (groups[name].tolist() for name in ("group", "jurisdiction", "doubt"))
    for group, jurisdiction, doubt, on in zip(*names, force, strict=True):
        state = found.setdefault(str(group), np.zeros(grid.shape, np.int8))
        place = places[str(jurisdiction)]
        state[place, on] = np.maximum(state[place, on], MAYBE if bool(doubt) else YES)
    for state in found.values():
        state[0] = np.where(state.max(axis=0) > NO, MAYBE, NO)
    return Grid(grid.places, breaks, found)


def days(frame: pd.DataFrame, column: str) -> npt.NDArray[np.datetime64]:
    """Return a column of dates, to the day."""
    values: npt.NDArray[Any] = frame[column].to_numpy()
    return values.astype("datetime64[D]")
