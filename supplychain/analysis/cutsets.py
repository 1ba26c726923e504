"""Minimal cut sets of gate networks: exact counts, sizes and members, on decision diagrams that are never unfolded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

from supplychain.analysis.bdd import BudgetExceeded, Diagram, Families, recursion
from supplychain.analysis.diagrams import BUDGETS, attempts, build
from supplychain.analysis.gates import TRUE, Gate, Module, Net, compile_gates, modules
from supplychain.errors import NoAnswer, UsageError

Method = Literal["auto", "bdd", "zbdd"]
SORTED_SETS = 200_000  # up to here the sets of one size are listed in alphabetical order


@dataclass(frozen=True)
class Part:
    """The minimal cut sets of one module as a diagram: node i is (leaf[i], low[i], high[i]), 0 empty, 1 the empty set.

    `leaf` holds event ids, or -1 - p for the cut sets of part p.
    """

    leaf: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    root: int


@dataclass(frozen=True)
class CutSets:
    """All minimal cut sets of a gate network (or all with at most `max_size` events).

    `sizes[k]` counts those of k events; `coherent` is False when some event helps by failing: then the sets are the
    minimal solutions, the positive parts of prime implicants (Rauzy 2001). `nodes` counts the diagram's nodes.
    """

    events: tuple[str, ...]
    parts: tuple[Part, ...]
    sizes: tuple[int, ...]
    max_size: int | None
    coherent: bool
    method: str

    @property
    def count(self) -> int:
        return sum(self.sizes)

    @property
    def nodes(self) -> int:
        return sum(len(part.leaf) for part in self.parts)

    def sets(self, limit: int | None = None) -> Iterator[tuple[str, ...]]:
        """Yield the sets lazily, smallest first, each sorted; those of one size alphabetically while they are few
        enough.
        """
        found: Iterator[tuple[str, ...]] = (chosen for size in range(len(self.sizes)) for chosen in self.of_size(size))
        return islice(found, limit)

    def of_size(self, size: int) -> Iterator[tuple[str, ...]]:
        """Yield the sets of exactly `size` events."""
        if size >= len(self.sizes) or self.sizes[size] == 0:
            return
        unsorted = (tuple(sorted(self.events[event] for event in chosen)) for chosen in _walk(self.parts, size))
        yield from sorted(unsorted) if self.sizes[size] <= SORTED_SETS else unsorted


def minimal_cut_sets(
    gates: Mapping[str, Gate],
    top: str,
    *,
    max_size: int | None = None,
    method: Method = "auto",
    budgets: Sequence[int] = BUDGETS,
) -> CutSets:
    """Return the minimal cut sets of `top`: the smallest sets of events whose failure makes it fail.

    `bdd` builds each module's BDD under several variable orders and takes its minimal solutions; `zbdd` combines
    families bottom-up; `auto` is `bdd`, then `zbdd` when a size limit is given and the BDD outgrows its budget. A
    third way, by integer programs, is `interdiction.enumerate_minimal`. Raises NoAnswer when no try stays within the
    budget.
    """
    if max_size is not None and max_size < 0:
        raise UsageError("the largest size of a cut set must not be negative")
    net = compile_gates(gates, top)
    if not net.monotone and method == "zbdd":
        raise UsageError("the bottom-up method needs AND, OR and at-least gates only: use method bdd")
    coherent = True
    parts: list[Part] = []
    numbers: dict[int, int] = {}
    used = "bdd"
    for module in modules(net):
        part, monotone, how = _solve(net, module, max_size, method, budgets, numbers)
        numbers[module.root] = len(parts)
        parts.append(part)
        coherent = coherent and monotone
        used = how if how != "bdd" else used
    if not parts:
        parts = [_bare(net.top)]
    sizes = _sizes(parts)
    if max_size is not None:
        sizes = sizes[: max_size + 1]
    return CutSets(net.names, tuple(parts), _trimmed(sizes), max_size, coherent, used)


def _bare(top: int) -> Part:
    """Return the part of a top that is a constant or a single event."""
    if top < 0:
        return Part((-1, -1), (0, 1), (0, 1), 1 if top == TRUE else 0)
    return Part((-1, -1, top), (0, 1, 0), (0, 1, 1), 2)


def _solve(
    net: Net,
    module: Module,
    max_size: int | None,
    method: Method,
    budgets: Sequence[int],
    numbers: Mapping[int, int],
) -> tuple[Part, bool, str]:
    """Return the module's cut sets, whether it is coherent, and the way that worked."""
    bottom_up = method == "zbdd" or (method == "auto" and max_size is not None and net.monotone)
    with recursion(len(module.leaves)):
        for order, diagram in attempts(net, module, budgets):
            level = {leaf: i for i, leaf in enumerate(order)}
            if method != "zbdd":
                try:
                    function = build(net, module, diagram, level)
                    monotone = net.monotone or diagram.is_monotone(function)
                    diagram.forget()
                    root = diagram.minimal(function, max_size)
                    return _part(diagram, root, order, numbers), monotone, "bdd"
                except BudgetExceeded:
                    pass
            if bottom_up:
                families = Diagram(len(order), diagram.budget)
                try:
                    root = _family(net, module, families, level, max_size)
                    return _part(families, root, order, numbers), True, "zbdd"
                except BudgetExceeded:
                    diagram.progress = max(diagram.progress, families.progress)
                    families.clear()
    limit = "a smaller --max-size" if max_size else "--max-size K (only sets of at most K events)"
    raise NoAnswer(
        f"the cut sets of a part with {len(module.leaves)} events need a diagram of more than {budgets[-1]:,} nodes "
        f"under every variable order tried: ask for {limit}"
    )


