"""A draft: the scenario that is being edited. Immutable; written as the very TOML that `supplychain whatif` takes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, Final

from supplychain.errors import UsageError
from supplychain.whatif.actions import Action, Join, Leave
from supplychain.whatif.scenario import Scenario, load_scenario, plain, scenario_from, scenario_from_text

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
UNDOS: Final = 200  # steps that can be undone


@dataclass(frozen=True)
class Draft:
    """A scenario in the making: head, actions as a file writes them (``raw``), assumptions and limits on the plan.

    Every change returns another draft that has been checked like a file: InputError tells what is wrong with it.
    """

    title: str = "Draft"
    name: str = "draft"
    question: str = ""
    sources: tuple[str, ...] = ()
    assumes: tuple[str, ...] = ()
    on: date | None = None
    probability: float | None = None
    parameters: Mapping[str, Mapping[str, Any]] | None = None
    assumptions: Mapping[str, float | str] | None = None
    policy: Mapping[str, Mapping[str, Any]] | None = None  # by part: {"caps": {"supplier": 0.5}}
    raw: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        for name in ("parameters", "assumptions", "policy"):
            object.__setattr__(self, name, plain(getattr(self, name)) or None)
        object.__setattr__(self, "raw", tuple(plain(action) for action in self.raw))

    @classmethod
    def of(cls, scenario: Scenario) -> Draft:
        """Return the draft of a scenario, with everything that it extends put in."""
        record = dict(scenario.record)
        for name in ("sources", "assumes"):
            record[name] = tuple(record[name])
        record["raw"] = tuple(record.pop("action"))
        return cls(**record | {"name": scenario.name, "on": scenario.on})

    @classmethod
    def read(cls, text: str | bytes, name: str = "draft") -> Draft:
        """Read a scenario file's text by the reader of `supplychain whatif`. Raises InputError with every fault."""
        return cls.of(scenario_from_text(text.encode("utf-8") if isinstance(text, str) else text, name))

    @classmethod
    def bundled(cls, name: str) -> Draft:
        """Return a bundled scenario as a draft. Raises UsageError for an unknown name."""
        return cls.of(load_scenario(name))

    @cached_property
    def record(self) -> dict[str, Any]:
        """The keys of a scenario file; what is empty is left out."""
        record: dict[str, Any] = {
            "title": self.title,
            "question": self.question,
            "sources": list(self.sources),
            "assumes": list(self.assumes),
            "on": self.on,
            "probability": self.probability,
            "parameters": {name: dict(row) for name, row in sorted((self.parameters or {}).items())},
            "assumptions": dict(sorted((self.assumptions or {}).items())),
            "policy": {part: dict(sorted(row.items())) for part, row in sorted((self.policy or {}).items()) if row},
            "action": [dict(action) for action in self.raw],
        }
        return {key: value for key, value in record.items() if key == "title" or value not in ("", [], {}, None)}

    @cached_property
    def scenario(self) -> Scenario:
        """The checked scenario. Raises InputError with every fault."""
        return scenario_from(self.record, self.name)

    @cached_property
    def key(self) -> str:
        """What of the draft can change a number: equal keys, equal results, whatever its words and their order."""
        scenario = self.scenario
        actions = [action.words for action in scenario.actions]
        parts = [str(scenario.on), actions, sorted((scenario.assumptions or {}).items())]
        return json.dumps([*parts, sorted((scenario.policy or {}).items())], default=str)

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions in canonical order."""
        return self.scenario.actions

    @property
    def empty(self) -> bool:
        """Does the draft change nothing?"""
        return not (self.raw or self.assumptions or self.policy or self.on)

    def toml(self) -> str:
        """Return the file that `supplychain whatif` takes."""
        return written(self.record)

    def _changed(self, **changes: Any) -> Draft:
        other = replace(self, **changes)
        _ = other.scenario
        return other

    def with_action(self, action: Mapping[str, Any] | Action) -> Draft:
        """Return the draft with one more action, given as the keys of a file's ``[[action]]``."""
        if isinstance(action, Action):
            action = action.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"do": action.do}
        return self._changed(raw=(*self.raw, dict(action)))

    def without(self, position: int) -> Draft:
        """Return the draft without one action (its place in ``raw``), and without parameters that only it used."""
        if not 0 <= position < len(self.raw):
            raise UsageError(f"the draft has no action number {position + 1}")
        raw = self.raw[:position] + self.raw[position + 1 :]
        used = json.dumps([list(map(str, action.values())) for action in raw])
        kept = {name: row for name, row in (self.parameters or {}).items() if f"${name}" in used}
        return self._changed(raw=raw, parameters=kept or None)

    def member(self, regime: str, state: str, member_now: bool) -> bool:
        """Is the state in the regime once the draft holds?"""
        for action in self.actions:
            if isinstance(action, (Join, Leave)) and action.regime == regime and state in action.states:
                member_now = isinstance(action, Join)
        return member_now

    def toggle(self, regime: str, state: str, member_now: bool) -> Draft:
        """Return the draft with one membership switched; ``member_now`` tells how the law has it without the draft.

        Switching twice takes the first switch back, so that it leaves nothing behind.
        """
        raw: list[Mapping[str, Any]] = []
        found = False
        for action in self.raw:
            if action.get("do") in ("join", "leave") and action.get("regime") == regime:
                states = tuple(action.get("states", ()))
                if state in states:
                    found = True
                    others = [name for name in states if name != state]
                    if others:
                        raw.append({**action, "states": others})
                    continue
            raw.append(action)
        if not found:
            raw.append({"do": "leave" if member_now else "join", "regime": regime, "states": [state]})
        return self._changed(raw=tuple(raw))

    def with_assumption(self, name: str, value: float | str | None) -> Draft:
        """Return the draft with another value of an assumption (None: as it was)."""
        known = {key: old for key, old in (self.assumptions or {}).items() if key != name}
        return self._changed(assumptions=({**known, name: value} if value is not None else known) or None)

    def with_limit(self, key: str, value: Any) -> Draft:
        """Return the draft with a limit on its plan, such as ``caps.supplier`` (None: as the policy has it)."""
        part, dot, name = key.partition(".")
        if not dot:
            raise UsageError(f"{key!r} is no limit; write part.name, such as caps.supplier")
        known = {key: dict(row) for key, row in (self.policy or {}).items()}
        row = known.setdefault(part, {})
        row.pop(name, None)
        if value is not None:
            row[name] = value
        return self._changed(policy={key: row for key, row in known.items() if row} or None)

    def with_value(self, parameter: str, value: float) -> Draft:
        """Return the draft with another value of one of its parameters, its range widened if need be."""
        changed = self.scenario.with_values({parameter: value})
        return replace(Draft.of(changed), name=self.name)

    def with_head(self, **changes: Any) -> Draft:
        """Return the draft with another title, name, question, assumes, sources or day."""
        unknown = changes.keys() - {"title", "name", "question", "assumes", "sources", "on"}
        if unknown:
            raise UsageError(f"a draft's head has no {sorted(unknown)[0]!r}")
        return self._changed(**changes)


