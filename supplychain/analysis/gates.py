"""AND/OR networks as gates over events: checked, simplified, and split into independent modules.

An event is something that can fail or be withheld; a gate says which of its inputs must fail for it to fail. A market
that is lost only when all its suppliers are lost is an AND gate; a supplier that is lost as soon as one essential
input is lost is an OR gate; a market lost when suppliers with more than a given share are lost is a threshold gate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
import numpy.typing as npt

from supplychain.errors import InputError, Problem, shown

MONOTONE = ("and", "or", "atleast", "threshold")
OPERATORS = (*MONOTONE, "not", "xor", "true", "false")
TRUE, FALSE = -1, -2


@dataclass(frozen=True)
class Gate:
    """One gate: `op` over `inputs` (names of gates or events).

    `and`, `or`, `xor` (odd number) and `not` read as usual; `atleast` fails when `least` inputs fail; `threshold`
    fails when the weights of the inputs that fail add up to `least` (exact arithmetic); `true` and `false` have no
    inputs.
    """

    op: str
    inputs: tuple[str, ...] = ()
    least: Fraction = Fraction(0)
    weights: tuple[Fraction, ...] = ()


def all_of(*inputs: str) -> Gate:
    """Return the gate that fails when all inputs fail."""
    return Gate("and", inputs)


def any_of(*inputs: str) -> Gate:
    """Return the gate that fails when any input fails."""
    return Gate("or", inputs)


def at_least(least: int, *inputs: str) -> Gate:
    """Return the gate that fails when `least` of the inputs fail."""
    return Gate("atleast", inputs, Fraction(least))


def threshold(least: float | Fraction, weights: Mapping[str, float | Fraction]) -> Gate:
    """Return the gate that fails when the weights of the failed inputs add up to `least`.

    A float is taken at its printed decimal value (0.1 is one tenth), so sums of shares compare exactly.
    """
    names = sorted(weights)
    return Gate("threshold", tuple(names), exact(least), tuple(exact(weights[name]) for name in names))


def exact(value: float | Fraction) -> Fraction:
    """Return `value` as a fraction, a float at its shortest decimal form."""
    return value if isinstance(value, Fraction) else Fraction(repr(float(value)))


@dataclass(frozen=True)
class Node:
    """A gate on integers: arguments are node ids, of events (below `Net.events`) or of other nodes."""

    op: str
    args: tuple[int, ...]
    least: Fraction = Fraction(0)
    weights: tuple[Fraction, ...] = ()


@dataclass(frozen=True)
class Module:
    """A part of the net that shares no event with the rest: `root`, its inner nodes in bottom-up order, and its leaves.

    A leaf is an event or the root of another module.
    """

    root: int
    nodes: tuple[int, ...]
    leaves: tuple[int, ...]


@dataclass(frozen=True)
class Net:
    """A simplified gate network. Ids below len(names) are events; id i above is nodes[i - len(names)]; top may be TRUE
    or FALSE.
    """

    names: tuple[str, ...]
    nodes: tuple[Node, ...]
    top: int
    monotone: bool

    def node(self, index: int) -> Node:
        return self.nodes[index - len(self.names)]


def roots(gates: Mapping[str, Gate]) -> tuple[str, ...]:
    """Return the gates that no other gate takes as an input, in their order of definition."""
    used = {name for gate in gates.values() for name in gate.inputs}
    return tuple(name for name in gates if name not in used)


def ordered(gates: Mapping[str, Gate], top: str) -> list[str]:
    """Return the gates below `top`, inputs before users. Raises InputError with the loop when gates feed themselves."""
    done: set[str] = set()
    order: list[str] = []
    path: dict[str, int] = {}
    stack: list[tuple[str, int]] = [(top, 0)]
    while stack:
        name, position = stack.pop()
        if position == 0:
            if name in done:
                continue
            path[name] = len(path)
        inputs = gates[name].inputs
        while position < len(inputs) and (inputs[position] not in gates or inputs[position] in done):
            position += 1
        if position == len(inputs):
            done.add(name)
            order.append(name)
            del path[name]
        elif inputs[position] in path:
            loop = [*list(path)[path[inputs[position]] :], inputs[position]]
            text = " -> ".join(shown(part, 40) for part in loop[:12])
            raise InputError([Problem("gate-loop", value=shown(text, 400), rule="a gate must not feed itself")])
        else:
            stack.append((name, position + 1))
            stack.append((inputs[position], 0))
    return order


def check(gates: Mapping[str, Gate]) -> None:
    """Raise InputError with every gate that has an unknown operator, no inputs, a bad count or a negative weight."""
    problems = []
    for name, gate in gates.items():
        fault = _fault(gate)
        if fault:
            problems.append(Problem("gate", column=shown(name), value=gate.op, rule=fault))
    if problems:
        raise InputError(problems)


def _fault(gate: Gate) -> str:
    if gate.op not in OPERATORS:
        return f"the operator must be one of {', '.join(OPERATORS)}"
    if gate.op in ("true", "false"):
        return "a constant takes no inputs" if gate.inputs else ""
    if not gate.inputs:
        return "a gate needs at least one input"
    if gate.op == "not" and len(gate.inputs) != 1:
        return "'not' takes exactly one input"
    if gate.op == "threshold" and (len(gate.weights) != len(gate.inputs) or min(gate.weights) < 0):
        return "a threshold gate needs one weight, not negative, for each input"
    return ""


def compile_gates(gates: Mapping[str, Gate], top: str) -> Net:
    """Check, simplify and return the network below `top`; names that are not gates are events."""
    if top not in gates:
        raise InputError([Problem("gate", value=shown(top), rule="the top must be one of the gates")])
    check(gates)
    order = ordered(gates, top)
    names = tuple(dict.fromkeys(name for gate in order for name in gates[gate].inputs if name not in gates))
    builder = _Builder(len(names))
    ids = {name: index for index, name in enumerate(names)}
    for name in order:
        gate = gates[name]
        ids[name] = builder.make(gate.op, [ids[i] for i in gate.inputs], gate.least, gate.weights)
    net = Net(names, tuple(builder.nodes), ids[top], True)
    while True:
        size = len(net.nodes)
        net = _group(_flatten(net))
        if len(net.nodes) >= size:
            break
    return Net(net.names, net.nodes, net.top, all(node.op in MONOTONE for node in net.nodes))


class _Builder:
    """Makes nodes in their simplest form: constants folded, repeats merged, equal nodes made once."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.nodes: list[Node] = []
        self.known: dict[tuple[object, ...], int] = {}

    def make(
        self, op: str, args: Sequence[int], least: Fraction = Fraction(0), weights: Sequence[Fraction] = ()
    ) -> int:
        match op:
            case "true":
                return TRUE
            case "false":
                return FALSE
            case "and" | "or":
                return self._joined(op, args)
            case "atleast":
                return self._threshold(args, least, [Fraction(1)] * len(args))
            case "threshold":
                return self._threshold(args, least, weights)
            case "not":
                return self._not(args[0])
            case _:
                return self._xor(args)

    def _add(self, node: Node, key: tuple[object, ...]) -> int:
        if key not in self.known:
            self.known[key] = self.events + len(self.nodes)
            self.nodes.append(node)
        return self.known[key]

    def _joined(self, op: str, args: Iterable[int]) -> int:
        neutral, absorbing = (TRUE, FALSE) if op == "and" else (FALSE, TRUE)
        kept = tuple(dict.fromkeys(a for a in args if a != neutral))
        if absorbing in kept:
            return absorbing
        if not kept:
            return neutral
        if len(kept) == 1:
            return kept[0]
        return self._add(Node(op, kept), (op, frozenset(kept)))

    def _threshold(self, args: Sequence[int], least: Fraction, weights: Sequence[Fraction]) -> int:
        total: dict[int, Fraction] = defaultdict(Fraction)
        for arg, weight in zip(args, weights, strict=True):
            if arg == TRUE:
                least -= weight
            elif arg != FALSE and weight > 0:
                total[arg] += weight
        if least <= 0:
            return TRUE
        if sum(total.values()) < least:
            return FALSE
        kept = tuple(total)
        each = {min(weight, least) for weight in total.values()}
        if len(each) == 1:
            needed = -(-least // each.pop())
            if needed == 1 or needed == len(kept):
                return self._joined("or" if needed == 1 else "and", kept)
            return self._add(Node("atleast", kept, Fraction(needed)), ("atleast", frozenset(kept), needed))
        values = tuple(min(total[arg], least) for arg in kept)
        return self._add(
            Node("threshold", kept, least, values), ("threshold", frozenset(zip(kept, values, strict=True)), least)
        )

    def _not(self, arg: int) -> int:
        if arg in (TRUE, FALSE):
            return TRUE if arg == FALSE else FALSE
        if arg >= self.events and self.nodes[arg - self.events].op == "not":
            return self.nodes[arg - self.events].args[0]
        return self._add(Node("not", (arg,)), ("not", arg))

    def _xor(self, args: Sequence[int]) -> int:
        odd: dict[int, bool] = defaultdict(bool)
        flip = False
        for arg in args:
            if arg == TRUE:
                flip = not flip
            elif arg != FALSE:
                odd[arg] = not odd[arg]
        kept = tuple(arg for arg, is_odd in odd.items() if is_odd)
        if not kept:
            return TRUE if flip else FALSE
        node = kept[0] if len(kept) == 1 else self._add(Node("xor", kept), ("xor", frozenset(kept)))
        return self._not(node) if flip else node


def below(net: Net) -> list[int]:
    """Return the ids of the gates that the top reaches, inputs before users."""
    if net.top < len(net.names):
        return []
    seen = {net.top}
    stack = [net.top]
    while stack:
        for arg in net.node(stack.pop()).args:
            if arg >= len(net.names) and arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return sorted(seen)  # an input always has a smaller id than its user


def _parents(net: Net) -> dict[int, list[int]]:
    parents: dict[int, list[int]] = defaultdict(list)
    for index in below(net):
        for arg in net.node(index).args:
            parents[arg].append(index)
    return parents


def _flatten(net: Net) -> Net:
    """Merge an AND under a single AND, and an OR under a single OR."""
    parents = _parents(net)
    builder = _Builder(len(net.names))
    new = {index: index for index in (TRUE, FALSE, *range(len(net.names)))}
    merged: dict[int, list[int]] = {}
    for index in below(net):
        node = net.node(index)
        if node.op in ("and", "or"):
            args = [part for arg in node.args for part in merged.get(arg, [new.get(arg, arg)])]
            users = parents[index]
            if index != net.top and len(users) == 1 and net.node(users[0]).op == node.op:
                merged[index] = args
                continue
            new[index] = builder.make(node.op, args)
        else:
            new[index] = builder.make(node.op, [new[arg] for arg in node.args], node.least, node.weights)
    return Net(net.names, tuple(builder.nodes), new[net.top], net.monotone)


def _group(net: Net) -> Net:
    """Put inputs that only ever appear together, under gates of one kind, into a gate of their own: it becomes a
    module.
    """
    together: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for arg, users in _parents(net).items():
        if all(net.node(user).op == net.node(users[0]).op for user in users) and net.node(users[0]).op in ("and", "or"):
            together[tuple(users)].append(arg)
    groups = {
        users: sorted(args)
        for users, args in together.items()
        if len(args) > 1 and any(len(net.node(user).args) > len(args) for user in users)
        if len(users) > 1 or all(arg < len(net.names) for arg in args)
    }
    if not groups:
        return net
    leader = {arg: users for users, args in groups.items() for arg in args}
    builder = _Builder(len(net.names))
    new = {index: index for index in (TRUE, FALSE, *range(len(net.names)))}
    made: dict[tuple[int, ...], int] = {}
    for index in below(net):
        node = net.node(index)
        args: list[int] = []
        for arg in node.args:
            together_in = leader.get(arg)
            if together_in is None:
                args.append(new[arg])
                continue
            if together_in not in made:
                made[together_in] = builder.make(node.op, [new[a] for a in groups[together_in]])
            args.append(made[together_in])
        new[index] = builder.make(node.op, args, node.least, node.weights)
    return Net(net.names, tuple(builder.nodes), new[net.top], net.monotone)


def modules(net: Net) -> list[Module]:
    """Return the independent modules of the net, inner ones first, the top last (Dutuit and Rauzy, IEEE Trans. Rel.
    45, 1996).

    A gate is a module when every visit of a depth-first walk to what lies below it falls between the first and the last
    visit to itself. Only monotone gates become modules of their own.
    """
    events = len(net.names)
    if net.top < events:
        return []
    first: dict[int, int] = {}
    second: dict[int, int] = {}
    last: dict[int, int] = {}
    clock = 0
    stack: list[tuple[int, bool]] = [(net.top, False)]
    while stack:
        index, leaving = stack.pop()
        clock += 1
        last[index] = clock
        if leaving:
            second[index] = clock
            continue
        if index in first:
            continue
        first[index] = clock
        if index >= events:
            stack.append((index, True))
            stack.extend((arg, False) for arg in reversed(net.node(index).args))
    gates = below(net)
    low: dict[int, int] = {}
    high: dict[int, int] = {}
    pure: dict[int, bool] = {}
    for index in gates:
        args = net.node(index).args
        low[index] = min(min(first[a], low.get(a, first[a])) for a in args)
        high[index] = max(max(last[a], high.get(a, last[a])) for a in args)
        pure[index] = net.node(index).op in MONOTONE and all(pure.get(a, True) for a in args)
    heads = {i for i in gates if i == net.top or (pure[i] and low[i] > first[i] and high[i] < second[i])}
    result = []
    for head in (index for index in gates if index in heads):
        inner: set[int] = {head}
        leaves: set[int] = set()
        todo = [head]
        while todo:
            for arg in net.node(todo.pop()).args:
                if arg < events or arg in heads:
                    leaves.add(arg)
                elif arg not in inner:
                    inner.add(arg)
                    todo.append(arg)
        result.append(Module(head, tuple(sorted(inner)), tuple(sorted(leaves))))
    return result


def evaluate(net: Net, failed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return whether the top fails, for each row of `failed` (cases x events, in the order of `net.names`); exact."""
    count = failed.shape[0]
    if net.top < 0:
        return np.full(count, net.top == TRUE)
    state: dict[int, npt.NDArray[np.bool_]] = {i: failed[:, i] for i in range(len(net.names))}
    for index in below(net):
        node = net.node(index)
        parts = [state[arg] for arg in node.args]
        match node.op:
            case "and":
                state[index] = np.logical_and.reduce(parts)
            case "or":
                state[index] = np.logical_or.reduce(parts)
            case "not":
                state[index] = ~parts[0]
            case "xor":
                state[index] = np.logical_xor.reduce(parts)
            case _:
                weights, least = whole_weights(node)
                kind = np.int64 if sum(weights) < 2**62 else object
                total = np.zeros(count, dtype=kind)
                for part, weight in zip(parts, weights, strict=True):
                    total += part.astype(kind) * weight
                state[index] = (total >= least).astype(bool)
    return state[net.top]


def whole_weights(node: Node) -> tuple[list[int], int]:
    """Return the weights and the least sum of an at-least or threshold node as whole numbers in the same proportion."""
    weights = node.weights or (Fraction(1),) * len(node.args)
    scale = lcm(node.least.denominator, *(weight.denominator for weight in weights))
    return [int(weight * scale) for weight in weights], int(node.least * scale)
