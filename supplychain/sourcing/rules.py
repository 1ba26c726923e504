"""The rules of a policy as constraints of the sourcing model: one function each, its inequality in the docstring.

Symbols as in `model`; every rule that may have to give way carries a slack column, fixed at 0 in a plan that keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supplychain.sourcing.core import Core, change_costs, groups, prices, today_cost


def price_tiers(core: Core) -> None:
    """sum_{l,t} d x_lt = sum_j v_sj, v_sj <= w_sj, cost (price_sj - price_s0) v_sj; where a later tier is cheaper,
    binaries o_sj keep the order: v_sj >= w_sj o_s,j+1 and v_s,j+1 <= w_s,j+1 o_s,j+1."""
    problem = core.problem
    ids = {str(name): s for s, name in enumerate(problem.supplies["supply"])}
    years = problem.periods * problem.period_months / 12
    plan: list[tuple[int, list[float], list[float]]] = []
    by_supply = groups(problem.supply, len(problem.supplies))
    for name in sorted({tier.supply for tier in core.policy.price_tiers} & set(ids)):
        tiers = [tier for tier in core.policy.price_tiers if tier.supply == name]
        s = ids[name]
        most = (
            min(float(problem.supplies["capacity"].iloc[s]), problem.line_demand[by_supply[s]].sum()) * problem.periods
        )
        edges = [0.0, *(min(tier.above * years, most) for tier in tiers), most]
        base = float(problem.supplies["unit_cost"].iloc[s])
        plan.append((s, np.diff(edges).tolist(), [0.0, *(tier.unit_cost - base for tier in tiers)]))
    if not plan:
        return
    # Volumes are scaled by the largest they can be, so that coefficients stay near 1.
    core.columns("tier", [1.0 for _, widths, _ in plan for _ in widths])
    core.tiered = {
        "tier": tuple(s for s, widths, _ in plan for _ in widths),
        "open": tuple(s for s, widths, _ in plan for _ in widths[1:]),
    }
    core.columns("open", [1.0 for _, widths, _ in plan for _ in widths[1:]], cat="Integer")
    at, opened = 0, 0
    for s, widths, extra in plan:
        segment = core.blocks["tier"][at : at + len(widths)]
        gates = core.blocks["open"][opened : opened + len(widths) - 1]
        at, opened = at + len(widths), opened + len(widths) - 1
        sold = [
            (core.buy(line, t), problem.line_demand[line] / sum(widths))
            for line in by_supply[s]
            for t in range(problem.periods)
        ]
        core.row([*sold, *((v, -w / sum(widths)) for v, w in zip(segment, widths, strict=True))], "==", 0.0)
        core.cost(segment, [core.policy.cost.purchase * e * w for e, w in zip(extra, widths, strict=True)])
        for j, gate in enumerate(gates):
            core.row([(segment[j], 1.0), (gate, -1.0)], ">=", 0.0)
            core.row([(segment[j + 1], 1.0), (gate, -1.0)], "<=", 0.0)


def sources(core: Core) -> None:
    """x_lt <= z_l, smallest share * z_l <= x_lt, minimum - slack <= sum_l z_l <= maximum, for the periods of the rules.

    With a maximum of one source the need is served whole: x_lt = z_l."""
    problem, rule = core.problem, core.policy.sources
    if rule.maximum is None and rule.minimum <= 1:
        return
    core.columns("source", core.permitted.astype(float), cat="Integer")
    for n, lines in enumerate(groups(problem.need, len(problem.needs), core.permitted)):
        for line in lines:
            chosen = core.blocks["source"][line]
            gate = core.gate.get(int(problem.supply[line]))
            if gate is not None:
                core.row([(chosen, 1.0), (core.blocks["panel"][gate], -1.0)], "<=", 0.0)
            for t in core.ruled:
                if t >= problem.first_period[line]:
                    core.row([(core.buy(line, t), 1.0), (chosen, -1.0)], "==" if rule.maximum == 1 else "<=", 0.0)
                    if rule.minimum > 1:
                        core.row([(core.buy(line, t), 1.0), (chosen, -rule.smallest_share)], ">=", 0.0)
        count = [(core.blocks["source"][line], 1.0) for line in lines]
        if rule.minimum > 1:
            core.row([*count, (core.slack("sources.minimum", n, ""), 1.0)], ">=", float(rule.minimum))
        if rule.maximum is not None and count:
            core.row(count, "<=", float(rule.maximum))


def share_caps(core: Core) -> None:
    """sum_{l of n in group} x_lt <= cap + slack for every need, group (supplier, site, jurisdiction, regime bloc)
    and period of the rules. Lines whose group is unknown count as one group: they may all be the same."""
    problem, caps = core.problem, core.policy.caps
    for rule, cap, column in (
        ("caps.supplier", caps.supplier, "organisation"),
        ("caps.site", caps.site, "site"),
        ("caps.jurisdiction", caps.jurisdiction, "jurisdiction"),
    ):
        if cap < 1:
            labels = problem.supplies[column].to_numpy(object)[problem.supply]
            for n, lines in enumerate(groups(problem.need, len(problem.needs), core.permitted)):
                for label in sorted({str(labels[line]) for line in lines}):
                    _cap(core, rule, n, label or "unknown", [line for line in lines if labels[line] == label], cap)
    for regime in problem.regime_names:
        cap = caps.regimes.get(regime, caps.regime)
        if cap < 1:
            for n, lines in enumerate(groups(problem.need, len(problem.needs), core.permitted & problem.under(regime))):
                _cap(core, "caps.regime", n, regime, lines, cap)


def controlled_share(core: Core) -> None:
    """sum_{l of n not free} x_lt <= controlled_maximum + slack; sum_{l of n free} x_lt >= noncontrolling_minimum -
    slack."""
    problem, rule = core.problem, core.policy.control
    if rule.controlled_maximum < 1:
        for n, lines in enumerate(groups(problem.need, len(problem.needs), core.permitted & ~problem.free)):
            _cap(core, "control.controlled_maximum", n, "", lines, rule.controlled_maximum)
    if rule.noncontrolling_minimum > 0:
        for n, lines in enumerate(groups(problem.need, len(problem.needs), core.permitted & problem.free)):
            give = core.slack("control.noncontrolling_minimum", n, "")
            for t in core.ruled:
                terms = [(core.buy(line, t), 1.0) for line in lines]
                core.row([*terms, (give, 1.0)], ">=", rule.noncontrolling_minimum)


def budget(core: Core) -> None:
    """cost of the plan when nothing happens <= budget + slack (budget scaled to 1)."""
    problem, rule = core.problem, core.policy.budget
    limit = rule.total
    if rule.relative_to_today is not None:
        limit = rule.relative_to_today * today_cost(problem)
    if limit is None:
        return
    scale = max(limit, 1e-300)
    unit = problem.lines["unit_cost"].to_numpy(float) * problem.line_demand
    spent = list(zip(core.blocks["buy"], np.repeat(unit / scale, problem.periods).tolist(), strict=True))
    if "reserve" in core.blocks:
        fee = np.repeat(core.policy.cost.reservation_rate * unit / scale, problem.after)
        spent += zip(core.blocks["reserve"], fee.tolist(), strict=True)
    fees = problem.supplies["qualification_cost"].to_numpy(float) * problem.supplies["new"].to_numpy(bool)
    spent += [(core.blocks["panel"][i], fees[s] / scale) for s, i in core.gate.items()]
    years = problem.periods * problem.period_months / 12
    held = prices(problem) * problem.demand * (1 + core.policy.cost.holding_rate * years) / scale
    spent += zip(core.blocks["build"], held.tolist(), strict=True)
    core.row([*spent, (core.slack("budget", -1, ""), -1.0)], "<=", 1.0)


def qualification_budget(core: Core) -> None:
    """sum_s q_s y_s <= qualification budget + slack, sum_{s new} y_s <= number of qualifications + slack."""
    problem, rule = core.problem, core.policy.budget
    fees = problem.supplies["qualification_cost"].to_numpy(float)
    new = problem.supplies["new"].to_numpy(bool)
    fresh = [(core.blocks["panel"][i], float(fees[s])) for s, i in core.gate.items() if new[s]]
    if rule.qualification is not None and fresh:
        scale = max(rule.qualification, max(fee for _, fee in fresh), 1e-300)
        give = core.slack("budget.qualification", -1, "")
        core.row([*((y, fee / scale) for y, fee in fresh), (give, -1.0)], "<=", rule.qualification / scale)
    if rule.qualifications_maximum is not None and fresh:
        give = core.slack("budget.qualifications_maximum", -1, "")
        core.row([*((y, 1.0) for y, _ in fresh), (give, -1.0)], "<=", float(rule.qualifications_maximum))


def change_from_today(core: Core) -> None:
    """w_l >= today_l - x_lt for t in the last period: half of the change from today's shares; costs change_rate of a
    year's purchases that leave the line, and breaks ties."""
    problem = core.problem
    today = problem.lines["today"].to_numpy(float)
    known = np.flatnonzero(today > 0)
    core.columns("drop", np.ones(len(known)))
    core.cost(core.blocks["drop"], change_costs(problem, core.policy)[known].tolist())
    for i, line in enumerate(known.tolist()):
        core.row([(core.blocks["drop"][i], 1.0), (core.buy(line, problem.periods - 1), 1.0)], ">=", float(today[line]))


def _cap(core: Core, rule: str, need: int, label: str, lines: Sequence[int], cap: float) -> None:
    if not lines:
        return
    give = core.slack(rule, need, label)
    for t in core.ruled:
        core.row([*((core.buy(line, t), 1.0) for line in lines), (give, -1.0)], "<=", cap)
