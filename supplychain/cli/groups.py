"""Groups of options: a command takes a dataclass, the command line offers its fields one by one."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def spread(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command with, in place of every parameter that is a dataclass, the fields of that dataclass.

    A field is annotated as a parameter of a command would be, and its default is the option's.
    """
    given = signature(command, eval_str=True).parameters
    groups: dict[str, Any] = {
        name: parameter.annotation for name, parameter in given.items() if is_dataclass(parameter.annotation)
    }
    if not groups:
        return command

    @wraps(command)
    def run_spread(**named: Any) -> Any:
        built = {name: group(**{f.name: named.pop(f.name) for f in fields(group)}) for name, group in groups.items()}
        return command(**built, **named)

    parameters: list[Parameter] = []
    for name, parameter in given.items():
        parameters += _of(groups[name]) if name in groups else [parameter.replace(kind=Parameter.KEYWORD_ONLY)]
    return with_parameters(run_spread, parameters)


def with_parameters(command: Callable[..., Any], parameters: Iterable[Parameter]) -> Callable[..., Any]:
    """Let a function that takes anything by name show these parameters to whoever inspects it."""
    shown = list(parameters)
    command.__signature__ = signature(command).replace(parameters=shown)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return command


def _of(group: Any) -> list[Parameter]:
    """Return the fields of a group as parameters."""
    hints = get_type_hints(group, include_extras=True)
    return [
        signature(group).parameters[field.name].replace(annotation=hints[field.name], kind=Parameter.KEYWORD_ONLY)
        for field in fields(group)
    ]
