"""A case by month: the law of each month, and the instruments between."""

from __future__ import annotations

import pytest

from supplychain.analysis.history import history
from supplychain.case import Case
from supplychain.errors import UsageError


def test_gallium_moves_what_china_refuses_the_united_states() -> None:
    case = Case.bundled(buyer="USA", products=["gan-rf-device"], on="2025-01-01")
    table = history(case, "2024-11", "2025-12").table.set_index("month")
    held = table["flows_in_force_low"]
    assert held["2024-12-01"] < held["2025-01-01"], "denied from 2024-12-03"
    assert held["2025-12-01"] < held["2025-11-01"], "suspended from 2025-11-09"
    assert "cn-2024-46-us-ga" in table.loc["2025-01-01", "instruments"]
    assert "chn-us-ban-2024" in table.loc["2025-12-01", "regimes"]
    assert table.loc["2024-12-01", "instruments"] == ""
    assert (table["loss_at_leave_low"] >= table["loss_in_force_low"] - 1e-12).all()
    assert (table["loss_in_force_high"] >= table["loss_in_force_low"] - 1e-12).all()
    assert table["known"].all()
    bracket = history(case, "2024-11", "2025-12", after=True).table
    for measure in ("in_force", "at_leave"):
        low = bracket[f"after_resourcing_{measure}_low"]
        assert (low <= bracket[f"loss_{measure}_low"] + 1e-9).all(), "re-sourcing never loses more"
    assert bracket["loss_at_leave_low"].tolist() == table["loss_at_leave_low"].tolist()
    january = case.with_(on="2025-01-01")
    assert held["2025-01-01"] == january.denied_flows("optimistic").sum()


@pytest.mark.parametrize(
    ("start", "end"), [("2025-02", "2025-01"), ("2025", "2026"), ("soon", "2026-01"), ("1900-01", "2026-01")]
)
def test_months_that_are_none(start: str, end: str) -> None:
    case = Case.bundled(buyer="IND", products=["ai-accelerator"], on="2025-01-01")
    with pytest.raises(UsageError):
        history(case, start, end)
