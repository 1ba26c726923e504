"""The decomposition against the whole model, on random problems with one period after the strike."""

from __future__ import annotations

from functools import cache

import pytest

from supplychain.sourcing import decompose as decomposition
from supplychain.sourcing.decompose import applies, decompose
from supplychain.sourcing.engine import Engine
from supplychain.sourcing.plan import make_plan
from supplychain.sourcing.tiling import build
from tests.sourcing.family import draw, draw_policy


@cache
def _suited(count):
    found = []
    for seed in range(400):
        whole = seed % 2 == 0
        problem, policy = draw(seed, whole).problem(), draw_policy(seed, whole)
        if applies(problem, policy):
            outcome = Engine(build(problem, policy)).plan(settle=False)
            if not outcome.relaxed:
                found.append((problem, policy, outcome))
        if len(found) == count:
            return found
    pytest.fail("too few drawn problems suit the decomposition")


def test_the_same_optimum_as_the_whole_model():
    seen = set()
    for problem, policy, outcome in _suited(20):
        found = decompose(problem, policy, gap=1e-8)
        assert found.objective == pytest.approx(outcome.objective, rel=1e-6)
        assert found.bound <= outcome.objective * (1 + 1e-9)
        seen.add((bool(policy.risk.price), policy.contract.reserve, bool(policy.stock.maximum_days)))
    assert len(seen) > 4  # with and without tail risk, reserves and stock


def test_large_plans_are_taken_apart_and_checked(monkeypatch):
    problem, policy, outcome = _suited(20)[0]
    monkeypatch.setattr(decomposition, "LARGE", 0)
    plan = make_plan(problem, policy)
    assert plan.outcome.solves[0]["solver"] == "highs, by decomposition"
    assert plan.checked.holds
    assert plan.status == "optimal"
    assert plan.outcome.objective == pytest.approx(outcome.objective, rel=2e-6)
    monkeypatch.undo()
    assert plan.summary["expected_loss"] == pytest.approx(make_plan(problem, policy).summary["expected_loss"], abs=1e-2)


def test_a_bound_on_the_tail_holds():
    problem, policy, _ = next(case for case in _suited(20) if case[1].risk.price)
    calm = policy.with_(**{"risk.price": 0.0})
    loose = decompose(problem, calm.with_(**{"risk.bound": 1e9}), gap=1e-8)
    work = decomposition._Work(problem, calm)
    tail = work.at(loose.x).tail
    if tail == 0:
        pytest.skip("this plan loses nothing in the tail")
    bounded = policy.with_(**{"risk.price": 0.0, "risk.bound": tail * 0.9})
    whole = Engine(build(problem, bounded)).plan(settle=False)
    if whole.relaxed:
        pytest.skip("this tail cannot be shortened")
    found = decompose(problem, bounded, gap=1e-8)
    assert work.at(found.x).tail <= tail * 0.9 * (1 + 1e-6)
    assert found.objective == pytest.approx(whole.objective, rel=1e-6)
