"""Decision diagrams: Boolean functions as BDDs, families of minimal sets as ZBDDs, in one table of nodes.

Rauzy, "New algorithms for fault trees analysis", Reliability Engineering and System Safety 40 (1993); Minato, DAC 1993.
Diagrams recurse at most once per level; `recursion` raises Python's limit to fit. Node 0 is false (the empty family),
node 1 is true (the family holding only the empty set).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

SHIFT = 32
LEAF = 1 << 30  # level of the two terminals: below every variable


class BudgetExceeded(Exception):
    """The diagram would need more nodes than allowed; another variable order may do."""


@contextmanager
def recursion(levels: int) -> Iterator[None]:
    """Allow recursion as deep as diagrams of `levels` variables need."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 6 * levels + 2000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class Diagram:
    """A table of diagram nodes over `levels` ordered variables, with at most `budget` nodes and operation results."""

    def __init__(self, levels: int, budget: int = 50_000_000) -> None:
        self.level: list[int] = [LEAF, LEAF]
        self.low: list[int] = [0, 1]
        self.high: list[int] = [0, 1]
        self.levels = levels
        self.budget = budget
        self.progress = 0  # gates built so far, to compare variable orders by
        self._bdd: list[dict[int, int]] = [{} for _ in range(levels)]
        self._zdd: list[dict[int, int]] = [{} for _ in range(levels)]
        self._memos: list[dict[int, int]] = []
        self.both = self._joiner(0)
        self.either = self._joiner(1)
        self.without = self._without()
        self._negated: dict[int, int] = {0: 1, 1: 0}

    def forget(self) -> None:
        """Drop remembered results of operations; nodes stay."""
        for memo in self._memos:
            memo.clear()

    def clear(self) -> None:
        """Give the memory of an abandoned table back at once: its operations hold it in cycles."""
        self.forget()
        for table in (self.level, self.low, self.high, self._bdd, self._zdd):
            table.clear()

    def _new(self, level: int, low: int, high: int) -> int:
        index = len(self.level)
        if index > self.budget:
            raise BudgetExceeded
        self.level.append(level)
        self.low.append(low)
        self.high.append(high)
        return index

    def choose(self, level: int, low: int, high: int) -> int:
        """Return the BDD node "if the variable at `level` then high else low"."""
        if low == high:
            return low
        table = self._bdd[level]
        key = low << SHIFT | high
        found = table.get(key)
        if found is None:
            found = table[key] = self._new(level, low, high)
        return found

    def family(self, level: int, low: int, high: int) -> int:
        """Return the ZBDD node: the sets of `low`, and the sets of `high` with the variable at `level` added."""
        if high == 0:
            return low
        table = self._zdd[level]
        key = low << SHIFT | high
        found = table.get(key)
        if found is None:
            found = table[key] = self._new(level, low, high)
        return found

    def variable(self, level: int) -> int:
        return self.choose(level, 0, 1)

    def _joiner(self, absorbing: int) -> Callable[[int, int], int]:
        """Return AND (absorbing 0) or OR (absorbing 1) of two BDDs."""
        level, low, high, tables, new = self.level, self.low, self.high, self._bdd, self._new
        neutral = 1 - absorbing
        memo: dict[int, int] = {}
        self._memos.append(memo)
        budget = self.budget

        def join(f: int, g: int) -> int:
            if f == g or g == neutral:
                return f
            if f == neutral:
                return g
            if f == absorbing or g == absorbing:
                return absorbing
            key = f << SHIFT | g if f < g else g << SHIFT | f
            found = memo.get(key)
            if found is not None:
                return found
            a, b = level[f], level[g]
            if a == b:
                lower, upper = join(low[f], low[g]), join(high[f], high[g])
            elif a < b:
                lower, upper = join(low[f], g), join(high[f], g)
            else:
                a = b
                lower, upper = join(f, low[g]), join(f, high[g])
            if lower == upper:
                found = lower
            else:
                table = tables[a]
                node = lower << SHIFT | upper
                found = table.get(node)
                if found is None:
                    found = table[node] = new(a, lower, upper)
            if len(memo) > budget:
                raise BudgetExceeded
            memo[key] = found
            return found

        return join

    def negated(self, f: int) -> int:
        """Return NOT f."""
        found = self._negated.get(f)
        if found is None:
            found = self.choose(self.level[f], self.negated(self.low[f]), self.negated(self.high[f]))
            self._negated[f] = found
        return found

    def differ(self, f: int, g: int) -> int:
        """Return f XOR g."""
        return self.either(self.both(f, self.negated(g)), self.both(g, self.negated(f)))

    def joined(self, op: str, parts: Sequence[int]) -> int:
        """Return the AND or OR of many BDDs, from the deepest up."""
        join = self.both if op == "and" else self.either
        result = 1 if op == "and" else 0
        for part in sorted(parts, key=lambda f: (-self.level[f], f)):
            result = join(result, part)
        return result

    def threshold(self, parts: Sequence[int], weights: Sequence[Fraction], least: Fraction) -> int:
        """Return the BDD of "the weights of the true parts add up to `least`", for BDDs that may share variables.

        Needs that no sum of weights tells apart share one node (Abio et al., JAIR 45, 2012), so equal weights cost O(n
        k).
        """
        ranked = sorted(range(len(parts)), key=lambda i: (self.level[parts[i]], -weights[i], parts[i]))
        rest = [Fraction(0)] * (len(parts) + 1)
        for place in range(len(parts) - 1, -1, -1):
            rest[place] = rest[place + 1] + weights[ranked[place]]
        known: list[list[tuple[Fraction, Fraction, int]]] = [[] for _ in range(len(parts) + 1)]
        infinity = rest[0] + abs(least) + 1

        def build(place: int, need: Fraction) -> tuple[Fraction, Fraction, int]:
            """Return (above, upto, node): node is right for every need in (above, upto]."""
            if need <= 0:
                return -infinity, Fraction(0), 1
            if need > rest[place]:
                return rest[place], infinity, 0
            for above, upto, node in known[place]:
                if above < need <= upto:
                    return above, upto, node
            weight = weights[ranked[place]]
            above0, upto0, node0 = build(place + 1, need)
            above1, upto1, node1 = build(place + 1, need - weight)
            part = parts[ranked[place]]
            node = self.either(node0, self.both(part, node1))
            entry = (max(above0, above1 + weight), min(upto0, upto1 + weight), node)
            known[place].append(entry)
            return entry

        return build(0, least)[2]

    def is_monotone(self, f: int) -> bool:
        """Return whether f never turns false when a variable turns true."""
        return all(self.both(self.low[i], self.high[i]) == self.low[i] for i in self.reachable(f) if i > 1)

    def reachable(self, f: int) -> list[int]:
        """Return the nodes below and including f, children first."""
        seen = {f}
        stack = [f]
        while stack:
            index = stack.pop()
            for child in (self.low[index], self.high[index]):
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
        return sorted(seen)

    def _without(self) -> Callable[[int, int], int]:
        """Return the operation a WITHOUT b on families: the sets of a that contain no set of b."""
        level, low, high, family = self.level, self.low, self.high, self.family
        memo: dict[int, int] = {}
        self._memos.append(memo)
        budget = self.budget

        def without(a: int, b: int) -> int:
            if a == 0 or b == 1 or a == b:
                return 0
            if b == 0 or a == 1:
                return a
            key = a << SHIFT | b
            found = memo.get(key)
            if found is not None:
                return found
            x, y = level[a], level[b]
            if x < y:
                found = family(x, without(low[a], b), without(high[a], b))
            elif x > y:
                found = without(a, low[b])
            else:
                lower = low[b]
                found = family(x, without(low[a], lower), without(without(high[a], high[b]), lower))
            if len(memo) > budget:
                raise BudgetExceeded
            memo[key] = found
            return found

        return without

    def minimal(self, f: int, max_size: int | None = None) -> int:
        """Return the family of minimal solutions of f (minimal cut sets when f is monotone), at most `max_size`
        large.
        """
        level, low, high, family, without = self.level, self.low, self.high, self.family, self.without
        memo: dict[int, int] = {}

        def solve(g: int) -> int:
            if g < 2:
                return g
            found = memo.get(g)
            if found is None:
                lower = solve(low[g])
                found = memo[g] = family(level[g], lower, without(solve(high[g]), lower))
            return found

        def solve_upto(g: int, size: int) -> int:
            if g < 2:
                return g
            if size == 0:
                while g > 1:
                    g = low[g]
                return g
            key = g << SHIFT | size
            found = memo.get(key)
            if found is None:
                lower = solve_upto(low[g], size)
                found = memo[key] = family(level[g], lower, without(solve_upto(high[g], size - 1), lower))
            return found

        return solve(f) if max_size is None else solve_upto(f, max_size)


