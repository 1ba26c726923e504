"""Pictures of power, cost, time and doubt: each table against an independent count, each picture against its table."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supplychain.analysis.exposure import exposure
from supplychain.analysis.needs import need_weights
from supplychain.case import Case
from supplychain.network import SupplyNetwork
from supplychain.regimes import RegimeBook
from supplychain.report import curves, sankey, sections_studies, studies, tiers, words
from supplychain.report.findings import Findings
from supplychain.report.sections_chokes import choke_section
from supplychain.whatif.swings import swings
from supplychain.whatif.timeline import run_down


def test_flows_add_up_to_every_need_and_say_what_the_case_says(case: Case, findings: Findings) -> None:
    table = findings.tables["need_flows"]
    assert table["share"].sum() == pytest.approx(1)
    needs = case.needs.assign(weight=need_weights(case))
    for need in needs.itertuples():
        own = table[(table["plant"] == need.plant) & (table["item"] == need.item)]
        assert own["share"].sum() == pytest.approx(need.weight)
    compiled = case.compiled
    sure = 0.0  # counted offer by offer
    leave = case.leave_flows("optimistic")
    for need in needs.itertuples():
        for offer in range(int(compiled.offer_start[need.market]), int(compiled.offer_start[need.market + 1])):
            sure += need.weight * compiled.offer_weight[offer] * bool(leave[offer])
    assert table.loc[table["treatment"] == "leave", "share"].sum() == pytest.approx(sure)
    assert (table.loc[table["treatment"] == "place unknown", "origin"] == "").all()
    assert (table.loc[table["treatment"].isin(["leave", "open"]), "imposing"] != "").all()


parts = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("pqrs"), st.sampled_from("xyz"),
              st.sampled_from(list(sankey.TREATMENTS)), st.integers(1, 1000)),
    min_size=1, max_size=25,
)  # fmt: skip


@given(parts)
def test_a_sankey_holds_the_same_whole_at_every_bar(rows: list[tuple[str, str, str, str, int]]) -> None:
    flows = pd.DataFrame(rows, columns=["need", "origin", "decides", "treatment", "share"])
    flows["share"] /= flows["share"].sum()
    nodes, ribbons = sankey.layout(flows, ["need", "origin", "decides"], last=["y"])
    for column in range(3):
        bars = [node for node in nodes if node.column == column]
        assert sum(node.share for node in bars) == pytest.approx(1)
        assert all(one.y + one.height <= other.y + 1e-9 for one, other in pairwise(bars))
    for node in nodes:
        into = [ribbon for ribbon in ribbons if ribbon.far is node]
        out = [ribbon for ribbon in ribbons if ribbon.near is node]
        for side in (into, out):
            assert not side or sum(ribbon.share for ribbon in side) == pytest.approx(node.share)
        scale = node.height / node.share
        for side, ends in ((into, [r.end for r in into]), (out, [r.start for r in out])):
            if side:  # the ribbons fill the bar, one after another
                assert min(ends) == pytest.approx(node.y)
                assert max(e + r.share * scale for e, r in zip(ends, side, strict=True)) == pytest.approx(
                    node.y + node.height
                )


def test_small_parts_are_grouped_and_a_single_one_keeps_its_name() -> None:
    names, share = pd.Series(["a", "b", "c", "d"]), pd.Series([0.6, 0.38, 0.015, 0.005])
    assert sankey.grouped(names, share, 9, 0.02, "others").tolist() == ["a", "b", "others", "others"]
    assert sankey.grouped(names, share, 9, 0.01, "others").tolist() == ["a", "b", "c", "d"]
    assert sankey.grouped(names, share, 2, 0.0, "others").tolist() == ["a", "b", "others", "others"]


def test_leverage_has_error_bars_only_where_it_was_sampled(findings: Findings) -> None:
    table = findings.tables["leverage"]
    assert (table["low"] <= table["shapley"] + 1e-12).all()
    assert (table["shapley"] <= table["high"] + 1e-12).all()
    told = sections_studies.leverage_figure(findings)
    assert told is not None
    assert ("error bars hold" in told.caption) is not bool(table["exact"].iloc[0])
    counted = table.assign(low=table["shapley"], high=table["shapley"], exact=True, players=9)
    exact = sections_studies.leverage_figure(replace(findings, tables={**findings.tables, "leverage": counted}))
    assert exact is not None
    assert "there are no error bars" in exact.caption
    shown = table.head(3).assign(row=["<a>", "b", "c"])
    spread = curves.leverage(shown.assign(low=shown["shapley"] - 0.01, high=shown["shapley"] + 0.01), "x", "l")
    bare = curves.leverage(shown.assign(low=shown["shapley"], high=shown["shapley"]), "x", "l")
    assert spread.count("<line") + spread.count("<path") > bare.count("<line") + bare.count("<path")
    assert "<a>" not in spread


def test_the_frontier_holds_the_plan_and_today_as_the_plan_has_them(findings: Findings) -> None:
    table = findings.tables["frontier"].set_index("kind")
    summary = dict(findings.tables["plan_summary"].itertuples(index=False, name=None))
    assert table.loc["today", "cost"] == pytest.approx(float(summary["cost_today"]))
    assert table.loc["plan", "cost"] == pytest.approx(float(summary["total_cost"]))
    threats = findings.tables["plan_threats"].set_index("threat")
    for kind, column in (("today", "mean_resourced_before"), ("plan", "mean_resourced_after")):
        row = table.loc[kind]
        assert row["worst_loss"] == pytest.approx(threats.loc[row["worst"], column])
    line = findings.tables["frontier"]
    line = line[line["kind"].isin(["end", "supported"])]
    assert (line["cost"].diff().dropna() >= -1e-9).all()
    assert (line["exposure"].diff().dropna() <= 1e-9).all(), "more money never buys more exposure"
    empty = studies.frontier_points(None)
    assert list(empty.columns) == list(findings.tables["frontier"].columns)
    assert sections_studies.frontier_figure(replace(findings, tables={**findings.tables, "frontier": empty})) is None


def test_the_month_of_the_report_and_the_swings_say_what_the_first_page_says(findings: Findings) -> None:
    overall = findings.tables["overall"]
    months = findings.tables["by_month"].set_index("month")
    assert len(months) == studies.BACK + studies.AHEAD + 1
    for measure in ("in_force", "at_leave"):
        head = overall[(overall["measure"] == measure) & (overall["horizon"] == findings.horizon)].iloc[0]
        own = months.loc[pd.Timestamp(findings.on)]
        assert own[measure] == pytest.approx(head["short_run"], abs=1e-9)
        assert own[f"{measure}_high"] == pytest.approx(head["high"], abs=1e-9)
    moves = findings.tables["swings"].set_index("what")
    assert moves["short"].iloc[0] == pytest.approx(head["short_run"], abs=1e-9)
    assert moves["after"].iloc[0] == pytest.approx(head["after"], abs=1e-7)
    assert moves.loc["open determinations", "short_high"] == pytest.approx(head["high"], abs=1e-9)
    assert (months.index[months["instruments"] != ""] > months.index[0]).all()


def test_a_swing_is_the_exposure_under_the_changed_assumption(case: Case, findings: Findings) -> None:
    table = findings.tables["swings"].set_index("what")
    other = case.with_(assumptions={"resourcing.outbid": 0.0})
    found = exposure(other, (12.0,)).table
    found = found[found["measure"] == "at leave"].merge(
        other.needs.assign(weight=need_weights(other)), on=["plant", "destination", "item"]
    )
    assert table.loc["resourcing.outbid", "after_low"] == pytest.approx(
        float(found["weight"] @ found["after_resourcing"]), abs=1e-7
    )
    again = swings(case)
    pd.testing.assert_frame_equal(again, findings.tables["swings"])
    assert (again["swing"].diff().dropna() <= 0).all()


def tiny(stock_days: float) -> Case:
    """One plant that buys an item made in China for 3 parts of 4."""
    items = pd.DataFrame([("gas", 2, "gas", 0.0)], columns=["item", "tier", "category", "spare_capacity"])
    supplies = pd.DataFrame(
        [("gas.c", "gas", "CHN", 0.75), ("gas.j", "gas", "JPN", 0.25)], columns=["supply", "item", "site", "share"]
    )
    plants = pd.DataFrame(
        [("p", "acme", "DEU", "gas", 1.0, stock_days)],
        columns=["plant", "buyer", "site", "item", "demand", "stock_days"],
    )
    network = SupplyNetwork.from_tables({"items": items, "supplies": supplies, "plants": plants})
    return Case.make(network, RegimeBook.bundled(), "acme", on="2026-11-01")


def test_a_product_that_requires_nothing_has_flows_and_no_stocks() -> None:
    case = Case.bundled(buyer="IND", products=["copper-mine"])
    assert case.compiled.n_needs == 0
    flows = studies.need_flows(case)
    assert flows["share"].sum() == pytest.approx(1.0)
    assert len(flows) > 5
    assert studies.stocks(case, "CHL").empty


def test_a_stock_falls_by_what_is_withheld_and_ends_on_its_week() -> None:
    case = tiny(21.0)
    table = studies.stocks(case, "CHN")
    # 3 of 4 parts stay away: 5.25 days a week, so 21 days last exactly four weeks.
    assert table["stock_days"].head(6).tolist() == pytest.approx([21, 15.75, 10.5, 5.25, 0, 0], abs=1e-9)
    assert table["ends"].unique().tolist() == [4]
    assert table["loss"].head(6).tolist() == pytest.approx([0, 0, 0, 0, 0, 0.75], abs=1e-9)
    assert studies.stocks(case, "KOR").empty, "who supplies nothing draws on no stock"
    assert studies.stocks(case, "").empty
    none = run_down(tiny(0.0), np.zeros(2), 3)
    assert np.isnan(none.stock_days).all()
    assert not none.loss.any()


def test_the_stocks_shown_are_those_of_the_strongest_state(findings: Findings) -> None:
    table, ranked = findings.tables["stocks"], findings.tables["states"].dropna(subset="all_short_run")
    strongest = ranked.sort_values(["all_short_run", "state"], ascending=[False, True])["state"].iloc[0]
    assert set(table["state"]) == {strongest}
    for _, own in table.groupby(["plant", "item"]):
        gone = own.loc[own["stock_days"] <= studies.RAN_OUT, "week"]
        assert own["ends"].isna().all() if gone.empty else (own["ends"] == gone.min()).all()
    told = sections_studies.stock_figure(findings)
    assert told is not None
    assert findings.names.state(strongest) in told.title


words_ = st.text(st.sampled_from("abcdefgh (),-中文光刻胶"), min_size=1, max_size=70)


@given(words_, st.integers(6, 30))
def test_a_name_takes_two_lines_at_most_and_loses_nothing_that_fits(name: str, length: int) -> None:
    lines = tiers.wrapped(name, length)
    assert 1 <= len(lines) <= 2
    assert all(words.width(line) <= length for line in lines)
    if not lines[-1].endswith("…"):
        assert "".join("".join(lines).split()) == "".join(name.split())


def test_names_in_the_network_lose_their_brackets_only_where_they_stay_apart() -> None:
    items = pd.DataFrame(
        {"item": ["a", "b", "c"], "name": ["EUV scanner (low NA)", "EUV scanner (high NA)", "Wafers (mainly 300 mm)"]}
    )
    found = {item: " ".join(lines) for item, lines in tiers.names_of(items).items()}
    assert found == {"a": "EUV scanner (low NA)", "b": "EUV scanner (high NA)", "c": "Wafers"}


def test_a_blank_regime_leaves_no_colon_behind(findings: Findings) -> None:
    table = findings.tables["choke_points"].assign(status="indeterminate", regime="")
    section = choke_section(replace(findings, tables={**findings.tables, "choke_points": table}))
    assert {row["law"] for row in section.parts[0].rows} == {"not determined"}  # type: ignore[union-attr]
