"""Charts of power, cost, time and doubt: leverage, frontier, months, stocks, swings; in the look of ``charts``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from supplychain.report import marks
from supplychain.report.charts import altair_, svg
from supplychain.report.language import ENGLISH, Language

if TYPE_CHECKING:
    from markupsafe import Markup

_LINE = "#5f9bc9"
_SIZE = 9.5


def leverage(table: pd.DataFrame, label: str, prefix: str, language: Language = ENGLISH) -> Markup:
    """Bars: ``row``, ``shapley``, ``low``, ``high`` (interval; bars of no length are not drawn), ``alone``."""
    alt, say = altair_(), language.say
    rows = table["row"].tolist()
    most = max(float(table["high"].max()), float(table["alone"].max())) * 1.08
    y = alt.Y("row:N", sort=rows, title=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=7))
    scale = alt.Scale(domain=[0, max(most, 1e-6)], nice=False)
    base = alt.Chart(table[["row", "shapley", "low", "high", "alone"]]).encode(y=y)
    title = say("part of the buyer's need, short run")
    bars = base.mark_bar(height=9, color=marks.LIGHT).encode(
        x=alt.X("shapley:Q", scale=scale, title=title, axis=alt.Axis(format="%", tickCount=6))
    )
    spread = base.transform_filter("datum.high - datum.low > 1e-9")
    whiskers = spread.mark_rule(color=marks.INK, strokeWidth=1.3).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    ends = [
        spread.mark_tick(color=marks.INK, thickness=1.3, size=7).encode(x=alt.X(f"{end}:Q", scale=scale))
        for end in ("low", "high")
    ]
    alone = base.mark_point(shape="diamond", filled=True, size=46, color=marks.ALERT, opacity=1).encode(
        x=alt.X("alone:Q", scale=scale)
    )
    chart = alt.layer(bars, whiskers, *ends, alone).properties(width=520, height=alt.Step(15))
    return svg(chart, label, prefix)


def frontier(table: pd.DataFrame, label: str, prefix: str, language: Language = ENGLISH) -> Markup:
    """Cost against loss: ``kind`` (end, supported, today, plan), ``change`` (of cost against today), ``loss``,
    ``name`` (written beside the point; blank for none)."""
    alt, say = altair_(), language.say
    shown = table[["kind", "change", "loss", "name"]]
    x = alt.X(
        "change:Q",
        title=say("cost against buying as today"),
        scale=alt.Scale(zero=False, padding=26),
        axis=alt.Axis(format="+.0%", tickCount=6, grid=False),
    )
    y = alt.Y(
        "loss:Q",
        title=say("loss under the worst refusal"),
        scale=alt.Scale(domain=[0, max(float(shown["loss"].max()) * 1.18, 1e-6)], nice=False),
        axis=alt.Axis(format="%", tickCount=5),
    )
    base = alt.Chart(shown).encode(x=x, y=y)
    on_line = base.transform_filter("datum.kind == 'end' || datum.kind == 'supported'")
    layers = [
        on_line.mark_line(color=_LINE, strokeWidth=1.6),
        on_line.mark_point(filled=True, color=_LINE, size=40, opacity=1),
        base.transform_filter("datum.kind == 'today'").mark_point(
            shape="square", filled=True, size=85, color=marks.MUTED, opacity=1
        ),
        base.transform_filter("datum.kind == 'plan'").mark_point(
            shape="diamond", filled=True, size=120, color=marks.ALERT, opacity=1
        ),
        base.transform_filter("datum.name != ''")
        .mark_text(align="left", dx=9, dy=-7, fontSize=11, fontWeight=600, color=marks.INK)
        .encode(text="name:N"),
    ]
    return svg(alt.layer(*layers).properties(width=520, height=160), label, prefix)


def months(
    table: pd.DataFrame, changes: pd.DataFrame, today: str, label: str, prefix: str, language: Language = ENGLISH
) -> Markup:
    """Exposure by month: ``month`` (ISO text), ``measure`` (as shown), ``low``, ``high``; under it a lane for each
    regime that changed: ``month``, ``lane``. ``today`` (ISO text) is marked."""
    alt, say = altair_(), language.say
    shown = table[["month", "measure", "low", "high"]]
    measures = list(dict.fromkeys(shown["measure"]))
    span = alt.Scale(type="utc", domain=[str(shown["month"].min()), str(shown["month"].max())])
    x = alt.X("month:T", title=None, scale=span, axis=alt.Axis(format=say("%b %Y"), tickCount=6, grid=False))
    most = max(float(shown["high"].max()) * 1.08, 0.01)
    y = alt.Y(
        "low:Q", title=None, scale=alt.Scale(domain=[0, most], nice=False), axis=alt.Axis(format="%", tickCount=5)
    )
    colour = alt.Color(
        "measure:N",
        title=None,
        sort=measures,
        scale=alt.Scale(domain=measures, range=[marks.DEEP, marks.ALERT]),
        legend=alt.Legend(orient="top", symbolType="stroke"),
    )
    base = alt.Chart(shown).encode(x=x)
    now = alt.Chart(pd.DataFrame({"month": [today]}))
    dashed = now.mark_rule(color=marks.MUTED, strokeDash=[3, 3]).encode(x=alt.X("month:T", scale=span))
    layers: list[Any] = []
    for measure in measures:
        own = base.transform_filter(f"datum.measure == {_quoted(measure)}")
        layers.append(
            own.mark_area(color=marks.UNKNOWN, opacity=0.55, interpolate="step-after").encode(y=y, y2="high:Q")
        )
    layers.append(base.mark_line(strokeWidth=2, interpolate="step-after").encode(y=y, color=colour))
    upper = alt.layer(*layers, dashed).properties(width=520, height=130)
    if changes.empty:
        return svg(upper, label, prefix)
    lanes = list(dict.fromkeys(changes["lane"]))
    ticks = (
        alt.Chart(changes[["month", "lane"]])
        .mark_point(shape="triangle-up", filled=True, size=60, color=marks.INK, opacity=1)
        .encode(
            x=alt.X("month:T", title=None, scale=span, axis=None),
            y=alt.Y("lane:N", title=None, sort=lanes, axis=alt.Axis(ticks=False, grid=True, domain=False)),
        )
    )
    lower = alt.layer(ticks, dashed).properties(width=520, height=alt.Step(17))
    return svg(alt.vconcat(upper, lower, spacing=4), label, prefix)


def _quoted(text: str) -> str:
    """Return a text as a Vega expression takes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def stocks(table: pd.DataFrame, label: str, prefix: str, language: Language = ENGLISH, columns: int = 4) -> Markup:
    """Stock by week, one panel a need: ``panel``, ``week``, ``stock_days``, ``ends`` (NaN: it lasts), ``told`` (what
    is written at its end)."""
    alt, say = altair_(), language.say
    shown = table[["panel", "week", "stock_days", "ends", "told"]]
    x = alt.X("week:Q", title=say("weeks of refusal"), axis=alt.Axis(values=[0, 13, 26, 39, 52], grid=False))
    y = alt.Y("stock_days:Q", title=None, axis=alt.Axis(tickCount=4))
    base = alt.Chart(shown)
    first = base.transform_filter("datum.week == 0 && isValid(datum.ends)")
    layers = alt.layer(
        base.mark_area(color=marks.LIGHT, opacity=0.5).encode(x=x, y=y),
        base.mark_line(color=_LINE, strokeWidth=1.6).encode(x=x, y=y),
        first.mark_rule(color=marks.ALERT, strokeWidth=1.4).encode(x="ends:Q"),
        first.mark_text(align="left", dx=4, baseline="top", fontSize=10, fontWeight=600, color=marks.ALERT).encode(
            x="ends:Q", y=alt.value(2), text="told:N"
        ),
    ).properties(width=142, height=64)
    panels = list(dict.fromkeys(shown["panel"]))
    chart = layers.facet(
        facet=alt.Facet("panel:N", sort=panels, header=alt.Header(labelFontSize=10.5, labelLimit=175)),
        columns=columns,
        spacing=14,
    )
    return svg(chart, label, prefix)


