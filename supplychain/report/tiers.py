"""The network picture: items in columns by tier, all named; colour only where something binds (focus + context).

A name is written whole but for what stands in brackets at its end, where no other item is called so; the tip and the
table hold it in full. A long one takes two lines.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from supplychain.report import marks, words
from supplychain.report.language import ENGLISH, Language
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_ROW = 11.4  # pixels from item to item
_SECOND = 8.6  # further pixels for the second line of a name
_GAP = 9.0  # further pixels before a category's heading
_COLUMN = 176.0
_BAR = 22.0  # width of the small bar that shows what needs leave
_MOST = 52  # lines of items in one column; a tier with more takes several columns
_TOP = 46.0
_CHARACTERS = 29
_BRACKETS = re.compile(r"\s*[(\uff08][^()\uff08\uff09]*[)\uff09]\s*$")
_PIECES = re.compile(r"[\u2e80-\uffef]|[^\s\u2e80-\uffef]+\s*")  # where a line may end: after a word, or any sign
_HATCH = "hatch-network"
TIERS = {
    0: mark("Products"),
    1: mark("Fabrication and packaging"),
    2: mark("Tools, software, materials"),
    3: mark("Subsystems and metals"),
    4: mark("Minerals"),
}


@dataclass(frozen=True)
class _Place:
    """Where an item stands: the left end of its bar and the middle of its line."""

    x: float
    y: float


def names_of(items: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the name of every item as one or two lines."""
    full = {str(item): str(name) for item, name in zip(items["item"], items["name"], strict=True)}
    bare = {item: without_brackets(name) for item, name in full.items()}
    times = Counter(bare.values())
    return {item: wrapped(name if times[name] == 1 else full[item], _CHARACTERS) for item, name in bare.items()}


def without_brackets(name: str) -> str:
    """Return a name without what stands in brackets at its end."""
    return _BRACKETS.sub("", name) or name


def wrapped(text: str, length: int) -> tuple[str, ...]:
    """Return ``text`` in at most two lines of ``length`` columns; only what does not fit into both is cut."""
    if words.width(text) <= length:
        return (text,)
    first, rest = "", text
    for piece in _PIECES.finditer(text):
        if words.width((text[: piece.end()]).rstrip()) > length:
            break
        first, rest = text[: piece.end()].rstrip(), text[piece.end() :]
    return (first, words.short(rest.strip(), length)) if first else (words.short(text, length),)