class Families:
    """Union and product of families of minimal sets, kept minimal and at most `max_size` large, without any BDD.

    The bottom-up way to minimal cut sets (as in XFTA and SCRAM's ZBDD): an independent second computation, and the one
    that a size limit makes fast.
    """

    def __init__(self, diagram: Diagram, max_size: int | None) -> None:
        self.diagram = diagram
        self.limit = max_size if max_size is not None else diagram.levels
        self._union: dict[int, int] = {}
        self._product: dict[tuple[int, int, int], int] = {}
        self._cut: dict[tuple[int, int], int] = {}

    def single(self, level: int) -> int:
        return self.diagram.family(level, 0, 1) if self.limit else 0

    def upto(self, a: int, size: int) -> int:
        """Return the sets of `a` that hold at most `size` elements."""
        if a < 2:
            return a
        if size < 0:
            return 0
        d = self.diagram
        if size >= d.levels - d.level[a]:
            return a
        found = self._cut.get((a, size))
        if found is None:
            high = self.upto(d.high[a], size - 1) if size else 0
            found = self._cut[a, size] = d.family(d.level[a], self.upto(d.low[a], size), high)
        return found

    def union(self, a: int, b: int) -> int:
        """Return the minimal sets of a and b together."""
        if a == b or b == 0:
            return a
        if a == 0:
            return b
        if a == 1 or b == 1:
            return 1
        if a > b:
            a, b = b, a
        key = a << SHIFT | b
        found = self._union.get(key)
        if found is None:
            d = self.diagram
            x, y = d.level[a], d.level[b]
            if x == y:
                low, high = self.union(d.low[a], d.low[b]), self.union(d.high[a], d.high[b])
            elif x < y:
                low, high = self.union(d.low[a], b), d.high[a]
            else:
                x = y
                low, high = self.union(a, d.low[b]), d.high[b]
            found = self._union[key] = d.family(x, low, d.without(high, low))
        return found

    def product(self, a: int, b: int, size: int | None = None) -> int:
        """Return the minimal unions of a set of a with a set of b, at most `size` large."""
        if size is None:
            size = self.limit
        if a == 0 or b == 0 or size < 0:
            return 0
        if a == 1 or b == 1:
            return self.upto(a * b, size)
        if a > b:
            a, b = b, a
        d = self.diagram
        x, y = d.level[a], d.level[b]
        size = min(size, d.levels - min(x, y))  # a limit that cannot bind must not split the memo
        key = (a, b, size)
        found = self._product.get(key)
        if found is None:
            if x == y:
                low = self.product(d.low[a], d.low[b], size)
                high = self.product(d.high[a], d.high[b], size - 1)
                high = self.union(high, self.product(d.high[a], d.low[b], size - 1))
                high = self.union(high, self.product(d.low[a], d.high[b], size - 1))
            elif x < y:
                low, high = self.product(d.low[a], b, size), self.product(d.high[a], b, size - 1)
            else:
                x = y
                low, high = self.product(a, d.low[b], size), self.product(a, d.high[b], size - 1)
            found = self._product[key] = d.family(x, low, d.without(high, low))
        return found

    def threshold(self, parts: Sequence[int], weights: Sequence[Fraction], least: Fraction) -> int:
        """Return the minimal sets that make parts of weight `least` fail."""
        ranked = sorted(range(len(parts)), key=lambda i: (-weights[i], i))
        rest = [Fraction(0)] * (len(parts) + 1)
        for place in range(len(parts) - 1, -1, -1):
            rest[place] = rest[place + 1] + weights[ranked[place]]
        memo: dict[tuple[int, Fraction], int] = {}

        def build(place: int, need: Fraction) -> int:
            if need <= 0 or need > rest[place]:
                return int(need <= 0)
            if (place, need) not in memo:
                taken = self.product(parts[ranked[place]], build(place + 1, need - weights[ranked[place]]))
                memo[place, need] = self.union(build(place + 1, need), taken)
            return memo[place, need]

        return build(0, least)
