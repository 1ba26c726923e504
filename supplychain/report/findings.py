"""What the report knows: one set of tables, from which every number of every page and picture is taken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from supplychain.report.language import ENGLISH, Language
from supplychain.report.law import split_sources
from supplychain.report.view import Link

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import pandas as pd

    from supplychain.report.names import Names


_CITED = 4  # sources named in one cell; the table files name them all


@dataclass(frozen=True, eq=False)
class Findings:
    """The tables (by name, as written to ``tables/``), and what a page must say around them.

    ``buyer`` is the name shown; ``horizon`` the months at which headlines are read; ``solves`` one record per solve.
    """

    buyer: str
    is_country: bool
    illustrative: bool
    on: date
    known_as_of: date
    network: str
    book: str
    products: tuple[str, ...]
    destinations: tuple[str, ...]
    horizon: float
    names: Names
    tables: Mapping[str, pd.DataFrame]
    addresses: Mapping[str, str]
    no_plan: str = ""  # why there is no sourcing plan
    solves: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    language: Language = ENGLISH

    def spoken(self, language: Language) -> Findings:
        """Return the same findings, to be told in another language."""
        return replace(self, language=language, names=replace(self.names, language=language))

    @cached_property
    def as_of(self) -> str:
        """The date of the law, as words: "1 Nov 2026"."""
        return self.language.day(self.on)

    def place(self, plant: str, destination: str) -> str:
        """Return how a plant is called: its id and state; only the state where the buyer is a country."""
        state = self.names.state(destination)
        return self.language.say("{plant}, {state}", plant=plant, state=state) if plant else state

    def note(self, unknown: float) -> str:
        """Return what every picture says under itself: the date of the law and the unknown share."""
        return self.language.say(
            "Law as of {day}; unknown facts may add up to {share}.",
            day=self.as_of,
            share=self.language.percent(unknown),
        )

    def citations(self, text: str) -> tuple[Link, ...]:
        """Return the sources in a cell as links, by id; where there are many, the first and how many more."""
        found = split_sources(text)
        shown = found if len(found) <= _CITED + 1 else found[:_CITED]
        links = [Link(source, self.addresses.get(source, "")) for source in shown]
        return (
            *links,
            *([Link(self.language.say("{n} more", n=len(found) - _CITED))] if len(shown) < len(found) else []),
        )
