"""All tables as one XLSX workbook: contents, charts, and a sheet per table with units, filters and number formats."""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from supplychain.report import marks, words
from supplychain.report.catalogue import TABLES
from supplychain.report.cells import plain
from supplychain.report.layout import length
from supplychain.report.run import flatten
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

    from supplychain.report.document import Document

_MOST_ROWS = 1_048_575  # of a sheet in Excel, the header aside
_LONGEST = 32_767  # characters in one cell
_CONTENTS = (38, 110, 10)  # widths of the first sheet, in characters
_SAMPLE, _NARROWEST, _WIDEST = 300, 8, 60  # rows from which a width is taken; widths in characters
_ROW_PIXELS, _ROW_POINTS = 20, 15.0  # height of a row
_FORBIDDEN = re.compile(r"[\[\]:*?/\\]")
_SHARE, _COUNT, _PLAIN = "0.0%", "#,##0", "General"
# Units by the name of a column. The tables hold fractions of 1 wherever nothing else is said, so that is the last rule.
_UNITS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), unit, form)
    for pattern, unit, form in (
        (r"(^|_)(months?|horizon)(_|$)", mark("months"), "0.0"),
        (r"(^|_)weeks?(_|$)", mark("weeks"), "0.0"),
        (r"(^|_)days(_|$)", mark("days"), "0"),
        (r"(^|_)area(_|$)", mark("months of the need"), "0.00"),
        (r"(^|_)(cost|costs|margin|held|new|regret)(_|$)", mark("currency or index"), "#,##0.00"),
        (r"^(volume|demand_per_period|stock_to_build)$", mark("units of the need"), "#,##0.##"),
        (r"^(hhi|effective)_", mark("index"), "0.000"),
        (r"^(betweenness)$", mark("index"), "0.000"),
        (r"^year$", "", "0"),
        (r"^tier$", "", "0"),
    )
)
# Losses get a bar in the cell: tables, and the columns that are losses in them.
_BARS = {
    "plants": ("after", "short_run", "high"),
    "exposure": ("after_resourcing", "short_run", "short_run_high"),
    "states": ("all_after", "all_short_run", "all_high", "leave_short_run"),
    "choke_points": ("after_12_low", "short_12_low", "short_12_high"),
    "plan_threats": ("mean_resourced_before", "mean_resourced_after", "mean_short_run_before", "mean_short_run_after"),
    "unknowns": ("narrows", "adds"),
}


@dataclass(frozen=True)
class Chart:
    """A native chart: title, the table it draws, the column of names, and columns of values with their words."""

    title: str
    table: str
    names: str
    values: tuple[tuple[str, str], ...]
    most: int = 15


CHARTS = (
    Chart(
        mark("What each state can withhold: loss of the needs if it refused all its supply"),
        "states",
        "state",
        (("all_after", mark("after re-sourcing")), ("all_short_run", mark("short run"))),
    ),
    Chart(
        mark("Choke points: loss of the needs if the element were lost"),
        "choke_points",
        "name",
        (("after_12_low", mark("after re-sourcing")), ("short_12_low", mark("short run"))),
    ),
    Chart(
        mark("Mean loss under refusals, after re-sourcing: as today and with the plan"),
        "plan_threats",
        "threat",
        (("mean_resourced_before", mark("as today")), ("mean_resourced_after", mark("with the plan"))),
    ),
)


