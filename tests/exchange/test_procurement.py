"""Plans out: whole quotas keep the split, every line carries its proof, nothing runs in a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supplychain.case import Case
from supplychain.cli import run
from supplychain.exchange.award import award_sheet, coupa_items, plain_plan
from supplychain.exchange.planned import PROOF, Planned, planned
from supplychain.exchange.sap import MAX_QUOTA, quota_arrangements, source_list, whole_quotas
from supplychain.exchange.sheets import SUFFIXES, fields, write_tables
from supplychain.locate import datasets
from supplychain.sourcing import load_policy, source

SHAPES = {
    "sap-quota": quota_arrangements,
    "sap-source-list": source_list,
    "ariba": award_sheet,
    "coupa": coupa_items,
    "plan": plain_plan,
}


@pytest.fixture(scope="module")
def plan() -> Planned:
    case = Case.load(network=datasets() / "template")
    return planned(source(case, load_policy("cheapest")), case)


@given(st.lists(st.floats(0.002, 1), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_quotas_are_whole_and_keep_the_split(shares: list[float]) -> None:
    quotas = whole_quotas(shares)
    part = np.array(shares) / sum(shares)
    assert all(isinstance(quota, int) and 1 <= quota <= MAX_QUOTA for quota in quotas)
    assert np.abs(np.array(quotas) / sum(quotas) - part).max() <= max(0.0011, 1 / sum(quotas))
    assert whole_quotas(shares) == quotas


def test_quotas_of_simple_splits_are_exact() -> None:
    assert whole_quotas([0.7, 0.3]) == [7, 3]
    assert whole_quotas([1.0]) == [1]
    assert whole_quotas([0.5, 0.25, 0.25]) == [2, 1, 1]
    assert whole_quotas([0.9999, 0.0001]) == [999, 1]  # the small one is rounded up, never dropped
    third = whole_quotas([1 / 3] * 3)
    assert len(set(third)) == 1


def test_quota_numbers_normalise_to_the_plan(plan: Planned) -> None:
    tables = quota_arrangements(plan)
    item = tables["item"]
    total = item.groupby("QuotaArrangement")["PurchasingSourceQuota"].transform("sum")
    share = item.groupby("QuotaArrangement")["PlannedShare"].transform("sum")
    assert np.allclose(item["PurchasingSourceQuota"] / total, item["PlannedShare"] / share, atol=1e-3)
    assert set(item["QuotaArrangement"]) == set(tables["header"]["QuotaArrangement"])
    assert (item["ValidityStartDate"] < item["ValidityEndDate"]).all()
    assert item["ValidityStartDate"].min() == plan.about["as_of"]


def test_every_format_documents_its_fields_and_carries_the_proof(plan: Planned) -> None:
    for kind, make in SHAPES.items():
        tables = make(plan)
        assert {name: list(table.columns) for name, table in tables.items()} == {
            name: list(described) for name, described in fields(kind).items()
        }
        last = list(tables.values())[-1]
        assert set(PROOF) <= set(last.columns)
        assert len(last)
        assert (last["AsOfDate"] == plan.about["as_of"]).all()
        assert last["SolverStatus"].isin(["optimal"]).all() or last["SolverStatus"].str.startswith("feasible").all()
        licensed = last[last["NeedsLicence"]]
        assert (licensed["Citation"] != "").all()
        assert licensed["LicenceStatus"].isin(["licence", "prohibited", "indeterminate"]).all()


def test_lines_that_need_a_licence_are_blocked_until_it_is_in_hand(plan: Planned) -> None:
    lines = plan.lines.assign(NeedsLicence=[True, *plan.lines["NeedsLicence"][1:]])
    records = source_list(Planned(lines, plan.about))["record"]
    assert (records["SourceOfSupplyIsBlocked"] == records["NeedsLicence"]).all()
    assert records["SourceOfSupplyIsBlocked"].any()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_in_a_file_runs(plan: Planned, suffix: str, tmp_path: Path) -> None:
    evil = '=HYPERLINK("http://x","y")'
    lines = plan.lines.assign(maker=evil, Citation="@SUM(1)", item="＝1")
    path = tmp_path / f"award{suffix}"
    for _ in range(2):
        write_tables("ariba", award_sheet(Planned(lines, plan.about)), plan.about, path, overwrite=True)
        data = path.read_bytes()
    write_tables("ariba", award_sheet(Planned(lines, plan.about)), plan.about, path, overwrite=True)
    assert path.read_bytes() == data
    if suffix == ".xlsx":
        sheet = openpyxl.load_workbook(path)["award"]
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
        assert f"'{evil}" in {cell.value for row in sheet.iter_rows() for cell in row}
    elif suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.DictReader(file) for cell in row.values()]
        assert f"'{evil}" in cells
        assert not any(cell[:1] in "=@＝" for cell in cells if cell)
    elif suffix == ".json":
        read = json.loads(path.read_text(encoding="utf-8"))
        assert read["award"][0]["Supplier"] == evil
        assert read["solver_status"] == plan.about["solver_status"]
    else:
        table = pq.read_table(path)
        assert table["Supplier"][0].as_py() == evil
        assert b"solver_status" in table.schema.metadata[b"supplychain"]


def test_splits_that_change_get_a_validity_of_their_own(plan: Planned) -> None:
    dates = plan.lines.groupby(["plant", "item"])[["valid_from", "valid_to"]].agg(["min", "max"])
    assert (pd.to_datetime(dates["valid_to", "max"]) > pd.to_datetime(dates["valid_from", "min"])).all()
    for _, group in plan.lines.groupby(["plant", "item", "supply"]):
        ordered = group.sort_values("valid_from")
        follows = pd.to_datetime(ordered["valid_to"]).shift() + pd.Timedelta(days=1)
        later = ordered["valid_from"].iloc[1:]
        assert (follows.iloc[1:].dt.strftime("%Y-%m-%d") <= later).all()


def test_command_writes_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = str(datasets() / "template")
    words = ["export", "sap-quota", str(tmp_path / "q.csv"), "--network", network, "--policy", "cheapest", "--quiet"]
    assert run(words) == 0
    assert (tmp_path / "q.csv").read_text(encoding="utf-8").startswith("QuotaArrangement,Material,Plant")
    assert run(words) == 2
    assert run([*words[:2], str(tmp_path / "q.doc"), *words[3:]]) == 2
    assert "ends in" in capsys.readouterr().err
