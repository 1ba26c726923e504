"""Statistical charts through Altair and vl-convert (no browser): brackets, horizons, heat map, cliffs."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from supplychain.report import marks, pictures
from supplychain.report.language import ENGLISH, Language
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_PLAIN_SANS = "Helvetica Neue, Arial, Liberation Sans, sans-serif"
_CHANGES = {
    mark("begins"): "triangle-right",
    mark("revives"): "circle",
    mark("pauses"): "square",
    mark("ends"): "diamond",
}
_DRAWING = re.compile(r"<svg[^>]*?>", re.DOTALL)
_SIZE = re.compile(r'viewBox="([^"]+)"')


@cache
def altair_() -> ModuleType:
    import altair

    altair.data_transformers.disable_max_rows()
    return altair


@cache
def _converter() -> ModuleType:
    """vl-convert, told of the fonts that come with the program: words are measured alike on every machine."""
    import vl_convert

    vl_convert.register_font_directory(str(pictures.fonts()))
    return vl_convert


def _config() -> dict[str, Any]:
    """One look for every chart: thin lines, no frame, the report's ink."""
    return {
        "font": pictures.FAMILY,
        "background": "transparent",
        "view": {"stroke": None},
        "aria": False,
        "axis": {
            "labelColor": marks.INK,
            "titleColor": marks.MUTED,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "domainColor": marks.LINE,
            "tickColor": marks.LINE,
            "gridColor": "#edf0f3",
            "labelLimit": 330,
        },
        "header": {"labelFontSize": 12, "labelFontWeight": 600, "labelColor": marks.INK, "title": None},
        "legend": {
            "labelLimit": 320,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titleColor": marks.MUTED,
        },
    }


def svg(chart: Any, label: str, prefix: str) -> Markup:
    """Convert a chart; its drawing takes our own root element, and its inner ids a prefix, as many share one page."""
    specification = chart.to_dict(validate=False)  # our own specifications; the check takes longer than the drawing
    specification["config"] = _config()
    drawing = str(_converter().vegalite_to_svg(specification))
    drawing = drawing.replace(f'font-family="{pictures.FAMILY}"', f'font-family="{_PLAIN_SANS}"')  # a little narrower
    root = _DRAWING.search(drawing)
    size = _SIZE.search(root.group(0)) if root else None
    if root is None or size is None:
        raise ValueError("vl-convert gave no SVG drawing")
    inside = drawing[root.end() : drawing.rindex("</svg>")]
    inside = inside.replace(f'fill="{marks.UNKNOWN}"', 'fill="url(#hatch)"')  # as everywhere on the page
    inside = re.sub(r' aria-label="Title text .*?"', "", inside)  # in English; the text itself stands inside
    inside = re.sub(r'(id="|url\(#)((?:clip|gradient)_?\d+)', rf"\1{prefix}-\2", inside)
    width, height = (float(part) for part in size.group(1).split()[2:])
    return marks.picture(width, height, label, Markup(inside), class_="picture chart")  # Vega escaped the words


def brackets(table: pd.DataFrame, label: str, prefix: str, width: int = 330) -> Markup:
    """One bar a row, one column a panel: ``row``, ``panel``, ``after``, ``short_run``, ``high``, ``order``."""
    alt = altair_()
    long = pd.concat(
        [
            table.assign(part="1 stays after re-sourcing", start=0.0, end=table["after"]),
            table.assign(part="2 short run", start=table["after"], end=table[["after", "short_run"]].max(axis=1)),
            table.assign(
                part="3 unknown",
                start=table[["after", "short_run"]].max(axis=1),
                end=table[["after", "short_run", "high"]].max(axis=1),
            ),
        ]
    )
    long = long[["row", "panel", "order", "part", "start", "end"]]
    rows = table.sort_values(["order", "row"])["row"].drop_duplicates().tolist()
    chart = (
        alt.Chart(long)
        .mark_bar(height=10)
        .encode(
            y=alt.Y("row:N", sort=rows, title=None, axis=alt.Axis(ticks=False, domain=False)),
            x=alt.X(
                "start:Q",
                title=None,
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
            ),
            x2="end:Q",
            color=alt.Color(
                "part:N",
                legend=None,
                scale=alt.Scale(
                    domain=["1 stays after re-sourcing", "2 short run", "3 unknown"],
                    range=[marks.DEEP, marks.LIGHT, marks.UNKNOWN],
                ),
            ),
        )
        .properties(width=width, height=alt.Step(19))
        .facet(column=alt.Column("panel:N", sort=list(dict.fromkeys(table["panel"]))), spacing=26)
    )
    return svg(chart, label, prefix)


