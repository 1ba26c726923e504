"""The forms that add one change to a draft: what each asks for, and the action that its answers make."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from supplychain.app import texts
from supplychain.errors import InputError, Problem

Kind = Literal["names", "name", "percent", "number", "whole", "day", "choice", "text"]


@dataclass(frozen=True)
class Field:
    """One question of a form. ``choices`` names a list of the catalogue; ``key`` is the action's key."""

    key: str
    kind: Kind
    choices: str = ""
    value: str = ""
    must: bool = False
    wide: bool = False

    @property
    def label(self) -> str:
        return texts.say(f"field.{self.key}")


@dataclass(frozen=True)
class Form:
    """A form: the word of its action, and its fields; ``fixed`` keys are added as they are."""

    do: str
    fields: tuple[Field, ...]

    @property
    def title(self) -> str:
        return texts.say(f"form.{self.do}")

    @property
    def hint(self) -> str:
        return texts.say(f"form.{self.do}.hint")


_WHO: Final = (
    Field("items", "names", "items"),
    Field("sites", "names", "states"),
    Field("organisations", "names", "organisations", wide=True),
)
_START: Final = Field("from", "day")
_CONTROLS: Final = (Field("regimes", "names", "regimes", wide=True), Field("controls", "names", "controls", wide=True))
POLICIES: Final = ("case-by-case", "presumption-of-denial", "presumption-of-approval", "embargo", "notification")

FORMS: Final = (
    Form(
        "outage",
        (*_WHO, Field("part", "percent", value="100"), Field("months", "number"), Field("recover_months", "number")),
    ),
    Form(
        "impose",
        (
            Field("imposing", "name", "states", must=True),
            Field("items", "names", "items", must=True),
            Field("destination", "text", value="worldwide", must=True),
            Field("policy", "choice", "law", must=True),
            _START,
        ),
    ),
    Form("suspend", (*_CONTROLS, _START, Field("to", "day"))),
    Form("lift", (*_CONTROLS, _START)),
    Form("branch", (Field("branch", "choice", "branches", must=True, wide=True),)),
    Form(
        "delay",
        (
            Field("items", "names", "items"),
            Field("origins", "names", "states"),
            Field("factor", "number", value="1"),
            Field("add_days", "number", value="0"),
        ),
    ),
    Form("capacity", (*_WHO, Field("factor", "number", value="1.5", must=True))),
    Form(
        "grow",
        (
            Field("item", "name", "items", must=True),
            Field("state", "name", "states", must=True),
            Field("add", "percent", value="10", must=True),
            _START,
            Field("until", "day"),
        ),
    ),
    Form("stock", (Field("items", "names", "items"), Field("days", "number", must=True))),
    Form("qualify", (Field("items", "names", "items", must=True), Field("months", "number", value="6", must=True))),
    Form("demand", (Field("items", "names", "items"), Field("factor", "number", value="1.2", must=True))),
)
BY_WORD: Final = {form.do: form for form in FORMS}


def action(do: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the action that the answers of a form make; blank answers are left out.

    Raises InputError for an unknown form, a missing answer or a text that is no number; the rest is checked by the
    scenario's own reader.
    """
    form = BY_WORD.get(do)
    if form is None:
        raise InputError((Problem("form", rule="there is no such change", value=do[:40]),))
    made: dict[str, Any] = {"do": do}
    problems = []
    for field in form.fields:
        answer = str(given.get(field.key, "")).strip()[:2000]
        if not answer:
            if field.must:
                problems.append(_problem(form, field, texts.say("form.missing"), ""))
            continue
        value = _value(field, answer)
        if value is None:
            problems.append(_problem(form, field, texts.say("form.number"), answer))
        else:
            made[field.key] = value
    if problems:
        raise InputError(tuple(problems))
    if do == "branch":
        made["branch"], _, made["variant"] = str(made["branch"]).partition(":")
    if do == "impose":
        made["control"] = "user." + "-".join([made["imposing"].lower(), made["policy"], *made["items"]])[:120]
    return made


@contextmanager
def asked(title: str, labels: Mapping[str, str]) -> Iterator[None]:
    """Within it, a problem that is found names the form and the field that were answered (``labels``: field by key),
    not the place in the scenario's file that the answer would have had."""
    try:
        yield
    except InputError as error:
        problems = []
        for problem in error.problems:
            label = next((told for key, told in labels.items() if f".{problem.column}".endswith(f".{key}")), "")
            problems.append(replace(problem, file=title, column=label))
        raise InputError(problems, error.warnings) from None


def _value(field: Field, answer: str) -> Any:
    if field.kind == "names":
        return [name.strip() for name in answer.replace(";", ",").split(",") if name.strip()]
    if field.kind in ("percent", "number"):
        try:
            number = float(answer.replace(",", "."))
        except ValueError:
            return None
        if not math.isfinite(number):
            return None
        return number / 100 if field.kind == "percent" else number
    return answer


def _problem(form: Form, field: Field, rule: str, answer: str) -> Problem:
    return Problem("form", file=form.title, column=field.label, value=answer[:60], rule=rule)
