"""The world map: TopoJSON outlines, projected (Equal Earth), each state filled by its value in one table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from supplychain.report import marks
from supplychain.report.language import ENGLISH, Language

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

WIDTH, HEIGHT = 1080.0, 470.0
_GRID = 0.5  # pixels: outlines are rounded to this grid, arc by arc, so shared borders stay shared
_SMALL = 22.0  # square pixels: a state that covers less is also marked by a dot
_LARGE = 1500.0  # square pixels: a state that covers more carries its own name; the others are named in the oceans
_MERIDIAN = 11.5  # degrees east in the middle: the page's edge then runs through the Bering Strait and cuts no land
_ATLANTIC, _PACIFIC = 412.0, 968.0  # pixels: where the names of small western and eastern states stand
NAMELESS = "none"  # land that the outlines give no code: drawn, never filled
_STEPS = (0.0005, 0.05, 0.15, 0.3, 0.5)
_FILLS = ("#e6ebef", "#cfe0ee", "#9cc3e0", "#5f9bc9", "#2f6ea5", "#143f68")


@dataclass(frozen=True)
class Outline:
    """One state on the page: its path, its label point in pixels and the area it covers in square pixels."""

    path: str
    x: float
    y: float
    area: float


def equal_earth(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project points (n, 2: longitude, latitude in degrees) to the plane (n, 2), y upwards.

    Savric, Patterson and Jenny, "The Equal Earth map projection", IJGIS 33(3), 2019: areas keep their ratio.
    """
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    longitude, latitude = np.radians(degrees[:, 0]), np.radians(degrees[:, 1])
    theta = np.arcsin(np.sqrt(3) / 2 * np.sin(latitude))
    square = theta * theta
    power6 = square**3
    x = 2 * np.sqrt(3) * longitude * np.cos(theta)
    x /= 3 * (9 * a4 * power6 * square + 7 * a3 * power6 + 3 * a2 * square + a1)
    y = theta * (a1 + a2 * square + power6 * (a3 + a4 * square))
    return np.column_stack([x, y])


