"""The regime book: dated law of states, and the one door through which it is read on a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.errors import UsageError
from supplychain.facts.package import Package, read_package
from supplychain.locate import datasets
from supplychain.regimes.determinations import Determinations, determine
from supplychain.regimes.flows import Flows, read_flows
from supplychain.regimes.law import Law, compile_law, places_of
from supplychain.regimes.words import Wording

_FEW = 4  # days that are compiled one by one; a book that is asked about more is compiled for all


@dataclass(frozen=True, eq=False)
class RegimeBook:
    """A regime book whose facts were checked. Frozen: a changed book is another book.

    `tables`: the tables of `facts/schemas/regimes.csv`. `known_as_of`: the last day whose law the book knows; a later
    day gets the last known state with a warning. `known_from`: the first day it describes.
    """

    name: str
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    known_as_of: date
    known_from: date
    hashes: Mapping[str, str] = field(default_factory=dict, repr=False)
    changes: tuple[str, ...] = ()  # overlays and branches laid over the book, in words

    @classmethod
    def from_package(cls, package: Package) -> RegimeBook:
        """Build the book from a package of the schema ``regimes``; InputError tells every scope, code or date that is
        wrong.
        """
        from supplychain.regimes.check import check_book

        check_book(package.tables, package.descriptor)
        dates = package.descriptor.get("supplychain", {})
        return cls(
            name=package.name,
            tables=package.tables,
            known_as_of=date.fromisoformat(dates["known_as_of"]),
            known_from=date.fromisoformat(dates.get("known_from", "2020-01-01")),
            hashes=package.hashes,
        )

    @classmethod
    def bundled(cls) -> RegimeBook:
        """Return the book that comes with the program."""
        return _bundled()

    @classmethod
    def load(cls, path: Path | None = None, overlays: Sequence[Path] = ()) -> RegimeBook:
        """Return the book at `path` (None: the bundled one) with the overlay folders laid over it, the last one on
        top.
        """
        book = cls.bundled() if path is None else cls.from_package(read_package(path, "regimes"))
        if overlays:
            from supplychain.regimes.overlay import overlay

            for folder in overlays:
                book = overlay(book, folder)
        return book

    @cached_property
    def law(self) -> Law:
        return compile_law(self.tables)

    def law_of(self, days: npt.NDArray[np.datetime64]) -> tuple[Law, Wording]:
        """Return law and words for some days. A book that is asked about few days is compiled for each of them alone;
        the answers are the same."""
        distinct = np.unique(days)
        day = distinct[0].astype(object) if len(distinct) == 1 else None
        known = self._days.get(day)
        if known is None and day is not None and len(self._days) < _FEW:
            law = compile_law(self.tables, day)
            known = self._days[day] = law, Wording(law, self.tables["controls"], self.tables["regimes"])
        return known or (self.law, self.wording)

    @cached_property
    def _days(self) -> dict[date | None, tuple[Law, Wording]]:
        return {}

    @cached_property
    def wording(self) -> Wording:
        return Wording(self.law, self.tables["controls"], self.tables["regimes"])

    def determine(
        self,
        flows: pd.DataFrame,
        on: Any = None,
        inferred: bool = False,
        assumptions: Mapping[str, Any] | None = None,
        like: Determinations | None = None,
    ) -> Determinations:
        """Return what the law says of each flow on a day.

        flows: columns item_codes, origin (ISO3 of the site), destination (ISO3 of final use); optional item_category,
        head_office, parent (ISO3), content ("USA=0.3;JPN=0.1"; "none"), direct_product ("USA"; "none"), end_use,
        entity (";" tags; "none"), end_party_head_office. Blank = unknown. on: a day, one per flow, or None for a
        column `on`. inferred: let pairs of item and country that are only inferred lift a licence. assumptions:
        tables `content` (what to take where a flow states no controlled content) and `licence` (delay and probability
        by policy). like: determinations of the same flows by another book, from which whatever the difference of the
        books cannot concern is taken; it saves time and changes nothing.
        """
        read = read_flows(flows, on, places_of(self.tables))
        law, wording = self.law_of(read.days)
        latest = read.days.max().astype(object) if len(read.days) else self.known_as_of
        earliest = read.days.min().astype(object) if len(read.days) else self.known_as_of
        told = (*self.warnings_for(latest), *self.warnings_for(earliest, early_only=True), *_unread(law, read))
        warnings = tuple(dict.fromkeys(told))
        return determine(law, read, wording, inferred=inferred, assumptions=assumptions, warnings=warnings, like=like)

    def warnings_for(self, day: date, *, early_only: bool = False) -> tuple[str, ...]:
        """Return what must be said of law that the book does not know on `day`."""
        key = (day, early_only)
        if key not in self._told:
            self._told[key] = self._warnings(day, early_only)
        return self._told[key]

    @cached_property
    def _told(self) -> dict[tuple[date, bool], tuple[str, ...]]:
        return {}

    def _warnings(self, day: date, early_only: bool) -> tuple[str, ...]:
        if day < self.known_from:
            return (f"the book describes the law from {self.known_from}; before it is silent, which is not freedom",)
        if early_only or day <= self.known_as_of:
            return ()
        found = [f"the law is known as of {self.known_as_of}; for {day} this is the last known state, not a finding"]
        near = self.branches(day)
        lapse = near[near["variant"] == "lapse"]
        found += [f"branch {row.branch}: {row.description}" for row in lapse.itertuples()]
        return tuple(found)

    def branches(self, on: date | str) -> pd.DataFrame:
        """Return the branches of which at least one variant falls after `known_as_of` and not after `on`."""
        table = self.tables["branches"]
        day, known = pd.Timestamp(on), pd.Timestamp(self.known_as_of)
        near = table.loc[(table["date"] > known) & (table["date"] <= day), "branch"]
        return table[table["branch"].isin(set(near))].reset_index(drop=True)

    def with_branch(self, branch: str, variant: str) -> RegimeBook:
        """Return the book in which the suspension ends as `variant` (lapse, short, long) of `branch` says."""
        table = self.tables["branches"]
        row = table[(table["branch"] == branch) & (table["variant"] == variant)]
        if row.empty:
            known = sorted(set(table["branch"] + ":" + table["variant"]))
            raise UsageError(f"no branch {branch}:{variant}; there are {', '.join(known)}")
        controls = self.tables["controls"].copy()
        touched = controls["control"].isin(row["control"].iloc[0].split(";"))
        controls.loc[touched, "suspended_to"] = row["date"].iloc[0]
        return self.with_tables(f"branch {branch}:{variant}", controls=controls)

    def with_tables(self, change: str, **tables: pd.DataFrame) -> RegimeBook:
        """Return the book with whole tables replaced; `change` says why. Raises InputError when the result breaks a
        rule.
        """
        from supplychain.regimes.check import check_book

        merged = {**self.tables, **tables}
        check_book(merged, {"supplychain": {"known_as_of": self.known_as_of.isoformat()}})
        other = replace(self, tables=merged, changes=(*self.changes, change))
        if "branches" not in tables:  # the same is known of the same days
            other.__dict__["_told"] = self._told
        return other

    def in_force(self, on: date | str) -> pd.DataFrame:
        """Return every control with its `standing` on a day: in force, suspended, ended, announced, or proposed."""
        controls, day = self.tables["controls"], pd.Timestamp(on)
        standing = pd.Series("in force", index=controls.index, dtype="str")
        suspended = (controls["suspended_from"] <= day) & ~(controls["suspended_to"] <= day)
        standing[suspended.to_numpy(bool)] = "suspended"
        standing[(controls["from"] > day).to_numpy(bool)] = "announced"
        standing[(controls["to"] <= day).to_numpy(bool)] = "ended"
        standing[((controls["status"] == "proposed") | controls["from"].isna()).to_numpy(bool)] = "proposed"
        return controls.assign(standing=standing)

    def members(self, on: date | str) -> pd.DataFrame:
        """Return the memberships that hold on a day; a membership without a first day is taken to hold and says
        `undated`.
        """
        table, day = self.tables["memberships"], pd.Timestamp(on)
        holds = ~(table["from"] > day) & ~(table["to"] <= day)
        found = table[holds.to_numpy(bool)].reset_index(drop=True)
        return found.assign(undated=found["from"].isna())

    def groups_of(self, jurisdiction: str, on: date | str) -> pd.DataFrame:
        """Return the groups that a state is in on a day."""
        table, day = self.tables["groups"], pd.Timestamp(on)
        holds = (table["jurisdiction"] == jurisdiction) & ~(table["from"] > day) & ~(table["to"] <= day)
        return table[holds.to_numpy(bool)].reset_index(drop=True)


def _unread(law: Law, flows: Flows) -> list[str]:
    """Say which stated end uses and lists of parties no control of the book turns on."""
    found = []
    for column, kind in (("end_use", "end-use"), ("entity", "entity")):
        said = {part.strip() for text in flows.buyers.column(column) for part in text.split(";")}
        for tag in sorted(said - {"", "none", *law.tags[kind]}):
            known = ", ".join(law.tags[kind])
            found.append(f"no control of the book turns on {kind} {tag!r}; it is taken as none of: {known}")
    return found


@cache
def _bundled() -> RegimeBook:
    return RegimeBook.from_package(read_package(datasets() / "regimes", "regimes"))
