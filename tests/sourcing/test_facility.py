"""Published facility location optima, from the instance through a data package and the command to the plan."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from supplychain.cli import run
from supplychain.sourcing.plan import make_plan
from supplychain.sourcing.policy import load_policy, policy_from
from supplychain.sourcing.problem import make_problem
from tests.sourcing.facility import Instance, as_tables, read_holmberg, read_orlib, write_package

ORLIB = ("cap41", "cap44", "cap63", "cap74")
HOLMBERG = ("p1", "p6", "p10")


def _optima(path, column):
    with path.open() as stream:
        return {row["instance"]: float(row[column]) for row in csv.DictReader(stream) if row[column]}


@pytest.mark.parametrize("name", ORLIB)
def test_orlib_capacitated_optimum(shared, name):
    folder = shared / "bench" / "flp" / "orlib"
    plan = make_plan(make_problem(*as_tables(read_orlib(folder / f"{name}.txt"))), load_policy("cheapest"))
    expected = _optima(folder / "optima.csv", "capacitated_optimum")[name]
    assert plan.status == "optimal"
    assert plan.summary["total_cost"] == pytest.approx(expected, rel=1e-6)


def test_orlib_uncapacitated_optimum(shared):
    folder = shared / "bench" / "flp" / "orlib"
    found = read_orlib(folder / "cap73.txt")
    free = Instance(np.full(len(found.capacity), np.inf), found.fixed, found.demand, found.unit_cost)
    plan = make_plan(make_problem(*as_tables(free)), load_policy("cheapest"))
    expected = _optima(folder / "optima.csv", "uncapacitated_optimum")["cap73"]
    assert plan.summary["total_cost"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", HOLMBERG)
def test_holmberg_single_source_optimum(shared, name):
    folder = shared / "bench" / "flp" / "holmberg"
    policy = policy_from({"name": "single", "sources": {"maximum": 1}})
    plan = make_plan(make_problem(*as_tables(read_holmberg(folder / name))), policy)
    assert plan.summary["total_cost"] == pytest.approx(_optima(folder / "optima.csv", "optimum")[name], rel=1e-6)
    assert (plan.needs["sources"] == 1).all()


def _small():
    """Two facilities, three customers. One alone: 10 + 1*4 + 2*3 + 5*2 = 30 (w0), 12 + 3*4 + 1*3 + 1*2 = 29 (w1). With
    5 units each, both: 22 + 1*4 (w0) + 1*3 + 1*2 (w1) = 31."""
    return Instance(
        capacity=np.array([20.0, 20.0]),
        fixed=np.array([10.0, 12.0]),
        demand=np.array([4.0, 3.0, 2.0]),
        unit_cost=np.array([[1.0, 3.0], [2.0, 1.0], [5.0, 1.0]]),
    )


@pytest.mark.parametrize(("capacity", "expected"), [((20.0, 20.0), 29.0), ((5.0, 5.0), 31.0), ((20.0, 0.0), 30.0)])
def test_by_hand_through_package_and_command(tmp_path, capsys, capacity, expected):
    instance = Instance(np.array(capacity), *(getattr(_small(), name) for name in ("fixed", "demand", "unit_cost")))
    folder = write_package(instance, tmp_path / "pack")
    code = run(
        [
            "source",
            "--network",
            str(folder),
            "--buyer",
            "customers",
            "--policy",
            "cheapest",
            "--format",
            "json",
            "--quiet",
        ]
    )
    record = json.loads(capsys.readouterr().out)
    assert code == 0
    assert record["summary"]["total_cost"] == pytest.approx(expected, abs=1e-9)
    assert record["summary"]["currency"] == "USD"
    assert sum(row["cost"] for row in record["rows"]) + record["summary"]["qualification_cost"] == pytest.approx(
        expected
    )


def test_no_plan_ends_with_4_and_names_the_relaxation(tmp_path, capsys):
    small = _small()
    folder = write_package(
        Instance(np.array([3.0, 3.0]), small.fixed, small.demand, small.unit_cost), tmp_path / "pack"
    )
    policy = tmp_path / "strict.toml"
    policy.write_text('title = "strict"\n')
    code = run(["source", "--network", str(folder), "--buyer", "customers", "--policy", str(policy), "--quiet"])
    said = capsys.readouterr()
    assert code == 4
    assert said.out == ""
    assert "smallest relaxation" in said.err
    assert "of the demand has no source" in said.err
