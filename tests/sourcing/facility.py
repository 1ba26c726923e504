"""Facility location instances as data packages: a facility is a supply with a fixed cost to qualify, a customer a
plant, and serving it a lane with a price; and the readers of the OR-Library and Holmberg formats."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Instance:
    """M facilities, N customers: capacity and fixed cost (M), demand (N), cost of serving one unit (N x M)."""

    capacity: np.ndarray
    fixed: np.ndarray
    demand: np.ndarray
    unit_cost: np.ndarray


def read_orlib(path: Path) -> Instance:
    """m n; m lines of capacity and fixed cost; for each customer its demand and m costs of serving all of it."""
    numbers = np.array(path.read_text().split(), dtype=float)
    m, n = int(numbers[0]), int(numbers[1])
    sites = numbers[2 : 2 + 2 * m].reshape(m, 2)
    rows = numbers[2 + 2 * m :].reshape(n, m + 1)
    return Instance(sites[:, 0], sites[:, 1], rows[:, 0], rows[:, 1:] / rows[:, :1])


def read_holmberg(path: Path) -> Instance:
    """m n; m capacities; m fixed costs; n demands; then, customer by customer, m costs of serving it whole."""
    numbers = np.array(path.read_text().split(), dtype=float)
    m, n = int(numbers[0]), int(numbers[1])
    capacity, fixed, demand, cost = np.split(numbers[2:], np.cumsum([m, m, n]))
    return Instance(capacity, fixed, demand, cost.reshape(n, m) / demand[:, None])


def write_package(instance: Instance, folder: Path) -> Path:
    """Write the instance as a network data package: plants in Germany that buy one unlisted item."""
    m, n = len(instance.capacity), len(instance.demand)
    facility = [f"w{j:04d}" for j in range(m)]
    customer = [f"c{i:04d}" for i in range(n)]
    tables = {
        # A package has requirements and sources: a minor need, which the model ignores, and one source.
        "items": pd.DataFrame(
            {
                "item": ["good", "label"],
                "name": ["Good", "Label"],
                "tier": [0, 1],
                "unit": ["unit", "unit"],
                "control_codes": ["none", "none"],
                "source": ["none", "none"],
            }
        ),
        "organisations": pd.DataFrame(
            {"organisation": facility, "name": facility, "jurisdiction": "DEU", "source": "none"}
        ),
        "supplies": pd.DataFrame(
            {
                "supply": facility,
                "organisation": facility,
                "item": "good",
                "site": "DEU",
                "capacity": instance.capacity,
                "qualification_cost": instance.fixed,
                "currency": "USD",
                "weight": "true",
                "quality": "assumption",
                "source": "none",
            }
        ),
        "requirements": pd.DataFrame(
            {
                "requirement": ["good.needs.label"],
                "item": ["good"],
                "requires": ["label"],
                "role": ["consumable"],
                "essentiality": ["minor"],
                "quality": ["assumption"],
                "source": ["none"],
            }
        ),
        "plants": pd.DataFrame(
            {
                "plant": customer,
                "buyer": "customers",
                "site": "DEU",
                "item": "good",
                "demand": instance.demand,
                "unit": "unit",
                "illustrative": "false",
                "quality": "assumption",
                "source": "none",
            }
        ),
        "lanes": pd.DataFrame(
            {
                "lane": [f"{w}.{c}" for c in customer for w in facility],
                "from_supply": np.tile(facility, n),
                "to_plant": np.repeat(customer, m),
                "unit_cost": [repr(float(v)) for v in instance.unit_cost.ravel()],
                "quality": "assumption",
                "source": "none",
            }
        ),
        "sources": pd.DataFrame({"source": ["instance"], "title": ["A published instance"]}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    descriptor = {
        "name": folder.name,
        "title": "Facility location",
        "version": "1",
        "resources": [{"name": name, "path": f"{name}.csv"} for name in tables],
        "supplychain": {"schema": "network", "known_as_of": "2026-01-01"},
    }
    (folder / "datapackage.json").write_text(json.dumps(descriptor))
    return folder


def as_tables(instance: Instance) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The instance as needs, supplies and lines for `make_problem`."""
    n, m = instance.unit_cost.shape
    customer, facility = [f"c{i:04d}" for i in range(n)], [f"w{j:04d}" for j in range(m)]
    needs = pd.DataFrame({"plant": customer, "item": "good", "demand": instance.demand})
    supplies = pd.DataFrame(
        {"supply": facility, "capacity": instance.capacity, "qualification_cost": instance.fixed, "new": True}
    )
    lines = pd.DataFrame(
        {
            "plant": np.repeat(customer, m),
            "item": "good",
            "supply": np.tile(facility, n),
            "unit_cost": instance.unit_cost.ravel(),
        }
    )
    return needs, supplies, lines
