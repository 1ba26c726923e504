"""The application: from a moved switch to exposure and choke points, and to a re-optimised plan, as a session asks it.

Twenty edits of the bundled case, each on a draft of its own: memberships of Wassenaar minus one, a control imposed or
suspended, outages of makers. The workspace is warm as after start-up; no edit has been seen before.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks import Row

MEASURE, ADVISE = 0.3, 3.0  # seconds that the whole application has for each, browser included
SWITCHES = [("join", state) for state in ("KOR", "SGP", "TWN", "AUT", "BEL", "CZE", "POL", "SWE", "HUN", "GRC")]
SWITCHES += [("leave", state) for state in ("USA", "JPN", "DEU", "GBR", "NLD")]


def edits(quick: bool) -> list[dict[str, Any]]:
    """The actions, memberships first."""
    found: list[dict[str, Any]] = [{"do": word, "regime": "w1-iec", "states": [state]} for word, state in SWITCHES]
    found += [
        {"do": "suspend", "regimes": ["chn-w-te-bi-mo-in-2025"]},
        {"do": "impose", "control": "bench", "imposing": "CHN", "items": ["wf6"], "policy": "presumption-of-denial"},
        {"do": "outage", "organisations": ["tsmc"]},
        {"do": "outage", "items": ["helium"], "part": 0.3},
        {"do": "outage", "sites": ["MYS"], "months": 6},
    ]
    return found[::5] if quick else found


def rows(quick: bool) -> list[Row]:
    """Median and slowest of measuring and of planning, each edit on its own."""
    from supplychain.app.advise import advise
    from supplychain.app.draft import Draft
    from supplychain.app.measure import measure
    from supplychain.app.workspace import Setup, Workspace

    setup = Setup()
    start = time.perf_counter()
    workspace = Workspace.load(setup)
    workspace.warm(setup)
    begun = time.perf_counter() - start
    measured: list[float] = []
    planned: list[float] = []
    start = time.perf_counter()
    advise(workspace, setup, Draft())
    plan_as_is = time.perf_counter() - start
    for action in edits(quick):
        draft = Draft().with_action(action)
        start = time.perf_counter()
        measure(workspace, setup, draft)
        measured.append(time.perf_counter() - start)
        if action["do"] != "join" or not planned:
            start = time.perf_counter()
            advise(workspace, setup, draft)
            planned.append(time.perf_counter() - start)
    return [
        Row("app", "start: facts, law, the case as it is", begun),
        _row("switch to exposure and choke points", measured, MEASURE),
        Row("app", "plan of the case as it is", plan_as_is),
        _row("switch to a re-optimised plan", planned, ADVISE),
    ]


def _row(case: str, seconds: list[float], target: float) -> Row:
    median, ordered = statistics.median(seconds), sorted(seconds)
    late = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    note = f"{len(seconds)} edits, 95 % within {late:.3f} s, slowest {ordered[-1]:.3f} s"
    return Row("app", case, median, target=f"median <= {target:g} s", met=median <= target, note=note)
