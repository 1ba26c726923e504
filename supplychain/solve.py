"""The only file that calls HiGHS: statuses that are never guessed, warm re-solves, every point checked again."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import highspy as _highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

from supplychain.errors import EnvironmentFault
from supplychain.linear import Floats, LinearModel, Matrix, read_pulp, safe_bound, violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pulp

highspy: Any = _highspy  # compiled; its stubs lag behind it

Status = Literal["optimal", "feasible-not-proven", "infeasible", "unbounded", "no-solution", "error"]

THREADS = 1  # HiGHS keeps one thread count per process; another value later would silently not run
FEASIBLE = 1e-6  # largest violation, relative to the limit, of a point that is still called feasible
PROVEN = 1e-6  # largest relative gap of a solution that is still called optimal
BANNED = {"1.14.0": "it proves wrong optima (min 2x+3z, x+z>=4.5, z whole: 15 instead of 9)"}


@dataclass(frozen=True)
class Solution:
    """Outcome of one solve. Nothing but NaN stands where there is no number.

    status     optimal: feasible by our own check and gap <= 1e-6; feasible-not-proven: feasible, the gap says how far
               from proven; infeasible; unbounded; no-solution: a limit was hit before a feasible point; error.
    objective  at `values`; bound: no feasible point can be below it (safe arithmetic for LPs, the solver's for MILPs).
    gap        (objective - bound) / max(1, |objective|).
    values     one per column; `duals` one per row and `reduced` one per column, for LPs only (NaN for MILPs).
    violation  largest violation found by our own check, relative to the limit.
    """

    status: Status
    objective: float
    bound: float
    gap: float
    values: Floats
    duals: Floats
    reduced: Floats
    violation: float
    seconds: float
    iterations: int
    solver: str
    version: str
    warnings: tuple[str, ...] = ()

    @classmethod
    def without_values(cls, model: LinearModel, status: Status, seconds: float, solver: str, version: str) -> Solution:
        """Return the solution of a solve of `model` that gave no number: NaN throughout."""
        return cls(
            status=status,
            objective=math.nan,
            bound=math.nan,
            gap=math.nan,
            values=np.full(len(model.cost), math.nan),
            duals=np.full(len(model.row_lower), math.nan),
            reduced=np.full(len(model.cost), math.nan),
            violation=math.nan,
            seconds=seconds,
            iterations=0,
            solver=solver,
            version=version,
        )

    @property
    def has_values(self) -> bool:
        """True when `values` is a feasible point."""
        return self.status in ("optimal", "feasible-not-proven")

    def record(self) -> dict[str, Any]:
        """What a manifest keeps of a solve."""
        keys = ("status", "objective", "bound", "gap", "violation", "iterations", "solver", "version")
        return {key: getattr(self, key) for key in keys}


_LEDGER: ContextVar[list[dict[str, Any]] | None] = ContextVar("ledger", default=None)


@contextmanager
def ledger() -> Iterator[list[dict[str, Any]]]:
    """Give a list to which every solve in this process adds its record, for a manifest."""
    kept: list[dict[str, Any]] = []
    token = _LEDGER.set(kept)
    try:
        yield kept
    finally:
        _LEDGER.reset(token)


class LiveModel:
    """One HiGHS object, re-solved warm after its bounds, costs or right-hand sides changed.

    Changing numbers in place keeps the last basis, so a re-solve costs the few pivots that the change asks for. `model`
    is the model as it stands now; its arrays change with every call of `set_...`.
    """

    def __init__(self, model: LinearModel, near: bool = False) -> None:
        """`near`: what is solved after the first time lies near it, as removals one by one do.

        HiGHS is then kept from shifting costs, which serves long solves and costs short ones most of their pivots.
        """
        self.model = replace(
            model,
            cost=model.cost.astype(np.float64),
            row_lower=model.row_lower.astype(np.float64),
            row_upper=model.row_upper.astype(np.float64),
            col_lower=model.col_lower.astype(np.float64),
            col_upper=model.col_upper.astype(np.float64),
        )
        self.warnings = model.warnings()
        self._highs = _highs()
        self._near = near
        self._pass()

    def _pass(self) -> None:
        model = self.model
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(model.cost), len(model.row_lower)
        lp.col_cost_, lp.offset_ = model.cost, model.offset
        lp.col_lower_, lp.col_upper_ = model.col_lower, model.col_upper
        lp.row_lower_, lp.row_upper_ = model.row_lower, model.row_upper
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = lp.num_col_, lp.num_row_
        lp.a_matrix_.start_ = model.matrix.indptr.astype(np.int32)
        lp.a_matrix_.index_ = model.matrix.indices.astype(np.int32)
        lp.a_matrix_.value_ = model.matrix.data
        if model.is_mip:
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            lp.integrality_ = [kinds[whole] for whole in model.integer.tolist()]
        if self._highs.passModel(lp) == highspy.HighsStatus.kError:
            raise ValueError("HiGHS refused the model")

    def set_columns(self, index: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike) -> None:
        """Change the bounds of columns `index`; what is as before costs nothing."""
        at, lower, upper = _changed(index, lower, upper, self.model.col_lower, self.model.col_upper)
        _write(self.model.col_lower, at, lower)
        _write(self.model.col_upper, at, upper)
        self._highs.changeColsBounds(len(at), at, self.model.col_lower[at], self.model.col_upper[at])

    def set_rows(self, index: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike) -> None:
        """Change the limits of rows `index`; what is as before costs nothing."""
        at, lower, upper = _changed(index, lower, upper, self.model.row_lower, self.model.row_upper)
        _write(self.model.row_lower, at, lower)
        _write(self.model.row_upper, at, upper)
        self._highs.changeRowsBounds(len(at), at, self.model.row_lower[at], self.model.row_upper[at])

    def set_costs(self, index: npt.ArrayLike, cost: npt.ArrayLike) -> None:
        """Change the costs of columns `index`."""
        at = _positions(index)
        _write(self.model.cost, at, cost)
        self._highs.changeColsCost(len(at), at, self.model.cost[at])

    def forget(self) -> None:
        """Drop the last basis and solution: the next solve starts from scratch, as if it were the first."""
        self._highs = _highs()
        self._pass()

    def add_rows(self, matrix: Matrix, lower: npt.ArrayLike, upper: npt.ArrayLike) -> None:
        """Append rows (constraints found to be needed only after a solve)."""
        rows: Matrix = sparse.csr_array(matrix, dtype=np.float64)
        low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
        self.model = replace(
            self.model,
            matrix=sparse.csr_array(sparse.vstack([self.model.matrix, rows])),
            row_lower=np.concatenate([self.model.row_lower, low]),
            row_upper=np.concatenate([self.model.row_upper, high]),
            rows=(),
        )
        start, index = rows.indptr[:-1].astype(np.int32), rows.indices.astype(np.int32)
        self._highs.addRows(len(low), low, high, rows.nnz, start, index, rows.data)

    def solve(
        self,
        time_limit: float | None = None,
        gap: float = 1e-7,
        start: Floats | None = None,
        certify: bool = True,
    ) -> Solution:
        """Solve as the model stands now, from the last basis.

        `gap`: relative gap at which a MILP may stop. `start`: a point to begin a MILP from. `certify=False` skips our
        own dual bound of an LP (the bound is then the solver's word).
        """
        solution = self._solved(time_limit, gap, start, certify)
        kept = _LEDGER.get()
        if kept is not None:
            kept.append(solution.record())
        return solution

    def _solved(self, time_limit: float | None, gap: float, start: Floats | None, certify: bool) -> Solution:
        began = time.perf_counter()
        model, highs = self.model, self._highs
        crossed = (model.col_lower > model.col_upper).any() or (model.row_lower > model.row_upper).any()
        if crossed:
            return self._outcome("infeasible", began, 0)
        highs.setOptionValue("mip_rel_gap", float(gap))
        # HiGHS counts the seconds of all runs of one object against the limit.
        highs.setOptionValue("time_limit", math.inf if time_limit is None else highs.getRunTime() + time_limit)
        if start is not None and model.is_mip:
            highs.setSolution(len(start), np.arange(len(start), dtype=np.int32), np.asarray(start, dtype=np.float64))
        highs.run()
        state = highs.getModelStatus()
        if state == highspy.HighsModelStatus.kUnboundedOrInfeasible:
            highs.setOptionValue("presolve", "off")
            highs.run()
            highs.setOptionValue("presolve", "choose")
            state = highs.getModelStatus()
        info = highs.getInfo()
        iterations = int(max(info.simplex_iteration_count, 0))
        names = highspy.HighsModelStatus
        if state == names.kInfeasible:
            return self._outcome("infeasible", began, iterations)
        if state == names.kUnbounded:
            return self._outcome("unbounded", began, iterations)
        complete = state in (names.kOptimal, names.kModelEmpty)
        stopped = state in (
            names.kTimeLimit,
            names.kIterationLimit,
            names.kSolutionLimit,
            names.kInterrupt,
            names.kObjectiveBound,
            names.kObjectiveTarget,
            names.kMemoryLimit,
            names.kUnknown,
        )
        if not complete and not stopped:
            return self._outcome("error", began, iterations)
        raw = highs.getSolution()
        values = np.array(raw.col_value, dtype=np.float64)
        if state == names.kModelEmpty:
            values = np.clip(0.0, model.col_lower, model.col_upper)
        worst = violation(model, values) if len(values) == len(model.cost) else math.inf
        if model.is_mip and worst > FEASIBLE and math.isfinite(worst):
            # What the solver's tolerances let pass is no plan: take its whole numbers at their word, mend the rest.
            mended = LiveModel(model.with_integers_fixed(values)).solve(time_limit, certify=False)
            if mended.has_values:
                values = mended.values
                worst = violation(model, values)
        if worst > FEASIBLE:
            return self._outcome("error" if complete else "no-solution", began, iterations)
        if self._near:
            highs.setOptionValue("dual_simplex_cost_perturbation_multiplier", 0.0)
        return replace(self._found(values, raw, complete, began, iterations, certify), violation=worst)

    def _found(
        self, values: Floats, raw: Any, complete: bool, began: float, iterations: int, certify: bool
    ) -> Solution:
        model, highs = self.model, self._highs
        duals = np.full(len(model.row_lower), math.nan)
        reduced = np.full(len(model.cost), math.nan)
        row_dual, col_dual = np.array(raw.row_dual), np.array(raw.col_dual)
        objective = model.objective(values)
        if model.is_mip:
            bound = float(highs.getInfo().mip_dual_bound)
        elif len(row_dual) == len(duals) and len(col_dual) == len(reduced):
            duals, reduced = row_dual, col_dual
            bound = safe_bound(model, duals) if certify else (objective if complete else -math.inf)
        else:
            bound = -math.inf
        bound = min(bound, objective)
        gap = (objective - bound) / max(1.0, abs(objective))
        status: Status = "optimal" if complete and gap <= PROVEN else "feasible-not-proven"
        return replace(
            self._outcome(status, began, iterations),
            objective=objective,
            bound=bound,
            gap=gap,
            values=values,
            duals=duals,
            reduced=reduced,
        )

    def _outcome(self, status: Status, began: float, iterations: int) -> Solution:
        seconds = time.perf_counter() - began
        found = Solution.without_values(self.model, status, seconds, "highs", highs_version())
        return replace(found, iterations=iterations, warnings=self.warnings)

    def endless(self) -> tuple[int, ...]:
        """The columns that can grow without end while the cost falls, by position, the steepest first.

        From the LP of recession directions, so it needs no ray of the solver; empty when there are none.
        """
        lp = self.model.relaxed()
        directions = replace(
            lp,
            row_lower=np.where(np.isfinite(lp.row_lower), 0.0, -math.inf),
            row_upper=np.where(np.isfinite(lp.row_upper), 0.0, math.inf),
            col_lower=np.where(np.isfinite(lp.col_lower), 0.0, -1.0),
            col_upper=np.where(np.isfinite(lp.col_upper), 0.0, 1.0),
            offset=0.0,
        )
        found = LiveModel(directions).solve(certify=False)
        if not found.has_values or found.objective > -FEASIBLE:
            return ()
        gain = lp.cost * found.values
        moving = np.flatnonzero(np.abs(found.values) > FEASIBLE)
        return tuple(moving[np.argsort(gain[moving], kind="stable")].tolist())


def solve(
    problem: pulp.LpProblem | LinearModel,
    time_limit: float | None = None,
    gap: float = 1e-7,
    start: Floats | None = None,
) -> Solution:
    """Solve a PuLP problem or arrays once with HiGHS. PuLP is the language; its status and values are never used."""
    model = problem if isinstance(problem, LinearModel) else read_pulp(problem)
    return LiveModel(model).solve(time_limit=time_limit, gap=gap, start=start)


@lru_cache(maxsize=1)
def highs_version() -> str:
    """Version of HiGHS; raises EnvironmentFault for a release known to prove wrong optima."""
    version = str(highspy.Highs().version())
    if version in BANNED:
        raise EnvironmentFault(f"highspy {version} is refused: {BANNED[version]}; install another release")
    return version


def _highs() -> Any:
    highs_version()
    highs = highspy.Highs()
    for option, value in (("output_flag", False), ("threads", THREADS), ("random_seed", 0), ("mip_abs_gap", 1e-9)):
        highs.setOptionValue(option, value)
    return highs


def _positions(index: npt.ArrayLike) -> npt.NDArray[np.int32]:
    return np.atleast_1d(np.asarray(index, dtype=np.int32))


def _changed(
    index: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike, now_lower: Floats, now_upper: Floats
) -> tuple[npt.NDArray[np.int32], Floats, Floats]:
    """Return the positions whose bounds are not what they were, and their new bounds."""
    at = _positions(index)
    low, high = (np.broadcast_to(np.asarray(new, dtype=np.float64), at.shape) for new in (lower, upper))
    moved = (low != now_lower[at]) | (high != now_upper[at])
    return at[moved], low[moved], high[moved]


def _write(values: Floats, at: npt.NDArray[np.int32], new: npt.ArrayLike) -> None:
    given = np.asarray(new, dtype=np.float64)
    if np.isnan(given).any():
        raise ValueError("a bound or cost may not be nan")
    values[at] = given
