"""The second solver: it agrees with plans, and a plan that it contradicts is withheld."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supplychain.cbc import cbc_path
from supplychain.errors import NoAnswer
from supplychain.sourcing.opinion import ask_cbc, second
from supplychain.sourcing.plan import make_plan
from tests.sourcing.family import draw, draw_policy


@pytest.mark.skipif(cbc_path() is None, reason="no CBC program here")
def test_cbc_agrees_or_the_plan_is_withheld():
    plan = make_plan(draw(2, whole=True).problem(), draw_policy(2, whole=True))
    assert plan.model.linear.integer.any()
    assert ask_cbc(plan).agrees
    assert second(plan).endswith("agrees")
    wrong = replace(plan, outcome=replace(plan.outcome, objective=plan.outcome.objective * 1.01))
    with pytest.raises(NoAnswer, match="two solvers disagree"):
        second(wrong)


def test_words_without_a_second_solver():
    whole = make_plan(draw(2, whole=True).problem(), draw_policy(2, whole=True))
    linear = make_plan(draw(3, whole=False).problem(), draw_policy(3, whole=False))
    assert second(whole, wanted=False) == "proved by HiGHS's own bound"
    assert second(linear) == "proved by a dual bound in safe arithmetic"
