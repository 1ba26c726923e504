"""Why a plan is as it is: the reason for each line and the best rejected source, and what every rule costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from supplychain.errors import NoAnswer
from supplychain.solve import LiveModel
from supplychain.sourcing.engine import Engine
from supplychain.sourcing.items import ItemModel, item_models, lines_of
from supplychain.sourcing.losses import after_resourcing
from supplychain.sourcing.plan import SHOWN, Plan, make_plan, read_contracts
from supplychain.sourcing.problem import Floats
from supplychain.sourcing.tiling import SourcingModel

WEIGHT = 1e-6  # a dual price below this part of the line's cost explains nothing
_WORDS = {
    "capacity": "capacity for this buyer",
    "minimum_order": "a minimum order",
    "change_from_today": "staying with today's source",
    "sources": "the number of sources",
    "price_tiers": "price tiers",
    "deliveries_within_contract": "what it delivers when others are refused",
    "exposure_rows": "what it delivers when others are refused",
}


def reasons(plan: Plan) -> pd.DataFrame:
    """One row per line of the plan in its last period: plant, item, supply, share, why, and the best source that is
    not used (`instead`), what one unit there costs more (part of the line's unit cost) and why it is not used.

    The words come from the dual prices of the plan with its whole numbers fixed: what a line costs beyond the
    cheapest permitted one is paid by the rules that hold.
    """
    problem, model = plan.problem, plan.model
    last = problem.periods - 1
    names = _row_names(model)
    unit = problem.lines["unit_cost"].to_numpy(float)
    share = plan.contracts.buy[:, last]
    used = share > SHOWN
    held = np.zeros(len(used), dtype=bool)
    if problem.after:
        held = plan.contracts.reserve[:, -1] > SHOWN
    rows = []
    for part in item_models(plan):
        paid = _payments(part, names)
        for need in np.unique(problem.need[lines_of(part, model)]).tolist():
            lines = np.flatnonzero(problem.need == need)
            order = lines[np.argsort(unit[lines], kind="stable")]
            rejected = [line for line in order.tolist() if not used[line] and not held[line]]
            instead = rejected[0] if rejected else -1
            for line in order[used[order]].tolist():
                cheaper = [other for other in order.tolist() if unit[other] < unit[line] * (1 - 1e-9)]
                own = paid.get(_column(plan, line), {})
                rows.append(
                    {
                        "plant": problem.needs["plant"].iloc[need],
                        "item": problem.needs["item"].iloc[need],
                        "supply": problem.supplies["supply"].iloc[problem.supply[line]],
                        "share": share[line],
                        "why": _why(plan, line, cheaper, own, paid),
                        "instead": problem.supplies["supply"].iloc[problem.supply[instead]] if instead >= 0 else "",
                        "dearer": unit[instead] / unit[line] - 1 if instead >= 0 and unit[line] else np.nan,
                        "not_used_because": _why_not(plan, instead, line, paid) if instead >= 0 else "no other source",
                    }
                )
    columns = ["plant", "item", "supply", "share", "why", "instead", "dearer", "not_used_because"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(
        ["plant", "item", "share", "supply"], ascending=[True, True, False, True], ignore_index=True
    )


def _row_names(model: SourcingModel) -> list[str]:
    """What each row is called: the rule and its group where it has a slack column, else its constraint."""
    names = [str(name) for name in model.family]
    columns = model.soft_columns
    by_soft = sparse.csc_array(model.linear.matrix[:, columns])
    for i, soft in enumerate(model.softs):
        if soft.rule == "demand":
            continue
        label = f" ({soft.label})" if soft.label else ""
        for row in by_soft.indices[by_soft.indptr[i] : by_soft.indptr[i + 1]].tolist():
            names[row] = soft.rule + label
    return names


def _payments(part: ItemModel, names: list[str]) -> dict[int, dict[str, float]]:
    """For each column, what each rule pays for it (positive) or charges it (negative): dual price times coefficient."""
    fixed = part.linear.with_integers_fixed(part.x)
    solution = LiveModel(fixed).solve(certify=False)
    if not solution.has_values:
        return {}
    weighted = sparse.coo_array(fixed.matrix)
    value = weighted.data * solution.duals[weighted.row]
    found: dict[int, dict[str, float]] = {}
    strong = np.abs(value) > 1e-12
    for row, column, amount in zip(weighted.row[strong], weighted.col[strong], value[strong].tolist(), strict=True):
        name = names[part.rows[row]]
        if name != "meet_demand":
            by_rule = found.setdefault(int(part.columns[column]), {})
            by_rule[name] = by_rule.get(name, 0.0) + amount
    return found


def _why(plan: Plan, line: int, cheaper: list[int], own: dict[str, float], paid: dict[int, dict[str, float]]) -> str:
    if not cheaper:
        return "the cheapest source"
    gains = [
        name for name, value in sorted(own.items(), key=lambda pair: (-pair[1], pair[0])) if value > _noise(plan, line)
    ]
    blocked = sorted({_barrier(plan, other, paid) for other in cheaper} - {""})
    text = [f"pays for {_word(name)}" for name in gains[:2]]
    text += [f"cheaper ones: {'; '.join(blocked[:3])}"] if blocked else []
    return "; ".join(text) or "as good as cheaper ones, and closer to today"


def _barrier(plan: Plan, line: int, paid: dict[int, dict[str, float]]) -> str:
    """What keeps a line from taking more, in words; empty when nothing but its own price."""
    problem, policy, last = plan.problem, plan.policy, plan.problem.periods - 1
    if problem.closed[line]:
        return f"refused on the date ({problem.lines['citation'].iloc[line]})"
    if policy.licences.mode == "forbid" and problem.needs_leave[line]:
        return f"needs a licence or may need one ({problem.lines['citation'].iloc[line] or 'unknown'})"
    if problem.first_period[line] > last:
        return f"delivers only after {problem.supplies['ready_months'].iloc[problem.supply[line]]:.0f} months"
    limit = float(problem.lines["capacity"].iloc[line])
    if np.isfinite(limit) and plan.contracts.buy[line, last] * problem.line_demand[line] >= limit * (1 - 1e-6):
        return "cannot be raised above today"
    own = paid.get(_column(plan, line), {})
    costs = sorted((value, name) for name, value in own.items() if value < -_noise(plan, line))
    if not costs:
        return ""
    name = costs[0][1]
    return "would have to be qualified" if name == "panel_before_buying" else f"{_word(name)} is used up"


def _why_not(plan: Plan, line: int, used: int, paid: dict[int, dict[str, float]]) -> str:
    barrier = _barrier(plan, line, paid)
    unit = plan.problem.lines["unit_cost"].to_numpy(float)
    if unit[line] > unit[used] * (1 + 1e-9):
        extra = f"dearer by {unit[line] / unit[used] - 1:.1%}" if unit[used] else "dearer"
        return f"{extra}; {barrier}" if barrier else extra
    own, other = paid.get(_column(plan, used), {}), paid.get(_column(plan, line), {})
    lack = {name: value - other.get(name, 0.0) for name, value in own.items()}
    most = max(sorted(lack), key=lambda name: lack[name], default="")
    if not barrier and most and lack[most] > _noise(plan, used):
        return f"does less for {_word(most)}"
    return barrier or "no better, and further from today"


def _column(plan: Plan, line: int) -> int:
    return int(plan.model.block["buy"].start + (line + 1) * plan.problem.periods - 1)


def _noise(plan: Plan, line: int) -> float:
    return WEIGHT * max(float(plan.problem.lines["unit_cost"].iloc[line] * plan.problem.line_demand[line]), 1e-12)


def _word(name: str) -> str:
    if name.startswith("secure"):
        return f"security against {name.removeprefix('secure (').removesuffix(')')}"
    return _WORDS.get(name, name)


@dataclass(frozen=True)
class RulePrice:
    """A rule of the policy, and how the plan without it is told to be found."""

    rule: str
    changes: dict[str, object]


def rule_prices(plan: Plan) -> pd.DataFrame:
    """One row per rule of the policy that binds or may: rule, price (what the plan costs more for it; objective with
    minus objective without), cost_without, unserved_without, worst_without (largest mean loss after a state's
    refusal).

    Each rule is dropped alone and the plan solved again. A price of 0 is a rule that costs nothing here.
    """
    rows = []
    for rule in _rules(plan):
        try:
            x, model = _without(plan, rule)
        except NoAnswer:
            continue
        objective = model.linear.objective(x)
        problem, contracts = model.problem, read_contracts(model, x)
        bought = np.bincount(problem.need, contracts.buy[:, -1], len(problem.needs))
        states = [t for t in problem.threats if t.kind == "state" and t.name.endswith(f":{plan.policy.secure.refusal}")]
        worst = max((float(after_resourcing(problem, contracts, t).mean()) for t in states), default=0.0)
        rows.append(
            {
                "rule": rule.rule,
                "price": plan.outcome.objective - objective,
                "price_share": (plan.outcome.objective - objective) / max(abs(plan.outcome.objective), 1e-300),
                "objective_without": objective,
                "unserved_without": float(np.clip(1 - bought, 0, None).mean()),
                "worst_without": worst,
            }
        )
    columns = ["rule", "price", "price_share", "objective_without", "unserved_without", "worst_without"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["price", "rule"], ascending=[False, True], ignore_index=True)


def _rules(plan: Plan) -> list[RulePrice]:
    soft = sorted({soft.rule for soft in plan.model.softs} - {"demand"})
    found = [RulePrice(rule, {}) for rule in soft]
    policy = plan.policy
    if policy.sources.maximum is not None:
        found.append(RulePrice("sources.maximum", {"sources.maximum": None}))
    if policy.licences.mode == "forbid":
        found.append(RulePrice("licences.mode = forbid", {"licences.mode": "allow"}))
    if policy.stock.minimum_days:
        found.append(RulePrice("stock.minimum_days", {"stock.minimum_days": 0.0}))
    if policy.risk.price:
        found.append(RulePrice("risk.price", {"risk.price": 0.0}))
    if (plan.problem.supplies["minimum_order"] > 0).any():
        found.append(RulePrice("minimum orders", {}))
    return found


def _without(plan: Plan, rule: RulePrice) -> tuple[Floats, SourcingModel]:
    if rule.changes:
        other = make_plan(plan.problem, plan.policy.with_(**rule.changes))
        return other.outcome.x, other.model
    engine = Engine(plan.model)
    engine.allow(plan.outcome.relaxed)
    if rule.rule == "minimum orders":
        engine.open_rows("minimum_order")
    else:
        engine.open_rule(rule.rule)
    return engine.plan(settle=False).x, plan.model
