"""A PuLP problem under construction: blocks of columns, rows, and which of them belong to the scenario."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pulp

from supplychain.sourcing.policy import Policy
from supplychain.sourcing.problem import Flags, Floats, SourcingProblem

# Blocks of columns in the order they stand in the arrays; those of the scenario come last, so that they can be tiled.
FIRST = ("buy", "reserve", "panel", "source", "build", "drop", "tier", "open", "tail", "slack")
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
    family: str = ""  # the constraint being written
    families: list[str] = field(default_factory=list)
    softs: list[Soft] = field(default_factory=list)
    permitted: Flags = field(default_factory=lambda: np.zeros(0, dtype=bool))
    tiered: dict[str, tuple[int, ...]] = field(default_factory=dict)
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
        self.families.append(self.family)

    def cost(self, variables: Iterable[Any], coefficients: Iterable[float]) -> None:
        """Add `coefficient * variable` terms to the objective."""
        self.terms += [c * v for v, c in zip(variables, coefficients, strict=True) if c != 0]

    def slack(self, rule: str, need: int, label: str, weight: float = 1.0) -> Any:
        """A new column that says by how much a rule gives way; fixed at 0 unless the smallest relaxation is asked
        for."""
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


def permitted(problem: SourcingProblem, policy: Policy) -> Flags:
    """Lines that the plan may use at all: not refused on the date and, where licences are forbidden, no leave
    needed."""
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


def line_costs(problem: SourcingProblem, policy: Policy) -> Floats:
    """What one unit on each line costs in the objective: its price, and for a flow that needs leave the licence and,
    where the policy prices it, the chance that leave is refused times the margin lost."""
    leave = problem.needs_leave
    unit = policy.cost.purchase * problem.lines["unit_cost"].to_numpy(float) * (1 + policy.cost.licence_rate * leave)
    if policy.licences.price_refusal:
        refused = np.where(leave, 1.0 - problem.lines["probability"].to_numpy(float), 0.0)
        unit = unit + refused * policy.cost.unmet * margins(problem, policy)[problem.need]
    return np.asarray(unit)


def change_costs(problem: SourcingProblem, policy: Policy) -> Floats:
    """What it costs, once, to take a whole need away from each line that serves it today."""
    yearly = problem.line_demand * 12 / problem.period_months
    return np.asarray(policy.cost.change_rate * problem.lines["unit_cost"].to_numpy(float) * yearly)


def today_cost(problem: SourcingProblem) -> float:
    """Cost of buying as today over the horizon; a need without known shares costs its price."""
    today = problem.lines["today"].to_numpy(float)
    n = len(problem.needs)
    known = np.bincount(problem.need, today, n)
    spent = np.bincount(problem.need, today * problem.lines["unit_cost"].to_numpy(float), n)
    unit = np.where(known > 0, spent / np.maximum(known, 1e-300), prices(problem))
    return float((unit * problem.demand).sum() * problem.periods)


def groups(labels: Any, count: int, only: Flags | None = None) -> list[list[int]]:
    """Positions by label 0..count-1, ascending."""
    groups: list[list[int]] = [[] for _ in range(count)]
    for position in range(len(labels)) if only is None else np.flatnonzero(only).tolist():
        groups[int(labels[position])].append(position)
    return groups


def divide(a: Floats, b: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, a / b, np.inf)
