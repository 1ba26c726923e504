"""Policies: every bundled one loads, every fault is named with its key, its value and a cure."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supplychain.errors import InputError, UsageError
from supplychain.sourcing.policy import load_policy, policy_from, presets


def test_the_bundled_policies():
    assert presets() == ("balanced", "cheapest", "n-1-secure", "no-controlled-source", "robust")
    for name in presets():
        policy = load_policy(name)
        assert policy.name == name
        assert policy.title
        assert policy.description


@pytest.mark.parametrize(
    ("record", "key", "said"),
    [
        ({"cap": {"supplier": 0.5}}, "cap", "did you mean caps?"),
        ({"caps": {"suplier": 0.5}}, "caps.suplier", "did you mean supplier?"),
        ({"caps": {"site": 1.2}}, "caps.site", "less than or equal to 1"),
        ({"caps": {"supplier": 0.4}, "sources": {"maximum": 2}}, "caps.supplier", "cannot sum to 1"),
        ({"sources": {"minimum": 3, "maximum": 2}}, "sources.maximum", "below minimum"),
        ({"sources": {"minimum": 5, "smallest_share": 0.3}}, "sources.smallest_share", "more than 1"),
        ({"horizon": {"months": 12, "strikes_month": 12}}, "horizon.strikes_month", "before the horizon ends"),
        ({"horizon": {"months": 36, "periods": 3, "strikes_month": 20}}, "horizon.strikes_month", "start of a period"),
        ({"scenarios": {"named": {"A:all": 0.7, "B:all": 0.6}}}, "scenarios.named", "more than 1"),
        ({"scenarios": {"baseline": 0.5, "named": {"A:all": 0.3}}}, "scenarios.baseline", "not 1"),
        ({"budget": {"total": 5, "relative_to_today": 1.1}}, "budget.total", "not both"),
        ({"stock": {"minimum_days": 30}}, "stock.maximum_days", "below minimum_days"),
        ({"licences": {"mode": "maybe"}}, "licences.mode", "'forbid' or 'allow'"),
        ({"price_tiers": [{"supply": "s", "above": 5, "unit_cost": 1}] * 2}, "price_tiers.1.above", "must rise"),
    ],
)
def test_faults_are_named(record, key, said):
    with pytest.raises(InputError) as caught:
        policy_from({"name": "bad", **record}, "bad.toml")
    [problem] = caught.value.problems
    assert problem.file == "bad.toml"
    assert problem.column == key
    assert said in f"{problem.rule} {problem.cure}"


def test_all_faults_at_once():
    with pytest.raises(InputError) as caught:
        policy_from({"name": "bad", "caps": {"site": 2}, "solver": {"seconds": -1}, "extra": 1})
    assert {p.column for p in caught.value.problems} == {"caps.site", "solver.seconds", "extra"}


def test_unknown_policy_and_broken_file(tmp_path):
    with pytest.raises(UsageError, match=r"(?i)did you mean cheapest"):
        load_policy("cheapst")
    broken = tmp_path / "broken.toml"
    broken.write_text("caps = [")
    with pytest.raises(InputError, match="TOML"):
        load_policy(broken)


def test_with_checks_like_a_file():
    assert load_policy("cheapest").with_(**{"caps.supplier": 0.5}).caps.supplier == 0.5
    with pytest.raises(InputError):
        load_policy("cheapest").with_(**{"caps.supplier": 7})


_WORDS = st.sampled_from(
    ["caps", "horizon", "secure", "sources", "scenarios", "supplier", "months", "periods", "gap", "x", ""]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(_WORDS, _VALUES, max_size=4))
@settings(max_examples=200, deadline=None)
def test_whatever_a_file_holds_is_a_policy_or_refused(record):
    with suppress(InputError):
        assert policy_from({"name": "drawn", **record}).name == "drawn"


@pytest.mark.parametrize(
    "record",
    [
        {"caps": {"supplier": "0.7"}},
        {"caps": {"supplier": True}},
        {"horizon": {"months": "36"}},
        {"licences": {"price_refusal": "yes"}},
        {"licences": {"price_refusal": 1}},
        {"sources": {"minimum": "2"}},
    ],
)
def test_a_text_that_reads_like_a_number_is_none(record: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        policy_from({"name": "x", **record})
    assert [problem.column for problem in caught.value.problems] == [f"{k}.{n}" for k, v in record.items() for n in v]
