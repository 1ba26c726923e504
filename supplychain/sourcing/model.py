"""The sourcing model in PuLP: first stage and one scenario, one function per constraint, its inequality in the
docstring.

Symbols: line l = (supply s(l), need n(l)), period t, periods after the strike t >= t*; d_n demand, c_l unit cost,
x_lt the part of a need contracted on a line, r_lt idle capacity reserved, y_s in {0,1} on the panel, z_l in {0,1}
a source of the need, b_n stock built (periods of demand), and in scenario k: g_lt delivered, u_nt unmet, h_nt
stock held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pulp

from supplychain.network import DAYS_PER_MONTH
from supplychain.sourcing.policy import Policy
from supplychain.sourcing.problem import Flags, Floats, SourcingProblem

# Blocks of columns in the order they stand in the arrays; those of the scenario come last, so that they can be tiled.
FIRST = ("buy", "reserve", "panel", "source", "build", "drop", "tier", "open", "tail", "excess0", "slack")
SCENARIO = ("deliver", "unmet", "hold", "excess")
# What the smallest relaxation pays for a rule that gives way, per part of one need; unmet demand gives way last.
DEMAND_WEIGHT = 100.0


@dataclass(frozen=True)
class Soft:
    """A rule that may have to give way: the column that measures by how much, and for whom."""

    column: int  # position within the slack block
    rule: str
    need: int  # position of the need, -1 for a rule on the whole plan
    label: str
    weight: float


@dataclass(eq=False)
class Core:
    """A PuLP problem under construction: the variables by block, and which rows belong to the scenario.

    `factor` holds, for each row, -1 for a first-stage row, -2 for a scenario row, or the position l * A + t of
    the threat's factor that multiplies the first-stage terms of that row.
    """

    problem: SourcingProblem
    policy: Policy
    probability: float  # that no scenario happens
    lp: pulp.LpProblem
    blocks: dict[str, list[Any]] = field(default_factory=dict)
    terms: list[Any] = field(default_factory=list)
    factor: list[int] = field(default_factory=list)
    softs: list[Soft] = field(default_factory=list)
    permitted: Flags = field(default_factory=lambda: np.zeros(0, dtype=bool))
    gate: dict[int, int] = field(default_factory=dict)  # supply -> position in the panel block

    def columns(self, block: str, upper: Any, lower: Any = 0.0, cat: str = "Continuous") -> None:
        """Add a block of variables; names are positions, never text of a user, and sort in the order of the blocks."""
        letter = "abcdefghijklmnopqrstuvwxyz"[(*FIRST, *SCENARIO).index(block)]
        above = np.asarray(upper, dtype=float)
        below = np.broadcast_to(np.asarray(lower, dtype=float), above.shape)
        self.blocks[block] = [
            self.lp.add_variable(f"{letter}{i:09d}", None if low == -np.inf else low, None if up == np.inf else up, cat)
            for i, (low, up) in enumerate(zip(below.tolist(), above.tolist(), strict=True))
        ]

    def row(self, terms: Iterable[tuple[Any, float]], sense: str, right: float, factor: int = -1) -> None:
        """Add the row `sum of coefficient * variable (sense) right`."""
        expression = pulp.lpSum([coefficient * variable for variable, coefficient in terms])
        constraint = (
            expression <= right if sense == "<=" else expression >= right if sense == ">=" else expression == right
        )
        self.lp += constraint, f"r{len(self.factor):09d}"
        self.factor.append(factor)

    def cost(self, variables: Iterable[Any], coefficients: Iterable[float]) -> None:
        """Add `coefficient * variable` terms to the objective."""
        self.terms += [c * v for v, c in zip(variables, coefficients, strict=True) if c != 0]

    def slack(self, rule: str, need: int, label: str, weight: float = 1.0) -> Any:
        """A new column that says by how much a rule gives way; fixed at 0 unless the smallest relaxation is asked for."""
        block = self.blocks.setdefault("slack", [])
        letter = "abcdefghijklmnopqrstuvwxyz"[FIRST.index("slack")]
        block.append(self.lp.add_variable(f"{letter}{len(block):09d}", 0.0, 0.0))
        self.softs.append(Soft(len(block) - 1, rule, need, label, weight))
        return block[-1]

    def buy(self, line: int, period: int) -> Any:
        return self.blocks["buy"][line * self.problem.periods + period]

    def reserve(self, line: int, period: int) -> Any:
        return self.blocks["reserve"][line * self.problem.after + period - self.problem.strike]

    @property
    def ruled(self) -> range:
        """Periods in which the rules of the policy hold."""
        return range(self.problem.strike, self.problem.periods)


def build_core(problem: SourcingProblem, policy: Policy, probability: float, scenarios: bool) -> Core:
    """Return the PuLP core: the first stage, and one scenario when the plan has any."""
    core = Core(problem, policy, probability, pulp.LpProblem("sourcing", pulp.LpMinimize))
    core.permitted = permitted(problem, policy)
    first_stage_columns(core, scenarios)
    for rule in (
        meet_demand,
        panel_before_buying,
        capacity,
        minimum_order,
        price_tiers,
        sources,
        share_caps,
        controlled_share,
        budget,
        qualification_budget,
        change_from_today,
    ):
        rule(core)
    if scenarios:
        scenario_columns(core)
        deliveries_within_contract(core)
        scenario_balance(core)
        conditional_value_at_risk(core)
    core.lp += pulp.lpSum(core.terms)
    return core


def permitted(problem: SourcingProblem, policy: Policy) -> Flags:
    """Lines that the plan may use at all: not refused on the date and, where licences are forbidden, no leave needed."""
    open_ = ~problem.closed
    if policy.licences.mode == "forbid":
        open_ &= ~problem.needs_leave
    return np.asarray(open_, dtype=bool)


def prices(problem: SourcingProblem) -> Floats:
    """Price of one unit of each need for stock and penalties: given, else the mean of its lines (by today's shares
    if known)."""
    cost, today = problem.lines["unit_cost"].to_numpy(float), problem.lines["today"].to_numpy(float)
    n = len(problem.needs)
    weight = np.where(np.bincount(problem.need, today, n)[problem.need] > 0, today, 1.0)
    mean = np.bincount(problem.need, weight * cost, n) / np.maximum(np.bincount(problem.need, weight, n), 1e-300)
    given = problem.needs["price"].to_numpy(float)
    return np.where(np.isnan(given), mean, given)


def margins(problem: SourcingProblem, policy: Policy) -> Floats:
    """Money lost per unit of each need that stays unmet; an unknown margin is `cost.unknown_margin` times the price."""
    given = problem.needs["margin"].to_numpy(float)
    return np.where(np.isnan(given), policy.cost.unknown_margin * prices(problem), given)


def first_stage_columns(core: Core, scenarios: bool) -> None:
    """Columns x, r, y, b and their costs.

    cost: sum_{t<t*} c d x + p0 sum_{t>=t*} c d x + reservation c d r + q y + (1 + holding years) price d b
    """
    problem, policy = core.problem, core.policy
    P, A = problem.periods, problem.after
    d = problem.line_demand
    unit = problem.lines["unit_cost"].to_numpy(float) * (1 + policy.cost.licence_rate * problem.needs_leave)
    limit = np.minimum(1.0, _divide(problem.lines["capacity"].to_numpy(float), d))
    ready = np.arange(P)[None, :] >= problem.first_period[:, None]
    upper = np.where(ready & core.permitted[:, None], limit[:, None], 0.0)
    core.columns("buy", upper.ravel())
    share = np.where(np.arange(P) < problem.strike, 1.0, core.probability)
    core.cost(core.blocks["buy"], (policy.cost.purchase * np.outer(unit * d, share)).ravel().tolist())
    threatened = scenarios or bool(policy.secure.against)
    if policy.contract.reserve and threatened:
        core.columns("reserve", upper[:, problem.strike :].ravel())
        fee = np.repeat(policy.cost.reservation_rate * unit * d, A)
        core.cost(core.blocks["reserve"], fee.tolist())
    new = problem.supplies["new"].to_numpy(bool)
    ordered = problem.supplies["minimum_order"].to_numpy(float) > 0
    gated = np.flatnonzero(new | ordered)
    core.gate = {int(s): i for i, s in enumerate(gated)}
    core.columns("panel", np.ones(len(gated)), cat="Integer")
    fee = np.where(new, problem.supplies["qualification_cost"].to_numpy(float), 0.0)[gated]
    core.cost(core.blocks["panel"], (policy.cost.qualification * fee).tolist())
    days = problem.period_months * DAYS_PER_MONTH
    today = problem.needs["stock_today"].to_numpy(float)
    most = np.maximum(policy.stock.maximum_days / days - today, 0.0) * threatened
    least = np.maximum(policy.stock.minimum_days / days - today, 0.0)
    core.columns("build", np.maximum(most, least), least)
    years = P * problem.period_months / 12
    held = prices(problem) * problem.demand * (policy.cost.purchase + policy.cost.holding_rate * years)
    core.cost(core.blocks["build"], held.tolist())


def meet_demand(core: Core) -> None:
    """sum_{l of n} x_lt + slack_n = 1 for every need n and period t; >= 1 where a minimum order may force more."""
    problem = core.problem
    ordered = problem.supplies["minimum_order"].to_numpy(float)[problem.supply] > 0
    for n, lines in enumerate(_groups(problem.need, len(problem.needs))):
        gap = core.slack("demand", n, "", DEMAND_WEIGHT)
        sense = ">=" if ordered[lines].any() else "=="
        for t in range(problem.periods):
            core.row([*((core.buy(line, t), 1.0) for line in lines), (gap, 1.0)], sense, 1.0)


def panel_before_buying(core: Core) -> None:
    """x_lt + r_lt <= y_s(l): nothing is bought or reserved from a supply that is not on the panel (the strong form,
    per line)."""
    problem = core.problem
    for line in np.flatnonzero(core.permitted).tolist():
        gate = core.gate.get(int(problem.supply[line]))
        if gate is None:
            continue
        for t in range(int(problem.first_period[line]), problem.periods):
            terms = [(core.buy(line, t), 1.0), (core.blocks["panel"][gate], -1.0)]
            if "reserve" in core.blocks and t >= problem.strike:
                terms.append((core.reserve(line, t), 1.0))
            core.row(terms, "<=", 0.0)


def capacity(core: Core) -> None:
    """sum_l d ((1 + f) x_lt + r_lt) <= C_s (1 + spare_s) y_s and sum_l d x_lt <= C_s y_s: a supply promises no more
    than it can make, its spare capacity included; so every call on the promises can be met at once."""
    problem, flexible = core.problem, 1.0 + core.policy.contract.flexibility
    limit = problem.supplies["capacity"].to_numpy(float)
    spare = problem.supplies["spare"].to_numpy(float)
    for s, lines in enumerate(_groups(problem.supply, len(problem.supplies), core.permitted)):
        if not lines or not np.isfinite(limit[s]):
            continue
        gate = core.gate.get(s)
        seat = [] if gate is None else [(core.blocks["panel"][gate], -1.0)]
        right = 1.0 if gate is None else 0.0
        for t in range(problem.periods):
            sold = [(core.buy(line, t), problem.line_demand[line] / max(limit[s], 1e-300)) for line in lines]
            if limit[s] == 0:
                sold = [(variable, 1.0) for variable, _ in sold]
            tight = flexible == 1.0 and "reserve" not in core.blocks
            if tight or spare[s] > flexible - 1 or t < problem.strike:
                core.row([*sold, *seat], "<=", right)
            if not tight and t >= problem.strike:
                room = 1.0 + spare[s]
                promised = [(variable, a * flexible / room) for variable, a in sold]
                if "reserve" in core.blocks:
                    promised += [(core.reserve(line, t), a / room) for line, (_, a) in zip(lines, sold, strict=True)]
                core.row([*promised, *seat], "<=", right)


def minimum_order(core: Core) -> None:
    """sum_{l,t} d x_lt >= m_s y_s: who is on the panel gets an order of at least the smallest size."""
    problem = core.problem
    least = problem.supplies["minimum_order"].to_numpy(float)
    for s, lines in enumerate(_groups(problem.supply, len(problem.supplies), core.permitted)):
        if least[s] > 0 and lines:
            sold = [
                (core.buy(line, t), problem.line_demand[line] / least[s])
                for line in lines
                for t in range(int(problem.first_period[line]), problem.periods)
            ]
            core.row([*sold, (core.blocks["panel"][core.gate[s]], -1.0)], ">=", 0.0)


def price_tiers(core: Core) -> None:
    """sum_{l,t} d x_lt = sum_j v_sj, v_sj <= w_sj, cost (price_sj - price_s0) v_sj; where a later tier is cheaper,
    binaries o_sj keep the order: v_sj >= w_sj o_s,j+1 and v_s,j+1 <= w_s,j+1 o_s,j+1."""
    problem = core.problem
    ids = {str(name): s for s, name in enumerate(problem.supplies["supply"])}
    years = problem.periods * problem.period_months / 12
    plan: list[tuple[int, list[float], list[float]]] = []
    by_supply = _groups(problem.supply, len(problem.supplies))
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
    for n, lines in enumerate(_groups(problem.need, len(problem.needs), core.permitted)):
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
        if rule.maximum is not None:
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
            for n, lines in enumerate(_groups(problem.need, len(problem.needs), core.permitted)):
                for label in sorted({str(labels[line]) for line in lines}):
                    _cap(core, rule, n, label or "unknown", [line for line in lines if labels[line] == label], cap)
    for regime in problem.regime_names:
        cap = caps.regimes.get(regime, caps.regime)
        if cap < 1:
            for n, lines in enumerate(
                _groups(problem.need, len(problem.needs), core.permitted & problem.under(regime))
            ):
                _cap(core, "caps.regime", n, regime, lines, cap)


def controlled_share(core: Core) -> None:
    """sum_{l of n not free} x_lt <= controlled_maximum + slack; sum_{l of n free} x_lt >= noncontrolling_minimum -
    slack."""
    problem, rule = core.problem, core.policy.control
    if rule.controlled_maximum < 1:
        for n, lines in enumerate(_groups(problem.need, len(problem.needs), core.permitted & ~problem.free)):
            _cap(core, "control.controlled_maximum", n, "", lines, rule.controlled_maximum)
    if rule.noncontrolling_minimum > 0:
        for n, lines in enumerate(_groups(problem.need, len(problem.needs), core.permitted & problem.free)):
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
    """w_l >= today_l - x_lt for t in the last period: half of the change from today's shares, used to break ties."""
    problem = core.problem
    today = problem.lines["today"].to_numpy(float)
    known = np.flatnonzero(today > 0).tolist()
    core.columns("drop", [1.0] * len(known))
    for i, line in enumerate(known):
        core.row([(core.blocks["drop"][i], 1.0), (core.buy(line, problem.periods - 1), 1.0)], ">=", float(today[line]))


