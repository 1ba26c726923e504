"""Sourcing plans as an award sheet (Ariba style), a supplier-item list (Coupa style) and a plain table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from supplychain.exchange.planned import PROOF, Planned
from supplychain.network import DAYS_PER_MONTH

PLAIN = ["plant", "item", "name", "supply", "organisation", "maker", "site", "valid_from", "valid_to", "share", "today",
         "reserved", "volume", "unit", "unit_cost", "cost", "currency", "lead_time_months", "new"]  # fmt: skip


def award_sheet(plan: Planned) -> dict[str, pd.DataFrame]:
    """Return one row per lot (item at a plant), validity and supplier: the allocation in percent, to be laid over an
    award scenario exported from the sourcing event."""
    lines = _bought(plan)
    total = lines.groupby(["plant", "item", "valid_from"])["share"].transform("sum")
    award = pd.DataFrame(
        {
            "Scenario": plan.about["policy"],
            "Lot": lines["plant"],
            "Item": lines["item"],
            "Item Name": lines["name"],
            "Supplier": lines["maker"].where(lines["maker"] != "", lines["organisation"]),
            "Supplier ID": lines["organisation"],
            "Allocation (%)": (100 * lines["share"] / total).round(6),
            "Quantity": lines["volume"],
            "Unit of Measure": lines["unit"],
            "Price": lines["unit_cost"],
            "Extended Price": lines["cost"],
            "Currency": lines["currency"],
            "Award Start": lines["valid_from"],
            "Award End": lines["valid_to"],
            "Supply": lines["supply"],
        }
    )
    return {"award": award.assign(**{name: lines[name].to_numpy() for name in PROOF})}


def coupa_items(plan: Planned) -> dict[str, pd.DataFrame]:
    """Return one row per supplier and item, keyed by supplier number as Coupa's flat files are; what Coupa has no field
    for are custom fields."""
    lines = _bought(plan)
    largest = lines.groupby(["plant", "item", "valid_from"])["share"].transform("max") == lines["share"]
    table = pd.DataFrame(
        {
            "Supplier Number": lines["organisation"],
            "Supplier Name": lines["maker"].where(lines["maker"] != "", lines["organisation"]),
            "Item Number": lines["item"],
            "Item Name": lines["name"],
            "Price": lines["unit_cost"],
            "Currency": lines["currency"],
            "UOM": lines["unit"],
            "Minimum Order Quantity": lines["minimum_order"],
            "Lead Time": np.ceil(lines["lead_time_months"] * DAYS_PER_MONTH),
            "Preferred": np.where(largest, "Yes", "No"),
            "Start Date": lines["valid_from"],
            "End Date": lines["valid_to"],
            "Ship To": lines["plant"],
            "Planned Share": lines["share"],
            "Planned Quantity": lines["volume"],
            "Supply": lines["supply"],
        }
    )
    return {"supplier_items": table.assign(**{name: lines[name].to_numpy() for name in PROOF})}


def plain_plan(plan: Planned) -> dict[str, pd.DataFrame]:
    """Return every line of the plan, those that end included."""
    return {
        "lines": plan.lines[[*PLAIN, *PROOF]].sort_values(["plant", "item", "valid_from", "supply"], ignore_index=True)
    }


def _bought(plan: Planned) -> pd.DataFrame:
    lines = plan.lines[plan.lines["share"] > 0]
    return lines.sort_values(["plant", "item", "valid_from", "supply"], kind="stable", ignore_index=True)
