"""Assumptions: laid over the bundled ones, refused with the nearest name, changed by name for sweeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from supplychain.assumptions import Assumption, Assumptions
from supplychain.errors import InputError, UsageError


def test_bundled_assumptions_say_unit_reason_and_source() -> None:
    table = Assumptions.load().table
    assert {"short_run.stock_days", "resourcing.outbid"} <= set(table["assumption"])
    assert (table[["unit", "why", "source"]] != "").all(axis=None)
    assert table["assumption"].is_unique


def test_a_file_states_only_what_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("short_run.stock_days = 60\n[resourcing.spare]\nvalues = { gas = 0.3 }\n")
    mine = Assumptions.load(file)
    assert mine.number("short_run.stock_days") == 60
    assert mine.settings["resourcing"]["spare"]["gas"] == 0.3
    assert "default" in mine.settings["resourcing"]["spare"]
    assert mine.name == "mine"
    assert set(mine.hashes) == {"default.toml", "mine.toml"}


def test_every_fault_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("short_run.stok_days = 1\nresourcing.outbid = 2\n[licence.embargo]\nvalue = 'x'\nextra = 1\n")
    with pytest.raises(InputError) as caught:
        Assumptions.load(file)
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "did you mean 'short_run.stock_days'" in text
    assert "outside the range 0 to 1" in text
    assert "Extra inputs are not permitted" in text


@pytest.mark.parametrize("text", ["short_run = 3 = 4", "resourcing.outbid = nan", "resourcing.expansion = -1"])
def test_files_that_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(InputError):
        Assumptions.load(file)
    with pytest.raises(UsageError, match="no assumptions file"):
        Assumptions.load(tmp_path / "none.toml")


def test_values_change_by_name_and_the_original_stays() -> None:
    bundled = Assumptions.load()
    other = bundled.with_({"short_run.stock_days": 90, "resourcing.spare:gas": 0.2})
    assert other.number("short_run.stock_days") == 90
    assert other.settings["resourcing"]["spare"]["gas"] == 0.2
    assert bundled.number("short_run.stock_days") != 90
    with pytest.raises(UsageError, match=r"did you mean 'short_run\.stock_days'"):
        bundled.with_({"short_run.stock_dys": 1})
    with pytest.raises(UsageError, match=r"resourcing\.outbid"):
        bundled.with_({"resourcing.outbid": float("inf")})
    with pytest.raises(UsageError, match="no assumption"):
        bundled.number("resourcing.spare")


def test_an_assumption_has_one_value_inside_a_range_that_is_one(tmp_path: Path) -> None:
    about = {"unit": "days", "why": "a test", "source": "none"}
    for more, fault in (
        ({}, "either value or values"),
        ({"value": 1, "values": {"gas": 2}}, "either value or values"),
        ({"value": 5, "range": [6, 9]}, "5 lies outside the range 6 to 9"),
        ({"value": "least", "range": [9, 6]}, "starts above its end"),
    ):
        with pytest.raises(ValueError, match=fault):
            Assumption.model_validate({**about, **more})
    file = tmp_path / "wide.toml"
    file.write_text(
        "[resourcing.outbid]\nvalue = 2\nrange = [0, 3]\n"
    )  # a range of one's own does not widen what may be
    with pytest.raises(InputError, match="between 0 and 1"):
        Assumptions.load(file)


@pytest.mark.parametrize(
    "text",
    [
        'value = "0.4"',
        "value = true",
        'value = 0.4\nrange = ["0", "1"]',
        "values = { default = 0.4 }",
        'value = 0.4\nwhy = "\u200b"',
        "value = 1.5",
    ],
)
def test_a_value_is_of_the_kind_of_the_one_it_covers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"[resourcing.outbid]\n{text}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Assumptions.load(path)
    assert {problem.column for problem in caught.value.problems} == {"resourcing.outbid"}


def test_another_value_keeps_kind_and_bounds() -> None:
    known = Assumptions.load()
    for name, value in (
        ("resourcing.outbid", 1.5),
        ("resourcing.outbid", "0.4"),
        ("resourcing.outbid", True),
        ("resourcing.spare:default", "x"),
    ):
        with pytest.raises(UsageError, match=name):
            known.with_({name: value})