def scenario_columns(core: Core) -> None:
    """Columns g, u, h of one scenario and their costs: c d g + (unmet weight) margin d u, to be weighted by its
    probability."""
    problem, policy = core.problem, core.policy
    N, A = len(problem.needs), problem.after
    unit = problem.lines["unit_cost"].to_numpy(float) * (1 + policy.cost.licence_rate * problem.needs_leave)
    core.columns("deliver", np.repeat(core.permitted.astype(float) * (1 + policy.contract.flexibility), A))
    core.cost(core.blocks["deliver"], np.repeat(policy.cost.purchase * unit * problem.line_demand, A).tolist())
    core.columns("unmet", np.ones(N * A))
    loss = np.repeat(policy.cost.unmet * margins(problem, policy) * problem.demand, A)
    core.cost(core.blocks["unmet"], loss.tolist())
    core.columns("hold", np.full(N * A, np.inf))


def deliveries_within_contract(core: Core) -> None:
    """g_lt <= factor_lkt ((1 + f) x_lt + r_lt): the contract, its flexibility, and what the scenario leaves of the
    line."""
    problem, flexible = core.problem, 1.0 + core.policy.contract.flexibility
    for line in range(len(problem.lines)):
        for a, t in enumerate(core.ruled):
            at = line * problem.after + a
            promised = [(core.buy(line, t), -flexible)]
            if "reserve" in core.blocks:
                promised.append((core.reserve(line, t), -1.0))
            core.row([(core.blocks["deliver"][at], 1.0), *promised], "<=", 0.0, factor=at)


