"""Verifies a run: files and inputs against their hashes, then everything computed again and compared byte by byte."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from supplychain.errors import EnvironmentFault, InputError, UsageError
from supplychain.report import manifest
from supplychain.report.make import Request, make

if TYPE_CHECKING:
    from collections.abc import Callable


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


def verify(folder: Path, step: Callable[[str], None], *, recompute: bool = True) -> Verdict:
    """Check the run in ``folder``; with ``recompute`` its inputs are read and every result is computed again.

    Raises InputError where there is no manifest.
    """
    body = manifest.read(folder)
    step("comparing files")
    findings = manifest.compare_outputs(folder, body)
    findings += manifest.compare_environments(body.get("environment", {}), manifest.environment())
    if recompute:
        findings += _again(folder, Request.from_record(body["request"]), step)
    columns = ["kind", "name", "outcome", "detail"]
    return Verdict(pd.DataFrame([asdict(finding) for finding in findings], columns=columns), recompute)


def _again(folder: Path, request: Request, step: Callable[[str], None]) -> list[manifest.Finding]:
    """Make the report again, elsewhere, and compare inputs and outputs of the two runs."""
    with tempfile.TemporaryDirectory(prefix="supplychain-verify-") as name:
        again = Path(name) / "run"
        try:
            make(request, again, step)
        except (UsageError, InputError, EnvironmentFault) as error:
            return [manifest.Finding("recomputed", "the whole run", "missing", str(error).splitlines()[0])]
        then, present = manifest.read(folder), manifest.read(again)
        return manifest.compare_inputs(then["inputs"], present["inputs"]) + manifest.compare_runs(folder, again)
