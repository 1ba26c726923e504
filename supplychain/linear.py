"""Linear and mixed-integer models as arrays, and checks on them that share no code with any solver."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

if TYPE_CHECKING:
    import pulp

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Matrix = Any  # scipy sparse array, float64, CSR; its stubs differ between releases

UNIT = 2.0**-53  # unit roundoff of float64
WIDE_RANGE = 1e9  # coefficients further apart than this make every tolerance meaningless
WIDE_SWITCH = 1e6  # a solver's tolerance on whole numbers, times more than this, lets a flow trickle through a no


@dataclass(frozen=True)
class LinearModel:
    """Minimise `cost @ x + offset` subject to `row_lower <= matrix @ x <= row_upper`, `col_lower <= x <= col_upper`.

    `integer` marks the columns that must be whole. Infinite bounds are `-inf` and `inf`. Only minimisation: the signs
    of duals of a maximisation differ between solvers. `columns` and `rows` are optional names kept for the reader; no
    solver ever sees them. Raises ValueError for shapes that do not fit and for NaN or infinite coefficients.
    """

    cost: Floats
    matrix: Matrix
    row_lower: Floats
    row_upper: Floats
    col_lower: Floats
    col_upper: Floats
    integer: Booleans = field(default_factory=lambda: np.zeros(0, dtype=bool))
    offset: float = 0.0
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        matrix: Matrix = sparse.csr_array(self.matrix, dtype=np.float64)
        matrix.sum_duplicates()
        object.__setattr__(self, "matrix", matrix)
        n = len(self.cost)
        m = len(self.row_lower)
        if len(self.integer) == 0:
            object.__setattr__(self, "integer", np.zeros(n, dtype=bool))
        shapes = {"col_lower": n, "col_upper": n, "integer": n, "row_upper": m}
        wrong = [name for name, size in shapes.items() if len(getattr(self, name)) != size]
        if wrong or matrix.shape != (m, n):
            raise ValueError(f"arrays do not fit {m} rows x {n} columns: {wrong or matrix.shape}")
        for name, values in (("cost", self.cost), ("matrix", matrix.data), ("offset", np.array([self.offset]))):
            if not np.isfinite(values).all():
                at = int(np.flatnonzero(~np.isfinite(values))[0])
                raise ValueError(f"{name} holds {values[at]} at position {at}: coefficients must be finite")
        for name in ("row_lower", "row_upper", "col_lower", "col_upper"):
            values = getattr(self, name)
            if np.isnan(values).any():
                raise ValueError(f"{name} holds nan at position {int(np.flatnonzero(np.isnan(values))[0])}")

    @property
    def is_mip(self) -> bool:
        """True when at least one column must be whole."""
        return bool(self.integer.any())

    @cached_property
    def transposed(self) -> tuple[Matrix, Matrix, Floats]:
        """The matrix by columns, its absolute values, and the number of entries of each column."""
        by_column = self.matrix.T
        return by_column, abs(by_column), np.bincount(self.matrix.indices, minlength=len(self.cost)).astype(np.float64)

    def objective(self, x: Floats) -> float:
        """Objective value of the point `x`."""
        return math.fsum((self.cost * x).tolist()) + self.offset

    def relaxed(self) -> LinearModel:
        """The same model without whole-number conditions."""
        return replace(self, integer=np.zeros(len(self.cost), dtype=bool))

    def with_integers_fixed(self, x: Floats) -> LinearModel:
        """The LP left when the whole-number columns are fixed at `x`; its duals are the shadow prices of a plan."""
        whole = np.where(self.integer, np.round(x), 0.0)
        return replace(
            self.relaxed(),
            col_lower=np.where(self.integer, whole, self.col_lower),
            col_upper=np.where(self.integer, whole, self.col_upper),
        )

    def warnings(self) -> tuple[str, ...]:
        """What makes the numbers of this model doubtful: coefficients too far apart, as a whole or under a switch."""
        found = []
        for name, values in (("matrix", self.matrix.data), ("cost", self.cost)):
            size = np.abs(values[values != 0])
            if size.size and size.max() / size.min() > WIDE_RANGE:
                found.append(
                    f"{name} coefficients range from {size.min():.3g} to {size.max():.3g}, more than 1e9 apart"
                )
        ratio = self._widest_switch()
        if ratio > WIDE_SWITCH:
            found.append(f"a whole number switches a flow by a coefficient {ratio:.3g} times its own, more than 1e6")
        return tuple(found)

    def _widest_switch(self) -> float:
        """The largest ratio, within one row, of a whole-number column's coefficient to a continuous one's."""
        if not self.is_mip:
            return 0.0
        row = np.repeat(np.arange(len(self.row_lower)), np.diff(self.matrix.indptr))
        size, whole = np.abs(self.matrix.data), self.integer[self.matrix.indices]
        large, small = np.zeros(len(self.row_lower)), np.full(len(self.row_lower), np.inf)
        np.maximum.at(large, row[whole], size[whole])
        np.minimum.at(small, row[~whole & (size > 0)], size[~whole & (size > 0)])
        return float((large / small).max(initial=0.0))


def read_pulp(problem: pulp.LpProblem) -> LinearModel:
    """Read a PuLP problem once into arrays (PuLP 3.3 and 4).

    Columns are sorted by name and rows kept in the order they were added, so that both releases give the same arrays.
    `LinearModel.columns` and `.rows` hold the PuLP names for looking values up. Raises ValueError for a maximisation,
    for names that occur twice and for coefficients that are not finite.
    """
    if problem.sense != 1:
        raise ValueError("write the problem as a minimisation: signs of duals differ between solvers otherwise")
    variables = sorted(problem.variables(), key=lambda v: str(v.name))
    columns = tuple(str(v.name) for v in variables)
    position = {name: j for j, name in enumerate(columns)}
    if len(position) != len(columns):
        raise ValueError("two variables of the problem share one name")
    cost = np.zeros(len(columns))
    if problem.objective is not None:
        for variable, coefficient in problem.objective.items():
            cost[position[str(variable.name)]] += coefficient
    constraints = problem.constraints()
    starts, index, value = [0], [], []
    for constraint in constraints:
        terms = [(position[str(v.name)], float(a)) for v, a in constraint.items() if a != 0]
        index += [j for j, _ in terms]
        value += [a for _, a in terms]
        starts.append(len(index))
    return LinearModel(
        cost=cost,
        matrix=sparse.csr_array((value, index, starts), shape=(len(constraints), len(columns))),
        row_lower=_bounds((c.getLb() for c in constraints), -math.inf),
        row_upper=_bounds((c.getUb() for c in constraints), math.inf),
        col_lower=_bounds((v.lowBound for v in variables), -math.inf),
        col_upper=_bounds((v.upBound for v in variables), math.inf),
        integer=np.array([v.cat == "Integer" for v in variables], dtype=bool),
        offset=float(problem.objective.constant) if problem.objective is not None else 0.0,
        columns=columns,
        rows=tuple(str(c.name) for c in constraints),
    )


def _bounds(values: Any, missing: float) -> Floats:
    return np.array([missing if v is None else float(v) for v in values], dtype=np.float64)


def to_mps(model: LinearModel) -> str:
    """Free-format MPS with every digit; names are positions, so no text of a user ever reaches a solver."""
    low, high = model.row_lower, model.row_upper
    kind = np.where(low == high, "E", np.where(np.isfinite(low), "G", np.where(np.isfinite(high), "L", "N")))
    lines = ["NAME model", "ROWS", " N cost"] + [f" {k} r{i}" for i, k in enumerate(kind.tolist())]
    lines.append("COLUMNS")
    columns = model.matrix.tocsc()
    for j in range(len(model.cost)):
        if model.integer[j]:
            lines.append(f" M{j} 'MARKER' 'INTORG'")
        lines.append(f" x{j} cost {float(model.cost[j])!r}")
        span = slice(columns.indptr[j], columns.indptr[j + 1])
        entries = zip(columns.indices[span].tolist(), columns.data[span].tolist(), strict=True)
        lines.extend(f" x{j} r{i} {value!r}" for i, value in entries)
        if model.integer[j]:
            lines.append(f" E{j} 'MARKER' 'INTEND'")
    lines.append("RHS")
    lines += [f" RHS r{i} {float(high[i] if kind[i] == 'L' else low[i])!r}" for i in np.flatnonzero(kind != "N")]
    lines.append("RANGES")
    lines += [f" RNG r{i} {float(high[i] - low[i])!r}" for i in np.flatnonzero((kind == "G") & np.isfinite(high))]
    lines.append("BOUNDS")
    for j, (lower, upper) in enumerate(zip(model.col_lower.tolist(), model.col_upper.tolist(), strict=True)):
        lines.append(f" LO BND x{j} {lower!r}" if math.isfinite(lower) else f" MI BND x{j}")
        lines.append(f" UP BND x{j} {upper!r}" if math.isfinite(upper) else f" PL BND x{j}")
    return "\n".join([*lines, "ENDATA", ""])


def violation(model: LinearModel, x: Floats) -> float:
    """Largest violation of any row, bound or whole-number condition at `x`, each relative to max(1, |limit|).

    Rows are judged with the whole numbers rounded: a thousandth of a millionth of a yes, times a big coefficient, must
    not let anything through (trickle flow).
    """
    if not np.isfinite(x).all():
        return math.inf
    worst = 0.0
    if model.is_mip:
        worst = float(np.abs(x - np.round(x))[model.integer].max())
        x = np.where(model.integer, np.round(x), x)
    activity = model.matrix @ x
    for value, lower, upper in (
        (activity, model.row_lower, model.row_upper),
        (x, model.col_lower, model.col_upper),
    ):
        for excess, limit in ((lower - value, lower), (value - upper, upper)):
            beyond = excess > 0
            if beyond.any():
                worst = max(worst, float((excess[beyond] / np.maximum(1.0, np.abs(limit[beyond]))).max()))
    return worst


def implied_bounds(model: LinearModel, rounds: int = 4) -> tuple[Floats, Floats]:
    """Column bounds that every feasible point satisfies: rows propagated, every rounding outwards, so they are safe."""
    a = model.matrix.tocoo()
    row, col, value = a.row, a.col, a.data
    m = len(model.row_lower)
    lower, upper = model.col_lower.copy(), model.col_upper.copy()
    terms = np.bincount(row, minlength=m)
    positive = value > 0
    for _ in range(rounds):
        tightened = False
        # The upper limit of a row bounds its columns through the least activity of the others, and the reverse.
        for sign, limit in ((1.0, model.row_upper), (-1.0, -model.row_lower)):
            coefficient = sign * value
            least = np.where(positive == (sign > 0), lower[col], upper[col])
            with np.errstate(invalid="ignore"):
                part = np.where(coefficient == 0, 0.0, coefficient * least)
            open_ = ~np.isfinite(part)
            finite_part = np.where(open_, 0.0, part)
            total = np.bincount(row, finite_part, minlength=m)
            size = np.bincount(row, np.abs(finite_part), minlength=m)
            n_open = np.bincount(row, open_, minlength=m)
            usable = np.isfinite(limit[row]) & (n_open[row] - open_ == 0) & (coefficient != 0)
            slack = limit[row] - (total[row] - finite_part)
            slack += (
                8 * (terms[row] + 4) * UNIT * (np.abs(limit[row], where=usable, out=np.zeros_like(slack)) + size[row])
            )
            bound = np.divide(slack, coefficient, where=usable, out=np.full_like(slack, np.inf))
            bound += 8 * UNIT * np.abs(bound, where=usable, out=np.zeros_like(bound)) * np.sign(coefficient)
            up, down = usable & (coefficient > 0), usable & (coefficient < 0)
            new_upper, new_lower = upper.copy(), lower.copy()
            np.minimum.at(new_upper, col[up], bound[up])
            np.maximum.at(new_lower, col[down], bound[down])
            tightened |= bool((np.isinf(upper) & np.isfinite(new_upper)).any())
            tightened |= bool((np.isinf(lower) & np.isfinite(new_lower)).any())
            lower, upper = new_lower, new_upper
        if not tightened:
            break
    return lower, upper


def safe_bound(model: LinearModel, duals: Floats, exact: bool = False) -> float:
    """A bound below which no feasible point's objective can lie, from *any* vector of row duals.

    Weak duality with every rounding error accounted for (Neumaier and Shcherbina, Mathematical Programming 99, 2004):
    the duals may be as wrong as they like, the bound stays valid, only weaker. `exact=True` works in rational
    arithmetic, otherwise float64 with rigorous error terms. Columns without a bound get one implied by the rows where
    there is one. Returns -inf when nothing can be proved. For a MILP this bounds the relaxation.
    """
    duals = np.where((duals > 0) & np.isinf(model.row_lower), 0.0, duals)
    duals = np.where((duals < 0) & np.isinf(model.row_upper), 0.0, duals)
    duals = np.where(np.isfinite(duals), duals, 0.0)
    lower, upper = model.col_lower, model.col_upper
    if np.isinf(lower).any() or np.isinf(upper).any():
        lower, upper = implied_bounds(model)
    return (_exact_bound if exact else _float_bound)(model, duals, lower, upper)


def _float_bound(model: LinearModel, y: Floats, lower: Floats, upper: Floats) -> float:
    by_column, size_of, terms = model.transposed
    reduced = model.cost - by_column @ y
    error = 2 * (terms + 4) * UNIT * (np.abs(model.cost) + size_of @ np.abs(y))
    least, most = reduced - error, reduced + error
    product = np.multiply if np.isfinite(lower).all() and np.isfinite(upper).all() else _product
    with np.errstate(invalid="ignore", over="ignore"):
        corners = product(least, lower)
        for other in (product(least, upper), product(most, lower), product(most, upper)):
            corners = np.minimum(corners, other)
    limits = np.where(y > 0, model.row_lower, model.row_upper)
    parts = np.concatenate([corners, np.where(y != 0, y, 0.0) * np.where(y != 0, limits, 0.0)])
    if np.isneginf(parts).any():
        return -math.inf
    slip = 8 * UNIT * math.fsum(np.abs(parts).tolist()) + 4 * UNIT * abs(model.offset)
    return math.nextafter(math.fsum(parts.tolist()) + model.offset - slip, -math.inf)


def _product(r: Floats, x: Floats) -> Floats:
    return np.where(r == 0, 0.0, r * x)


def _exact_bound(model: LinearModel, y: Floats, lower: Floats, upper: Floats) -> float:
    reduced = [Fraction(c) for c in model.cost.tolist()]
    total = Fraction(model.offset)
    data, index, start = model.matrix.data, model.matrix.indices, model.matrix.indptr
    for i in np.flatnonzero(y):
        dual = Fraction(float(y[i]))
        total += dual * Fraction(float(model.row_lower[i] if y[i] > 0 else model.row_upper[i]))
        for k in range(start[i], start[i + 1]):
            reduced[index[k]] -= dual * Fraction(float(data[k]))
    for r, low, high in zip(reduced, lower.tolist(), upper.tolist(), strict=True):
        if r == 0:
            continue
        limit = low if r > 0 else high
        if math.isinf(limit):
            return -math.inf
        total += r * Fraction(limit)
    value = float(total)
    return value if Fraction(value) <= total else math.nextafter(value, -math.inf)


def stack(rows: Sequence[tuple[Sequence[int], Sequence[float]]], width: int) -> Matrix:
    """Rows given as (column positions, coefficients) as one sparse matrix of `width` columns."""
    index = [j for columns, _ in rows for j in columns]
    value = [a for _, values in rows for a in values]
    starts = np.concatenate([[0], np.cumsum([len(columns) for columns, _ in rows])]) if rows else np.zeros(1)
    return sparse.csr_array((value, index, starts.astype(np.int32)), shape=(len(rows), width), dtype=np.float64)
