"""Scenario files: read from TOML, put together, checked as one, all faults at once; and the presets.

title = "Korea joins"
question = "..."
sources = ["korea-2026"]
assumes = ["..."]
extends = ["w1-in-force"]
on = 2026-11-01

[parameters.part]
value = 0.5
range = [0.2, 1.0]
unit = "fraction"
why = "..."

[[action]]
do = "outage"
sites = ["TWN"]
part = "$part"

[assumptions]
"resourcing.outbid" = 0.3

[policy.caps]
supplier = 0.5
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, Strict, TypeAdapter, ValidationError, model_validator

from supplychain.errors import InputError, Problems, UsageError
from supplychain.facts.tomlfile import parse_toml, read_toml
from supplychain.locate import models
from supplychain.sourcing.policy import Policy, policy_from
from supplychain.whatif.actions import MODELS, Action, AnyAction, Day, Name, Names

_WHAT = "a scenario"
_DEEPEST = 8  # files that extend one another
_SPARED = ("policy",)  # left out of a record when empty
# Parts of a sourcing policy that a scenario may set: what the buyer accepts, not how plans are made or costed.
LIMITS: Final = ("caps", "sources", "control", "licences", "secure", "budget", "stock", "contract")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*")
_ACTION: TypeAdapter[Action] = TypeAdapter(AnyAction)
Real = Annotated[float, Strict()]  # a number, not a text or a truth value that reads like one
Probability = Annotated[float, Strict(), Field(ge=0, le=1)]


class Parameter(BaseModel):
    """A number of the scenario that a sweep may vary within ``range``; actions refer to it as "$name"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: Annotated[float, Strict(), Field(allow_inf_nan=False)]
    range: Annotated[tuple[Real, ...], Field(min_length=2, max_length=2)]
    unit: Name
    why: Name
    source: Name = "none"

    @model_validator(mode="after")
    def _inside(self) -> Parameter:
        if not all(map(math.isfinite, self.range)) or not self.range[0] <= self.value <= self.range[1]:
            raise ValueError(f"value {self.value:g} lies outside range {self.range[0]:g} to {self.range[1]:g}")
        return self


class _File(BaseModel):
    """A scenario file as written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Name
    question: Annotated[str, Field(max_length=2000)] = ""
    sources: Names = ()
    assumes: tuple[str, ...] = ()
    extends: Names = ()
    on: Day | None = None
    probability: Probability | None = None
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    assumptions: dict[str, Real | str] = Field(default_factory=dict)
    policy: dict[str, dict[str, Any]] = Field(default_factory=dict)
    action: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A checked scenario: its actions in canonical order, whatever their order in the file.

    ``raw`` are the actions as written, with "$parameters"; ``actions`` those of the parameters' present values.
    ``policy`` are limits laid over the sourcing policy, by dotted key ("caps.supplier").
    """

    name: str
    title: str
    question: str = ""
    sources: tuple[str, ...] = ()
    assumes: tuple[str, ...] = ()
    on: date | None = None
    probability: float | None = None
    parameters: Mapping[str, Parameter] | None = None
    assumptions: Mapping[str, float | str] | None = None
    policy: Mapping[str, Any] | None = None
    raw: tuple[Mapping[str, Any], ...] = ()
    hashes: Mapping[str, str] | None = None

    @classmethod
    def empty(cls, name: str = "baseline") -> Scenario:
        """Return the scenario that changes nothing."""
        return cls(name, "Baseline")

    @cached_property
    def actions(self) -> tuple[Action, ...]:
        """The actions in canonical order, doubles left out."""
        values = {name: parameter.value for name, parameter in (self.parameters or {}).items()}
        made = [_ACTION.validate_python(_filled(action, values)) for action in self.raw]
        return canonical(made)

    @property
    def values(self) -> dict[str, float]:
        """The present values of the parameters."""
        return {name: parameter.value for name, parameter in sorted((self.parameters or {}).items())}

    @property
    def record(self) -> dict[str, Any]:
        """The scenario as the keys of a file, days as texts, with everything it extends put in."""
        policy: dict[str, dict[str, Any]] = {}
        for key, value in sorted((self.policy or {}).items()):
            part, _, name = key.partition(".")
            policy.setdefault(part, {})[name] = value
        record: dict[str, Any] = {
            "title": self.title,
            "question": self.question,
            "sources": list(self.sources),
            "assumes": list(self.assumes),
            "on": None if self.on is None else self.on.isoformat(),
            "probability": self.probability,
            "parameters": {name: p.model_dump(mode="json") for name, p in sorted((self.parameters or {}).items())},
            "assumptions": dict(sorted((self.assumptions or {}).items())),
            "policy": policy,
            "action": [plain(action) for action in self.raw],
        }
        return {key: value for key, value in record.items() if value is not None and (value or key not in _SPARED)}

    def limited(self, policy: Policy) -> Policy:
        """Return a sourcing policy with the scenario's limits over it; InputError when they contradict it."""
        return policy.with_(**self.policy) if self.policy else policy

    def with_values(self, values: Mapping[str, float]) -> Scenario:
        """Return the scenario with other values of its parameters; UsageError for an unknown name."""
        known = dict(self.parameters or {})
        for name, value in values.items():
            if name not in known:
                raise UsageError(f"scenario {self.name} has no parameter {name!r}{_near(name, known)}")
            low, high = known[name].range
            widened = (min(low, value), max(high, value))
            known[name] = known[name].model_copy(update={"value": float(value), "range": widened})
        return _checked(replace(self, parameters=known))


