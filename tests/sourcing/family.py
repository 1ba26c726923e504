"""Random sourcing problems of the shapes that real ones have, small enough for an independent answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from supplychain.sourcing.policy import Policy, policy_from
from supplychain.sourcing.problem import SourcingProblem, make_problem


@dataclass(frozen=True)
class Drawn:
    """Plain tables of a problem, so that they can be permuted and renamed before it is made."""

    needs: pd.DataFrame
    supplies: pd.DataFrame
    lines: pd.DataFrame
    threats: dict[str, tuple[str, Any]]
    periods: int
    strike: int

    def problem(self) -> SourcingProblem:
        return make_problem(
            self.needs,
            self.supplies,
            self.lines,
            threats=self.threats,
            periods=self.periods,
            period_months=12 / self.periods,
            strike=self.strike,
        )

    def shuffled(self, seed: int) -> Drawn:
        """The same problem with every table's rows in another order."""
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(self.lines))
        return Drawn(
            self.needs.sample(frac=1, random_state=seed),
            self.supplies.sample(frac=1, random_state=seed + 1),
            self.lines.iloc[order],
            {name: (kind, factor[order]) for name, (kind, factor) in self.threats.items()},
            self.periods,
            self.strike,
        )

    def renamed(self, seed: int) -> tuple[Drawn, dict[str, str]]:
        """The same problem with every supply called something else, so that their sorted order changes."""
        rng = np.random.default_rng(seed)
        names = self.supplies["supply"].tolist()
        new = dict(zip(names, [f"z{i:03d}" for i in rng.permutation(len(names))], strict=True))
        return (
            Drawn(
                self.needs,
                self.supplies.assign(supply=self.supplies["supply"].map(new)),
                self.lines.assign(supply=self.lines["supply"].map(new)),
                self.threats,
                self.periods,
                self.strike,
            ),
            new,
        )


def draw(seed: int, whole: bool, supplies: int = 5, plants: int = 3, coarse: bool = False) -> Drawn:
    """Draw a problem. `whole`: with suppliers to qualify and minimum orders (a MILP). `coarse`: costs from a few round
    numbers, so that many plans are equally good."""
    rng = np.random.default_rng(seed)
    n_plants, n_supplies = int(rng.integers(1, plants + 1)), int(rng.integers(2, supplies + 1))
    periods = int(rng.integers(1, 4))
    strike = int(rng.integers(0, periods)) if periods > 1 else 0
    places = np.array(["CHN", "JPN", "USA", "DEU"])
    demand = rng.integers(20, 200, n_plants).astype(float)
    needs = pd.DataFrame(
        {
            "plant": [f"p{i}" for i in range(n_plants)],
            "item": "x",
            "site": rng.choice(places, n_plants),
            "demand": demand / periods,
            "margin": rng.integers(30, 90, n_plants).astype(float),
            "stock_today": rng.choice([0.0, 0.1, 0.3], n_plants),
        }
    )
    total = demand.sum() / periods
    sites = rng.choice(places, n_supplies)
    table = pd.DataFrame(
        {
            "supply": [f"s{i}" for i in range(n_supplies)],
            "organisation": [f"o{i}" for i in rng.integers(0, n_supplies, n_supplies)],
            "site": sites,
            "jurisdiction": rng.choice(places, n_supplies),
            "capacity": np.round(rng.uniform(0.5, 1.2, n_supplies) * total),
            "spare": rng.choice([0.0, 0.2], n_supplies),
        }
    )
    if whole:
        table["new"] = rng.random(n_supplies) < 0.6
        table["qualification_cost"] = rng.integers(50, 600, n_supplies).astype(float)
        table["minimum_order"] = np.where(rng.random(n_supplies) < 0.3, np.round(0.15 * total), 0.0)
        table["ready_months"] = np.where(table["new"], rng.choice([0.0, 4.0, 8.0], n_supplies), 0.0)
    pairs = [(p, s) for p in range(n_plants) for s in range(n_supplies) if rng.random() < 0.85 or s == 0]
    lines = pd.DataFrame(
        {
            "plant": [f"p{p}" for p, _ in pairs],
            "item": "x",
            "supply": [f"s{s}" for _, s in pairs],
            "unit_cost": rng.integers(1, 4, len(pairs)).astype(float) if coarse else rng.uniform(5, 15, len(pairs)),
            "status": rng.choice(["free", "free", "licence", "indeterminate"], len(pairs)),
        }
    )
    share = pd.Series(rng.random(len(pairs)) * (rng.random(len(pairs)) < 0.5))
    known = share.groupby(lines["plant"]).transform("sum")
    lines["today"] = np.where(known > 0, share / known.where(known > 0, 1.0), 0.0)
    after = periods - strike
    at = np.array([s for _, s in pairs])
    threats: dict[str, tuple[str, Any]] = {}
    for place in sorted(set(sites)):
        left = np.where(sites[at] == place, rng.choice([0.0, 0.2]), 1.0)
        threats[f"{place}:all"] = ("state", np.repeat(left[:, None], after, axis=1))
    for supply in range(n_supplies):
        fading = np.where((at == supply)[:, None], np.linspace(0.5, 0.0, after)[None, :], 1.0)
        threats[f"supplier:s{supply}"] = ("supplier", fading)
    return Drawn(needs, table, lines, threats, periods, strike)


def draw_policy(seed: int, whole: bool) -> Policy:
    """Draw a policy whose rules bind now and then, and which names what cannot hold."""
    rng = np.random.default_rng(seed + 10_000)
    record: dict[str, Any] = {
        "name": "drawn",
        "impossible": "name",
        "solver": {"gap": 0.0},
        "caps": {"supplier": float(rng.choice([0.6, 1.0])), "jurisdiction": float(rng.choice([0.7, 1.0]))},
        "control": {"controlled_maximum": float(rng.choice([0.5, 1.0]))},
        "contract": {"flexibility": float(rng.choice([0.0, 0.2])), "reserve": bool(rng.random() < 0.5)},
        "stock": {"maximum_days": float(rng.choice([0.0, 120.0]))},
        "scenarios": {"state": float(rng.choice([0.0, 0.08])), "supplier": 0.02, "refusal": "all"},
        "risk": {"price": float(rng.choice([0.0, 0.5])), "level": 0.8},
    }
    if rng.random() < 0.5:
        record["secure"] = {"against": ["state"], "gap": 0.3, "refusal": "all"}
    if whole and rng.random() < 0.4:
        record["sources"] = {"minimum": 2} if rng.random() < 0.5 else {"maximum": 2}
    return policy_from(record)
