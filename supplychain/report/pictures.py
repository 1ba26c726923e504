"""Pictures away from the page: each SVG drawing made whole, so that it stands in a file, a PDF or on a slide alone."""

from __future__ import annotations

import html
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from supplychain.report import marks
from supplychain.report.cells import plain

if TYPE_CHECKING:
    import typst

    from supplychain.report.view import Figure

FAMILY = "Noto Sans CJK SC"  # the family of the fonts that come with the program
_ROOT = re.compile(r"<svg[^>]*>")
_BOX = re.compile(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')
_FAMILIES = re.compile(r'(<[^<>]*? font-family=")[^"]*(")')
_LABEL = re.compile(r'aria-label="([^"]*)"')
_SCALE = 2.2  # dots per pixel of the drawing, in PNG


@cache
def fonts() -> Path:
    """Return the folder of the fonts that come with the program."""
    return Path(str(resources.files("supplychain.report") / "fonts"))


@cache
def typefaces() -> typst.Fonts:
    """Return the fonts that Typst sets with: ours and its own, none of the machine."""
    import typst

    return typst.Fonts(include_system_fonts=False, font_paths=[str(fonts())])


def drawing(figure: Figure, family: str = "") -> str:
    """Return the figure's SVG with the hatch that the page defines once for all; in ``family`` where one is named."""
    whole = plain(str(figure.picture))
    root = _ROOT.match(whole)
    if root is None:
        raise ValueError(f"{figure.title} is no SVG drawing")
    whole = f"{whole[: root.end()]}<defs>{marks.hatch('hatch')}</defs>{whole[root.end() :]}"
    return _FAMILIES.sub(rf"\g<1>{family}\g<2>", whole) if family else whole


def words_for(figure: Figure) -> str:
    """Return what a reader hears who does not see the figure: what it is, and its caption with date and unknowns."""
    label = _LABEL.search(str(figure.picture))
    said = html.unescape(label.group(1)) if label else figure.title
    stop = "。" if figure.caption.endswith("。") else ". "  # as the language of the caption ends its sentences
    return plain(f"{said}{stop}{figure.caption}")


def size(figure: Figure) -> tuple[float, float]:
    """Return width and height of the drawing in pixels."""
    box = _BOX.search(str(figure.picture))
    if box is None:
        raise ValueError(f"{figure.title} has no size")
    return float(box.group(1)), float(box.group(2))


def png(figure: Figure) -> bytes:
    """Return the figure as PNG on white, set in the program's own fonts: the same bytes on every machine."""
    import typst

    width, height = size(figure)
    source = (
        f"#set page(width: {width:g}pt, height: {height:g}pt, margin: 0pt)\n"
        '#image(bytes(sys.inputs.svg), format: "svg", width: 100%)\n'
    )
    made = typst.compile(
        source.encode(),
        font_paths=typefaces(),
        ignore_system_fonts=True,
        sys_inputs={"svg": drawing(figure, FAMILY)},
        format="png",
        ppi=72 * _SCALE,
    )
    return bytes(made)
