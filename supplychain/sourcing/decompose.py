"""Very many scenarios: the recourse in closed form, added to the first stage as cuts, to a proven gap.

With one period after the strike and margins above prices, the best recourse is known: serve all that stock and
promises allow, cheapest lines first. With a_nk = lambda_nk the worth of one more delivery (the price of the last
line used, the margin when some of the need stays unmet), the cost of need n over all scenarios is convex in the
plan and

    theta_n >= sum_k p_k ( lambda_nk (1 - stock_n) - sum_l max(lambda_nk - c_l, 0) factor_lk promise_l )

holds for every plan, with equality at the plan that the lambdas come from; so does the same with the weights of
the tail instead of p_k for the conditional value at risk. Scenario columns never enter a solver (L-shaped method:
Van Slyke and Wets, SIAM Journal on Applied Mathematics 17, 1969; one cut per need: Birge and Louveaux, European
Journal of Operational Research 34, 1988; cuts between the last and the best plan: Ben-Ameur and Neto, Networks
49, 2007).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from supplychain.errors import NoAnswer
from supplychain.linear import LinearModel
from supplychain.solve import FEASIBLE, LiveModel
from supplychain.sourcing.core import line_costs, margins
from supplychain.sourcing.policy import Policy
from supplychain.sourcing.problem import Floats, SourcingProblem
from supplychain.sourcing.tiling import SourcingModel, build, drawn, touched_needs

LARGE = 250_000
ROUNDS = 1000
INWARD = 0.5  # cuts are made this far from the best plan towards the last one
BROKEN = 1e-9  # part of a need's largest cost by which a point must miss a cut for it to be worth a row
CHUNK = 2**24  # elements of scenarios x lines worked on at once


class NoPlan(NoAnswer):
    """The rules leave no plan; the whole model can name the smallest relaxation."""


@dataclass(frozen=True, eq=False)
class Decomposed:
    """First-stage point `x` of `model` (which has no scenario columns), its objective over all scenarios, and the
    proof."""

    model: SourcingModel
    x: Floats
    objective: float
    expected_loss: float
    bound: float
    gap: float
    rounds: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Recourse:
    """What a plan costs over all scenarios, by need (N), in the tail, and the slopes of both in its promises (L).

    A cut of need n: theta_n >= level_n - slope @ promise - stock_worth_n * stock_n; the same for the tail, over
    all needs.
    """

    value: Floats
    level: Floats
    slope: Floats
    tail: float
    tail_level: Floats
    tail_slope: Floats
    unmet: Floats  # expected part of each need unmet


def large(problem: SourcingProblem, policy: Policy) -> bool:
    """Would the whole model have so many columns that it is better taken apart, and can it be?"""
    columns = len(drawn(problem, policy)) * (len(problem.lines) + 2 * len(problem.needs))
    return columns > LARGE and applies(problem, policy)


def applies(problem: SourcingProblem, policy: Policy) -> bool:
    """Can the recourse be written down? One period after the strike, and no line dearer than the margin it saves."""
    if problem.after != 1 or not drawn(problem, policy):
        return False
    saved = policy.cost.unmet * margins(problem, policy)[problem.need]
    return bool((line_costs(problem, policy) <= saved).all())


def decompose(problem: SourcingProblem, policy: Policy, gap: float = 1e-6) -> Decomposed:
    """Return the best plan, proven to `gap`; raises NoAnswer when there is none or the policy's time runs out.

    Whole numbers are let go first: cuts found on the relaxation hold for them too.
    """
    began = time.perf_counter()
    work = _Work(problem, policy)
    cuts: list[tuple[sparse.csr_array, Floats]] = []
    state = _Search(np.inf, np.zeros(0), -np.inf, 0)
    for linear in [work.linear.relaxed(), work.linear] if work.linear.is_mip else [work.linear]:
        state = _search(work, linear, cuts, gap, policy.solver.seconds - (time.perf_counter() - began), state.rounds)
    return Decomposed(
        model=work.model,
        x=state.best[: work.width],
        objective=state.value,
        expected_loss=float(work.at(state.best).unmet @ work.margin),
        bound=state.bound,
        gap=max(state.value - state.bound, 0.0) / max(1.0, abs(state.value)),
        rounds=state.rounds,
        seconds=time.perf_counter() - began,
    )


@dataclass(frozen=True, eq=False)
class _Search:
    value: float
    best: Floats
    bound: float
    rounds: int


def _search(
    work: _Work,
    linear: LinearModel,
    cuts: list[tuple[sparse.csr_array, Floats]],
    gap: float,
    seconds: float,
    rounds: int,
) -> _Search:
    """Solve the master, cut, and again, until the best plan is proven; `cuts` grows."""
    began = time.perf_counter()
    live = LiveModel(linear)
    for rows, lower in cuts:
        live.add_rows(rows, lower, np.full(len(lower), np.inf))
    value, best, bound = np.inf, np.zeros(0), -np.inf
    for _ in range(ROUNDS):
        rounds += 1
        left = seconds - (time.perf_counter() - began)
        found = live.solve(time_limit=max(left, 0.5), gap=gap / 10, start=best if len(best) else None)
        if not found.has_values:
            if found.status == "infeasible":
                raise NoPlan("the rules of the policy leave no plan")
            raise NoAnswer(f"no plan was found within the time limit ({found.status}); nothing is reported")
        bound = max(bound, found.bound)
        points = [found.values]
        if len(best):
            points.insert(0, INWARD * found.values + (1 - INWARD) * best)
        new = 0
        for x in points:
            # A mixture of two plans is a plan only where nothing is whole; a cut made at it holds for all.
            recourse = work.at(x)
            total = work.total(x, recourse)
            if total < value and (not linear.is_mip or x is found.values):
                value, best = total, x
            rows, lower = work.cuts(recourse, found.values)
            new += len(lower)
            if len(lower):
                cuts.append((rows, lower))
                live.add_rows(rows, lower, np.full(len(lower), np.inf))
                break
        proven = np.isfinite(value) and value - bound <= gap * max(1.0, abs(value))
        if proven or not new or left <= 0:
            break
    if not len(best):
        raise NoAnswer("no plan was found by decomposition; nothing is reported")
    return _Search(value, best, bound, rounds)


class _Work:
    """The master problem (first stage, one theta per need, one for the tail) and the recourse of its points."""

    def __init__(self, problem: SourcingProblem, policy: Policy) -> None:
        self.problem, self.policy = problem, policy
        scenarios = drawn(problem, policy)
        self.chance = np.array([scenario.probability for scenario in scenarios])
        calm = policy.with_(**{"scenarios": {}, "risk.price": 0.0, "risk.bound": None})
        self.model = build(problem, calm, threatened=True)
        block, first = self.model.block, self.model.linear
        buy = np.arange(block["buy"].start, block["buy"].stop).reshape(-1, problem.periods)[:, problem.strike]
        # Lines in the order of their needs, the cheapest first.
        unit = first.cost[buy]
        self.order = np.lexsort((unit, problem.need))
        self.need = problem.need[self.order]
        self.starts = np.searchsorted(self.need, np.arange(len(problem.needs)))
        self.unit, self.buy = unit[self.order], buy[self.order]
        self.reserve = (
            np.arange(block["reserve"].start, block["reserve"].stop)[self.order] if "reserve" in block else None
        )
        self.build = np.arange(block["build"].start, block["build"].stop)
        open_ = first.col_upper[buy] > 0
        left = np.stack([scenario.factor[:, 0] for scenario in scenarios])
        self.touched = touched_needs(problem, np.where(open_, left, 1.0)[:, :, None])
        self.left = (left * open_)[:, self.order]
        self.flexible = 1.0 + policy.contract.flexibility
        self.today = problem.needs["stock_today"].to_numpy(float)
        self.margin = margins(problem, policy) * problem.demand
        self.width = len(first.cost)
        self.linear = self._master(first)

    def _master(self, first: LinearModel) -> LinearModel:
        N, risk = len(self.problem.needs), self.policy.risk
        cost = first.cost.copy()
        cost[self.buy] *= (1.0 - self.chance @ self.touched)[self.need]
        old = first.matrix
        # Thetas are parts of the most that they can be, so that every number of the master stays near 1.
        most = np.maximum(self.margin * self.policy.cost.unmet, np.maximum.reduceat(self.unit, self.starts))
        self.scale = np.append(np.where(most > 0, most, 1.0), max(float(self.margin.sum()), 1e-300))
        tail = 1.0 if risk.bound is None else min(risk.bound / self.scale[N], 1.0)
        return LinearModel(
            cost=np.concatenate([cost, self.scale[:N], [risk.price * self.scale[N]]]),
            matrix=sparse.csr_array((old.data, old.indices, old.indptr), shape=(old.shape[0], self.width + N + 1)),
            row_lower=first.row_lower,
            row_upper=first.row_upper,
            col_lower=np.concatenate([first.col_lower, np.zeros(N + 1)]),
            col_upper=np.concatenate([first.col_upper, np.ones(N), [tail]]),
            integer=np.concatenate([first.integer, np.zeros(N + 1, dtype=bool)]),
        )

    def total(self, x: Floats, recourse: Recourse) -> float:
        """Objective of a plan with all scenarios counted; infinite where the tail exceeds its bound."""
        risk = self.policy.risk
        if risk.bound is not None and recourse.tail > risk.bound + FEASIBLE * self.scale[-1]:
            return np.inf
        first = float(self.linear.cost[: self.width] @ x[: self.width])
        return first + float(recourse.value.sum()) + risk.price * recourse.tail

    def at(self, x: Floats) -> Recourse:
        """The recourse of a plan, scenario by scenario in chunks."""
        promise = self.flexible * x[self.buy] + (x[self.reserve] if self.reserve is not None else 0.0)
        missing = np.clip(1.0 - self.today - x[self.build], 0.0, None)
        N, K = len(self.starts), len(self.chance)
        total = np.zeros((4, N))
        slope = np.zeros(len(self.need))
        unmet = np.zeros((K, N))
        for part in _chunks(K, len(self.need)):
            came = self.left[part] * promise
            running = np.cumsum(came, axis=1)
            base = (running - came)[:, self.starts]
            before = running - came - base[:, self.need]
            used = np.clip(missing[self.need] - before, 0.0, came)
            short = np.clip(missing - np.add.reduceat(used, self.starts, axis=1), 0.0, None)
            short[short < 1e-12] = 0.0
            spent = np.add.reduceat(used * self.unit, self.starts, axis=1)
            worth = np.maximum.reduceat(np.where(used > 1e-12, self.unit, 0.0), self.starts, axis=1)
            worth = np.where(short > 0, np.maximum(worth, self.policy.cost.unmet * self.margin), worth)
            weight = self.chance[part, None] * self.touched[part]
            saved = np.clip(worth[:, self.need] - self.unit, 0.0, None)
            slope += (weight[:, self.need] * saved * self.left[part]).sum(axis=0)
            unmet[part] = short * self.touched[part]
            total += [
                (weight * (spent + self.policy.cost.unmet * self.margin * short)).sum(axis=0),
                (weight * worth).sum(axis=0),
                (weight * short).sum(axis=0),
                np.zeros(N),
            ]
        tail, level, tail_slope = self._tail(unmet)
        return Recourse(total[0], total[1], slope, tail, level, tail_slope, total[2])

    def _tail(self, unmet: Floats) -> tuple[float, Floats, Floats]:
        """Conditional value at risk of the loss (the calm outcome loses nothing), and its level and slope."""
        risk = self.policy.risk
        loss = unmet @ self.margin
        order = np.argsort(-loss, kind="stable")
        chance = self.chance[order]
        weight = np.zeros(len(loss))
        weight[order] = np.clip(1.0 - risk.level - (np.cumsum(chance) - chance), 0.0, chance) / (1.0 - risk.level)
        hit = np.flatnonzero(weight > 0)
        short = (unmet[hit] > 0) * self.margin * weight[hit, None]
        slope = (short[:, self.need] * self.left[hit]).sum(axis=0)
        return float(weight @ loss), short.sum(axis=0), slope

    def cuts(self, recourse: Recourse, x: Floats) -> tuple[sparse.csr_array, Floats]:
        """The cuts of a recourse that `x` breaks: theta_n + slope @ promise + level_n stock_n >= level_n (1 - stock
        today)."""
        N, scale = len(self.starts), self.scale
        promise = self.flexible * x[self.buy] + (x[self.reserve] if self.reserve is not None else 0.0)
        stock = x[self.build]
        level, slope = recourse.level / scale[:N], recourse.slope / scale[self.need]
        limit = level * (1.0 - self.today)
        given = np.add.reduceat(slope * promise, self.starts) + level * stock + x[self.width : self.width + N]
        broken = np.flatnonzero(limit - given > BROKEN)
        inside = np.isin(self.need, broken)
        row, each = np.searchsorted(broken, self.need[inside]), np.arange(len(broken))
        entries = [
            (row, self.buy[inside], self.flexible * slope[inside]),
            (each, self.build[broken], level[broken]),
            (each, self.width + broken, np.ones(len(broken))),
        ]
        if self.reserve is not None:
            entries.append((row, self.reserve[inside], slope[inside]))
        limits = limit[broken]
        if self.policy.risk.price or self.policy.risk.bound is not None:
            level, slope = recourse.tail_level / scale[N], recourse.tail_slope / scale[N]
            whole = float(level @ (1.0 - self.today))
            if whole - float(slope @ promise + level @ stock) - x[self.width + N] > BROKEN:
                entries += [
                    (np.full(len(slope), len(broken)), self.buy, self.flexible * slope),
                    (np.full(N, len(broken)), self.build, level),
                    (np.full(1, len(broken)), np.array([self.width + N]), np.ones(1)),
                ]
                if self.reserve is not None:
                    entries.append((np.full(len(slope), len(broken)), self.reserve, slope))
                limits = np.append(limits, whole)
        rows, columns, values = (np.concatenate([entry[i] for entry in entries]) for i in range(3))
        shape = (len(limits), self.width + N + 1)
        return sparse.csr_array((values, (rows, columns)), shape=shape), limits


def _chunks(count: int, width: int) -> Iterator[slice]:
    step = max(1, CHUNK // max(width, 1))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
