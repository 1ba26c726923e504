"""The manifest of a run: what went in, what computed it, how each solve ended, what came out; and its verification."""

from __future__ import annotations

import hashlib
import json
import platform
from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supplychain import __version__
from supplychain.errors import InputError, Problem, Problems
from supplychain.files import MANIFEST, Witness, replace_file, witnessed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from supplychain.case import Case
    from supplychain.report.run import Run

VERSION = 1  # of the manifest's own form
_TOLD = 100  # solves that are told in full
_LIBRARIES = (
    "altair",
    "highspy",
    "jinja2",
    "networkx",
    "numpy",
    "pandas",
    "pulp",
    "pyarrow",
    "pydantic",
    "python-pptx",
    "scipy",
    "typst",
    "vl-convert-python",
    "xlsxwriter",
)


def now() -> str:
    """Return the present time in UTC: for manifests only, no result depends on it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def environment() -> dict[str, Any]:
    """Return what the results were computed with: Python, system, versions of the libraries that matter."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": versions,
    }


def hashes(run: Run) -> dict[str, dict[str, Any]]:
    """Return hash and size of every file written so far, by name."""
    return {
        name: {"sha256": sha256(run.folder / name), "bytes": (run.folder / name).stat().st_size}
        for name in sorted(run.written)
    }


_ADDED: ContextVar[Callable[[], Mapping[str, Any]]] = ContextVar("added", default=dict)


@contextmanager
def adding(body: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """Let every manifest written inside hold what ``body`` returns at that moment, beside what its writer knows."""
    token = _ADDED.set(body)
    try:
        yield
    finally:
        _ADDED.reset(token)


def added() -> Mapping[str, Any]:
    """Return what the command that is running lets every manifest hold."""
    return _ADDED.get()()


def write(run: Run, body: Mapping[str, Any], started: str) -> None:
    """Write the manifest, last of all files, from what the run knows (``body``) and the files it wrote."""
    more = added()
    warnings = [*body.get("warnings", ()), *more.get("warnings", ())]
    told = [one for at, one in enumerate(warnings) if one not in warnings[:at]]
    run.write(MANIFEST, _bytes({**body, **more, "warnings": told}, started, hashes(run)))


def seal(target: Path, files: Sequence[Path], body: Mapping[str, Any], started: str) -> None:
    """Write the manifest of ``files`` into the folder ``target``, or beside the file ``target``."""
    base = target if target.is_dir() else target.parent
    outputs = {
        str(path.relative_to(base)): {"sha256": sha256(path), "bytes": path.stat().st_size} for path in sorted(files)
    }
    with witnessed(Witness()):
        replace_file(path_of(target), _bytes(body, started, outputs))


def _bytes(body: Mapping[str, Any], started: str, outputs: Mapping[str, Any]) -> bytes:
    whole = {
        "tool": "supplychain",
        "version": __version__,
        "manifest": VERSION,
        **body,
        "environment": environment(),
        "started": started,
        "finished": now(),
        "outputs": outputs,
    }
    return (json.dumps(whole, ensure_ascii=False, indent=2, default=str) + "\n").encode("utf-8")


def path_of(run: Path) -> Path:
    """Return where the manifest of a run is: in its folder, or beside its file."""
    return run / MANIFEST if run.is_dir() else run.with_name(f"{run.name}.{MANIFEST}")


def files_in(folder: Path, *skipped: str) -> list[Path]:
    """Return the files of a run's folder but for its manifest, locks, remains and the folders named, in order."""
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] not in (MANIFEST, *skipped) and not any(part.startswith(".") for part in parts):
            found.append(path)
    return found


def inputs(case: Case) -> list[dict[str, Any]]:
    """Return the hashes of every file that a case was read from, by role."""
    package = case.network.package
    network = dict(package.hashes) if package is not None else {}
    book = {"name": case.book.name, "files": dict(case.book.hashes), "changes": list(case.book.changes)}
    return [
        {"role": "network", "name": case.network.name, "files": network},
        {"role": "regimes", **book},
        {"role": "assumptions", "name": case.assumptions.name, "files": dict(case.assumptions.hashes)},
    ]