def _family(net: Net, module: Module, diagram: Diagram, level: Mapping[int, int], max_size: int | None) -> int:
    """Return the module's minimal cut sets combined bottom-up."""
    families = Families(diagram, max_size)
    built = {leaf: families.single(place) for leaf, place in level.items()}
    for index in module.nodes:
        node = net.node(index)
        args = sorted((built[arg] for arg in node.args), key=lambda f: (-diagram.level[f], f))
        result = int(node.op == "and")
        if node.op in ("and", "or"):
            for arg in args:
                result = families.product(result, arg) if node.op == "and" else families.union(result, arg)
            built[index] = result
        else:
            weights = node.weights or (node.least / node.least,) * len(args)
            built[index] = families.threshold([built[arg] for arg in node.args], weights, node.least)
        diagram.progress += 1
    return built[module.root]


def _part(diagram: Diagram, root: int, order: Sequence[int], numbers: Mapping[int, int]) -> Part:
    """Return the part of the diagram below `root`, renumbered children first."""
    kept = [index for index in diagram.reachable(root) if index > 1]
    new = {0: 0, 1: 1} | {index: place for place, index in enumerate(kept, start=2)}
    leaves = [order[diagram.level[index]] for index in kept]
    return Part(
        (-1, -1, *(-1 - numbers[leaf] if leaf in numbers else leaf for leaf in leaves)),
        (0, 1, *(new[diagram.low[index]] for index in kept)),
        (0, 1, *(new[diagram.high[index]] for index in kept)),
        new[root],
    )


def _sizes(parts: Sequence[Part]) -> tuple[int, ...]:
    """Return how many sets of each size the last part holds: polynomials in one variable, packed into integers."""
    width = _packed(parts, 0)[-1].bit_length() + 1
    packed = _packed(parts, width)[-1]
    mask = (1 << width) - 1
    sizes = []
    while packed:
        sizes.append(packed & mask)
        packed >>= width
    return tuple(sizes)


def _packed(parts: Sequence[Part], width: int) -> list[int]:
    """Return each part's counts: the coefficient of size k sits at bit k * width (plain totals when width is 0)."""
    totals: list[int] = []
    for part in parts:
        value = [0, 1]
        for leaf, low, high in zip(part.leaf[2:], part.low[2:], part.high[2:], strict=True):
            value.append(value[low] + (value[high] << width if leaf >= 0 else value[high] * totals[-1 - leaf]))
        totals.append(value[part.root])
    return totals


def _trimmed(sizes: Sequence[int]) -> tuple[int, ...]:
    end = len(sizes)
    while end and sizes[end - 1] == 0:
        end -= 1
    return tuple(sizes[:end])


class _Later(NamedTuple):
    """What is still to be walked once the current part is done: a node, what comes after it, and the sizes possible."""

    part: int
    node: int
    then: _Later | None
    sizes: int


class _Taken(NamedTuple):
    """The events taken so far, last first."""

    event: int
    before: _Taken | None


def _walk(parts: Sequence[Part], size: int) -> Iterator[list[int]]:
    """Yield the event ids of every set of exactly `size`, depth first, never entering a branch that holds none."""
    masks: list[list[int]] = []  # bit k of masks[p][node] is set when some set below the node has size k
    for part in parts:
        mask = [0, 1]
        for leaf, low, high in zip(part.leaf[2:], part.low[2:], part.high[2:], strict=True):
            mask.append(
                mask[low]
                | (mask[high] << 1 if leaf >= 0 else _sums(masks[-1 - leaf][parts[-1 - leaf].root], mask[high]))
            )
        masks.append(mask)
    last = len(parts) - 1
    stack: list[tuple[int, int, int, _Taken | None, _Later | None]] = [(last, parts[last].root, size, None, None)]
    while stack:
        p, node, left, path, rest = stack.pop()
        possible = masks[p][node] if rest is None else _sums(masks[p][node], rest.sizes)
        if not possible >> left & 1:
            continue
        if node == 1:
            if rest is None:
                yield _unlinked(path)
            else:
                stack.append((rest.part, rest.node, left, path, rest.then))
            continue
        part = parts[p]
        leaf = part.leaf[node]
        if part.low[node]:
            stack.append((p, part.low[node], left, path, rest))
        if leaf >= 0:
            stack.append((p, part.high[node], left - 1, _Taken(leaf, path), rest))
        else:
            after = masks[p][part.high[node]] if rest is None else _sums(masks[p][part.high[node]], rest.sizes)
            inner = -1 - leaf
            stack.append((inner, parts[inner].root, left, path, _Later(p, part.high[node], rest, after)))


def _unlinked(path: _Taken | None) -> list[int]:
    found = []
    while path is not None:
        found.append(path.event)
        path = path.before
    return found


def _sums(a: int, b: int) -> int:
    """Return the bits i + j for bits i of a and j of b."""
    total = 0
    if a.bit_count() > b.bit_count():
        a, b = b, a
    while a:
        total |= b << (a & -a).bit_length() - 1
        a &= a - 1
    return total