def _to_page(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Projected pixels on the page; the frame runs from 58 degrees south to 84 north, without Antarctica."""
    corners = equal_earth(np.array([[-180.0, 0.0], [0.0, 84.0], [0.0, -58.0]]))
    left, top, bottom = corners[0, 0], corners[1, 1], corners[2, 1]
    scale = min(WIDTH / (-2 * left), HEIGHT / (top - bottom))
    centred = degrees.copy()
    centred[:, 0] = (centred[:, 0] - _MERIDIAN + 180) % 360 - 180
    plane = equal_earth(centred)
    return np.column_stack([WIDTH / 2 + plane[:, 0] * scale, (top - plane[:, 1]) * scale])


def decode_arcs(topology: Mapping[str, Any]) -> list[NDArray[np.float64]]:
    """Return the arcs of a TopoJSON topology in degrees: quantised arcs are running sums, scaled and shifted."""
    if "transform" not in topology:
        return [np.asarray(arc, dtype=float)[:, :2] for arc in topology["arcs"]]
    scale, shift = (np.asarray(topology["transform"][key], dtype=float) for key in ("scale", "translate"))
    return [np.cumsum(np.asarray(arc, dtype=float)[:, :2], axis=0) * scale + shift for arc in topology["arcs"]]


def _thin(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to the grid and drop points that fall on the one before; the ends stay, so arcs still meet."""
    rounded = np.round(points / _GRID) * _GRID
    keep = np.ones(len(rounded), dtype=bool)
    keep[1:] = (np.diff(rounded, axis=0) != 0).any(axis=1)
    return rounded[keep]


def _ring(arcs: list[NDArray[np.float64]], indices: list[int]) -> NDArray[np.float64]:
    """Join arcs to one ring; ``~i`` means arc i backwards, and each arc repeats the last point of the one before."""
    parts = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


def _area_and_middle(ring: NDArray[np.float64]) -> tuple[float, float, float]:
    """Area and centroid of a closed ring (the shoelace formula)."""
    (x, y), (next_x, next_y) = ring[:-1].T, ring[1:].T
    cross = x * next_y - next_x * y
    total = float(cross.sum())
    if abs(total) < 1e-9:
        return 0.0, float(x.mean()), float(y.mean())
    middle = ((x + next_x) @ cross / (3 * total), (y + next_y) @ cross / (3 * total))
    return abs(total) / 2, float(middle[0]), float(middle[1])


def _path(rings: list[NDArray[np.float64]]) -> str:
    parts = []
    for ring in rings:
        steps = np.diff(ring, axis=0)
        moves = " ".join(f"{marks.num(dx)},{marks.num(dy)}" for dx, dy in steps[:-1].tolist())
        parts.append(f"M{marks.num(ring[0, 0])},{marks.num(ring[0, 1])}l{moves}z")
    return "".join(parts)


@cache
def outlines(file: Path, key: str = "id") -> dict[str, Outline]:
    """Read a TopoJSON file of countries and return one outline per state, by the code in ``key`` (or its property)."""
    topology = json.loads(file.read_text(encoding="utf-8"))
    arcs = [_thin(_to_page(arc)) for arc in decode_arcs(topology)]
    found: dict[str, list[NDArray[np.float64]]] = {}
    for geometry in topology["objects"]["countries"]["geometries"]:
        code = str(geometry.get(key) or geometry.get("properties", {}).get(key) or NAMELESS)
        pieces = geometry.get("arcs", [])
        polygons = [pieces] if geometry["type"] == "Polygon" else pieces
        rings = [_ring(arcs, ring) for polygon in polygons for ring in polygon]
        whole = (ring for ring in rings if len(ring) > 2 and np.abs(np.diff(ring[:, 0])).max() < WIDTH / 3)
        found.setdefault(code, []).extend(whole)
    return {code: _outline(rings) for code, rings in sorted(found.items()) if rings}


def _outline(rings: list[NDArray[np.float64]]) -> Outline:
    measured = [_area_and_middle(ring) for ring in rings]
    area, x, y = max(measured)
    largest = rings[measured.index((area, x, y))]
    drawn = [r for r, m in zip(rings, measured, strict=True) if len(r) > 3 and m[0] >= _GRID] or [largest]
    return Outline(_path(drawn), x, y, area)


def fill_of(value: float) -> str:
    """Return the fill of a share of need: grey for none, then five blues."""
    return _FILLS[int(np.searchsorted(_STEPS, value, side="right"))]


def world(
    shapes: Mapping[str, Outline],
    states: pd.DataFrame,
    buyers: Mapping[str, str],
    label: str,
    language: Language = ENGLISH,
) -> Markup:
    """Draw who can withhold.

    ``states`` has ``state`` (ISO3), ``name``, ``value`` (share of the need, 0..1), ``wording`` (for the tip).
    ``buyers`` maps a state to the name of the plants there: each is a ring on the map.
    """
    values = dict(zip(states["state"], states["value"].astype(float), strict=True))
    tips = dict(zip(states["state"], states["wording"], strict=True))
    land, dots = [], []
    for code, shape in shapes.items():
        if code == "ATA" or shape.y > HEIGHT:
            continue
        value = values.get(code, 0.0)
        tip = marks.tag("title", words_of(tips, code)) if code in tips else Markup("")
        land.append(marks.tag("path", tip, d=shape.path, fill=fill_of(value)))
        if shape.area < _SMALL and (value > _STEPS[0] or code in buyers):
            dots.append(marks.tag("circle", tip, cx=shape.x, cy=shape.y, r=3.4, fill=fill_of(value), stroke="#ffffff"))
    named = states[states["value"] >= _STEPS[1]].sort_values(["value", "state"], ascending=[False, True]).head(16)
    labels = {
        code: f"{code} {language.percent(value)}" for code, value in zip(named["state"], named["value"], strict=True)
    }
    rings = [
        marks.tag(
            "circle",
            marks.tag("title", words_of(buyers, code)),
            cx=shapes[code].x,
            cy=shapes[code].y + (16 if code in labels and shapes[code].area > _LARGE else 0),
            r=6.5,
            fill="none",
            stroke=marks.ALERT,
            stroke_width=2,
        )
        for code in sorted(buyers)
        if code in shapes
    ]
    return marks.picture(
        WIDTH,
        HEIGHT + 34,
        label,
        marks.group(land, stroke="#ffffff", stroke_width=0.5, stroke_linejoin="round"),
        marks.group(dots, stroke_width=1),
        *rings,
        marks.group(_names(shapes, labels), font_size=11, font_weight=600, fill=marks.INK),
        _key(bool(buyers), language),
        class_="picture map",
    )


def words_of(names: Mapping[str, str], code: str) -> Markup:
    return Markup("") + names[code]


def _names(shapes: Mapping[str, Outline], labels: Mapping[str, str]) -> list[Markup]:
    """Write each label: on the state where it fits, else in the nearest ocean with a line to the state."""
    halo: dict[str, float | str | None] = {
        "stroke": "#ffffff",
        "stroke_width": 3,
        "paint_order": "stroke",
        "stroke_linejoin": "round",
    }
    drawn = []
    for edge, anchor, towards in ((_ATLANTIC, "end", 1), (_PACIFIC, "start", -1)):
        last = -100.0
        west = edge == _ATLANTIC
        for code in sorted(labels, key=lambda c: (shapes[c].y, c) if c in shapes else (0.0, c)):
            if code not in shapes or (shapes[code].x < WIDTH * 0.6) is not west:
                continue
            shape = shapes[code]
            if shape.area > _LARGE:
                drawn.append(marks.text(shape.x, shape.y + 4, labels[code], text_anchor="middle", **halo))
                continue
            last = max(shape.y, last + 15)
            line = f"M{marks.num(shape.x)},{marks.num(shape.y)}L{marks.num(edge + 3 * towards)},{marks.num(last)}"
            drawn.append(marks.tag("path", d=line, stroke=marks.MUTED, stroke_width=0.7, fill="none"))
            drawn.append(marks.text(edge, last + 4, labels[code], text_anchor=anchor, **halo))
    return drawn


def _key(with_buyers: bool, language: Language) -> Markup:
    say = language.say
    y = HEIGHT + 12
    below = [say("< {points} %", points=f"{100 * step:.0f}") for step in _STEPS[1:]]
    labels = [say("none"), *below, say("≥ {points} %", points=f"{100 * _STEPS[-1]:.0f}")]
    parts = [marks.text(0, y + 10, say("Share of the need the state can withhold"), fill=marks.MUTED)]
    x = 252.0
    for fill, words_ in zip(_FILLS, labels, strict=True):
        parts.append(marks.tag("rect", x=x, y=y, width=26, height=12, fill=fill))
        parts.append(marks.text(x + 31, y + 10, words_, fill=marks.INK))
        x += 84
    if with_buyers:
        parts.append(marks.tag("circle", cx=x + 12, cy=y + 6, r=5.5, fill="none", stroke=marks.ALERT, stroke_width=2))
        parts.append(marks.text(x + 24, y + 10, say("the buyer"), fill=marks.INK))
    return marks.group(parts, font_size=11)
