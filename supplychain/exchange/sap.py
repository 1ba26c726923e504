"""Sourcing plans as SAP quota arrangements and source lists.

Field names are those of the SAP S/4HANA services Purchasing Quota Arrangement (communication scenario SAP_COM_0166)
and Purchasing Source (SAP_COM_0162), https://help.sap.com/doc/88b0d45562c04571a8d117bc8b6b3b7a/1.0/en-US/. A quota is
a whole number; SAP reads it relative to the sum of an arrangement's quotas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from supplychain.exchange.planned import PROOF, Planned
from supplychain.network import DAYS_PER_MONTH

MAX_QUOTA = 999  # three digits
PRECISE = 0.0005  # a split this close to the plan is not refined further
EXTERNAL = "F"  # procurement category: external


def whole_quotas(shares: Sequence[float]) -> list[int]:
    """Return whole numbers from 1 to 999 in the ratio of the shares (all above 0), as small as is precise enough.

    Largest remainders (Hamilton) for every sum up to 1000; the first sum whose split is within PRECISE of the plan,
    else the best. Every supplier of the plan keeps at least 1, so a share below 1/1000 is rounded up, never dropped.

    >>> whole_quotas([0.7, 0.3])
    [7, 3]
    """
    part = np.asarray(shares, dtype=np.float64)
    part = part / part.sum()
    best: tuple[float, list[int]] = (np.inf, [])
    for total in range(len(part), 1001 + len(part)):
        exact = part * total
        quota = np.maximum(np.floor(exact + 1e-9), 1)
        rest = int(total - quota.sum())
        if rest > 0:
            order = np.lexsort((np.arange(len(part)), -(exact - np.floor(exact + 1e-9))))
            quota[order[:rest]] += 1
        quota = np.minimum(quota, MAX_QUOTA)
        error = float(np.abs(quota / quota.sum() - part).max())
        if error < best[0] - 1e-12:
            best = (error, [int(value) for value in quota])
        if error <= PRECISE:
            break
    return best[1]


def quota_arrangements(plan: Planned) -> dict[str, pd.DataFrame]:
    """Return header (one row per material, plant and validity) and item (one row per supplier), linked by
    QuotaArrangement. Plain lines of the plan without a share have no item."""
    lines = plan.lines[plan.lines["share"] > 0].reset_index(drop=True)
    key = ["item", "plant", "valid_from"]
    lines = lines.sort_values([*key, "supply"], kind="stable", ignore_index=True)
    number = lines.groupby(key, sort=False).ngroup() + 1
    arrangement = number.map("{:010d}".format)
    quota = np.zeros(len(lines), dtype=np.int64)
    for rows in lines.groupby(key, sort=False).indices.values():
        quota[rows] = whole_quotas(lines["share"].to_numpy(float)[rows].tolist())
    header = pd.DataFrame(
        {
            "QuotaArrangement": arrangement,
            "Material": lines["item"],
            "Plant": lines["plant"],
            "ValidityStartDate": lines["valid_from"],
            "ValidityEndDate": lines["valid_to"],
            "MaterialBaseUnit": lines["unit"],
        }
    )
    item = header.assign(
        QuotaArrangementItem=(lines.groupby(key, sort=False).cumcount() + 1).map("{:04d}".format),
        MaterialProcurementCategory=EXTERNAL,
        MaterialProcurementType="",
        Supplier=lines["organisation"],
        SupplyingPlant="",
        PurchasingSourceQuota=quota,
        QuotaMaximumQuantity=lines["capacity"],
        MaterialMinLotSizeQuantity=lines["minimum_order"],
        MaterialMaxLotSizeQuantity=np.nan,
        PlannedDeliveryDurationInDays=np.ceil(lines["lead_time_months"] * DAYS_PER_MONTH),
        PlannedShare=lines["share"],
        PlannedQuantity=lines["volume"],
        Supply=lines["supply"],
        **{name: lines[name] for name in PROOF},
    )
    return {"header": header.drop_duplicates(ignore_index=True), "item": item}


def source_list(plan: Planned) -> dict[str, pd.DataFrame]:
    """Return the source list: one record per material, plant and supplier that the plan buys from or keeps reserved,
    blocked while a licence is not in hand."""
    lines = plan.lines[(plan.lines["share"] > 0) | (plan.lines["reserved"] > 0)].reset_index(drop=True)
    key = ["item", "plant"]
    lines = lines.sort_values([*key, "supply", "valid_from"], kind="stable")
    first = lines.drop_duplicates([*key, "supply"], ignore_index=True)
    last = lines.groupby([*key, "supply"], sort=True)["valid_to"].max().to_numpy()
    alone = first.groupby(key)["supply"].transform("size") == 1
    record = pd.DataFrame(
        {
            "Material": first["item"],
            "Plant": first["plant"],
            "SourceListRecord": (first.groupby(key, sort=False).cumcount() + 1).map("{:05d}".format),
            "ValidityStartDate": first["valid_from"],
            "ValidityEndDate": last,
            "Supplier": first["organisation"],
            "SupplyingPlant": "",
            "OrderQuantityUnit": first["unit"],
            "SupplierIsFixed": alone,
            "SourceOfSupplyIsBlocked": first["NeedsLicence"].to_numpy(bool),
            "MRPSourcingControl": "1",
            "Supply": first["supply"],
        }
    )
    return {"record": record.assign(**{name: first[name] for name in PROOF})}
