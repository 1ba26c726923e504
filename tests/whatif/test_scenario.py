"""Scenario files: read, put together, refused with every fault at once."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from supplychain.errors import InputError, UsageError
from supplychain.whatif.scenario import load_scenario, presets, scenario_from

OUTAGE = {"do": "outage", "sites": ["TWN"], "part": 0.5}


def codes(error: InputError) -> list[str]:
    return [problem.code for problem in error.problems]


def refused(record: dict[str, object]) -> InputError:
    with pytest.raises(InputError) as caught:
        scenario_from(record)
    return caught.value


def test_every_fault_is_told_at_once_with_the_nearest_name() -> None:
    error = refused(
        {
            "titel": "x",
            "action": [
                {"do": "outrage"},
                {"do": "outage", "site": ["TWN"], "part": 2},
                {"do": "join", "regime": "w1-iec", "states": ["KO"]},
                {"do": "impose", "control": "a", "imposing": "CHN", "policy": "embargo"},
                {"do": "grow", "item": "a", "state": "CHN", "add": "$missing"},
                {"do": "suspend", "controls": ["x"], "from": "2026-13-01"},
            ],
        }
    )
    text = str(error)
    for told in (
        "did you mean title?", "did you mean outage?", "did you mean sites?", "'KO' is not a country code",
        "give either codes or items", "there is no parameter 'missing'", "less than or equal to 1", "action 6",
    ):  # fmt: skip
        assert told in text
    assert len(error.problems) >= 8


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        ([{"do": "branch", "branch": "b", "variant": v} for v in ("lapse", "long")], "branch b"),
        ([{"do": "stock", "items": ["a"], "days": d} for d in (10, 20)], "stock"),
        ([{"do": "qualify", "items": ["a", "b"], "months": 3}, {"do": "qualify", "items": ["b"], "months": 4}], "b"),
        ([{"do": "grow", "item": "a", "state": "CHN", "add": x} for x in (0.1, 0.2)], "grow a CHN"),
        ([{"do": "suspend", "controls": ["c"], "from": f"2026-0{k}-01"} for k in (1, 2)], "suspend c"),
        ([{"do": "join", "regime": "r", "states": ["KOR"], "eligible": x} for x in (True, False)], "join r KOR"),
        ([{"do": "join", "regime": "r", "states": ["KOR"], "from": "2026-05-01"},
          {"do": "leave", "regime": "r", "states": ["KOR"], "from": "2026-04-01"}], "leaves r before it joins"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(actions: list[dict[str, object]], told: str) -> None:
    error = refused({"title": "x", "action": actions})
    assert set(codes(error)) == {"scenario-contradiction"}
    assert told in str(error)


def test_the_order_of_actions_in_the_file_does_not_matter_and_saying_a_thing_twice_changes_nothing() -> None:
    actions = [
        OUTAGE,
        {"do": "join", "regime": "w1-iec", "states": ["KOR"], "from": "2026-12-01"},
        {"do": "lift", "regimes": ["kor-2026"]},
        {"do": "stock", "days": 90},
    ]
    words = {
        tuple(action.words for action in scenario_from({"title": "x", "action": list(some)}).actions)
        for some in itertools.permutations(actions)
    }
    assert len(words) == 1
    assert len(scenario_from({"title": "x", "action": [*actions, OUTAGE]}).actions) == len(actions)


def test_parameters_reach_the_actions_and_their_range_is_checked_at_both_ends() -> None:
    part = {"value": 0.5, "range": [0.2, 1.0], "unit": "fraction", "why": "w"}
    record = {"title": "x", "parameters": {"part": part}, "action": [{**OUTAGE, "part": "$part"}]}
    scenario = scenario_from(record)
    assert scenario.actions[0].part == 0.5  # type: ignore[attr-defined]
    assert scenario.with_values({"part": 0.9}).actions[0].part == 0.9  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="did you mean 'part'"):
        scenario.with_values({"prat": 1})
    with pytest.raises(InputError, match="less than or equal to 1"):
        scenario.with_values({"part": 1.5})
    assert codes(refused({**record, "parameters": {"part": {**part, "range": [0.2, 3.0]}}})) == ["scenario-value"]
    assert "outside range" in str(refused({**record, "parameters": {"part": {**part, "value": 7}}}))
    assert codes(refused({**record, "action": [OUTAGE]})) == ["scenario-parameter"]


def test_files_extend_one_another_and_what_they_set_differently_must_be_settled(tmp_path: Path) -> None:
    parameter = '[parameters.p]\nvalue = {}\nrange = [0, 1]\nunit = "u"\nwhy = "w"\n'
    action = '[[action]]\ndo = "outage"\nsites = ["TWN"]\npart = "$p"\n'
    (tmp_path / "one.toml").write_text('title = "one"\nsources = ["a"]\n' + parameter.format(0.1) + action)
    (tmp_path / "two.toml").write_text(
        'title = "two"\nsources = ["b"]\non = 2026-12-01\n' + parameter.format(0.2) + action
    )
    both = tmp_path / "both.toml"
    both.write_text('title = "both"\nextends = ["one", "two"]\n')
    with pytest.raises(InputError, match="two extended scenarios set p differently"):
        load_scenario(both)
    both.write_text('title = "both"\nextends = ["one", "two"]\n' + parameter.format(0.3))
    scenario = load_scenario(both)
    assert scenario.actions[0].part == 0.3  # type: ignore[attr-defined]
    assert len(scenario.actions) == 1
    assert scenario.sources == ("a", "b")
    assert str(scenario.on) == "2026-12-01"
    assert set(scenario.hashes or {}) == {"one.toml", "two.toml", "both.toml"}
    (tmp_path / "one.toml").write_text('title = "one"\nextends = ["both"]\n')
    with pytest.raises(InputError, match="circle"):
        load_scenario(both)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"title = 'x'\ntitle = 'y'\n", "not readable as TOML"),
        (b"\xff\xfe\x00", "not readable as TOML"),
        (b"<html>sign in</html>", "not readable as TOML"),
        (b"title = '" + b"x" * 1_000_001 + b"'", "at most 1,000,000 bytes"),
        (b"title = 'x'\nprobability = 1.5\n", "less than or equal to 1"),
        (b"title = 'x'\non = 2026-11-01T00:00:00\n", "a day is written YYYY-MM-DD"),
        (b"title = 'x'\n[[action]]\ndo = 'outage'\nsites = ['TWN']\npart = true\n", "a number is wanted"),
        (b"title = 'x'\n[[action]]\ndo = 'outage'\nsites = ['TWN']\nmonths = nan\n", "greater than or equal to 0"),
    ],
)
def test_bad_files_are_refused_without_a_traceback(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        load_scenario(path)


def test_an_unknown_name_is_a_usage_error_with_the_nearest_preset() -> None:
    with pytest.raises(UsageError, match="did you mean 'taiwan-outage'"):
        load_scenario("taiwan-outrage")
    with pytest.raises(UsageError):
        load_scenario("../../etc/passwd")
    assert "w1-plus-kor" in presets()


@pytest.mark.parametrize(
    "change",
    [
        {"on": "1709251200"},
        {"on": "9999-12-31"},
        {"on": "0001-01-01"},
        {"probability": True},
        {"probability": "0.2"},
        {"title": "\u200b"},
        {"parameters": {"part": {"value": "0.5", "range": [0.2, 1.0], "unit": "fraction", "why": "x"}}},
        {"parameters": {"part": {"value": 0.5, "range": [False, True], "unit": "fraction", "why": "x"}}},
        {"policy": {"caps": {"supplier": True}}},
        {"policy": {"caps": {"supplier": "0.5"}}},
        {"extends": ["nowhere"]},
        {"assumptions": {"resourcing.outbid": True}},
    ],
)
def test_what_only_looks_like_a_number_or_a_day_is_refused(change: dict[str, object]) -> None:
    record = {"title": "x", "action": [OUTAGE], **change}
    if "parameters" in change:
        record["action"] = [{**OUTAGE, "part": "$part"}]
    assert refused(record).exit_code == 3
