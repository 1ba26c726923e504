"""The tabs and the panel that answer a question: the plan, the scenario's file, the downloads, the explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from supplychain.app import texts
from supplychain.app.explain import row_of
from supplychain.app.views.ask import what
from supplychain.app.views.render import known, part, rows, safe_address
from supplychain.network import UNKNOWN_PLACE
from supplychain.report.language import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supplychain.app.advise import Advice
    from supplychain.app.explain import Level
    from supplychain.app.state import Desk, Notice
    from supplychain.app.workspace import Catalogue, Workspace

_FIGURES: Final = (
    "total_cost", "suppliers", "to_qualify", "controlled_share", "worst_at_leave_resourced", "worst_at_leave_short_run",
    "worst_all_resourced", "worst_all_short_run", "unserved",
)  # fmt: skip
_SHARES: Final = frozenset({"controlled_share", "unserved", *(name for name in _FIGURES if name.startswith("worst"))})
LIMITS: Final = (
    "caps.supplier", "caps.site", "caps.jurisdiction", "sources.minimum", "control.controlled_maximum",
    "control.noncontrolling_minimum", "licences.mode", "stock.maximum_days", "budget.relative_to_today",
)  # fmt: skip
_LINES: Final = 80
_LEVEL_ROWS: Final = 40
# Which columns of a level stand in the panel; the rest would not fit. A level that is not named shows all of its own.
_COLUMNS: Final = {
    "Needs": ("item", "plant", "after", "short", "short_high", "weight", "part"),
    "Why: binding chain": ("item", "rank", "place", "role", "loss", "cause"),
    "Lines": ("item", "organisation", "site", "destination", "share", "status", "quality", "source"),
    "Determinations": ("flows", "status", "policy", "citation", "floor", "ceiling", "questions"),
    "Controls": ("control", "imposing", "status", "policy", "instrument", "from", "flows", "source"),
    "Every control on the item, clause by clause": ("control", "imposing", "verdict", "destination", "citation"),
    "Exceptions that may lift it": ("name", "destination", "condition", "from", "to", "basis", "source"),
    "What it needs": ("requires", "role", "essentiality", "quality", "source"),
    "Sources": ("title", "publisher", "date", "url"),
}
_PERCENT: Final = frozenset(
    {"after", "short", "after_high", "short_high", "share", "weight", "part", "loss", "withheld", "lost", "free",
     "excepted", "leave", "denied", "unknown", "today", "base_share", "moved", "coefficient", "use_share"}
)  # fmt: skip


def plan(desk: Desk, advice: Advice | None, waiting: bool, failed: Notice | None, workspace: Workspace) -> str:
    """The recommended plan: what it costs, what it protects from, and which purchases move."""
    setup = desk.work.setup
    catalogue = workspace.catalogue(setup)
    values: dict[str, Any] = {
        "waiting": waiting,
        "failed": failed,
        "policies": catalogue.policies,
        "policy": setup.policy,
        "ready": advice is not None,
        "limits": LIMITS,
    }
    if advice is None:
        return part("plan", **values)
    figures, names = advice.figures.set_index("figure"), _names(catalogue)
    changes = advice.changes
    return part(
        "plan",
        **values,
        status=advice.status,
        proven=advice.proven,
        gap=advice.gap,
        figures=[
            {"name": name, "share": name in _SHARES, **rows(figures.loc[[name]])[0]}
            for name in _FIGURES
            if name in figures.index
        ],
        lines=[_line(row, names) for row in rows(changes.head(_LINES))],
        more=max(len(changes) - _LINES, 0),
        qualify=rows(advice.qualify.head(20)),
        relaxed=advice.relaxed,
        notes=advice.notes,
        seconds=advice.seconds,
    )


def _line(row: dict[str, Any], names: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {
        **row,
        "name": names["item"].get(row["item"], row["item"]),
        "maker": names["organisation"].get(row["organisation"], row["organisation"]),
        "what": what("line", plant=row["plant"], item=row["item"], supply=row["supply"]),
    }


def scenario(desk: Desk, session: str) -> str:
    """The scenario as the file that the command line takes, to save, and a field to load one."""
    return part("scenario", toml=desk.work.draft.toml(), session=session, name=desk.work.draft.name)


def downloads(desk: Desk, session: str, packs: dict[str, str]) -> str:
    """What can be taken away. ``packs``: the state (waiting, ready or a fault) of those that take long."""
    return part("downloads", session=session, packs=packs, title=desk.work.draft.title)


def explain(desk: Desk, levels: Sequence[Level] | None, failed: Notice | None, workspace: Workspace) -> str:
    """The panel that opens a number: the number, the lines behind it, the law on them, the sources."""
    names = _names(workspace.catalogue(desk.work.setup))
    told = [] if levels is None else [_level(level, number, names) for number, level in enumerate(levels)]
    return part("explain", levels=told, depth=len(desk.asked), failed=failed)


def _names(catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """Names by the column whose ids they stand for."""
    items, makers = dict(catalogue.items), dict(catalogue.organisations)
    return {"item": items, "requires": items, "organisation": makers}


def _level(level: Level, number: int, named: dict[str, dict[str, str]]) -> dict[str, Any]:
    table = level.table
    names = [name for name in _COLUMNS.get(level.title, tuple(table.columns)) if name in table]
    shown = table.head(_LEVEL_ROWS)
    body = []
    for position in range(len(shown)):
        opens = row_of(level, position)
        row = shown.iloc[position]
        ask = "" if opens is None else what(opens.kind, **{key: _plain(value) for key, value in opens.keys.items()})
        cells = [_cell(name, named.get(name, {}).get(str(row[name]), row[name])) for name in names]
        body.append({"what": ask, "cells": cells, "id": f"x-{number}-{position}"})
    return {
        "title": level.title,
        "note": level.note,
        "columns": [texts.TEXTS.get(f"column.{name}", str(name).replace("_", " ")) for name in names],
        "rows": body,
        "more": max(len(table) - _LEVEL_ROWS, 0),
        "number": number,
        "open": number == 0 or level.title in ("Lines", "Needs", "Why: binding chain", "Determination", "Sources"),
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float)) else str(value)


def _cell(name: str, value: Any) -> dict[str, Any]:
    """Return a cell: its words, and an address where it is a web page."""
    if isinstance(value, (list, tuple)):
        value = "; ".join(map(str, value))
    if not known(value):
        return {"words": texts.say("none"), "link": ""}
    if isinstance(value, pd.Timestamp):
        return {"words": ENGLISH.day(value), "link": ""}
    if name == "status":
        return {"words": texts.TEXTS.get(f"law.status.{value}", str(value)), "link": ""}
    if value == UNKNOWN_PLACE:
        return {"words": texts.say("place"), "link": ""}
    if name in _PERCENT and isinstance(value, (int, float)):
        return {"words": ENGLISH.percent(float(value), 1), "link": ""}
    if name.startswith("margin") and isinstance(value, (int, float)):
        return {"words": ENGLISH.money(float(value)), "link": ""}
    if isinstance(value, float):
        return {"words": f"{value:g}", "link": ""}
    return {"words": str(value), "link": safe_address(value) if name == "url" else ""}
