"""The cost-exposure frontier: what each further part of exposure costs to take away, exact at both ends."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from supplychain.errors import NoAnswer
from supplychain.linear import LinearModel
from supplychain.solve import LiveModel
from supplychain.sourcing.engine import Engine, lexicographic
from supplychain.sourcing.losses import after_resourcing
from supplychain.sourcing.plan import read_contracts
from supplychain.sourcing.policy import Policy
from supplychain.sourcing.problem import Floats, SourcingProblem, Threat
from supplychain.sourcing.tiling import SourcingModel, build, of_strength

CLOSE = 1e-7  # two points nearer than this, relative to the frontier's span, are one


@dataclass(frozen=True, eq=False)
class Frontier:
    """Points from the cheapest plan to the least exposed one.

    table: cost (nothing happening, over the horizon), exposure (mean over the threats and needs of the part of
    the need left unmet after re-sourcing), worst (the threat with the largest mean loss) and its loss, price
    (cost per unit of exposure taken away on the way to the next point), kind: `end`, `supported` (the best for
    some price of exposure), `between` (the least cost at that exposure), `mixed` (a mixture of its two
    neighbours, which is exact where nothing is whole).
    """

    table: pd.DataFrame
    threats: tuple[str, ...]
    proven: bool
    seconds: float


def frontier(
    problem: SourcingProblem, policy: Policy, points: int = 9, threats: tuple[Threat, ...] | None = None
) -> Frontier:
    """Return at least `points` points of the frontier under the policy's other rules (N-1, scenarios and tail risk
    apart, for these are what the frontier trades off).

    Supported points are found by dichotomy on the price of exposure (Aneja and Nair, Management Science 25,
    1979): every part of the model is solved for itself and warm. Raises NoAnswer when there is no threat to be
    exposed to.
    """
    began = time.perf_counter()
    chosen = threats if threats is not None else default_threats(problem, policy)
    if not chosen:
        raise NoAnswer("no state's refusal touches these needs: there is no exposure to take away")
    bare = policy.with_(**{"secure.against": (), "scenarios": {}, "risk.price": 0.0, "risk.bound": None})
    search = _Search(build(problem, bare, exposed=chosen), chosen)
    search.run(points)
    rows = [search.row(kind, x) for kind, x in search.found]
    table = pd.DataFrame(rows).sort_values(["cost", "exposure"], ascending=[True, False], ignore_index=True)
    taken = -np.diff(table["exposure"].to_numpy(float), append=np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["price"] = np.diff(table["cost"].to_numpy(float), append=np.nan) / taken
    return Frontier(table, tuple(t.name for t in chosen), search.proven, time.perf_counter() - began)


def default_threats(problem: SourcingProblem, policy: Policy) -> tuple[Threat, ...]:
    """Refusals by states, as strong as the policy's N-1 rule or scenarios have them, that touch some line."""
    strength = policy.secure.refusal if policy.secure.against else policy.scenarios.refusal
    strong = [t for t in problem.threats if t.kind == "state" and of_strength(t, strength)]
    return tuple(t for t in strong if (t.factor < 1 - 1e-9).any())


