"""What a page is made of: sections with sentences, pictures and sheets (tables that know how cells are written)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

from supplychain.report import marks, words
from supplychain.report.language import ENGLISH, Language

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

Kind = Literal[
    "text",
    "code",
    "loss",
    "percent",
    "percent1",
    "number",
    "day",
    "money",
    "months",
    "badge",
    "sources",
    "status",
    "small",
]

_BAR_WIDTH, _BAR_HEIGHT = 120.0, 9.0


@dataclass(frozen=True)
class Column:
    """One column of a sheet: the key in the table, its header, and how its cells are written."""

    key: str
    header: str
    kind: Kind = "text"
    title: str = ""
    wide: bool = False  # running text: takes more of the page's width


@dataclass(frozen=True)
class Sheet:
    """A table on the page: its caption, columns, rows, and the file that holds it whole."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Any], ...]
    file: str
    total: int

    @property
    def cut(self) -> bool:
        """Say whether the file holds more rows than are shown."""
        return len(self.rows) < self.total


@dataclass(frozen=True)
class Figure:
    """A picture with what it needs to stand alone: title, caption (date and unknown share) and the table behind it."""

    title: str
    picture: Markup
    caption: str
    table: str
    wide: bool = False


@dataclass(frozen=True)
class Link:
    """A citation: its words, and its address where it is a web page (never a script or a file)."""

    words: str
    address: str = ""

    @property
    def safe_address(self) -> str:
        return self.address if self.address.startswith(("https://", "http://")) else ""


@dataclass(frozen=True)
class Section:
    """One section of the report, in the table of contents under ``title``."""

    anchor: str
    title: str
    lead: tuple[str, ...] = ()
    parts: tuple[Sheet | Figure, ...] = ()
    remarks: tuple[str, ...] = ()
    breaks: bool = field(default=False)  # start on a new printed page


def sheet(
    table: pd.DataFrame, caption: str, columns: Sequence[Column], file: str, most: int = 0, total: int | None = None
) -> Sheet:
    """Return the first ``most`` rows (0 = all) of ``table`` as a sheet; ``file`` names the table among the outputs."""
    shown = table.head(most) if most else table
    names = [str(name) for name in shown.columns]
    rows = tuple(dict(zip(names, row, strict=True)) for row in shown.itertuples(index=False, name=None))
    return Sheet(caption, tuple(columns), rows, file, len(table) if total is None else total)


def under(sheet: Sheet, language: Language = ENGLISH) -> str:
    """Return the line under a table: how much of it is shown, and where all of it is; blank where no file holds it."""
    file = f"tables/{sheet.file}.csv"
    if not sheet.file:
        return ""
    if not sheet.cut:
        return language.say("Table: {file}", file=file)
    shown, total = language.number(len(sheet.rows)), language.number(sheet.total)
    return language.say("{shown} of {total} rows shown; the whole table is {file}", shown=shown, total=total, file=file)


def written(column: Column, row: Mapping[str, Any], language: Language = ENGLISH) -> str:
    """Return what a cell reads, as every format of the report shows it; sources as their ids."""
    key = column.key
    if column.kind == "loss":
        parts = (row[f"{key}_after"], row[f"{key}_short_run"], row[f"{key}_unknown"])
        return words.NONE if words.missing(parts[0]) else language.bracket(*parts)
    value = row[key]
    if column.kind in ("percent", "percent1"):
        return language.percent(value, 0 if column.kind == "percent" else 1)
    if column.kind == "number":
        return language.number(value)
    if column.kind == "money":
        return language.money(value)
    if column.kind == "months":
        return language.months(value)
    if column.kind == "day":
        return language.day(value)
    if column.kind == "status":
        return language.say(words.STATUS.get(value, str(value)))
    return str(value)


def loss_bar(after: float, short_run: float, high: float) -> Markup:
    """Draw a bracket as a bar of 0 to 100 %: stays after re-sourcing, short run, and what unknown facts may add."""
    if any(words.missing(value) for value in (after, short_run, high)):
        return Markup("")
    ends = [min(max(float(value), 0.0), 1.0) * _BAR_WIDTH for value in (after, short_run, high)]
    ends[1] = max(ends[0], ends[1])
    ends[2] = max(ends[1], ends[2])
    fills = (marks.DEEP, marks.LIGHT, "url(#hatch)")
    start, pieces = 0.0, [marks.tag("rect", width=_BAR_WIDTH, height=_BAR_HEIGHT, fill="#eceff2")]
    for end, fill in zip(ends, fills, strict=True):
        if end - start > 0.05:
            pieces.append(marks.tag("rect", x=start, width=end - start, height=_BAR_HEIGHT, fill=fill))
        start = end
    return marks.tag(
        "svg",
        *pieces,
        viewBox=f"0 0 {_BAR_WIDTH:.0f} {_BAR_HEIGHT:.0f}",
        width=_BAR_WIDTH,
        height=_BAR_HEIGHT,
        class_="bar",
        aria_hidden="true",
    )
