"""Solves a sourcing model: independent parts apart, the smallest relaxation when there is no plan, ties broken for
good."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from supplychain.errors import NoAnswer
from supplychain.linear import LinearModel
from supplychain.solve import LiveModel, Solution
from supplychain.sourcing.problem import Floats, Ints
from supplychain.sourcing.tiling import SourcingModel

TIE = 1e-7  # relative room in which two plans count as equally good
FACE = 1e-7  # duals above this, relative to the largest cost, hold their row or column in place
ALLOWED = 1e-7  # room added to a relaxation, so that its own rounding does not forbid it


@dataclass(frozen=True)
class Relaxed:
    """A rule that cannot hold in full: by how much it must give way (part of the need, periods, or of the budget)."""

    rule: str
    need: int
    label: str
    amount: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """A solved model. `proven` is False when a limit stopped a part: then `gap` says how far the plan may be from
    the best.

    `duals` are the prices of the rows with whole numbers fixed; `settled` is False when ties could not be broken
    to the end.
    """

    x: Floats
    objective: float
    bound: float
    gap: float
    proven: bool
    settled: bool
    relaxed: tuple[Relaxed, ...]
    solves: tuple[dict[str, Any], ...]
    seconds: float
    expected_loss: float | None = None  # where the scenarios are not part of the model


@dataclass(eq=False)
class Part:
    """One independent part of a model: its columns and rows, and the live solver that holds it."""

    columns: Ints
    rows: Ints
    linear: LinearModel
    live: LiveModel = field(init=False)

    def __post_init__(self) -> None:
        self.live = LiveModel(self.linear)


@dataclass(eq=False)
class Engine:
    """The parts of a model, live: each question after the first changes numbers and starts from the last basis."""

    model: SourcingModel
    parts: list[Part] = field(init=False)

    def __post_init__(self) -> None:
        self.parts = split(self.model.linear)
        self._soft = {soft.column: soft for soft in self.model.softs}

    def plan(self, settle: bool = True) -> Outcome:
        """Solve every part; raise NoAnswer naming the needs and the least relaxation when the policy refuses to give
        way."""
        began = time.perf_counter()
        deadline = began + self.model.policy.solver.seconds
        x = np.zeros(len(self.model.linear.cost))
        solves: list[dict[str, Any]] = []
        relaxed: list[Relaxed] = []
        settled = True
        found: list[Solution] = []
        for part in self.parts:
            solution = self._solve(part, deadline)
            if solution.status == "infeasible":
                given = self.give_way(part, max(deadline - time.perf_counter(), 0.5))
                relaxed += given
                if self.model.policy.impossible == "refuse":
                    continue
                solution = self._solve(part, deadline)
            self._readable(part, solution)
            found.append(solution)
            solves.append(solution.record())
            x[part.columns] = solution.values
            if settle and solution.status == "optimal":
                point, complete = settle_ties(self.model, part, solution, max(deadline - time.perf_counter(), 1.0))
                x[part.columns], settled = point, settled and complete
        if relaxed and self.model.policy.impossible == "refuse":
            raise NoAnswer(explain_relaxation(self.model, relaxed))
        objective = self.model.linear.objective(x)
        bound = math.fsum(solution.bound for solution in found) + self.model.linear.offset
        gap = max(0.0, objective - bound) / max(1.0, abs(objective))
        return Outcome(
            x=x,
            objective=objective,
            bound=min(bound, objective),
            gap=gap,
            proven=all(solution.status == "optimal" for solution in found),
            settled=settled and settle,
            relaxed=tuple(relaxed),
            solves=tuple(solves),
            seconds=time.perf_counter() - began,
        )

    def allow(self, relaxed: Sequence[Relaxed]) -> None:
        """Let rules give way by the amounts that an earlier plan named."""
        amount = {(item.rule, item.need, item.label): item.amount + ALLOWED for item in relaxed}
        self._open(
            {s.column: amount[s.rule, s.need, s.label] for s in self.model.softs if (s.rule, s.need, s.label) in amount}
        )

    def open_rule(self, rule: str) -> None:
        """Drop a rule: its rows may give way by any amount, at no cost."""
        self._open({soft.column: np.inf for soft in self.model.softs if soft.rule == rule})

    def open_rows(self, family: str) -> None:
        """Drop every row of one constraint."""
        for part in self.parts:
            at = np.flatnonzero(self.model.family[part.rows] == family)
            if len(at):
                part.live.set_rows(at, np.full(len(at), -np.inf), np.full(len(at), np.inf))

    def _open(self, upper: dict[int, float]) -> None:
        for part in self.parts:
            own = [(i, upper[c]) for i, c in enumerate(part.columns.tolist()) if c in upper]
            if own:
                at = np.array([i for i, _ in own], dtype=np.int64)
                part.live.set_columns(at, np.zeros(len(at)), np.array([value for _, value in own]))

    def _solve(self, part: Part, deadline: float) -> Solution:
        return part.live.solve(
            time_limit=max(deadline - time.perf_counter(), 0.5), gap=min(self.model.policy.solver.gap, 1e-6)
        )

    def _readable(self, part: Part, solution: Solution) -> None:
        if solution.status == "unbounded":
            names = dict.fromkeys(self.model.named(int(part.columns[j])) for j in part.live.endless())
            which = f" ({', '.join([*names][:3])} can grow without end)" if names else ""
            raise NoAnswer(f"the plan is unbounded{which}: a price or a margin must be wrong in sign")
        if not solution.has_values:
            raise NoAnswer(f"no plan was found within the time limit ({solution.status}); nothing is reported")

    def give_way(self, part: Part, seconds: float = 60.0) -> list[Relaxed]:
        """Find the least weighted relaxation of the part's rules, allow it from now on, and return it."""
        own = [(i, self._soft[c]) for i, c in enumerate(part.columns.tolist()) if c in self._soft]
        at = np.array([i for i, _ in own], dtype=np.int64)
        weight = np.array([soft.weight for _, soft in own])
        cost = part.linear.cost
        part.live.set_costs(np.arange(len(cost)), np.zeros(len(cost)))
        part.live.set_costs(at, weight)
        part.live.set_columns(at, np.zeros(len(at)), np.full(len(at), np.inf))
        solution = part.live.solve(time_limit=seconds)
        if not solution.has_values:
            raise NoAnswer(f"no plan, and no relaxation of the policy's rules makes one ({solution.status})")
        amount = np.where(solution.values[at] > 10 * ALLOWED, solution.values[at], 0.0)
        part.live.set_costs(np.arange(len(cost)), cost)
        part.live.set_columns(at, np.zeros(len(at)), np.where(amount > 0, amount + ALLOWED, 0.0))
        return [
            Relaxed(soft.rule, soft.need, soft.label, float(value))
            for (_, soft), value in zip(own, amount.tolist(), strict=True)
            if value > 0
        ]


