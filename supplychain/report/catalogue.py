"""The tables that a report writes, and what each holds; the page lists them too."""

from __future__ import annotations

from supplychain.report.words import mark

TABLES = {
    "overall": mark("mean exposure over the buyer's needs, by measure and horizon"),
    "plants": mark("exposure by plant: the largest over its needs, by measure and horizon"),
    "exposure": mark("exposure of every need by measure and horizon: both ends, unknown part, growth, touch"),
    "curve": mark("short-run loss of every need in each of 36 months"),
    "survival": mark("months to survive, loss area and months to recover of every need"),
    "because": mark("the binding chain of every need that loses, and the next one"),
    "chains": mark("the chains drawn in the network picture"),
    "split": mark("what the mean loss is made of: imposing state, regime, policy, role, tier, item"),
    "exposure_split": mark("the same for every need"),
    "choke_points": mark("states, makers and items by what their loss costs, with law and evidence"),
    "single_sources": mark(
        "items of which one maker or one state has most of the known supply, with loss, law and evidence"
    ),
    "choke_evidence": mark("the supply rows behind every choke point, with share, year, quality and source"),
    "concentration": mark("concentration of every item by maker, site and jurisdiction"),
    "states": mark("what each state can withhold: all its supply, and what it controls on the date"),
    "items": mark("every item of the chain, with the shares of its supply that are free, need leave, are open"),
    "controls_by_item": mark("share of every item's supply that needs leave, by imposing state, with the controls"),
    "controls_by_state": mark("how many items each state controls, may control, denies"),
    "need_flows": mark("how every need is met: site of production, and the state whose leave decides"),
    "leverage": mark("what each state adds to a refusal, over all orders in which states may join (Shapley value)"),
    "frontier": mark("what less exposure costs: points of the frontier, buying as today, and the plan"),
    "by_month": mark("exposure under the law of each month, and the instruments that changed"),
    "stocks": mark("stocks of the needs by week while one state refuses all its supply"),
    "swings": mark("how far the mean loss at leave moves with one assumption, group of facts, or the unknown law"),
    "plan_summary": mark("figures of the sourcing plan"),
    "plan_lines": mark("every line of the plan: share today and planned, reserve, cost, lead time, leave"),
    "plan_needs": mark("every need of the plan: sources, stock, losses before and after"),
    "plan_threats": mark("losses under every refusal, before and after the plan"),
    "plan_qualifications": mark("sources to qualify"),
    "plan_relaxed": mark("rules of the policy that gave way, and by how much"),
    "cliffs": mark("days ahead on which the law changes or may, by variant, and what that changes here"),
    "unknowns": mark("items with open flows, and how far settling them would move the answer"),
    "unattributed": mark("items whose makers or places are partly not known"),
    "data_quality": mark("what the facts of the case rest on"),
    "law": mark("every control that applies or may, with citation and the flows and items it bears on"),
    "determinations": mark("every flow that is not simply free, with its determination, questions and citation"),
    "assumptions": mark("every assumption in use, with unit, range, reason and source"),
    "sources": mark("title, publisher, date and address of every source cited"),
}
