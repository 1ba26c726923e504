"""A plan for a case under a policy, and policies side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from supplychain.case import Case
from supplychain.errors import NoAnswer
from supplychain.sourcing.from_case import problem_from_case
from supplychain.sourcing.plan import Plan, make_plan
from supplychain.sourcing.policy import Policy, load_policy

COMPARED = (
    "status",
    "total_cost",
    "cost_change",
    "qualification_cost",
    "stock_cost",
    "to_qualify",
    "suppliers",
    "share_changed",
    "unserved",
    "controlled_share",
    "worst_at_leave_resourced_after",
    "worst_at_leave_resourced_after_by",
    "worst_all_short_run_after",
    "worst_all_resourced_after",
    "worst_all_resourced_after_by",
    "rules_given_way",
    "gap",
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Policies side by side. table: one row per policy (first `today`), the columns of `COMPARED`; cost is for one
    year, so that policies with other horizons compare. plans: by name, for those that have one; failures: why the
    others have none."""

    table: pd.DataFrame
    plans: dict[str, Plan]
    failures: dict[str, str]


def source(case: Case, policy: Policy | str | Path = "balanced") -> Plan:
    """Return the sourcing plan of a case's buyer under a policy (a policy, a bundled name or a file).

    Raises NoAnswer with the smallest relaxation when the policy's rules leave no plan, InputError for data that
    make one meaningless, UsageError for an unknown policy.
    """
    chosen = policy if isinstance(policy, Policy) else load_policy(policy)
    return make_plan(problem_from_case(case, chosen), chosen)


def compare(case: Case, policies: Sequence[Policy | str | Path]) -> Comparison:
    """Return the plans of several policies in one table. A policy without a plan is a row that says so."""
    plans: dict[str, Plan] = {}
    failures: dict[str, str] = {}
    rows: list[dict[str, object]] = []
    for given in policies:
        policy = given if isinstance(given, Policy) else load_policy(given)
        try:
            plan = source(case, policy)
        except NoAnswer as error:
            failures[policy.name] = str(error)
            rows.append({"policy": policy.name, "status": "no plan"})
            continue
        plans[policy.name] = plan
        if not rows:
            rows.append(_today(plan))
        rows.append(_row(plan))
    table = pd.DataFrame(rows).reindex(columns=["policy", *COMPARED])
    return Comparison(table, plans, failures)


def _years(plan: Plan) -> float:
    return plan.problem.periods * plan.problem.period_months / 12


def _row(plan: Plan) -> dict[str, object]:
    row: dict[str, object] = {"policy": plan.policy.name, **{name: plan.summary[name] for name in COMPARED}}
    for name in ("total_cost", "qualification_cost", "stock_cost"):
        row[name] = plan.summary[name] / _years(plan)
    return row


def _today(plan: Plan) -> dict[str, object]:
    summary = plan.summary
    row: dict[str, object] = {
        "policy": "today",
        "status": "as is",
        "total_cost": summary["cost_today"] / _years(plan),
        "cost_change": 0.0,
        "suppliers": summary["suppliers_today"],
        "share_changed": 0.0,
        "unserved": 0.0,
        "controlled_share": summary["controlled_share_today"],
    }
    row.update({name: summary[name.replace("_after", "_before")] for name in COMPARED if "_after" in name})
    return row
