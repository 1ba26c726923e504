"""Rows of N-1 security generated as plans break them give the plan that all rows give."""

from __future__ import annotations

import pytest

from supplychain.sourcing import lazy
from supplychain.sourcing.plan import make_plan
from tests.sourcing.family import draw, draw_policy


def test_the_same_plan_as_with_all_rows(monkeypatch):
    compared = fewer = 0
    for seed in range(16):
        rule = {"secure.against": ("state", "supplier"), "secure.gap": 0.45, "secure.refusal": "all"}
        policy = draw_policy(seed, seed % 2 == 0).with_(**rule)
        problem = draw(seed, seed % 2 == 0).problem()
        with monkeypatch.context() as patch:
            patch.setattr(lazy, "FIRST", 1)
            patch.setattr(lazy, "MANY", 0)
            generated = make_plan(problem, policy)
        whole = make_plan(problem, policy)
        if generated.relaxed or whole.relaxed:
            continue
        assert generated.outcome.objective == pytest.approx(whole.outcome.objective, rel=1e-6)
        assert generated.losses["gap_after"].max() <= 0.45 + 1e-6
        fewer += len(generated.model.softs) < len(whole.model.softs)
        compared += 1
    assert compared > 5
    assert fewer > 0
