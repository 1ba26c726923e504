"""Imports at size: a BACI-shaped year of ten million flows, read, checked and measured, beside pyarrow and duckdb."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pcsv

from benchmarks import Row, peak_gb
from supplychain.exchange.baci import import_baci
from supplychain.exchange.graph import to_graph
from supplychain.exchange.mapping import bundled
from supplychain.exchange.trade import places_by_code
from supplychain.facts.package import read_package, write_package
from supplychain.network import SupplyNetwork

PRODUCTS = 5_200


def rows(quick: bool = False) -> list[Row]:
    """Time the imports and exports (quick: 200,000 flows)."""
    return [*_trade(200_000 if quick else 10_000_000), *_packages()]


def _trade(count: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "BACI_HS17_Y2022.csv")
        generate(source, count)
        start = time.perf_counter()
        pcsv.read_csv(source, convert_options=pcsv.ConvertOptions(column_types={"k": pa.string()}))
        bare = time.perf_counter() - start
        table = _by_duckdb(source)
        # In a process of its own, so that its peak memory is its own.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, peak, indicators, lost = pool.apply(_import, (source, Path(folder, "out")))
    met = seconds < 15 and peak < 3 and lost == 0
    note = f"{indicators:,} indicators; {lost} rows lost; peak {peak:.1f} GB"
    case = f"BACI, {count:,} flows: read, checked, concentration of each product and place"
    found = [Row("import", case, seconds, "pyarrow, reading only", bare, "<= 15 s, <= 3 GB", met, note)]
    if table is None:
        return [*found, Row("import", case, seconds, note="peer duckdb not installed")]
    return [*found, Row("import", case, seconds, "duckdb, read and concentration, unchecked", table)]


def _by_duckdb(source: Path) -> float | None:
    """Seconds in which duckdb reads the file and computes the same concentrations, checking nothing."""
    try:
        import duckdb
    except ImportError:
        return None
    start = time.perf_counter()
    duckdb.sql(
        f"select j, k, sum(w * w) from (select j, k, v / sum(v) over (partition by j, k) as w "
        f"from read_csv('{source}')) group by j, k"
    ).fetchall()
    return time.perf_counter() - start


def _import(source: Path, dest: Path) -> tuple[float, float, int, int]:
    start = time.perf_counter()
    found = import_baci(source, dest)
    return time.perf_counter() - start, peak_gb(), len(found.indicators), found.lost


def generate(path: Path, count: int) -> None:
    """Write `count` distinct flows in BACI's columns: lognormal values, codes as text."""
    rng = np.random.default_rng(1)
    codes = np.array([code for code, place in sorted(places_by_code().items()) if place], dtype=np.int16)
    products = np.array([f"{code:06d}" for code in np.sort(rng.choice(980_000, PRODUCTS, replace=False)) + 10_000])
    size = len(codes)
    keys = np.unique(rng.integers(0, PRODUCTS * size * size, int(count * 1.1)))
    keys = np.sort(rng.choice(keys, count, replace=False))
    text = pa.DictionaryArray.from_arrays(pa.array((keys // size // size).astype(np.int32)), pa.array(products))
    table = pa.table(
        {
            "t": np.full(count, 2022, np.int16),
            "i": codes[keys % size],
            "j": codes[keys // size % size],
            "k": text.cast(pa.string()),
            "v": np.round(rng.lognormal(3, 3, count) + 1, 3),
            "q": np.round(rng.lognormal(2, 3, count), 3),
        }
    )
    pcsv.write_csv(table, path, pcsv.WriteOptions(quoting_style="none"))


def _packages() -> list[Row]:
    package = bundled()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        write_package(package, Path(folder, "p.xlsx"))
        read_package(Path(folder, "p.xlsx"))
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        pd.read_excel(Path(folder, "p.xlsx"), sheet_name=None)
        bare = time.perf_counter() - start
        found.append(
            Row(
                "import",
                "bundled package to XLSX and back",
                seconds,
                "pandas, reading only",
                bare,
                "< 10 s",
                seconds < 10,
            )
        )
    start = time.perf_counter()
    graph = to_graph(SupplyNetwork.from_package(package))
    seconds = time.perf_counter() - start
    note = f"{graph.number_of_nodes():,} nodes, {graph.number_of_edges():,} edges"
    found.append(Row("import", "bundled network to networkx", seconds, target="< 1 s", met=seconds < 1, note=note))
    return found
