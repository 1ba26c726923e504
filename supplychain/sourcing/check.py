"""Checks a plan against the data and the policy by plain arithmetic that shares nothing with the model or a solver."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from supplychain.sourcing.losses import Contracts
from supplychain.sourcing.policy import Policy
from supplychain.sourcing.problem import SourcingProblem

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Checked:
    """What was checked (number of comparisons by rule) and every violation found, in words."""

    counts: dict[str, int]
    violations: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.violations


class _Book:
    """Counts comparisons and keeps those that fail."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.violations: list[str] = []

    def at_most(self, rule: str, value: float, limit: float, where: str) -> None:
        self.counts[rule] += 1
        if not value <= limit + TOLERANCE * max(1.0, abs(limit)):
            self.violations.append(f"{rule}: {where}: {value:.9g} is above {limit:.9g}")

    def at_least(self, rule: str, value: float, limit: float, where: str) -> None:
        self.counts[rule] += 1
        if not value >= limit - TOLERANCE * max(1.0, abs(limit)):
            self.violations.append(f"{rule}: {where}: {value:.9g} is below {limit:.9g}")


def check_plan(
    problem: SourcingProblem,
    policy: Policy,
    contracts: Contracts,
    panel: Mapping[str, bool],
    allowed: Mapping[tuple[str, int, str], float] | None = None,
) -> Checked:
    """Re-check a plan row by row.

    `panel`: supplies that need a seat, and whether they have one. `allowed`: the relaxations that the plan names,
    by (rule, need, label); everything else must hold in full.
    """
    book, given = _Book(), dict(allowed or {})
    lines, needs, supplies = problem.lines, problem.needs, problem.supplies
    records = list(zip(lines["need"].tolist(), lines["supply"].tolist(), strict=True))
    names = supplies["supply"].tolist()
    label = [f"{p} x {i}" for p, i in zip(needs["plant"], needs["item"], strict=True)]
    periods, strike = problem.periods, problem.strike
    leave = problem.needs_leave.tolist()
    closed = problem.closed.tolist()
    start = problem.first_period.tolist()
    amount = contracts.buy.tolist()
    kept = contracts.reserve.tolist()

    by_need: dict[int, list[int]] = defaultdict(list)
    by_supply: dict[int, list[int]] = defaultdict(list)
    for position, (need, supply) in enumerate(records):
        by_need[need].append(position)
        by_supply[supply].append(position)
        where = f"{names[supply]} -> {label[need]}"
        for t in range(periods):
            value = amount[position][t] + (kept[position][t - strike] if t >= strike else 0.0)
            book.at_least("not negative", min(amount[position][t], value), 0.0, where)
            if closed[position]:
                book.at_most("nothing on refused flows", value, 0.0, where)
            if policy.licences.mode == "forbid" and leave[position]:
                book.at_most("nothing that needs a licence", value, 0.0, where)
            if t < start[position]:
                book.at_most("nothing before the source is ready", value, 0.0, where)
            if names[supply] in panel and not panel[names[supply]]:
                book.at_most("nothing off the panel", value, 0.0, where)
            volume = amount[position][t] * float(needs["demand"].iloc[need])
            book.at_most("lane capacity", volume, float(lines["capacity"].iloc[position]), where)

    for need in range(len(label)):
        for t in range(periods):
            total = math.fsum(amount[position][t] for position in by_need[need])
            period = f"period {t + 1}"
            book.at_least("demand", total, 1.0 - given.get(("demand", need, period), 0.0), f"{label[need]} {period}")
    _capacities(book, problem, policy, amount, kept, by_supply, panel)
    for t in range(strike, periods):
        for need, members in by_need.items():
            share = {position: amount[position][t] for position in members}
            _shares(book, problem, policy, given, need, f"{label[need]} period {t + 1}", share)
    _sources(book, policy, given, label, by_need, amount, range(strike, periods))
    _secure(book, problem, policy, contracts, given, label, by_need)
    return Checked(dict(book.counts), tuple(book.violations))


def _capacities(
    book: _Book,
    problem: SourcingProblem,
    policy: Policy,
    amount: list[list[float]],
    kept: list[list[float]],
    by_supply: Mapping[int, list[int]],
    panel: Mapping[str, bool],
) -> None:
    demand = problem.line_demand.tolist()
    table = problem.supplies
    for supply, members in by_supply.items():
        name, limit = str(table["supply"].iloc[supply]), float(table["capacity"].iloc[supply])
        most = limit * (1 + float(table["spare"].iloc[supply]))
        bought = 0.0
        for t in range(problem.periods):
            volume = math.fsum(amount[position][t] * demand[position] for position in members)
            bought += volume
            book.at_most("capacity", volume, limit, name)
            if t >= problem.strike:
                promised = volume * (1 + policy.contract.flexibility)
                promised += math.fsum(kept[position][t - problem.strike] * demand[position] for position in members)
                book.at_most("capacity for all promises", promised, max(most, limit), name)
        least = float(table["minimum_order"].iloc[supply])
        if least > 0 and panel.get(name):
            book.at_least("minimum order", bought, least, name)


