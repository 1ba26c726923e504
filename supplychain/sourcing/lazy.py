"""N-1 security with very many refusals: only the rows that plans break are ever written (column-and-constraint
generation without columns; after Zeng and Zhao, Operations Research Letters 41, 2013)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from supplychain.sourcing.engine import ALLOWED, Engine, Outcome
from supplychain.sourcing.losses import Contracts, worst_gap
from supplychain.sourcing.policy import Policy
from supplychain.sourcing.problem import SourcingProblem
from supplychain.sourcing.tiling import SourcingModel, build, named_threats, touched_needs

MANY = 50_000  # rows of N-1 security above which they are generated
FIRST = 3  # refusals that each need starts with: those that leave least of it


def many(problem: SourcingProblem, policy: Policy) -> bool:
    """Are there so many pairs of need and refusal that their rows are better generated?"""
    threats = named_threats(problem, policy)
    return len(threats) * len(problem.needs) * problem.after > MANY


def plan_lazily(problem: SourcingProblem, policy: Policy) -> tuple[SourcingModel, Outcome]:
    """The best plan, as if every row were there: solve, apply every refusal to the plan, add what it breaks, again."""
    threats = named_threats(problem, policy)
    left = np.stack([threat.factor for threat in threats])
    touched = touched_needs(problem, left)
    remaining = np.zeros((len(threats), len(problem.needs)))
    np.add.at(remaining.T, problem.need, left.mean(axis=2).T)
    rank = np.argsort(np.argsort(remaining, axis=0, kind="stable"), axis=0)
    chosen: npt.NDArray[np.bool_] = touched & (rank < FIRST)
    while True:
        model = build(problem, policy, secured=chosen)
        outcome = Engine(model).plan()
        contracts = Contracts(
            model.values("buy", outcome.x),
            model.values("reserve", outcome.x),
            model.values("build", outcome.x),
            policy.contract.flexibility,
        )
        gaps = np.stack([worst_gap(problem, contracts, threat) for threat in threats])
        missed = touched & ~chosen & (gaps > policy.secure.gap + 10 * ALLOWED)
        if not missed.any():
            return model, outcome
        chosen |= missed
