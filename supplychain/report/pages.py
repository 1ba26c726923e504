"""Turns sections into the one HTML file: no script, no outside asset, every word of the data escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from supplychain import __version__
from supplychain.report import marks, view
from supplychain.report.language import ENGLISH, Language
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("supplychain.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )


_BODY_FONT = "system-ui, -apple-system"  # as the style begins its list of families
_LEGEND = (
    (mark("lost even after re-sourcing"), marks.DEEP),
    (mark("lost in the short run, before re-sourcing"), marks.LIGHT),
    (mark("what unknown facts may add"), "url(#hatch)"),
)


def _style(language: Language) -> str:
    environment = _environment()
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, "report.css")
    families = "".join(f'"{name}", ' for name in language.fonts)
    return source.replace(_BODY_FONT, families + _BODY_FONT, 1)


def _legend(language: Language) -> list[tuple[str, Markup]]:
    def swatch(fill: str) -> Markup:
        return marks.tag(
            "svg", marks.tag("rect", width=18, height=9, fill=fill), width=18, height=9, aria_hidden="true"
        )

    return [(language.say(words), swatch(fill)) for words, fill in _LEGEND]


def render(
    head: Mapping[str, Any],
    sentences: Sequence[Mapping[str, str]],
    opening: Sequence[view.Figure],
    sections: Sequence[view.Section],
    footer: Sequence[str],
    cite: Callable[[str], Sequence[view.Link]],
    language: Language = ENGLISH,
) -> str:
    """Return the page; ``cite`` turns a cell of source ids into links.

    The style is allowed by its hash, so nothing else, not even a style attribute, is obeyed.
    """
    style = _style(language)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            head=head,
            sentences=sentences,
            opening=opening,
            sections=sections,
            footer=footer,
            legend=_legend(language),
            style=Markup(style),  # our own file, not data
            style_hash=f"sha256-{digest}",
            cite=cite,
            hatch=marks.hatch("hatch"),
            loss_bar=view.loss_bar,
            language=language,
            say=language.say,
            written=view.written,
            version=__version__,
        )
    )