def split(linear: LinearModel) -> list[Part]:
    """The connected parts of a model, in the order of their first columns; columns in no row are one part of their
    own."""
    m, n = linear.matrix.shape
    joined = sparse.block_array([[None, linear.matrix], [linear.matrix.T, None]], format="csr") if m else None
    label = connected_components(joined, directed=False)[1] if joined is not None else np.arange(n)
    row_label, column_label = label[:m], label[m:]
    used = np.bincount(row_label, minlength=label.max() + 1)[column_label] > 0 if m else np.zeros(n, dtype=bool)
    column_label = np.where(used, column_label, -1)
    parts = []
    labels, first = np.unique(column_label, return_index=True)
    by_column = sparse.csr_array(linear.matrix)
    for mark in labels[np.argsort(first)].tolist():
        columns, rows = np.flatnonzero(column_label == mark), np.flatnonzero(row_label == mark)
        whole = len(columns) == n and len(rows) == m
        inner = by_column if whole else sparse.csr_array(by_column[rows][:, columns])
        parts.append(
            Part(
                columns,
                rows,
                LinearModel(
                    cost=linear.cost[columns],
                    matrix=inner,
                    row_lower=linear.row_lower[rows],
                    row_upper=linear.row_upper[rows],
                    col_lower=linear.col_lower[columns],
                    col_upper=linear.col_upper[columns],
                    integer=linear.integer[columns],
                ),
            )
        )
    return parts


