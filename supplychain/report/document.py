"""One document, whatever the format it is written in: title, facts, five sentences, pictures, sections and foot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from supplychain.report.language import ENGLISH, Language

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from supplychain.report.view import Figure, Link, Section


@dataclass(frozen=True)
class Document:
    """What every format of a report is made from, so that no two of them can differ in a word or a number.

    ``facts`` are name and value; the first two name the date of the law and the date it is known as of, and stand on
    every page and slide. ``notice`` says that the buyer is invented (blank: it is not). ``cite`` turns a cell of source
    ids into links. ``on`` is the only date that the files carry.
    """

    title: str
    on: date
    facts: tuple[tuple[str, str], ...]
    notice: str
    sentences: tuple[Mapping[str, str], ...]
    opening: tuple[Figure, ...]
    sections: tuple[Section, ...]
    footer: tuple[str, ...]
    cite: Callable[[str], Sequence[Link]]
    language: Language = ENGLISH
