"""A sweep: scenarios under many draws of parameters, assumptions and figures; each run is a pure function of its plan.

The plan says everything (inputs, scenarios, dimensions, draws, horizons), so a run gives the same numbers wherever it
is computed: in this process, on local processes, on a cluster, today or after a crash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from supplychain import __version__
from supplychain.analysis.exposure import MEASURES
from supplychain.case import DEFAULT_DAY, ILLUSTRATIVE, Case
from supplychain.errors import InputError, Problem, SupplychainError, UsageError
from supplychain.network import Compiled
from supplychain.shocks import Bound
from supplychain.whatif.actions import LEGAL
from supplychain.whatif.apply import Applied, Books, apply, same_flows
from supplychain.whatif.design import ASSUMPTION, PARAMETER, Design, Dimension, Draw, count, dimensions, draws
from supplychain.whatif.outlook import LOSSES, outlook
from supplychain.whatif.scenario import Scenario, scenario_from
from supplychain.whatif.uncertain import redrawn, refigured

MOST_RUNS: Final = 20_000  # runs that a sweep may have without being told so
_PER_RUN: Final = 0.2  # seconds of one core, for the estimate before a sweep begins


@dataclass(frozen=True)
class CaseSpec:
    """How to load the case: paths as text ("" = bundled), so that any process can."""

    network: str = ""
    regimes: str = ""
    overlays: tuple[str, ...] = ()
    assumptions: str = ""
    buyer: str = ILLUSTRATIVE
    products: tuple[str, ...] = ()
    on: str = DEFAULT_DAY

    def load(self) -> Case:
        return Case.load(
            network=Path(self.network) if self.network else None,
            regimes=Path(self.regimes) if self.regimes else None,
            overlays=tuple(Path(path) for path in self.overlays),
            assumptions=Path(self.assumptions) if self.assumptions else None,
            buyer=self.buyer,
            products=list(self.products) or None,
            on=self.on,
        )


@dataclass(frozen=True)
class Plan:
    """Everything that a sweep is: pure data, so it travels as JSON. ``inputs`` are the hashes of the files read."""

    spec: CaseSpec
    scenarios: tuple[dict[str, Any], ...]
    dims: tuple[Dimension, ...]
    drawn: tuple[Draw, ...]
    horizons: tuple[float, ...]
    both_bounds: bool
    seed: int
    design: str
    inputs: dict[str, str]
    version: str = __version__

    @property
    def runs(self) -> int:
        return len(self.scenarios) * len(self.drawn)

    def of(self, run: int) -> tuple[int, int]:
        """Return (scenario, draw) of a run: all scenarios see a draw before the next one, with the same numbers."""
        return run % len(self.scenarios), run // len(self.scenarios)


def make_plan(
    spec: CaseSpec,
    scenarios: Sequence[Scenario],
    design: Design = "mc",
    samples: int = 200,
    points: int = 3,
    seed: int = 0,
    vary: Sequence[str] = (),
    data: bool = False,
    horizons: Sequence[float] = (12.0,),
    both_bounds: bool = False,
    most: int = MOST_RUNS,
) -> Plan:
    """Return the plan of a sweep. Raises UsageError with an estimate when it has more than ``most`` runs, and for names
    that cannot vary; InputError for a scenario that does not fit the case."""
    if not scenarios:
        raise UsageError("a sweep needs at least one scenario")
    if len({scenario.name for scenario in scenarios}) < len(scenarios):
        raise UsageError("two scenarios of a sweep have one name")
    case = spec.load()
    dims = dimensions(scenarios, case.assumptions, vary)
    total = len(scenarios) * count(design, dims, samples, points)
    if total > most:
        hours = total * _PER_RUN / 3600
        raise UsageError(
            f"this sweep has {total:,} runs, about {hours:,.1f} hours on one core; fewer samples or points, or say "
            f"--max-scenarios {total}"
        )
    check_probabilities(scenarios)
    for scenario in scenarios:
        apply(scenario, case)
    return Plan(
        spec=spec,
        scenarios=tuple({"name": scenario.name, "record": scenario.record} for scenario in scenarios),
        dims=dims,
        drawn=tuple(draws(design, dims, samples, points, seed, data)),
        horizons=tuple(sorted(float(horizon) for horizon in horizons)),
        both_bounds=both_bounds,
        seed=seed,
        design=design,
        inputs=_inputs(case, scenarios),
    )


def check_probabilities(scenarios: Sequence[Scenario]) -> None:
    """Refuse probabilities that some scenarios have and others lack, or that do not sum to 1 (with the baseline's
    rest)."""
    given = [scenario.probability for scenario in scenarios if scenario.probability is not None]
    if not given:
        return
    if len(given) < len(scenarios):
        missing = next(scenario.name for scenario in scenarios if scenario.probability is None)
        cure = "give all scenarios a probability, or none"
        rule = "some scenarios have a probability and this one has none"
        raise InputError([Problem("probability", file=f"{missing}.toml", column="probability", rule=rule, cure=cure)])
    if sum(given) > 1 + 1e-9:
        rule = f"the probabilities of the scenarios sum to {sum(given):g}, more than 1"
        file = f"{scenarios[0].name}.toml"
        raise InputError([Problem("probability", file=file, column="probability", rule=rule, cure="lower them")])


def _inputs(case: Case, scenarios: Sequence[Scenario]) -> dict[str, str]:
    found: dict[str, str] = {}
    parts: list[tuple[str, Mapping[str, str]]] = [
        ("network", case.network.package.hashes if case.network.package is not None else {}),
        ("regimes", case.book.hashes),
        ("assumptions", case.assumptions.hashes),
        *(("scenario", scenario.hashes or {}) for scenario in scenarios),
    ]
    for role, hashes in parts:
        found |= {f"{role}/{name}": value for name, value in hashes.items()}
    return dict(sorted(found.items()))


class World:
    """A plan loaded in a process: the case, the scenarios, and what runs share (law judged once for equal law)."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.case = plan.spec.load()
        present = _inputs(self.case, [])
        for name, value in present.items():
            if plan.inputs.get(name, value) != value:
                raise SupplychainError(f"the input {name} on this machine is not the one that the sweep began with")
        self.scenarios = [scenario_from(s["record"], s["name"]) for s in plan.scenarios]
        self.books: Books = {}
        self.plain: dict[tuple[str, ...], Compiled] = {}
        self.judged: dict[tuple[Any, ...], Case] = {}

    def run(self, number: int) -> dict[str, Any]:
        """Return the outcomes of one run, plain numbers by column."""
        plan = self.plan
        which, at = plan.of(number)
        draw = plan.drawn[at]
        settings = list(zip(plan.dims, draw.values, strict=True))
        scenario = self.scenarios[which]
        own = {d.name: v for d, v in settings if d.kind == PARAMETER and d.name in (scenario.parameters or {})}
        assumed = {d.name: v for d, v in settings if d.kind == ASSUMPTION}
        if own:
            scenario = scenario.with_values(own)
        if assumed:
            scenario = replace(scenario, assumptions={**(scenario.assumptions or {}), **assumed})
        applied = apply(scenario, self.case, self.books, told=False)
        if draw.data_seed:
            applied = replace(applied, case=self._redrawn(applied, draw.data_seed))
        self._share_law(applied)
        bounds: tuple[Bound, ...] = ("optimistic", "pessimistic") if plan.both_bounds else ("optimistic",)
        found = outlook(applied, plan.horizons, bounds)
        return {"run": number, "scenario": scenario.name, "draw": draw.number, **_outcomes(found.headline, plan)}

    def _redrawn(self, applied: Applied, seed: int) -> Case:
        """The applied case with its figures drawn anew; its arrays come from those of the figures as they are."""
        case = applied.case
        key = tuple(action.words for action in applied.actions if action.do not in ("outage", "delay"))
        if key in self.plain:
            case.__dict__["plain"] = self.plain[key]
        self.plain[key] = case.plain
        return refigured(case, redrawn(case.network, seed))

    def _share_law(self, applied: Applied) -> None:
        """Runs whose law and flows are the same share what the law says of the flows."""
        legal = tuple(action.words for action in applied.actions if action.do in LEGAL)
        words = json.dumps(applied.case.assumptions.settings.get("content"), sort_keys=True, default=str)
        key = (legal, applied.case.on, words, bool(applied.ramps))
        case = applied.at(self.plan.horizons[-1])
        known = self.judged.setdefault(key, case)
        if known is not case:
            share_determinations(known, case)
        if applied.ramps:
            applied.__dict__["_judged"] = case


