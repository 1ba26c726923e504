"""The engine against the law applied flow by flow, and the properties that any law must keep."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from flows import FOLDER, random_flows
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Reference

from supplychain.assumptions import Assumptions
from supplychain.errors import InputError, UsageError
from supplychain.regimes import RegimeBook
from supplychain.regimes.law import POLICIES, STATUSES

TOLD = ["status", "policy", "control", "floor", "floor_policy", "ceiling", "ceiling_policy"]
LEVEL = {pair: level for level, pair in enumerate(zip(STATUSES, POLICIES, strict=True))}


def strictness(table: pd.DataFrame) -> np.ndarray:
    """Floor and ceiling of each flow as levels."""
    low = [LEVEL[pair] for pair in zip(table["floor"], table["floor_policy"], strict=True)]
    high = [LEVEL[pair] for pair in zip(table["ceiling"], table["ceiling_policy"], strict=True)]
    return np.array([low, high])


@pytest.mark.parametrize(("assumed", "inferred", "seed"), [(False, False, 7), (True, True, 8)])
def test_engine_agrees_with_the_law_flow_by_flow(book: RegimeBook, assumed: bool, inferred: bool, seed: int) -> None:
    """Random codes, places, facts and days; `make bench` compares 50,000 flows of the bundled network as well."""
    flows = random_flows(650, seed)
    assumptions = Assumptions.load().settings if assumed else None
    table = book.determine(flows, inferred=inferred, assumptions=assumptions).table
    reference = Reference(FOLDER, assumptions["content"] if assumptions else None, inferred)
    told = pd.DataFrame([reference.determine(row, row["on"].date()) for row in flows.to_dict("records")])
    differ = (table[TOLD].astype(object).to_numpy() != told[TOLD].astype(object).to_numpy()).any(axis=1)
    assert not differ.any(), (
        flows[differ].iloc[0].to_dict(),
        table[differ].iloc[0][TOLD].to_dict(),
        told[differ].iloc[0],
    )
    assert set(table["status"]) >= {"free", "excepted", "licence", "indeterminate"}


def test_row_order_and_company_change_nothing(book: RegimeBook) -> None:
    flows = random_flows(250, 3)
    table = book.determine(flows).table
    order = np.random.default_rng(1).permutation(len(flows))
    shuffled = book.determine(flows.iloc[order].reset_index(drop=True)).table
    pd.testing.assert_frame_equal(table.iloc[order].reset_index(drop=True), shuffled)
    alone = pd.concat([book.determine(flows.iloc[[i]]).table for i in range(12)], ignore_index=True)
    pd.testing.assert_frame_equal(table.iloc[:12].reset_index(drop=True), alone)


def test_the_order_of_the_rows_of_the_book_changes_nothing(book: RegimeBook) -> None:
    flows = random_flows(200, 13)
    tables = {name: frame.sample(frac=1, random_state=5).reset_index(drop=True) for name, frame in book.tables.items()}
    found, shuffled = book.determine(flows), book.with_tables("shuffled", **tables).determine(flows)
    pd.testing.assert_frame_equal(found.table, shuffled.table)
    pd.testing.assert_frame_equal(found.applied, shuffled.applied)


def test_categorical_and_plain_columns_agree(book: RegimeBook) -> None:
    flows = random_flows(150, 4)
    kinds = flows.astype({name: "category" for name in flows.columns if name != "on"})
    pd.testing.assert_frame_equal(book.determine(flows).table, book.determine(kinds).table)


def new_control(book: RegimeBook, **values: object) -> pd.DataFrame:
    """The controls of the book with one more, made from an existing row."""
    controls = book.tables["controls"]
    row = controls[controls["control"] == "us-iec-3b903-other"].iloc[[0]].assign(control="hypothetical", **values)
    return pd.concat([controls, row], ignore_index=True)


SCOPES = st.sampled_from(
    ["worldwide", "CHN;IND", "A:5", "D:1;D:5", "worldwide-except:A:1", "non-EU", "end-use:military in USA"]
)
STATES = st.sampled_from(["USA", "CHN", "NLD", "JPN", "MYS", "EUU"])
CODES = st.sampled_from(["US:3B903", "US:3B001", "CN:3C001", "US:any", "US:*", "JPN:SEM", "US:EAR99"])
REACHES = st.sampled_from(["none", "fdp", "de-minimis-25", "de-minimis-0;fdp", "content-floor-0.1"])


@settings(max_examples=4, deadline=None)
@given(scope=SCOPES, state=STATES, code=CODES, reach=REACHES, policy=st.sampled_from(POLICIES[2:]))
def test_adding_a_control_never_loosens_and_lifting_it_restores(
    book: RegimeBook, scope: str, state: str, code: str, reach: str, policy: str
) -> None:
    flows = random_flows(100, 5)
    before = book.determine(flows).table
    added = new_control(
        book,
        destination_scope=scope,
        imposing=state,
        item_code=code,
        reach=reach,
        licence_policy=policy,
        regime="wassenaar",
    )
    stricter = book.with_tables("a hypothetical control", controls=added)
    after = stricter.determine(flows).table
    assert (strictness(after) >= strictness(before)).all()
    assert (after[before["status"] == "prohibited"]["status"] == "prohibited").all()
    lifted = stricter.with_tables("lifted", controls=added[added["control"] != "hypothetical"].reset_index(drop=True))
    pd.testing.assert_frame_equal(lifted.determine(flows).table, before)


def test_the_day_before_a_control_starts_is_the_law_without_it(book: RegimeBook) -> None:
    controls = book.tables["controls"]
    flows = random_flows(70, 6).drop(columns="on")
    for control in ("us-iec-3b903-concern", "cn-2024-46-us-ga", "us-sme-3b001.n", "nld-duv-2024", "us-affiliates"):
        row = controls[controls["control"] == control].iloc[0]
        without = book.with_tables(
            f"without {control}", controls=controls[controls["control"] != control].reset_index(drop=True)
        )
        eve = row["from"] - pd.Timedelta(days=1)
        ours, theirs = book.determine(flows, eve).table, without.determine(flows, eve).table
        pd.testing.assert_frame_equal(ours[TOLD], theirs[TOLD])


def test_a_flow_inside_one_state_meets_no_control(book: RegimeBook) -> None:
    flows = random_flows(300, 9)
    flows = flows[flows["origin"] != ""].assign(destination=lambda frame: frame["origin"])
    found = book.determine(flows)
    assert set(found.table["status"]) == {"free"}
    assert found.applied.empty


def test_status_follows_from_floor_and_ceiling(book: RegimeBook) -> None:
    table = book.determine(random_flows(900, 10)).table
    low, high = strictness(table)
    assert (low <= high).all()
    assert not ((table["status"] == "free") & (table["ceiling"] != "free")).any(), "unknown is never shown as free"
    assert (table.loc[table["status"] == "indeterminate", "questions"] != "").all()


def test_applied_lists_the_deciding_control_of_every_flow(book: RegimeBook) -> None:
    found = book.determine(random_flows(250, 11))
    decided = found.table[found.table["control"] != ""]
    listed = set(zip(found.applied["flow"], found.applied["control"], strict=True))
    assert set(zip(decided.index, decided["control"], strict=True)) <= listed
    certain = found.applied[found.applied["certain"]]
    assert not certain["conditional"].any()
    assert certain["flow"].is_monotonic_increasing


def test_columns_in_small_form_say_the_same(book: RegimeBook) -> None:
    found = book.determine(random_flows(250, 12), assumptions=Assumptions.load().settings)
    for name in ("status", "policy", "control", "questions"):
        assert np.asarray(found.column(name)).tolist() == found.table[name].tolist()
    settled = found.table["status"] != "indeterminate"
    assert found.table.loc[settled, "probability"].between(0, 1).all()
    assert found.table.loc[~settled, "delay_days"].isna().all()


def test_wrong_questions_are_refused_with_row_and_column(book: RegimeBook) -> None:
    flows = pd.DataFrame(
        {"item_codes": ["US:3B903"] * 2, "origin": ["USA", "Korea"], "destination": "IND", "content": "USA=3"}
    ).assign(direct_product=["USA;none", "America"])
    with pytest.raises(InputError) as caught:
        book.determine(flows, "2024-09-10")
    assert {(p.column, p.row) for p in caught.value.problems} == {
        ("origin", 3),
        ("content", 2),
        ("direct_product", 3),
    }
    with pytest.raises(InputError, match="'UAS' is no state"):
        book.determine(flows.assign(origin="USA", content="UAS=0.3", direct_product=""), "2024-09-10")
    flows = flows.drop(columns="direct_product")
    with pytest.raises(UsageError, match="destination"):
        book.determine(flows.drop(columns="destination"), "2024-09-10")
    with pytest.raises(UsageError, match="not a day"):
        book.determine(flows.assign(origin="USA", content=""), "tomorrow")


def test_codes_of_a_list_that_the_book_does_not_hold_are_open(book: RegimeBook) -> None:
    flows = pd.DataFrame({"item_codes": ["IND:8A301", "FOO:1;US:EAR99"], "origin": "IND", "destination": "DEU"})
    table = book.determine(flows, "2024-09-10").table
    assert (table["status"] == "indeterminate").all()
    assert "IND:8A301" in table["questions"].iloc[0]


def test_end_uses_on_which_nothing_turns_are_told(book: RegimeBook) -> None:
    flow = pd.DataFrame({"item_codes": ["US:3B903"], "origin": "USA", "destination": "CHN", "end_use": "toys"})
    assert any("'toys'" in text for text in book.determine(flow, "2024-09-10").warnings)
    assert not book.determine(flow.assign(end_use="military"), "2024-09-10").warnings
    early = book.determine(flow.assign(end_use="none"), "2019-01-01").warnings
    assert len(early) == 1, "the silence of the book is told once"


def test_no_flows_give_no_rows(book: RegimeBook) -> None:
    empty = pd.DataFrame({"item_codes": [], "origin": [], "destination": []}, dtype="str")
    found = book.determine(empty, "2024-09-10")
    assert found.table.empty
    assert found.applied.empty