def canonical(actions: Sequence[Action]) -> tuple[Action, ...]:
    """Return the actions in the order in which they are applied; saying the same thing twice changes nothing."""
    once = {action.words: action for action in actions}
    return tuple(sorted(once.values(), key=lambda action: (action.order, str(action.start or ""), action.words)))


def presets() -> tuple[str, ...]:
    """Names of the bundled scenarios, sorted."""
    return tuple(sorted(path.stem for path in (models() / "scenarios").glob("*.toml")))


def load_scenario(name: str | Path) -> Scenario:
    """Read a bundled scenario by name, or a scenario file by path.

    Raises UsageError for a name that is neither, InputError with every fault of the file and of those it extends.
    """
    path = _find(str(name), None)
    problems = Problems()
    scenario = _read(path, problems, ())
    problems.raise_if_any()
    assert scenario is not None
    return _checked(scenario)


def scenario_from(record: Mapping[str, Any], name: str = "scenario") -> Scenario:
    """Return the scenario of a record with the keys of a file. Raises InputError with every fault."""
    problems = Problems()
    scenario = _built(dict(record), name, f"{name}.toml", problems, None, (), "")
    problems.raise_if_any()
    assert scenario is not None
    return _checked(scenario)


def scenario_from_text(data: bytes, name: str = "scenario") -> Scenario:
    """Return the scenario that a file's bytes hold, as `load_scenario` does of the file; for what comes without one.

    It may extend bundled scenarios only. Raises InputError with every fault.
    """
    file = f"{name}.toml"
    record, digest = parse_toml(data, file, _WHAT)
    problems = Problems()
    extends = record.get("extends")
    for other in extends if isinstance(extends, list) else ():
        if other not in presets():
            problems.add("scenario-extends", "a scenario without a folder may extend bundled scenarios only",
                         "put the actions into this file", file=file, column="extends", value=str(other))  # fmt: skip
    if problems.errors:
        record = {key: value for key, value in record.items() if key != "extends"}
    scenario = _built(record, name, file, problems, None, (name,), digest)
    problems.raise_if_any()
    assert scenario is not None
    return _checked(scenario)


def _find(name: str, beside: Path | None) -> Path:
    folder = models() / "scenarios"
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        for place in (beside, folder):
            if place is not None and (place / f"{name}.toml").is_file():
                return place / f"{name}.toml"
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    raise UsageError(
        f"no scenario {name!r}{_near(name, presets())}; `supplychain whatif --list` tells the bundled ones, or name a "
        "TOML file"
    )


def _read(path: Path, problems: Problems, chain: tuple[str, ...]) -> Scenario | None:
    record, digest = read_toml(path, _WHAT)
    return _built(record, path.stem, path.name, problems, path.parent, (*chain, path.stem), digest)


