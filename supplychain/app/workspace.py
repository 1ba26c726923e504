"""What the application loads once and never changes: facts, law, cases and what was computed from them, by content."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pandas as pd

from supplychain.analysis.memory import Memory
from supplychain.case import ILLUSTRATIVE, Case
from supplychain.errors import NoAnswer
from supplychain.facts.countries import countries
from supplychain.sourcing import policy as policies
from supplychain.whatif.actions import MODELS
from supplychain.whatif.apply import Applied, apply
from supplychain.whatif.legal import Steps
from supplychain.whatif.scenario import LIMITS, Scenario, load_scenario, presets

if TYPE_CHECKING:
    from supplychain.app.draft import Draft

T = TypeVar("T")
NATIONAL: Final = ("unilateral", "counter-control")  # kinds of regimes that are the law of one state
_KEPT: Final = 64  # results of one kind that a workspace remembers


@dataclass(frozen=True)
class Setup:
    """What is looked at: data packages (None: bundled), buyer, products (none: all of the buyer's), day, policy."""

    network: Path | None = None
    regimes: Path | None = None
    overlays: tuple[Path, ...] = ()
    assumptions: Path | None = None
    buyer: str = ILLUSTRATIVE
    products: tuple[str, ...] = ()
    on: str = "2026-11-01"
    policy: str = "balanced"

    def with_(self, **changes: Any) -> Setup:
        return replace(self, **changes)


class Workspace:
    """Packages, cases and results of one process; several sessions may share it.

    Measures are taken under ``lock``; what is remembered is made once, under a lock of its kind, so that a plan that is
    being solved keeps nobody from measuring. Kinds ask one another in one direction only (plan, measured, applied,
    case), so no two threads wait for each other.
    """

    def __init__(self, base: Case) -> None:
        self.base = base
        self.lock = threading.RLock()
        self.memory = Memory()
        self._steps: Steps = {}
        self._kept: dict[str, OrderedDict[Hashable, Any]] = {}
        self._locks: dict[str, threading.RLock] = {}

    @classmethod
    def load(cls, setup: Setup) -> Workspace:
        """Read the packages of a setup. Raises the project's errors: UsageError, InputError, EnvironmentFault."""
        base = Case.load(
            network=setup.network,
            regimes=setup.regimes,
            overlays=setup.overlays,
            assumptions=setup.assumptions,
            buyer=setup.buyer,
            products=setup.products or None,
            on=setup.on,
        )
        policies.load_policy(setup.policy)
        return cls(base)

    def warm(self, setup: Setup, plan: bool = False) -> None:
        """Compute what every draft of a setup is set beside (with its plan), so that the first one need not wait."""
        from supplychain.app.advise import planned_for
        from supplychain.app.draft import Draft
        from supplychain.app.measure import measure

        measure(self, setup, Draft())
        # One switch moved, and what the next one needs of it is ready: codes compared, law of new lists compiled.
        grid = self.switches(setup)
        first = grid[grid["can_switch"] & ~grid["member"]].head(1)
        for row in first.itertuples():
            measure(self, setup, Draft().toggle(str(row.regime), str(row.state), False))
        if plan:
            with suppress(NoAnswer):  # told when a plan is asked for
                planned_for(self, setup, None)

    def kept(self, kind: str, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is remembered under a key, made now if it is not; the oldest of too many is forgotten."""
        with self._locks.setdefault(kind, threading.RLock()):
            table = self._kept.setdefault(kind, OrderedDict())
            if key not in table:
                table[key] = make()
                while len(table) > _KEPT:
                    table.popitem(last=False)
            table.move_to_end(key)
            return table[key]  # type: ignore[no-any-return]

    def case(self, setup: Setup) -> Case:
        """Return the case of a setup on the packages that are loaded. Raises UsageError for an unknown buyer, product
        or day."""

        def make() -> Case:
            base = self.base
            case = Case.make(base.network, base.book, setup.buyer, setup.products or None, setup.on, base.assumptions)
            asked, loaded = ((one.buyer, one.products, one.on) for one in (case, base))
            return base if asked == loaded else case  # what was computed of the first case stays

        return self.kept("case", (setup.buyer, setup.products, setup.on), make)

    def applied(self, setup: Setup, draft: Draft) -> Applied:
        """Return a draft applied to the case of a setup. Raises InputError for names that the data do not have."""
        key = (setup.buyer, setup.products, setup.on, draft.key)
        return self.kept("applied", key, lambda: apply(draft.scenario, self.case(setup), steps=self._steps))

    def baseline(self, setup: Setup) -> Applied:
        """Return the case of a setup with nothing changed."""
        key = (setup.buyer, setup.products, setup.on, None)
        return self.kept("applied", key, lambda: apply(Scenario.empty(), self.case(setup)))

    @cached_property
    def buyers(self) -> list[tuple[str, str]]:
        """Who may be looked at: buyers of the plants table, then countries with a recorded demand, as (id, label)."""
        network = self.base.network
        named = sorted(set(network.plants["buyer"]))
        demand = set(network.demand["destination"]) if len(network.demand) else set()
        places = sorted((demand | {self.base.buyer}) - set(named))
        titles = countries()
        return [(name, name) for name in named] + [
            (code, f"{titles[code].name} (country)") for code in places if code in titles
        ]

    def products(self, buyer: str) -> list[tuple[str, str]]:
        """What a buyer may want, as (item, label): what its plants need; for a country all end products. What the
        command asked of the first case is among it, end product or not."""
        network = self.base.network
        own = network.plants.loc[network.plants["buyer"] == buyer, "item"]
        items = sorted(set(own)) if len(own) else list(network.end_products)
        items += [item for item in self.base.products if buyer == self.base.buyer and item not in items]
        names = network.items.set_index("item")["name"]
        return [(item, str(names.get(item) or item)) for item in items]

    def switches(self, setup: Setup, draft: Draft | None = None) -> pd.DataFrame:
        """Return the membership grid on the day: regime, name, kind, state, member, since, role, can_switch, why_not.

        With a draft, ``member`` is as the draft has it. States that are in no regime come where one can be joined.
        """
        case = self.case(setup)
        book, day = case.book, pd.Timestamp(case.on)
        regimes, controls, exceptions = (book.tables[name] for name in ("regimes", "controls", "exceptions"))
        live = controls[(controls["from"] <= day) & ~(controls["to"] <= day)]
        bears = set(live["regime"]) | set(exceptions["regime"])
        found = book.members(case.on)
        rows_of: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in found.to_dict("records")]
        holds = {(row["regime"], row["jurisdiction"]): row for row in rows_of if row["role"] != "candidate"}
        candidates = {(row["regime"], row["jurisdiction"]) for row in rows_of if row["role"] == "candidate"}
        places = {place for place in case.compiled.places if place in countries()}
        states = sorted({state for _, state in holds} | {state for _, state in candidates} | places)
        rows = []
        for regime in regimes.itertuples():
            national = regime.kind in NATIONAL
            for state in states:
                row = holds.get((str(regime.regime), state))
                if row is None and (national or regime.regime not in bears):
                    continue
                why = "" if regime.regime in bears else "no control of the book follows from membership in it"
                role = row["role"] if row else "candidate" if (regime.regime, state) in candidates else ""
                since = row["from"] if row else pd.NaT
                rows.append(
                    (regime.regime, regime.name, regime.kind, state, row is not None, since, role, not why, why)
                )
        names = ["regime", "name", "kind", "state", "member", "since", "role", "can_switch", "why_not"]
        table = pd.DataFrame(rows, columns=names)
        if draft is not None:
            table["member"] = [
                draft.member(regime, state, bool(now))
                for regime, state, now in zip(table["regime"], table["state"], table["member"], strict=True)
            ]
        return table

    def catalogue(self, setup: Setup) -> Catalogue:
        """Return what the actions of a draft may choose from."""
        return self.kept("catalogue", (setup.buyer, setup.products, setup.on), lambda: _catalogue(self, setup))


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Choices for actions: (id, label) lists; ``items`` and ``organisations`` are those of the case's chains.

    assumptions: assumption, value, unit, low, high, why, source. scenarios: name, title, question. limits: the parts of
    a policy that a draft may set. actions: the words and their keys.
    """

    states: list[tuple[str, str]]
    items: list[tuple[str, str]]
    organisations: list[tuple[str, str]]
    supplies: list[tuple[str, str]]
    plants: list[tuple[str, str]]
    regimes: list[tuple[str, str]]
    controls: list[tuple[str, str]]
    branches: list[tuple[str, str]]
    policies: list[tuple[str, str]]
    assumptions: pd.DataFrame
    scenarios: pd.DataFrame
    limits: tuple[str, ...]
    actions: dict[str, tuple[str, ...]]


def _catalogue(workspace: Workspace, setup: Setup) -> Catalogue:
    case = workspace.case(setup)
    compiled, network, book, titles = case.compiled, case.network, case.book, countries()
    names = network.items.set_index("item")["name"]
    makers = network.organisations.set_index("organisation")["name"]
    plants = network.plants[network.plants["buyer"] == case.buyer]
    codes = {code for code in compiled.places if code in titles}
    codes |= {code for code in book.tables["memberships"]["jurisdiction"] if code in titles}
    reached = [compiled.items[item] for item in sorted(set(compiled.market_item.tolist()))]
    known = [compiled.organisations[o] for o in sorted(set(compiled.supply_org.tolist())) if o >= 0]
    supplies = [str(name) for name, row in zip(compiled.supply_ids, compiled.supply_row, strict=True) if row >= 0]
    controls = book.in_force(case.on)
    scenarios = [load_scenario(name) for name in presets()]
    return Catalogue(
        states=[(code, titles[code].name) for code in sorted(codes)],
        items=[(item, str(names.get(item) or item)) for item in reached],
        organisations=[(name, str(makers.get(name) or name)) for name in sorted(known)],
        supplies=[(name, name) for name in sorted(supplies)],
        plants=[(name, name) for name in sorted(set(plants["plant"]))],
        regimes=[(str(row.regime), str(row.name)) for row in book.tables["regimes"].itertuples()],
        controls=[
            (str(row.control), f"{row.imposing}: {row.instrument} ({row.standing})") for row in controls.itertuples()
        ],
        branches=[
            (f"{row.branch}:{row.variant}", f"{row.description}: {row.variant}")
            for row in book.tables["branches"].itertuples()
        ],
        policies=[(name, policies.load_policy(name).title or name) for name in policies.presets()],
        assumptions=case.assumptions.table,
        scenarios=pd.DataFrame(
            [(one.name, one.title, one.question) for one in scenarios], columns=["name", "title", "question"]
        ),
        limits=LIMITS,
        actions={
            word: tuple(sorted(field.alias or key for key, field in model.model_fields.items() if key != "do"))
            for word, model in MODELS.items()
        },
    )