def scenario_balance(core: Core) -> None:
    """sum_l g_lt + u_nt + h_n,t-1 - h_nt = 1, with h_n,t*-1 = stock today + b_n: deliveries, stock and what stays
    unmet."""
    problem, A = core.problem, core.problem.after
    today = problem.needs["stock_today"].to_numpy(float)
    for n, lines in enumerate(_groups(problem.need, len(problem.needs))):
        for a in range(A):
            held = core.blocks["hold"]
            before = (core.blocks["build"][n], 1.0) if a == 0 else (held[n * A + a - 1], 1.0)
            terms = [(core.blocks["deliver"][line * A + a], 1.0) for line in lines]
            terms += [(core.blocks["unmet"][n * A + a], 1.0), before, (held[n * A + a], -1.0)]
            core.row(terms, ">=", 1.0 - (today[n] if a == 0 else 0.0), factor=-2)


def conditional_value_at_risk(core: Core) -> None:
    """e_k >= sum_n margin d u_nk - eta, e_k >= 0, cost price * (eta + sum_k p_k e_k / (1 - level)), and the same <=
    bound (Rockafellar and Uryasev, Journal of Risk 2, 2000). When nothing happens nothing is lost: e_0 >= -eta."""
    problem, risk = core.problem, core.policy.risk
    if not risk.price and risk.bound is None:
        return
    loss = np.repeat(margins(problem, core.policy) * problem.demand, problem.after)
    scale = max(float(loss.sum()), 1e-300)
    core.columns("tail", [np.inf], lower=-np.inf)
    core.columns("excess0", [np.inf])
    core.columns("excess", [np.inf])
    eta, calm, excess = core.blocks["tail"][0], core.blocks["excess0"][0], core.blocks["excess"][0]
    core.row([(calm, 1.0), (eta, 1.0)], ">=", 0.0)
    lost = zip(core.blocks["unmet"], (-loss / scale).tolist(), strict=True)
    core.row([(excess, 1.0), (eta, 1.0), *lost], ">=", 0.0, factor=-2)
    weight = scale / (1 - risk.level)
    core.cost([eta, calm, excess], [risk.price * scale, risk.price * weight * core.probability, risk.price * weight])
    if risk.bound is not None:
        give = core.slack("risk.bound", -1, "")
        tail = [(eta, 1.0), (calm, core.probability / (1 - risk.level)), (excess, 1.0 / (1 - risk.level)), (give, -1.0)]
        core.row(tail, "<=", risk.bound / scale)


def today_cost(problem: SourcingProblem) -> float:
    """Cost of buying as today over the horizon; a need without known shares costs its price."""
    today = problem.lines["today"].to_numpy(float)
    n = len(problem.needs)
    known = np.bincount(problem.need, today, n)
    spent = np.bincount(problem.need, today * problem.lines["unit_cost"].to_numpy(float), n)
    unit = np.where(known > 0, spent / np.maximum(known, 1e-300), prices(problem))
    return float((unit * problem.demand).sum() * problem.periods)


def _cap(core: Core, rule: str, need: int, label: str, lines: Sequence[int], cap: float) -> None:
    if not lines:
        return
    give = core.slack(rule, need, label)
    for t in core.ruled:
        core.row([*((core.buy(line, t), 1.0) for line in lines), (give, -1.0)], "<=", cap)


def _groups(labels: Any, count: int, only: Flags | None = None) -> list[list[int]]:
    """Positions by label 0..count-1, ascending."""
    groups: list[list[int]] = [[] for _ in range(count)]
    for position in range(len(labels)) if only is None else np.flatnonzero(only).tolist():
        groups[int(labels[position])].append(position)
    return groups


def _divide(a: Floats, b: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, a / b, np.inf)
