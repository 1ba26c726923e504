"""Renders the parts of the page by template; words, numbers and bars are written here in one way for all of them."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from supplychain.app import texts
from supplychain.report import marks
from supplychain.report.language import ENGLISH

SAME: Final = 5e-4  # a change smaller than this prints as none
_WIDTH, _HEIGHT = 320.0, 15.0


@cache
def environment() -> Environment:
    """The templates, with automatic escaping; a name that is missing is an error, never a blank."""
    made = Environment(
        loader=PackageLoader("supplychain.app", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "say": texts.say,
        "count": texts.count,
        "percent": percent,
        "bracket": bracket,
        "loss": loss,
        "bar": bar,
        "delta": delta,
        "day": ENGLISH.day,
        "money": ENGLISH.money,
        "number": ENGLISH.number,
        "months": ENGLISH.months,
        "safe_address": safe_address,
        "known": known,
    }
    return made


def part(template: str, **values: Any) -> Markup:
    """Return one part of the page; its words are escaped, so that it may stand inside another part."""
    return Markup(environment().get_template(f"{template}.html.j2").render(**values))


def known(value: Any) -> bool:
    """Is there a value?"""
    if value is None or value is pd.NA or value is pd.NaT:  # asked by identity: compared, the second is no answer
        return False
    return not (value == "" or (isinstance(value, float) and math.isnan(value)))


def percent(share: Any) -> str:
    return ENGLISH.percent(float(share)) if known(share) else texts.say("none")


def bracket(low: Any, high: Any) -> str:
    """Return "16–67 %"; where the lower end was not computed, as it lies below the threshold, "up to 4 %"."""
    if not known(high):
        return texts.say("none")
    if not known(low):
        return texts.say("up_to", high=percent(high)) if float(high) > 0 else percent(0.0)
    return ENGLISH.percent_range(float(low), float(high))


def loss(row: Any, prefix: str = "") -> str:
    """Return the bracket of a row with its unknown part, as the report writes it."""
    after, short = float(row[f"{prefix}after"]), float(row[f"{prefix}short"])
    if math.isnan(short):
        return texts.say("none")
    return ENGLISH.bracket(after, short, max(float(row[f"{prefix}short_high"]) - short, 0.0))


def delta(row: Any, ends: tuple[str, ...] = ("after", "short"), unknown: bool = True) -> dict[str, str]:
    """Return how a bracket moved from the case as it is, in points of a percent: worse, better, the same, or only in
    its unknown part."""
    moves = [_move(row, end) for end in ends]
    last = ends[-1]
    more = 0.0
    if unknown and f"{last}_high" in row:
        more = _move(row, f"{last}_high") - moves[-1]
        more = more if abs(more) >= 100 * SAME else 0.0
    if not any(moves):
        if more:
            return {"kind": "open", "words": texts.say("delta.unknown", points=_points(more))}
        return {"kind": "same", "words": texts.say("delta.same")}
    words = texts.say("delta.points", points=" / ".join(dict.fromkeys(_points(move) for move in moves)))
    if more:
        words = texts.say("delta.both", points=words, more=_points(more))
    kind = "worse" if max(moves) >= -min(moves) else "open" if more > 0 else "better"
    return {"kind": kind, "words": words}


def _move(row: Any, end: str) -> float:
    now, before = row[end], row[f"base_{end}"]
    if not (known(now) and known(before)):
        return 0.0  # one of them lies below a threshold and was not computed: no change may be read off it
    move = (_number(now) - _number(before)) * 100
    return move if abs(move) >= 100 * SAME else 0.0


def _number(value: Any) -> float:
    return float(value) if known(value) else 0.0


def _points(move: float) -> str:
    if not move:
        return "0"
    sign = "+" if move > 0 else "\u2212" if move < 0 else "±"
    return f"{sign}{abs(move):.0f}" if abs(move) >= 9.5 else f"{sign}{abs(move):.1f}"


def bar(row: Any) -> Markup:
    """Draw a bracket of 0 to 100 %: what stays after re-sourcing, the short run, what unknown facts may add, and under
    it, as a thin line, where the bracket stood before the scenario."""
    ends = [_number(row.get(name)) for name in ("after", "short", "short_high")]
    ends = [min(max(end, 0.0), 1.0) * _WIDTH for end in ends]
    ends[1], ends[2] = max(ends[:2]), max(ends)
    pieces = [marks.tag("rect", width=_WIDTH, height=10, fill="#e6eaee")]
    start = 0.0
    for end, fill in zip(ends, (marks.DEEP, marks.LIGHT, "url(#hatch)"), strict=True):
        if end - start > 0.05:
            pieces.append(marks.tag("rect", x=start, width=end - start, height=10, fill=fill))
        start = max(start, end)
    if "base_after" in row and known(row["base_after"]):
        low, high = (min(max(_number(row[f"base_{name}"]), 0.0), 1.0) * _WIDTH for name in ("after", "short"))
        width = max(high - low, 2.0)
        pieces.append(marks.tag("rect", x=min(low, _WIDTH - 2), y=12, width=width, height=2.6, fill=marks.INK))
    return marks.tag(
        "svg",
        *pieces,
        viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
        preserveAspectRatio="none",
        width=_WIDTH,
        height=_HEIGHT,
        class_="bar",
        aria_hidden="true",
    )


def safe_address(address: Any) -> str:
    """Return an address that may be a link: a web page, never a script or a file; else nothing."""
    text = str(address or "").strip()
    return text if text.startswith(("https://", "http://")) else ""


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as records for a template."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
