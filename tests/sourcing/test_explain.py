"""What explains a plan, against the plan made afresh without the rule, supplier or room in question."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supplychain.assumptions import Assumptions
from supplychain.sourcing.alternatives import alternatives, qualify_first, ranges
from supplychain.sourcing.explain import reasons, rule_prices
from supplychain.sourcing.plan import make_plan
from supplychain.sourcing.robustness import robustness
from tests.sourcing.family import draw, draw_policy

DEFAULTS = {
    "caps.supplier": {"caps.supplier": 1.0},
    "caps.jurisdiction": {"caps.jurisdiction": 1.0},
    "control.controlled_maximum": {"control.controlled_maximum": 1.0},
    "secure": {"secure.against": ()},
    "sources.minimum": {"sources.minimum": 1},
    "sources.maximum": {"sources.maximum": None},
    "risk.price": {"risk.price": 0.0},
}


# Draws whose rules can all be kept; of the others no price is told.
@pytest.mark.parametrize("seed", [2, 4, 6, 7, 8, 10, 11, 12, 13, 14, 15, 18, 20, 21])
def test_rule_prices_are_differences_to_plans_made_afresh(seed):
    whole = seed % 2 == 0
    problem, policy = draw(seed, whole).problem(), draw_policy(seed, whole)
    plan = make_plan(problem, policy)
    assert not plan.relaxed
    prices = rule_prices(plan)
    priced = prices[prices["rule"].isin(list(DEFAULTS))]
    assert len(priced)
    for row in priced.itertuples():
        afresh = make_plan(problem, policy.with_(**DEFAULTS[row.rule]))
        assert row.objective_without == pytest.approx(afresh.outcome.objective, rel=1e-5, abs=1e-5), row.rule
        if row.rule != "risk.price":
            assert row.price >= -1e-5


@pytest.mark.parametrize("seed", [0, 2, 4, 6])
def test_explanations_of_small_plans_hold_together(seed):
    plan = make_plan(draw(seed, whole=True).problem(), draw_policy(seed, whole=True))
    assert (reasons(plan)["why"] != "").all()
    heads, _ = alternatives(plan, slack=0.05, count=2)
    assert (heads["extra"] <= 0.05 + 1e-6).all()
    found = ranges(plan, slack=0.05)
    assert (found["lowest"] <= found["share"] + 1e-6).all()
    assert (found["highest"] >= found["share"] - 1e-6).all()
    assert (qualify_first(plan)["worth"] >= 0).all()


def test_resampling_without_doubt_changes_nothing():
    plan = make_plan(draw(2, whole=False).problem(), draw_policy(2, whole=False))
    sure = Assumptions.load().with_({f"sourcing.spread:{q}": 0.0 for q in ("reported", "unknown")})
    found = robustness(plan, draws=2, seed=1, assumptions=sure)
    assert found.changes == 0
    assert found.items["worth"].max() == pytest.approx(0, abs=1e-3 * abs(plan.outcome.objective))


def test_the_worth_of_a_supplier_is_what_its_loss_costs():
    """Forbid the first supplier to be qualified by making its qualification unpayable, and plan afresh."""
    compared = 0
    for seed in range(0, 40, 2):
        problem, policy = draw(seed, whole=True).problem(), draw_policy(seed, whole=True)
        plan = make_plan(problem, policy)
        table = qualify_first(plan)
        if plan.relaxed or not len(table) or not np.isfinite(table["worth"].iloc[0]):
            continue
        row = table.iloc[0]
        at = problem.supplies["supply"] == row["supply"]
        dear = problem.supplies["qualification_cost"].where(~at, 1e6)
        other = replace(problem, supplies=problem.supplies.assign(qualification_cost=dear))
        afresh = make_plan(other, policy)
        assert row["worth"] == pytest.approx(afresh.outcome.objective - plan.outcome.objective, rel=1e-3, abs=1e-2)
        compared += 1
        if compared == 3:
            return
    pytest.fail("too few drawn plans qualify a supplier")
