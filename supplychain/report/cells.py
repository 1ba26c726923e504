"""Cells of a sheet as every format but the page takes them: words, the bar of a bracket, links, the tone of a badge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supplychain.report import words
from supplychain.report.view import Column, Kind, Link, Sheet, written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from supplychain.report.language import Language

RIGHT: frozenset[Kind] = frozenset({"percent", "percent1", "number", "money", "months"})
# Control characters, halves of surrogate pairs and marks that turn the direction of text: no document may hold the
# first two, and the last let a name read as another.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def plain(text: str) -> str:
    """Return ``text`` with what cannot be printed replaced by the sign for that."""
    return _UNPRINTABLE.sub("\ufffd", text)


@dataclass(frozen=True)
class Cell:
    """One written cell.

    ``bar`` are the ends of a bracket (stays, short run, high; 0..1); ``tone`` is the status of a badge ("yes" where it
    only stands out), blank for a cell that is no badge.
    """

    text: str
    bar: tuple[float, float, float] | None = None
    links: tuple[Link, ...] = ()
    tone: str = ""


def cell(column: Column, row: Mapping[str, Any], cite: Callable[[str], Sequence[Link]], language: Language) -> Cell:
    """Return a cell of ``row`` as its column writes it."""
    if column.kind == "sources":
        links = tuple(Link(plain(link.words), link.safe_address) for link in cite(row[column.key]))
        return Cell("; ".join(link.words for link in links), links=links)
    if column.kind == "badge" and not row[column.key]:
        return Cell("")
    text = plain(written(column, row, language))
    if column.kind == "loss":
        return Cell(text, _bar(row, column.key))
    return Cell(text, tone={"status": str(row.get(column.key)), "badge": "yes"}.get(column.kind, ""))


def _bar(row: Mapping[str, Any], key: str) -> tuple[float, float, float] | None:
    ends = [row[f"{key}_{end}"] for end in ("after", "short_run", "high")]
    if any(words.missing(end) for end in ends):
        return None
    after, short_run, high = (min(max(float(end), 0.0), 1.0) for end in ends)
    return after, max(after, short_run), max(after, short_run, high)


def grid(
    sheet: Sheet, cite: Callable[[str], Sequence[Link]], language: Language, most: int | None = None
) -> list[list[Cell]]:
    """Return the first ``most`` rows of a sheet (None: all that it holds), written."""
    return [[cell(column, row, cite, language) for column in sheet.columns] for row in sheet.rows[:most]]
