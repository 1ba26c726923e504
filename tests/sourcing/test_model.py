"""Parts of the model against answers by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from supplychain.sourcing.losses import Contracts, after_resourcing, short_run, worst_gap
from supplychain.sourcing.plan import make_plan
from supplychain.sourcing.policy import policy_from
from supplychain.sourcing.problem import make_problem


def _two(threats=None, **columns):
    needs = pd.DataFrame({"plant": ["a"], "item": "x", "demand": [10.0], "margin": [20.0], **columns.pop("needs", {})})
    supplies = pd.DataFrame(
        {"supply": ["s", "t"], "organisation": ["s", "t"], "site": ["CHN", "JPN"], **columns.pop("supplies", {})}
    )
    lines = pd.DataFrame({"plant": "a", "item": "x", "supply": ["s", "t"], "unit_cost": [1.0, 2.0], **columns})
    return make_problem(needs, supplies, lines, threats=threats or {}, currency="USD")


REFUSALS = {
    "CHN:all": ("state", np.array([0.0, 1.0])),
    "JPN:all": ("state", np.array([1.0, 0.0])),
}


def test_cheapest_and_caps():
    plan = make_plan(_two(), policy_from({"name": "p", "caps": {"site": 0.6}}))
    assert plan.summary["total_cost"] == pytest.approx(10 * (0.6 * 1 + 0.4 * 2))


def test_n_1_security_by_hand():
    """Either state may refuse everything and at most 30 % may be missing: with flexibility 0 and no stock at least
    70 % must be promised by each; buying fills 100 %, so 70 % are bought from the cheap one and 30 % from the
    dear one, whose other 40 % are reserved at 5 % of the price."""
    rule = {"name": "p", "secure": {"against": ["state"], "gap": 0.3, "refusal": "all"}}
    rule |= {"contract": {"reserve": True}, "cost": {"reservation_rate": 0.05}}
    plan = make_plan(_two(REFUSALS), policy_from(rule))
    # Cheapest: buy all from s (10), reserve 70 % of t: 0.05 * 2 * 7 = 0.7; s alone already promises 100 %.
    assert plan.summary["total_cost"] == pytest.approx(10.7)
    assert plan.losses["gap_after"].max() == pytest.approx(0.3)
    for threat in plan.problem.threats:
        assert worst_gap(plan.problem, plan.contracts, threat)[0] <= 0.3 + 1e-9


def test_scenarios_weigh_cost_against_the_margin():
    """One supply may fail with probability p: buying from the safe, dear one pays once p * margin exceeds the
    difference."""
    problem = _two({"CHN:all": ("state", np.array([0.0, 1.0]))})
    for probability, cheap in ((0.02, 1.0), (0.2, 0.0)):
        rule = {"name": "p", "scenarios": {"state": probability, "refusal": "all"}}
        plan = make_plan(problem, policy_from(rule))
        shares = plan.lines.set_index("supply")["share"]
        assert shares.get("s", 0.0) == pytest.approx(cheap)
        # The expected cost: contract when calm, deliveries and the margin lost when not.
        calm = 10 * (cheap * 1 + (1 - cheap) * 2)
        struck = 10 * ((1 - cheap) * 2 + cheap * 20)
        assert plan.outcome.objective == pytest.approx((1 - probability) * calm + probability * struck)


@pytest.mark.parametrize("level", [0.0, 0.5, 0.9])
def test_conditional_value_at_risk_is_the_mean_of_the_worst_tail(level):
    rng = np.random.default_rng(4)
    left = np.round(rng.random((6, 2)), 2)
    threats = {f"{chr(65 + i)}:all": ("state", left[i]) for i in range(6)}
    problem = _two(threats)
    rule = {"name": "p", "scenarios": {"state": 0.1, "refusal": "all"}}
    plan = make_plan(problem, policy_from({**rule, "risk": {"level": level, "price": 1.0}}))
    share = plan.contracts.buy[:, 0]
    loss = np.append(200 * (1 - left @ share), 0.0)
    chance = np.append(np.full(6, 0.1), 0.4)
    order = np.argsort(-loss)
    tail, weight = 0.0, 1 - level
    for k in order:
        part = min(chance[k], weight)
        tail, weight = tail + part * loss[k], weight - part
    risk = chance @ loss + tail / (1 - level)
    cost = 10 * share @ [1.0, 2.0]
    deliveries = sum(0.1 * 10 * (left[i] * share) @ [1.0, 2.0] for i in range(6))
    assert plan.outcome.objective == pytest.approx(0.4 * cost + deliveries + risk, rel=1e-6)


def test_price_tiers_both_ways():
    problem = _two(supplies={"unit_cost": [1.0, 2.0]})
    tiers = {"name": "p", "price_tiers": [{"supply": "s", "above": 4, "unit_cost": 3.0}]}
    plan = make_plan(problem, policy_from(tiers))  # the dear tier is worse than the other supply
    assert plan.summary["total_cost"] == pytest.approx(4 * 1 + 6 * 2)
    tiers["price_tiers"] = [{"supply": "t", "above": 4, "unit_cost": 0.1}]
    plan = make_plan(problem, policy_from(tiers))  # 4 at 2 and 6 at 0.1 beat 10 at 1
    assert plan.summary["total_cost"] == pytest.approx(4 * 2 + 6 * 0.1)


def test_minimum_order_and_number_of_sources():
    problem = _two(supplies={"minimum_order": [0.0, 6.0]})
    plan = make_plan(problem, policy_from({"name": "p", "caps": {"supplier": 0.8}}))
    assert plan.summary["total_cost"] == pytest.approx(4 * 1 + 6 * 2)
    two = policy_from({"name": "p", "sources": {"minimum": 2, "smallest_share": 0.25}})
    assert make_plan(_two(), two).summary["total_cost"] == pytest.approx(7.5 * 1 + 2.5 * 2)


def test_lead_time_and_qualification_in_periods():
    """A new supply that takes five months delivers from the third of four quarters."""
    needs = pd.DataFrame({"plant": ["a"], "item": "x", "demand": [10.0]})
    supplies = pd.DataFrame(
        {"supply": ["old", "new"], "new": [False, True], "ready_months": [0.0, 5.0], "qualification_cost": [0.0, 3.0]}
    )
    lines = pd.DataFrame(
        {"plant": "a", "item": "x", "supply": ["old", "new"], "unit_cost": [2.0, 1.0], "today": [1.0, 0.0]}
    )
    problem = make_problem(needs, supplies, lines, periods=4, period_months=3.0, strike=2)
    policy = policy_from({"name": "p", "horizon": {"months": 12, "periods": 4, "strikes_month": 6}})
    plan = make_plan(problem, policy)
    assert plan.summary["total_cost"] == pytest.approx(2 * 20 + 2 * 10 + 3)
    assert plan.summary["to_qualify"] == 1
    tight = policy.with_(**{"budget.qualification": 2.0})
    assert make_plan(problem, tight).summary["total_cost"] == pytest.approx(80)


def test_stock_bridges_what_nothing_else_can():
    """One source, one refusal, two quarters: nine tenths must be there in each, so 1.8 periods of stock are held."""
    needs = pd.DataFrame({"plant": ["a"], "item": "x", "demand": [10.0], "stock_today": [0.3]})
    supplies = pd.DataFrame({"supply": ["s"]})
    lines = pd.DataFrame({"plant": ["a"], "item": "x", "supply": ["s"], "unit_cost": [1.0]})
    threats = {"A:all": ("state", np.zeros(1))}
    problem = make_problem(needs, supplies, lines, threats=threats, periods=2, period_months=3.0)
    rule = {"name": "p", "horizon": {"months": 6, "periods": 2}, "stock": {"maximum_days": 365}}
    rule |= {"secure": {"against": ["state"], "gap": 0.1, "refusal": "all"}, "cost": {"holding_rate": 0.1}}
    plan = make_plan(problem, policy_from(rule))
    assert plan.contracts.build[0] == pytest.approx(1.5)
    assert plan.summary["stock_cost"] == pytest.approx(15 * (1 + 0.1 * 0.5))


def test_losses_by_hand():
    problem = _two(REFUSALS, needs={"stock_today": [0.1]})
    contracts = Contracts(np.array([[0.6], [0.4]]), np.array([[0.0], [0.2]]), np.array([0.05]), flexibility=0.5)
    china = problem.threat("CHN:all")
    assert short_run(problem, contracts, china)[0] == pytest.approx(0.6)
    assert after_resourcing(problem, contracts, china)[0] == pytest.approx(1 - 0.6 - 0.2 - 0.15)


def test_the_chance_of_refusal_may_be_priced():
    """A line on leave at 1 with a chance of 0.9, against a free one at 2: the margin of 20 makes it cost 1 + 0.1 *
    20 = 3."""
    problem = _two(status=["licence", "free"], probability=[0.9, 1.0])
    assert make_plan(problem, policy_from({"name": "p"})).summary["total_cost"] == pytest.approx(10.0)
    priced = make_plan(problem, policy_from({"name": "p", "licences": {"price_refusal": True}}))
    assert priced.summary["total_cost"] == pytest.approx(20.0)
    forbidden = make_plan(problem, policy_from({"name": "p", "licences": {"mode": "forbid"}}))
    assert not forbidden.lines.loc[forbidden.lines["share"] > 0, "needs_licence"].any()
