"""PDF, workbook, Markdown and slides of one small document: hostile words stay words, bytes stay the same."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
import zlib
from datetime import date
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from PIL import Image, ImageFont
from pptx import Presentation

from supplychain.cli import run as command
from supplychain.errors import UsageError
from supplychain.report import charts, formats, layout, pictures
from supplychain.report.cells import grid, plain
from supplychain.report.document import Document
from supplychain.report.language import ENGLISH
from supplychain.report.markdown import escape, make_markdown
from supplychain.report.pdf import make_pdf
from supplychain.report.slides import make_slides
from supplychain.report.view import Column, Figure, Link, Section, sheet
from supplychain.report.workbook import make_workbook, sheet_names, unit

EASTERN = ("中芯国际集成电路", "東京応化工業株式会社", "삼성전자 한국", "台灣積體電路製造")
HOSTILE = (
    '#import "evil.typ": *',
    '#{panic("run")} #eval("1+1") #read("/etc/passwd")',
    "$ sum_(i=0)^n $ and *bold* _it_ `code` ~ \\ // /* */",
    "@ref <label> = heading\n- item",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '=HYPERLINK("http://evil.example","x")',
    "+1+cmd|' /C calc'!A0",
    "[x](javascript:alert(1)) ![y](http://evil.example/z.png) | pipe | https://evil.example",
    "zero\x00 bell\x07 \u202egnp.exe",
    "x" * 5000,
    *EASTERN,
)


def cite(text: str) -> tuple[Link, ...]:
    return tuple(Link(part, f"https://example.org/{part}") for part in text.split(";") if part)


def small(names: tuple[str, ...] = HOSTILE) -> Document:
    """A document with every kind of cell, whose words are ``names``."""
    rows = pd.DataFrame(
        {
            "name": list(names),
            "code": list(names),
            "said": list(names),
            "source": [name[:40].replace(";", ",") for name in names],
            "part": [0.125] * len(names),
            "count": [1234.0] * len(names),
            "status": ["licence", "odd"] * (len(names) // 2) + ["free"] * (len(names) % 2),
            "flag": list(names),
            "loss_after": [0.1] * len(names),
            "loss_short_run": [0.4] * len(names),
            "loss_high": [0.6] * len(names),
            "loss_unknown": [0.2] * len(names),
            "day": pd.to_datetime(["2026-11-10"] * len(names)),
        }
    )
    columns = [
        Column("name", "Name"),
        Column("code", "Code", "code"),
        Column("said", names[0], "small", wide=True),
        Column("source", "Sources", "sources"),
        Column("part", "Part", "percent"),
        Column("count", "Count", "number"),
        Column("status", "Leave", "status"),
        Column("flag", "Flag", "badge"),
        Column("loss", "Loss", "loss"),
        Column("day", "Day", "day"),
    ]
    bars = pd.DataFrame(
        {"row": list(names), "panel": "now", "order": 0, "after": 0.1, "short_run": 0.4, "high": 0.6}
    ).head(3)
    figure = Figure(names[0], charts.brackets(bars, f"Bars of {names[0]}", "p"), f"As of today, {names[3]}", "plants")
    return Document(
        title=f"What controls can withhold from {names[0]}",
        on=date(2026, 11, 1),
        facts=(("Law as of", "1 Nov 2026"), ("Law known as of", "8 Oct 2026"), ("Network", names[1])),
        notice="",
        sentences=tuple({"lead": name, "body": name} for name in names[:5]),
        opening=(figure,),
        sections=(
            Section("one", names[2], (names[4],), (figure, sheet(rows, names[5], columns, "choke_points"))),
            Section("two", "Nothing", (), (sheet(rows.head(0), "None", columns[:1], "plants"),), (names[6],)),
        ),
        footer=names[:2],
        cite=cite,
    )


@pytest.fixture(scope="module")
def hostile() -> Document:
    return small()


def streams(pdf: bytes) -> bytes:
    """Everything in a PDF that is compressed, unpacked, and the rest as it is."""
    parts = [pdf]
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            parts.append(zlib.decompress(found.group(1)))
        except zlib.error:
            continue
    return b"\n".join(parts)


def letters(pdf: bytes) -> set[str]:
    """The letters that the glyphs of a PDF stand for, by the tables that copying and search use."""
    found = set()
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", streams(pdf), re.DOTALL):
        for glyph, text in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            if int(glyph, 16):  # glyph 0 is the box
                found.add(bytes.fromhex(text.decode()).decode("utf-16-be"))
    return found


def test_pdf_shows_hostile_words_as_words_and_runs_none(hostile: Document, tmp_path: Path) -> None:
    pdf = make_pdf(hostile)
    assert pdf.startswith(b"%PDF-")
    assert set("#$*_@\\<>[]|") <= letters(pdf)
    assert b"/JavaScript" not in streams(pdf)
    addresses = re.findall(rb"/URI\s*\(([^)]*)", streams(pdf))
    assert addresses
    assert all(address.startswith(b"https://example.org/") for address in addresses)
    if shutil.which("pdftotext"):
        (tmp_path / "x.pdf").write_bytes(pdf)
        done = subprocess.run(["pdftotext", str(tmp_path / "x.pdf"), "-"], capture_output=True, check=True)
        text = re.sub(r"[\s\u200b]+", "", done.stdout.decode())
        for name in HOSTILE[:8]:
            assert re.sub(r"\s+", "", name) in text
        assert text.count("x" * 40) > 10  # cut, but long, and on the page


@pytest.mark.parametrize("make", [make_pdf, make_slides], ids=["pdf", "pptx"])
def test_the_same_document_gives_the_same_bytes(hostile: Document, make: object) -> None:
    assert callable(make)
    assert make(hostile) == make(hostile)


def test_eastern_names_are_letters_and_no_boxes(hostile: Document) -> None:
    wanted = {letter for name in EASTERN for letter in name if letter != " "}
    assert wanted <= letters(make_pdf(hostile))
    for file in sorted(pictures.fonts().glob("*.otf")):
        face = ImageFont.truetype(str(file), 20)
        box = bytes(face.getmask("\ue000"))
        assert all(bytes(face.getmask(letter)) != box for letter in wanted)
        assert file.stat().st_size < 6_000_000
    assert "SIL OPEN FONT LICENSE" in (pictures.fonts() / "OFL.txt").read_text(encoding="utf-8")


def test_a_picture_is_drawn_in_the_programs_own_letters() -> None:
    drawn = [small((name, *HOSTILE[1:])).opening[0] for name in EASTERN[:2]]
    made = [pictures.png(figure) for figure in drawn]
    images = [Image.open(io.BytesIO(image)).convert("L") for image in made]
    assert images[0].size[1] == images[1].size[1]
    assert min(image.getextrema()[0] for image in images) < 100  # ink, on white
    assert made[0] != made[1]  # two names as boxes of one size would be one picture
    assert made[0] == pictures.png(drawn[0])


def test_workbook_keeps_texts_texts_and_numbers_numbers(hostile: Document) -> None:
    odd = pd.DataFrame(
        {
            "name": list(HOSTILE),
            "short_run": [0.123456789] * len(HOSTILE),
            "count": range(len(HOSTILE)),
            "open": [float("nan"), float("inf")] + [2.5] * (len(HOSTILE) - 2),
            "yes": [True] * len(HOSTILE),
            "day": pd.to_datetime(["2026-11-10", None] + ["1900-03-01"] * (len(HOSTILE) - 2)),
        }
    )
    tables = {"plants": odd, "a/b": odd.head(1), "A:B": odd.head(0)}
    made = make_workbook(hostile, tables)
    assert made == make_workbook(hostile, tables)
    book = openpyxl.load_workbook(io.BytesIO(made))
    assert book.sheetnames == ["Contents", "Charts", "plants", "a-b", "A-B-2"]
    page = book["plants"]
    assert page.freeze_panes == "B2"
    assert page.auto_filter.ref == f"A1:F{len(HOSTILE) + 1}"
    assert [cell.value for cell in page[1]] == ["name", "short_run\n(%)", "count", "open\n(%)", "yes", "day"]
    for row, name in enumerate(HOSTILE, start=2):
        assert page.cell(row, 1).value == plain(name)
        assert page.cell(row, 1).data_type == "s"
        assert page.cell(row, 1).hyperlink is None
        assert page.cell(row, 2).value == 0.123456789
        assert page.cell(row, 2).number_format == "0.0%"
        assert page.cell(row, 5).value is True
    assert page.cell(2, 4).value is None
    assert page.cell(3, 4).value == "inf"
    assert page.cell(2, 6).value.date() == date(2026, 11, 10)
    assert page.cell(3, 6).value is None
    links = [cell.hyperlink.location for row in book["Contents"].iter_rows() for cell in row if cell.hyperlink]
    assert links == ["'plants'!A1", "'a-b'!A1", "'A-B-2'!A1"]


def test_sheet_names_are_legal_and_each_once() -> None:
    names = sheet_names(["a" * 40, "a" * 40, "[x]:*?/\\", "history", "", "'q'", "A" * 40])
    assert len({name.lower() for name in names}) == len(names)
    assert all(0 < len(name) <= 31 and not re.search(r"[\[\]:*?/\\]", name) for name in names)
    assert not any(name.startswith("'") or name.endswith("'") or name.lower() == "history" for name in names)


@pytest.mark.parametrize(
    ("column", "whole", "found"),
    [
        ("short_12_low", False, ("%", "0.0%")),
        ("months_to_survive", False, ("months", "0.0")),
        ("delay_days", False, ("days", "0")),
        ("flows", True, ("", "#,##0")),
        ("year", False, ("", "0")),
    ],
)
def test_units_of_columns(column: str, whole: bool, found: tuple[str, str]) -> None:
    assert unit("any", column, whole) == found


def test_markdown_shows_hostile_words_as_words(hostile: Document) -> None:
    files = make_markdown(hostile)
    assert files == make_markdown(hostile)
    text = files["report.md"].decode("utf-8")
    reader = MarkdownIt("gfm-like")
    html = reader.render(text)
    assert "<script" not in html
    assert "<img src=x" not in html
    addresses = set(re.findall(r'(?:href|src)="([^"]*)"', html))
    assert all(re.match(r"(#|pictures/|https://example\.org/)", address) for address in addresses), addresses
    for name in files:
        assert name == "report.md" or f"]({name})" in text
    rows = len(HOSTILE)
    assert html.count("<tr>") == rows + 1  # no name opens or breaks a row
    assert len(re.findall(r"<td", html)) == rows * 10
    assert html.count("<h2>") == 3


@pytest.mark.parametrize("name", [*HOSTILE, "1. one", "- two", "+ x", "a &amp; b", "#"])
def test_escaped_markdown_reads_as_it_was(name: str) -> None:
    shown = MarkdownIt("gfm-like").render(escape(name))
    inside = re.fullmatch(r"<p>(.*)</p>\n", shown, re.DOTALL)
    assert inside is not None
    assert "<" not in inside.group(1)
    read = inside.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert read == plain(name).replace("\n", " ")


def test_slides_have_every_picture_with_its_words_and_the_tables(hostile: Document) -> None:
    deck = Presentation(io.BytesIO(make_slides(hostile)))
    assert round(deck.slide_width / deck.slide_height, 3) == round(16 / 9, 3)
    shapes = [shape for slide in deck.slides for shape in slide.shapes]
    shown = [shape for shape in shapes if shape.shape_type == 13]  # pictures
    assert len(shown) == 2
    for shape in shown:
        assert "Bars of" in shape._element.nvPicPr.cNvPr.get("descr")
        assert shape.left >= 0
        assert shape.left + shape.width <= deck.slide_width
        assert shape.top + shape.height <= deck.slide_height
    tables = [shape.table for shape in shapes if shape.has_table]
    assert len(tables) == 1
    assert tables[0].cell(1, 0).text == HOSTILE[0]
    for slide in deck.slides:
        assert slide.shapes.title is not None
        assert any("Law as of 1 Nov 2026" in shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)
    archive = zipfile.ZipFile(io.BytesIO(make_slides(hostile)))
    assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_widths_share_the_page_and_never_more() -> None:
    document = small()
    table = document.sections[0].parts[1]
    assert not isinstance(table, Figure)
    rows = grid(table, document.cite, ENGLISH)
    wide = layout.widths(table.columns, rows, 504.0)
    assert sum(wide) == pytest.approx(504.0)
    assert min(wide) > 10
    narrow = layout.widths(table.columns[4:6], [row[4:6] for row in rows], 504.0)
    assert sum(narrow) < 252  # a table of two numbers is not drawn out over the page


def test_long_words_may_break_and_lose_nothing() -> None:
    text = "us-iec-3b001.c.1.a-allied and " + "y" * 100
    opened = layout.breakable(text)
    assert opened.replace("\u200b", "") == text
    assert max(len(part) for part in re.split(r"[\s\u200b]", opened)) <= 18
    assert layout.breakable("short words stay") == "short words stay"


def test_formats_are_chosen_by_name() -> None:
    assert formats.chosen([]) == formats.DEFAULT
    assert formats.chosen(["pptx,html", "PDF"]) == ("html", "pdf", "pptx")
    assert formats.chosen(["all"]) == formats.FORMATS
    with pytest.raises(UsageError, match="docx"):
        formats.chosen(["docx"])
    assert command(["report", "--format", "html,docx", "--quiet"]) == 2
