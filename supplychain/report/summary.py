"""The first page: five sentences an executive can use, each number taken from one table and given as a range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supplychain.report import cliffs, words
from supplychain.report.sections import place_label
from supplychain.report.sections_plan import cost_words, figures

if TYPE_CHECKING:
    from supplychain.report.findings import Findings

Sentence = dict[str, str]


def title(findings: Findings) -> str:
    """Return the title of the page."""
    who = findings.names.state(findings.buyer) if findings.is_country else f"the buyer “{findings.buyer}”"
    return f"What export controls can withhold from {who}"


def sentences(findings: Findings) -> list[Sentence]:
    """Return the five sentences: exposure, choke points, states, plan, what is ahead and unknown."""
    return [_exposure(findings), _chokes(findings), _states(findings), _plan(findings), _ahead(findings)]


def _exposure(findings: Findings) -> Sentence:
    table = findings.tables["plants"]
    now = table[(table["horizon"] == findings.horizon) & (table["measure"] == "at_leave")]
    worst = now.sort_values(["short_run", "high", "plant"], ascending=[False, False, True], kind="stable").iloc[0]
    overall = findings.tables["overall"]
    mean = overall[overall["horizon"] == findings.horizon].set_index("measure")
    leave, force = mean.loc["at_leave"], mean.loc["in_force"]
    within = words.months(findings.horizon)
    if worst["high"] < 0.0005:
        return {
            "lead": "Nothing that this case needs hangs on the leave of a state.",
            "body": f"No need loses anything within {within} if all leave were refused.",
        }
    where = place_label(findings, str(worst["plant"]), str(worst["destination"]))
    item = findings.names.item(str(worst["worst_item"])) if worst["worst_item"] else "a need"
    hit = f"{words.number(leave['needs_hit'])} of {words.number(leave['needs'])}"
    return {
        "lead": f"{hit} needs hang on the leave of states.",
        "body": (
            f"If all leave were refused, the needs would lose "
            f"{words.bracket(leave['after'], leave['short_run'], leave['unknown'])} on average within {within}, and "
            "the worst "
            f"one, {item} at {where}, {words.bracket(worst['after'], worst['short_run'], worst['unknown'])}; "
            f"{_already(force)}."
        ),
    }


def _already(force: object) -> str:
    after, short_run, unknown = (float(force[name]) for name in ("after", "short_run", "unknown"))  # type: ignore[index]
    if max(short_run, unknown) < 0.0005:
        return "nothing is refused already"
    return f"{words.bracket(after, short_run, unknown)} is refused already"


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
    leave = table[table["leave_short_run"] >= 0.0005].sort_values("leave_short_run", ascending=False, kind="stable")
    held = [
        f"{names.state(s)} {words.percent(v, 1)}" for s, v in zip(leave["state"], leave["leave_short_run"], strict=True)
    ]
    law = f"By what needs leave on the date, the short run is {words.listed(held, 3)}." if held else (
        "By what needs leave on the date, no state withholds a part that matters."
    )  # fmt: skip
    return {
        "lead": f"{words.listed([names.state(state) for state in ranked['state']])} could withhold most.",
        "body": f"If one refused all its supply the needs would lose: {'; '.join(most)}. {law}",
    }


def _plan(findings: Findings) -> Sentence:
    plan = figures(findings)
    kept = "" if plan["rules_given_way"] == 0 else (
        f" {words.count(int(plan['rules_given_way']), 'rule')} of the policy cannot be kept in full, as too few "
        "makers exist."
    )  # fmt: skip
    before = words.percent_range(plan["worst_at_leave_resourced_before"], plan["worst_at_leave_short_run_before"], 1)
    after = words.percent_range(plan["worst_at_leave_resourced_after"], plan["worst_at_leave_short_run_after"], 1)
    qualify = words.count(int(plan["to_qualify"]), "second source")
    return {
        "lead": f"Move {words.percent(plan['share_changed'])} of the volumes and qualify {qualify}.",
        "body": (
            f"The plan ({plan['policy']}, {plan['status']}) costs {cost_words(plan)} than buying as today; the share "
            "that "
            f"needs a licence goes from {words.percent(plan['controlled_share_today'], 1)} to "
            f"{words.percent(plan['controlled_share'], 1)}, and the mean loss under the worst state's leave from "
            f"{before} to "
            f"{after}.{kept}"
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
        first = f"{regimes}: {soonest['what'].iloc[0]} {how}. "
    if len(unknowns):
        best = unknowns.iloc[0]
        narrow = max(float(best["narrows"]), float(best["adds"]))
        first += (
            f"The fact to find next is the status of {findings.names.item(str(best['item']))}: it moves the mean loss "
            "at "
            f"leave by up to {words.percent(narrow, 1)}."
        )
    return {"lead": lead, "body": first}
