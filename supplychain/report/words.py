"""How the report writes numbers, ranges, dates and the words of the design; one place, so that no two views differ."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

NBSP = "\u00a0"
DASH = "\u2013"
NONE = "\u2014"

STANDING = {
    "in_force": "in force",
    "at_leave": "at leave",
}
STANDING_MEANING = {
    "in_force": "lost to flows that are already refused: presumption of denial or embargo",
    "at_leave": "lost if the leave that flows now need were refused: what states hold in their hand",
}
STATUS = {
    "free": "free",
    "excepted": "excepted",
    "notification": "notification",
    "licence": "licence needed",
    "prohibited": "prohibited",
    "indeterminate": "not determined",
}
POLICY = {
    "": "no stated policy",
    "presumption-of-approval": "presumption of approval",
    "case-by-case": "case by case",
    "presumption-of-denial": "presumption of denial",
    "embargo": "embargo",
    "notification": "notification",
}
ROLE = {"consumable": "consumable", "capital": "capital equipment", "knowledge": "software and know-how"}
QUALITY = {"reported": "reported", "derived": "derived", "estimate": "estimate", "assumption": "assumption"}


def missing(value: Any) -> bool:
    """Say whether ``value`` is blank: None, NaN, NaT or empty text."""
    if value is None or value == "":
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in ("NaTType", "NAType")


def percent(share: float, digits: int = 0) -> str:
    """Return a share 0..1 as "31 %"; a share that is not 0 never prints as 0, one that is not 1 never as 100."""
    if missing(share):
        return "unknown"
    return f"{_points(share, digits)}{NBSP}%"


def _points(share: float, digits: int = 0) -> str:
    value = 100 * float(share)
    step = 10.0**-digits
    if 1e-7 < value < step / 2:
        return f"<{step:.{digits}f}"
    if 100 - step / 2 <= value < 100 - 1e-7:
        return f">{100 - step:.{digits}f}"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def percent_range(low: float, high: float, digits: int = 0) -> str:
    """Return "31–48 %", one number where both ends print alike, "unknown" where an end is blank."""
    if missing(low) or missing(high):
        return "unknown"
    first, last = _points(low, digits), _points(high, digits)
    if first == last or (first == "0" and last.startswith("<")):
        return f"{last}{NBSP}%"
    return f"{first}{DASH}{last}{NBSP}%"


def bracket(low: float, high: float, unknown: float) -> str:
    """Return "31–48 %, unknown 6 %": the known bracket, then what the unknown facts may add to it."""
    text = percent_range(low, high)
    if text == "unknown" or missing(unknown) or unknown < 5e-4:
        return text
    return f"{text}, unknown{NBSP}{percent(unknown)}"


def number(value: float, digits: int = 0) -> str:
    """Return a number with thousands apart, or "unknown"."""
    if missing(value):
        return "unknown"
    return f"{float(value):,.{digits}f}".replace(",", "\u202f")


def money(value: float, currency: str = "USD") -> str:
    """Return an amount in the largest fitting unit: "USD 3.4 m"."""
    if missing(value):
        return "unknown"
    value = float(value)
    for size, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(value) >= size:
            return f"{currency}{NBSP}{value / size:,.{0 if abs(value) >= 100 * size else 1}f}{NBSP}{unit}"
    return f"{currency}{NBSP}{value:,.0f}"


def signed(value: float, text: str) -> str:
    """Return ``text`` of a change with its sign in front, a true minus for a fall."""
    return f"{'+' if value > 0 else chr(0x2212) if value < 0 else '±'}{text.lstrip('-')}"


def months(value: float) -> str:
    """Return "3 months", "1 month", "2.5 months"."""
    if missing(value):
        return "unknown"
    if math.isinf(float(value)):
        return "no end in sight"
    text = f"{float(value):.1f}".removesuffix(".0")
    return f"{text}{NBSP}month{'' if text == '1' else 's'}"


def day(value: Any) -> str:
    """Return a day as "10 Sep 2024" (text YYYY-MM-DD, date or datetime); blank as a dash."""
    if missing(value):
        return NONE
    if not isinstance(value, (date, datetime)):
        text = str(value)[:10]
        try:
            value = date.fromisoformat(text)
        except ValueError:
            return text
    return f"{value.day}{NBSP}{value:%b}{NBSP}{value.year}"


def listed(names: Sequence[str], most: int = 4, joint: str = "and") -> str:
    """Return "A, B and C", or "A, B and 5 more" when there are more than ``most``."""
    names = list(names)
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} {joint} {len(names) - most} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {joint} {names[-1]}"


def count(value: int, singular: str, plural: str = "") -> str:
    """Return "1 supply", "2 supplies": a count with its noun."""
    return f"{number(value)}{NBSP}{singular if value == 1 else plural or singular + 's'}"


def chain(steps: Sequence[str]) -> str:
    """Return a chain of binding requirements, product first: "ai-accelerator ← hbm ← fab-dram"."""
    return f" {chr(0x2190)} ".join(steps)


def short(text: str, length: int) -> str:
    """Return ``text`` cut to ``length`` characters, the last one an ellipsis where it was cut."""
    return text if len(text) <= length else text[: max(length - 1, 1)].rstrip() + "…"
