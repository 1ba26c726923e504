"""Numbers and ranges are written so that they can never be read as more, or less, than they say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supplychain.report.language import ENGLISH


@pytest.mark.parametrize(
    ("low", "high", "unknown", "expected"),
    [
        (0.31, 0.48, 0.06, "31–48 %, unknown 6 %"),
        (0.31, 0.31, 0.0, "31 %"),
        (0.0, 0.0, 0.0, "0 %"),
        (0.004, 0.5, 0.0, "<1–50 %"),
        (0.9999, 1.0, 0.0, ">99–100 %"),
        (0.1, 0.2, 0.002, "10–20 %, unknown <1 %"),
        (math.nan, 0.2, 0.1, "unknown"),
    ],
)
def test_brackets(low: float, high: float, unknown: float, expected: str) -> None:
    assert ENGLISH.bracket(low, high, unknown).replace("\u00a0", " ") == expected


@given(st.floats(0, 1), st.integers(0, 2))
def test_percent_is_zero_or_hundred_only_when_it_is(share: float, digits: int) -> None:
    text = ENGLISH.percent(share, digits)
    if text.startswith("0") and float(text.split("\u00a0")[0]) == 0:
        assert share < 1e-8
    if text.startswith("100"):
        assert share > 1 - 1e-8


def test_blank_is_unknown_everywhere() -> None:
    assert {ENGLISH.percent(math.nan), ENGLISH.number(math.nan), ENGLISH.money(math.nan), ENGLISH.months(math.nan)} == {
        "unknown"
    }
    assert ENGLISH.day("") == ENGLISH.day(None) == "—"


def test_days_counts_and_lists() -> None:
    assert ENGLISH.day("2024-09-10").replace("\u00a0", " ") == "10 Sep 2024"
    assert ENGLISH.listed(["A", "B", "C"]) == "A, B and C"
    assert ENGLISH.listed(list("ABCDEFG"), most=3) == "A, B, C and 4 more"
    assert ENGLISH.money(3_400_000).replace("\u00a0", " ") == "USD 3.4 m"
    assert ENGLISH.plural(2, "{n} supply", "{n} supplies").replace("\u00a0", " ") == "2 supplies"
