"""Builds SVG as text: all attributes and words escaped, numbers short, so the same input gives the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable

# One restrained palette, told apart by colour-blind readers (blue against orange, checked by lightness too).
INK = "#1c2733"
MUTED = "#5d6b7a"
FAINT = "#a9b4bf"
LINE = "#d9dfe5"
PAPER = "#ffffff"
WASH = "#f4f6f8"
DEEP = "#1f5a8a"  # loss that stays after re-sourcing
LIGHT = "#9cc3e0"  # further loss before re-sourcing
UNKNOWN = "#c9ced4"  # hatched: what the unknown facts may add
ALERT = "#c8600f"  # choke points and controls of the regime
AMBER = "#f0b673"
SANS = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, 'Noto Sans', sans-serif"

# Statuses from free to prohibited: lightness falls with severity, the hatch marks what is not determined.
STATUS_FILL = {
    "free": "#eef2f5",
    "excepted": "#d6e6f2",
    "notification": "#9cc3e0",
    "licence": "#f0b673",
    "prohibited": "#a8480a",
    "indeterminate": UNKNOWN,
}


def num(value: float, digits: int = 1) -> str:
    """Return a coordinate with few digits and no trailing zeros."""
    text = f"{float(value):.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def tag(name: str, *inside: Markup | str, **attributes: float | str | None) -> Markup:
    """Return one element; ``_`` in an attribute's name is ``-``, a trailing one is dropped; None leaves it out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(num(value) if isinstance(value, (int, float)) else value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    body = Markup("").join(inside)
    return Markup(f"<{name}{written}>{body}</{name}>" if body else f"<{name}{written}/>")


def text(x: float, y: float, words: str, **attributes: float | str | None) -> Markup:
    """Return a line of text at a point."""
    return tag("text", escape(words), x=x, y=y, **attributes)


def group(parts: Iterable[Markup], **attributes: float | str | None) -> Markup:
    return tag("g", *parts, **attributes)


def hatch(identifier: str, colour: str = "#8a949e", ground: str = "#e9ecef") -> Markup:
    """Return the definition of the hatch that stands for 'unknown' in every picture."""
    return tag(
        "pattern",
        tag("rect", width=5, height=5, fill=ground),
        tag("path", d="M-1,1l2,-2M0,5l5,-5M4,6l2,-2", stroke=colour, stroke_width=1),
        id=identifier,
        width=5,
        height=5,
        patternUnits="userSpaceOnUse",
    )


def picture(width: float, height: float, label: str, *parts: Markup, class_: str = "picture") -> Markup:
    """Return a whole picture that scales to its column; ``label`` is what a screen reader says."""
    return tag(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {num(width)} {num(height)}",
        width=num(width),
        class_=class_,
        role="img",
        aria_label=label,
        font_family=SANS,
    )
