"""The key pictures as slides (PPTX, 16:9): title, five sentences, a slide per picture, choke points, plan, limits."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING, Any

from supplychain.report import layout, marks, pictures, words
from supplychain.report.cells import RIGHT, grid, plain
from supplychain.report.view import Figure, Sheet, under

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pptx.presentation import Presentation
    from pptx.slide import Slide
    from pptx.text.text import TextFrame

    from supplychain.report.document import Document

_WIDTH, _HEIGHT, _MARGIN = 960.0, 540.0, 42.0  # points: 13 1/3 by 7 1/2 inches
_TOP, _BOTTOM = 84.0, 492.0  # what a slide shows stands between
_TITLE_ONLY = 5  # layout of the standard template
_FONT = "Arial"
# Tables that are slides: the file, columns that follow the first (by key), how many rows.
_TABLES = (
    ("choke_points", ("what", "loss", "path", "law"), 9),
    ("plan_lines", ("maker", "shift", "reserved", "lead_time_months", "status"), 10),
)
_ROOM_FOR_WORDS = 96.0  # points under a picture and its caption
_LONGEST_SENTENCE, _LONGEST_CELL, _LONGEST_CAPTION = 460, 74, 700
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest day that a ZIP file knows


def make_slides(document: Document) -> bytes:
    """Return the presentation; the same document gives the same bytes."""
    from pptx import Presentation as new
    from pptx.util import Pt

    deck = new()
    deck.slide_width, deck.slide_height = Pt(_WIDTH), Pt(_HEIGHT)
    day = datetime(document.on.year, document.on.month, document.on.day)
    core = deck.core_properties
    core.title, core.author, core.last_modified_by = plain(words.short(document.title, 200)), "supplychain", ""
    core.created = core.modified = day
    core.language = document.language.code
    _title(deck, document)
    _sentences(deck, document)
    for figure, said in _figures(document):
        _picture(deck, document, figure, said)
    sheets = {part.file: part for section in document.sections for part in section.parts if isinstance(part, Sheet)}
    for name, keys, most in _TABLES:
        if name in sheets and sheets[name].rows:
            _table(deck, document, sheets[name], keys, most)
    _limits(deck, document)
    stream = io.BytesIO()
    deck.save(stream)
    return _timeless(stream.getvalue())


def _figures(document: Document) -> list[tuple[Figure, str]]:
    """Return every picture with what its section says first; the opening one has the first of the five sentences."""
    first = document.sentences[0]["body"] if document.sentences else ""
    inside = [
        (part, section.lead[0] if section.lead else "")
        for section in document.sections
        for part in section.parts
        if isinstance(part, Figure)
    ]
    return [*((figure, first) for figure in document.opening), *inside]


def _timeless(archive: bytes) -> bytes:
    """Return the same archive with no time of its making in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            new.writestr(entry, old.read(name))
    return stream.getvalue()


def _slide(deck: Presentation, document: Document, title: str) -> Slide:
    """Add a slide with its title and its foot: date of the law, page, and that the buyer is invented."""
    slide = deck.slides.add_slide(deck.slide_layouts[_TITLE_ONLY])
    head = slide.shapes.title
    _place(head, _MARGIN, 22, _WIDTH - 2 * _MARGIN, 52)
    _write(head.text_frame, [(words.short(title, 110), 24, True, marks.INK)], anchor="bottom")
    dated = "  ·  ".join(f"{name} {value}" for name, value in document.facts[:2])
    if document.notice:
        dated = f"{dated}  ·  {document.language.say('Illustrative buyer.')}"
    _text(slide, _MARGIN, 508, 700, 20, [(dated, 9, False, marks.MUTED)])
    number = str(len(deck.slides))
    _text(slide, _WIDTH - _MARGIN - 80, 508, 80, 20, [(number, 9, False, marks.MUTED)], align="right")
    return slide


