"""What a what-if comparison says, under its names or, redacted, under codes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from supplychain.locate import models
from supplychain.report import manifest, redact
from supplychain.report.names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from supplychain.report.language import Language
    from supplychain.report.redact import Key
    from supplychain.whatif.compare import Comparison
    from supplychain.whatif.scenario import Scenario

_LIST = re.compile(r"(?<==)[^\s,;]+(?:,[^\s,;]+)+")  # "a,b" of "organisations=a,b"


@dataclass(frozen=True)
class Scene:
    """One scenario as it is told; ``own``: it is not, or not whole, one that comes with the program."""

    name: str
    title: str
    question: str
    day: date
    actions: tuple[str, ...]
    assumes: tuple[str, ...]
    sources: tuple[str, ...]
    own: bool

    def row(self) -> dict[str, Any]:
        """Return the scenario as a row of the table that is written."""
        lists = {name: "; ".join(getattr(self, name)) for name in ("actions", "assumes", "sources")}
        return {"scenario": self.name, "title": self.title, "day": self.day.isoformat(), **lists}


@dataclass(frozen=True, eq=False)
class Told:
    """What a comparison says: tables by name, from which every number is taken, and what a page says around them."""

    buyer: str
    network: str
    illustrative: bool
    on: date
    known_as_of: date
    products: tuple[str, ...]
    names: Names
    scenes: tuple[Scene, ...]
    tables: Mapping[str, pd.DataFrame]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, found: Comparison) -> Told:
        """Return what a comparison says, with every name in it."""
        case = found.case
        scenes = tuple(_scene(side.applied.scenario, side.applied.case.on) for side in found.sides)
        return cls(
            buyer=case.buyer,
            network=case.network.name,
            illustrative=case.illustrative,
            on=case.on,
            known_as_of=case.book.known_as_of,
            products=case.products,
            names=Names.of(case),
            scenes=scenes,
            tables={**found.tables, "scenarios": pd.DataFrame([scene.row() for scene in scenes])},
            warnings=found.warnings,
        )

    def note(self, language: Language, unknown: float) -> str:
        """Return what every picture says under itself: the date of the law and the unknown share."""
        share = language.percent(unknown)
        return language.say(
            "Law as of {day}; unknown facts may add up to {share}.", day=language.day(self.on), share=share
        )


def _scene(scenario: Scenario, day: date) -> Scene:
    actions = tuple(action.words for action in scenario.actions)
    named = scenario.name, scenario.title, scenario.question
    return Scene(*named, day, actions, scenario.assumes, scenario.sources, _own(scenario))


def _own(scenario: Scenario) -> bool:
    """Say whether any part of a scenario is not of the files that come with the program."""
    bundled = {manifest.sha256(path) for path in (models() / "scenarios").glob("*.toml")}
    return not scenario.hashes or not set(scenario.hashes.values()) <= bundled


def redacted(told: Told, found: Comparison) -> tuple[Told, Key]:
    """Return what a comparison says with codes for names, and the key; what scenarios of the user's say is left out."""
    own = {scene.name: scene.title for scene in told.scenes if scene.own}
    newcomers = (getattr(act, "organisation", "") for side in found.sides for act in side.applied.scenario.actions)
    key = redact.key_of(found.case, scenarios=own, newcomers=newcomers)
    scenes = tuple(_coded(scene, key) for scene in told.scenes)
    tables = {name: redact.coded_table(f"whatif.{name}", table, key) for name, table in found.tables.items()}
    phases = tables["phases"]
    tables["phases"] = phases.assign(what=[_by_code(str(what)) for what in phases["what"]])
    said = {text for scene in told.scenes if scene.own for text in scene.assumes}
    warnings = [text for text in told.warnings if not any(one in text for one in said)]
    return replace(
        told,
        buyer=key.codes.get(("buyer", told.buyer), told.buyer),
        network=key.codes[("network", told.network)],
        names=redact.coded_names(told.names, key),
        scenes=scenes,
        tables={**tables, "scenarios": pd.DataFrame([scene.row() for scene in scenes])},
        warnings=redact.coded_warnings(warnings, found.case, key),
    ), key


def _by_code(text: str) -> str:
    """Return the words of actions with each list in the order of what it has become, not of the ids it held."""
    return _LIST.sub(lambda found: ",".join(sorted(found[0].split(","))), text)


def _coded(scene: Scene, key: Key) -> Scene:
    """Return a scenario with codes for names; of the user's own only what its actions do."""
    code = key.codes.get(("scenario", scene.name), "")
    sources = (key.codes.get(("source", source), key.clear(source, redact.MASK)) for source in scene.sources)
    return replace(
        scene,
        name=code or scene.name,
        title=code or key.clear(scene.title, redact.MASK),
        question="" if code else key.clear(scene.question, redact.MASK),
        actions=tuple(sorted(_by_code(key.clear(action)) for action in scene.actions)),
        assumes=() if code else tuple(key.clear(text, redact.MASK) for text in scene.assumes),
        sources=tuple(sorted(sources)),
    )
