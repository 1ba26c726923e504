"""Up to four drafts side by side: the same figures of each in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from supplychain.app.measure import Reading, measure
from supplychain.errors import UsageError
from supplychain.whatif.outlook import LOSSES, NEED

if TYPE_CHECKING:
    from supplychain.app.draft import Draft
    from supplychain.app.workspace import Setup, Workspace

MOST: Final = 4
BASE: Final = "As it is"
_NOISE: Final = 1e-9


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Readings of drafts in joined tables; ``labels`` are the drafts' titles, told apart where they are alike.

    headline: measure, horizon, draft, after, short, after_high, short_high, margin_short, delta_after, delta_short (to
    the case as it is); the case itself comes first as "As it is". needs: the same by plant, destination and item, where
    some draft changes something. choke_points: kind, element, name, and one column for each draft: after, blank where
    the element is no choke point. warnings: label and text of each.
    """

    labels: tuple[str, ...]
    readings: tuple[Reading, ...]
    headline: pd.DataFrame
    needs: pd.DataFrame
    choke_points: pd.DataFrame
    warnings: pd.DataFrame


def side_by_side(workspace: Workspace, setup: Setup, drafts: Sequence[Draft]) -> SideBySide:
    """Return one to four drafts side by side. Raises UsageError for another number of them."""
    if not 1 <= len(drafts) <= MOST:
        raise UsageError(f"compare one to {MOST} drafts, not {len(drafts)}")
    readings = tuple(measure(workspace, setup, draft) for draft in drafts)
    labels = _labels([draft.title for draft in drafts])
    return SideBySide(
        labels=labels,
        readings=readings,
        headline=_joined(labels, [reading.headline for reading in readings], ["measure", "horizon"]),
        needs=_moved(_joined(labels, [reading.needs for reading in readings], [*NEED, "measure", "horizon"])),
        choke_points=_chokes(labels, readings),
        warnings=pd.DataFrame(
            [(label, text) for label, reading in zip(labels, readings, strict=True) for text in reading.warnings],
            columns=["draft", "warning"],
        ),
    )


def _labels(titles: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for title in titles:
        number, label = 1, title
        while label in (*found, BASE):
            number += 1
            label = f"{title} ({number})"
        found.append(label)
    return tuple(found)


def _joined(labels: Sequence[str], tables: Sequence[pd.DataFrame], keys: list[str]) -> pd.DataFrame:
    values = [name for name in (*LOSSES, "margin_short") if name in tables[0]]
    base = tables[0][[*keys, *(f"base_{name}" for name in values)]]
    frames = [base.rename(columns={f"base_{name}": name for name in values}).assign(draft=BASE)]
    frames += [table.assign(draft=label) for label, table in zip(labels, tables, strict=True)]
    joined = pd.concat([frame[[*keys, "draft", *values]] for frame in frames], ignore_index=True)
    for end in ("after", "short"):
        base_end = pd.concat([table[f"base_{end}"] for table in (tables[0], *tables)], ignore_index=True)
        joined[f"delta_{end}"] = joined[end] - base_end
    return joined


def _moved(table: pd.DataFrame) -> pd.DataFrame:
    """Return the needs in which some draft changes something, all drafts of each."""
    keys = [*NEED, "measure", "horizon"]
    spread = table.groupby(keys)[LOSSES].transform(lambda column: column.max() - column.min())
    rows = table[(spread > _NOISE).any(axis=1)]
    return rows.sort_values(keys, kind="stable", ignore_index=True)


def _chokes(labels: Sequence[str], readings: Sequence[Reading]) -> pd.DataFrame:
    keys = ["kind", "element", "name"]
    columns = [readings[0].choke_points.set_index(keys)["base_after"].dropna().rename(BASE)]
    for label, reading in zip(labels, readings, strict=True):
        columns.append(reading.choke_points.set_index(keys)["after"].dropna().rename(label))
    table = pd.concat(columns, axis=1) if any(map(len, columns)) else pd.DataFrame(columns=[*keys, BASE, *labels])
    table = table.reset_index() if any(map(len, columns)) else table
    order = table.assign(largest=table[[BASE, *labels]].max(axis=1))
    order = order.sort_values(["largest", *keys], ascending=[False, True, True, True], ignore_index=True)
    return order.drop(columns="largest")
