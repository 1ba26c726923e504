"""The tabs that show a reading: overview, choke points, and scenarios side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.app import texts
from supplychain.app.views.ask import what
from supplychain.app.views.render import SAME, delta, loss, part, rows

if TYPE_CHECKING:
    from supplychain.app.measure import Reading
    from supplychain.app.state import Desk

MEASURES: Final = {"in_force": "in force", "at_leave": "at leave"}
HORIZONS: Final = (3.0, 12.0, 36.0)
_NEEDS: Final = 60  # rows of the table of needs that are shown


def overview(desk: Desk, reading: Reading) -> str:
    """The headline at three horizons in both measures, beside the case as it is; what changed; needs that lose."""
    cards, heads = [], _heads(reading)
    for horizon in HORIZONS:
        figures = []
        for key, measure in MEASURES.items():
            row = heads[measure, horizon]
            ask = what("headline", measure=measure, horizon=horizon)
            figures.append({"key": key, "row": row, "what": ask, "delta": delta(row)})
        cards.append({"horizon": horizon, "figures": figures})
    return part(
        "overview",
        cards=cards,
        changes=_changes(reading),
        plants=_plants(reading, MEASURES[desk.measure]),
        plant=desk.plant,
        needs=_needs(reading, MEASURES[desk.measure], desk.plant),
        measure=desk.measure,
        warnings=reading.warnings,
        empty=reading.draft.empty,
    )


def summary(reading: Reading) -> str:
    """Return the headline in a sentence, for screen readers."""
    row = _heads(reading)["at leave", 12.0]
    return texts.say("told.result", now=loss(row), before=loss(row, "base_"))


Heads = dict[tuple[str, float], dict[str, Any]]


def _heads(reading: Reading) -> Heads:
    """The rows of the headline by measure and horizon."""
    return {(str(row["measure"]), float(row["horizon"])): row for row in rows(reading.headline)}


def different(table: pd.DataFrame, names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Which rows moved from the case as it is, in any of the columns, by more than prints as nothing."""
    now, before = (np.nan_to_num(table[[f"{side}{name}" for name in names]].to_numpy(float)) for side in ("", "base_"))
    moved: npt.NDArray[np.bool_] = (np.abs(now - before) >= SAME).any(axis=1)
    return moved


def _changes(reading: Reading) -> dict[str, Any]:
    """What the scenario moves: needs, choke points, items whose status by law changes, states' hold."""
    chokes = reading.choke_points
    items = reading.items
    shares = ("free", "excepted", "leave", "denied", "unknown")
    moved = items[different(items, shares)].copy()
    if len(moved):
        moved["size"] = sum((moved[name] - moved[f"base_{name}"]).abs() for name in shares)
        moved = moved.sort_values(["size", "item"], ascending=[False, True])
    needs = reading.needs
    hit = needs[different(needs, ("after", "short", "after_high", "short_high"))]
    states = reading.states
    held = states[different(states, ("all_short", "leave_short"))]
    return {
        "became": rows(chokes[chokes["change"] == "became"]),
        "stopped": rows(chokes[chokes["change"] == "stopped"]),
        "items": [_item(row) for row in rows(moved.head(12))],
        "more_items": max(len(moved) - 12, 0),
        "needs": int(hit[["plant", "destination", "item"]].drop_duplicates().shape[0]),
        "states": rows(held.head(8)),
        "any": bool(len(moved) or len(hit) or len(held) or (chokes["change"] != "stays").any()),
    }


def _item(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "what": what("item", item=row["item"])}


def _plants(reading: Reading, measure: str) -> list[dict[str, Any]]:
    """Each plant at 12 months: as its worst need, since it needs them all; none for a buyer without plants."""
    table = reading.plants
    here = table[(table["measure"] == measure) & (table["horizon"] == 12.0) & (table["plant"] != "")]
    here = here.sort_values(["short", "plant"], ascending=[False, True])
    return [{**row, "delta": delta(row)} for row in rows(here)]


def _needs(reading: Reading, measure: str, plant: str) -> dict[str, Any]:
    table = reading.needs
    if plant in set(table["plant"]) - {""}:
        table = table[table["plant"] == plant]
    here = table[(table["measure"] == measure) & (table["horizon"] == 12.0)].copy()
    changed = different(here, ("after", "short", "short_high"))
    lost = np.nan_to_num(here["short_high"].to_numpy(float)) >= SAME
    shown = here.assign(changed=changed)[lost | changed]
    shown = shown.sort_values(
        ["changed", "after", "short", "plant", "item"], ascending=[False, False, False, True, True]
    )
    names = dict(zip(reading.items["item"], reading.items["name"], strict=True))
    told = [
        {
            **row,
            "name": names.get(row["item"], row["item"]),
            "delta": delta(row),
            "what": what(
                "need",
                plant=row["plant"],
                destination=row["destination"],
                item=row["item"],
                measure=measure,
                horizon=12.0,
            ),
        }
        for row in rows(shown.head(_NEEDS))
    ]
    return {"rows": told, "total": len(here), "hit": len(shown), "more": max(len(shown) - _NEEDS, 0)}


def chokes(desk: Desk, reading: Reading) -> str:
    """Choke points of the scenario and of the case as it is."""
    table = reading.choke_points
    kinds = sorted(set(table["kind"]))
    shown = table if desk.kind not in kinds else table[table["kind"] == desk.kind]
    told = [
        {
            **row,
            "delta": delta(row),
            "what": what("element", of=row["kind"], element=row["element"], horizon=12.0)
            if row["change"] != "stopped"
            else "",
        }
        for row in rows(shown)
    ]
    counts = {change: int((table["change"] == change).sum()) for change in ("became", "stopped", "stays")}
    return part("chokes", rows=told, kinds=kinds, kind=desk.kind, counts=counts)


def compare(desk: Desk, readings: list[Reading | None]) -> str:
    """Up to four scenarios side by side, each beside the case as it is."""
    columns = []
    for number, (draft, reading) in enumerate(zip(desk.work.drafts, readings, strict=True)):
        figures: list[dict[str, Any]] = []
        if reading is not None:
            heads = _heads(reading)
            for horizon in HORIZONS:
                for key, measure in MEASURES.items():
                    row = heads[measure, horizon]
                    figures.append({"key": key, "horizon": horizon, "row": row, "delta": delta(row)})
        chokes_now = reading.choke_points if reading is not None else pd.DataFrame({"change": []})
        columns.append(
            {
                "number": number,
                "title": draft.title,
                "changes": len(draft.raw) + len(draft.assumptions or {}) + len(draft.policy or {}),
                "figures": figures,
                "became": rows(chokes_now[chokes_now["change"] == "became"]),
                "stopped": rows(chokes_now[chokes_now["change"] == "stopped"]),
                "stays": int((chokes_now["change"] == "stays").sum()),
                "empty": draft.empty,
                "failed": reading is None,
            }
        )
    base = next((reading for reading in readings if reading is not None), None)
    before = []
    if base is not None:
        heads = _heads(base)
        before = [
            {"key": key, "horizon": horizon, "row": _as_base(heads[measure, horizon])}
            for horizon in HORIZONS
            for key, measure in MEASURES.items()
        ]
    return part("compare", columns=columns, before=before, horizons=HORIZONS, measures=tuple(MEASURES))


def _as_base(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[f"base_{name}"] for name in ("after", "short", "after_high", "short_high")}
