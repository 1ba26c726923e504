"""The Sankey picture: needs through groups to the state whose leave decides; every column holds the same whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from markupsafe import Markup

from supplychain.report import marks, words
from supplychain.report.language import ENGLISH, Language
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 840.0, 380.0
_TOP, _BAR, _RIGHT = 26.0, 9.0, 132.0  # above the bars, their width, and what the last labels take
_LINE = 13.0  # pixels that a label needs
_GAP = 4.0
_LETTERS = 24  # of a name in the last column; the others take what stands between the bars
_FILLS = {"leave": "#e08a35", "open": "url(#hatch)", "place unknown": "#b9c1c9", "free": "#dfe9f1"}
TREATMENTS = {
    "leave": mark("needs leave"),
    "open": mark("may need leave: facts are missing"),
    "place unknown": mark("place of production not known, so neither is the law"),
    "free": mark("no leave needed"),
}


@dataclass(frozen=True)
class Node:
    """A bar: its column, name, part of the whole, and upper end and height in pixels."""

    column: int
    name: str
    share: float
    y: float
    height: float


@dataclass(frozen=True)
class Ribbon:
    """A flow between two bars of neighbouring columns, of one treatment; ``start`` and ``end`` are its upper ends."""

    near: Node
    far: Node
    treatment: str
    share: float
    start: float
    end: float


def grouped(names: pd.Series[str], share: pd.Series[float], most: int, least: float, rest: str) -> pd.Series[str]:
    """Return the names with small parts (beyond the ``most`` largest, or below ``least``) called ``rest``."""
    total = share.groupby(names).sum().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    small = set(total.index[most:]) | set(total.index[total < least])
    return names if len(small) < 2 else names.where(~names.isin(small), rest)


def layout(flows: pd.DataFrame, columns: Sequence[str], last: Sequence[str] = ()) -> tuple[list[Node], list[Ribbon]]:
    """Return bars and ribbons of ``flows`` (``columns`` of names, ``treatment``, ``share`` summing to 1).

    Bars stand by size, those of the names in ``last`` below the others in that order. Each column holds the whole.
    """
    sizes = [_ordered(flows, name, last) for name in columns]
    rooms = [sum(_GAP + max(_LINE - 300 * part, 0.0) for part in size) for size in sizes]
    scale = min(HEIGHT - room for room in rooms)  # pixels of the whole
    nodes: list[dict[str, Node]] = []
    for number, size in enumerate(sizes):
        y, found = _TOP, {}
        for name, part in size.items():
            height = float(part) * scale
            around = max(_LINE - height, 0.0) / 2
            found[str(name)] = Node(number, str(name), float(part), y + around, height)
            y += height + 2 * around + _GAP
        nodes.append(found)
    ribbons = []
    order = {name: place for place, name in enumerate(TREATMENTS)}
    for number in range(len(columns) - 1):
        links = flows.groupby([columns[number], columns[number + 1], "treatment"], as_index=False)["share"].sum()
        near, far = nodes[number], nodes[number + 1]
        links = links.assign(
            order=links["treatment"].map(order),
            up=[near[str(name)].y for name in links[columns[number]]],
            down=[far[str(name)].y for name in links[columns[number + 1]]],
        )
        links = links.sort_values(["order", "up", "down"], kind="stable")
        left, right = ({name: node.y for name, node in side.items()} for side in (near, far))
        for one, other, treatment, share in links.iloc[:, :4].itertuples(index=False, name=None):
            a, b = str(one), str(other)
            ribbons.append(Ribbon(near[a], far[b], str(treatment), float(share), left[a], right[b]))
            left[a] += share * scale
            right[b] += share * scale
    return [node for side in nodes for node in side.values()], ribbons


def _ordered(flows: pd.DataFrame, column: str, last: Sequence[str]) -> pd.Series[float]:
    total = flows.groupby(column)["share"].sum().sort_index(kind="stable")
    rank = np.array([list(last).index(name) + 1 if name in last else 0 for name in total.index])
    return total.iloc[np.lexsort((-total.to_numpy(float), rank))]


def draw(
    flows: pd.DataFrame,
    headings: Mapping[str, str],
    last: Sequence[str],
    label: str,
    language: Language = ENGLISH,
) -> Markup:
    """Draw ``flows``; ``headings`` names each column of names, in order from the need to who decides."""
    nodes, ribbons = layout(flows, list(headings), last)
    step = (WIDTH - _RIGHT - _BAR) / (len(headings) - 1)
    parts = [
        marks.text(number * step, 14, heading, font_weight=600, font_size=11, fill=marks.INK)
        for number, heading in enumerate(headings.values())
    ]
    for ribbon in reversed(ribbons):  # what needs leave is drawn last, over the rest
        thick = ribbon.share * _scale(ribbon)
        x, to = ribbon.near.column * step + _BAR, ribbon.far.column * step
        tip = language.say(
            "{first} → {second}: {share}",
            first=ribbon.near.name,
            second=ribbon.far.name,
            share=language.percent(ribbon.share, 1),
        )
        parts.append(
            marks.tag(
                "path",
                marks.tag("title", Markup("") + tip),
                d=_path(x, ribbon.start, to, ribbon.end, thick),
                fill=_FILLS[ribbon.treatment],
                fill_opacity=0.9,
            )
        )
    for node in nodes:
        x = node.column * step
        parts.append(
            marks.tag(
                "rect", x=x, y=node.y, width=_BAR, height=max(node.height, 0.8), fill=marks.DEEP, fill_opacity=0.9
            )
        )
        name = language.say(
            "{what} {share}",
            what=words.short(node.name, _LETTERS if node.column == len(headings) - 1 else int((step - 60) / 5.6)),
            share=language.percent(node.share, 1),
        )
        parts.append(
            marks.text(
                x + _BAR + 4,
                node.y + node.height / 2 + 3.5,
                name,
                font_size=9.5,
                fill=marks.INK,
                stroke="#ffffff",
                stroke_width=2.5,
                stroke_opacity=0.85,
                paint_order="stroke",
            )
        )
    bottom = max(node.y + node.height for node in nodes) + 20
    parts.append(_key([name for name in TREATMENTS if (flows["treatment"] == name).any()], bottom, language))
    return marks.picture(WIDTH, bottom + 12, label, *parts, class_="picture sankey")


def _scale(ribbon: Ribbon) -> float:
    return ribbon.near.height / ribbon.near.share


def _path(x: float, y: float, to: float, end: float, thick: float) -> str:
    """Return a band of constant height from one bar to the next."""
    n, bend = marks.num, (x + to) / 2
    return (
        f"M{n(x)},{n(y, 2)}C{n(bend)},{n(y, 2)} {n(bend)},{n(end, 2)} {n(to)},{n(end, 2)}v{n(thick, 2)}"
        f"C{n(bend)},{n(end + thick, 2)} {n(bend)},{n(y + thick, 2)} {n(x)},{n(y + thick, 2)}z"
    )


def _key(present: Sequence[str], y: float, language: Language) -> Markup:
    parts, x = [], 0.0
    for name in present:
        told = language.say(TREATMENTS[name])
        parts.append(marks.tag("rect", x=x, y=y - 8, width=20, height=9, fill=_FILLS[name]))
        parts.append(marks.text(x + 25, y, told, fill=marks.INK))
        x += 44 + 5.1 * words.width(told)
    return marks.group(parts, font_size=9.5)
