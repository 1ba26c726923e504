"""Fault trees in the Open-PSA Model Exchange Format (MEF 2.0d, 2017), in and out.

Read: any number of fault trees and components, gates in any order, nested formulas, house events and constants, events
defined in the tree or in the model data, labels and attributes, any namespace. Event trees, common-cause groups and
probability models are not part of a cut set: they are passed over, common-cause groups with a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from xml.sax.saxutils import escape, quoteattr

from supplychain.analysis.gates import Gate, check, roots
from supplychain.errors import EnvironmentFault, InputError, Problem, Problems, shown

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

REFERENCES = ("gate", "basic-event", "house-event", "event")
CONNECTIVES = ("and", "or", "not", "xor", "iff", "imply", "nand", "nor", "atleast", "cardinality")
ASIDE = ("label", "attributes")


@dataclass(frozen=True)
class FaultTree:
    """Gates and events by name; `tops` are the gates that nothing else uses; `probabilities` where the file gives a
    number.
    """

    name: str
    gates: Mapping[str, Gate]
    tops: tuple[str, ...]
    probabilities: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()


def read_open_psa(path: Path) -> FaultTree:
    """Read an Open-PSA file. Raises InputError with every fault found, or EnvironmentFault when it cannot be opened."""
    from defusedxml.ElementTree import fromstring

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise EnvironmentFault(f"cannot read {path}: {error.strerror or error}") from error
    try:
        root = fromstring(data, forbid_dtd=False)
    except (SyntaxError, ValueError, LookupError) as error:  # ParseError, forbidden entities, unknown encoding
        rule = "the file must be well-formed XML without entities of its own"
        raise InputError([Problem("xml", file=str(path), value=shown(error), rule=rule)]) from None
    return _Reader(str(path)).read(root)


def _tag(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""  # comments and instructions have no text tag


def _children(element: Element) -> list[Element]:
    return [child for child in element if _tag(child) and _tag(child) not in ASIDE]


class _Reader:
    """One pass that collects definitions by full name, one that resolves what formulas refer to."""

    def __init__(self, file: str) -> None:
        self.problems = Problems()
        self.file = file
        self.trees: list[str] = []
        self.defined: dict[str, tuple[str, Element, tuple[str, ...]]] = {}  # full name -> kind, element, scope
        self.public: dict[str, str] = {}
        self.gates: dict[str, Gate] = {}

    def fault(self, rule: str, value: object = "", cure: str = "") -> None:
        self.problems.add("open-psa", rule, cure, file=self.file, value=value)

    def read(self, root: Element) -> FaultTree:
        if _tag(root) != "opsa-mef":
            self.fault("the root element must be opsa-mef", _tag(root), "is this an Open-PSA file?")
            self.problems.raise_if_any()
        self.collect(root)
        if not any(kind == "gate" for kind, _, _ in self.defined.values()):
            self.fault("the file must define at least one gate", cure="define-fault-tree with define-gate elements")
        probabilities = {}
        for name, (kind, element, scope) in self.defined.items():
            if kind == "gate":
                self.define_gate(name, element, scope)
            elif kind == "house":
                self.gates[name] = Gate(self.house_state(name, element))
            else:
                number = self.probability(element)
                if number is not None:
                    probabilities[name] = number
        self.problems.raise_if_any()
        check(self.gates)
        tops = tuple(name for name in roots(self.gates) if self.defined.get(name, ("", None, ()))[0] == "gate")
        name = self.trees[0] if self.trees else ""
        return FaultTree(name, self.gates, tops or self.loop(), probabilities, self.problems.warnings)

    def loop(self) -> NoReturn:
        from supplychain.analysis.gates import ordered

        for name in self.gates:
            ordered(self.gates, name)  # raises with the loop that leaves no gate unused
        raise InputError([Problem("open-psa", file=self.file, rule="the file must have a top gate")])

    def collect(self, root: Element) -> None:
        kinds = {"define-gate": "gate", "define-basic-event": "basic", "define-house-event": "house"}
        todo: list[tuple[Element, tuple[str, ...], bool]] = [(root, (), False)]
        while todo:
            element, scope, private = todo.pop()
            inner = []
            for child in _children(element):
                tag, name = _tag(child), (child.get("name") or "").strip()
                role = child.get("role")
                hidden = role == "private" or (private and role != "public")
                if tag in ("define-fault-tree", "define-component"):
                    if tag == "define-fault-tree":
                        self.trees.append(name)
                    inner.append((child, (*scope, name), hidden))
                elif tag == "model-data":
                    inner.append((child, (), False))
                elif tag in kinds:
                    self.define(kinds[tag], name, child, scope, hidden)
                elif tag == "define-CCF-group":
                    rule = "a common-cause group is not expanded: its events count as independent"
                    self.problems.warn("open-psa-ccf", rule, file=self.file, value=name)
                elif tag == "include":
                    self.fault("includes are not followed", child.get("file", ""), "merge the files into one")
            todo.extend(reversed(inner))

    def define(self, kind: str, name: str, element: Element, scope: tuple[str, ...], hidden: bool) -> None:
        full = ".".join((*scope, name)) if hidden else name
        if not name:
            self.fault(f"every {_tag(element)} needs a name")
        elif full in self.defined:
            if kind == "basic" == self.defined[full][0] and not _children(element):
                return  # declared in the tree, given its number in the model data
            if kind == "basic" == self.defined[full][0] and not _children(self.defined[full][1]):
                self.defined[full] = (kind, element, scope)
                return
            self.fault("a name must be defined once", full)
        else:
            self.defined[full] = (kind, element, scope)
            self.public[".".join((*scope, name))] = full

    def resolve(self, name: str, kind: str, scope: tuple[str, ...]) -> str:
        """Return the full name that `name` means inside `scope`: the nearest definition outwards."""
        for depth in range(len(scope), -1, -1):
            path = ".".join((*scope[:depth], name))
            if path in self.public:
                return self.public[path]
        if name in self.defined:
            return name
        if kind in ("gate", "house-event"):
            self.fault(f"the {kind} that a formula names must be defined", name)
        return name

    def define_gate(self, name: str, element: Element, scope: tuple[str, ...]) -> None:
        body = _children(element)
        if len(body) != 1:
            self.fault("a gate must hold exactly one formula", name)
            return
        part = self.formula(body[0], name, scope)
        own = part.startswith(f"{name}\0") and part in self.gates
        self.gates[name] = self.gates.pop(part) if own else Gate("or", (part,))

    def formula(self, element: Element, owner: str, scope: tuple[str, ...]) -> str:
        """Return the name of what the formula stands for; nested connectives become gates of their own.

        An explicit stack, so that a file nested a hundred thousand deep is read like any other.
        """
        made: dict[int, str] = {}
        stack = [(element, False)]
        number = 0
        while stack:
            current, ready = stack.pop()
            tag = _tag(current)
            if tag in REFERENCES:
                made[id(current)] = self.reference(current, scope)
            elif tag == "constant":
                number += 1
                made[id(current)] = key = f"{owner}\0{number}"
                self.gates[key] = Gate("true" if current.get("value", "").lower() == "true" else "false")
            elif tag not in CONNECTIVES:
                self.fault("a formula must be built of Open-PSA connectives", tag, ", ".join(CONNECTIVES))
                made[id(current)] = ""
            elif not ready:
                stack.append((current, True))
                stack.extend((child, False) for child in _children(current))
            else:
                number += 1
                made[id(current)] = key = f"{owner}\0{number}"
                self.connect(key, current, tag, tuple(made[id(child)] for child in _children(current)))
        return made[id(element)]

    def reference(self, element: Element, scope: tuple[str, ...]) -> str:
        name, kind = (element.get("name") or "").strip(), _tag(element)
        kind = element.get("type", kind) if kind == "event" else kind
        if not name:
            self.fault("every event in a formula needs a name")
        return self.resolve(name, kind, scope)

    def connect(self, key: str, element: Element, tag: str, inputs: tuple[str, ...]) -> None:
        if not inputs:
            self.fault("a connective needs at least one input", key.partition("\0")[0])
            return
        inner = f"{key}+"
        match tag:
            case "atleast":
                self.gates[key] = Gate("atleast", inputs, self.count(element, "min", key))
            case "cardinality":
                self.gates[inner] = Gate("atleast", inputs, self.count(element, "max", key) + 1)
                self.gates[f"{inner}!"] = Gate("not", (inner,))
                self.gates[f"{key}-"] = Gate("atleast", inputs, self.count(element, "min", key))
                self.gates[key] = Gate("and", (f"{key}-", f"{inner}!"))
            case "nand" | "nor" | "iff":
                self.gates[inner] = Gate({"nand": "and", "nor": "or", "iff": "xor"}[tag], inputs)
                self.gates[key] = Gate("not", (inner,))
            case "imply":
                self.gates[inner] = Gate("not", inputs[:1])
                self.gates[key] = Gate("or", (inner, *inputs[1:]))
            case "not" if len(inputs) != 1:
                self.fault("'not' takes exactly one input", key.partition("\0")[0])
            case _:
                self.gates[key] = Gate(tag, inputs)

    def count(self, element: Element, attribute: str, key: str) -> Fraction:
        text = element.get(attribute, "")
        if not text.strip().isdecimal():
            self.fault(f"{_tag(element)} needs a whole number {attribute}", f"{key.partition(chr(0))[0]}: {text}")
            return Fraction(1)
        return Fraction(int(text))

    def house_state(self, name: str, element: Element) -> str:
        constants = [child for child in _children(element) if _tag(child) == "constant"]
        value = constants[0].get("value", "").strip().lower() if constants else "false"
        if value not in ("true", "false"):
            self.fault("a house event must be true or false", f"{name}: {value}")
        return "true" if value == "true" else "false"

    def probability(self, element: Element) -> float | None:
        numbers = [child for child in _children(element) if _tag(child) in ("float", "int")]
        if len(numbers) != 1:
            return None
        try:
            return float(numbers[0].get("value", ""))
        except ValueError:
            self.fault("a probability must be a number", f"{element.get('name')}: {numbers[0].get('value')}")
            return None


def open_psa(tree: FaultTree, labels: Mapping[str, str] | None = None) -> str:
    """Return the tree as Open-PSA text. A threshold gate is written as nested formulas that mean the same.

    `labels` adds readable names. Events without a probability get none: they are declared bare.
    """
    names = labels or {}
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<opsa-mef>"]
    lines.append(f"  <define-fault-tree name={quoteattr(_identifier(tree.name or 'tree'))}>")
    events: dict[str, None] = {}
    plain = _plain_gates(tree.gates)
    for name, gate in plain.items():
        lines.append(f"    <define-gate name={_attribute(name)}>")
        if name in names:
            lines.append(f"      <label>{escape(names[name])}</label>")
        if gate.op in ("true", "false"):
            lines.append(f'      <constant value="{gate.op}"/>')
        else:
            least = f' min="{int(gate.least)}"' if gate.op == "atleast" else ""
            lines.append(f"      <{gate.op}{least}>")
            lines += [
                f"        <{'gate' if part in plain else 'basic-event'} name={_attribute(part)}/>"
                for part in gate.inputs
            ]
            lines.append(f"      </{gate.op}>")
            events |= dict.fromkeys(part for part in gate.inputs if part not in plain)
        lines.append("    </define-gate>")
    lines += ["  </define-fault-tree>", "  <model-data>"]
    for name in sorted(events):
        label = f"<label>{escape(names[name])}</label>" if name in names else ""
        number = f'<float value="{tree.probabilities[name]!r}"/>' if name in tree.probabilities else ""
        lines.append(f"    <define-basic-event name={_attribute(name)}>{label}{number}</define-basic-event>")
    lines += ["  </model-data>", "</opsa-mef>", ""]
    return "\n".join(lines)


def _attribute(name: str) -> str:
    """Return the quoted name; the mark of a gate made for a nested formula becomes a printable one."""
    return quoteattr(name.replace("\0", "#"))


def _identifier(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)


def _plain_gates(gates: Mapping[str, Gate]) -> dict[str, Gate]:
    """Return the gates with each threshold gate spelt out as a decision over its inputs, largest weight first."""
    plain: dict[str, Gate] = {}
    for name, gate in gates.items():
        if gate.op != "threshold":
            plain[name] = gate
            continue
        ranked = sorted(zip(gate.inputs, gate.weights, strict=True), key=lambda pair: (-pair[1], pair[0]))
        _decide(plain, name, ranked, gate.least)
    return plain


def _decide(plain: dict[str, Gate], name: str, ranked: list[tuple[str, Fraction]], least: Fraction) -> None:
    """Add gates that say "weights of failed inputs reach `least`": take the next input or do without it."""
    made: dict[tuple[int, Fraction], str] = {(0, least): name}
    todo = [(0, least)]
    rest = [Fraction(0)]
    for _, weight in reversed(ranked):
        rest.append(rest[-1] + weight)
    rest.reverse()

    def state(place: int, need: Fraction) -> str | bool:
        if need <= 0 or need > rest[place]:
            return need <= 0
        if (place, need) not in made:
            made[place, need] = f"{name}~{len(made)}"
            todo.append((place, need))
        return made[place, need]

    while todo:
        place, need = todo.pop()
        event, weight = ranked[place]
        key = made[place, need]
        taken, skipped = state(place + 1, need - weight), state(place + 1, need)
        if isinstance(taken, str):  # otherwise the event is enough by itself
            plain[f"{key}+"] = Gate("and", (event, taken))
            event = f"{key}+"
        plain[key] = Gate("or", (event, skipped) if isinstance(skipped, str) else (event,))
