"""Makes a report: reads the case, gathers its findings, writes page, tables and manifest as one run."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supplychain.errors import UsageError
from supplychain.files import replace_file
from supplychain.locate import datasets, models
from supplychain.report import (
    formats,
    manifest,
    sections_chokes,
    sections_exposure,
    sections_law,
    sections_plan,
    summary,
)
from supplychain.report.document import Document
from supplychain.report.language import language
from supplychain.report.redact import key_place, redact
from supplychain.report.run import check_target, writing
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from supplychain.case import Case
    from supplychain.report.findings import Findings

LAWFUL = mark(
    "This report serves lawful planning. It shows which flows need the leave of a state, and proposes no way round a "
    "control. It is no legal advice: the cited texts decide."
)
_INVENTED = mark(
    "Its plants, volumes, stocks and margins are invented to show the method; the supply facts and the law name "
    "their sources. No number here describes a real firm's buying."
)


@dataclass(frozen=True)
class Request:
    """What a report is asked for; None is what comes with the program."""

    network: Path | None = None
    regimes: Path | None = None
    overlays: tuple[Path, ...] = ()
    assumptions: Path | None = None
    buyer: str = "illustrative"
    products: tuple[str, ...] = ()
    on: str = "2026-11-01"
    policy: str | None = None
    seed: int = 0
    language: str = "en"
    formats: tuple[str, ...] = formats.DEFAULT
    redact: bool = False
    key: Path | None = None  # where the key of a redacted report is written; None: beside its folder

    @property
    def own_policy(self) -> bool:
        """Say whether the policy is a file of the user's, not one that comes with the program."""
        return self.policy is not None and Path(self.policy).exists()

    @property
    def paths(self) -> list[Path]:
        """Every file or folder that is read."""
        policy = [Path(str(self.policy))] if self.own_policy else []
        given = [path for path in (self.network, self.regimes, self.assumptions) if path is not None]
        return [*given, *self.overlays, *policy]

    def record(self) -> dict[str, Any]:
        """Return the request as JSON keeps it; paths are absolute, so that it can be repeated from anywhere."""
        paths = {key: value for key, value in asdict(self).items() if isinstance(value, Path)}
        plain = {key: None if value is None else value for key, value in asdict(self).items() if key != "key"}
        policy = str(Path(str(self.policy)).resolve()) if self.own_policy else self.policy
        paths.pop("key", None)  # where the key went is nobody's business, and the run is the same without it
        return {
            **plain,
            **{key: str(path.resolve()) for key, path in paths.items()},
            "overlays": [str(path.resolve()) for path in self.overlays],
            "products": list(self.products),
            "formats": list(self.formats),
            "policy": policy,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Request:
        """Return the request that a manifest holds; raises UsageError when it is not one."""
        try:
            paths = {key: Path(record[key]) if record[key] else None for key in ("network", "regimes", "assumptions")}
            return cls(
                **paths,
                overlays=tuple(Path(path) for path in record["overlays"]),
                buyer=str(record["buyer"]),
                products=tuple(record["products"]),
                on=str(record["on"]),
                policy=record["policy"],
                seed=int(record["seed"]),
                language=str(record.get("language", "en")),
                formats=formats.chosen(record.get("formats", ["html"])),
                redact=bool(record.get("redact", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"the manifest does not say what was asked for ({error})") from None


def default_folder(request: Request) -> Path:
    """Return reports/BUYER-DATE in the present directory; the buyer's name becomes a safe file name."""
    called = "redacted" if request.redact else request.buyer
    safe = re.sub(r"[^a-z0-9]+", "-", called.lower()).strip("-")[:60] or "buyer"
    return Path("reports") / f"{safe}-{request.on}"


def key_path(request: Request, target: Path) -> Path:
    """Return where the key of a redacted report goes: outside its folder; raises UsageError for another place."""
    return key_place(request.key, target)


def make(request: Request, output: Path | None, step: Callable[[str], None]) -> Path:
    """Write the report of ``request`` into ``output`` and return the path of its first file: the page, if it is one.

    Raises UsageError, InputError, NoAnswer or EnvironmentFault; nothing is left half-written.
    """
    started = manifest.now()
    target = output or default_folder(request)
    check_target(target, [*request.paths, datasets(), models()])
    place = key_path(request, target) if request.redact else None
    step("reading the data packages")
    from supplychain.case import Case
    from supplychain.report.gather import gather
    from supplychain.solve import ledger
    from supplychain.sourcing.policy import load_policy

    case = Case.load(
        network=request.network,
        regimes=request.regimes,
        overlays=request.overlays,
        assumptions=request.assumptions,
        buyer=request.buyer,
        products=request.products or None,
        on=request.on,
    )
    with ledger() as solves:
        findings = gather(case, request.policy, step)
    key = None
    if request.redact:
        findings, key = redact(findings, case, load_policy(str(request.policy)) if request.own_policy else None)
    findings = findings.spoken(language(request.language))
    files = formats.files(document(findings), findings.tables, request.formats, step)
    step("writing")
    if key is not None and place is not None:  # first: a redacted run without its key could never be read back
        replace_file(place, key.file(request.record()))
    with writing(target) as run:
        for name, data in files.items():
            run.write(name, data)
        for name, table in findings.tables.items():
            run.write_table(name, table)
        manifest.write(run, {**manifest.computed(solves), **_body(request, case, findings)}, started)
    return target / next(iter(files))


def document(findings: Findings) -> Document:
    """Return what the report says, from which every format is made."""
    speech = findings.language
    say = speech.say
    facts = (
        (say("Law as of"), findings.as_of),
        (say("Law known as of"), speech.day(findings.known_as_of)),
        (say("Needs"), speech.number(float(findings.tables["overall"]["needs"].iloc[0]))),
        (say("In"), speech.listed([findings.names.state(place) for place in findings.destinations], 6)),
        (say("Network"), findings.network),
    )
    built = (
        sections_exposure.plant_section(findings),
        sections_exposure.item_section(findings),
        sections_chokes.choke_section(findings),
        sections_chokes.network_section(findings),
        sections_chokes.map_section(findings),
        sections_law.control_section(findings),
        sections_plan.sourcing_section(findings),
        sections_law.cliff_section(findings),
        sections_plan.unknown_section(findings),
        sections_law.annex_section(findings),
        sections_plan.method_section(findings),
        sections_law.source_section(findings),
    )
    footer = (
        say(LAWFUL),
        *([speech.join(say("Illustrative buyer."), say(_INVENTED))] if findings.illustrative else []),
    )
    return Document(
        title=summary.title(findings),
        on=findings.on,
        facts=facts,
        notice=say(_INVENTED) if findings.illustrative else "",
        sentences=tuple(summary.sentences(findings)),
        opening=(sections_exposure.headline_figure(findings),),
        sections=built,
        footer=footer,
        cite=findings.citations,
        language=speech,
    )


def _told(request: Request) -> dict[str, Any]:
    """Return what the manifest of a redacted report says of the request: no path, no name of the user's."""
    record = request.record()
    kept = {name: record[name] for name in ("redact", "products", "on", "seed", "language", "formats")}
    return kept if request.own_policy else {**kept, "policy": request.policy}


def _body(request: Request, case: Case, findings: Findings) -> dict[str, Any]:
    """What the manifest says of the run beside files and versions."""
    return {
        "request": _told(request) if request.redact else request.record(),
        "buyer": findings.buyer,
        "illustrative": findings.illustrative,
        "on": findings.on.isoformat(),
        "known_as_of": findings.known_as_of.isoformat(),
        "products": list(findings.products),
        "destinations": list(findings.destinations),
        "inputs": manifest.sealed(manifest.inputs(case)) if request.redact else manifest.inputs(case),
        "seed": request.seed,
        "solves": list(findings.solves),
        "warnings": list(findings.warnings),
    }
