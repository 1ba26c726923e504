"""Every law case holds, every clause has one, and each citation opens to its sources."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cases import read, uncovered

from supplychain.regimes import RegimeBook
from supplychain.regimes.views import regime

CASES = read()
FACTS = ("hs6", "head_office", "parent", "content", "direct_product", "end_use", "entity", "end_party_head_office")
TOLD = ("floor", "ceiling", "floor_policy", "ceiling_policy")


@pytest.fixture(scope="module")
def book() -> RegimeBook:
    return RegimeBook.bundled()


@pytest.fixture(scope="module")
def results(book: RegimeBook) -> dict[str, Any]:
    """Every flow case judged, all that ask for the same branch and inference in one call."""
    found: dict[str, Any] = {}
    groups: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for case in CASES["flow"]:
        groups.setdefault((case.get("branch", ""), case.get("inferred", False)), []).append(case)
    for (branch, inferred), cases in groups.items():
        law = book.with_branch(*branch.split(":")) if branch else book
        rows = [{"item_codes": c["item"], "origin": c["from"], "destination": c["to"], "on": c["on"]} for c in cases]
        flows = pd.DataFrame([{**row, **{f: c.get(f, "") for f in FACTS}} for row, c in zip(rows, cases, strict=True)])
        judged = law.determine(flows, inferred=inferred)
        applied = judged.applied.groupby("flow")
        for row, case in enumerate(cases):
            also = applied.get_group(row) if row in applied.groups else judged.applied.iloc[:0]
            found[case["id"]] = (judged.table.iloc[row], also, law)
    return found


@pytest.mark.parametrize("case", CASES["flow"], ids=lambda case: case["id"])
def test_flow(case: dict[str, Any], results: dict[str, Any]) -> None:
    row, also, law = results[case["id"]]
    told = (row["status"], row["policy"])
    assert told == (case["status"], case.get("policy", "")), f"{row['control']} {row['floor']}..{row['ceiling']}"
    if case["status"] != "free" and "control" in case:
        assert row["control"] == case["control"]
    for name in TOLD:
        if name in case:
            assert row[name] == case[name], name
    if "condition" in case:
        assert case["condition"] in row["conditions"]
    if "exception" in case:
        assert case["exception"] in set(also["exception"])
    if case["status"] == "indeterminate":
        assert row["questions"], "an indeterminate answer says what would settle it"
    assert bool(case.get("warned", False)) == (pd.Timestamp(case["on"]).date() > law.known_as_of)


@pytest.mark.parametrize("case", CASES["standing"], ids=lambda case: case["id"])
def test_standing(case: dict[str, Any], book: RegimeBook) -> None:
    controls = book.in_force(case["on"]).set_index("control")
    assert controls.loc[case["control"], "standing"] == case["standing"]


@pytest.mark.parametrize("case", CASES["member"], ids=lambda case: case["id"])
def test_member(case: dict[str, Any], book: RegimeBook) -> None:
    members = regime(book, case["regime"], case["on"]).members
    row = members[members["jurisdiction"] == case["state"]]
    assert len(row) == case["member"]
    assert not case["member"] or row["role"].iloc[0] == case["role"]


@pytest.mark.parametrize("case", CASES["group"], ids=lambda case: case["id"])
def test_group(case: dict[str, Any], book: RegimeBook) -> None:
    assert (case["group"] in set(book.groups_of(case["state"], case["on"])["group"])) == case["member"]


@pytest.mark.parametrize("case", CASES["regime"], ids=lambda case: case["id"])
def test_regime(case: dict[str, Any], book: RegimeBook) -> None:
    view = regime(book, case["regime"], "2026-10-08")
    assert (view.facts["kind"], len(view.controls)) == (case["kind"], case["controls"])


def test_there_are_at_least_300_flow_cases() -> None:
    assert len(CASES["flow"]) >= 300


def test_every_clause_has_a_case(book: RegimeBook) -> None:
    assert uncovered(book) == {"controls": [], "regimes": [], "exceptions": [], "branches": [], "coverage": []}


def test_every_citation_opens_to_instrument_date_and_sources(book: RegimeBook) -> None:
    sources = set(book.tables["sources"]["source"])
    words = book.wording.of_rule("citation")
    rank = {rule.control: rule.rank for rule in book.law.rules}
    for row in book.tables["controls"].to_dict("records"):
        citation = words[rank[row["control"]]]
        assert row["instrument"] in citation
        assert ("proposed, undated" if pd.isna(row["from"]) else f"{row['from']:%Y-%m-%d}") in citation
        assert set(row["source"].split(";")) <= sources