def settle_ties(model: SourcingModel, part: Part, solution: Solution, seconds: float) -> tuple[Floats, bool]:
    """Among the part's best plans: least change from today, then fewest suppliers, then the canonical one.

    Returns the point and whether every step was proven.
    """
    change, count, canonical = _goals(model, part)
    cost = part.live.model.cost
    x, complete = lexicographic(
        part.live.model, solution.values, [cost, change, count], [cost, change, canonical], seconds
    )
    drift = abs(float(cost @ (x - solution.values))) / max(1.0, abs(solution.objective))
    return (x, complete) if drift <= 10 * TIE else (solution.values, False)


def lexicographic(
    linear: LinearModel, x: Floats, whole_goals: Sequence[Floats], goals: Sequence[Floats], seconds: float
) -> tuple[Floats, bool]:
    """The best point by several goals, each counting only among the best by those before it; `x` is best by the first.

    Whole numbers are settled first, by re-solving for `whole_goals` with the earlier ones held as rows; what is
    left is a linear program whose best face is kept exactly (complementary slackness), so no tolerance leaks from
    one of `goals` to the next. Returns the point and whether every step was proven.
    """
    complete = True
    if linear.is_mip:
        x, complete = _settle_whole(linear, x, whole_goals, seconds)
        linear = linear.with_integers_fixed(x)
    live = LiveModel(linear)
    for step, cost in enumerate(goals):
        if not cost.any():
            continue
        live.set_costs(np.arange(len(cost)), cost)
        found = live.solve(certify=False)
        if not found.has_values:
            return x, False
        x = found.values
        if step < len(goals) - 1:
            _keep_face(live, found, cost)
    return x, complete


def _settle_whole(linear: LinearModel, x: Floats, goals: Sequence[Floats], seconds: float) -> tuple[Floats, bool]:
    """The best point by several goals in turn, earlier ones held as rows, on as little of the model as is needed."""
    for live in _narrowed(linear, goals[0], x):
        began, point, value, held = time.perf_counter(), x, float(goals[0] @ x), goals[0]
        proven = True
        for goal in goals[1:]:
            if not goal.any():
                continue
            scale = max(1.0, abs(value))
            live.add_rows(sparse.csr_array((held / scale)[None, :]), [-np.inf], [value / scale + TIE])
            live.set_costs(np.arange(len(goal)), goal)
            left = seconds - (time.perf_counter() - began)
            better = live.solve(time_limit=max(left, 0.5), gap=1e-6, start=point)
            if not better.has_values:
                break
            proven &= better.status == "optimal"
            point, held, value = better.values, goal, float(goal @ better.values)
        else:
            return point, proven
    return x, False


def _narrowed(linear: LinearModel, cost: Floats, x: Floats) -> Iterator[LiveModel]:
    """The model with all fixed that no point as good as `x` can have otherwise, by the dual prices of the
    relaxation.

    Where the relaxation is as good as `x`, every best plan lies on its best face. Rounding may leave no whole
    point exactly on it; then, and where there is a gap, a whole column whose reduced cost exceeds the gap stays
    at its bound.
    """
    relaxed = LiveModel(linear.relaxed())
    relaxed.set_costs(np.arange(len(cost)), cost)
    root = relaxed.solve(certify=False)
    if root.status != "optimal":
        yield LiveModel(linear)
        return
    value = float(cost @ x)
    room = TIE * max(1.0, abs(value))
    gap = max(value - float(cost @ root.values), 0.0)
    if gap <= room:
        live = LiveModel(linear)
        _keep_face(live, root, cost)
        yield live
    live = LiveModel(linear)
    stuck = np.flatnonzero(linear.integer & (np.abs(root.reduced) > gap + 10 * room))
    if len(stuck):
        at = np.where(root.reduced > 0, linear.col_lower, linear.col_upper)[stuck]
        live.set_columns(stuck, at, at)
    yield live


