"""Plans, explanations and downloads of drafts."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from supplychain.app.advise import FORMATS, advise
from supplychain.app.downloads import file_name, procurement_bytes, report_bytes, scenario_bytes, zipped
from supplychain.app.draft import Draft
from supplychain.app.explain import KINDS, What, explain, row_of
from supplychain.app.measure import measure
from supplychain.app.state import Desk, Work
from supplychain.app.views import answers
from supplychain.app.workspace import Setup, Workspace
from supplychain.case import Case
from supplychain.errors import UsageError
from supplychain.exchange.planned import planned
from supplychain.exchange.sap import quota_arrangements
from supplychain.exchange.sheets import write_tables
from supplychain.locate import datasets
from supplychain.report.language import ENGLISH
from supplychain.report.make import Request
from supplychain.sourcing import load_policy, source
from supplychain.whatif.apply import apply

TEMPLATE = datasets() / "template"
SETUP = Setup(policy="cheapest")
SWITCH = Draft(title="USA leaves").toggle("w1-iec", "USA", True)


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return Workspace.load(SETUP)


def test_the_plan_is_that_of_the_source_command(workspace: Workspace, tmp_path: Path) -> None:
    case = apply(SWITCH.scenario, Case.bundled()).case
    plan, advice = source(case, "cheapest"), advise(workspace, SETUP, SWITCH)
    for name, theirs in (("lines", plan.lines), ("needs", plan.needs), ("threats", plan.threats)):
        pd.testing.assert_frame_equal(getattr(advice, name)[theirs.columns], theirs, check_exact=True)
    assert advice.status == plan.status == "optimal"
    lines = planned(plan, case)
    path = tmp_path / "sap-quota.xlsx"
    write_tables("sap-quota", quota_arrangements(lines), lines.about, path)
    assert procurement_bytes(advice, "sap-quota") == path.read_bytes()
    figures = advice.figures.set_index("figure")
    assert figures.at["total_cost", "now"] == plan.summary["total_cost"]
    assert figures.at["total_cost", "today"] == plan.summary["cost_today"]
    base = source(Case.bundled(), "cheapest")
    assert figures.at["total_cost", "base"] == base.summary["total_cost"]
    moved = advice.lines["share"] - advice.lines["base_share"]
    assert np.array_equal(advice.lines["moved"], moved)
    sizes = advice.changes["moved"].abs()
    assert (sizes.diff().dropna() <= 0).all()


def test_every_procurement_format_can_be_taken_away(workspace: Workspace) -> None:
    advice = advise(workspace, SETUP, Draft())
    assert (advice.lines["moved"] == 0).all()
    for form in FORMATS:
        assert procurement_bytes(advice, form, ".csv").count(b"\n") > 100


def test_limits_of_a_draft_bind_its_plan_only(workspace: Workspace) -> None:
    draft = Draft().with_limit("caps.supplier", 0.6).with_limit("sources.minimum", 1)
    loose, tight = advise(workspace, SETUP, Draft()), advise(workspace, SETUP, draft)
    made = source(workspace.case(SETUP), load_policy("cheapest").with_(**{"caps.supplier": 0.6, "sources.minimum": 1}))
    pd.testing.assert_frame_equal(tight.lines[made.lines.columns], made.lines, check_exact=True)
    assert tight.relaxed == made.relaxed
    assert tight.plan.policy.caps.supplier == 0.6
    assert loose.plan.policy.caps.supplier != 0.6
    assert measure(workspace, SETUP, draft).headline.equals(measure(workspace, SETUP, Draft()).headline)


def test_an_outage_limits_what_makers_can_sell(workspace: Workspace) -> None:
    draft = Draft().with_action({"do": "outage", "organisations": ["shin-etsu-chemical"]})
    lines = advise(workspace, SETUP, draft).lines
    last = lines[(lines["period"] == lines["period"].max()) & (lines["organisation"] == "shin-etsu-chemical")]
    assert len(last)
    assert (last["share"] < 1e-6).all()


def test_a_headline_opens_down_to_sources(workspace: Workspace) -> None:
    reading = measure(workspace, SETUP, SWITCH)
    levels = explain(workspace, SETUP, SWITCH, What.of("headline", measure="at leave", horizon=12))
    assert levels[0].table["short"].iloc[0] == reading.head("at leave", 12, "short")
    assert levels[1].table["part"].sum() == pytest.approx(reading.head("at leave", 12, "short"), abs=1e-12)
    need = row_of(levels[1], 0)
    assert need is not None
    assert need.kind == "need"
    below = explain(workspace, SETUP, SWITCH, need)
    titles = [level.title for level in below[1:]]
    assert titles == ["Why: binding chain", "Lines", "Determinations", "Controls", "Sources"]
    lines, controls, sources = below[2].table, below[4].table, below[5].table
    own = lines[(lines["item"] == need.keys["item"]) & (lines["destination"] == need.keys["destination"])]
    assert own["share"].sum() == pytest.approx(1.0)
    assert {"quality", "source", "status", "withheld", "lost"} <= set(lines)
    assert (controls["decides"].diff().dropna() <= 0).all()
    named = {part for text in [*lines["source"], *controls["source"]] for part in text.split(";")} - {"", "none"}
    assert named == set(sources["source"]) | ({part for part in named if part not in set(sources["source"])})
    assert sources["url"].str.startswith("http").any()
    flow = row_of(below[2], int(np.flatnonzero(lines["status"] != "free")[0]))
    assert flow is not None
    told = explain(workspace, SETUP, SWITCH, flow)
    answer = told[1].table.set_index("fact")["value"]
    row = lines[(lines["supply"] == flow.keys["supply"]) & (lines["destination"] == flow.keys["destination"])].iloc[0]
    assert (answer["status"], answer["policy"], answer["control"]) == (row["status"], row["policy"], row["control"])
    clauses = told[2]
    control = row_of(clauses, 0)
    assert control is not None
    assert explain(workspace, SETUP, SWITCH, control)[0].title == f"Control {control.keys['control']}"


def test_elements_items_lines_and_sources_open(workspace: Workspace) -> None:
    reading = measure(workspace, SETUP, SWITCH)
    first = reading.choke_points.iloc[0]
    levels = explain(workspace, SETUP, SWITCH, What.of("element", of=first["kind"], element=first["element"]))
    assert levels[0].table["after"].iloc[0] == first["after"]
    assert (levels[1].table["withheld"] == 1).all() or (levels[1].table["lost"] == 1).all()
    item = explain(workspace, SETUP, SWITCH, What.of("item", item="wf6"))
    shown = reading.items.set_index("item").loc["wf6"]
    assert item[0].table["free"].iloc[0] == shown["free"]
    advice = advise(workspace, SETUP, SWITCH)
    line = advice.lines.iloc[0]
    levels = explain(workspace, SETUP, SWITCH, What.of("line", **line[["plant", "item", "supply"]].to_dict()))
    assert levels[0].table["share"].iloc[0] == line["share"]
    source_ = explain(workspace, SETUP, SWITCH, What.of("source", source="trendforce-nf3"))
    assert source_[0].table["title"].iloc[0]


def test_what_cannot_be_explained_is_a_usage_error(workspace: Workspace) -> None:
    asked = [
        What.of("nonsense"),
        What.of("need", plant="x"),
        What.of("need", plant="x", destination="IND", item="neon", measure="at leave", horizon=12),
        What.of("need", plant="x", destination="IND", item="neon", measure="somehow", horizon=12),
        What.of("element", of="leave of", element="ATA"),
        What.of("element", of="magic", element="USA"),
        What.of("item", item="unobtainium"),
        What.of("flow", supply="x", destination="IND"),
        What.of("control", control="x"),
        What.of("line", plant="x", item="y", supply="z"),
    ]
    assert {what.kind for what in asked} >= set(KINDS) - {"headline", "source"}
    for what in asked:
        with pytest.raises(UsageError):
            explain(workspace, SETUP, Draft(), what)


def test_amounts_of_money_read_as_money(workspace: Workspace) -> None:
    levels = explain(workspace, SETUP, SWITCH, What.of("headline", measure="at leave", horizon=12))
    desk = Desk(Work(SETUP, (SWITCH,)))
    page = answers.explain(desk, levels, None, workspace)
    amount = float(levels[0].table["margin_short"].iloc[0])
    assert ENGLISH.money(amount) in page
    assert f"{amount:g}" not in page


def test_downloads_have_safe_names_and_the_same_bytes(tmp_path: Path) -> None:
    assert file_name("../../etc/passwd", ".toml") == "etc-passwd.toml"
    assert file_name("\u202e</script>", ".zip") == "script.zip"
    assert file_name("名字", ".zip") == "draft.zip"
    assert Draft.read(scenario_bytes(SWITCH)) == SWITCH
    for name in ("b.txt", "a/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    assert zipped(tmp_path) == zipped(tmp_path)
    assert zipfile.ZipFile(io.BytesIO(zipped(tmp_path))).namelist() == ["a/c.txt", "b.txt"]


def test_the_report_to_take_away_is_of_the_setup_with_the_page_of_the_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Request] = []

    def made(request: Request, folder: Path, step: object) -> None:  # tests/report makes the report itself
        asked.append(request)
        folder.mkdir()
        (folder / "report.html").write_text("report", encoding="utf-8")

    monkeypatch.setattr("supplychain.report.make.make", made)
    setup = Setup(network=TEMPLATE, policy="cheapest", on="2026-10-01")
    own = Workspace.load(setup)
    draft = Draft(title="Germany is out").with_action({"do": "outage", "sites": ["DEU"], "months": 6})
    with zipfile.ZipFile(io.BytesIO(report_bytes(own, setup, draft))) as archive:
        assert {"report/report.html", "whatif/whatif.html", "whatif.toml"} <= set(archive.namelist())
        assert Draft.read(archive.read("whatif.toml")) == draft
        assert "Germany is out" in archive.read("whatif/whatif.html").decode("utf-8")
    assert (asked[0].network, asked[0].policy, asked[0].on) == (TEMPLATE, "cheapest", "2026-10-01")
    with zipfile.ZipFile(io.BytesIO(report_bytes(own, setup, Draft()))) as archive:
        assert archive.namelist() == ["report/report.html"]


def test_every_control_and_source_of_the_book_opens(workspace: Workspace) -> None:
    case, desk = workspace.base, Desk(Work(SETUP, (Draft(),)))
    asked = [What.of("control", control=control) for control in case.book.in_force(case.on)["control"]]
    gaps = {control for control in case.determinations.applied["control"] if control.startswith("not-held:")}
    assert gaps
    asked += [What.of("control", control=control) for control in (*sorted(gaps), "not-held:what nobody speaks of")]
    asked += [What.of("source", source=source) for source in case.book.tables["sources"]["source"]]
    for one in asked:
        page = answers.explain(desk, explain(workspace, SETUP, Draft(), one), None, workspace)
        assert "NaT" not in page, one
        assert "&lt;NA&gt;" not in page, one
