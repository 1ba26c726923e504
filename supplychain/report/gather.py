"""Runs the analyses of a case once and keeps their tables; the only place of the report that asks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from supplychain.analysis.chokepoints import ChokePoints, choke_points
from supplychain.analysis.exposure import Exposure, exposure
from supplychain.analysis.needs import need_weights
from supplychain.errors import InputError, NoAnswer, SupplychainError
from supplychain.report import cliffs, law, matrix, studies, unknowns
from supplychain.report.findings import Findings
from supplychain.report.names import Names
from supplychain.shocks import Bound, refuse_all
from supplychain.sourcing.from_case import problem_from_case
from supplychain.sourcing.plan import Plan, make_plan
from supplychain.sourcing.policy import load_policy
from supplychain.whatif.swings import swings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from supplychain.case import Case
    from supplychain.facts.package import Package

HORIZON = 12.0  # months at which the headlines are read
HORIZONS = (3.0, 12.0, 36.0)
KINDS = ("jurisdiction", "organisation", "item")
TOP = 10
DEFAULT_POLICIES = ("n-1-secure", "balanced")  # the first that has an answer
_NEED = ["plant", "destination", "item"]
_MEASURE = {"in force": "in_force", "at leave": "at_leave"}


@dataclass(frozen=True, eq=False)
class Results:
    """What the analyses gave, before it is arranged for readers."""

    exposure: Exposure
    chokes: ChokePoints
    plan: Plan | None


def gather(case: Case, policy: str | None, step: Callable[[str], None]) -> Findings:
    """Return the findings of a case: every analysis run, every table arranged, nothing drawn yet."""
    step("law: determining every flow")
    found = case.determinations.table
    step(f"exposure of {len(case.needs)} needs")
    shown = exposure(case, HORIZONS)
    step("choke points")
    chokes = choke_points(case, KINDS, TOP, (HORIZON,))
    step("sourcing plan")
    plan, refused = _plan(case, (policy,) if policy else DEFAULT_POLICIES)
    results = Results(shown, chokes, plan)
    step("leverage, frontier, months, stocks, swings")
    drawn = _studies(case, results)
    step("arranging the tables")
    tables = _tables(case, results, found, drawn)
    addresses = _addresses(case)
    return Findings(
        buyer=case.buyer,
        is_country=case.is_country,
        illustrative=case.illustrative,
        on=case.on,
        known_as_of=case.book.known_as_of,
        network=_titled(case.network.name, case.network.package),
        book=case.book.name,
        products=case.products,
        destinations=case.destinations,
        horizon=HORIZON,
        names=Names.of(case),
        tables=tables,
        addresses=addresses,
        solves=_solves(results),
        warnings=tuple(dict.fromkeys([*case.warnings, *(plan.notes if plan else ()), *chokes.warnings, *refused])),
        no_plan=refused[-1] if plan is None else "",
    )


def _titled(name: str, package: Package | None) -> str:
    version = package.descriptor.get("version", "") if package is not None else ""
    return f"{name} {version}".strip()


def _studies(case: Case, results: Results) -> dict[str, pd.DataFrame]:
    """Return the tables that are drawn more than read; each is the whole of what its picture shows."""
    ranked = states(case, results).dropna(subset="all_short_run")
    ranked = ranked.sort_values(["all_short_run", "state"], ascending=[False, True])
    worst = str(ranked["state"].iloc[0]) if len(ranked) and ranked["all_short_run"].iloc[0] > 0 else ""
    return {
        "need_flows": studies.need_flows(case),
        "leverage": studies.leverages(case, HORIZON),
        "frontier": studies.frontier_points(results.plan),
        "by_month": studies.by_month(case),
        "stocks": studies.stocks(case, worst),
        "swings": swings(case, HORIZON),
    }


def _tables(
    case: Case, results: Results, found: pd.DataFrame, drawn: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    compiled = case.compiled
    applied = case.determinations.applied
    firm = applied[~applied["conditional"]]
    shown = results.exposure
    by_item = matrix.by_item(compiled, found)
    by_state = matrix.by_state(compiled, firm)
    tables = {
        "exposure": shown.table,
        "overall": overall(case, shown),
        "plants": plants(case, shown),
        "split": split(case, shown),
        "exposure_split": shown.split,
        "because": shown.because,
        "survival": shown.summary,
        "curve": shown.curve,
        "choke_points": results.chokes.table,
        "single_sources": results.chokes.singles,
        "choke_evidence": results.chokes.evidence,
        "concentration": results.chokes.concentration,
        "states": states(case, results),
        "items": items(case, by_item, results),
        "chains": chains(shown),
        "controls_by_item": by_state,
        "controls_by_state": controls_by_state(by_state),
        **drawn,
        **plan_tables(results.plan),
        "cliffs": cliffs.effects(case, cliffs.ahead(case.book.tables, case.on), HORIZON),
        "unknowns": unknowns.table(case, HORIZON),
        "unattributed": unknowns.unattributed(compiled),
        "data_quality": unknowns.quality(case),
        "law": law.annex(case),
        "determinations": law.determinations(case),
        "assumptions": case.assumptions.table,
    }
    if case.illustrative:  # said in every file that speaks of the buyer's plants
        tables = {
            name: table.assign(illustrative=True) if "plant" in table else table for name, table in tables.items()
        }
    used = {source for table in tables.values() for source in _sources_of(table)}
    tables["sources"] = law.sources(case, used)
    return tables


def _sources_of(table: pd.DataFrame) -> set[str]:
    found: set[str] = set()
    for column in ("source", "sources"):
        if column in table:
            for text in set(table[column].astype(str)):
                found.update(law.split_sources(text))
    return found


def _addresses(case: Case) -> dict[str, str]:
    frames = [
        table[["source", "url"]] for table in (case.network.sources, case.book.tables["sources"]) if "url" in table
    ]
    every = pd.concat(frames, ignore_index=True)
    return dict(zip(every["source"], every["url"].fillna("").astype(str), strict=True))


def overall(case: Case, shown: Exposure) -> pd.DataFrame:
    """Return the mean over the buyer's needs (by yearly margin; equal where none is known): ``measure, horizon, after,
    short_run, high, unknown, touch, needs, needs_hit`` (needs that lose 1 % or more in the short run)."""
    table = shown.table.merge(_weights(case), on=_NEED, how="left")
    rows = []
    for (measure, horizon), part in table.groupby(["measure", "horizon"], sort=True):
        named = {"after": "after_resourcing", "short_run": "short_run", "high": "short_run_high", "touch": "touch"}
        weight = part["weight"].to_numpy(float)
        mean = {name: float(weight @ part[column].to_numpy(float)) for name, column in named.items()}
        hit = int((part["short_run"] >= 0.01).sum())
        rows.append(
            {"measure": _MEASURE[str(measure)], "horizon": horizon, **mean, "needs": len(part), "needs_hit": hit}
        )
    found = pd.DataFrame(rows)
    found["unknown"] = (found["high"] - found["short_run"]).clip(lower=0.0)
    return found


def _weights(case: Case) -> pd.DataFrame:
    return case.needs[_NEED].assign(weight=need_weights(case))


def split(case: Case, shown: Exposure) -> pd.DataFrame:
    """Return what the loss is made of: ``measure, horizon, by, value, alone, added`` (means over the buyer's needs)."""
    table = shown.split.merge(_weights(case), on=_NEED, how="left")
    table["alone"] *= table["weight"]
    table["added"] *= table["weight"]
    keys = ["measure", "horizon", "by", "value"]
    found = table.groupby(keys, sort=True)[["alone", "added"]].sum().reset_index()
    found["measure"] = found["measure"].map(_MEASURE).fillna(found["measure"])
    return found.sort_values(
        [*keys[:3], "alone", "value"], ascending=[True, True, True, False, True], ignore_index=True
    )


def plants(case: Case, shown: Exposure) -> pd.DataFrame:
    """Return what each plant (or the country) loses: the largest loss among its needs, as it needs them all.

    Columns: ``plant, destination, measure, horizon, after, short_run, high`` (short run, unknown facts adverse),
    ``unknown`` (high less short run), ``needs, needs_hit`` (1 % or more), ``worst_item, months_to_survive``.
    """
    keys = ["plant", "destination", "measure", "horizon"]
    table = shown.table
    grouped = table.groupby(keys, sort=True)
    result = grouped.agg(
        after=("after_resourcing", "max"),
        short_run=("short_run", "max"),
        high=("short_run_high", "max"),
        needs=("item", "size"),
        needs_hit=("short_run", lambda loss: int((loss >= 0.01).sum())),
    ).reset_index()
    result["unknown"] = (result["high"] - result["short_run"]).clip(lower=0.0)
    worst = table.sort_values(["short_run", "short_run_high", "item"], ascending=[False, False, True], kind="stable")
    worst = worst.drop_duplicates(keys)[[*keys, "item"]].rename(columns={"item": "worst_item"})
    survive = shown.summary.groupby(["plant", "destination", "measure"])["months_to_survive"].min().reset_index()
    result = result.merge(worst, on=keys, how="left").merge(survive, on=["plant", "destination", "measure"], how="left")
    result["measure"] = result["measure"].map(_MEASURE).fillna(result["measure"])
    result["worst_item"] = result["worst_item"].where(result["short_run"] > 0, "")
    return result


def states(case: Case, results: Results) -> pd.DataFrame:
    """Return what each state can withhold at the headline horizon, mean over the buyer's needs.

    Columns: ``state, all_after, all_short_run, all_high, all_unknown`` (it refuses all its supply abroad; after
    re-sourcing only for the first states of the choke points), ``leave_short_run`` (it refuses only what it controls on
    the date), ``because, w1``. Every state is there whose refusal may cost anything.
    """
    table = results.chokes.table
    rows = table[table["kind"] == "jurisdiction"].rename(columns={"element": "state"})
    examined = pd.DataFrame(
        {
            "state": rows["state"].astype(str),
            "all_after": rows[f"after_{HORIZON:g}_low"],
            "because": rows["because"].astype(str),
            "w1": rows["w1"].astype(str),
        }
    )
    found = examined.merge(_refusals(case), on="state", how="outer")
    found["all_unknown"] = (found["all_high"] - found["all_short_run"]).clip(lower=0.0)
    leave = _by_imposing(case, results.exposure)
    found = found.merge(leave, on="state", how="outer")
    found["leave_short_run"] = found["leave_short_run"].fillna(0.0)
    for column in ("because", "w1"):
        found[column] = found[column].fillna("")
    return found.sort_values(
        ["all_after", "all_short_run", "leave_short_run", "state"],
        ascending=[False, False, False, True],
        na_position="last",
        ignore_index=True,
    )


def _refusals(case: Case) -> pd.DataFrame:
    """Return what each state's refusal of all its supply costs in the short run: ``state, all_short_run, all_high``."""
    weight, ends = need_weights(case), list[pd.Series]()
    bounds: tuple[Bound, Bound] = ("optimistic", "pessimistic")
    for bound in bounds:
        shocks = refuse_all(case.compiled, bound=bound)
        ends.append(pd.Series(weight @ unknowns.felt(case, shocks, HORIZON), index=pd.Index(shocks.names), dtype=float))
    found = pd.DataFrame({"all_short_run": ends[0], "all_high": ends[1]}).rename_axis("state").reset_index()
    return found[found["all_high"] > 0].astype({"state": str})


def _by_imposing(case: Case, shown: Exposure) -> pd.DataFrame:
    split = shown.split
    rows = split[(split["by"] == "imposing") & (split["horizon"] == HORIZON) & (split["measure"] == "at leave")]
    rows = rows.merge(_weights(case), on=_NEED, how="left")
    part = (rows["alone"] * rows["weight"]).groupby(rows["value"]).sum()
    return part.rename_axis("state").reset_index(name="leave_short_run")


def items(case: Case, by_item: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Return every item of the case: name, tier, category, shares by status, choke point or not, and its own loss."""
    facts = case.network.items[["item", "name", "tier", "category"]]
    table = by_item.merge(facts, on="item", how="left")
    chokes = results.chokes.table
    own = chokes[(chokes["kind"] == "item") & chokes["choke_point"].astype(bool)]
    table["choke"] = table["item"].isin(own["element"])
    month = f"{HORIZON:g}"
    loss = dict(zip(own["element"], own[f"after_{month}_low"], strict=True))
    table["loss_if_lost"] = table["item"].map(loss)
    table["tier"] = table["tier"].fillna(99).astype("int64")
    return table.sort_values(["tier", "category", "item"], ignore_index=True)


def chains(shown: Exposure) -> pd.DataFrame:
    """Return the binding chains at leave at the headline horizon: ``chain, step, item, loss``, largest loss first."""
    rows = shown.because
    rows = rows[(rows["measure"] == "at leave") & (rows["horizon"] == HORIZON) & (rows["rank"] == 1)]
    best = rows.groupby("chain", sort=True)["loss"].max().sort_values(ascending=False, kind="stable").head(12)
    steps = [
        (number, place, item, float(loss))
        for number, (chain, loss) in enumerate(best.items())
        for place, item in enumerate(str(chain).split(" <- "))
    ]
    return pd.DataFrame(steps, columns=["chain", "step", "item", "loss"])


def _plan(case: Case, policies: Sequence[str]) -> tuple[Plan | None, list[str]]:
    """Return the plan of the first policy that has one, and why the others have none.

    A plan without proof, or one that fails its own check, is never shown; the report says so and goes on.
    """
    refused: list[str] = []
    for name in policies:
        rules = load_policy(name)
        try:
            return make_plan(problem_from_case(case, rules), rules), refused
        except NoAnswer as error:
            refused.append(f"policy {rules.title}: {str(error).splitlines()[0]}")
        except InputError as error:
            if not case.is_country:
                raise
            # A country has no row of data that could be mended: what is missing for a plan is said instead of one.
            refused.append(f"policy {rules.title}: {error.problems[0].rule}")
        except SupplychainError as error:
            if type(error) is not SupplychainError:
                raise
            refused.append(f"policy {rules.title}: {str(error).splitlines()[0]}")
    return None, refused


def plan_tables(plan: Plan | None) -> dict[str, pd.DataFrame]:
    """Return the tables of the plan; without a plan each is empty."""
    if plan is None:
        names = ("plan_lines", "plan_needs", "plan_threats", "plan_qualifications", "plan_summary", "plan_relaxed")
        return {name: pd.DataFrame({"none": pd.Series([], dtype="str")}) for name in names}
    return {
        "plan_lines": plan.lines,
        "plan_needs": plan.needs,
        "plan_threats": plan.threats,
        "plan_qualifications": plan.qualifications,
        "plan_summary": plan_summary(plan),
        "plan_relaxed": pd.DataFrame({"rule": list(plan.relaxed)}, dtype="str"),
    }


def plan_summary(plan: Plan) -> pd.DataFrame:
    """Return the figures of the plan as ``figure, value`` (text), with the policy in words."""
    lines = plan.lines[plan.lines["period"] == plan.lines["period"].max()]
    held = lines[(lines["share"] > 1e-6) | (lines["reserved"] > 1e-6)]
    extra = {
        "policy_title": plan.policy.title,
        "policy_description": plan.policy.description,
        "sources_under_contract": held["supply"].nunique(),
        "needs_reserved": held.loc[held["reserved"] > 1e-6, ["plant", "item"]].drop_duplicates().shape[0],
        "horizon_months": plan.policy.horizon.months,
    }
    whole = {**plan.summary, **extra}
    return pd.DataFrame({"figure": list(whole), "value": [str(value) for value in whole.values()]}, dtype="str")


def controls_by_state(by_state: pd.DataFrame) -> pd.DataFrame:
    """Return ``imposing, items_leave, items_open, items_denied, largest`` (items with the largest shares)."""
    rows = []
    for state, part in by_state.groupby("imposing", sort=True):
        sure = part[part["leave"] >= 0.005].sort_values(["leave", "item"], ascending=[False, True], kind="stable")
        rows.append(
            (
                state,
                len(sure),
                int(((part["leave"] < 0.005) & (part["unknown"] >= 0.005)).sum()),
                int((part["denied"] >= 0.005).sum()),
                ";".join(sure["item"].head(8)),
            )
        )
    columns = ["imposing", "items_leave", "items_open", "items_denied", "largest"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(
        ["items_leave", "items_open", "imposing"], ascending=[False, False, True], ignore_index=True
    )


def _solves(results: Results) -> tuple[dict[str, Any], ...]:
    """Return one record per kind of solve, as the manifest keeps them."""
    plan, shown, chokes = results.plan, results.exposure, results.chokes
    return (
        {
            "what": "exposure, short run",
            "method": "cascade to the greatest fixed point",
            "status": "converged",
            "iterations": int(shown.iterations),
            "residual": float(shown.residual),
        },
        {"what": "exposure, after re-sourcing", "method": "linear programmes", "status": shown.status},
        {
            "what": "choke points",
            "method": "linear programmes",
            "status": "optimal",
            "examined": chokes.examined,
            "solved": chokes.solved,
        },
        *([_plan_record(plan)] if plan is not None else []),
    )


def _plan_record(plan: Plan) -> dict[str, Any]:
    return {
        "what": f"sourcing plan ({plan.policy.name})",
        "method": "mixed-integer linear programme",
        "status": plan.status,
        "objective": _number(plan.outcome.objective),
        "bound": _number(plan.outcome.bound),
        "gap": _number(plan.outcome.gap),
        "check": f"{sum(plan.checked.counts.values())} rules recomputed from the data, all hold",
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
