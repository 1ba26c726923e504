"""Scopes and reach: what parses, into what, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from supplychain.regimes import RegimeBook, destinations, reach
from supplychain.regimes.codes import MAYBE, NO, YES


def where(book: RegimeBook, scope: str, place: str, day: str) -> int:
    """How far a place is in a scope on a day, by the compiled law."""
    from supplychain.regimes.law import compile_law

    controls = book.tables["controls"].copy()
    controls.loc[0, "destination_scope"] = scope
    law = compile_law({**book.tables, "controls": controls})
    epoch = law.epochs(np.array([day], "datetime64[D]"))[0]
    return max(int(state[law.places[place], epoch]) for _, _, state in law.scopes[scope].clauses)


@pytest.mark.parametrize(
    ("scope", "place", "day", "state"),
    [
        ("A:1;A:5;A:6", "IND", "2024-09-10", YES),
        ("D:1;D:5", "IND", "2024-09-10", NO),
        ("worldwide", "MUS", "2024-09-10", YES),
        ("worldwide-except:A:1", "MUS", "2024-09-10", YES),
        ("worldwide except A:1", "IND", "2024-09-10", NO),
        ("non-EU", "NLD", "2024-09-10", NO),
        ("non-EU", "GBR", "2020-01-31", NO),
        ("non-EU", "GBR", "2020-02-01", YES),
        ("worldwide except EU;EU001", "CAN", "2024-09-10", NO),
        ("D:5;MAC", "MAC", "2024-09-10", YES),
        ("D:5", "MAC", "2024-09-10", NO),
        ("D:5", "HKG", "2024-09-10", YES),
        ("ARE;D:1;D:4 except D:5;MAC;A:5;A:6", "ARE", "2026-07-10", YES),
        ("D:1;D:4 except D:5;MAC;A:5;A:6", "ARE", "2026-07-10", NO),
        ("D:1;D:4 except D:5;MAC;A:5;A:6", "ARE", "2026-07-09", YES),
        ("D:1;D:4 except D:5;MAC;A:5;A:6", "ISR", "2026-07-09", NO),
        ("D:5", "KHM", "2026-09-23", MAYBE),
        ("D:5", "KHM", "2026-09-24", NO),
        ("worldwide except D:5", "KHM", "2026-09-23", MAYBE),
        ("D:5", "", "2024-09-10", MAYBE),
        ("USA", "", "2024-09-10", MAYBE),
        ("worldwide", "", "2024-09-10", YES),
    ],
)
def test_scope(book: RegimeBook, scope: str, place: str, day: str, state: int) -> None:
    assert where(book, scope, place, day) == state


def test_tags() -> None:
    use, party, office = destinations.parse("end-use:military in USA or entity:footnote-5 or head-office:D:5;MAC")
    assert (use.kind, use.tag, use.include) == ("end-use", "military", ("USA",))
    assert (party.kind, party.tag, party.include) == ("entity", "footnote-5", None)
    assert office.include == ("D:5", "MAC")
    mixed = destinations.parse("E:1;E:2;entity:footnote-5")
    assert [clause.kind for clause in mixed] == ["", "entity"]


@pytest.mark.parametrize("scope", ["A:1;;A:5", "entity:", "end-use:two words in USA", ""])
def test_a_scope_that_says_nothing_is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match=r"blank|tag"):
        destinations.parse(scope)


def test_reach() -> None:
    low, zero, product = reach.parse("de-minimis-25;de-minimis-0@2024-12-02;fdp@2024-12-02 if entity:footnote-5")
    assert (low.kind, low.threshold, low.since) == ("de-minimis", 0.25, reach.ALWAYS)
    assert (zero.threshold, str(zero.since)) == (0.0, "2024-12-02")
    assert product.entity == "footnote-5"
    assert reach.parse("content-floor-0.1")[0].threshold == pytest.approx(0.001)
    assert reach.parse("none") == reach.parse("reexport-origin") == ()


@pytest.mark.parametrize("text", ["de-minimis-x", "far", "fdp@soon", "fdp if rich", "de-minimis-250"])
def test_a_reach_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"percentage|reach|day"):
        reach.parse(text)
