"""The bundled scenarios: each says what it is and rests on, has its page, runs quickly, gives its expected result."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from supplychain.case import Case
from supplychain.facts.countries import countries
from supplychain.locate import datasets, models
from supplychain.whatif.compare import compare
from supplychain.whatif.scenario import load_scenario, presets
from tests.whatif.expected import LOSSES, PATH, computed

DOCS = Path(__file__).resolve().parents[2] / "docs" / "scenarios"
SOURCES = {
    "none",
    *pd.read_csv(datasets() / "semiconductors" / "sources.csv")["source"],
    *pd.read_csv(datasets() / "regimes" / "sources.csv")["source"],
}
# What the mission's source names: joiners, defectors and the other arrangements and answers.
EU = [c.iso3.lower() for c in countries().values() if c.in_eu(pd.Timestamp("2026-11-01").date())]
IN_ALREADY = {"deu", "esp", "fin", "fra", "ita", "nld"}
WANTED = {
    "consensus-wassenaar", "w1-in-force", "flexible-exceptions", "g7-club", "trilateral-tools", "eu-only-list",
    "ttc-alignment", "information-sharing", "grey-zone-backfill", "russia-seat-kept", "russia-seat-ended",
    "china-controls-in-force", "china-ban-revived", "china-general-licences", "china-indigenous-slow",
    "china-indigenous-medium", "china-indigenous-fast", "diversify-sea-russia", "cliffs-2026-11-lapse",
    "cliffs-2026-11-short", "cliffs-2026-11-long", "taiwan-outage", "quartz-outage", "helium-outage",
    *(f"w1-plus-{state}" for state in {*EU, "kor", "twn", "sgp"} - IN_ALREADY),
    *(f"w1-without-{state}" for state in {*IN_ALREADY, "aus", "can", "gbr", "jpn", "usa"}),
}  # fmt: skip


def test_every_arrangement_that_the_mission_names_is_there() -> None:
    assert set(presets()) == WANTED


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_preset_says_what_it_is(name: str) -> None:
    one = load_scenario(name)
    assert one.title
    assert one.question.endswith((".", "?"))
    assert one.assumes
    assert set(one.sources) <= SOURCES
    assert one.actions or name in {"w1-in-force", "russia-seat-kept", "china-controls-in-force"}
    raw = tomllib.loads((models() / "scenarios" / f"{name}.toml").read_text())
    assert next(iter(raw)) == "title"


def test_every_preset_has_its_page() -> None:
    told = {name for page in DOCS.glob("*.md") for name in re.findall(r"^### `([a-z0-9-]+)`", page.read_text(), re.M)}
    assert told == WANTED


def test_every_preset_has_an_expected_result_and_a_sample_gives_it_again() -> None:
    expected = pd.read_csv(PATH)
    assert set(expected["scenario"]) == WANTED
    sample = ["china-ban-revived", "consensus-wassenaar", "taiwan-outage", "w1-plus-kor"]
    again = computed(sample, ["IND"])
    stored = expected[expected["scenario"].isin(sample) & (expected["buyer"] == "IND")].reset_index(drop=True)
    pd.testing.assert_frame_equal(again.drop(columns=LOSSES), stored.drop(columns=LOSSES), check_dtype=False)
    pd.testing.assert_frame_equal(again[LOSSES], stored[LOSSES], atol=2e-4, rtol=0)


def test_the_arrangements_differ_from_one_another() -> None:
    expected = pd.read_csv(PATH)
    rows = expected[(expected["buyer"] == "IND") & (expected["measure"] == "at leave")].set_index("scenario")
    groups = ["w1-in-force", "consensus-wassenaar", "flexible-exceptions", "trilateral-tools", "china-general-licences",
              "taiwan-outage"]  # fmt: skip
    assert len(rows.loc[groups, "short"].round(3).unique()) >= 5
    base = rows.loc["w1-in-force"]
    assert (rows.loc["consensus-wassenaar", LOSSES] <= base[LOSSES] + 1e-4).all()
    assert (rows.loc["taiwan-outage", LOSSES] >= base[LOSSES] - 1e-4).all()
    same = rows.loc[["russia-seat-kept", "china-controls-in-force"], LOSSES]
    assert (same == base[LOSSES]).all(axis=None)


def test_a_whole_comparison_fills_every_table() -> None:
    found = compare(Case.bundled(), [load_scenario("russia-seat-ended")])
    assert {name: len(table.columns) > 0 for name, table in found.tables.items()} == dict.fromkeys(found.tables, True)
    assert found.headline["scenario"].unique().tolist() == ["baseline", "russia-seat-ended"]
