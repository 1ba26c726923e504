"""What-if: every preset by name, and a Monte Carlo of the bundled case on two local processes and on a Dask cluster."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from benchmarks import Row, timed
from supplychain.case import Case
from supplychain.whatif import workers
from supplychain.whatif.compare import compare
from supplychain.whatif.scenario import load_scenario, presets
from supplychain.whatif.store import opened
from supplychain.whatif.sweep import CaseSpec, World, make_plan, plan_from, plan_text

MOST_SECONDS = 60.0  # a Monte Carlo of 1,000 runs on two cores
PRESET_SECONDS = 5.0


def rows(quick: bool) -> list[Row]:
    """Return the lines: presets, one run, the Monte Carlo here and on a cluster (smaller when quick)."""
    return [*_presets(quick), *_sweep(quick)]


def _presets(quick: bool) -> list[Row]:
    names = presets()[:: 12 if quick else 1]
    case = Case.bundled()
    compare(case, [load_scenario("w1-in-force")])
    slowest, work, name = 0.0, 0.0, ""
    for one in names:
        start, busy = time.perf_counter(), time.process_time()
        compare(Case.bundled(), [load_scenario(one)])
        seconds = time.perf_counter() - start
        if seconds > slowest:
            slowest, work, name = seconds, time.process_time() - busy, one
    return [
        Row(
            "whatif",
            f"slowest of {len(names)} presets against the baseline ({name})",
            slowest,
            target=f"< {PRESET_SECONDS:g} s",
            met=slowest < PRESET_SECONDS,
            note=f"losses, course over 156 weeks, choke points, plans; libraries loaded; {work:.1f} s of one core",
        )
    ]


def _sweep(quick: bool) -> list[Row]:
    samples = 60 if quick else 1000
    spec = CaseSpec()
    plan = make_plan(spec, [load_scenario("taiwan-outage")], "mc", samples, seed=1, data=True)
    world = World(plan_from(json.loads(plan_text(plan))))
    world.run(0)
    one = timed(lambda: [world.run(k) for k in range(1, 11)], repeat=3) / 10
    found = [
        Row("whatif", "one run of a Monte Carlo, one core", one, note="figures redrawn, both measures at 12 months")
    ]
    tables = []
    for where in ("processes", "cluster"):
        with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "s", plan) as store:
            start = time.perf_counter()
            if where == "processes":
                workers.run_local(store, 2)
            else:
                workers.run_cluster(store, "local", 2)
            seconds = time.perf_counter() - start
            tables.append(store.finish().read_bytes())
        found.append(
            Row(
                "whatif",
                f"Monte Carlo of {samples:,} runs, two {'local processes' if where == 'processes' else 'Dask workers'}",
                seconds,
                target="same bytes" if where == "cluster" else "" if quick else f"< {MOST_SECONDS:g} s",
                met=tables[0] == tables[-1] if where == "cluster" else None if quick else seconds < MOST_SECONDS,
                note="the start of the workers included",
            )
        )
    return found
