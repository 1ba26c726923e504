"""Errors: exit codes, display of hostile values, and collecting everything before raising once."""

from __future__ import annotations

import pickle

import pytest

from supplychain.errors import (
    EnvironmentFault,
    InputError,
    NoAnswer,
    Problem,
    Problems,
    SupplychainError,
    UsageError,
    shown,
)


def test_every_error_has_the_exit_code_of_the_design() -> None:
    codes = [error.exit_code for error in (SupplychainError, UsageError, InputError, NoAnswer, EnvironmentFault)]
    assert codes == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("a\u200bb", "a\\u200bb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("e\u0301", "e\\u0301"),
        ("é", "é"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("two\nlines", "two\\nlines"),
    ],
)
def test_values_are_shown_escaped(value: str, text: str) -> None:
    assert shown(value) == text


def test_a_long_value_is_cut_and_says_so() -> None:
    text = shown("x" * 1_000_000)
    assert len(text) < 120
    assert "1,000,000 characters" in text


def test_problems_raise_once_with_all_of_them_sorted() -> None:
    problems = Problems()
    problems.raise_if_any()
    problems.add("b", "second", file="b.csv", row=3)
    problems.add("a", "first", file="a.csv", row=9)
    problems.add("a", "first", file="a.csv", row=2, column="share", value="x", cure="do it")
    problems.warn("w", "odd", file="a.csv")
    with pytest.raises(InputError) as caught:
        problems.raise_if_any()
    assert [(p.file, p.row) for p in caught.value.problems] == [("a.csv", 2), ("a.csv", 9), ("b.csv", 3)]
    assert [p.code for p in caught.value.warnings] == ["w"]
    assert "a.csv row 2, column share: first [a]: 'x': do it" in str(caught.value)
    assert "3 problems" in str(caught.value)


def test_strict_turns_chosen_warnings_into_errors() -> None:
    problems = Problems(strict=True, strict_codes=frozenset({"stray"}))
    problems.warn("stray", "tidy")
    problems.warn("other", "odd")
    assert [p.code for p in problems.errors] == ["stray"]
    assert [p.code for p in problems.warnings] == ["other"]


def test_the_summary_shows_the_first_hundred_and_counts_the_rest() -> None:
    error = InputError([Problem("c", row=row, rule="r") for row in range(150)])
    assert str(error).count("\n") == 101
    assert str(error).endswith("and 50 more")


def test_an_input_error_survives_the_way_back_from_a_worker() -> None:
    error = InputError([Problem("c", "f.csv", rule="r")], (Problem("w", rule="odd"),))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert again.problems == error.problems
    assert again.warnings == error.warnings