def swings(table: pd.DataFrame, label: str, prefix: str, language: Language = ENGLISH) -> Markup:
    """Tornado: ``row``, ``panel``, ``low``, ``high`` (the loss with the thing at its low and high end), ``usual``."""
    alt, say = altair_(), language.say
    ends = {"low": say("at its low end"), "high": say("at its high end")}
    long = pd.concat(
        [
            table.assign(side=words, start=table[["usual", end]].min(axis=1), end=table[["usual", end]].max(axis=1))
            for end, words in ends.items()
        ]
    )[["row", "panel", "side", "start", "end", "usual"]]
    rows = list(dict.fromkeys(table["row"]))
    bars = (
        alt.Chart(long)
        .mark_bar(height=10)
        .encode(
            y=alt.Y("row:N", sort=rows, title=None, axis=alt.Axis(ticks=False, domain=False)),
            x=alt.X("start:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(format=".1%", tickCount=5)),
            x2="end:Q",
            color=alt.Color(
                "side:N",
                title=None,
                scale=alt.Scale(domain=list(ends.values()), range=[marks.LIGHT, marks.DEEP]),
                legend=alt.Legend(orient="bottom"),
            ),
        )
    )
    line = alt.Chart(long).mark_rule(color=marks.INK, strokeWidth=1).encode(x="usual:Q")
    chart = (
        alt.layer(bars, line, data=long)
        .properties(width=205, height=alt.Step(18))
        .facet(column=alt.Column("panel:N", sort=list(dict.fromkeys(table["panel"])), title=None), spacing=30)
        .resolve_scale(x="independent")
    )
    return svg(chart, label, prefix)
