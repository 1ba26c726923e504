"""The command `source`: what to buy from whom under a policy, what it costs, and what it leaves exposed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.cli.options import (
    DEFAULT_DATE,
    CaseOptions,
    Format,
    On,
    Output,
    OutputFormat,
    Quiet,
    Seed,
)
from supplychain.errors import NoAnswer, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from supplychain.sourcing.plan import Plan


class Part(StrEnum):
    """Which table of the plan to write."""

    lines = "lines"
    needs = "needs"
    qualify = "qualify"
    threats = "threats"
    losses = "losses"
    summary = "summary"
    reasons = "reasons"
    rules = "rules"
    frontier = "frontier"
    alternatives = "alternatives"
    ranges = "ranges"
    robustness = "robustness"


_SHOWN = {
    Part.lines: ["plant", "item", "supply", "site", "today", "share", "change", "cost", "lead_time_months", "status",
                 "control"],
    Part.needs: ["plant", "item", "sources_today", "sources", "stock_days_today", "stock_days", "share_needing_licence",
                 "worst_resourced_before", "worst_resourced_after", "worst_threat"],
    Part.threats: ["threat", "mean_short_run_before", "mean_short_run_after", "mean_resourced_before",
                   "mean_resourced_after", "largest_resourced_before", "largest_resourced_after"],
    Part.losses: ["plant", "item", "threat", "short_run_before", "short_run_after", "resourced_before",
                  "resourced_after"],
}  # fmt: skip
_LINES = 40  # of a plan, what people are shown
_MOVED = 1e-6  # a share that changes by less is as today


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(source)


def source(
    others: Annotated[list[str] | None, typer.Argument(help="With --compare: the policies to compare.")] = None,
    policy: Annotated[str, typer.Option("--policy", help="A bundled policy, or a TOML file.")] = "balanced",
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare policies: --compare A B ... (all bundled).")
    ] = False,
    part: Annotated[Part, typer.Option("--part", help="Which table of the plan to write.")] = Part.lines,
    seed: Seed = 0,
    second_opinion: Annotated[
        bool | None,
        typer.Option(
            "--second-opinion/--no-second-opinion",
            help="Have CBC solve the plan's model too. Default: where whole numbers decide and the model is small.",
        ),
    ] = None,
    on: On = DEFAULT_DATE,
    *,
    wanted: CaseOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
    quiet: Quiet = False,
) -> int:
    """Suggest what to buy from whom: shares, second sources to qualify, stock, cost, licences and what stays
    exposed."""
    if others and not compare:
        raise UsageError(f"what is {others[0]!r}? Name one policy with --policy, or several after --compare")
    from supplychain.cli.output import progress, show_table
    from supplychain.sourcing.policy import load_policy, presets

    names = (others or list(presets())) if compare else [policy]
    policies = [load_policy(name) for name in names]
    with progress(quiet) as step:
        step("reading facts and law")
        case = wanted.load(on)
        step("solving " + ", ".join(p.name for p in policies))
        if compare:
            from supplychain.sourcing import compare as compare_policies

            found = compare_policies(case, policies)
            record: dict[str, Any] = {
                "buyer": case.buyer,
                "on": str(case.on),
                "warnings": list(case.warnings),
                "failures": found.failures,
            }
            notes = [*case.warnings, "costs are for one year"] + [f"{k}: {v}" for k, v in found.failures.items()]
            lead: list[str] = []
            table, title, columns = found.table, f"Policies for {case.buyer} on {case.on}", None
            proven = not found.failures and all(p.outcome.proven for p in found.plans.values())
        else:
            from supplychain.sourcing import source as make
            from supplychain.sourcing.opinion import second

            plan = make(case, policies[0])
            step("checking")
            opinion = second(plan, second_opinion)
            step(f"writing {part.value}")
            table, columns = _table(plan, part, form, seed), _SHOWN.get(part)
            record = {"buyer": case.buyer, "on": str(case.on), **_record(plan), "proof": opinion}
            proven = plan.outcome.proven
            lead, notes = _notes(plan, opinion), []
            if part is Part.lines and form is Format.table:
                table, notes = _changes(table)
            title = f"Sourcing plan for {case.buyer} on {case.on}: policy {plan.policy.name}"
    show_table(table, form, output, title=title, columns=columns, lead=lead, notes=notes, record=record)
    return 0 if proven else NoAnswer.exit_code


def _table(plan: Plan, part: Part, form: Format, seed: int) -> pd.DataFrame:
    import pandas as pd

    if part is Part.lines:
        # People see the last period, in which everything is in place; the machine formats carry all periods.
        last = plan.lines["period"] == plan.problem.periods
        return plan.lines[last].reset_index(drop=True) if form is Format.table else plan.lines
    if part is Part.summary:
        figures = [(key, "" if value is None else str(value)) for key, value in plan.summary.items()]
        return pd.DataFrame(figures, columns=["figure", "value"])
    if part in (Part.needs, Part.threats, Part.losses):
        found: pd.DataFrame = getattr(plan, part.value)
        return found
    from supplychain.sourcing import alternatives, explain, frontier, robustness

    deeper: dict[Part, Callable[[], pd.DataFrame]] = {
        Part.reasons: lambda: explain.reasons(plan),
        Part.rules: lambda: explain.rule_prices(plan),
        Part.frontier: lambda: frontier.frontier(plan.problem, plan.policy).table,
        Part.alternatives: lambda: alternatives.alternatives(plan)[0],
        Part.ranges: lambda: alternatives.ranges(plan),
        Part.qualify: lambda: alternatives.qualify_first(plan),
        Part.robustness: lambda: robustness.robustness(plan, seed=seed).items,
    }
    return deeper[part]()


def _changes(lines: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the lines that change from today, the largest change first, and what is left out of them."""
    moved = lines[lines["change"].abs() > _MOVED]
    moved = moved.loc[moved["change"].abs().sort_values(ascending=False, kind="stable").index]
    shown = moved.head(_LINES).reset_index(drop=True)
    left = f"{len(moved) - len(shown)} smaller changes and {len(lines) - len(moved)} lines as today are left out"
    return shown, [f"shares of each plant's need; {left}: --format csv holds all, with citations"]


