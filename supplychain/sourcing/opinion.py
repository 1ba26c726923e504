"""A plan's optimum from another program by other people: CBC on every part of the model, in a process of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from supplychain.cbc import cbc_path, second_opinion
from supplychain.errors import NoAnswer
from supplychain.sourcing.engine import Engine
from supplychain.sourcing.plan import Plan

# CBC prints about eight digits, and the settling of ties may use its own small room.
TOLERANCE = 2e-6
SMALL = 30_000  # columns up to which the second solver is asked without being told to


@dataclass(frozen=True)
class Opinion:
    """What CBC says: its status (`optimal`, or the first other one), objective, and whether it is the plan's."""

    solver: str
    status: str
    objective: float
    agrees: bool
    parts: int


def ask_cbc(plan: Plan, seconds: float = 60.0) -> Opinion:
    """Solve the plan's model anew with CBC. Raises NoAnswer for a plan taken apart (it has no whole model) and
    EnvironmentFault when there is no CBC."""
    if plan.outcome.expected_loss is not None:
        raise NoAnswer("a plan taken apart by scenarios has no whole model to hand to another solver")
    engine = Engine(plan.model)
    engine.allow(plan.outcome.relaxed)
    found = [second_opinion(part.live.model, seconds) for part in engine.parts]
    status = next((solution.status for solution in found if solution.status != "optimal"), "optimal")
    objective = math.fsum(solution.objective for solution in found) + plan.model.linear.offset
    close = abs(objective - plan.outcome.objective) <= TOLERANCE * max(1.0, abs(plan.outcome.objective))
    version = found[0].version if found else ""
    return Opinion(f"cbc {version}", status, objective, status == "optimal" and close, len(found))


def second(plan: Plan, wanted: bool | None = None) -> str:
    """What stands behind a plan's optimality, in words; raises NoAnswer with both figures when two solvers disagree.

    Parts without whole numbers carry a dual bound in safe arithmetic, which needs no second solver. `wanted` None
    asks CBC where whole numbers decide, the model is small and there is a CBC; True asks in any case, False
    never.
    """
    whole = bool(plan.model.linear.integer.any())
    small = len(plan.model.linear.cost) <= SMALL
    if wanted is None:
        wanted = whole and small and cbc_path() is not None
    if not wanted:
        return "proved by HiGHS's own bound" if whole else "proved by a dual bound in safe arithmetic"
    found = ask_cbc(plan, max(2 * plan.outcome.seconds, 10.0))
    if found.status in ("optimal", "infeasible", "unbounded") and not found.agrees:
        says = f"{found.objective:.9g}" if found.status == "optimal" else found.status
        raise NoAnswer(
            f"two solvers disagree: HiGHS says {plan.outcome.objective:.9g}, {found.solver} {says}; the plan is "
            "withheld"
        )
    return f"{found.solver} agrees" if found.agrees else f"{found.solver} did not finish; HiGHS's own bound"
