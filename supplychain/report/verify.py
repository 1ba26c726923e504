"""Verifies a run: files and inputs against their hashes, then everything computed again and compared byte by byte."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from supplychain.errors import EnvironmentFault, InputError, NoAnswer, UsageError
from supplychain.report import manifest
from supplychain.report.make import Request, make
from supplychain.report.redact import asked


@dataclass(frozen=True)
class Verdict:
    """``table``: kind (output, input, version, recomputed), name, outcome (same, changed, missing, extra), detail."""

    table: pd.DataFrame
    recomputed: bool

    @property
    def good(self) -> bool:
        """Everything that decides is the same; another version of a library alone is no fault."""
        decisive = self.table[self.table["kind"] != "version"]
        return bool((decisive["outcome"] == "same").all())

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        bad = self.table[(self.table["outcome"] != "same") & (self.table["kind"] != "version")]
        files = int((self.table["kind"] == "output").sum())
        how = "its inputs are unchanged and computing it again gives the same bytes" if self.recomputed else "by hash"
        if self.good:
            return f"verified: {files} files as they were written; {how}"
        return f"not verified: {len(bad)} differences (" + ", ".join(sorted(set(bad["kind"]))) + ")"


Repeat = Callable[[Mapping[str, Any], Path, Path], tuple[Path, str]]


def verify(
    folder: Path,
    step: Callable[[str], None],
    *,
    recompute: bool = True,
    repeat: Repeat | None = None,
    key: Path | None = None,
) -> Verdict:
    """Check the run in ``folder`` (or the one file of a run); with ``recompute`` its inputs are read and every result
    is computed again.

    ``repeat`` runs the command of a manifest once more, under a folder of its own, and returns where its result is and
    what went wrong; without it only reports can be computed again. A redacted report does not say what it was
    made from: with its ``key`` it is computed again, without it only hashes are compared. Raises InputError where there
    is no manifest.
    """
    body = manifest.read(folder)
    request = body.get("request", {})
    if request.get("redact"):
        recompute = recompute and key is not None
        request = asked(key) if key is not None else request
    step("comparing files")
    findings = manifest.compare_outputs(folder, body)
    findings += manifest.compare_environments(body.get("environment", {}), manifest.environment())
    if recompute:
        step("computing it again")
        asked_for = {**body, "request": request}
        if "command" in request:  # of a redacted what-if page the key alone holds the command
            asked_for["command"] = request["command"]
        with tempfile.TemporaryDirectory(prefix="supplychain-verify-") as name:
            findings += _again(folder, asked_for, Path(name), step, repeat)
    columns = ["kind", "name", "outcome", "detail"]
    return Verdict(pd.DataFrame([asdict(finding) for finding in findings], columns=columns), recompute)


def _again(
    folder: Path, body: Mapping[str, Any], into: Path, step: Callable[[str], None], repeat: Repeat | None
) -> list[manifest.Finding]:
    """Compute the run again, elsewhere, and compare inputs and outputs of the two."""
    again, wrong = into / "run", ""
    if "command" not in body:
        try:
            make(Request.from_record(body.get("request", {})), again, step)
        except (UsageError, InputError, EnvironmentFault, NoAnswer) as error:
            wrong = str(error).splitlines()[0]
    elif repeat is None:
        wrong = "only the command line can repeat this run"
    else:
        again, wrong = repeat(body, folder, into)
    if wrong:
        return [manifest.Finding("recomputed", "the whole run", "missing", wrong)]
    present = manifest.read(again)
    return manifest.compare_inputs(body["inputs"], present["inputs"]) + manifest.compare_runs(body, present)
