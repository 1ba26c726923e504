"""The refusals of states on one page: a matrix of states and items for people; machines get the long table."""

from __future__ import annotations

import pandas as pd

COLUMNS, ROWS = 8, 40  # what a page holds
LEAST = 0.005  # what two decimals show as nothing
_SIZE = ["after_resourcing", "short_run"]


def refusal_matrix(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return "after re-sourcing / short run" by measure, state and item, and what of it is not shown.

    table: rows of `Refusals.table` of one horizon. Of several plants the one hit worst counts. Whichever are fewer,
    items or states, become the columns; what is nothing is left out, and the least of what a page cannot hold.
    """
    losing = table[table["short_run"] >= LEAST]
    worst = losing.groupby(["measure", "state", "item"])[_SIZE].max().reset_index()
    across, down = "item", "state"
    if worst["item"].nunique() > max(worst["state"].nunique(), COLUMNS):
        across, down = down, across
    heaviest = worst.groupby(across)[_SIZE].sum().sort_values(_SIZE, ascending=False, kind="stable").index
    largest = worst.groupby(["measure", down])[_SIZE].max().reset_index()
    largest = largest.sort_values(["measure", *_SIZE], ascending=[True, False, False], kind="stable")
    shown = largest.groupby("measure").head(ROWS)
    worst["cell"] = [f"{_two(after)} / {_two(short)}" for after, short in zip(*(worst[c] for c in _SIZE), strict=True)]
    cells = worst.pivot(index=["measure", down], columns=across, values="cell").fillna("")
    frame = cells.loc[pd.MultiIndex.from_frame(shown[["measure", down]]), sorted(heaviest[:COLUMNS])].reset_index()
    frame.columns.name = None
    counts = (
        (table["state"].nunique() - losing["state"].nunique(), "states take nothing from anybody"),
        (len(heaviest) - COLUMNS, f"{across}s of less weight"),
        (len(largest) - len(shown), "rows of less weight"),
    )
    return frame, [f"Not shown: {count} {what}." for count, what in counts if count > 0]


def _two(value: float) -> str:
    return f"{value:.2f}" if value >= LEAST else "0"
