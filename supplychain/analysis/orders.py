"""Variable orders for decision diagrams: several cheap heuristics, tried in turn by whoever builds the diagram."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from supplychain.analysis.gates import Module, Net

Rank = Callable[[int], tuple[int, ...]]


def orders(net: Net, module: Module) -> Iterator[tuple[int, ...]]:
    """Yield orders of the module's leaves, the most promising first, without repeats."""
    seen: set[tuple[int, ...]] = set()
    for order in _candidates(net, module):
        if order not in seen:
            seen.add(order)
            yield order


def _candidates(net: Net, module: Module) -> Iterator[tuple[int, ...]]:
    leaves = set(module.leaves)
    users: dict[int, int] = dict.fromkeys((*module.leaves, *module.nodes), 0)
    for index in module.nodes:
        for arg in net.node(index).args:
            users[arg] += 1
    size: dict[int, int] = dict.fromkeys(module.leaves, 1)
    depth: dict[int, int] = dict.fromkeys(module.leaves, 0)
    for index in module.nodes:
        size[index] = sum(size[arg] for arg in net.node(index).args)
        depth[index] = 1 + max(depth[arg] for arg in net.node(index).args)

    written = _depth_first(net, module, leaves, None)
    yield written
    yield _force(net, module, written)
    yield _depth_first(net, module, leaves, lambda i: (size[i], depth[i]))
    yield _depth_first(net, module, leaves, lambda i: (-users[i], size[i]))
    yield _by_weight(net, module)
    yield _depth_first(net, module, leaves, lambda i: (-size[i],))
    yield _breadth_first(net, module, leaves)
    yield _force(net, module, _by_weight(net, module))
    yield tuple(reversed(written))


def _depth_first(net: Net, module: Module, leaves: set[int], rank: Rank | None) -> tuple[int, ...]:
    """Return the leaves as a depth-first walk meets them, inputs in the order written or by `rank`."""
    order: dict[int, None] = {}
    seen: set[int] = set()
    stack = [module.root]
    while stack:
        index = stack.pop()
        if index in leaves:
            order[index] = None
        elif index not in seen:
            seen.add(index)
            args = net.node(index).args
            stack.extend(reversed(args if rank is None else sorted(args, key=rank)))
    return tuple(order)


def _breadth_first(net: Net, module: Module, leaves: set[int]) -> tuple[int, ...]:
    order: dict[int, None] = {}
    seen = {module.root}
    layer = [module.root]
    while layer:
        deeper: list[int] = []
        for index in layer:
            for arg in net.node(index).args:
                if arg in leaves:
                    order[arg] = None
                elif arg not in seen:
                    seen.add(arg)
                    deeper.append(arg)
        layer = deeper
    return tuple(order)


def _by_weight(net: Net, module: Module) -> tuple[int, ...]:
    """Return the leaves by the weight that reaches them when each gate splits its own among its inputs (Minato
    1990).
    """
    weight: dict[int, float] = dict.fromkeys((*module.leaves, *module.nodes), 0.0)
    weight[module.root] = 1.0
    for index in reversed(module.nodes):
        args = net.node(index).args
        for arg in args:
            weight[arg] += weight[index] / len(args)
    return tuple(sorted(module.leaves, key=lambda leaf: (-weight[leaf], leaf)))


def _force(net: Net, module: Module, start: tuple[int, ...], rounds: int = 60) -> tuple[int, ...]:
    """Return `start` with leaves pulled towards the gates they share (FORCE: Aloul, Markov, Sakallah, GLSVLSI 2003)."""
    place = {leaf: float(i) for i, leaf in enumerate(start)}
    pull: dict[int, list[int]] = {leaf: [] for leaf in start}
    for index in module.nodes:
        for arg in net.node(index).args:
            pull.setdefault(arg, []).append(index)
    best, best_span = start, _span(net, module, place)
    for _ in range(rounds):
        centre: dict[int, float] = {}
        for index in module.nodes:
            args = net.node(index).args
            centre[index] = sum(place[a] if a in place else centre[a] for a in args) / len(args)
        moved = {leaf: sum(centre[g] for g in pull[leaf]) / len(pull[leaf]) for leaf in start}
        ranked = tuple(sorted(start, key=lambda leaf: (moved[leaf], place[leaf])))
        place = {leaf: float(i) for i, leaf in enumerate(ranked)}
        span = _span(net, module, place)
        if span < best_span:
            best, best_span = ranked, span
        else:
            break
    return best


def _span(net: Net, module: Module, place: dict[int, float]) -> float:
    """Return the total stretch of gates over the order."""
    low = dict(place)
    high = dict(place)
    total = 0.0
    for index in module.nodes:
        args = net.node(index).args
        low[index] = min(low[a] for a in args)
        high[index] = max(high[a] for a in args)
        total += high[index] - low[index]
    return total