def _columns(items: pd.DataFrame, language: Language) -> list[tuple[str, list[pd.DataFrame]]]:
    """Split the items by tier, and a long tier by whole categories, into columns of about equal length."""
    columns: list[tuple[str, list[pd.DataFrame]]] = []
    ordered = items.sort_values(["tier", "category", "name", "item"])
    for tier in sorted({int(tier) for tier in ordered["tier"].fillna(99)}):
        inside = ordered[ordered["tier"].fillna(99) == tier]
        blocks = [block for _, block in inside.groupby("category")]
        pieces = -(-int(inside["lines"].sum()) // _MOST)
        target = inside["lines"].sum() / pieces
        filled = 0
        current: list[pd.DataFrame] = []
        heading = language.say(TIERS[tier]) if tier in TIERS else language.say("Tier {n}", n=tier)
        for block in blocks:
            if current and filled + block["lines"].sum() / 2 > target and pieces > 1:
                columns.append((heading, current))
                heading, filled, current = language.say("… continued"), 0, []
                pieces -= 1
            current.append(block)
            filled += int(block["lines"].sum())
        columns.append((heading, current))
    return columns


def draw(items: pd.DataFrame, chains: pd.DataFrame, label: str, language: Language = ENGLISH) -> Markup:
    """Draw the network.

    ``items``: ``item, name, tier, category, leave`` (share of its supply to the buyer that needs leave, 0..1),
    ``unknown`` (share not determined), ``choke`` (bool), ``loss`` (after re-sourcing). ``chains``: ``chain, step,
    item`` in the order product to cause; each chain is one line through the picture.
    """
    names = names_of(items)
    columns = _columns(items.assign(lines=[len(names[str(item)]) for item in items["item"]]), language)
    places: dict[str, _Place] = {}
    focus = set(chains["item"]) | set(items.loc[items["choke"], "item"])
    drawn, headings = [], []
    height = 0.0
    for index, (heading, blocks) in enumerate(columns):
        x, y = index * _COLUMN, _TOP
        headings.append(marks.text(x, 16, heading, font_weight=600))
        for block in blocks:
            y += _GAP
            category = language.category(str(block["category"].iloc[0]))
            headings.append(marks.text(x, y, category.upper(), font_size=7, fill=marks.MUTED, letter_spacing=0.6))
            for row in block.to_dict("records"):
                y += _ROW
                places[str(row["item"])] = _Place(x, y - 3)
                name = names[str(row["item"])]
                drawn.append(_item(row, name, x, y, str(row["item"]) in focus, language))
                y += _SECOND * (len(name) - 1)
            y += 3
        height = max(height, y)
    width = len(columns) * _COLUMN - 12
    return marks.picture(
        max(width, 5 * _COLUMN),
        height + 46,
        label,
        marks.tag("defs", marks.hatch(_HATCH)),
        marks.group(_lines(chains, places), fill="none", stroke=marks.DEEP),
        marks.group(headings, font_size=11, fill=marks.INK),
        marks.group(drawn, font_size=8.4),
        _key(height + 18, language),
        class_="picture network",
    )


def _item(
    row: Mapping[Any, Any], name: tuple[str, ...], x: float, y: float, in_focus: bool, language: Language
) -> Markup:
    """The bar of what needs leave, then the name; bold and dark in focus, grey as context."""
    leave, unknown = _share(row["leave"]), _share(row["unknown"])
    known = leave * _BAR
    parts = [
        marks.tag("title", Markup("") + language.say("{what}: {value}", what=row["name"], value=row["wording"])),
        marks.tag("rect", x=x, y=y - 6.6, width=_BAR, height=6, fill="#e9edf1"),
    ]
    if known > 0.2:
        parts.append(marks.tag("rect", x=x, y=y - 6.6, width=known, height=6, fill=marks.AMBER))
    if unknown * _BAR > 0.2:
        parts.append(marks.tag("rect", x=x + known, y=y - 6.6, width=unknown * _BAR, height=6, fill=f"url(#{_HATCH})"))
    if row["choke"]:
        parts.append(marks.tag("circle", cx=x + _BAR + 6.5, cy=y - 3.5, r=3.2, fill=marks.ALERT))
    parts += [
        marks.text(
            x + _BAR + 12,
            y + _SECOND * number,
            line,
            fill=marks.INK if in_focus else marks.MUTED,
            font_weight=650 if in_focus else None,
            stroke="#ffffff",
            stroke_width=2,
            paint_order="stroke",
        )
        for number, line in enumerate(name)
    ]
    return marks.group(parts, data_item=str(row["item"]))


def _share(value: object) -> float:
    return min(max(float(value), 0.0), 1.0) if isinstance(value, (int, float)) and value == value else 0.0


def _lines(chains: pd.DataFrame, places: Mapping[str, _Place]) -> list[Markup]:
    """One curve per link of a chain of causes; a link that several chains share is drawn once, wider."""
    links: dict[tuple[str, str], int] = {}
    for _, chain in chains.sort_values(["chain", "step"]).groupby("chain"):
        names = [str(name) for name in chain["item"] if str(name) in places]
        for pair in pairwise(names):
            links[pair] = links.get(pair, 0) + 1
    curves = []
    for (near, far), times in sorted(links.items()):
        a, b = places[near], places[far]
        if b.x > a.x:
            start, end, bend = a.x + _COLUMN - 22, b.x - 3, max((b.x - a.x - _COLUMN) * 0.35 + 16, 16)
            path = (
                f"M{marks.num(start)},{marks.num(a.y)}C{marks.num(start + bend)},{marks.num(a.y)} "
                f"{marks.num(end - bend)},{marks.num(b.y)} {marks.num(end)},{marks.num(b.y)}"
            )
        else:  # same tier or backwards: a bow to the left of both
            out = min(a.x, b.x) - 14
            path = (
                f"M{marks.num(a.x - 3)},{marks.num(a.y)}C{marks.num(out)},{marks.num(a.y)} "
                f"{marks.num(out)},{marks.num(b.y)} {marks.num(b.x - 3)},{marks.num(b.y)}"
            )
        curves.append(marks.tag("path", d=path, stroke_width=0.8 + 0.5 * min(times, 6), opacity=0.7))
    return curves


def _key(y: float, language: Language) -> Markup:
    say = language.say
    parts = [
        marks.tag("rect", x=0, y=y - 7, width=_BAR, height=7, fill=marks.AMBER),
        marks.text(_BAR + 6, y, say("share of supply that needs leave to reach the buyer")),
        marks.tag("rect", x=292, y=y - 7, width=_BAR, height=7, fill=f"url(#{_HATCH})"),
        marks.text(292 + _BAR + 6, y, say("not determined")),
        marks.tag("circle", cx=414, cy=y - 3.5, r=3.6, fill=marks.ALERT),
        marks.text(422, y, say("choke point")),
        marks.tag("path", d=f"M0,{marks.num(y + 13)}h{_BAR:g}", stroke=marks.DEEP, stroke_width=2),
        marks.text(
            _BAR + 6,
            y + 16,
            say("binding chain, product to cause; wider where several chains share a link"),
        ),
    ]
    return marks.group(parts, font_size=9.5, fill=marks.INK)
