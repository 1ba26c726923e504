"""Pictures of command results: one Altair chart to PNG, SVG or a self-contained HTML page, without a browser."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.errors import UsageError
from supplychain.files import replace_file

if TYPE_CHECKING:
    import pandas as pd

INK, QUIET_INK, BAR, SECOND = "#1f2933", "#52606d", "#2f6690", "#d98e04"
SUFFIXES = (".png", ".svg", ".html")

Plot = Annotated[Path | None, typer.Option("--plot", help="Also draw a picture: a file ending in .png, .svg or .html.")]
Horizon = Annotated[str, typer.Option("--horizon", help="Months after the loss, or 'growth'.")]


def horizon_months(text: str) -> float:
    """Return the months in `text`; 'growth' is infinity."""
    import math

    from supplychain.errors import UsageError

    if text == "growth":
        return math.inf
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        raise UsageError(f"--horizon {text!r} is neither a number of months above 0 nor 'growth'")
    return value


def check_suffix(path: Path | None) -> None:
    """Refuse, before any work is done, a picture in a format that cannot be drawn."""
    if path is not None and path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--plot {path}: the name must end in {', '.join(SUFFIXES)}")


def save(chart: Any, path: Path) -> None:
    """Write the chart; the suffix of `path` decides the format. Nothing is fetched from anywhere."""
    import vl_convert

    specification = chart.to_dict()
    if path.suffix.lower() == ".png":
        replace_file(path, vl_convert.vegalite_to_png(specification, scale=2))
        return
    drawing = str(vl_convert.vegalite_to_svg(specification))
    if path.suffix.lower() == ".svg":
        replace_file(path, drawing.encode("utf-8"))
        return
    title = specification.get("title") or "supplychain"
    title = title.get("text", "supplychain") if isinstance(title, dict) else str(title)
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>{drawing}</html>\n'
    replace_file(path, page.encode("utf-8"))


def bars(
    table: pd.DataFrame, label: str, value: str, title: str, axis: str, interval: tuple[str, str] | None = None
) -> Any:
    """Return horizontal bars of `value` by `label`, in the table's order, with intervals where the table has them."""
    import altair

    shown = table[[label, value, *(interval or ())]].copy()
    base = altair.Chart(shown, title=title).encode(y=altair.Y(f"{label}:N", sort=None, title=None))
    drawn: Any = base.mark_bar(color=BAR).encode(x=altair.X(f"{value}:Q", title=axis))
    if interval:
        rule = base.mark_rule(color=INK).encode(x=altair.X(f"{interval[0]}:Q", title=axis), x2=f"{interval[1]}:Q")
        drawn = drawn + rule
    return drawn.properties(width=520).configure_view(stroke=None).configure_axis(labelLimit=320)
