"""Each rule of a policy binds as it says, and names itself when it cannot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from supplychain.errors import NoAnswer
from supplychain.sourcing.plan import make_plan
from supplychain.sourcing.policy import policy_from
from supplychain.sourcing.problem import make_problem

THREATS = {"CHN:all": ("state", np.array([0.0, 1.0, 1.0]))}


def _three(**columns):
    """One need of 10; three sources at 1, 2 and 3: two under leave of one regime, the dear one free."""
    needs = pd.DataFrame({"plant": ["a"], "item": "x", "demand": [10.0], "margin": [50.0]})
    supplies = pd.DataFrame(
        {
            "supply": ["s", "t", "u"],
            "organisation": ["s", "t", "u"],
            "site": ["CHN", "JPN", "DEU"],
            "jurisdiction": ["CHN", "CHN", "DEU"],
            "new": columns.pop("new", False),
            "qualification_cost": columns.pop("fee", 0.0),
        }
    )
    lines = pd.DataFrame(
        {
            "plant": "a",
            "item": "x",
            "supply": ["s", "t", "u"],
            "unit_cost": [1.0, 2.0, 3.0],
            "today": [0.5, 0.5, 0.0],
            "status": ["licence", "notification", "free"],
            "regimes": ["w1;other", "w1", ""],
            **columns,
        }
    )
    return make_problem(needs, supplies, lines, threats=THREATS)


@pytest.mark.parametrize(
    ("rule", "shares"),
    [
        ({"caps": {"regimes": {"w1": 0.4}}}, [0.4, 0.0, 0.6]),
        ({"caps": {"regimes": {"other": 0.3}}}, [0.3, 0.7, 0.0]),
        ({"caps": {"regime": 0.2}}, [0.2, 0.0, 0.8]),
        ({"caps": {"jurisdiction": 0.5}}, [0.5, 0.0, 0.5]),
        ({"caps": {"site": 0.5}}, [0.5, 0.5, 0.0]),
        ({"control": {"controlled_maximum": 0.3}}, [0.3, 0.0, 0.7]),
        ({"control": {"noncontrolling_minimum": 0.25}}, [0.75, 0.0, 0.25]),
        ({"licences": {"mode": "forbid"}}, [0.0, 1.0, 0.0]),
        ({"sources": {"minimum": 3, "smallest_share": 0.1}}, [0.8, 0.1, 0.1]),
        ({"sources": {"maximum": 1}}, [1.0, 0.0, 0.0]),
    ],
)
def test_a_rule_binds(rule, shares):
    plan = make_plan(_three(), policy_from({"name": "p", **rule}))
    assert plan.contracts.buy[:, 0] == pytest.approx(shares, abs=1e-7)
    assert plan.status == "optimal"


def test_a_prohibited_flow_is_never_used():
    for closed in ({"status": ["prohibited", "free", "free"]}, {"policy": ["presumption-of-denial", "", ""]}):
        plan = make_plan(_three(**closed), policy_from({"name": "p"}))
        assert plan.contracts.buy[0, 0] == 0


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"budget": {"total": 8.0}}, "budget must rise by 25"),
        ({"budget": {"relative_to_today": 0.5}}, "budget must rise by"),
        ({"control": {"noncontrolling_minimum": 0.5}, "caps": {"site": 0.4}}, "control.noncontrolling_minimum"),
        ({"sources": {"minimum": 4}}, "sources.minimum must change by 1"),
        ({"secure": {"against": ["state"], "refusal": "all"}, "budget": {"total": 15.0}}, "the whole plan: budget"),
        ({"scenarios": {"state": 0.5, "refusal": "all"}, "risk": {"bound": 1.0}, "budget": {"total": 10}}, "by 99.80%"),
    ],
)
def test_what_cannot_hold_is_named(rule, said):
    with pytest.raises(NoAnswer) as caught:
        make_plan(_three(), policy_from({"name": "p", **rule}))
    assert said in str(caught.value)


def test_budgets_that_bind():
    problem = _three(new=[False, True, True], fee=[0.0, 4.0, 4.0])
    secure = {"secure": {"against": ["state"], "gap": 0.5, "refusal": "all"}}
    loose = make_plan(problem, policy_from({"name": "p", **secure}))
    assert loose.summary["qualification_cost"] == pytest.approx(4.0)
    for budget in ({"qualification": 3.0}, {"qualifications_maximum": 0}):
        with pytest.raises(NoAnswer) as caught:
            make_plan(problem, policy_from({"name": "p", **secure, "budget": budget}))
        assert next(iter(budget)) in str(caught.value) or "secure (CHN:all)" in str(caught.value)
    named = policy_from({"name": "p", "impossible": "name", **secure, "budget": {"qualifications_maximum": 0}})
    plan = make_plan(problem, named)
    assert len(plan.relaxed) == 1
    assert plan.checked.holds


def test_a_bound_on_the_tail_moves_purchases():
    """CHN fails with probability 0.2 and then half of the plan is lost; the mean of the worst fifth may be at most
    100 of 500."""
    rule = {"name": "p", "cost": {"unmet": 0.0}, "scenarios": {"state": 0.2, "refusal": "all"}}
    loose = make_plan(_three(), policy_from(rule))
    assert loose.contracts.buy[0, 0] == pytest.approx(1.0)
    bound = make_plan(_three(), policy_from({**rule, "risk": {"level": 0.8, "bound": 100.0}}))
    assert bound.contracts.buy[0, 0] == pytest.approx(0.2)


def test_a_change_must_be_worth_its_cost():
    """Half is bought at 2 today; moving its 5 units to 1 saves 5 a year, and costs change_rate * 2 * 5 once."""
    for rate, moved in ((0.4, 1.0), (0.6, 0.5)):
        plan = make_plan(_three(), policy_from({"name": "p", "cost": {"change_rate": rate}}))
        assert plan.contracts.buy[0, 0] == pytest.approx(moved)
        assert plan.summary["total_cost"] == pytest.approx(10 * moved + 20 * (1 - moved) + rate * 20 * (moved - 0.5))
