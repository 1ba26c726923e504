"""What would make a plan meaningless is named before anything is built."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from supplychain.errors import InputError, NoAnswer
from supplychain.solve import LiveModel
from supplychain.sourcing.plan import make_plan
from supplychain.sourcing.policy import policy_from
from supplychain.sourcing.problem import make_problem


def _tables():
    needs = pd.DataFrame({"plant": ["a", "b"], "item": "x", "demand": [10.0, 20.0]})
    supplies = pd.DataFrame({"supply": ["s", "t"], "capacity": [30.0, 30.0], "organisation": ["s", "t"]})
    lines = pd.DataFrame(
        {"plant": ["a", "a", "b"], "item": "x", "supply": ["s", "t", "s"], "unit_cost": [1.0, 2.0, 1.0]}
    )
    return needs, supplies, lines


def _refused(code, needs, supplies, lines):
    with pytest.raises(InputError) as caught:
        make_problem(needs, supplies, lines)
    assert code in {problem.code for problem in caught.value.problems}


def test_bad_input_is_named():
    needs, supplies, lines = _tables()
    _refused("sourcing-no-supplier", needs, supplies, lines[lines["plant"] == "a"])
    _refused("sourcing-minimum-order", needs, supplies.assign(minimum_order=[50.0, 0.0]), lines)
    _refused("sourcing-range", needs, supplies, lines.assign(unit_cost=[1.0, 2e9, 1.0]))
    _refused("sourcing-demand", needs.assign(demand=[np.nan, 1.0]), supplies, lines)
    _refused("sourcing-demand", needs.assign(demand=[-1.0, 1.0]), supplies, lines)
    _refused("sourcing-cost", needs, supplies, lines.assign(unit_cost=[1.0, np.nan, 1.0]))
    _refused("sourcing-number", needs, supplies.assign(capacity=[-1.0, 2.0]), lines)
    _refused("sourcing-reference", needs, supplies, lines.assign(supply=["s", "t", "nobody"]))


def test_probabilities_above_one_are_named():
    needs, supplies, lines = _tables()
    threats = {f"{name}:all": ("state", np.zeros(3)) for name in ("A", "B", "C")}
    problem = make_problem(needs, supplies, lines, threats=threats)
    with pytest.raises(InputError, match="probabilities must sum to 1"):
        make_plan(problem, policy_from({"name": "p", "scenarios": {"state": 0.5, "refusal": "all"}}))
    with pytest.raises(InputError, match="no such threat"):
        make_plan(problem, policy_from({"name": "p", "scenarios": {"named": {"D:all": 0.5}}}))


def test_the_smallest_relaxation_is_named():
    needs, supplies, lines = _tables()
    problem = make_problem(needs, supplies, lines)
    with pytest.raises(NoAnswer) as caught:
        make_plan(problem, policy_from({"name": "p", "caps": {"supplier": 0.7}}))
    assert "b x x: caps.supplier (s) must give way by 30.0%" in str(caught.value)
    assert "a x x" not in str(caught.value)  # the other plant has two sources
    plan = make_plan(problem, policy_from({"name": "p", "impossible": "name", "caps": {"supplier": 0.7}}))
    assert len(plan.relaxed) == 1
    shares = plan.lines.set_index(["plant", "supply"])["share"]
    assert shares["a", "s"] == pytest.approx(0.7)
    assert shares["b", "s"] == pytest.approx(1.0)


def test_a_time_limit_says_not_proven(monkeypatch):
    needs, supplies, lines = _tables()
    problem = make_problem(needs, supplies.assign(new=True, qualification_cost=5.0), lines)
    solve = LiveModel.solve

    def stopped(self, *args, **kwargs):
        found = solve(self, *args, **kwargs)
        return (
            replace(found, status="feasible-not-proven", bound=found.objective * 0.9, gap=0.1)
            if found.has_values
            else found
        )

    monkeypatch.setattr(LiveModel, "solve", stopped)
    plan = make_plan(problem, policy_from({"name": "p"}))
    assert plan.status == "feasible, not proven"
    assert plan.summary["gap"] == pytest.approx(0.1, rel=0.1)


def test_no_trickle_through_a_closed_supply():
    """A supply off the panel sells nothing at all, however large its capacity (x <= 1e9 y lets solvers cheat)."""
    needs = pd.DataFrame({"plant": ["a"], "item": "x", "demand": [1.0]})
    supplies = pd.DataFrame(
        {"supply": ["s", "t"], "capacity": [1e9, 1e9], "new": [True, False], "qualification_cost": [100.0, 0.0]}
    )
    lines = pd.DataFrame({"plant": "a", "item": "x", "supply": ["s", "t"], "unit_cost": [1.0, 50.0]})
    plan = make_plan(make_problem(needs, supplies, lines), policy_from({"name": "p"}))
    assert plan.summary["total_cost"] == pytest.approx(50.0)
    assert plan.lines.set_index("supply")["share"].get("s", 0.0) == 0.0


def test_price_tiers_must_fit_the_data():
    needs, supplies, lines = _tables()
    problem = make_problem(needs, supplies.assign(unit_cost=[1.0, np.nan]), lines, currency="USD")
    for name, said in (("ss", "did you mean s?"), ("t", "recorded unit_cost")):
        tier = {"supply": name, "above": 1.0, "unit_cost": 0.5}
        with pytest.raises(InputError, match=said.replace("?", r"\?")):
            make_plan(problem, policy_from({"name": "p", "price_tiers": [tier]}))