def _built(
    record: dict[str, Any],
    name: str,
    file: str,
    problems: Problems,
    folder: Path | None,
    chain: tuple[str, ...],
    digest: str,
) -> Scenario | None:
    """Check one file, read those it extends, and put them together; None when something in it is wrong."""
    before = len(problems.errors)
    try:
        given = _File.model_validate(record)
    except ValidationError as error:
        for fault in error.errors():
            _report(problems, file, fault, sorted(_File.model_fields), "")
        given = None
    for parameter in given.parameters if given else ():
        if not _PARAMETER.fullmatch(parameter):
            problems.add("scenario-parameter", "a parameter's name has small letters, digits and _",
                         "rename it", file=file, column="parameters", value=parameter)  # fmt: skip
    under: list[Scenario] = []
    for other in given.extends if given else ():
        try:
            path = _find(other, folder)
        except UsageError as error:
            problems.add("scenario-extends", "a scenario extends one that is there", str(error),
                         file=file, column="extends", value=other)  # fmt: skip
            continue
        if path.stem in chain or len(chain) > _DEEPEST:
            problems.add("scenario-extends", "scenarios may not extend one another in a circle",
                         "take one of them out", file=file, column="extends", value=other)  # fmt: skip
            continue
        found = _read(path, problems, chain)
        if found is not None:
            under.append(found)
    if given is None:
        _check_actions(record, file, problems)
        return None
    _check_policy(given.policy, file, problems)
    merged = _merge(name, given, under, file, digest, problems)
    values = merged.values
    for at, action in enumerate(given.action):
        _check_action(action, values, file, at, problems)
    return merged if len(problems.errors) == before else None


def _merge(name: str, given: _File, under: Sequence[Scenario], file: str, digest: str, problems: Problems) -> Scenario:
    """Lay a file over those it extends; what two of them set differently must be settled by the file itself."""
    parameters: dict[str, Parameter] = {}
    assumptions: dict[str, float | str] = {}
    policy: dict[str, Any] = {}
    limits = {f"{part}.{key}": value for part, table in given.policy.items() for key, value in table.items()}
    for other in under:
        _lay(parameters, other.parameters or {}, given.parameters, file, problems)
        _lay(assumptions, other.assumptions or {}, given.assumptions, file, problems)
        _lay(policy, other.policy or {}, limits, file, problems)
    days = sorted({other.on for other in under if other.on is not None})
    if len(days) > 1 and given.on is None:
        problems.add("scenario-contradiction", "extended scenarios speak of different days",
                     "set `on` in this file", file=file, column="on", value=", ".join(map(str, days)))  # fmt: skip
    hashes = {key: value for other in under for key, value in (other.hashes or {}).items()}
    raw: list[Mapping[str, Any]] = []
    for action in (*(action for other in under for action in other.raw), *given.action):
        if action not in raw or action.get("do") not in MODELS:
            raw.append(action)
    return Scenario(
        name=name,
        title=given.title,
        question=given.question,
        sources=tuple(dict.fromkeys((*(s for other in under for s in other.sources), *given.sources))),
        assumes=tuple(dict.fromkeys((*(s for other in under for s in other.assumes), *given.assumes))),
        on=given.on or (days[-1] if days else None),
        probability=given.probability,
        parameters={**parameters, **given.parameters},
        assumptions={**assumptions, **given.assumptions},
        policy={**policy, **limits},
        raw=tuple(raw),
        hashes={**hashes, **({file: digest} if digest else {})},
    )


def _check_policy(parts: Mapping[str, Mapping[str, Any]], file: str, problems: Problems) -> None:
    """Check limits on the plan as a policy file's are checked."""
    for part in sorted(set(parts) - set(LIMITS)):
        near = difflib.get_close_matches(part, LIMITS, n=1, cutoff=0.3)
        cure = f"did you mean {near[0]}?" if near else f"known parts: {', '.join(LIMITS)}"
        problems.add("scenario-policy", "a scenario may limit the plan, not change how it is made", cure,
                     file=file, column="policy", value=part)  # fmt: skip
    try:
        policy_from({"name": "scenario", **{part: dict(parts[part]) for part in parts if part in LIMITS}})
    except InputError as error:
        for fault in error.problems:
            problems.add(fault.code, fault.rule, fault.cure, file=file, column=f"policy.{fault.column}",
                         value=fault.value)  # fmt: skip


def _lay(known: dict[str, Any], more: Mapping[str, Any], own: Mapping[str, Any], file: str, problems: Problems) -> None:
    for key, value in more.items():
        if key in known and known[key] != value and key not in own:
            problems.add(
                "scenario-contradiction",
                f"two extended scenarios set {key} differently",
                "set it in this file",
                file=file,
                column="extends",
                value=key,
            )
        known[key] = value


