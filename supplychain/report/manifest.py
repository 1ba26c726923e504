"""The manifest of a run: what went in, what computed it, how each solve ended, what came out; and its verification."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supplychain import __version__
from supplychain.errors import InputError, Problem, Problems
from supplychain.files import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from supplychain.report.run import Run

VERSION = 1  # of the manifest's own form
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
    "scipy",
    "vl-convert-python",
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


def write(run: Run, body: Mapping[str, Any], started: str) -> None:
    """Write the manifest, last of all files, from what the run knows (``body``) and the files it wrote."""
    whole = {
        "tool": "supplychain",
        "version": __version__,
        "manifest": VERSION,
        **body,
        "environment": environment(),
        "started": started,
        "finished": now(),
        "outputs": hashes(run),
    }
    run.write(MANIFEST, (json.dumps(whole, ensure_ascii=False, indent=2, default=str) + "\n").encode("utf-8"))


def read(folder: Path) -> dict[str, Any]:
    """Return the manifest of a run; raises InputError when there is none or it is not ours."""
    path = folder / MANIFEST
    problems = Problems()
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.add(
            "no-manifest", "a finished run has a manifest", "name the folder that `report` printed", file=str(path)
        )
    except (OSError, ValueError) as error:
        problems.add(
            "manifest", "the manifest must be readable JSON", "run the report again", file=str(path), value=error
        )
    else:
        if isinstance(body, dict) and body.get("tool") == "supplychain" and isinstance(body.get("outputs"), dict):
            return body
        problems.add("manifest", "the manifest must be one of supplychain's", "run the report again", file=str(path))
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
    for name, entry in sorted(body["outputs"].items()):
        path = folder / name
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside or not path.is_file():
            findings.append(Finding("output", name, "missing"))
            continue
        same = sha256(path) == entry["sha256"]
        findings.append(Finding("output", name, "same" if same else "changed", "" if same else _sizes(path, entry)))
    known = set(body["outputs"]) | {MANIFEST}
    present = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    findings += [Finding("output", name, "extra", "not in the manifest") for name in present if name not in known]
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


def compare_runs(folder: Path, again: Path) -> list[Finding]:
    """Compare every output of a run, byte by byte, with the same run computed again."""
    then, now_ = read(folder)["outputs"], read(again)["outputs"]
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
