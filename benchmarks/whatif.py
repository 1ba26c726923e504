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
from supplychain.whatif.sweep import CaseSpec, Plan, World, make_plan, plan_from, plan_text

MOST_SECONDS = 60.0  # a Monte Carlo of 1,000 runs on two cores
PRESET_SECONDS = 5.0


def rows(quick: bool) -> list[Row]:
    """Return the lines: presets, one run, the Monte Carlo here and on a cluster (smaller when quick)."""
    return [*_presets(quick), *_sweep(quick)]


def _presets(quick: bool) -> list[Row]:
    names = presets()[:: 60 if quick else 4]
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
            f"slowest of {len(names)} of {len(presets())} presets against the baseline ({name})",
            slowest,
            target=f"< {PRESET_SECONDS:g} s",
            met=slowest < PRESET_SECONDS,
            note=f"losses, course over 156 weeks, choke points, plans; libraries loaded; {work:.1f} s of one core",
        )
    ]


def _sweep(quick: bool) -> list[Row]:
    samples = 20 if quick else 1000
    spec = CaseSpec()
    plan = make_plan(spec, [load_scenario("taiwan-outage")], "mc", samples, seed=1, data=True)
    world = World(plan_from(json.loads(plan_text(plan))))
    world.run(0)
    one = timed(lambda: [world.run(k) for k in range(1, 11)], repeat=3) / 10
    found = [
        Row("whatif", "one run of a Monte Carlo, one core", one, note="figures redrawn, both measures at 12 months")
    ]
    seconds, _ = _run(plan, cluster=False)
    case = f"sweep of {samples:,} runs, two local processes"
    target, met = f"<= {MOST_SECONDS:g} s", seconds <= MOST_SECONDS
    found.append(Row("whatif", case, seconds, target=target, met=met, note="the start of the workers included"))
    if quick:
        return found
    # The same draws on a cluster, few enough that starting it is most of the work: what counts is that bytes agree.
    few = make_plan(spec, [load_scenario("taiwan-outage")], "mc", samples // 10, seed=1, data=True)
    (local, here), (apart, there) = _run(few, cluster=False), _run(few, cluster=True)
    case, same = f"sweep of {samples // 10:,} runs, two Dask workers", here == there
    note = "bytes agree" if same else "BYTES DIFFER"
    return [*found, Row("whatif", case, apart, "two local processes", local, "same bytes", same, note)]


def _run(plan: Plan, cluster: bool) -> tuple[float, bytes]:
    """Seconds of a sweep on two workers, and the table that it leaves."""
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "s", plan) as store:
        start = time.perf_counter()
        if cluster:
            workers.run_cluster(store, "local", 2)
        else:
            workers.run_local(store, 2)
        seconds = time.perf_counter() - start
        return seconds, store.finish().read_bytes()
