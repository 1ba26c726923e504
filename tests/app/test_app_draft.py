"""Drafts: what is edited is exactly what `supplychain whatif` takes, and can be taken back."""

from __future__ import annotations

import tomllib
import unicodedata
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supplychain.app.draft import Draft, History
from supplychain.errors import InputError, UsageError
from supplychain.whatif.scenario import load_scenario, presets

HOSTILE = [
    'a"b\\c',
    "two\nlines\ttab\r",
    "</script><b>&amp;",
    "\x00\x1b[31m\x7f",
    "= [table] # not a comment",
    "'''\"\"\"",
    "名字 \U0001f9ea \u202e",
    "$part",
    "a" * 200,
]


@pytest.mark.parametrize("name", presets())
def test_a_bundled_scenario_comes_back_from_its_own_toml(name: str, tmp_path: Path) -> None:
    draft = Draft.bundled(name)
    again = Draft.read(draft.toml(), name)
    assert again == draft
    assert again.key == draft.key
    path = tmp_path / f"{name}.toml"
    path.write_text(draft.toml(), encoding="utf-8")
    loaded = load_scenario(path)
    assert loaded.actions == load_scenario(name).actions
    assert loaded.record == load_scenario(name).record


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_words_come_back_as_they_were(title: str) -> None:
    draft = Draft(title=title, question=title, assumes=(title,), sources=(title,))
    # In an action a text that begins with $ names a parameter.
    draft = draft.with_action({"do": "outage", "sites": ["TWN"], "note": title.lstrip("$")})
    draft = draft.with_limit("caps.regimes", {title: 0.5})
    assert Draft.read(draft.toml()) == draft
    assert tomllib.loads(draft.toml())["title"] == title


def readable(text: str) -> bool:
    """Is there something in the text that a reader sees? Titles of nothing but spaces and marks are refused."""
    return any(c.isprintable() and unicodedata.category(c)[0] not in "ZM" for c in text)


@settings(max_examples=60, deadline=None)
@given(
    st.text(min_size=1, max_size=60, alphabet=st.characters(exclude_categories=["Cs"])).filter(readable),
    st.floats(0, 1),
    st.dates(date(2022, 1, 1), date(2030, 1, 1)),
)
def test_any_draft_comes_back_from_its_toml(title: str, part: float, day: date) -> None:
    draft = Draft(title=title, on=day).with_action({"do": "outage", "items": ["neon"], "part": part})
    again = Draft.read(draft.toml())
    assert again == draft
    assert again.scenario.actions[0].part == part  # type: ignore[attr-defined]


def test_switching_twice_leaves_nothing_behind() -> None:
    plain = Draft(title="x")
    once = plain.toggle("w1-iec", "KOR", member_now=False)
    assert [action.do for action in once.actions] == ["join"]
    assert once.member("w1-iec", "KOR", False)
    assert once.toggle("w1-iec", "KOR", member_now=False) == plain
    left = plain.toggle("w1-iec", "JPN", member_now=True)
    assert [action.do for action in left.actions] == ["leave"]
    assert not left.member("w1-iec", "JPN", True)
    assert left.toggle("w1-iec", "JPN", member_now=True) == plain


def test_a_state_is_taken_out_of_an_action_that_names_several() -> None:
    draft = Draft().with_action({"do": "join", "regime": "w1-iec", "states": ["KOR", "SGP"]})
    less = draft.toggle("w1-iec", "KOR", member_now=False)
    assert less.raw == ({"do": "join", "regime": "w1-iec", "states": ["SGP"]},)


def test_an_action_taken_out_takes_its_parameters_with_it() -> None:
    draft = Draft.bundled("taiwan-outage").with_action({"do": "outage", "sites": ["KOR"]})
    assert set(draft.parameters or {}) == {"part", "months", "recover_months"}
    less = draft.without(0)
    assert less.parameters is None
    assert [action.sites for action in less.actions] == [("KOR",)]  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="no action number 9"):
        draft.without(8)


def test_assumptions_limits_and_values_are_carried() -> None:
    draft = Draft.bundled("taiwan-outage").with_assumption("resourcing.outbid", 0.3).with_limit("caps.supplier", 0.5)
    draft = draft.with_value("months", 30)
    again = Draft.read(draft.toml(), draft.name)
    assert again == draft
    assert again.scenario.values["months"] == 30
    assert again.scenario.policy == {"caps.supplier": 0.5}
    assert again.scenario.assumptions == {"resourcing.outbid": 0.3}
    back = draft.with_limit("caps.supplier", None).with_assumption("resourcing.outbid", None)
    assert back.policy is None
    assert back.assumptions is None


def test_what_only_words_differ_in_has_one_key() -> None:
    one = (
        Draft(title="a").with_action({"do": "outage", "sites": ["TWN"]}).with_action({"do": "outage", "sites": ["KOR"]})
    )
    two = (
        Draft(title="b").with_action({"do": "outage", "sites": ["KOR"]}).with_action({"do": "outage", "sites": ["TWN"]})
    )
    assert one.key == two.key
    assert one.key != Draft().key


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("title = 1", "scenario-value"),
        ('title = "x"\nnonsense = 1', "scenario-key"),
        ('title = "x"\n[[action]]\ndo = "explode"', "scenario-action"),
        ('title = "x"\n[policy.caps]\nsupplier = 7', "policy-value"),
        ('title = "x"\n[policy.solver]\nseconds = 7', "scenario-policy"),
        ('title = "x"\nextends = ["/etc/passwd.toml"]', "scenario-extends"),
        ('title = "x"\nextends = ["../secret"]', "scenario-extends"),
    ],
)
def test_a_wrong_file_is_refused_with_its_fault(text: str, code: str) -> None:
    with pytest.raises(InputError) as error:
        Draft.read(text, "given")
    assert code in [problem.code for problem in error.value.problems]
    assert all("given.toml" in str(problem) for problem in error.value.problems)


def test_what_is_no_toml_or_too_large_is_refused() -> None:
    for data in (b"\xff\xfe", b"title = ", b"#" * 5_000_000):
        with pytest.raises(InputError):
            Draft.read(data)


def test_a_text_may_extend_bundled_scenarios() -> None:
    draft = Draft.read('title = "more"\nextends = ["w1-plus-kor"]\n[[action]]\ndo = "outage"\nsites = ["TWN"]')
    assert sorted(action.do for action in draft.actions) == ["join", "outage"]
    assert "extends" not in draft.toml()


def test_undo_and_redo_walk_the_drafts() -> None:
    drafts = [Draft(title=str(number)) for number in range(4)]
    history = History(current=drafts[0])
    for draft in drafts[1:]:
        history = history.push(draft)
    assert history.push(history.current) is history
    assert history.undo().undo().current == drafts[1]
    assert history.undo().redo() == history
    assert history.undo().push(drafts[0]).future == ()
    assert not history.undo().undo().undo().can_undo
    assert history.undo().undo().undo().undo().current == drafts[0]
    assert not history.can_redo
