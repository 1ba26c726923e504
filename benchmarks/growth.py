"""How cost grows with the links of a firm-level network, from a thousand to ten million: ten links a firm."""

from __future__ import annotations

import numpy as np

from benchmarks import Row, fastest, peak_gb, timed
from benchmarks.cascade import HORIZON, firms
from supplychain.analysis.structure import Graph, immediate_dominators, strong_groups
from supplychain.analysis.wave import Wave
from supplychain.shocks import remove_supplies

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SAMPLE = 40


def rows(quick: bool) -> list[Row]:
    """One row per size; the note has the other tasks, and memory so far."""
    found = []
    for links in SIZES[: 2 if quick else None]:
        n = links // 10
        items = min(200, n // 5)
        compiled = firms(n, links, items=items)
        wave = Wave(compiled, HORIZON)
        ready = timed(lambda: Wave(compiled, HORIZON).prepared, 1)  # noqa: B023
        own, node, market = np.zeros(n), np.random.default_rng(1).random(n) * 0.1, np.zeros(compiled.n_markets)
        wave.full_pass(own, np.zeros(0), market, node)
        once = fastest(lambda: wave.full_pass(own, np.zeros(0), market, node), 5)  # noqa: B023
        shock = remove_supplies(compiled, [str(compiled.supply_ids[n // 3])])
        alone = fastest(lambda: wave.one(shock), 3)  # noqa: B023
        chosen = np.arange(0, n, max(1, n // SAMPLE))
        wave.removals(chosen[:2])
        each = timed(lambda: wave.removals(chosen, threads=1), 1) / len(chosen)  # noqa: B023
        buyer = compiled.need_supply[np.searchsorted(compiled.need_market, compiled.offer_market)]
        graph = Graph.of(n, compiled.offer_supply.astype(np.int64), buyer.astype(np.int64))
        groups = fastest(lambda: strong_groups(graph), 3)  # noqa: B023
        tree = fastest(lambda: immediate_dominators(graph, n - 1), 2)  # noqa: B023
        tasks = {"one pass": once, "a removal": each, "strong groups": groups, "dominators": tree, "ordering": ready}
        note = "; ".join(f"{task} {seconds * 1e3:.3g} ms" for task, seconds in tasks.items())
        found.append(Row("growth", f"{links:,} links: one shock", alone, note=f"{note}; {peak_gb():.2f} GB"))
    return found
