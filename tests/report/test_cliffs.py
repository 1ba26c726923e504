"""Days ahead: one row per change, and every variant of what the book does not know."""

from __future__ import annotations

from datetime import date

import pandas as pd

from supplychain.report import cliffs


def control(name: str, **days: str) -> dict[str, object]:
    periods = {
        key: pd.Timestamp(days[key]) if key in days else pd.NaT
        for key in ("from", "to", "suspended_from", "suspended_to")
    }
    return {
        "control": name,
        "regime": "r",
        "imposing": "CHN",
        "item": f"item of {name}",
        "licence_policy": "case-by-case",
        "quality": "reported",
        "source": "s1",
        **periods,
    }


def test_what_lies_ahead_and_what_does_not() -> None:
    controls = pd.DataFrame(
        [
            control("past", **{"from": "2020-01-01", "to": "2024-01-01"}),
            control("coming", **{"from": "2025-03-01"}),
            control("ending", **{"from": "2020-01-01", "to": "2025-02-01"}),
            control("asleep", **{"from": "2020-01-01", "suspended_from": "2024-06-01", "suspended_to": "2025-01-10"}),
            control("paused", **{"from": "2020-01-01", "suspended_from": "2025-04-01"}),
            control(
                "branching", **{"from": "2020-01-01", "suspended_from": "2024-06-01", "suspended_to": "2025-01-10"}
            ),
        ]
    )
    branches = pd.DataFrame(
        [
            {"branch": "b", "variant": variant, "control": "branching;gone", "date": pd.Timestamp(day),
             "description": "the suspension ends", "quality": "assumption", "source": "s2", "note": ""}
            for variant, day in (("long", "2026-01-10"), ("lapse", "2025-01-10"), ("past", "2024-12-01"))
        ]
    )  # fmt: skip
    table = cliffs.ahead({"controls": controls, "branches": branches}, date(2025, 1, 1))
    found = [(f"{row.date:%Y-%m-%d}", row.what, row.variant, row.controls) for row in table.itertuples()]
    assert found == [
        ("2025-01-10", "revives", "dated", "asleep"),
        ("2025-01-10", "revives", "lapse", "branching"),
        ("2025-02-01", "ends", "dated", "ending"),
        ("2025-03-01", "begins", "dated", "coming"),
        ("2025-04-01", "pauses", "dated", "paused"),
        ("2026-01-10", "revives", "long", "branching"),
    ]
    assert table["days_ahead"].tolist() == [9, 9, 31, 59, 90, 374]


def test_nothing_ahead_is_an_empty_table() -> None:
    controls = pd.DataFrame([control("past", **{"from": "2020-01-01", "to": "2024-01-01"})])
    table = cliffs.ahead({"controls": controls}, date(2025, 1, 1))
    assert table.empty
    assert list(table.columns) == list(cliffs.COLUMNS)
