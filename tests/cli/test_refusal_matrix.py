"""The page of refusals: what is nothing is left out, and what a page cannot hold is counted."""

from __future__ import annotations

import pandas as pd

from supplychain.cli.matrix import COLUMNS, ROWS, refusal_matrix


def losses(*rows: tuple[str, str, str, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["measure", "state", "plant", "item", "after_resourcing", "short_run"])


def test_states_by_items_and_the_worst_plant() -> None:
    frame, left = refusal_matrix(
        losses(
            ("all its supply", "CHN", "p", "dram", 0.0, 0.91),
            ("all its supply", "CHN", "q", "dram", 0.16, 0.25),
            ("all its supply", "JPN", "p", "hbm", 0.4, 0.5),
            ("all its supply", "ARE", "p", "dram", 0.0, 0.001),
            ("what it controls", "JPN", "p", "dram", 0.001, 0.07),
        )
    )
    assert frame.to_dict("records") == [
        {"measure": "all its supply", "state": "JPN", "dram": "", "hbm": "0.40 / 0.50"},
        {"measure": "all its supply", "state": "CHN", "dram": "0.16 / 0.91", "hbm": ""},
        {"measure": "what it controls", "state": "JPN", "dram": "0 / 0.07", "hbm": ""},
    ]
    assert left == ["Not shown: 1 states take nothing from anybody."]


def test_many_items_stand_in_rows_and_the_least_of_them_are_counted() -> None:
    many = [
        ("all its supply", f"S{state:02}", "", f"i{item:02}", 0.01 * (50 - item), 0.01 * (60 - item) + 0.001 * state)
        for item in range(ROWS + 5)
        for state in range(COLUMNS + 2)
    ]
    frame, left = refusal_matrix(losses(*many))
    assert frame.shape == (ROWS, COLUMNS + 2)
    assert frame["item"].tolist() == [f"i{item:02}" for item in range(ROWS)]
    assert "S00" not in frame, "the lightest states give way"
    assert left == ["Not shown: 2 states of less weight.", "Not shown: 5 rows of less weight."]


def test_nothing_lost_is_an_empty_page() -> None:
    frame, left = refusal_matrix(losses(("all its supply", "ARE", "", "dram", 0.0, 0.0)))
    assert frame.empty
    assert left == ["Not shown: 1 states take nothing from anybody."]