class _Search:
    """Points of the frontier found so far, and the engine that finds more."""

    def __init__(self, model: SourcingModel, threats: tuple[Threat, ...]) -> None:
        self.model, self.threats = model, threats
        self.engine = Engine(model)
        cost, loss = model.linear.cost, np.zeros(len(model.linear.cost))
        loss[model.block["loss"]] = 1.0 / (len(threats) * len(model.problem.needs))
        self.cost, self.loss = cost, loss
        self.found: list[tuple[str, Floats]] = []
        self.proven = True

    def run(self, points: int) -> None:
        cheap, safe = self._end(self.cost, self.loss), self._end(self.loss, self.cost)
        self.found = [("end", cheap)]
        span = (float(self.cost @ safe - self.cost @ cheap), float(self.loss @ cheap - self.loss @ safe))
        if span[1] <= CLOSE or span[0] <= CLOSE * max(1.0, abs(float(self.cost @ cheap))):
            return  # the cheapest plan is also the least exposed
        self.found.append(("end", safe))
        open_ = [(cheap, safe)]
        closed: list[tuple[Floats, Floats]] = []
        while open_ and len(self.found) < points:
            open_.sort(key=lambda pair: self._size(pair, span))
            left, right = open_.pop()
            middle = self._supported(left, right, span)
            if middle is None:
                closed.append((left, right))
            else:
                self.found.append(("supported", middle))
                open_ += [(left, middle), (middle, right)]
        self._fill(closed + open_, points, span)

    def _size(self, pair: tuple[Floats, Floats], span: tuple[float, float]) -> float:
        left, right = pair
        return float(self.cost @ (right - left)) / span[0] * (float(self.loss @ (left - right)) / span[1])

    def _end(self, first: Floats, second: Floats) -> Floats:
        """The best point by `first`, and among those the best by `second`."""
        x = self._solve(first)
        for part in self.engine.parts:
            columns = part.columns
            goals = [first[columns], second[columns]]
            x[columns], complete = lexicographic(part.live.model, x[columns], goals, goals, 30.0)
            self.proven &= complete
        return x

    def _solve(self, cost: Floats) -> Floats:
        x = np.zeros(len(cost))
        for part in self.engine.parts:
            own = cost[part.columns]
            part.live.set_costs(np.arange(len(own)), own)
            solution = part.live.solve(gap=self.model.policy.solver.gap, time_limit=self.model.policy.solver.seconds)
            if solution.status == "infeasible":
                self.engine.give_way(part)
                part.live.set_costs(np.arange(len(own)), own)
                solution = part.live.solve(gap=self.model.policy.solver.gap)
            if not solution.has_values:
                raise NoAnswer(f"the frontier has no plan: {solution.status}")
            self.proven &= solution.status == "optimal"
            x[part.columns] = solution.values
        return x

    def _supported(self, left: Floats, right: Floats, span: tuple[float, float]) -> Floats | None:
        """The best plan at the price of exposure that makes both neighbours equally good; None when none beats them."""
        price = float(self.cost @ (right - left)) / float(self.loss @ (left - right))
        x = self._solve(self.cost + price * self.loss)
        gain = float((self.cost + price * self.loss) @ (left - x))
        return x if gain > CLOSE * (span[0] + price * span[1]) else None

    def _fill(self, gaps: list[tuple[Floats, Floats]], points: int, span: tuple[float, float]) -> None:
        """Points inside the steps when the supported ones are too few: mixtures, or least cost at a given exposure."""
        missing = points - len(self.found)
        if missing <= 0 or not gaps:
            return
        total = sum(float(self.loss @ (left - right)) for left, right in gaps) or 1.0
        wanted = [max(1, round(missing * float(self.loss @ (left - right)) / total)) for left, right in gaps]
        wanted[int(np.argmax(wanted))] += max(0, missing - sum(wanted))
        live: LiveModel | None = None
        for (left, right), count in zip(gaps, wanted, strict=True):
            for step in range(1, count + 1):
                part = step / (count + 1)
                if not self.model.linear.is_mip:
                    self.found.append(("mixed", (1 - part) * left + part * right))
                    continue
                live = live or LiveModel(_whole(self.engine, self.model.linear, self.loss))
                target = (1 - part) * float(self.loss @ left) + part * float(self.loss @ right)
                last = len(live.model.row_lower) - 1
                live.set_rows([last], [-np.inf], [target / float(self.loss.max())])
                solution = live.solve(gap=1e-6, time_limit=self.model.policy.solver.seconds, start=right)
                if solution.has_values:
                    self.proven &= solution.status == "optimal"
                    self.found.append(("between", solution.values))

    def row(self, kind: str, x: Floats) -> dict[str, object]:
        contracts = read_contracts(self.model, x)
        problem = self.model.problem
        loss = {t.name: float(after_resourcing(problem, contracts, t).mean()) for t in self.threats}
        worst = max(sorted(loss), key=lambda name: loss[name])
        return {
            "cost": float(self.cost @ x),
            "exposure": float(np.mean(list(loss.values()))),
            "worst": worst,
            "worst_loss": loss[worst],
            "kind": kind,
        }


def _whole(engine: Engine, linear: LinearModel, loss: Floats) -> LinearModel:
    """The whole model with the relaxations that its parts were given, and one more row: the exposure."""
    scale = 1.0 / float(loss.max())
    upper = linear.col_upper.copy()
    for part in engine.parts:
        upper[part.columns] = part.live.model.col_upper
    row = sparse.csr_array((loss * scale)[None, :])
    return replace(
        linear,
        matrix=sparse.csr_array(sparse.vstack([linear.matrix, row])),
        row_lower=np.append(linear.row_lower, -np.inf),
        row_upper=np.append(linear.row_upper, np.inf),
        col_upper=upper,
    )
