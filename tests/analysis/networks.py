"""Random networks that the tests of this room share."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd

PLACES = ["AAA", "BBB", "CCC", ""]


def random_tables(seed: int, lanes: bool = False) -> dict[str, pd.DataFrame]:
    """A random network: cycles, alternatives, all roles and essentialities, unknown places, unattributed shares."""
    rng = random.Random(seed)
    items = [f"i{k}" for k in range(rng.randint(2, 7))]
    rows = []
    for item in items:
        left = 1.0
        for k in range(rng.randint(0, 3)):
            share = round(left * rng.choice([0.3, 0.5, 1.0]), 6)
            left -= share
            rows.append((f"{item}-{k}", item, rng.choice(PLACES), share, f"o{rng.randint(0, 4)}"))
    supplies = pd.DataFrame(rows, columns=["supply", "item", "site", "share", "organisation"])
    requirements = [
        {
            "item": item,
            "requires": other,
            "role": rng.choice(["consumable", "consumable", "capital", "knowledge"]),
            "essentiality": rng.choice(["essential", "essential", "important", "minor"]),
            "lifetime_years": rng.choice([0.5, 1.0, 4.0]),
            "coefficient": rng.choice([np.nan, 1.0, 3.0]),
            "alternatives": rng.choice(["", "", "a"]),
        }
        for item in items
        for other in items
        if rng.random() < 0.35
    ]
    columns = ["item", "requires", "role", "essentiality", "lifetime_years", "coefficient", "alternatives"]
    stock = [rng.choice([0.0, 0.0, 30.0, 200.0]) for _ in items]
    tables = {
        "items": pd.DataFrame({"item": items, "tier": [0.0] + [1.0] * (len(items) - 1), "stock_days": stock}),
        "supplies": supplies,
        "requirements": pd.DataFrame(requirements, columns=columns),
    }
    if lanes and len(rows) > 1:
        pairs = {(rng.choice(rows)[0], rng.choice(rows)[0]) for _ in range(2 * len(rows))}
        tables["lanes"] = pd.DataFrame(
            [(a, b, rng.choice([1.0, 2.0, 5.0])) for a, b in sorted(pairs)],
            columns=["from_supply", "to_supply", "volume"],
        )
    return tables


def side_by_side(networks: list[dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Many networks as one, the names of the k-th beginning with ``k.``: one compilation serves all of them."""
    names = {"item", "supply", "requires", "from_supply", "to_supply"}
    joined: dict[str, list[pd.DataFrame]] = {}
    for k, tables in enumerate(networks):
        for table, frame in tables.items():
            own = {column: f"{k}." + frame[column] for column in names & set(frame.columns)}
            joined.setdefault(table, []).append(frame.assign(**own))
    return {table: pd.concat(frames, ignore_index=True) for table, frames in joined.items()}