def _record(plan: Plan) -> dict[str, Any]:
    return {
        "policy": plan.policy.model_dump(mode="json"),
        "summary": plan.summary,
        "rules_that_give_way": list(plan.relaxed),
        "notes": list(plan.notes),
        "checked": plan.checked.counts,
        "solves": list(plan.outcome.solves),
    }


def _notes(plan: Plan, opinion: str) -> list[str]:
    s = plan.summary
    proof = "optimal" if plan.outcome.proven else f"feasible, NOT PROVEN: gap {s['gap']:.2%}"
    lines = [
        f"{proof} ({opinion}); {s['checks']:,} comparisons with the data by code of its own, 0 violations",
        f"cost {s['total_cost']:,.6g} {s['currency']} against {s['cost_today']:,.6g} as today "
        f"({s['cost_change']:+.2%}); {s['suppliers']} suppliers against {s['suppliers_today']}, {s['to_qualify']} to "
        f"qualify; share needing a licence {s['controlled_share']:.1%} against {s['controlled_share_today']:.1%}",
    ]
    for key, text in (("at_leave", "refusal of what a state controls"), ("all", "refusal of all its supply")):
        before, after = f"worst_{key}_%s_before", f"worst_{key}_%s_after"
        lines.append(
            f"worst single {text}, re-sourced to not: {_span(s, before)} of needs unmet as today, "
            f"{_span(s, after)} with the plan"
        )
    lines += [f"cannot hold: {text}" for text in plan.relaxed[:12]]
    if len(plan.relaxed) > 12:
        lines.append(f"cannot hold: {len(plan.relaxed) - 12} more")
    return [*lines, *plan.notes]


def _span(summary: dict[str, Any], key: str) -> str:
    low, high = summary[key % "resourced"], summary[key % "short_run"]
    by = summary[f"{key % 'resourced'}_by"]
    return f"{low:.1%} to {high:.1%}" + (f" ({by})" if by else "")
