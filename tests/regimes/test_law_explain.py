"""Explanations: every control considered, with the clause that fails and where it stands."""

from __future__ import annotations

import pytest

from supplychain.assumptions import Assumptions
from supplychain.regimes import RegimeBook
from supplychain.regimes.explain import CLAUSES, explain, text

EUV = {
    "item_codes": "US:3B001.f.1",
    "item_category": "lithography",
    "origin": "NLD",
    "head_office": "NLD",
    "destination": "CHN",
}


def test_an_euv_scanner_is_decided_by_the_dutch_rule_with_the_us_one_shielded(book: RegimeBook) -> None:
    told = explain(book, EUV, "2025-02-01", assumptions=Assumptions.load().settings)
    assert told.determination["control"] == "nld-duv-2023"
    controls = told.controls.set_index("control")
    assert controls.loc["nld-duv-2023", "verdict"] == "applies"
    assert controls.loc["us-sme-3b001.f.1", "verdict"] == "excepted"
    assert "742 Supp. 4" in controls.loc["us-sme-3b001.f.1", "exception"]
    assert controls.loc["eu-annexi-sme", "in_force"] == "no: it starts on 2025-11-15"
    assert controls.loc["jpn-23", "reach"].startswith("no: made in NLD")
    assert not any(name.startswith("us-iec-") for name in controls.index), "W-1 is not on scanners"
    assert told.others + len(controls) == len(book.tables["controls"])
    assert not any(name.startswith("not-held:") for name in controls.index), "the law of the Netherlands is held"


@pytest.mark.parametrize(
    ("flow", "day"),
    [
        (EUV, "2024-09-10"),
        ({"item_codes": "US:3B903", "origin": "USA", "destination": "GBR"}, "2024-09-10"),
        ({"item_codes": "US:3B001", "origin": "USA", "destination": "CHN"}, "2026-01-01"),
        ({"item_codes": "", "origin": "MYS", "destination": "IND"}, "2026-01-01"),
        ({"item_codes": "US:9Z999", "origin": "USA", "destination": "IND"}, "2026-01-01"),
        ({"item_codes": "CN:3C001.ga-metal", "origin": "CHN", "destination": "USA"}, "2026-11-27"),
        ({"item_codes": "US:3A090.a", "origin": "", "destination": "CHN"}, "2025-01-01"),
    ],
)
def test_the_verdicts_agree_with_the_determination(book: RegimeBook, flow: dict[str, str], day: str) -> None:
    told = explain(book, flow, day)
    verdict = told.controls.set_index("control")["verdict"]
    decides = told.determination["control"]
    if decides and told.determination["status"] != "indeterminate":
        assert verdict[decides] in ("applies", "excepted")
    elif decides:
        assert verdict[decides] in ("may apply", "applies")
    for row in told.controls.to_dict("records"):
        if row["verdict"] == "does not apply":
            assert any(str(row[name]).startswith("no: ") for name in CLAUSES if name != "exception"), row
        if row["verdict"] == "applies":
            assert all(str(row[name]).startswith("yes") for name in ("item", "in_force", "destination", "reach")), row
    said = text(told)
    assert str(told.determination["status"]).upper() in said


def test_a_flow_inside_one_state_has_nothing_to_explain(book: RegimeBook) -> None:
    told = explain(book, {"item_codes": "US:3B903", "origin": "USA", "destination": "USA"}, "2025-01-01")
    assert told.controls.empty
    assert "stays inside one state" in text(told)


def test_what_is_aimed_elsewhere_is_named_and_not_spelt_out(book: RegimeBook) -> None:
    told = explain(book, {"item_codes": "US:3B903", "origin": "USA", "destination": "IND"}, "2024-09-10")
    said = text(told)
    away = said[said.index("Considered, and not applying") :]
    names = told.controls.loc[told.controls["verdict"] == "does not apply", "control"]
    assert len(names)
    assert all(name in away for name in names), "every control considered is named"
    assert "aimed at other destinations: EUU: " not in away, "the Union's law is on what is made there"
    assert "us-affiliates (USA): it starts on 2025-09-29" in away, "what a day decides is told in full"
    assert len(away.splitlines()) < len(names), "the rest stands in a few lines"
    assert max(map(len, away.splitlines())) < 400


def test_controls_that_differ_in_item_only_are_told_once(book: RegimeBook) -> None:
    said = text(explain(book, {"item_codes": "US:3B001", "origin": "USA", "destination": "CHN"}, "2024-06-01"))
    assert said.count("MAY APPLY (USA, presumption-of-denial)") == 1
    assert "likewise     us-sme-3b001.l: EUV pellicles" in said
    assert "US:3B001 holds more than US:3B001.a.4" in said


def test_law_that_is_not_held_says_what_to_ask(book: RegimeBook) -> None:
    flow = {"item_codes": "US:3A904", "origin": "DNK", "destination": "IND", "content": "none"}
    said = text(explain(book, flow, "2024-10-01"))
    assert "The list of DNK was read in part" in said
    assert "any entry of" not in said