def _title(deck: Presentation, document: Document) -> None:
    slide = _slide(deck, document, "")
    say = document.language.say
    head = slide.shapes.title
    _place(head, _MARGIN, 120, _WIDTH - 2 * _MARGIN, 110)
    _write(head.text_frame, [(words.short(document.title, 150), 38, True, marks.INK)], anchor="bottom")
    _text(slide, _MARGIN, 92, 600, 24, [(say("Exposure to export controls"), 14, False, marks.MUTED)])
    facts = [(f"{name}: {words.short(value, 150)}", 15, False, marks.INK) for name, value in document.facts]
    _text(slide, _MARGIN, 248, _WIDTH - 2 * _MARGIN, 130, facts)
    if document.notice:
        notice = f"{say('Illustrative buyer.')} {document.notice}"
        _text(slide, _MARGIN, 410, _WIDTH - 2 * _MARGIN, 60, [(notice, 13, False, marks.ALERT)])


def _sentences(deck: Presentation, document: Document) -> None:
    slide = _slide(deck, document, document.language.say("Summary"))
    frame = _text(slide, _MARGIN, _TOP, _WIDTH - 2 * _MARGIN, _BOTTOM - _TOP, [])
    for place, sentence in enumerate(document.sentences):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        lead = words.short(sentence["lead"], _LONGEST_SENTENCE // 2)
        body = words.short(sentence["body"], _LONGEST_SENTENCE)
        _run(paragraph, f"{place + 1}  {lead} ", 15, True, marks.DEEP)
        _run(paragraph, body, 14, False, marks.INK)
        paragraph.space_after = _points(9)


def _picture(deck: Presentation, document: Document, figure: Figure, said: str) -> None:
    """Add a picture with its caption under it and, where that leaves room, what its section says first."""
    slide = _slide(deck, document, figure.title)
    width, height = pictures.size(figure)
    source = document.language.say("Table: {file}", file=f"tables/{figure.table}.csv")
    caption = words.short(f"{figure.caption} {source}", _LONGEST_CAPTION)
    under = 8 + 12.5 * ceil(layout.length(caption, 10.0) / (0.95 * (_WIDTH - 2 * _MARGIN)))
    room = _WIDTH - 2 * _MARGIN, _BOTTOM + 10 - _TOP - under
    scale = min(room[0] / width, room[1] / height, 1.4)
    end = _TOP + height * scale
    stream = io.BytesIO(pictures.png(figure))
    at = ((_WIDTH - width * scale) / 2, _TOP, width * scale, height * scale)
    shape = slide.shapes.add_picture(stream, *(_points(value) for value in at))
    shape._element.nvPicPr.cNvPr.set("descr", pictures.words_for(figure))
    shape.name = plain(words.short(figure.title, 80))
    _text(slide, _MARGIN, end + 4, room[0], under, [(caption, 10, False, marks.MUTED)])
    if said and _BOTTOM - end - under > _ROOM_FOR_WORDS:
        _text(
            slide,
            _MARGIN,
            end + under + 10,
            room[0],
            90,
            [(words.short(said, _LONGEST_SENTENCE), 15, False, marks.INK)],
        )


def _table(deck: Presentation, document: Document, sheet: Sheet, keys: tuple[str, ...], most: int) -> None:
    """Add a native table of some columns and the first rows of a sheet."""
    slide = _slide(deck, document, sheet.caption)
    sheet = replace(sheet, rows=sheet.rows[:most])
    kept = [0, *(place for key in keys for place, column in enumerate(sheet.columns) if column.key == key)]
    columns = [sheet.columns[place] for place in kept]
    rows = [[row[place] for place in kept] for row in grid(sheet, document.cite, document.language)]
    room = _WIDTH - 2 * _MARGIN
    wide = layout.widths(columns, rows, room)
    wide = [width * room / sum(wide) for width in wide]
    high = (_BOTTOM - _TOP - 26) / (most + 1)
    frame = slide.shapes.add_table(
        len(rows) + 1, len(columns), *(_points(value) for value in (_MARGIN, _TOP, room, high * (len(rows) + 1)))
    )
    frame._element.nvGraphicFramePr.cNvPr.set("descr", plain(f"{sheet.caption}. {under(sheet, document.language)}"))
    table = frame.table
    table.horz_banding = False
    for place, (column, width) in enumerate(zip(columns, wide, strict=True)):
        table.columns[place].width = _points(width)
        right = "right" if column.kind in RIGHT else "left"
        cells = [(column.header, True, marks.PAPER), *((row[place].text, place == 0, marks.INK) for row in rows)]
        for at, (text, bold, ink) in enumerate(cells):
            cell = table.cell(at, place)
            cell.margin_left = cell.margin_right = _points(4)
            cell.margin_top = cell.margin_bottom = _points(2)
            cell.fill.solid()
            cell.fill.fore_color.rgb = _colour(marks.DEEP if at == 0 else marks.WASH if at % 2 == 0 else marks.PAPER)
            _write(cell.text_frame, [(_two_lines(text, width - 8), 10, bold, ink)], right)
    note = f"{sheet.caption}: {under(sheet, document.language)}"
    _text(slide, _MARGIN, _BOTTOM - 14, room, 20, [(note, 10, False, marks.MUTED)])


def _two_lines(text: str, width: float) -> str:
    """Return as much of ``text`` as two lines of a cell hold at 10 points."""
    kept = words.short(text, _LONGEST_CELL)
    while len(kept) > 8 and layout.length(kept, 10.0) > 1.85 * width:
        kept = words.short(text, len(kept) - 2)
    return kept


def _limits(deck: Presentation, document: Document) -> None:
    say = document.language.say
    slide = _slide(deck, document, say("Method and assumptions"))
    method = next((section for section in document.sections if section.anchor == "method"), None)
    lines = [(words.short(line, 520), 13, False, marks.INK) for line in (method.lead if method else ())]
    lines += [(words.short(line, 400), 12, False, marks.MUTED) for line in document.footer]
    _text(slide, _MARGIN, _TOP, _WIDTH - 2 * _MARGIN, _BOTTOM - _TOP, lines, after=8)


def _text(
    slide: Slide,
    left: float,
    top: float,
    width: float,
    height: float,
    lines: Sequence[tuple[str, float, bool, str]],
    align: str = "left",
    after: float = 2,
) -> TextFrame:
    """Add a box with lines of (words, size in points, bold, colour)."""
    box = slide.shapes.add_textbox(*(_points(value) for value in (left, top, width, height)))
    _write(box.text_frame, lines, align, after=after)
    return box.text_frame


def _write(
    frame: TextFrame,
    lines: Sequence[tuple[str, float, bool, str]],
    align: str = "left",
    anchor: str = "top",
    after: float = 2,
) -> None:
    from pptx.enum.text import MSO_ANCHOR, PP_ALIGN

    frame.word_wrap = True
    frame.vertical_anchor = {"top": MSO_ANCHOR.TOP, "bottom": MSO_ANCHOR.BOTTOM}[anchor]
    for place, (text, size, bold, ink) in enumerate(lines):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        paragraph.alignment = {"left": PP_ALIGN.LEFT, "right": PP_ALIGN.RIGHT}[align]
        paragraph.space_after = _points(after)
        _run(paragraph, text, size, bold, ink)


def _run(paragraph: Any, text: str, size: float, bold: bool, ink: str) -> None:
    run = paragraph.add_run()
    run.text = plain(text).replace("\n", " ").replace("\v", " ")
    run.font.size, run.font.bold, run.font.name = _points(size), bold, _FONT
    run.font.color.rgb = _colour(ink)


def _place(shape: Any, left: float, top: float, width: float, height: float) -> None:
    shape.left, shape.top, shape.width, shape.height = (_points(value) for value in (left, top, width, height))


def _points(value: float) -> Any:
    from pptx.util import Pt

    return Pt(value)


def _colour(ink: str) -> Any:
    from pptx.dml.color import RGBColor

    return RGBColor.from_string(ink.removeprefix("#").upper())
