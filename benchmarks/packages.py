"""A network of a million supplies: read and checked from CSV and Parquet, beside pandas reading the CSV unchecked."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import Row
from supplychain.facts.package import read_package, write_package

ITEMS, ORGANISATIONS = 5_000, 20_000


def rows(quick: bool = False) -> list[Row]:
    """Time the package in both formats (quick: 20,000 supplies)."""
    count = 20_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "csv")
        _write(source, count)
        start = time.perf_counter()
        pd.read_csv(source / "supplies.csv", dtype=str, keep_default_na=False)
        peer = time.perf_counter() - start
        start = time.perf_counter()
        package = read_package(source, "network")
        seconds = time.perf_counter() - start
        write_package(package, Path(folder, "parquet"), format="parquet")
        start = time.perf_counter()
        again = read_package(Path(folder, "parquet"))
        parquet = time.perf_counter() - start
    same = all(package.tables[name].equals(again.tables[name]) for name in package.tables)
    case = f"{count:,} supplies"
    note = "same content" if same else "CONTENT DIFFERS"
    return [
        Row("package from CSV", case, seconds, "pandas, unchecked", peer, "< 10 s", seconds < 10, ""),
        Row("package from Parquet", case, parquet, "", float("nan"), "< 10 s", parquet < 10 and same, note),
    ]


def _write(folder: Path, count: int) -> None:
    folder.mkdir()
    number = np.arange(count)
    pd.DataFrame(
        {
            "supply": [f"s{i}" for i in number],
            "organisation": [f"o{i}" for i in number % ORGANISATIONS],
            "item": [f"i{i}" for i in number % ITEMS],
            "site": np.array(["DEU", "USA", "JPN", "", "CHN"])[number % 5],
            "share": ITEMS / count,
            "basis": "revenue",
            "weight": "true",
            "lead_time_days": number % 700,
            "year": 2024,
            "quality": "estimate",
            "source": "s1;s2",
        }
    ).to_csv(folder / "supplies.csv", index=False)
    item = [f"i{i}" for i in range(ITEMS)]
    pd.DataFrame({"item": item, "name": item, "control_codes": "US:3A001", "source": "s1"}).to_csv(
        folder / "items.csv", index=False
    )
    name = [f"o{i}" for i in range(ORGANISATIONS)]
    pd.DataFrame({"organisation": name, "name": name, "jurisdiction": "DEU", "source": "s1"}).to_csv(
        folder / "organisations.csv", index=False
    )
    header = "requirement,item,requires,role,essentiality,quality,source"
    (folder / "requirements.csv").write_text(
        f"{header}\nr1,i1,i2,consumable,essential,estimate,none\n", encoding="utf-8"
    )
    (folder / "sources.csv").write_text("source,title\ns1,One\ns2,Two\n", encoding="utf-8")