def _shares(
    book: _Book,
    problem: SourcingProblem,
    policy: Policy,
    given: Mapping[tuple[str, int, str], float],
    need: int,
    where: str,
    share: Mapping[int, float],
) -> None:
    supplies, position_of = problem.supplies, problem.lines["supply"].tolist()
    for rule, column, cap in (
        ("caps.supplier", "organisation", policy.caps.supplier),
        ("caps.site", "site", policy.caps.site),
        ("caps.jurisdiction", "jurisdiction", policy.caps.jurisdiction),
    ):
        if cap < 1:
            total: dict[str, float] = defaultdict(float)
            for line, value in share.items():
                total[str(supplies[column].iloc[position_of[line]]) or "unknown"] += value
            for group, value in total.items():
                book.at_most(rule, value, cap + given.get((rule, need, group), 0.0), f"{where}, {group}")
    for regime in problem.regime_names:
        cap = policy.caps.regimes.get(regime, policy.caps.regime)
        if cap < 1:
            held = problem.lines["regimes"].tolist()
            value = math.fsum(v for line, v in share.items() if regime in held[line].split(";"))
            book.at_most(
                "caps.regime", value, cap + given.get(("caps.regime", need, regime), 0.0), f"{where}, {regime}"
            )
    status = problem.lines["status"].tolist()
    free = math.fsum(v for line, v in share.items() if status[line] in ("free", "excepted"))
    bound = math.fsum(share.values()) - free
    rule = "control.controlled_maximum"
    if policy.control.controlled_maximum < 1:
        book.at_most(rule, bound, policy.control.controlled_maximum + given.get((rule, need, ""), 0.0), where)
    rule = "control.noncontrolling_minimum"
    if policy.control.noncontrolling_minimum > 0:
        book.at_least(rule, free, policy.control.noncontrolling_minimum - given.get((rule, need, ""), 0.0), where)


def _sources(
    book: _Book,
    policy: Policy,
    given: Mapping[tuple[str, int, str], float],
    label: list[str],
    by_need: Mapping[int, list[int]],
    amount: list[list[float]],
    ruled: range,
) -> None:
    for need, members in by_need.items():
        used = sum(any(amount[position][t] > TOLERANCE for t in ruled) for position in members)
        if policy.sources.minimum > 1:
            least = policy.sources.minimum - given.get(("sources.minimum", need, ""), 0.0)
            book.at_least("sources.minimum", used, math.floor(least + 1e-6), label[need])
        if policy.sources.maximum is not None:
            book.at_most("sources.maximum", used, policy.sources.maximum, label[need])


def _secure(
    book: _Book,
    problem: SourcingProblem,
    policy: Policy,
    contracts: Contracts,
    given: Mapping[tuple[str, int, str], float],
    label: list[str],
    by_need: Mapping[int, list[int]],
) -> None:
    """Play every refusal through, period by period: serve exactly what the tolerated gap leaves, keep the rest as
    stock."""
    rule = policy.secure
    amount, kept = contracts.buy.tolist(), contracts.reserve.tolist()
    stock = (problem.needs["stock_today"].to_numpy(float) + contracts.build).tolist()
    for threat in problem.threats:
        if threat.kind not in rule.against or (":" in threat.name and threat.name.endswith(_other(rule.refusal))):
            continue
        left = threat.factor.tolist()
        for need, members in by_need.items():
            gap = min(1.0, rule.gap + given.get(("secure", need, threat.name), 0.0))
            held = stock[need]
            for t in range(problem.strike, problem.periods):
                a = t - problem.strike
                held += math.fsum(
                    left[line][a] * ((1 + contracts.flexibility) * amount[line][t] + kept[line][a]) for line in members
                )
                # Where demand itself gives way, no more can be missing after a refusal than before it and the gap.
                held -= min(1.0 - gap, 1.0 - given.get(("demand", need, f"period {t + 1}"), 0.0))
                book.at_least("secure", held, 0.0, f"{label[need]} after {threat.name}, period {t + 1}")


def _other(refusal: str) -> str:
    return ":all" if refusal == "at-leave" else ":at-leave"
