"""A solver that is wrong, stuck, missing or killed is never believed (faults 66 to 75 of docs/reliability.md)."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from supplychain import cbc, solve
from supplychain.cli import run
from supplychain.errors import EnvironmentFault, NoAnswer
from supplychain.linear import LinearModel, violation
from supplychain.sourcing.engine import Engine
from supplychain.sourcing.opinion import ask_cbc, second
from supplychain.sourcing.plan import make_plan
from tests.sourcing.family import draw, draw_policy

INF = math.inf
TEMPLATE = str(Path(__file__).parents[1] / "datasets" / "template")


def switched(big: float) -> LinearModel:
    """Min y over x >= 1, x <= big y, y yes or no: the answer is 1."""
    return LinearModel(
        cost=np.array([0.0, 1.0]),
        matrix=sparse.csr_array(np.array([[1.0, -big]])),
        row_lower=np.array([-INF]),
        row_upper=np.array([0.0]),
        col_lower=np.array([1.0, 0.0]),
        col_upper=np.array([5.0, 1.0]),
        integer=np.array([False, True]),
    )


@pytest.mark.parametrize("big", [1e3, 1e7, 1e9])
def test_no_flow_trickles_through_a_no(big: float) -> None:
    model = switched(big)
    assert violation(model, np.array([1.0, 1.0 / big])) >= 0.5  # y is 0 within any solver's tolerance
    found = solve.solve(model)
    assert (found.status, found.objective) == ("optimal", 1.0)
    assert any("switches a flow" in warning for warning in found.warnings) == (big > 1e6)


def test_a_trickle_that_a_solver_calls_optimal_is_mended_and_not_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Trickling:
        """HiGHS, but that it says optimal with y = 1e-9 and nothing paid, as CBC does."""

        def __init__(self, inner: object) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        def getSolution(self) -> object:
            return type("S", (), {"col_value": [1.0, 1e-9], "row_dual": [], "col_dual": []})

        def getInfo(self) -> object:
            return type("I", (), {"simplex_iteration_count": 1, "mip_dual_bound": 0.0})

    live = solve.LiveModel(switched(1e9))
    live._highs = Trickling(live._highs)
    real, calls = solve.LiveModel, []

    class Watched(real):  # type: ignore[misc, valid-type]
        def __init__(self, model: LinearModel) -> None:
            calls.append(model.is_mip)
            super().__init__(model)

    monkeypatch.setattr(solve, "LiveModel", Watched)
    found = live.solve()
    assert calls == [False]  # the LP with y taken at its word, 0: it has no plan
    assert not found.has_values
    assert math.isnan(found.objective)


@pytest.mark.skipif(cbc.cbc_path() is None, reason="no CBC program here")
def test_the_second_solver_is_held_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cbc.second_opinion(switched(1e9))
    assert not (found.status == "optimal" and found.objective < 0.5)


def test_an_unbounded_model_names_the_columns_that_run_away() -> None:
    model = LinearModel(
        cost=np.array([1.0, -2.0, 0.0, -1.0]),
        matrix=sparse.csr_array(np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, -1.0, 0.0]])),
        row_lower=np.array([1.0, -INF]),
        row_upper=np.array([INF, 0.0]),
        col_lower=np.zeros(4),
        col_upper=np.array([INF, INF, INF, 3.0]),
    )
    live = solve.LiveModel(model)
    assert live.solve().status == "unbounded"
    assert live.endless() == (1, 2)  # the second earns without end, and takes the third along; the fourth is bounded
    bounded = replace(model, col_upper=np.array([INF, 7.0, INF, 3.0]))
    assert solve.LiveModel(bounded).endless() == ()


def test_an_unbounded_plan_is_no_plan_and_says_of_what() -> None:
    plan = make_plan(draw(3, whole=False).problem(), draw_policy(3, whole=False))
    linear = plan.model.linear
    free = replace(
        linear,
        cost=np.where(np.arange(len(linear.cost)) == 0, -1.0, linear.cost),
        col_upper=np.full(len(linear.cost), INF),
        row_upper=np.full(len(linear.row_lower), INF),
        row_lower=np.full(len(linear.row_lower), -INF),
    )
    engine = Engine(replace(plan.model, linear=free))
    with pytest.raises(NoAnswer, match=r"unbounded \(buy 0"):
        engine.plan()


def test_an_impossible_plan_names_needs_and_the_least_relaxation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "strict.toml"
    policy.write_text('impossible = "refuse"\n[sources]\nminimum = 9\n')
    assert run(["source", "--network", TEMPLATE, "--policy", str(policy), "--quiet"]) == 4
    told = capsys.readouterr()
    assert told.out == ""
    assert "smallest relaxation" in told.err
    assert "my-plant x my-chip: sources.minimum must change by" in told.err


def test_a_plan_stopped_at_a_limit_is_not_proven_and_says_how_far(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = solve.LiveModel._solved

    def stopped(self: solve.LiveModel, *more: object) -> solve.Solution:
        found = real(self, *more)  # type: ignore[arg-type]
        return replace(found, status="feasible-not-proven", bound=found.objective - 0.25, gap=0.25)

    monkeypatch.setattr(solve.LiveModel, "_solved", stopped)
    assert run(["source", "--network", TEMPLATE, "--quiet", "--no-second-opinion"]) == 4
    told = capsys.readouterr().out
    assert "feasible, NOT PROVEN: gap" in told
    assert "optimal" not in told.split("NOT PROVEN")[0]


def test_two_solvers_that_disagree_withhold_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(draw(2, whole=True).problem(), draw_policy(2, whole=True))

    def other(model: LinearModel, seconds: float = 60.0) -> solve.Solution:
        found = solve.solve(model)
        return replace(found, status="infeasible", objective=math.nan, solver="cbc")

    monkeypatch.setattr("supplychain.sourcing.opinion.second_opinion", other)
    assert ask_cbc(plan).status == "infeasible"
    with pytest.raises(NoAnswer, match=r"HiGHS says [\d.]+, .* infeasible; the plan is withheld"):
        second(plan, wanted=True)


def fake(folder: Path, body: str) -> Path:
    path = folder / "cbc"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_second_solver_that_is_missing_killed_or_stuck_is_a_fault_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = switched(10.0)
    monkeypatch.setattr(cbc, "cbc_path", lambda: None)
    with pytest.raises(EnvironmentFault, match="no CBC program"):
        cbc.second_opinion(model)
    monkeypatch.setattr(cbc, "cbc_path", lambda: fake(tmp_path, "kill -9 $$"))
    with pytest.raises(EnvironmentFault, match="killed by signal 9"):
        cbc.second_opinion(model)
    monkeypatch.setattr(cbc, "cbc_path", lambda: fake(tmp_path, "exec sleep 100"))
    with pytest.raises(EnvironmentFault, match="hung"):
        cbc.second_opinion(model, time_limit=-59.5)
    monkeypatch.setattr(cbc, "cbc_path", lambda: fake(tmp_path, "echo nonsense; exit 3"))
    assert cbc.second_opinion(model).status == "error"  # no number is read
    os.chmod(tmp_path / "cbc", 0o600)
    monkeypatch.setattr(cbc, "cbc_path", lambda: tmp_path / "cbc")
    with pytest.raises(EnvironmentFault, match="cannot be started"):
        cbc.second_opinion(model)


def test_a_solver_that_cannot_be_loaded_is_exit_5(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ImportError("libhighs.so: cannot open shared object file")

    monkeypatch.setattr("supplychain.case.Case.load", broken)
    assert run(["source", "--network", TEMPLATE, "--quiet"]) == 5
    assert "environment: libhighs.so" in capsys.readouterr().err


def test_an_error_of_the_solver_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(draw(3, whole=False).problem(), draw_policy(3, whole=False))
    monkeypatch.setattr(solve.LiveModel, "_solved", lambda self, *_: self._outcome("error", 0.0, 0))
    with pytest.raises(NoAnswer, match="error"):
        Engine(plan.model).plan()


def test_every_solve_of_a_run_is_in_its_ledger() -> None:
    with solve.ledger() as kept:
        solve.solve(switched(10.0))
        solve.LiveModel(switched(20.0)).solve()
    solve.solve(switched(30.0))
    assert [(one["status"], one["objective"]) for one in kept] == [("optimal", 1.0)] * 2