def make_workbook(
    document: Document,
    tables: Mapping[str, pd.DataFrame],
    holds: Mapping[str, str] = TABLES,
    charts: Sequence[Chart] = CHARTS,
) -> bytes:
    """Return the workbook; ``holds`` says in English what each table holds. The same tables give the same bytes.

    Texts stay texts, whatever they begin with; numbers are those of the tables to 16 digits (a spreadsheet keeps 15).
    Infinite numbers, which the format has not, are the text "inf".
    """
    from xlsxwriter import Workbook

    stream = io.BytesIO()
    book = Workbook(
        stream,
        {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
    )
    day = datetime(document.on.year, document.on.month, document.on.day)
    book.set_properties({"title": plain(words.short(document.title, 200)), "author": "supplychain", "created": day})
    looks = _Looks.of(book)
    say = document.language.say
    names = sheet_names([say("Contents"), say("Charts"), *tables])
    contents, drawings = book.add_worksheet(names[0]), book.add_worksheet(names[1])
    sheet_of = dict(zip(tables, names[2:], strict=True))
    for name, table in tables.items():
        _write_table(book, sheet_of[name], name, table, document, looks)
    _write_contents(contents, document, tables, holds, sheet_of, looks)
    drawn = [chart for chart in charts if _can_draw(chart, tables)]
    row = 1
    for chart in drawn:
        row = _draw(book, drawings, chart, tables[chart.table], sheet_of[chart.table], row, document)
    if drawn:
        _set_paper(drawings)
    else:
        drawings.hide()
    contents.activate()
    book.close()
    return stream.getvalue()


def sheet_names(wanted: Sequence[str]) -> list[str]:
    """Return legal names of sheets, each once, whatever is wanted: 31 characters, none that Excel forbids."""
    taken: set[str] = set()
    names = []
    for text in wanted:
        base = _FORBIDDEN.sub("-", plain(text)).strip().strip("'")[:31] or "table"
        name, number = base, 2
        while name.lower() in taken or name.lower() == "history":  # Excel keeps that one for itself
            tail = f"-{number}"
            name, number = base[: 31 - len(tail)] + tail, number + 1
        taken.add(name.lower())
        names.append(name)
    return names


@dataclass(frozen=True)
class _Looks:
    """The formats of the workbook: one for each use, and one for each form of a number."""

    title: Format
    head: Format
    muted: Format
    wrapped: Format
    strong: Format
    day: Format
    numbers: Mapping[str, Format]

    @classmethod
    def of(cls, book: Workbook) -> _Looks:
        forms = {form for _, _, form in _UNITS} | {_SHARE, _COUNT, _PLAIN}
        edge = {"bottom": 1, "bottom_color": marks.INK}
        return cls(
            title=book.add_format({"bold": True, "font_size": 16}),
            head=book.add_format({"bold": True, "text_wrap": True, "valign": "bottom", "bg_color": marks.WASH, **edge}),
            muted=book.add_format({"font_color": marks.MUTED}),
            wrapped=book.add_format({"text_wrap": True, "valign": "top"}),
            strong=book.add_format({"bold": True, "valign": "top", "text_wrap": True}),
            day=book.add_format({"num_format": "yyyy-mm-dd"}),
            numbers={form: book.add_format({"num_format": form}) for form in sorted(forms)},
        )


def unit(table: str, column: str, whole: bool) -> tuple[str, str]:
    """Return unit (in English) and number format of a column of numbers; ``whole``: it holds counts."""
    if table == "assumptions":  # its numbers are of many kinds: a column of its own names the unit
        return "", _PLAIN
    for pattern, words_, form in _UNITS:
        if pattern.search(column):
            return words_, form
    return ("", _COUNT) if whole else ("%", _SHARE)


def _write_table(book: Workbook, sheet: str, name: str, table: pd.DataFrame, document: Document, looks: _Looks) -> None:
    say = document.language.say
    page: Worksheet = book.add_worksheet(sheet)
    shown = table.head(_MOST_ROWS).reset_index(drop=True)
    flat = flatten(shown)
    bars = _BARS.get(name, ())
    for place, column in enumerate(str(label) for label in flat.columns):
        values = shown.iloc[:, place]
        head, form = column, looks.numbers[_PLAIN]
        if pd.api.types.is_datetime64_any_dtype(values):
            _write_days(page, place, values, looks.day)
            width = 12
        elif pd.api.types.is_bool_dtype(values):
            _write_others(page, place, values.tolist(), None)
            width = 9
        elif pd.api.types.is_numeric_dtype(values):
            words_, number = unit(name, column, pd.api.types.is_integer_dtype(values))
            head = f"{column}\n({say(words_) if words_ != '%' else words_})" if words_ else column
            form = looks.numbers[number]
            _write_others(page, place, values.tolist(), form)
            width = 11
            if column in bars and len(shown):
                look = {"type": "data_bar", "bar_color": marks.LIGHT, "min_type": "num", "min_value": 0}
                page.conditional_format(1, place, len(shown), place, {**look, "max_type": "num", "max_value": 1})
        else:
            texts = flat.iloc[:, place].tolist()
            _write_others(page, place, texts, None)
            width = max((len(str(text)) for text in texts[:_SAMPLE]), default=0) + 1
        wide = min(max(width, max(len(part) for part in head.split("\n")) + 3, _NARROWEST), _WIDEST)
        page.set_column(place, place, wide)
        page.write_string(0, place, head, looks.head)
    page.freeze_panes(1, 1)
    if len(flat.columns):
        page.autofilter(0, 0, len(flat), len(flat.columns) - 1)
    _set_paper(page)
    page.repeat_rows(0)
    dated = " · ".join(f"{words_} {value}" for words_, value in document.facts[:2])
    page.set_footer(f"&L&8{_plain_footer(dated)}&C&8{_plain_footer(sheet)}&R&8&P / &N")


def _set_paper(page: Worksheet) -> None:
    """Print on A4 across, as wide as the page."""
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)


def _plain_footer(text: str) -> str:
    """Return ``text`` as a footer takes it: signs that give orders there are doubled, and it is short."""
    return plain(text)[:90].replace("&", "&&")


def _write_days(page: Worksheet, place: int, values: pd.Series, form: Format) -> None:
    for row, day in enumerate(values, start=1):
        if day is not pd.NaT and day == day:
            if day.year >= 1900:
                page.write_datetime(row, place, day.to_pydatetime(), form)
            else:
                page.write_string(row, place, f"{day:%Y-%m-%d}")