def sealed(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return inputs as a redacted run tells them: one hash for all files of a role, no name of a file or package."""
    digests = {
        str(entry["role"]): "\n".join(f"{name} {digest}" for name, digest in sorted(entry["files"].items()))
        for entry in found
    }
    return [
        {"role": role, "files": {"all": hashlib.sha256(text.encode()).hexdigest()}} for role, text in digests.items()
    ]


def computed(solves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how it was computed: threads, tolerances, how every solve ended, and in full the solves that decide.

    Of more than a hundred solves those are told in full that are not proven optimal; of the others the worst gap and
    violation.
    """
    from supplychain.analysis.cascade import TOLERANCE
    from supplychain.solve import FEASIBLE, PROVEN, THREADS

    told = solves if len(solves) <= _TOLD else [one for one in solves if one["status"] != "optimal"]
    proven = [one for one in solves if one["status"] == "optimal"]
    return {
        "threads": THREADS,
        "tolerances": {"cascade": TOLERANCE, "feasible, relative": FEASIBLE, "gap called optimal": PROVEN},
        "solves": list(told),
        "solved": {
            "solves": len(solves),
            "by_status": dict(sorted(Counter(str(one["status"]) for one in solves).items())),
            "largest_gap": max((one["gap"] for one in proven), default=0.0),
            "largest_violation": max((one["violation"] for one in proven), default=0.0),
        },
    }


def remarks(noticed: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return what was noticed while writing, as warnings."""
    return [{"code": code, "rule": text} for code, text in noticed]


def read(folder: Path) -> dict[str, Any]:
    """Return the manifest of a run (a folder, or one file); raises InputError when there is none or it is not ours."""
    path = path_of(folder)
    problems = Problems()
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.add(
            "no-manifest",
            "a finished run has a manifest",
            "name the folder or file that a command wrote",
            file=str(path),
        )
    except (OSError, ValueError, RecursionError) as error:
        problems.add(
            "manifest", "the manifest must be readable JSON", "run the command again", file=str(path), value=error
        )
    else:
        if isinstance(body, dict) and body.get("tool") == "supplychain" and isinstance(body.get("outputs"), dict):
            return body
        problems.add("manifest", "the manifest must be one of supplychain's", "run the command again", file=str(path))
    raise InputError(problems.errors)


@dataclass(frozen=True)
class Finding:
    """One comparison of a verification: what, its name, and how it ended (same, changed, missing, extra)."""

    kind: str
    name: str
    outcome: str
    detail: str = ""

    @property
    def good(self) -> bool:
        return self.outcome == "same"


def compare_outputs(folder: Path, body: Mapping[str, Any]) -> list[Finding]:
    """Compare the files of a run with the hashes in its manifest; files it does not know are told too."""
    findings = []
    base = folder if folder.is_dir() else folder.parent
    for name, entry in sorted(body["outputs"].items()):
        path = base / name
        inside = path.resolve().is_relative_to(base.resolve())
        if not inside or not path.is_file():
            findings.append(Finding("output", name, "missing"))
            continue
        same = sha256(path) == entry["sha256"]
        findings.append(Finding("output", name, "same" if same else "changed", "" if same else _sizes(path, entry)))
    if folder.is_dir():
        present = [str(path.relative_to(folder)) for path in files_in(folder, *body.get("workings", ()))]
        extra = [name for name in present if name not in body["outputs"]]
        findings += [Finding("output", name, "extra", "not in the manifest") for name in extra]
    return findings


def _sizes(path: Path, entry: Mapping[str, Any]) -> str:
    return f"{path.stat().st_size:,} bytes, {int(entry['bytes']):,} when it was written"


def compare_inputs(then: Sequence[Mapping[str, Any]], now_: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Compare the hashes of the inputs in two manifests, file by file."""
    old = {f"{entry['role']}/{name}": digest for entry in then for name, digest in entry["files"].items()}
    new = {f"{entry['role']}/{name}": digest for entry in now_ for name, digest in entry["files"].items()}
    findings = []
    for name in sorted(old | new):
        outcome = "missing" if name not in new else "extra" if name not in old else "changed"
        findings.append(Finding("input", name, "same" if old.get(name) == new.get(name) else outcome))
    return findings


def compare_environments(then: Mapping[str, Any], now_: Mapping[str, Any]) -> list[Finding]:
    """Name every version that differs: that explains differing bytes, and is no fault by itself."""
    old, new = _versions(then), _versions(now_)
    return [
        Finding("version", name, "changed", f"{old.get(name, 'absent')} then, {new.get(name, 'absent')} now")
        for name in sorted(old | new)
        if old.get(name) != new.get(name)
    ]


def _versions(environment_: Mapping[str, Any]) -> dict[str, str]:
    return {"python": str(environment_.get("python", "")), **environment_.get("libraries", {})}


def compare_runs(body: Mapping[str, Any], again: Mapping[str, Any]) -> list[Finding]:
    """Compare the hash of every output in the manifest of a run with that of the same run computed again."""
    then, now_ = body["outputs"], again["outputs"]
    findings = []
    for name in sorted(then | now_):
        outcome = "missing" if name not in now_ else "extra" if name not in then else "changed"
        same = name in then and name in now_ and then[name]["sha256"] == now_[name]["sha256"]
        findings.append(Finding("recomputed", name, "same" if same else outcome))
    return findings


def warning_record(problem: Problem) -> dict[str, Any]:
    """Return a warning as the manifest keeps it."""
    return {
        "code": problem.code,
        "file": problem.file,
        "row": problem.row,
        "column": problem.column,
        "value": problem.value,
        "rule": problem.rule,
        "cure": problem.cure,
    }
