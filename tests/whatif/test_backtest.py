"""Backtests: their files are sound, their sources known, their verdicts as the page states them, misses included."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from supplychain.errors import UsageError
from supplychain.locate import datasets
from supplychain.whatif.backtest import backtest, backtests

pytestmark = pytest.mark.xdist_group("backtest")  # one worker runs the backtests that these tests read

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backtests.md"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.concat([backtest(name).table for name in backtests()], ignore_index=True)


def test_the_events_that_the_facts_date_are_there(table: pd.DataFrame) -> None:
    assert {"gallium-2023", "hf-2019", "neon-2022", "rare-earths-2025", "w1-2024"} <= set(backtests())
    known = {
        *pd.read_csv(datasets() / "semiconductors" / "sources.csv")["source"],
        *pd.read_csv(datasets() / "regimes" / "sources.csv")["source"],
        "none",
    }
    assert set(table["source"]) <= known
    with pytest.raises(UsageError, match="did you mean 'neon-2022'"):
        backtest("neon-2021")


def test_verdicts_are_what_the_numbers_say(table: pd.DataFrame) -> None:
    judged = table[table["verdict"] != "not judged"]
    days = judged["horizon"].isna()
    assert set(judged.loc[~days, "verdict"]) > {"inside"}
    for row in judged[~days].itertuples():
        inside = row.observed_high >= row.after - 0.01 and row.observed_low <= row.high + 0.01
        assert (row.verdict == "inside") == inside
        assert row.after <= row.short + 1e-9
        assert row.short <= row.high + 1e-9


def test_the_page_states_the_misses(table: pd.DataFrame) -> None:
    page = PAGE.read_text()
    missed = table[table["verdict"].isin(["below", "above"])]
    assert page.count("**miss: too high**") == (missed["verdict"] == "below").sum()
    assert page.count("**miss: too low**") == (missed["verdict"] == "above").sum()
    neon = table[(table["event"] == "neon-2022") & (table["item"] == "neon")].iloc[0]
    assert neon["short"] == pytest.approx(0.495, abs=1e-6)  # the share of 2021, not of today