def _keep_face(live: LiveModel, found: Solution, cost: Floats) -> None:
    """Fix what a positive dual price holds in place: what is left is exactly the set of best points."""
    room = FACE * max(1.0, float(np.abs(cost).max()))
    model = live.model
    tight = np.flatnonzero(np.abs(found.reduced) > room)
    if len(tight):
        value = np.where(found.reduced > 0, model.col_lower, model.col_upper)[tight]
        value = np.where(np.isfinite(value), value, found.values[tight])
        live.set_columns(tight, value, value)
    rows = np.flatnonzero(np.abs(found.duals) > room)
    if len(rows):
        side = np.where(found.duals > 0, model.row_lower, model.row_upper)[rows]
        side = np.where(np.isfinite(side), side, (model.matrix @ found.values)[rows])
        live.set_rows(rows, side, side)


def _goals(model: SourcingModel, part: Part) -> tuple[Floats, Floats, Floats]:
    """Costs over the part's columns of: change from today, number of suppliers, canonical order."""
    problem, width = model.problem, len(model.linear.cost)
    change, count, canonical = np.zeros(width), np.zeros(width), np.zeros(width)
    weight = problem.canonical
    if "drop" in model.block:
        change[model.block["drop"]] = 1.0
    new = problem.supplies["new"].to_numpy(bool) | (problem.supplies["minimum_order"].to_numpy(float) > 0)
    # A supply has the mean weight of its lines, so that it too is known by what it is and not by its name.
    size = np.bincount(problem.supply, minlength=len(problem.supplies))
    mean = np.bincount(problem.supply, weight, len(problem.supplies)) / np.maximum(size, 1)
    count[model.block["panel"]] = 1.0 + 1e-3 * mean[new]
    if "source" in model.block:
        count[model.block["source"]] = 1.0 + 1e-3 * weight
    # Another weight in every period, so that moving a purchase from one period to the next is not a tie either.
    turns = np.arange(1, problem.periods + 1)
    canonical[model.block["buy"]] = (1.0 + np.outer(weight - 1.0, 977.0 * turns) % 1.0).ravel()
    if "reserve" in model.block:
        spare = 1.5 + np.outer(weight - 1.0, 1009.0 * turns[problem.strike :]) % 1.0
        canonical[model.block["reserve"]] = spare.ravel()
    canonical[model.block["build"]] = 0.25
    return change[part.columns], count[part.columns], canonical[part.columns]


def explain_relaxation(model: SourcingModel, relaxed: Sequence[Relaxed]) -> str:
    """The message of a plan that cannot be: the needs, and the smallest relaxation that makes one."""
    lines = [f"no plan: {len(relaxed)} rule(s) cannot hold. The smallest relaxation that makes a plan:"]
    ordered = sorted(relaxed, key=lambda r: (r.rule, r.need, r.label))
    lines += [f"  {relaxation_text(model, item)}" for item in ordered[:40]]
    if len(relaxed) > 40:
        lines.append(f"  and {len(relaxed) - 40} more")
    lines.append('Relax these, or set impossible = "name" in the policy to plan on and have them named.')
    return "\n".join(lines)


def relaxation_text(model: SourcingModel, item: Relaxed) -> str:
    """One relaxation in words."""
    needs = model.problem.needs
    where = (
        f"{needs['plant'].iloc[item.need]} x {needs['item'].iloc[item.need]}" if item.need >= 0 else "the whole plan"
    )
    label = f" ({item.label})" if item.label else ""
    if item.rule == "demand":
        return f"{where}, {item.label}: {item.amount:.1%} of the demand has no source that the policy permits"
    if item.rule in ("budget", "budget.qualification", "risk.bound"):
        return f"{where}: {item.rule} must rise by {item.amount:.2%}"
    if item.rule in ("sources.minimum", "budget.qualifications_maximum"):
        return f"{where}: {item.rule} must change by {item.amount:.3g}"
    return f"{where}: {item.rule}{label} must give way by {item.amount:.1%} of the need"
