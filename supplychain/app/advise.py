"""The plan that a draft calls for, beside the one without it: what moves, what it costs, and the procurement tables.

Without outages the plan is the one that `supplychain source` makes of the draft's case; outages limit what makers can
still sell. Limits of the draft are laid over the policy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from supplychain.exchange.award import award_sheet, coupa_items, plain_plan
from supplychain.exchange.planned import planned
from supplychain.exchange.sap import quota_arrangements, source_list
from supplychain.sourcing import Plan, load_policy, make_plan
from supplychain.whatif.regret import problem_under

if TYPE_CHECKING:
    from supplychain.app.draft import Draft
    from supplychain.app.workspace import Setup, Workspace
    from supplychain.case import Case

FORMATS: Final = {
    "sap-quota": quota_arrangements,
    "sap-source-list": source_list,
    "ariba": award_sheet,
    "coupa": coupa_items,
    "plan": plain_plan,
}
_KEYS: Final = ["plant", "item", "supply", "period"]
_MOVED: Final = 1e-6  # a share that moves by less is rounding
_SHOWN: Final = (
    "total_cost", "purchase_cost", "qualification_cost", "reservation_cost", "stock_cost", "change_cost",
    "expected_loss", "cost_change", "suppliers", "to_qualify", "unserved", "share_changed", "controlled_share",
    "rules_given_way",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Advice:
    """A recommended plan and what changes because of the draft.

    lines: as `supplychain source --format csv`, with base_share (in the plan without the draft) and moved.
    changes: the lines of the last period that move because of the draft or from today, largest first.
    needs, threats, qualify: as `supplychain source --part`. figures: figure, today, base, now (costs over the plan's
    horizon; exposure to the worst single refusal before and after).
    status (optimal, or feasible with a gap), gap, relaxed (rules that cannot hold), notes.
    """

    draft: Draft
    plan: Plan
    case: Case
    lines: pd.DataFrame
    changes: pd.DataFrame
    needs: pd.DataFrame
    threats: pd.DataFrame
    qualify: pd.DataFrame
    figures: pd.DataFrame
    status: str
    gap: float
    relaxed: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def proven(self) -> bool:
        return self.plan.outcome.proven

    def procurement(self, form: str) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
        """Return the tables of a procurement format (a key of FORMATS), and what is said of them."""
        lines = planned(self.plan, self.case)
        return FORMATS[form](lines), lines.about


def advise(workspace: Workspace, setup: Setup, draft: Draft) -> Advice:
    """Return the plan for a draft. Raises NoAnswer (with the smallest relaxation) when the policy leaves none,
    InputError for a draft that does not fit the data."""
    began = time.perf_counter()
    applied = workspace.applied(setup, draft)
    plan = planned_for(workspace, setup, draft)
    base = planned_for(workspace, setup, None)
    old = base.lines.set_index(_KEYS)["share"].rename("base_share")
    lines = plan.lines.join(old, on=_KEYS)
    lines["base_share"] = lines["base_share"].fillna(0.0)
    lines["moved"] = lines["share"] - lines["base_share"]
    needs, threats, qualify = plan.needs, plan.threats, plan.qualifications
    figures = _figures(plan, base)
    return Advice(
        draft=draft,
        plan=plan,
        case=applied.at(12.0),
        lines=lines,
        changes=_changes(lines),
        needs=needs,
        threats=threats,
        qualify=qualify,
        figures=figures,
        status=plan.status,
        gap=plan.outcome.gap,
        relaxed=plan.relaxed,
        notes=tuple(dict.fromkeys([*plan.notes, *applied.warnings])),
        seconds=time.perf_counter() - began,
    )


def planned_for(workspace: Workspace, setup: Setup, draft: Draft | None) -> Plan:
    """Return the plan for a draft, or for the case as it is; remembered by content."""
    applied = workspace.baseline(setup) if draft is None else workspace.applied(setup, draft)
    key = (setup.buyer, setup.products, setup.on, setup.policy, "" if draft is None else draft.key)

    def make() -> Plan:
        policy = applied.scenario.limited(load_policy(setup.policy))
        return make_plan(problem_under(applied, policy), policy)

    return workspace.kept("plan", key, make)


def _changes(lines: pd.DataFrame) -> pd.DataFrame:
    last = lines[lines["period"] == lines["period"].max()]
    moved = last[(last["moved"].abs() > _MOVED) | (last["change"].abs() > _MOVED)]
    order = moved.assign(size=moved["moved"].abs(), old=moved["change"].abs())
    order = order.sort_values(["size", "old", *_KEYS], ascending=[False, False, *[True] * 4], ignore_index=True)
    table: pd.DataFrame = order.drop(columns=["size", "old"])
    return table


def _figures(plan: Plan, base: Plan) -> pd.DataFrame:
    now, old = plan.summary, base.summary
    today = {"total_cost": "cost_today", "suppliers": "suppliers_today", "controlled_share": "controlled_share_today"}
    rows: list[tuple[str, Any, Any, Any]] = [
        (name, now.get(today.get(name, "")), old[name], now[name]) for name in _SHOWN
    ]
    for strength in ("at_leave", "all"):
        for measure in ("resourced", "short_run"):
            key = f"worst_{strength}_{measure}"
            rows.append((key, now[f"{key}_before"], old[f"{key}_after"], now[f"{key}_after"]))
    return pd.DataFrame(rows, columns=["figure", "today", "base", "now"]).astype({"today": float})
