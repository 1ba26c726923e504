"""A sample of the fault kit on every run of the tests; `python -m tests.facts.faultkit` runs all of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from supplychain.locate import datasets
from tests.facts.faultmodel import Outcome, Seed, run_all
from tests.facts.faultseeds import eto_seed, own_seed, package_seed
from tests.facts.faultvariants import variants

HEAVY = ("100,000 columns", "one line of 20 MB", "a cell of a million characters")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Seed:
    return own_seed(tmp_path_factory.mktemp("own"))


def wrong(outcomes: list[Outcome]) -> list[str]:
    return [
        f"[{o.variant.fault}] {o.variant.what}: {o.variant.expected}, but {o.got}, located: {o.located}\n{o.told}"
        for o in outcomes
        if not (o.right and o.located)
    ]


def sample(seed: Seed, every: int, first: int = 0) -> list[Outcome]:
    chosen = [v for v in variants(seed) if not v.what.endswith(HEAVY)][first::every]
    outcomes = run_all(seed, chosen)
    assert len(outcomes) > 5
    return outcomes


def test_the_kit_holds_faults_of_every_kind(own: Seed) -> None:
    expected = Counter((variant.fault, variant.expected) for variant in variants(own))
    refused = {*range(1, 6), 7, 8, *range(14, 18), 19, 22, *range(24, 29), 30, 31, 32, *range(34, 38)}
    refused |= {40, 43, 46, 48, 49, 52, 101, 109}
    assert refused <= {fault for fault, kind in expected if kind == "R"}
    assert {9, 20, 21, 28, 29, 32, 35, 41, 47} <= {fault for fault, kind in expected if kind == "W"}
    assert {13, 18, 23, 38, 100, 105, 106, 107, 108, 109, 110, 111} <= {f for f, kind in expected if kind == "A"}
    assert sum(expected.values()) > 1000


def test_faults_of_a_package_of_every_column(own: Seed) -> None:
    assert wrong(sample(own, 101)) == []


def test_faults_of_the_bundled_network() -> None:
    assert wrong(sample(package_seed("semiconductors", datasets() / "semiconductors"), 277, 5)) == []


def test_faults_of_the_regime_book() -> None:
    assert wrong(sample(package_seed("regimes", datasets() / "regimes"), 101, 3)) == []


def test_faults_of_the_eto_files(shared: Path) -> None:
    assert wrong(sample(eto_seed(shared / "eto"), 37, 1)) == []


@pytest.mark.parametrize("form", ["xlsx", "parquet"])
def test_faults_of_cells_in_other_forms(own: Seed, form: str) -> None:
    cells = [variant for variant in variants(own) if variant.sheet and variant.fault != 18]
    assert wrong(run_all(own, cells[7::601], form)) == []
