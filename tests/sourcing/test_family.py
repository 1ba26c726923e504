"""Random problems of the family: HiGHS against CBC, an exact bound, brute force, and the check that shares no code."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from supplychain.cbc import agrees, cbc_path, second_opinion
from supplychain.linear import safe_bound
from supplychain.solve import LiveModel
from supplychain.sourcing.engine import Engine
from supplychain.sourcing.plan import make_plan
from supplychain.sourcing.tiling import build
from tests.sourcing.family import draw, draw_policy

needs_cbc = pytest.mark.skipif(cbc_path() is None, reason="no CBC program here")
CHUNK = 50


@needs_cbc
@pytest.mark.parametrize("chunk", range(4))
def test_linear_plans_agree_with_cbc_and_an_exact_bound(chunk):
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        model = build(draw(seed, whole=False).problem(), draw_policy(seed, whole=False))
        engine = Engine(model)
        outcome = engine.plan(settle=False)
        assert outcome.proven
        for part in engine.parts:
            solution = part.live.solve()
            assert agrees(solution, second_opinion(part.live.model)), seed
            bound = safe_bound(part.live.model, solution.duals, exact=True)
            assert solution.objective - bound <= 1e-7 * max(1.0, abs(solution.objective)), seed


@needs_cbc
@pytest.mark.parametrize("chunk", range(4))
def test_plans_with_whole_numbers_agree_with_cbc(chunk):
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        engine = Engine(build(draw(seed, whole=True).problem(), draw_policy(seed, whole=True)))
        engine.plan(settle=False)
        for part in engine.parts:
            solution = part.live.solve(gap=0.0)
            assert solution.status == "optimal", seed
            assert agrees(solution, second_opinion(part.live.model), 2e-6), seed


@pytest.mark.parametrize("seed", range(12))
def test_brute_force_over_all_choices_of_binaries(seed):
    model = build(draw(seed, whole=True, supplies=4, plants=2).problem(), draw_policy(seed, whole=True))
    engine = Engine(model)
    engine.plan(settle=False)
    for part in engine.parts:
        linear = part.live.model
        whole = np.flatnonzero(linear.integer)
        if len(whole) == 0 or len(whole) > 12:
            continue
        best = np.inf
        live = LiveModel(linear.relaxed())
        for choice in itertools.product((0.0, 1.0), repeat=len(whole)):
            fixed = np.clip(np.array(choice), linear.col_lower[whole], linear.col_upper[whole])
            live.set_columns(whole, fixed, fixed)
            solution = live.solve(certify=False)
            if solution.has_values:
                best = min(best, solution.objective)
        assert part.live.solve(gap=0.0).objective == pytest.approx(best, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_settled_plans_pass_the_independent_check_and_cost_no_more(seed):
    problem, policy = draw(seed, whole=seed % 2 == 0).problem(), draw_policy(seed, whole=seed % 2 == 0)
    loose = Engine(build(problem, policy)).plan(settle=False)
    plan = make_plan(problem, policy)  # raises when its own check fails
    assert plan.checked.holds
    assert sum(plan.checked.counts.values()) > 10
    assert plan.outcome.objective == pytest.approx(loose.objective, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", range(16))
def test_the_same_plan_for_permuted_rows_and_renamed_suppliers(seed):
    whole = seed % 2 == 0
    drawn, policy = draw(seed, whole, coarse=True), draw_policy(seed, whole)
    plan = make_plan(drawn.problem(), policy)
    shares = _shares(plan)
    assert _distance(shares, _shares(make_plan(drawn.shuffled(seed).problem(), policy))) < 1e-5
    other, names = drawn.renamed(seed)
    back = {new: old for old, new in names.items()}
    assert _distance(shares, _shares(make_plan(other.problem(), policy), back)) < 1e-5


def _shares(plan, names=None):
    table = plan.lines
    supply = table["supply"].map(names) if names else table["supply"]
    return dict(zip(zip(table["plant"], supply, table["period"], strict=True), table["share"], strict=True))


def _distance(a, b):
    return max((abs(a.get(key, 0.0) - b.get(key, 0.0)) for key in set(a) | set(b)), default=0.0)