@dataclass(frozen=True)
class History:
    """Drafts that were, the one that is, and those that were undone. Immutable."""

    past: tuple[Draft, ...] = ()
    current: Draft = Draft()
    future: tuple[Draft, ...] = ()

    def push(self, draft: Draft) -> History:
        """Return the history with a new draft; what had been undone is gone. The same draft again changes nothing."""
        if draft == self.current:
            return self
        return History((*self.past, self.current)[-UNDOS:], draft)

    @property
    def can_undo(self) -> bool:
        return bool(self.past)

    @property
    def can_redo(self) -> bool:
        return bool(self.future)

    def undo(self) -> History:
        """Return the history one step back; itself at the beginning."""
        if not self.past:
            return self
        return History(self.past[:-1], self.past[-1], (self.current, *self.future))

    def redo(self) -> History:
        """Return the history one step forward; itself at the end."""
        if not self.future:
            return self
        return History((*self.past, self.current), self.future[0], self.future[1:])


def written(record: Mapping[str, Any]) -> str:
    """Return a scenario's record as TOML: plain keys first, then tables, then one ``[[action]]`` each."""
    lines = [f"{_key(key)} = {_value(value)}" for key, value in record.items() if not _nested(value)]
    for name in ("parameters", "policy"):
        for part, row in record.get(name, {}).items():
            lines += ["", f"[{name}.{_key(part)}]", *(f"{_key(key)} = {_value(value)}" for key, value in row.items())]
    if record.get("assumptions"):
        rows = (f"{_key(key)} = {_value(value)}" for key, value in record["assumptions"].items())
        lines += ["", "[assumptions]", *rows]
    for action in record.get("action", ()):
        lines += ["", "[[action]]", *(f"{_key(key)} = {_value(value)}" for key, value in action.items())]
    return "\n".join(lines) + "\n"


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(v, Mapping) for v in value)
    )


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(part)}" for key, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    return _text(str(value))


def _text(text: str) -> str:
    """A TOML basic string: JSON's escapes, and the one control character that JSON leaves bare."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
