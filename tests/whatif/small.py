"""A small case for the what-if tests: chips from two fabs, wafers, gallium of two states, scanners of one."""

from __future__ import annotations

from functools import cache

import pandas as pd

from supplychain.case import Case
from supplychain.network import SupplyNetwork
from supplychain.regimes import RegimeBook

ON = "2026-11-01"
CONTROLS = ("cn-2023-23-ga-metal", "cn-2024-46-us-ga", "us-ccl-ns2-tools")


def tables() -> dict[str, pd.DataFrame]:
    """The tables of the network, fresh copies."""
    items = pd.DataFrame(
        [
            ("chip", 0, "end-product", "none", 30.0, 0.1, 6.0, 24.0),
            ("wafer", 1, "wafer", "none", 45.0, 0.1, 9.0, 24.0),
            ("gallium", 2, "refined-metal", "CN:3C001.ga-metal", 60.0, 0.05, 6.0, 12.0),
            ("scanner", 1, "lithography", "US:3B001.f.1", 0.0, 0.0, 12.0, 36.0),
        ],
        columns=["item", "tier", "category", "control_codes", "stock_days", "spare_capacity", "qualification_months",
                 "new_capacity_months"],
    )  # fmt: skip
    supplies = pd.DataFrame(
        [
            ("chip.a", "fab-a", "chip", "TWN", 0.6),
            ("chip.b", "fab-b", "chip", "KOR", 0.4),
            ("wafer.j", "shin", "wafer", "JPN", 0.7),
            ("wafer.d", "silt", "wafer", "DEU", 0.2),
            ("gallium.c", "ga-c", "gallium", "CHN", 0.8),
            ("gallium.j", "ga-j", "gallium", "JPN", 0.15),
            ("scanner.n", "litho", "scanner", "NLD", 1.0),
        ],
        columns=["supply", "organisation", "item", "site", "share"],
    )
    makers = {
        "fab-a": "TWN",
        "fab-b": "KOR",
        "shin": "JPN",
        "silt": "DEU",
        "ga-c": "CHN",
        "ga-j": "JPN",
        "litho": "NLD",
    }
    requirements = pd.DataFrame(
        [
            ("chip", "wafer", "consumable", 0.5, float("nan")),
            ("wafer", "gallium", "consumable", 0.3, float("nan")),
            ("chip", "scanner", "capital", 0.9, 5.0),
        ],
        columns=["item", "requires", "role", "use_share", "lifetime_years"],
    )
    plants = pd.DataFrame(
        [("p1", "acme", "DEU", "chip", 1000.0, 20.0, 50.0), ("p2", "acme", "IND", "wafer", 400.0, 10.0, 80.0)],
        columns=["plant", "buyer", "site", "item", "demand", "stock_days", "margin_usd"],
    )
    organisations = pd.DataFrame(sorted(makers.items()), columns=["organisation", "jurisdiction"])
    return {
        "items": items,
        "supplies": supplies,
        "requirements": requirements,
        "plants": plants,
        "organisations": organisations,
    }


@cache
def book() -> RegimeBook:
    """A few controls of the bundled regime book, without exceptions: quick to compile."""
    whole = RegimeBook.bundled()
    keep = whole.tables["controls"]
    keep = keep[keep["control"].isin(CONTROLS)].reset_index(drop=True)
    empty = {name: whole.tables[name].iloc[:0] for name in ("exceptions", "correspondences", "entries")}
    branches = whole.tables["branches"]
    branches = branches[branches["branch"] == "chn-ga-ge-sb-denial"].reset_index(drop=True)
    branches = branches.assign(control="cn-2024-46-us-ga")
    return whole.with_tables("small", controls=keep, branches=branches, **empty)


@cache
def case() -> Case:
    """The small case; shared, so never change it."""
    return Case.make(SupplyNetwork.from_tables(tables(), name="small"), book(), "acme", on=ON)