def _write_others(page: Worksheet, place: int, values: Sequence[Any], form: Format | None) -> None:
    """Write one column below its header: texts as texts, numbers as numbers, blanks not at all."""
    for row, value in enumerate(values, start=1):
        if isinstance(value, bool):
            page.write_boolean(row, place, value)
        elif isinstance(value, (int, float)):
            if math.isfinite(value):
                page.write_number(row, place, value, form)
            elif not math.isnan(value):
                page.write_string(row, place, "inf" if value > 0 else "-inf")
        elif not words.missing(value):
            page.write_string(row, place, plain(str(value))[:_LONGEST])


def _write_contents(
    page: Worksheet,
    document: Document,
    tables: Mapping[str, pd.DataFrame],
    holds: Mapping[str, str],
    sheet_of: Mapping[str, str],
    looks: _Looks,
) -> None:
    """The first sheet: what this is, of which day, the five sentences, and what each sheet holds."""
    say = document.language.say
    page.hide_gridlines(2)
    for place, width in enumerate(_CONTENTS):
        page.set_column(place, place, width)
    page.write_string(0, 0, plain(words.short(document.title, 200)), looks.title)
    row = 0

    def line(name: str, value: str, look: Format) -> None:
        """Write a line of two cells, as high as its words are when they wrap."""
        nonlocal row
        row += 1
        texts = (plain(name)[:_LONGEST], plain(value)[:_LONGEST])
        lines = max(-(-length(text, 1.0) // (0.5 * wide)) for text, wide in zip(texts, _CONTENTS, strict=False))
        page.set_row(row, min(max(lines, 1.0) * _ROW_POINTS, 409.0))
        page.write_string(row, 0, texts[0], look)
        page.write_string(row, 1, texts[1], looks.wrapped)

    for name, value in document.facts:
        line(name, value, looks.muted)
    if document.notice:
        line(say("Illustrative buyer."), document.notice, looks.strong)
    row += 1
    for sentence in document.sentences:
        line(sentence["lead"], sentence["body"], looks.strong)
    row += 2
    for place, head in enumerate((say("Sheet"), say("Holds"), say("Rows"))):
        page.write_string(row, place, head, looks.head)
    for name, table in tables.items():
        held = say(holds[name]) if name in holds else ""
        if len(table) > _MOST_ROWS:
            held += say("; only the first {n} rows fit", n=document.language.number(_MOST_ROWS))
        line("", held, looks.wrapped)
        sheet = sheet_of[name].replace("'", "''")
        page.write_url(row, 0, f"internal:'{sheet}'!A1", string=sheet_of[name])
        page.write_number(row, 2, len(table), looks.numbers[_COUNT])
    row += 1
    line(say("How to read it"), say(_READING), looks.strong)
    for text in document.footer:
        line("", text, looks.wrapped)
    _set_paper(page)


_READING = mark(
    "The first line of a header is the column's name in the table files, the second its unit. Cells hold full numbers; "
    "percents are shares of 1. A blank cell is unknown or does not apply, never zero."
)


def _can_draw(chart: Chart, tables: Mapping[str, pd.DataFrame]) -> bool:
    table = tables.get(chart.table)
    return table is not None and len(table) > 0 and {chart.names, *(v for v, _ in chart.values)} <= set(table.columns)


def _draw(
    book: Workbook, page: Worksheet, chart: Chart, table: pd.DataFrame, sheet: str, row: int, document: Document
) -> int:
    """Draw a native bar chart of the first rows of a table, from the cells of its sheet; return the next free row."""
    say = document.language.say
    last = min(len(table), chart.most)
    at = {str(column): number for number, column in enumerate(table.columns)}
    drawn = book.add_chart({"type": "bar"})
    for (column, words_), colour in zip(chart.values, (marks.DEEP, marks.LIGHT), strict=True):
        drawn.add_series(
            {
                "name": say(words_),
                "categories": [sheet, 1, at[chart.names], last, at[chart.names]],
                "values": [sheet, 1, at[column], last, at[column]],
                "fill": {"color": colour},
                "gap": 60,
            }
        )
    drawn.set_title({"name": say(chart.title), "name_font": {"size": 12}, "overlay": False})
    drawn.set_y_axis({"reverse": True, "num_font": {"size": 9}})
    drawn.set_x_axis(
        {"num_format": "0%", "min": 0, "major_gridlines": {"visible": True, "line": {"color": marks.LINE}}}
    )
    drawn.set_legend({"position": "bottom"})
    height = 90 + 26 * last
    drawn.set_size({"width": 900, "height": height})
    dated = "; ".join(f"{name} {value}" for name, value in document.facts[:2])
    page.insert_chart(row, 1, drawn, {"description": plain(f"{say(chart.title)}. {dated}.")})
    return row + height // _ROW_PIXELS + 3
