"""Solver wrapper: statuses, warm re-solves, and three computations that must agree."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pulp
import pytest
from scipy import optimize, sparse

from supplychain import cbc, solve
from supplychain.linear import LinearModel, implied_bounds, read_pulp, safe_bound, violation

INF = math.inf


def model(cost, rows, low, high, lower, upper, integer=()):
    return LinearModel(
        cost=np.array(cost, dtype=float),
        matrix=sparse.csr_array(np.atleast_2d(np.array(rows, dtype=float))),
        row_lower=np.array(low, dtype=float),
        row_upper=np.array(high, dtype=float),
        col_lower=np.array(lower, dtype=float),
        col_upper=np.array(upper, dtype=float),
        integer=np.array(integer, dtype=bool),
    )


def random_model(rng, whole):
    """A bounded model of the sourcing family: covering and capacity rows, some equalities, perhaps infeasible."""
    n, m = int(rng.integers(2, 9)), int(rng.integers(1, 7))
    matrix = np.where(rng.random((m, n)) < 0.6, rng.integers(-4, 10, (m, n)), 0).astype(float)
    upper = rng.integers(1, 4 if whole else 12, n).astype(float)
    inside = matrix @ (upper * rng.random(n))
    slack = rng.integers(0, 4, m)
    low = np.where(rng.random(m) < 0.7, np.floor(inside - slack), -INF)
    high = np.where(rng.random(m) < 0.5, np.ceil(inside + slack), INF)
    low = np.where(np.isinf(low) & np.isinf(high), np.floor(inside) + (rng.random(m) < 0.1) * 50.0, low)
    return model(
        rng.integers(-5, 15, n), matrix, low, high, np.zeros(n), upper, np.full(n, whole) & (rng.random(n) < 0.8)
    )


def test_a_wrong_optimum_known_from_highs_1_14_is_not_repeated():
    case = model([2, 3], [[1, 1]], [4.5], [INF], [0, 0], [INF, INF], [False, True])
    found = solve.solve(case)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(9.0)
    assert found.bound == pytest.approx(9.0)
    if cbc.cbc_path():
        assert cbc.agrees(found, cbc.second_opinion(case))


def test_the_release_that_proves_wrong_optima_is_refused(monkeypatch):
    class Old:
        def version(self):
            return "1.14.0"

    solve.highs_version.cache_clear()
    monkeypatch.setattr(solve.highspy, "Highs", Old)
    with pytest.raises(solve.EnvironmentFault, match=r"1\.14\.0"):
        solve.highs_version()
    monkeypatch.undo()
    solve.highs_version.cache_clear()


def test_pulp_is_read_once_and_names_of_users_stay_out():
    problem = pulp.LpProblem("p", pulp.LpMinimize)
    a = problem.add_variable("A B", 0, 4)
    b = problem.add_variable("A+C", 1, None, "Integer")
    problem += 2 * a + 3 * b + 7
    problem += a + b >= 4.5, "cover"
    problem += a - b == 0, "tie"
    arrays = read_pulp(problem)
    assert arrays.offset == 7
    assert arrays.rows == ("cover", "tie")
    assert set(arrays.integer.tolist()) == {False, True}
    found = solve.solve(problem)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(22.0)
    assert dict(zip(arrays.columns, found.values, strict=True)) == pytest.approx({a.name: 3.0, b.name: 3.0})
    with pytest.raises(ValueError, match="minimisation"):
        read_pulp(pulp.LpProblem("p", pulp.LpMaximize))


def test_no_number_is_read_where_there_is_no_solution():
    infeasible = solve.solve(model([1, 1], [[1, 1]], [5], [INF], [0, 0], [1, 1]))
    unbounded = solve.solve(model([-1], [[1]], [0], [INF], [0], [INF]))
    crossed = solve.solve(model([1], [[1]], [0], [INF], [3], [2]))
    assert (infeasible.status, unbounded.status, crossed.status) == ("infeasible", "unbounded", "infeasible")
    for outcome in (infeasible, unbounded, crossed):
        assert math.isnan(outcome.objective)
        assert math.isnan(outcome.bound)
        assert np.isnan(outcome.values).all()


def test_a_time_limit_is_never_called_optimal():
    rng = np.random.default_rng(4)
    n, m = 120, 25
    weights = rng.integers(10, 100, (m, n)).astype(float)
    hard = model(
        -rng.integers(10, 100, n), weights, np.full(m, -INF), weights.sum(1) / 3, np.zeros(n), np.ones(n), [True] * n
    )
    stopped = solve.solve(hard, time_limit=0.5)
    assert stopped.status == "feasible-not-proven"
    assert stopped.gap > 1e-4
    assert violation(hard, stopped.values) <= 1e-6
    assert stopped.bound < stopped.objective
    nothing = solve.solve(hard, time_limit=0.0)
    assert nothing.status in ("no-solution", "feasible-not-proven")
    assert nothing.has_values or math.isnan(nothing.objective)


def test_a_time_limit_holds_for_each_run_of_a_live_model():
    live = solve.LiveModel(model([1, 1], [[1, 1]], [1], [INF], [0, 0], [1, 1]))
    for demand in np.linspace(0.1, 1.9, 50):
        live.set_rows([0], [demand], [INF])
        assert live.solve(time_limit=5.0).objective == pytest.approx(demand)


def test_bad_coefficients_stop_before_the_build():
    with pytest.raises(ValueError, match="nan"):
        model([math.nan], [[1]], [0], [1], [0], [1])
    with pytest.raises(ValueError, match="inf"):
        model([1], [[INF]], [0], [1], [0], [1])
    with pytest.raises(ValueError, match="row_lower"):
        model([1], [[1]], [math.nan], [1], [0], [1])
    with pytest.raises(ValueError, match="fit"):
        model([1, 2], [[1, 1]], [0, 0], [1, 1], [0, 0], [1, 1])
    wide = solve.solve(model([1, 1], [[1e-5, 1e6]], [1], [INF], [0, 0], [1e9, 1]))
    assert any("1e9 apart" in warning for warning in wide.warnings)


def test_a_wrong_dual_gives_a_weaker_bound_but_never_a_wrong_one():
    rng = np.random.default_rng(11)
    for _ in range(60):
        case = random_model(rng, whole=False)
        found = solve.solve(case)
        if not found.has_values:
            continue
        for duals in (
            found.duals * 1.3,
            found.duals + rng.normal(0, 1, len(found.duals)),
            np.full(len(found.duals), np.nan),
        ):
            bounds = safe_bound(case, duals), safe_bound(case, duals, exact=True)
            assert max(bounds) <= found.objective + 1e-9 * max(1, abs(found.objective))
            assert bounds[0] <= bounds[1] + 1e-15


def test_columns_without_a_limit_get_one_from_the_rows():
    case = model([-1, -1], [[1, 2], [1, 0]], [-INF, -INF], [8, 3], [0, 0], [INF, INF])
    lower, upper = implied_bounds(case)
    assert lower == pytest.approx([0, 0])
    assert (upper >= [3, 4]).all()
    assert upper == pytest.approx([3, 4])
    found = solve.solve(case)
    assert found.objective == pytest.approx(-5.5)
    assert found.gap <= 1e-12


def test_warm_re_solves_equal_cold_ones():
    rng = np.random.default_rng(5)
    for _ in range(40):
        case = random_model(rng, whole=False)
        live = solve.LiveModel(case)
        live.solve()
        for _ in range(4):
            j, i = int(rng.integers(len(case.cost))), int(rng.integers(len(case.row_lower)))
            live.set_columns([j], [0.0], [float(rng.integers(0, 6))])
            live.set_costs([j], [float(rng.integers(-3, 9))])
            live.set_rows([i], [live.model.row_lower[i]], [live.model.row_upper[i] + 1])
            warm, cold = live.solve(), solve.solve(live.model)
            assert warm.status == cold.status
            assert warm.objective == pytest.approx(cold.objective, abs=1e-9, nan_ok=True)


def test_rows_found_later_are_added_to_the_live_model():
    live = solve.LiveModel(model([-1, -1], [[1, 1]], [-INF], [4], [0, 0], [3, 3], [True, False]))
    assert live.solve().objective == pytest.approx(-4)
    live.add_rows(sparse.csr_array([[1.0, 0.0], [0.0, 2.0]]), [-INF, -INF], [1.5, 1])
    assert live.solve().objective == pytest.approx(-1.5)


def test_integers_fixed_give_shadow_prices():
    case = model([2, 3], [[1, 1]], [4.5], [INF], [0, 0], [INF, INF], [False, True])
    plan = solve.solve(case)
    assert np.isnan(plan.duals).all()
    assert solve.solve(case.with_integers_fixed(plan.values)).duals == pytest.approx([2.0])


@pytest.mark.skipif(cbc.cbc_path() is None, reason="no CBC on this machine (PuLP 4 without cbcbox)")
def test_200_random_linear_programs_agree_with_cbc_scipy_and_an_exact_bound():
    rng = np.random.default_rng(2026)
    solved = 0
    for _ in range(200):
        case = random_model(rng, whole=False)
        found = solve.solve(case)
        assert cbc.agrees(found, cbc.second_opinion(case))
        other = optimize.milp(
            case.cost,
            constraints=optimize.LinearConstraint(case.matrix, case.row_lower, case.row_upper),
            bounds=optimize.Bounds(case.col_lower, case.col_upper),
        )
        assert (other.status == 2) == (found.status == "infeasible")
        if found.has_values:
            solved += 1
            bound = safe_bound(case, found.duals, exact=True)
            assert found.objective - bound <= 1e-9 * max(1.0, abs(found.objective))
            assert found.objective == pytest.approx(other.fun, rel=1e-9, abs=1e-9)
    assert 50 < solved < 200


@pytest.mark.skipif(cbc.cbc_path() is None, reason="no CBC on this machine (PuLP 4 without cbcbox)")
def test_200_random_whole_number_programs_agree_with_cbc_and_brute_force():
    rng = np.random.default_rng(7)
    brute = 0
    for _ in range(200):
        case = random_model(rng, whole=True)
        found = solve.solve(case)
        assert cbc.agrees(found, cbc.second_opinion(case))
        if case.integer.all() and len(case.cost) <= 6:
            brute += 1
            points = np.array(list(itertools.product(*[range(int(u) + 1) for u in case.col_upper])), dtype=float)
            activity = points @ case.matrix.toarray().T
            fits = ((activity >= case.row_lower - 1e-9) & (activity <= case.row_upper + 1e-9)).all(axis=1)
            best = (points[fits] @ case.cost).min() if fits.any() else math.nan
            assert found.objective == pytest.approx(best, nan_ok=True)
    assert brute > 20


class Says:
    """HiGHS, but that it answers some questions otherwise."""

    def __init__(self, inner, **answers):
        self.inner, self.answers = inner, answers

    def __getattr__(self, name):
        return (lambda *_: self.answers[name]) if name in self.answers else getattr(self.inner, name)


def test_what_the_solver_says_in_no_known_word_is_an_error():
    live = solve.LiveModel(model([1], [[1]], [1], [INF], [0], [5]))
    status = solve.highspy.HighsModelStatus
    live._highs = Says(live._highs, getModelStatus=status.kSolveError)
    assert live.solve().status == "error"
    live._highs = Says(live._highs.inner, getModelStatus=status.kUnboundedOrInfeasible)
    assert live.solve().status == "error"  # still undecided without presolve
    live._highs = Says(live._highs.inner, passModel=solve.highspy.HighsStatus.kError)
    with pytest.raises(ValueError, match="refused the model"):
        live._pass()


def test_a_point_without_duals_has_no_bound():
    live = solve.LiveModel(model([1], [[1]], [1], [INF], [0], [5]))
    live._highs.run()
    raw = live._highs.getSolution()
    bare = type("Bare", (), {"col_value": list(raw.col_value), "row_dual": [], "col_dual": []})
    live._highs = Says(live._highs, getSolution=bare)
    found = live.solve()
    assert (found.status, found.objective, found.bound) == ("feasible-not-proven", 1.0, -INF)
    assert np.isnan(found.duals).all()


def test_a_model_without_columns_or_rows_is_solved():
    nothing = solve.solve(model([], np.zeros((0, 0)), [], [], [], []))
    assert (nothing.status, nothing.objective) == ("optimal", 0.0)
    alone = solve.solve(model([2.0, -1.0], np.zeros((0, 2)), [], [], [1, 0], [9, 4]))
    assert (alone.status, alone.objective) == ("optimal", -2.0)


def test_limits_that_cross_and_whole_numbers_that_cannot_be_are_infeasible():
    rows = model([1, 1], [[1, 0], [0, 1]], [0, 5], [INF, 4], [0, 3], [INF, 9])
    columns = model([1, 1], [[1, 0], [0, 1]], [0, 0], [INF, INF], [0, 3], [INF, 2])
    odd = model([1, 1], [[2, 2]], [3], [3], [0, 0], [5, 5], [True, True])
    assert [solve.solve(case).status for case in (rows, columns, odd)] == ["infeasible"] * 3


def test_no_bound_or_cost_becomes_nan():
    live = solve.LiveModel(model([1], [[1]], [1], [INF], [0], [5]))
    for change in (
        lambda: live.set_costs([0], [math.nan]),
        lambda: live.set_rows([0], [math.nan], [INF]),
        lambda: live.set_columns([0], [0], [math.nan]),
    ):
        with pytest.raises(ValueError, match="may not be nan"):
            change()
    assert live.solve().objective == pytest.approx(1.0)


@pytest.mark.skipif(cbc.cbc_path() is None, reason="no CBC program here")
def test_the_second_solver_names_a_model_without_end():
    endless = model([-1, 0], [[1, -1]], [0], [INF], [0, 0], [INF, INF])
    assert cbc.second_opinion(endless).status == "unbounded"


def test_a_point_that_is_no_number_breaks_every_row():
    case = model([1], [[1]], [1], [INF], [0], [5])
    assert violation(case, np.array([math.nan])) == INF
    assert violation(case, np.array([1.0])) == 0.0


def test_a_dual_that_leans_on_a_limit_that_is_not_there_bounds_nothing():
    case = model([-1], [[1]], [0], [INF], [0], [INF])
    assert safe_bound(case, np.array([0.0])) == -INF
    assert safe_bound(case, np.array([0.0]), exact=True) == -INF
