"""Codes: hierarchy within a list, nothing across lists, alternatives and correspondences."""

from __future__ import annotations

import pytest

from supplychain.regimes.codes import MAYBE, NO, YES, Codes, normal, relation


@pytest.mark.parametrize(
    ("flow", "control", "met"),
    [
        ("US:3B001.f.1.b", "US:3B001.f", YES),
        ("US:3B001.f", "US:3B001.f", YES),
        ("US:3B001", "US:3B001.f.1", MAYBE),
        ("US:3B001.f", "US:3B001.f.1", MAYBE),
        ("US:3B001.f.10", "US:3B001.f.1", NO),
        ("US:3B0011", "US:3B001", NO),
        ("CN:3C001", "US:3C001", NO),
        ("US:3B001.F.1", "US:3B001.f", YES),
        ("US:EAR99", "US:*", NO),
        ("US:3A991", "US:*", YES),
    ],
)
def test_relation(flow: str, control: str, met: int) -> None:
    assert relation(flow, control) == met


@pytest.mark.parametrize(
    ("text", "code"), [("3b903", "US:3B903"), ("ear99", "US:EAR99"), (" cn:3C001 ", "CN:3C001"), ("gallium", "gallium")]
)
def test_normal(text: str, code: str) -> None:
    assert normal(text) == code


CODES = Codes(
    rules=(("US:3B903",), ("GBR:PL9013",), ("US:any",)),
    correspondences={"US:3B903": (("GBR:PL9013", YES), ("FRA:list", MAYBE))},
    known=("US:3B903", "GBR:PL9013", "FRA:list"),
)


def test_alternatives_of_one_list_and_what_they_correspond_to() -> None:
    found = CODES.classify("US:3B903;US:EAR99")
    assert found.groups[0] == ((("US:3B903", YES),), (("US:EAR99", YES),))
    assert ((("GBR:PL9013", YES),), ()) in found.groups
    assert found.unlisted == ("US:EAR99",)


def test_an_own_classification_prevails_over_a_correspondence() -> None:
    assert all("PL9013" not in c for c in CODES.classify("US:3B903;GBR:PL9015").codes)


@pytest.mark.parametrize(("text", "unknown"), [("", True), ("HS:854231", True), ("none", False), ("US:3B903", False)])
def test_blank_is_unknown_and_none_is_not(text: str, unknown: bool) -> None:
    assert CODES.classify(text).unknown is unknown


def test_match_keeps_the_cap_of_a_correspondence() -> None:
    assert CODES.match((("GBR:PL9013", MAYBE),)).tolist() == [NO, MAYBE, YES]
