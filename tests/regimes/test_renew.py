"""Taking over what a change of law does not concern gives what judging everything anew gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from supplychain.case import Case
from supplychain.facts.package import read_package
from supplychain.locate import datasets
from supplychain.regimes import RegimeBook
from supplychain.whatif.apply import apply
from supplychain.whatif.scenario import load_scenario, scenario_from


@pytest.fixture(scope="module")
def case() -> Case:
    # A book of its own: one that other tests asked about many days is compiled for all days at once, and from such
    # determinations nothing is taken over.
    book = RegimeBook.from_package(read_package(datasets() / "regimes", "regimes"))
    case = Case.bundled().with_(book=book)
    _ = case.determinations
    return case


def random_actions(rng: np.random.Generator, case: Case) -> list[dict[str, Any]]:
    controls = case.book.tables["controls"]
    some = rng.choice(controls["control"].to_numpy(object), 2, replace=False).tolist()
    regime, state = str(rng.choice(sorted(set(controls["regime"])))), str(rng.choice(["USA", "JPN", "NLD", "CHN"]))
    joiner = str(rng.choice(["KOR", "SGP", "MYS", "IND"]))
    kinds: list[dict[str, Any]] = [
        {"do": "lift", "controls": some},
        {"do": "suspend", "controls": some},
        {"do": "leave", "regime": regime, "states": [state]},
        {"do": "join", "regime": "w1-iec", "states": [joiner]},
        {"do": "impose", "control": "c", "imposing": "TWN", "items": ["wf6", "neon"], "policy": "case-by-case"},
        {"do": "impose", "control": "d", "imposing": "CHN", "codes": ["CN:3C001", "CN:9Z999"], "policy": "embargo"},
        {"do": "except", "name": "e", "controls": some, "destination": "IND;DEU"},
    ]
    return [kinds[k] for k in rng.choice(len(kinds), 2, replace=False).tolist()]


def same(case: Case) -> None:
    found = case.determinations
    anew = case.book.determine(case.flows(), on=case.on, assumptions=case.assumptions.settings)
    assert np.array_equal(found.index, anew.index)
    for name in ("table", "distinct", "applied"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(anew, name), check_exact=True)
    assert found.warnings == anew.warnings


@pytest.mark.parametrize(
    "name", ["w1-plus-kor", "w1-without-jpn", "consensus-wassenaar", "china-general-licences", "cliffs-2026-11-lapse"]
)
def test_bundled_scenarios_are_judged_alike(case: Case, name: str) -> None:
    same(apply(load_scenario(name), case).case)


@pytest.mark.parametrize("seed", range(8))
def test_random_changes_of_law_are_judged_alike(case: Case, seed: int) -> None:
    actions = random_actions(np.random.default_rng(seed), case)
    scenario = scenario_from({"title": "random", "action": actions})
    same(apply(scenario, case).case)


def test_most_items_are_taken_over(case: Case) -> None:
    other = apply(scenario_from({"title": "x", "action": [{"do": "lift", "controls": ["jpn-23"]}]}), case).case
    now, before = other.determinations, case.determinations
    assert other.book is not case.book
    alike = [a for a, b in zip(now.outcomes, before.outcomes, strict=True) if a.told is b.told]
    assert 0.5 < len(alike) / len(now.outcomes) < 1
