"""Ten million random flows under the bundled book: time, peak memory, and the ratio to the law applied flow by flow."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import Row, peak_gb
from supplychain.assumptions import Assumptions
from supplychain.facts.package import read_package
from supplychain.locate import datasets
from supplychain.regimes import RegimeBook
from supplychain.regimes.flows import COLUMNS as COLUMNS_OF_FLOWS

COLUMNS = ("status", "policy", "control", "imposing", "floor", "ceiling")


def rows(quick: bool = False) -> list[Row]:
    """Judge 10 million flows (quick: 200,000), and a sample of them by the reference of the tests."""
    count = 200_000 if quick else 10_000_000
    book, assumptions = RegimeBook.bundled(), Assumptions.load().settings
    flows = random_flows(count)
    book.determine(flows.head(1000), assumptions=assumptions)  # compiles the law
    before = peak_gb()
    start, busy = time.perf_counter(), time.process_time()
    found = book.determine(flows, assumptions=assumptions)
    columns = {name: found.column(name) for name in COLUMNS}
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "regimes"))
    from reference import Reference

    sample = flows.sample(500 if quick else 10_000, random_state=1)
    records = sample.astype({name: object for name in sample.columns if name != "on"}).to_dict("records")
    blank = dict.fromkeys(COLUMNS_OF_FLOWS, "")
    reference = Reference(datasets() / "regimes", assumptions["content"])
    start = time.perf_counter()
    told = [reference.determine({**blank, **row}, row["on"].date()) for row in records]
    slow = (time.perf_counter() - start) / len(sample) * count
    places = sample.index.to_numpy()
    same = all(
        bool((np.asarray(columns[name])[places] == np.array([row[name] for row in told], object)).all())
        for name in ("status", "policy", "control", "floor", "ceiling")
    )
    case = f"{count:,} flows, {len(found.distinct):,} distinct"
    agreed = "identical to" if same else "DIFFERS FROM"
    note = f"{busy:.1f} s of processor; sample of {len(sample):,} {agreed} the reference"
    return [
        Row("determinations", case, seconds, "flow by flow", slow, "<= 10 s", seconds <= 10 and same, note),
        Row(
            "determinations memory",
            case,
            peak_gb(),
            target="<= 4 GB",
            met=peak_gb() < 4,
            note=f"{before:.2f} before",
            unit="GB",
        ),
    ]


def random_flows(count: int) -> pd.DataFrame:
    """Return flows of random items of the bundled network, origins, head offices, destinations and days."""
    draw = np.random.default_rng(20260910)
    items = read_package(datasets() / "semiconductors", "network").tables["items"]
    codes = items["control_codes"].to_numpy(object)
    groups = sorted(set(RegimeBook.bundled().tables["groups"]["jurisdiction"]))
    item = draw.integers(0, len(items), count)

    def texts(values: list[str], picked: np.ndarray) -> pd.Categorical:
        unique = sorted(set(values))
        place = {value: position for position, value in enumerate(unique)}
        return pd.Categorical.from_codes(np.array([place[v] for v in values], np.int16)[picked], categories=unique)

    place, elsewhere = draw.integers(0, len(groups), (2, count)).astype(np.int16)
    days = np.datetime64("2020-01-01") + draw.integers(0, 2500, count).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "item_codes": texts([str(code) for code in codes], item),
            "item_category": texts([str(word) for word in items["category"]], item),
            "origin": texts(groups, place),
            "head_office": texts(groups, np.where(draw.random(count) < 0.7, place, elsewhere)),
            "destination": texts(groups, draw.integers(0, len(groups), count)),
            "on": days.astype("datetime64[s]"),
        }
    )