def horizons(table: pd.DataFrame, label: str, prefix: str, columns: int = 3, language: Language = ENGLISH) -> Markup:
    """Loss over time: ``panel``, ``months``, ``after``, ``short_run``, ``high``; line, dots, and the unknown band."""
    alt = altair_()
    base = alt.Chart(table[["panel", "months", "after", "short_run", "high"]]).encode(
        x=alt.X(
            "months:Q",
            title=language.say("months after the refusal"),
            axis=alt.Axis(values=[0, 3, 12, 24, 36], grid=False),
        )
    )
    percent = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
    scale = alt.Scale(domain=[0, 1])
    layers = alt.layer(
        base.mark_area(color=marks.UNKNOWN, opacity=0.8).encode(
            y=alt.Y("short_run:Q", scale=scale, axis=percent, title=None), y2="high:Q"
        ),
        base.mark_area(color=marks.LIGHT, opacity=0.45).encode(y="short_run:Q"),
        base.mark_line(color="#5f9bc9", strokeWidth=1.8).encode(y="short_run:Q"),
        base.transform_filter("isValid(datum.after)")
        .mark_point(color=marks.DEEP, filled=True, size=55, opacity=1)
        .encode(y="after:Q"),
    ).properties(width=250, height=120)
    chart = layers.facet(
        facet=alt.Facet("panel:N", sort=list(dict.fromkeys(table["panel"]))), columns=columns, spacing=22
    )
    return svg(chart, label, prefix)


def heat(table: pd.DataFrame, rows: Sequence[str], columns: Sequence[str], label: str, prefix: str) -> Markup:
    """Who controls what: ``row``, ``column``, ``value`` (0..1 needs leave), ``unknown`` (0..1 not determined)."""
    alt = altair_()
    shown = table[["row", "column", "value", "unknown"]].copy()
    shown["words"] = [
        ENGLISH.percent(value).replace("\u00a0%", "") if value >= 0.005 else "?" if unknown >= 0.005 else ""
        for value, unknown in zip(shown["value"], shown["unknown"], strict=True)
    ]
    base = alt.Chart(shown).encode(
        x=alt.X("column:N", sort=list(columns), title=None, axis=alt.Axis(orient="top", labelAngle=0, ticks=False)),
        y=alt.Y("row:N", sort=list(rows), title=None, axis=alt.Axis(ticks=False, domain=False)),
    )
    cells = base.mark_rect(stroke="#ffffff", strokeWidth=1.5).encode(
        color=alt.condition(
            "datum.value < 0.005 && datum.unknown >= 0.005",
            alt.value("#dfe3e7"),
            alt.Color(
                "value:Q",
                legend=None,
                scale=alt.Scale(
                    domain=[0, 0.25, 0.5, 1], range=["#f6f8fa", "#f8d9b0", "#e79a4b", "#a8480a"], interpolate="lab"
                ),
            ),
        )
    )
    figures = base.mark_text(fontSize=9.5).encode(
        text="words:N",
        color=alt.condition("datum.value > 0.6", alt.value("#ffffff"), alt.value(marks.INK)),
    )
    chart = (cells + figures).properties(width=alt.Step(46), height=alt.Step(17))
    return svg(chart, label, prefix)


def cliffs(
    table: pd.DataFrame,
    start: str,
    variants: Sequence[str],
    label: str,
    prefix: str,
    language: Language = ENGLISH,
) -> Markup:
    """Dates ahead: ``date`` (ISO text), ``lane`` (the measure), ``what`` (the change, in English), ``how`` (the
    variant, one of ``variants`` from sure to hypothetical, as shown); the axis begins on the day ``start``."""
    say = language.say
    alt = altair_()
    shown = table[["date", "lane", "what", "how"]]
    present = [variant for variant in variants if (shown["how"] == variant).any()]
    colours = dict(zip(variants, (marks.INK, marks.ALERT, marks.AMBER, marks.FAINT), strict=False))
    changes = [(say(what), shape) for what, shape in _CHANGES.items() if (shown["what"] == what).any()]
    shown = shown.assign(what=[say(what) for what in shown["what"]])
    days = alt.Scale(type="utc", domain=[start, max(shown["date"])], nice="month")
    base = alt.Chart(shown).encode(
        x=alt.X("date:T", title=None, scale=days, axis=alt.Axis(format=say("%b %Y"), tickCount=8)),
        y=alt.Y("lane:N", title=None, sort=list(dict.fromkeys(shown["lane"])), axis=alt.Axis(ticks=False, grid=True)),
    )
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        color=alt.Color(
            "how:N",
            title=say("How it comes"),
            sort=present,
            scale=alt.Scale(domain=present, range=[colours[variant] for variant in present]),
            legend=alt.Legend(orient="bottom", columns=2),
        ),
        shape=alt.Shape(
            "what:N",
            title=say("Change"),
            scale=alt.Scale(domain=[name for name, _ in changes], range=[shape for _, shape in changes]),
            legend=alt.Legend(orient="bottom", columns=2),
        ),
    )
    return svg(points.properties(width=500, height=alt.Step(24)), label, prefix)