def share_determinations(known: Case, case: Case) -> None:
    """Hand the determinations of one case to another whose flows are the same in everything but weight."""
    if same_flows(known, case):
        case.__dict__["determinations"] = known.determinations
        for name in ("_leave", "_refused", "_deciding"):
            if name in known.__dict__:
                case.__dict__[name] = known.__dict__[name]


def _outcomes(headline: pd.DataFrame, plan: Plan) -> dict[str, float]:
    ends = LOSSES if plan.both_bounds else LOSSES[:2]
    rows = {(str(row["measure"]), float(row["horizon"])): row for row in headline.to_dict("records")}
    found: dict[str, float] = {}
    for measure in MEASURES:
        for horizon in plan.horizons:
            row = rows[measure, horizon]
            for end in (*ends, *(f"margin_{end}" for end in ends)):
                found[f"{measure.replace(' ', '_')}_{horizon:g}_{end}"] = float(row[end])
    return found


@lru_cache(maxsize=2)
def _world(text: str) -> World:
    return World(plan_from(json.loads(text)))


def run_text(plan_text: str, number: int) -> str:
    """Return one run's outcomes as JSON: the whole of what a worker does. ``plan_text`` is the plan as JSON."""
    return json.dumps(_world(plan_text).run(number), sort_keys=True)


def plan_text(plan: Plan) -> str:
    """Return the plan as canonical JSON."""
    return json.dumps(asdict(plan), sort_keys=True, default=str)


def plan_from(record: Mapping[str, Any]) -> Plan:
    """Return the plan of a record that `plan_text` wrote."""
    return Plan(
        **{
            **record,
            "spec": CaseSpec(**_tuples(record["spec"])),
            "scenarios": tuple(record["scenarios"]),
            "dims": tuple(Dimension(**d) for d in record["dims"]),
            "drawn": tuple(Draw(d["number"], tuple(d["values"]), d["data_seed"]) for d in record["drawn"]),
            "horizons": tuple(record["horizons"]),
        }
    )


def _tuples(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}


def results_table(plan: Plan, outcomes: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the sweep's table, one row per finished run in order: run, scenario, draw, data_seed, every dimension (its
    value; NaN where the scenario has no such parameter), and the outcomes."""
    rows = []
    names = [set(s["record"]["parameters"]) for s in plan.scenarios]
    for number in sorted(outcomes):
        which, at = plan.of(number)
        draw = plan.drawn[at]
        values = {
            dim.name: value if dim.kind == ASSUMPTION or dim.name in names[which] else np.nan
            for dim, value in zip(plan.dims, draw.values, strict=True)
        }
        found = dict(outcomes[number])
        head = {key: found.pop(key) for key in ("run", "scenario", "draw")}
        rows.append({**head, "data_seed": draw.data_seed, **values, **{key: found[key] for key in sorted(found)}})
    return pd.DataFrame(rows)
