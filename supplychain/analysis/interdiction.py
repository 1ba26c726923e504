"""Cheapest cut sets of a gate network by integer programming, and their complete enumeration with a proof that none is
left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supplychain.analysis.gates import FALSE, TRUE, Gate, Net, below, compile_gates, evaluate, whole_weights
from supplychain.errors import InputError, NoAnswer, Problem, UsageError, shown
from supplychain.linear import LinearModel, stack
from supplychain.solve import LiveModel, Solution


@dataclass(frozen=True)
class Interdiction:
    """The cheapest set of events whose failure makes the top fail.

    `cost` is the sum of `weights` (unlisted events cost 1), `bound` a proven lower bound on it; `others` are further
    sets of the same cost, in the order found, when asked for.
    """

    events: tuple[str, ...]
    cost: float
    bound: float
    weights: dict[str, float]
    others: tuple[tuple[str, ...], ...]


class _Program:
    """min cost of failed events such that the top fails: one binary per event and gate.

    A gate may be 1 only if enough of its inputs are: y <= sum (OR), y <= each (AND), least * y <= weights @ inputs.
    """

    def __init__(self, net: Net, cost: npt.NDArray[np.float64]) -> None:
        gates = below(net)
        self.net = net
        column = {index: index for index in range(len(net.names))} | {
            g: len(net.names) + i for i, g in enumerate(gates)
        }
        rows: list[tuple[list[int], list[float]]] = []
        for index in gates:
            node = net.node(index)
            args = [column[arg] for arg in node.args]
            if node.op == "and":
                rows += [([column[index], arg], [-1.0, 1.0]) for arg in args]
            elif node.op == "or":
                rows.append(([column[index], *args], [-1.0, *[1.0] * len(args)]))
            else:
                weights, least = whole_weights(node)
                rows.append(([column[index], *args], [-1.0, *(weight / least for weight in weights)]))
        width = len(column)
        lower = np.zeros(width)
        lower[column[net.top]] = 1.0
        model = LinearModel(
            cost=np.concatenate([cost, np.zeros(len(gates))]),
            matrix=stack(rows, width),
            row_lower=np.full(len(rows), -1e-9),
            row_upper=np.full(len(rows), math.inf),
            col_lower=lower,
            col_upper=np.ones(width),
            integer=np.ones(width, dtype=bool),
        )
        self.live = LiveModel(model)
        self.width = width

    def next(self) -> tuple[list[int], Solution] | None:
        """Return the events of the cheapest set not yet forbidden, or None when it is proven that none is left."""
        solution = self.live.solve(gap=0.0)
        if solution.status == "infeasible":
            return None
        if solution.status != "optimal":
            raise NoAnswer(f"the search for the cheapest cut set ended {solution.status}")
        chosen = [e for e in range(len(self.net.names)) if solution.values[e] > 0.5]
        return self._reduced(chosen), solution

    def _reduced(self, chosen: list[int]) -> list[int]:
        """Return a minimal cut set within `chosen`, checked exactly on the gates."""
        failed = np.zeros((1, len(self.net.names)), dtype=bool)
        failed[0, chosen] = True
        if not evaluate(self.net, failed)[0]:
            raise NoAnswer("a set the solver calls a cut set is none in exact arithmetic")
        for event in chosen:
            failed[0, event] = False
            if not evaluate(self.net, failed)[0]:
                failed[0, event] = True
        return np.flatnonzero(failed[0]).tolist()

    def forbid(self, events: list[int]) -> None:
        """Exclude `events` and every set that holds them all."""
        row = stack([(events, [1.0] * len(events))], self.width)
        self.live.add_rows(row, [-math.inf], [len(events) - 1.0])


def cheapest_cut_set(
    gates: Mapping[str, Gate], top: str, weights: Mapping[str, float] | None = None, *, others: int = 0
) -> Interdiction:
    """Return the cut set of least total weight (events without a weight cost 1; infinite = cannot be chosen).

    `others` asks for up to that many further minimal cut sets of the same cost. Raises NoAnswer when no set of allowed
    events makes the top fail, InputError for weights that are not positive.
    """
    net = _monotone(compile_gates(gates, top))
    given = dict(weights or {})
    bad = [
        Problem("weight", column=shown(k), value=shown(v), rule="a weight must be positive") for k, v in given.items()
    ]
    bad = [problem for problem, v in zip(bad, given.values(), strict=True) if not v > 0]
    if bad:
        raise InputError(bad)
    cost = np.array([given.get(name, 1.0) for name in net.names])
    if net.top < len(net.names):
        return _trivial(net, cost)
    program = _Program(net, np.where(np.isfinite(cost), cost, 0.0))
    closed = np.flatnonzero(~np.isfinite(cost))
    program.live.set_columns(closed, np.zeros(len(closed)), np.zeros(len(closed)))
    found: list[tuple[str, ...]] = []
    best = bound = math.inf
    while len(found) <= others:
        step = program.next()
        if step is None:
            break
        events, solution = step
        total = float(cost[events].sum())
        if found and total > best * (1 + 1e-9):
            break
        if not found:
            best, bound = total, min(total, solution.bound)
        found.append(tuple(sorted(net.names[e] for e in events)))
        program.forbid(events)
    if not found:
        raise NoAnswer("no set of the events that may be chosen makes the top fail")
    charged = {name: given.get(name, 1.0) for name in found[0]}
    return Interdiction(found[0], best, bound, charged, tuple(found[1:]))


def enumerate_minimal(gates: Mapping[str, Gate], top: str, max_size: int | None = None) -> list[tuple[str, ...]]:
    """Return every minimal cut set (up to `max_size` events), smallest first; complete when it returns.

    Each round solves for the smallest set that holds none found before; the last proves that there is none.
    """
    net = _monotone(compile_gates(gates, top))
    if net.top < len(net.names):
        return [() if net.top == TRUE else (net.names[net.top],)] if net.top != FALSE else []
    program = _Program(net, np.ones(len(net.names)))
    found: list[tuple[str, ...]] = []
    while (step := program.next()) is not None:
        events, _ = step
        if max_size is not None and len(events) > max_size:
            break
        found.append(tuple(sorted(net.names[e] for e in events)))
        program.forbid(events)
    return sorted(found, key=lambda chosen: (len(chosen), chosen))


def _monotone(net: Net) -> Net:
    if not net.monotone:
        raise UsageError("integer programs need AND, OR, at-least and threshold gates only: use method bdd")
    return net


def _trivial(net: Net, cost: npt.NDArray[np.float64]) -> Interdiction:
    if net.top == TRUE:
        return Interdiction((), 0.0, 0.0, {}, ())
    if net.top < 0 or not math.isfinite(cost[net.top]):
        raise NoAnswer("no set of the events that may be chosen makes the top fail")
    name, total = net.names[net.top], float(cost[net.top])
    return Interdiction((name,), total, total, {name: total}, ())
