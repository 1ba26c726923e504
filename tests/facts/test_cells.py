"""Cells: every way to write a number, date or id wrongly is refused with a cure; blank stays unknown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_package import refused

from supplychain.errors import Problems
from supplychain.facts.cells import Place, convert
from supplychain.facts.schema import Column, schema

SHARE = schema("network")["supplies"]["share"]
VOLUME = schema("network")["items"]["world_volume"]
TIER = schema("network")["items"]["tier"]
YEAR = schema("network")["items"]["year"]
ITEM = schema("network")["items"]["item"]
ITEMS = schema("network")["events"]["items"]
WEIGHT = schema("network")["supplies"]["weight"]
SITE = schema("network")["supplies"]["site"]
DATE = schema("network")["events"]["date"]
WHEN = schema("network")["sources"]["date"]
URL = schema("network")["sources"]["url"]
ROLE = schema("network")["requirements"]["role"]
CODES = schema("network")["items"]["control_codes"]
NOTE = schema("network")["items"]["note"]


def read(column: Column, *texts: str) -> tuple[pd.Series, Problems]:
    problems = Problems()
    place = Place("t.csv", "t", np.arange(2, 2 + len(texts)))
    values = convert(pa.chunked_array([pa.array(texts, pa.large_string())]), column, place, problems)
    return values, problems


@pytest.mark.parametrize(
    ("text", "code", "cure"),
    [
        ("12,5", "number", "decimal point"),
        ("1,234.5", "number", "thousands"),
        ("1 234", "number", "thousands"),
        ("45%", "number", "45% is 0.45"),
        ("$12bn", "number", "bare number"),
        ("12 million", "number", "bare number"),
        ("٠٫٥", "number", "digits 0-9"),
        ("１２", "number", "digits 0-9"),
        ("1_0", "number", "thousands"),
        ("0x1F", "number", "decimal number"),
        ("NaN", "number", "blank"),
        ("inf", "number", "blank"),
        ("-Infinity", "number", "blank"),
        ("n/a", "number", "blank"),
        ("#DIV/0!", "number", "spreadsheet error"),
        ("TRUE", "number", "truth value"),
        ("about 5", "number", "such as 0.25"),
        ("--1", "number", "such as"),
        ("1e", "number", "such as"),
        ("-1", "too-small", ""),
        ("1e30", "too-large", ""),
        ("1e308", "too-large", ""),
        ("1e999", "too-large", ""),
    ],
)
def test_numbers_that_are_not_plain_are_refused_with_a_cure(text: str, code: str, cure: str) -> None:
    values, problems = read(VOLUME, "5", text)
    assert [(p.code, p.row) for p in problems.errors] == [(code, 3)]
    assert cure in problems.errors[0].cure
    assert values[0] == 5


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0.0), ("0.25", 0.25), (".5", 0.5), ("5.", 5.0), ("1.2e6", 1.2e6), ("+3", 3.0), (" 7 ", 7.0), ("007", 7.0)],
)
def test_plain_numbers(text: str, value: float) -> None:
    values, problems = read(VOLUME, text)
    assert not problems.errors
    assert values[0] == value


@given(st.floats(min_value=0, max_value=1e15, allow_subnormal=False))
def test_a_float_comes_back_as_it_was(value: float) -> None:
    values, problems = read(VOLUME, repr(value))
    assert values[0] == value
    assert not problems.errors


@given(st.text(max_size=12))
def test_no_text_breaks_the_reader(text: str) -> None:
    for column in (VOLUME, DATE, SITE, ITEM, ITEMS, WEIGHT, WHEN, CODES, NOTE):
        values, problems = read(column, text)
        assert len(values) == 1
        # Either the cell is a value, or it is blank, or the reader says why it is not.
        if column is VOLUME and not problems.errors:
            assert np.isnan(values[0]) == (not text.strip())


def test_blank_is_unknown_and_never_zero() -> None:
    values, problems = read(SHARE, "", "  ", "0")
    assert np.isnan(values[:2]).all()
    assert values[2] == 0
    assert not problems.errors
    assert read(WEIGHT, "")[0].isna().all()
    assert read(DATE, "")[0].isna().all()
    assert read(SITE, "")[0].tolist() == [""]


def test_fractions_over_one_are_refused() -> None:
    _, problems = read(SHARE, "45", "1.0000001", "1", "-0.1")
    assert [(p.code, p.row) for p in problems.errors] == [("too-large", 2), ("too-large", 3), ("too-small", 5)]
    assert "percent" in problems.errors[0].cure


def test_a_number_that_acts_as_zero_is_a_warning() -> None:
    values, problems = read(SHARE, "1e-320")
    assert values[0] > 0
    assert [p.code for p in problems.warnings] == ["tiny"]


def test_whole_numbers_and_years() -> None:
    assert [p.code for p in read(TIER, "1.5", "-1", "2")[1].errors] == ["integer", "too-small"]
    assert [p.code for p in read(YEAR, "25", "99999", "2025", "")[1].errors] == ["too-small", "too-large"]


@pytest.mark.parametrize("text", ["TRUE", "True", "1", "yes", "wahr"])
def test_truth_values_are_true_or_false(text: str) -> None:
    assert [p.code for p in read(WEIGHT, text)[1].errors] == ["boolean"]


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30",
        "0000-01-01",
        "99999-01-01",
        "03/04/2025",
        "24-01-02",
        "45292",
        "2024-13",
        "2024-1-2",
        "today",
        "２０２４",
    ],
)
def test_impossible_and_ambiguous_days_are_refused(text: str) -> None:
    values, problems = read(DATE, text)
    assert [p.code for p in problems.errors] == ["date"]
    assert values.isna().all()


def test_a_month_or_a_year_is_read_as_its_first_day() -> None:
    values, problems = read(DATE, "2024-09-06", "2022-02", "2019", "2024-02-29")
    assert not problems.errors
    assert values.dt.strftime("%Y-%m-%d").tolist() == ["2024-09-06", "2022-02-01", "2019-01-01", "2024-02-29"]
    assert values.dtype == "datetime64[s]"


def test_a_publication_date_is_kept_as_written() -> None:
    values, problems = read(WHEN, "c. 2024", "2024-05", "", "circa 2024", "c. 2024-02-31")
    assert values.tolist()[:3] == ["c. 2024", "2024-05", ""]
    assert [(p.code, p.row) for p in problems.errors] == [("date", 5), ("date", 6)]


@pytest.mark.parametrize("text", ["null", "true", "007", "1e5", "mar1", "na", "a" * 200, "a.b_c-d"])
def test_ids_that_look_like_values_stay_text(text: str) -> None:
    values, problems = read(ITEM, text)
    assert values[0] == text
    assert not problems.errors


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Gallium", "gallium"),
        (" gallium", "gallium"),
        ("gal lium", "gal-lium"),
        ("gal\u200blium", "gallium"),
        ("caf\u00e9", "cafe"),
        ("cafe\u0301", "cafe"),
        ("../../x", "x"),
        ("/tmp/x", "tmp-x"),
        ("=cmd()", "cmd"),
        ("氖", "short lower-case name"),
        ("a" * 201, "a" * 200),
    ],
)
def test_variants_of_an_id_are_refused_with_the_plain_form(text: str, plain: str) -> None:
    _, problems = read(ITEM, text)
    assert [p.code for p in problems.errors] == ["id"]
    assert plain in problems.errors[0].cure
    assert problems.errors[0].value.isprintable()


@pytest.mark.parametrize(
    ("text", "cure"),
    [("Germany", "DEU"), ("deu", "DEU"), ("DE", "DEU"), ("Korea", "blank"), ("XXX", "blank"), ("???", "blank")],
)
def test_unknown_countries_are_refused(text: str, cure: str) -> None:
    _, problems = read(SITE, text)
    assert [p.code for p in problems.errors] == ["country"]
    assert cure in problems.errors[0].cure


def test_words_outside_the_list_are_refused_with_the_nearest() -> None:
    _, problems = read(ROLE, "consumables", "Capital", "")
    assert [p.code for p in problems.errors] == ["value", "value", "blank"]
    assert "'consumable'" in problems.errors[0].cure
    assert "'capital'" in problems.errors[1].cure


def test_lists_are_trimmed_and_their_members_checked() -> None:
    values, problems = read(ITEMS, "a; b ;c", "a;;b", "a;B", "")
    assert values.tolist()[0] == "a;b;c"
    assert [(p.code, p.row) for p in problems.errors] == [("list", 3), ("id", 4)]


def test_control_codes_name_a_known_list() -> None:
    _, problems = read(CODES, "US:3B001.f.1;CN:3C001.ga-metal", "none", "3B001", "XX:1", "US:")
    assert [(p.code, p.row) for p in problems.errors] == [("value", 4), ("value", 5), ("value", 6)]


@pytest.mark.parametrize("text", ["javascript:alert(1)", "file:///etc/passwd", "example.org", "https://a b"])
def test_what_is_no_web_address_is_kept_as_text_and_told(text: str) -> None:
    values, problems = read(URL, text)
    assert list(values) == [text]
    assert not problems.errors
    assert [(p.code, p.row) for p in problems.warnings] == [("url", 2)]


def test_hostile_text_is_kept_as_text() -> None:
    texts = ["<script>alert(1)</script>", "{{7*7}}", "%s %n", "\\input{x}", "\x1b[2J", "😀"]
    values, problems = read(NOTE, *texts)
    assert values.tolist() == texts
    assert not problems.errors


def test_a_thousand_bad_cells_are_counted_and_not_all_told() -> None:
    _, problems = read(SHARE, *["x"] * 1000)
    assert len(problems.errors) == 26
    assert any("975 more" in p.cure for p in problems.errors)


@pytest.mark.parametrize("day", ["1799-12-31", "2201-01-01"])
def test_days_beyond_four_centuries_are_refused(day: str) -> None:
    _, problems = read(schema("network")["events"]["date"], day)
    assert problems.errors


@pytest.mark.parametrize(
    "code", ["US:3A001,US:3A002", "US:3A001 US:3A002", "US:\u200b3A001", "US:3A001\u00a0x", "ＵＳ:1"]
)
def test_a_code_that_could_match_nothing_is_refused(edited: Callable[..., Path], code: str) -> None:
    found = refused(edited("items", ("US:3A090.a", f'"{code}"')))
    assert [(p.code, p.row, p.column) for p in found] == [("code", 2, "control_codes")]
    assert found[0].cure


@pytest.mark.parametrize("text", ["\u200b", "\u202e\u2066", "\u3164", "\u00a0 \u2003", "\u0301"])
def test_a_text_of_which_nothing_is_seen_is_blank(edited: Callable[..., Path], text: str) -> None:
    found = refused(edited("items", ("chip,Chip,", f"chip,{text},")))
    assert [(p.code, p.row, p.column) for p in found] == [("blank", 2, "name")]


def test_a_word_that_is_like_none_has_a_cure_and_a_year_is_of_our_time(edited: Callable[..., Path]) -> None:
    path = edited("supplies", ("0.4,,,revenue,true,2025,estimate", "0.4,,,banana,true,1024,estimate"))
    assert {(p.code, p.row, p.column, bool(p.cure)) for p in refused(path)} >= {
        ("value", 3, "basis", True),
        ("too-small", 3, "year", True),
    }