def _check_actions(record: Mapping[str, Any], file: str, problems: Problems) -> None:
    """Check the actions of a file whose head is wrong as far as they can be read, so that all faults come at once."""
    tables = record.get("parameters")
    given = tables.items() if isinstance(tables, dict) else ()
    values = {name: table.get("value", 1.0) for name, table in given if isinstance(table, dict)}
    actions = record.get("action")
    for at, action in enumerate(actions if isinstance(actions, list) else ()):
        if isinstance(action, dict):
            _check_action(action, values, file, at, problems)


def _check_action(raw: Mapping[str, Any], values: Mapping[str, float], file: str, at: int, problems: Problems) -> None:
    place = f"action {at + 1}"
    kind = raw.get("do")
    if not isinstance(kind, str) or kind not in MODELS:
        cure = f"did you mean {near[0]}?" if (near := difflib.get_close_matches(str(kind), MODELS, n=1)) else ""
        problems.add("scenario-action", f"do is one of {', '.join(MODELS)}", cure or "choose one",
                     file=file, column=f"{place}.do", value=str(kind))  # fmt: skip
        return
    for name in sorted(_referred(raw)):
        if name not in values:
            problems.add("scenario-parameter", f"there is no parameter {name!r}{_near(name, values)}",
                         f"add [parameters.{name}]", file=file, column=place, value=f"${name}")  # fmt: skip
            return
    try:
        _ACTION.validate_python(_filled(raw, values))
    except ValidationError as error:
        fields = MODELS[kind].model_fields
        known = sorted(field.alias or key for key, field in fields.items())
        for fault in error.errors():
            _report(problems, file, fault, known, f"{place} ({kind})")


def _report(problems: Problems, file: str, fault: Any, known: Sequence[str], place: str) -> None:
    steps = [str(step) for step in fault["loc"]]
    if place and steps and steps[0] in MODELS:
        steps = steps[1:]
    column = ".".join([place, *steps]) if place else ".".join(steps)
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(steps[-1], known, n=1, cutoff=0.3)
        cure = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        problems.add("scenario-key", "unknown key", cure, file=file, column=column, value=steps[-1])
        return
    told = fault["msg"].removeprefix("Value error, ")
    given = "" if isinstance(fault.get("input"), dict) else fault.get("input", "")
    problems.add("scenario-value", told, file=file, column=column, value=given)


def plain(value: Any) -> Any:
    """Return a part of a record as JSON and TOML both hold it: lists, tables, texts, numbers; days as texts."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value.isoformat() if isinstance(value, date) else value


def _referred(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value[1:]} if value.startswith("$") else set()
    if isinstance(value, Mapping):
        return {name for part in value.values() for name in _referred(part)}
    if isinstance(value, (list, tuple)):
        return {name for part in value for name in _referred(part)}
    return set()


def _filled(value: Any, values: Mapping[str, float]) -> Any:
    if isinstance(value, str) and value.startswith("$"):
        return values[value[1:]]
    if isinstance(value, Mapping):
        return {key: _filled(part, values) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(part, values) for part in value]
    return value


def _checked(scenario: Scenario) -> Scenario:
    """Refuse actions that contradict one another, parameters that no action uses, and ends of a range that break an
    action's rule."""
    problems = Problems()
    file = f"{scenario.name}.toml"
    used = {name for action in scenario.raw for name in _referred(action)}
    for name in sorted(set(scenario.parameters or {}) - used):
        problems.add("scenario-parameter", "every parameter is used by an action as \"$name\"", "use it or take it out",
                     file=file, column="parameters", value=name)  # fmt: skip
    for end in (0, 1):
        values = {name: parameter.range[end] for name, parameter in (scenario.parameters or {}).items()}
        for at, raw in enumerate(scenario.raw):
            if _referred(raw) and not problems.errors:
                _check_action(raw, values, file, at, problems)
    problems.raise_if_any()
    said: dict[tuple[str, ...], Action] = {}
    for action in scenario.actions:
        for claim in action.claims:
            other = said.setdefault(claim, action)
            if other.words != action.words:
                problems.add(
                    "scenario-contradiction",
                    f"two actions say different things about {' '.join(claim)}",
                    "keep one of them",
                    file=file,
                    column="action",
                    value=f"{other.words} | {action.words}",
                )
    for claim, action in said.items():
        joined = said.get(("join", *claim[1:])) if claim[0] == "leave" else None
        if joined is not None and (action.start or date.min) < (joined.start or date.min):
            problems.add("scenario-contradiction", f"{claim[2]} leaves {claim[1]} before it joins",
                         "change a day", file=file, column="action", value=action.words)  # fmt: skip
    problems.raise_if_any()
    return scenario


def _near(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else ""
