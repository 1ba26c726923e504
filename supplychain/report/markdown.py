"""The report as GitHub-flavoured Markdown with its pictures as SVG files beside it; nothing of the data is markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from supplychain.report import pictures
from supplychain.report.cells import RIGHT, Cell, grid, plain
from supplychain.report.view import Figure, Sheet, under

if TYPE_CHECKING:
    from collections.abc import Iterator

    from supplychain.report.document import Document
    from supplychain.report.view import Link

FOLDER = "pictures"
_SIGNS = re.compile(r"([\\`*_\[\]<>|~$&#@!])")
_START = re.compile(r"^(\d+)([.)])|^([-+=:])")
_ADDRESS = re.compile(r"[\s<>\\|]")


def escape(text: str) -> str:
    """Return ``text`` so that Markdown shows it as it is: on one line, no mark, tag, link or formula in it."""
    one_line = " ".join(plain(text).split("\n")).strip(" \t")
    safe = _SIGNS.sub(r"\\\1", one_line).replace("://", ":\\//").replace("www.", "www\\.")
    return _START.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[3]}", safe)


def make_markdown(document: Document, stem: str = "report") -> dict[str, bytes]:
    """Return the files by name: ``report.md`` (or another stem) and one SVG per picture, which it links."""
    names = _names(document)
    files = {
        f"{FOLDER}/{name}.svg": pictures.drawing(figure).encode("utf-8") + b"\n" for figure, name in names.values()
    }
    return {f"{stem}.md": ("\n\n".join(_blocks(document, names)) + "\n").encode("utf-8"), **files}


def _names(document: Document) -> dict[int, tuple[Figure, str]]:
    """Return a file name for every picture, by its identity: number and table."""
    figures = [*document.opening]
    figures += [part for section in document.sections for part in section.parts if isinstance(part, Figure)]
    return {id(figure): (figure, f"{place:02d}-{figure.table}") for place, figure in enumerate(figures, start=1)}


def _blocks(document: Document, names: dict[int, tuple[Figure, str]]) -> Iterator[str]:
    say = document.language.say
    yield f"# {escape(document.title)}"
    colon = say("{what}: {value}", what="", value="")
    yield "\n".join(f"- {escape(name)}{colon}**{escape(value)}**" for name, value in document.facts)
    if document.notice:
        yield f"> **{escape(say('Illustrative buyer.'))}** {escape(document.notice)}"
    yield "\n".join(
        f"{place}. **{escape(sentence['lead'])}** {escape(sentence['body'])}"
        for place, sentence in enumerate(document.sentences, start=1)
    )
    for figure in document.opening:
        yield from _figure(document, figure, names[id(figure)][1])
    yield f"## {escape(say('Contents'))}"
    yield "\n".join(
        f"{place}. [{escape(section.title)}](#{section.anchor})"
        for place, section in enumerate(document.sections, start=1)
    )
    for place, section in enumerate(document.sections, start=1):
        yield f'<a id="{section.anchor}"></a>\n\n## {place}. {escape(section.title)}'
        yield from (escape(line) for line in section.lead)
        for part in section.parts:
            if isinstance(part, Figure):
                yield from _figure(document, part, names[id(part)][1])
            else:
                yield from _table(document, part)
        if section.remarks:
            yield "\n".join(f"- {escape(remark)}" for remark in section.remarks)
    yield "---"
    yield from (escape(line) for line in document.footer)


def _figure(document: Document, figure: Figure, name: str) -> Iterator[str]:
    source = document.language.say("Table: {file}", file=f"tables/{figure.table}.csv")
    yield f"**{escape(figure.title)}**"
    yield f"![{escape(pictures.words_for(figure))}]({FOLDER}/{name}.svg)"
    yield escape(document.language.join(figure.caption, source))


def _table(document: Document, sheet: Sheet) -> Iterator[str]:
    rows = grid(sheet, document.cite, document.language)
    yield f"**{escape(sheet.caption)}**"
    if rows:
        lines = [[escape(column.header) for column in sheet.columns]]
        lines.append(["---:" if column.kind in RIGHT else "---" for column in sheet.columns])
        lines += [[_cell(cell) for cell in row] for row in rows]
        yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
    else:
        yield escape(document.language.say("None on this date."))
    note = under(sheet, document.language)
    if note:
        yield escape(note)


def _cell(cell: Cell) -> str:
    if cell.links:
        return "; ".join(_link(link) for link in cell.links)
    return escape(cell.text)


def _link(link: Link) -> str:
    address = _ADDRESS.sub(lambda sign: f"%{ord(sign[0]):02X}", link.safe_address)
    return f"[{escape(link.words)}](<{address}>)" if address else escape(link.words)
