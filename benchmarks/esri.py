"""ESRI of a firm-level network: the compiled frontier against the batched sparse products, both directions, 1.3 x
sink.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import Row, peak_gb
from supplychain.analysis.esri import esri

SECTORS = 80


def economy(n: int, m: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Firms with heavy-tailed numbers of customers and suppliers, log-normal flows, 80 sectors."""
    random = np.random.default_rng(seed)
    ends = np.minimum((n * random.random((2, int(1.4 * m))) ** 3.0).astype(np.int64), n - 1)
    supplier, buyer = ends[0], random.permutation(n)[ends[1]]
    key = np.unique(supplier[supplier != buyer] * n + buyer[supplier != buyer])
    key = np.sort(random.permutation(key)[:m])
    links = pd.DataFrame({"supplier": key // n, "buyer": key % n, "flow": random.lognormal(0, 1.5, len(key))})
    return links, pd.DataFrame({"firm": np.arange(n), "sector": random.integers(0, SECTORS, n)})


def rows(quick: bool) -> list[Row]:
    """Shock a sample of firms and say what all of them would take."""
    n, m, sample = (10_000, 80_000, 200) if quick else (100_000, 1_000_000, 2_000)
    links, sectors = economy(n, m)
    chosen = [str(i) for i in np.random.default_rng(1).choice(n, sample, replace=False)]
    options: dict[str, Any] = {"revenue_sink": 1.3, "threshold": "published"}

    def run(engine: str, firms: list[str], drop: float = 0.0) -> tuple[float, Any]:
        start = time.perf_counter()
        result = esri(links, sectors, firms=firms, engine=engine, drop=drop, **options)  # type: ignore[arg-type]
        return time.perf_counter() - start, result

    run("numba", chosen[:2])  # compiles
    setup, _ = run("numba", chosen[:1])
    exact, truth = run("numba", chosen)
    per_firm = (exact - setup) / (sample - 1)
    plain, peer = run("scipy", chosen[: max(10, sample // 50)])
    peer_firm = (plain - setup) / (max(10, sample // 50) - 1)
    off = float(np.abs(peer.table["esri"].to_numpy() - truth.table["esri"].to_numpy()[: len(peer.table)]).max())
    whole, target = per_firm * n, 300.0
    case = f"{n:,} firms, {len(links):,} links"
    found = [
        Row("esri", f"one firm, {case}", per_firm, "sparse products", peer_firm, note=f"differ by {off:.0e}"),
        Row("esri", "every firm (from the sample)", whole, target="<= 300 s", met=quick or whole <= target),
    ]
    for drop in (1e-7, 1e-6):
        seconds, coarse = run("numba", chosen, drop)
        error = float(np.abs(coarse.table["esri"] - truth.table["esri"]).max())
        bound = float(coarse.table["bound"].max())
        whole = (seconds - setup) / (sample - 1) * n
        note = f"off by {error:.0e}, bound {bound:.0e}"
        found.append(
            Row("esri", f"every firm, drop {drop:g}", whole, target="<= 300 s", met=quick or whole <= target, note=note)
        )
    found.append(Row("esri", "index, operators, one firm", setup, note=f"{peak_gb():.2f} GB at most"))
    return found
