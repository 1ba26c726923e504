"""Which files a report is written as: the page, PDF, workbook, Markdown and slides, all from one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supplychain.errors import UsageError
from supplychain.report import pages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from supplychain.report.document import Document

FORMATS = ("html", "pdf", "xlsx", "md", "pptx")
DEFAULT = ("html", "pdf", "xlsx")  # together as quick as the page alone; the others when asked for
STEM = "report"


def chosen(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the formats in ``texts`` (each one format, or several with commas, or ``all``) in their usual order.

    Nothing chosen is the default. Raises UsageError for what is no format.
    """
    wanted = {part.strip().lower() for text in texts for part in text.split(",") if part.strip()}
    unknown = sorted(wanted - {*FORMATS, "all"})
    if unknown:
        raise UsageError(f"--format {', '.join(unknown)} is not known: choose of {', '.join(FORMATS)}, or all")
    if "all" in wanted:
        return FORMATS
    return tuple(name for name in FORMATS if name in wanted) or DEFAULT


def page(document: Document) -> str:
    """Return the document as the one HTML file."""
    head = {"title": document.title, "facts": document.facts, "illustrative": document.notice}
    return pages.render(
        head,
        document.sentences,
        document.opening,
        document.sections,
        document.footer,
        document.cite,
        document.language,
    )


def files(
    document: Document,
    tables: Mapping[str, pd.DataFrame],
    wanted: Sequence[str],
    step: Callable[[str], None],
    stem: str = STEM,
) -> dict[str, bytes]:
    """Return the files of a document by name, the first format's main file first; the tables feed the workbook."""
    made: dict[str, bytes] = {}
    for name in wanted:
        step(f"writing {stem}.{name}")
        if name == "html":
            made[f"{stem}.html"] = page(document).encode("utf-8")
        elif name == "pdf":
            from supplychain.report.pdf import make_pdf

            made[f"{stem}.pdf"] = make_pdf(document)
        elif name == "xlsx":
            from supplychain.report.workbook import make_workbook

            made[f"{stem}.xlsx"] = make_workbook(document, tables)
        elif name == "md":
            from supplychain.report.markdown import make_markdown

            made |= make_markdown(document, stem)
        elif name == "pptx":
            from supplychain.report.slides import make_slides

            made[f"{stem}.pptx"] = make_slides(document)
    return made
