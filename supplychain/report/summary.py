"""The first page: five sentences an executive can use, each number taken from one table and given as a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supplychain.report import cliffs, words
from supplychain.report.sections_plan import cost_words, figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supplychain.report.findings import Findings

Sentence = dict[str, str]
_CHANGE = {"begins": "in force", "revives": "back in force", "pauses": "suspended", "ends": "no longer in force"}


def title(findings: Findings) -> str:
    """Return the title of the page."""
    if findings.is_country:
        who = findings.names.state(findings.buyer)
    else:
        who = "an illustrative buyer" if findings.illustrative else f"the buyer “{findings.buyer}”"
    return f"What export controls can withhold from {who}"


def sentences(findings: Findings) -> list[Sentence]:
    """Return the five sentences: exposure, choke points, states, plan, what is ahead and unknown."""
    return [_exposure(findings), _chokes(findings), _states(findings), _plan(findings), _ahead(findings)]


def _exposure(findings: Findings) -> Sentence:
    table = findings.tables["exposure"]
    now = table[(table["horizon"] == findings.horizon) & (table["measure"] == "at leave")]
    order = ["short_run", "short_run_high", "item", "plant", "destination"]
    worst = now.sort_values(order, ascending=[False, False, True, True, True]).to_dict("records")[0]
    overall = findings.tables["overall"]
    rows = overall[overall["horizon"] == findings.horizon].to_dict("records")
    mean = {str(row["measure"]): row for row in rows}
    leave, force = mean["at_leave"], mean["in_force"]
    within = words.months(findings.horizon)
    if worst["short_run_high"] < 0.0005:
        return {
            "lead": "Nothing that this case needs hangs on the leave of a state.",
            "body": f"No need loses anything within {within} if all leave were refused.",
        }
    where = findings.place(str(worst["plant"]), str(worst["destination"]))
    where = f"{'at' if worst['plant'] else 'in'} {where}"
    hit = f"{words.number(leave['needs_hit'])} of {words.number(leave['needs'])}"
    hardest = words.bracket(worst["after_resourcing"], worst["short_run"], worst["unknown"])
    mean_loss = words.bracket(*_ends(leave))
    item = findings.names.item(str(worst["item"]))
    return {
        "lead": f"{hit} needs hang on the leave of states.",
        "body": (
            f"If all leave were refused, the needs would lose {mean_loss} on average within {within}: the low end "
            f"after re-sourcing, the high end before it. The hardest hit is {item} {where}, {hardest}. "
            f"{_already(force)}"
        ),
    }


def _ends(row: Mapping[Any, Any]) -> tuple[float, float, float]:
    return float(row["after"]), float(row["short_run"]), float(row["unknown"])


def _already(force: Mapping[Any, Any]) -> str:
    after, short_run, unknown = _ends(force)
    if short_run >= 0.0005:
        return f"Of this, {words.bracket(after, short_run, unknown)} is refused already."
    if unknown >= 0.0005:
        return f"Nothing is refused already for certain; unknown facts leave up to {words.percent(unknown, 1)} open."
    return "Nothing is refused already."


def _chokes(findings: Findings) -> Sentence:
    table, month = findings.tables["choke_points"], f"{findings.horizon:g}"
    found = table[table["choke_point"] & table["kind"].isin(["item", "organisation", "supply"])]
    if found.empty:
        return {
            "lead": "No single item or maker is a choke point.",
            "body": "None would cost 5 % or more of the needs once sources are changed.",
        }
    named = [
        f"{row['name']} ({words.percent_range(row[f'after_{month}_low'], row[f'short_{month}_low'])})"
        for row in found.head(3).to_dict("records")
    ]
    regime = int((table["w1"] != "no").sum())
    tail = (
        "Wassenaar minus one decides, or may, for "
        f"{words.count(regime, 'of the listed elements', 'of the listed elements')}."
        if regime
        else "Wassenaar minus one decides for none of the listed elements."
    )
    return {
        "lead": f"{words.count(len(found), 'item or maker', 'items or makers')} would stop 5 % or more of the needs "
        "even after "
        "re-sourcing.",
        "body": f"The tightest are {words.listed(named)} of the needs. {tail}",
    }


def _states(findings: Findings) -> Sentence:
    table = findings.tables["states"]
    ranked = table[table["all_short_run"] >= 0.005].head(3)
    if ranked.empty:
        return {"lead": "No state alone can withhold a part of the needs that matters.", "body": ""}
    names = findings.names
    most = [
        f"{names.state(row['state'])} {words.bracket(row['all_after'], row['all_short_run'], row['all_unknown'])}"
        for row in ranked.to_dict("records")
    ]
    quick = table[table["all_short_run"].notna()].sort_values("all_short_run", ascending=False, kind="stable").iloc[0]
    first = ""
    if quick["state"] not in set(ranked["state"]):
        share = words.percent(float(quick["all_short_run"]))
        first = f"In the short run it is {names.state(str(quick['state']))}, {share}. "
    leave = table[table["leave_short_run"] >= 0.0005].sort_values("leave_short_run", ascending=False, kind="stable")
    held = [
        f"{names.state(s)} {words.percent(v, 1)}" for s, v in zip(leave["state"], leave["leave_short_run"], strict=True)
    ]
    law = f"By what needs leave on the date, the short run is {words.listed(held, 3)}." if held else (
        "By what needs leave on the date, no state withholds a part that matters."
    )  # fmt: skip
    each, foremost = "; ".join(most), [names.state(state) for state in ranked["state"]]
    return {
        "lead": f"{words.listed(foremost)} could withhold most, even after re-sourcing.",
        "body": f"If one refused all its supply the needs would lose: {each}. {first}{law}",
    }


def _plan(findings: Findings) -> Sentence:
    if findings.no_plan:
        return {"lead": "No sourcing plan is recommended.", "body": f"None was proved: {findings.no_plan}"}
    plan = figures(findings)
    kept = ""
    if plan["rules_given_way"]:
        count = words.count(int(plan["rules_given_way"]), "rule")
        kept = f" {count} of the policy cannot be kept in full; each is named below."
    after = [words.percent(plan[f"worst_all_resourced_{when}"], 1) for when in ("before", "after")]
    short_run = [words.percent(plan[f"worst_all_short_run_{when}"], 1) for when in ("before", "after")]
    qualify = words.count(int(plan["to_qualify"]), "second source")
    return {
        "lead": f"Move {words.percent(plan['share_changed'])} of the volumes and qualify {qualify}.",
        "body": (
            f"The plan ({plan['policy_title']}, {plan['status']}) costs {cost_words(plan)} than buying as today. If "
            "the worst state refused all its supply, the loss that stays after re-sourcing goes from "
            f"{after[0]} to {after[1]} (short run {short_run[0]} to {short_run[1]}), all needs counting alike.{kept}"
        ).replace("about the same than", "about the same as"),
    }


def _ahead(findings: Findings) -> Sentence:
    table = findings.tables["cliffs"]
    unknowns = findings.tables["unknowns"]
    first = ""
    lead = f"No dated change of law lies ahead of {findings.as_of}."
    if len(table):
        soonest = table[table["date"] == table["date"].min()]
        regimes = words.listed(sorted({findings.names.regime(regime) for regime in soonest["regime"]}), 3)
        days = int(soonest["days_ahead"].iloc[0])
        lead = f"On {words.day(soonest['date'].iloc[0])}, {words.count(days, 'day')} ahead, the law may change."
        how = cliffs.VARIANTS.get(str(soonest["variant"].iloc[0]), "")
        what = _CHANGE.get(str(soonest["what"].iloc[0]), "changes")
        first = f"{regimes}: {what} {how}. "
    if len(unknowns):
        best = unknowns.iloc[0]
        narrow = max(float(best["narrows"]), float(best["adds"]))
        first += (
            f"The fact to find next is the status of {findings.names.item(str(best['item']))}: it moves the mean loss "
            "at "
            f"leave by up to {words.percent(narrow, 1)}."
        )
    return {"lead": lead, "body": first}
