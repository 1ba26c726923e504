"""Random flows over everything a book can be asked: every code, place, fact and day, the blank ones included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from supplychain.locate import datasets

FOLDER = datasets() / "regimes"
TAGS = [
    "",
    "",
    "",
    "none",
    "footnote-5",
    "us-listed-50pct",
    "twn-shtc-list",
    "chn-list-usa;footnote-5",
    "us-supp8-approved",
]
USES = ["", "", "", "none", "military", "advanced-node-fab", "sme-production", "hbm-direct-packaging"]
CONTENT = [
    "",
    "",
    "",
    "none",
    "USA=0.05",
    "USA=0.1",
    "USA=0.101",
    "USA=0.25",
    "USA=0.251;CHN=0.001",
    "CHN=0.0009",
    "USA=0.9",
]


def random_flows(count: int, seed: int, folder: Path = FOLDER) -> pd.DataFrame:
    """Return flows with a column `on`; a third of the days lie on or beside a day on which the law changes."""
    draw = np.random.default_rng(seed)
    controls = pd.read_csv(folder / "controls.csv", dtype=str, keep_default_na=False)
    codes = sorted(
        {code for text in controls["item_code"] for code in text.split(";") if not code.endswith((":any", "*"))}
    )
    parents = sorted({code.rsplit(".", 1)[0] for code in codes if "." in code})
    children = [code + ".z" for code in codes]
    single = [
        *codes,
        *parents,
        *children,
        "US:EAR99",
        "US:3A991",
        "none",
        "",
        "US:9A999",
        "CN:9Z9",
        "HS:854231",
        "3B903",
    ]
    pool = [*single, *(f"{a};{b}" for a, b in draw.choice(single[:-8], (300, 2)))]
    groups = pd.read_csv(folder / "groups.csv", dtype=str, keep_default_na=False)
    places = [*sorted(set(groups["jurisdiction"])), "MUS", ""]
    makers = ["USA", "CHN", "NLD", "JPN", "DEU", "KOR", "TWN", "GBR", "CAN", "FRA", "ITA", "HKG", "MYS", "CHE", ""]
    changes = sorted(
        {d for name in ("from", "to", "suspended_from", "suspended_to") for d in controls[name] if len(d) == 10}
    )
    coverage = pd.read_csv(folder / "coverage.csv", dtype=str, keep_default_na=False)
    changes = sorted({*changes, *(d for name in ("from", "to") for d in coverage[name] if d)})
    edge = pd.to_datetime(draw.choice(changes, count)) + pd.to_timedelta(draw.integers(-1, 2, count), "D")
    plain = pd.Timestamp("2019-06-01") + pd.to_timedelta(draw.integers(0, 2900, count), "D")
    days = np.where(draw.random(count) < 0.33, edge.to_numpy("datetime64[D]"), plain.to_numpy("datetime64[D]"))

    def some(values: list[str]) -> np.ndarray:
        return draw.choice(np.array(values, object), count)

    origins = np.where(draw.random(count) < 0.8, some(makers), some(places))
    return pd.DataFrame(
        {
            "item_codes": some(pool),
            "hs6": some(["", "", "848620", "280920", "854231;381800"]),
            "item_category": some(["", "process", "end-product", "gas"]),
            "origin": origins,
            "head_office": np.where(draw.random(count) < 0.5, origins, some(makers)),
            "parent": np.where(draw.random(count) < 0.8, "", some(makers)),
            "content": some(CONTENT),
            "direct_product": some(["", "", "none", "USA", "CHN;USA"]),
            "destination": np.where(
                draw.random(count) < 0.4,
                some(["CHN", "IND", "MAC", "IRN", "GBR", "USA", "RUS", "BLR", "SYR", "FRA"]),
                some(places),
            ),
            "end_use": some(USES),
            "entity": some(TAGS),
            "end_party_head_office": np.where(draw.random(count) < 0.7, "", some(makers)),
            "on": days,
        }
    )
