"""All exceptions of the project, and `Problems`, which collects what is wrong with an input and raises once.

Exit codes: 0 done, 1 our bug, 2 usage, 3 input refused, 4 no proven answer, 5 environment, 130 interrupted.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

SHOWN_LENGTH = 80  # longest cell value that a message shows
_PLACE, _SENTENCE = 300, 5_000  # of the name of a file, table or column; of a rule or cure, which may quote the input
_STEERING = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


class SupplychainError(Exception):
    """Base of every error that we raise on purpose; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(SupplychainError):
    """The command or the call cannot be understood: unknown option value, unknown name, contradicting arguments."""

    exit_code = 2


class NoAnswer(SupplychainError):
    """The question is well put but has no proven answer: infeasible, unbounded, stopped at a limit."""

    exit_code = 4


class EnvironmentFault(SupplychainError):
    """The machine refuses: unreadable file, full disk, missing solver."""

    exit_code = 5


def shown(value: object, length: int = SHOWN_LENGTH) -> str:
    """Return `value` as one printable line: control, zero-width and combining characters escaped, long text cut.

    >>> shown("a" + chr(0x200B) + "b" + chr(27) + "[1m")
    'a\\\\u200bb\\\\x1b[1m'
    """
    text = str(value)
    if len(text) <= length and text.isascii() and text.isprintable():
        return text
    cut = text[: length + 1]
    escaped = "".join(c if _plain(c) else c.encode("unicode_escape").decode("ascii") for c in cut[:length])
    return escaped if len(text) <= length else f"{escaped}… ({len(text):,} characters)"


def json_shown(text: str) -> str:
    """Return JSON in which characters that could steer a terminal or reverse text are escapes; the data stay the same.

    >>> json_shown('"a' + chr(0x9B) + '31m"')
    '"a\\u009b31m"'
    """
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _plain(character: str) -> bool:
    return character.isprintable() and unicodedata.category(character) not in ("Mn", "Me", "Cf")


@dataclass(frozen=True)
class Problem:
    """One finding about one place in an input.

    `row` is the row number a spreadsheet shows (the header is row 1), or None when the finding is about a whole table
    or file. `value` is already escaped and shortened for display. `rule` says what must hold, `cure` what to do.
    """

    code: str
    file: str = ""
    table: str = ""
    row: int | None = None
    column: str = ""
    value: str = ""
    rule: str = ""
    cure: str = ""

    def __str__(self) -> str:
        place = self.file or self.table or "input"
        if self.row is not None:
            place += f" row {self.row}"
        if self.column:
            place += f", column {self.column}"
        text = f"{place}: {self.rule} [{self.code}]"
        if self.value:
            text += f": {self.value!r}"
        return f"{text}: {self.cure}" if self.cure else text

    def sort_key(self) -> tuple[str, str, int, str, str, str]:
        return (self.file, self.table, self.row or 0, self.column, self.code, self.value)


def _escaped(
    code: str, file: str, table: str, row: int | None, column: str, value: object, rule: str, cure: str
) -> Problem:
    """Return the problem fit for display: names of files and columns and what a rule quotes come from the input too."""
    places = (shown(file, _PLACE), shown(table, _PLACE), row, shown(column, _PLACE))
    return Problem(code, *places, shown(value), shown(rule, _SENTENCE), shown(cure, _SENTENCE))


class InputError(SupplychainError):
    """An input is refused. `problems` holds every fault found, `warnings` what was only odd."""

    exit_code = 3

    def __init__(self, problems: tuple[Problem, ...] | list[Problem] | str, warnings: tuple[Problem, ...] = ()) -> None:
        if isinstance(problems, str):
            problems = (Problem("input", rule=problems),)
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__(self.summary())

    def summary(self, limit: int = 100) -> str:
        """Return the first `limit` problems, one per line, under a line that counts them."""
        count = len(self.problems)
        lines = [f"input refused: {count} problem{'' if count == 1 else 's'}"]
        lines += [f"  {problem}" for problem in self.problems[:limit]]
        if count > limit:
            lines.append(f"  and {count - limit} more")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:  # keeps the error whole on its way back from a worker process
        return (InputError, (self.problems, self.warnings))


@dataclass
class Problems:
    """Collects errors and warnings while an input is read; `raise_if_any` tells all of them at once.

    With `strict`, a warning whose code is in `strict_codes` counts as an error.
    """

    strict: bool = False
    strict_codes: frozenset[str] = frozenset()
    _errors: list[Problem] = field(default_factory=list)
    _warnings: list[Problem] = field(default_factory=list)

    def add(
        self,
        code: str,
        rule: str,
        cure: str = "",
        *,
        file: str = "",
        table: str = "",
        row: int | None = None,
        column: str = "",
        value: object = "",
    ) -> None:
        """Record an error."""
        self._errors.append(_escaped(code, file, table, row, column, value, rule, cure))

    def warn(
        self,
        code: str,
        rule: str,
        cure: str = "",
        *,
        file: str = "",
        table: str = "",
        row: int | None = None,
        column: str = "",
        value: object = "",
    ) -> None:
        """Record a warning (an error when strict and `code` is one of the strict codes)."""
        target = self._errors if self.strict and code in self.strict_codes else self._warnings
        target.append(_escaped(code, file, table, row, column, value, rule, cure))

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(sorted(set(self._errors), key=Problem.sort_key))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(sorted(set(self._warnings), key=Problem.sort_key))

    def raise_if_any(self) -> None:
        """Raise InputError with everything found when there is at least one error."""
        if self._errors:
            raise InputError(self.errors, self.warnings)
