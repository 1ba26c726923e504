"""Turns sections into the one HTML file: no script, no outside asset, every word of the data escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from supplychain import __version__
from supplychain.report import marks, view, words

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


def _style() -> str:
    environment = _environment()
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, "report.css")
    return source


def _legend() -> list[tuple[str, Markup]]:
    def swatch(fill: str) -> Markup:
        return marks.tag(
            "svg", marks.tag("rect", width=18, height=9, fill=fill), width=18, height=9, aria_hidden="true"
        )

    return [
        ("lost even after re-sourcing", swatch(marks.DEEP)),
        ("lost in the short run, before re-sourcing", swatch(marks.LIGHT)),
        ("what unknown facts may add", swatch("url(#hatch)")),
    ]


def render(
    head: Mapping[str, Any],
    sentences: Sequence[Mapping[str, str]],
    opening: Sequence[view.Figure],
    sections: Sequence[view.Section],
    footer: Sequence[str],
    cite: Callable[[str], Sequence[view.Link]],
) -> str:
    """Return the page; ``cite`` turns a cell of source ids into links.

    The style is allowed by its hash, so nothing else, not even a style attribute, is obeyed.
    """
    style = _style()
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
            legend=_legend(),
            style=Markup(style),  # our own file, not data
            style_hash=f"sha256-{digest}",
            cite=cite,
            hatch=marks.hatch("hatch"),
            loss_bar=view.loss_bar,
            words=words,
            version=__version__,
        )
    )
