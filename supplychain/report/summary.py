"""The first page: five sentences an executive can use, each number taken from one table and given as a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supplychain.report import cliffs
from supplychain.report.sections_plan import cost_words, figures, policy_title, solved, stocked
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supplychain.report.findings import Findings
    from supplychain.report.language import Language

Sentence = dict[str, str]
_CHANGE = {
    "begins": mark("newly in force"),
    "revives": mark("back in force"),
    "pauses": mark("suspended"),
    "ends": mark("no longer in force"),
}


def title(findings: Findings) -> str:
    """Return the title of the page."""
    say = findings.language.say
    if findings.is_country:
        who = findings.names.state(findings.buyer)
        return say("What export controls can withhold from {who}", who=who)
    if findings.illustrative:
        return say("What export controls can withhold from an illustrative buyer")
    return say("What export controls can withhold from the buyer “{who}”", who=findings.buyer)


def sentences(findings: Findings) -> list[Sentence]:
    """Return the five sentences: exposure, choke points, states, plan, what is ahead and unknown."""
    return [_exposure(findings), _chokes(findings), _states(findings), _plan(findings), _ahead(findings)]


def _exposure(findings: Findings) -> Sentence:
    language = findings.language
    say = language.say
    table = findings.tables["exposure"]
    now = table[(table["horizon"] == findings.horizon) & (table["measure"] == "at leave")]
    order = ["short_run", "short_run_high", "item", "plant", "destination"]
    worst = now.sort_values(order, ascending=[False, False, True, True, True]).to_dict("records")[0]
    overall = findings.tables["overall"]
    rows = overall[overall["horizon"] == findings.horizon].to_dict("records")
    mean = {str(row["measure"]): row for row in rows}
    leave, force = mean["at_leave"], mean["in_force"]
    within = language.months(findings.horizon)
    if worst["short_run_high"] < 0.0005:
        return {
            "lead": say("Nothing that this case needs hangs on the leave of a state."),
            "body": say("No need loses anything within {months} if all leave were refused.", months=within),
        }
    told = {
        "item": findings.names.item(str(worst["item"])),
        "place": findings.place(str(worst["plant"]), str(worst["destination"])),
        "loss": language.bracket(worst["after_resourcing"], worst["short_run"], worst["unknown"]),
    }
    hardest = (
        say("The hardest hit is {item} at {place}, {loss}.", **told)
        if worst["plant"]
        else say("The hardest hit is {item} in {place}, {loss}.", **told)
    )
    mean_loss = say(
        "If all leave were refused, the needs would lose {loss} on average within {months}: the low end after "
        "re-sourcing, the high end before it.",
        loss=language.bracket(*_ends(leave)),
        months=within,
    )
    if leave["needs"] == 1:
        alone = say(
            "If all leave were refused, it would lose {loss} within {months}: the low end after re-sourcing, the high "
            "end before it.",
            loss=told["loss"],
            months=within,
        )
        lead = say("The one need, {item}, hangs on the leave of states.", item=told["item"])
        return {"lead": lead, "body": language.join(alone, _already(force, language))}
    return {
        "lead": say(
            "{hit} of {needs} needs hang on the leave of states.",
            hit=language.number(leave["needs_hit"]),
            needs=language.number(leave["needs"]),
        ),
        "body": language.join(mean_loss, hardest, _already(force, language)),
    }


def _ends(row: Mapping[Any, Any]) -> tuple[float, float, float]:
    return float(row["after"]), float(row["short_run"]), float(row["unknown"])


def _already(force: Mapping[Any, Any], language: Language) -> str:
    say = language.say
    after, short_run, unknown = _ends(force)
    if short_run >= 0.0005:
        return say("Of this, {loss} is refused already.", loss=language.bracket(after, short_run, unknown))
    if unknown >= 0.0005:
        return say(
            "Nothing is refused already for certain; unknown facts leave up to {share} open.",
            share=language.percent(unknown, 1),
        )
    return say("Nothing is refused already.")


def _chokes(findings: Findings) -> Sentence:
    language, names = findings.language, findings.names
    say = language.say
    table, month = findings.tables["choke_points"], f"{findings.horizon:g}"
    found = table[table["choke_point"] & table["kind"].isin(["item", "organisation", "supply"])]
    if found.empty:
        return {
            "lead": say("No single item or maker is a choke point."),
            "body": say("None would cost 5 % or more of the needs once sources are changed."),
        }
    named = [
        say(
            "{what} ({share})",
            what=names.element(str(row["kind"]), str(row["element"])),
            share=language.percent_range(row[f"after_{month}_low"], row[f"short_{month}_low"]),
        )
        for row in found.head(3).to_dict("records")
    ]
    regime = int((table["w1"] != "no").sum())
    tail = (
        language.plural(
            regime,
            "Wassenaar minus one decides, or may, for {n} of the listed elements.",
            "Wassenaar minus one decides, or may, for {n} of the listed elements.",
        )
        if regime
        else say("Wassenaar minus one decides for none of the listed elements.")
    )
    tightest = say("The tightest are {named} of the needs.", named=language.listed(named))
    return {
        "lead": language.plural(
            len(found),
            "{n} item or maker would stop 5 % or more of the needs even after re-sourcing.",
            "{n} items or makers would stop 5 % or more of the needs even after re-sourcing.",
        ),
        "body": language.join(tightest, tail),
    }


def _states(findings: Findings) -> Sentence:
    language, names = findings.language, findings.names
    say = language.say
    table = findings.tables["states"]
    ranked = table[table["all_short_run"] >= 0.005].head(3)
    if ranked.empty:
        return {"lead": say("No state alone can withhold a part of the needs that matters."), "body": ""}
    most = [
        _with(findings, row["state"], language.bracket(row["all_after"], row["all_short_run"], row["all_unknown"]))
        for row in ranked.to_dict("records")
    ]
    quick = table[table["all_short_run"].notna()].sort_values("all_short_run", ascending=False, kind="stable").iloc[0]
    first = ""
    if quick["state"] not in set(ranked["state"]):
        first = say(
            "In the short run it is {state}, {share}.",
            state=names.state(str(quick["state"])),
            share=language.percent(float(quick["all_short_run"])),
        )
    leave = table[table["leave_short_run"] >= 0.0005].sort_values("leave_short_run", ascending=False, kind="stable")
    held = [
        _with(findings, state, language.percent(loss, 1))
        for state, loss in zip(leave["state"], leave["leave_short_run"], strict=True)
    ]
    law = (
        say("By what needs leave on the date, the short run is {held}.", held=language.listed(held, 3))
        if held
        else say("By what needs leave on the date, no state withholds a part that matters.")
    )
    if_all = say("If one refused all its supply the needs would lose: {each}.", each=say("; ").join(most))
    foremost = language.listed([names.state(state) for state in ranked["state"]])
    return {
        "lead": say("{states} could withhold most, even after re-sourcing.", states=foremost),
        "body": language.join(if_all, first, law),
    }


def _with(findings: Findings, state: str, share: str) -> str:
    return findings.language.say("{what} {share}", what=findings.names.state(str(state)), share=share)


def _plan(findings: Findings) -> Sentence:
    language = findings.language
    say = language.say
    if findings.no_plan:
        why = language.tell(findings.no_plan)
        return {
            "lead": say("No sourcing plan is recommended."),
            "body": say("None was proved: {why}.", why=why.rstrip(".。")),
        }
    plan = figures(findings)
    kept = ""
    if plan["rules_given_way"]:
        kept = language.plural(
            int(plan["rules_given_way"]),
            "{n} rule of the policy cannot be kept in full; it is named below.",
            "{n} rules of the policy cannot be kept in full; each is named below.",
        )
    cost = say(
        "The plan ({policy}, {status}): {cost}.",
        policy=policy_title(findings, plan),
        status=solved(language, plan["status"]),
        cost=cost_words(plan, language),
    )
    losses = {
        "before": language.percent(plan["worst_all_resourced_before"], 1),
        "after": language.percent(plan["worst_all_resourced_after"], 1),
        "short_before": language.percent(plan["worst_all_short_run_before"], 1),
        "short_after": language.percent(plan["worst_all_short_run_after"], 1),
    }
    gain = say(
        "If the worst state refused all its supply, the loss that stays after re-sourcing goes from {before} to "
        "{after} (short run {short_before} to {short_after}), all needs counting alike.",
        **losses,
    )
    return {"lead": _to_do(findings, plan), "body": language.join(cost, gain, kept)}


def _to_do(findings: Findings, plan: Mapping[str, Any]) -> str:
    """Return what the plan asks for: volumes to move, sources to qualify, stock to build, capacity to reserve."""
    language = findings.language
    say, plural = language.say, language.plural
    share, qualify, reserve = plan["share_changed"], int(plan["to_qualify"]), int(plan["needs_reserved"])
    stock = len(stocked(findings))
    asked = [
        say("move {share} of the volumes", share=language.percent(share)) if share >= 5e-3 else "",
        plural(qualify, "qualify {n} second source", "qualify {n} second sources") if qualify else "",
        plural(stock, "build stock for {n} need", "build stock for {n} needs") if stock else "",
        plural(reserve, "reserve capacity for {n} need", "reserve capacity for {n} needs") if reserve else "",
    ]
    actions = [action for action in asked if action]
    return say("To do: {actions}.", actions=say("; ").join(actions)) if actions else say("Go on buying as today.")


def _ahead(findings: Findings) -> Sentence:
    language, names = findings.language, findings.names
    say = language.say
    table = findings.tables["cliffs"]
    unknowns = findings.tables["unknowns"]
    first = next_fact = ""
    lead = say("No dated change of law lies ahead of {day}.", day=findings.as_of)
    if len(table):
        touching = table[table["flows"] > 0]
        lead = say("No dated change of law ahead of {day} touches a flow of this case.", day=findings.as_of)
        soonest = (touching if len(touching) else table).iloc[0]
        day = language.day(soonest["date"])
        if len(touching):
            days = language.plural(int(soonest["days_ahead"]), "{n} day", "{n} days")
            lead = say("On {day}, {ahead} ahead, the law may change for this case.", day=day, ahead=days)
        told = {
            "regime": names.regime(str(soonest["regime"])),
            "what": say(_CHANGE.get(str(soonest["what"]), "")),
            "how": say(cliffs.VARIANTS.get(str(soonest["variant"]), "")),
            "effect": cliffs.in_words(soonest.to_dict(), language),
        }
        first = (
            say("{regime}, {what} {how}: {effect}.", **told)
            if len(touching)
            else say("The next, on {day}: {regime}, {what} {how}.", day=day, **told)
        )
    if len(unknowns):
        best = unknowns.iloc[0]
        next_fact = say(
            "The fact to find next is the status of {item}: it moves the mean loss at leave by up to {share}.",
            item=names.item(str(best["item"])),
            share=language.percent(max(float(best["narrows"]), float(best["adds"])), 1),
        )
    return {"lead": lead, "body": language.join(first, next_fact)}
