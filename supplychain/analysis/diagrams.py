"""Decision diagrams of whole gate networks: probabilities, slopes, and a good variable order found by trying."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supplychain.analysis.bdd import BudgetExceeded, Diagram, recursion
from supplychain.analysis.gates import TRUE, Module, Net, below
from supplychain.analysis.orders import orders
from supplychain.errors import NoAnswer

Floats = npt.NDArray[np.float64]
BUDGETS = (20_000, 200_000, 1_000_000, 4_000_000, 12_000_000)  # diagram nodes allowed, over the tries


@dataclass(frozen=True, eq=False)
class Function:
    """A Boolean function of named events as arrays: node i tests event variable[i]; 0 is false, 1 true; children come
    first.
    """

    names: tuple[str, ...]
    variable: npt.NDArray[np.int64]
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    level: npt.NDArray[np.int64]
    root: int

    def probability(self, chance: Mapping[str, Floats]) -> Floats:
        """Return the multilinear extension: the chance that the function is true when events are, independently.

        `chance` holds one vector of points per event (0 for events that are left out).
        """
        points, x = self._points(chance)
        return np.asarray(self._forward(x, points)[self.root])

    def slopes(self, chance: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return the derivative of the multilinear extension by each event's chance, at each point."""
        points, x = self._points(chance)
        true = self._forward(x, points)
        reach = np.zeros_like(true)
        reach[self.root] = 1.0
        slope = np.zeros((len(self.names), points))
        for nodes in reversed(self._layers()):
            event = self.variable[nodes]
            weight = reach[nodes]
            slope[event[0]] = (weight * (true[self.high[nodes]] - true[self.low[nodes]])).sum(axis=0)
            chance_here = x[event[0]]
            np.add.at(reach, self.low[nodes], weight * (1 - chance_here))
            np.add.at(reach, self.high[nodes], weight * chance_here)
        return dict(zip(self.names, slope, strict=True))

    def _points(self, chance: Mapping[str, Floats]) -> tuple[int, Floats]:
        points = max((len(vector) for vector in chance.values()), default=1)
        zero = np.zeros(points)
        x = np.array([chance.get(name, zero) for name in self.names]) if self.names else np.zeros((0, points))
        return points, x

    def _layers(self) -> list[npt.NDArray[np.int64]]:
        """Return the nodes of each variable, the deepest variable first."""
        inner = np.arange(2, len(self.variable))
        ranked = inner[np.argsort(-self.level[inner], kind="stable")]
        if not len(ranked):
            return []
        return np.split(ranked, np.flatnonzero(np.diff(self.level[ranked])) + 1)

    def _forward(self, x: Floats, points: int) -> Floats:
        true = np.zeros((len(self.variable), points))
        true[1] = 1.0
        for nodes in self._layers():
            chance = x[self.variable[nodes[0]]]
            true[nodes] = (1 - chance) * true[self.low[nodes]] + chance * true[self.high[nodes]]
        return true


def function(net: Net, budgets: Sequence[int] = BUDGETS) -> Function:
    """Return the network's Boolean function. Raises NoAnswer when its diagram outgrows every budget and order."""
    if net.top < len(net.names):
        if net.top < 0:
            none = np.array([-1, -1])
            return Function((), none, np.array([0, 1]), np.array([0, 1]), none, int(net.top == TRUE))
        one = np.array([-1, -1, 0])
        return Function((net.names[net.top],), one, np.array([0, 1, 0]), np.array([0, 1, 1]), one, 2)
    gates = below(net)
    used = {arg for index in gates for arg in net.node(index).args if arg < len(net.names)}
    module = Module(net.top, tuple(gates), tuple(sorted(used)))
    with recursion(len(used)):
        for order, diagram in attempts(net, module, budgets):
            try:
                root = build(net, module, diagram, {leaf: i for i, leaf in enumerate(order)})
            except BudgetExceeded:
                continue
            return _arrays(net, diagram, root, order)
    raise NoAnswer(
        f"the function of {len(used)} events needs a diagram of more than {budgets[-1]:,} nodes "
        "under every variable order tried"
    )


def attempts(net: Net, module: Module, budgets: Sequence[int]) -> Iterator[tuple[tuple[int, ...], Diagram]]:
    """Yield variable orders, each with an empty diagram; stop asking once one was enough.

    All orders get the first budget; those that came furthest with it, half of them each time, get the next.
    """
    candidates = list(orders(net, module))
    for budget in budgets:
        reached = []
        for place, order in enumerate(candidates):
            diagram = Diagram(len(order), budget)
            yield order, diagram
            reached.append((-diagram.progress, place))
            diagram.clear()
        keep = max(2, -(-len(candidates) // 2))
        candidates = [candidates[place] for _, place in sorted(reached)[:keep]]


def _arrays(net: Net, diagram: Diagram, root: int, order: Sequence[int]) -> Function:
    kept = [index for index in diagram.reachable(root) if index > 1]
    new = {0: 0, 1: 1} | {index: place for place, index in enumerate(kept, start=2)}
    level = np.array([-1, -1, *(diagram.level[i] for i in kept)], dtype=np.int64)
    return Function(
        tuple(net.names[leaf] for leaf in order),
        level,
        np.array([0, 1, *(new[diagram.low[i]] for i in kept)], dtype=np.int64),
        np.array([0, 1, *(new[diagram.high[i]] for i in kept)], dtype=np.int64),
        level,
        new[root],
    )


def build(net: Net, module: Module, diagram: Diagram, level: Mapping[int, int]) -> int:
    """Return the BDD of the module's root over its leaves, leaf i at level[i]."""
    built = {leaf: diagram.variable(place) for leaf, place in level.items()}
    for index in module.nodes:
        node = net.node(index)
        args = [built[arg] for arg in node.args]
        match node.op:
            case "and" | "or":
                built[index] = diagram.joined(node.op, args)
            case "not":
                built[index] = diagram.negated(args[0])
            case "xor":
                result = 0
                for arg in args:
                    result = diagram.differ(result, arg)
                built[index] = result
            case _:
                weights = node.weights or (node.least / node.least,) * len(args)
                built[index] = diagram.threshold(args, weights, node.least)
        diagram.progress += 1
    return built[module.root]
