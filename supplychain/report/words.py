"""The words of the design, by what the tables hold, and the writing that is the same in every language."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

NBSP = "\u00a0"
NONE = "\u2014"


def mark(text: str) -> str:
    """Return ``text``: marks a text kept in a table as one that the catalogue of every language must hold."""
    return text


MONTHS = (
    mark("Jan"),
    mark("Feb"),
    mark("Mar"),
    mark("Apr"),
    mark("May"),
    mark("Jun"),
    mark("Jul"),
    mark("Aug"),
    mark("Sep"),
    mark("Oct"),
    mark("Nov"),
    mark("Dec"),
)
STATUS = {
    "free": mark("free"),
    "excepted": mark("excepted"),
    "notification": mark("notification"),
    "licence": mark("licence needed"),
    "prohibited": mark("prohibited"),
    "indeterminate": mark("not determined"),
}
POLICY = {
    "": mark("no stated policy"),
    "presumption-of-approval": mark("presumption of approval"),
    "case-by-case": mark("case by case"),
    "presumption-of-denial": mark("presumption of denial"),
    "embargo": mark("embargo"),
    "notification": mark("notification"),
}
ROLE = {
    "consumable": mark("consumable"),
    "capital": mark("capital equipment"),
    "knowledge": mark("software and know-how"),
}
SOLVED = {
    "optimal": mark("optimal"),
    "converged": mark("converged"),
    "feasible, not proven": mark("feasible, not proven"),
    "feasible-not-proven": mark("feasible, not proven"),
}
QUALITY = {
    "reported": mark("reported"),
    "derived": mark("derived"),
    "estimate": mark("estimate"),
    "assumption": mark("assumption"),
    "unknown": mark("unknown"),
}


def missing(value: Any) -> bool:
    """Say whether ``value`` is blank: None, NaN, NaT or empty text."""
    if value is None or value == "":
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in ("NaTType", "NAType")


def signed(value: float, text: str) -> str:
    """Return ``text`` of a change with its sign in front, a true minus for a fall."""
    return f"{'+' if value > 0 else chr(0x2212) if value < 0 else '±'}{text.lstrip('-')}"


def chain(steps: Sequence[str]) -> str:
    """Return a chain of binding requirements, product first: "ai-accelerator ← hbm ← fab-dram"."""
    return f" {chr(0x2190)} ".join(steps)


def width(text: str) -> int:
    """Return how many columns ``text`` takes: a Chinese, Japanese or Korean sign takes two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def short(text: str, length: int) -> str:
    """Return ``text`` cut to ``length`` columns, the last one an ellipsis where it was cut."""
    if width(text) <= length:
        return text
    kept = text[: max(length - 1, 1)]
    while width(kept) > max(length - 1, 1):
        kept = kept[:-1]
    return kept.rstrip() + "…"
