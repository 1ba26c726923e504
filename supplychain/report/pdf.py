"""The report as PDF by Typst: our template sets it, and every word of the data reaches it as data, never as markup."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from supplychain import __version__
from supplychain.report import layout, marks, pictures, words
from supplychain.report.cells import RIGHT, Cell, grid, plain
from supplychain.report.view import Figure, Section, Sheet, under

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supplychain.report.document import Document

_PORTRAIT, _LANDSCAPE = 504.0, 785.0  # points between the margins
_WIDE = 850.0  # pixels: a drawing that is wider takes a page across, or its words would be too small
_CROWDED = 1.4  # so does a table that would like so many times the width of a page
_SHRINK = 0.67  # points per pixel of a drawing, so that its words are as large as those of tables
_LONGEST_TITLE, _LONGEST_BADGE, _LONGEST_CELL = 160, 40, 600  # characters; the table files hold the whole
# Rows that are printed; beyond, a line says where the whole table is. Tables that are not named are printed as the page
# has them: those of plants, the plan's figures, days ahead, assumptions, the list of files, and the sources cited here.
_ROWS = {
    "exposure": 8,
    "because": 6,
    "split": 6,
    "choke_points": 16,
    "single_sources": 26,
    "states": 12,
    "controls_by_state": 10,
    "plan_lines": 18,
    "plan_qualifications": 12,
    "plan_needs": 8,
    "plan_threats": 10,
    "plan_relaxed": 6,
    "cliffs": 10,
    "unknowns": 6,
    "unattributed": 5,
    "law": 11,
}


def make_pdf(document: Document) -> bytes:
    """Return the report as PDF/A-2a and PDF/UA-1; the same document gives the same bytes."""
    import typst

    template = resources.files("supplychain.report").joinpath("templates", "report.typ").read_bytes()
    data = json.dumps(_data(document), ensure_ascii=False, separators=(",", ":"))
    made = typst.compile(
        template,
        font_paths=pictures.typefaces(),
        ignore_system_fonts=True,
        sys_inputs={"report": data},
        format="pdf",
        pdf_standards=["a-2a", "ua-1"],  # to be kept, and to be read aloud: ISO 19005-2, ISO 14289-1
        timestamp=0,
    )
    return bytes(made)


def _data(document: Document) -> dict[str, Any]:
    """Everything that the template reads, words cleaned of what cannot be printed."""
    say = document.language.say
    sections = [_printed(section) for section in document.sections]
    cited = _cited(document, sections)
    return {
        "title": plain(words.short(document.title, _LONGEST_TITLE)),
        "running": plain(words.short(document.title, 90)),
        "language": document.language.code,
        "day": [document.on.year, document.on.month, document.on.day],
        "version": __version__,
        "family": pictures.FAMILY,
        "ink": {
            "ink": marks.INK,
            "muted": marks.MUTED,
            "line": marks.LINE,
            "wash": marks.WASH,
            "deep": marks.DEEP,
            "light": marks.LIGHT,
            "alert": marks.ALERT,
        },
        "say": {
            "eyebrow": say("Exposure to export controls"),
            "contents": say("Contents"),
            "illustrative": say("Illustrative buyer."),
            "range": say("How to read a range:"),
            "stays": say("lost even after re-sourcing"),
            "short": say("lost in the short run, before re-sourcing"),
            "unknown": say("what unknown facts may add"),
            "none": say("None on this date."),
        },
        "facts": [[plain(name), plain(value)] for name, value in document.facts],
        "dated": "  ·  ".join(f"{plain(name)} {plain(value)}" for name, value in document.facts[:2]),
        "notice": plain(document.notice),
        "sentences": [{key: plain(value) for key, value in sentence.items()} for sentence in document.sentences],
        "opening": [_figure(document, figure, may_turn=False) for figure in document.opening],
        "sections": [_section(document, section, cited) for section in sections],
        "footer": [plain(line) for line in document.footer],
    }


def _printed(section: Section) -> Section:
    """Return the section with only the rows that are printed; its lists of sources follow what is cited."""
    parts = tuple(
        replace(part, rows=part.rows[: _ROWS.get(part.file, len(part.rows))]) if isinstance(part, Sheet) else part
        for part in section.parts
    )
    return replace(section, parts=parts)


def _cited(document: Document, sections: Sequence[Section]) -> set[str]:
    """Return the ids of the sources that printed cells name, the list of sources itself aside."""
    return {
        link.words
        for section in sections
        for part in section.parts
        if isinstance(part, Sheet) and part.file != "sources"
        for row in part.rows
        for column in part.columns
        if column.kind == "sources"
        for link in document.cite(row[column.key])
    }


def _section(document: Document, section: Section, cited: set[str]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for part in section.parts:
        if isinstance(part, Figure):
            parts.append(_figure(document, part))
            continue
        if part.file == "sources":
            part = replace(part, rows=tuple(row for row in part.rows if row["source"] in cited))
        beside = (
            not parts or parts[-1]["across"]
        )  # a page is turned for a table only at the start, or where it is already
        parts.append(_sheet(document, part, beside))
    groups: list[dict[str, Any]] = []
    for made in parts:
        if not groups or groups[-1]["across"] != made["across"]:
            groups.append({"across": made["across"], "parts": []})
        groups[-1]["parts"].append(made)
    return {
        "title": plain(section.title),
        "lead": [plain(line) for line in section.lead],
        "groups": groups,
        "remarks": [plain(line) for line in section.remarks],
        "breaks": section.breaks,
    }


def _figure(document: Document, figure: Figure, may_turn: bool = True) -> dict[str, Any]:
    width, _ = pictures.size(figure)
    across = may_turn and width > _WIDE
    source = document.language.say("Table: {file}", file=f"tables/{figure.table}.csv")
    return {
        "kind": "figure",
        "title": plain(figure.title),
        "svg": pictures.drawing(figure, pictures.FAMILY),
        "alt": pictures.words_for(figure),
        "caption": plain(document.language.join(figure.caption, source)),
        "width": min(width * _SHRINK if not across else _LANDSCAPE, _LANDSCAPE if across else _PORTRAIT),
        "across": across,
    }


def _sheet(document: Document, sheet: Sheet, may_turn: bool) -> dict[str, Any]:
    rows = grid(sheet, document.cite, document.language)
    across = may_turn and layout.wished(sheet.columns, rows) > _CROWDED * _PORTRAIT
    columns = layout.widths(sheet.columns, rows, _LANDSCAPE if across else _PORTRAIT)
    return {
        "kind": "table",
        "caption": plain(sheet.caption),
        "across": across,
        "columns": [
            {
                "head": layout.breakable(plain(column.header)),
                "kind": column.kind,
                "width": round(width, 2),
                "right": column.kind in RIGHT,
            }
            for column, width in zip(sheet.columns, columns, strict=True)
        ],
        "rows": [[_cell(cell) for cell in row] for row in rows],
        "note": under(sheet, document.language),
    }


def _cell(cell: Cell) -> dict[str, Any]:
    made: dict[str, Any] = {"t": layout.breakable(words.short(cell.text, _LONGEST_CELL))}
    if cell.bar:
        made["b"] = [round(end, 4) for end in cell.bar]
    if cell.links:
        made["l"] = [[layout.breakable(link.words), link.safe_address] for link in cell.links]
    if cell.tone:
        made |= {"t": words.short(cell.text, _LONGEST_BADGE), "g": cell.tone}
    return made
