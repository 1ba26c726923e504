"""A second opinion: CBC, another program by other people, handed the same numbers in a file of our own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from supplychain.errors import EnvironmentFault
from supplychain.linear import LinearModel, to_mps, violation
from supplychain.solve import Solution


@lru_cache(maxsize=1)
def cbc_path() -> Path | None:
    """The CBC program: bundled with PuLP 3.3, from `cbcbox` or the system with PuLP 4; None when there is none."""
    candidates: list[str | None] = []
    try:
        from pulp.apis.coin_api import pulp_cbc_path

        candidates.append(str(pulp_cbc_path))
    except ImportError:
        pass
    try:
        import cbcbox  # type: ignore[import-not-found, unused-ignore]

        candidates.append(str(cbcbox.cbc_bin_path()))
    except ImportError:
        pass
    candidates.append(shutil.which("cbc"))
    return next((Path(c) for c in candidates if c and shutil.which(c)), None)


def second_opinion(model: LinearModel, time_limit: float = 60.0) -> Solution:
    """Solve `model` with CBC. Raises EnvironmentFault when there is no CBC (see `cbc_path`).

    CBC prints values with about eight digits, so its objective is good to about 1e-7; it gives no bound.
    """
    program = cbc_path()
    if program is None:
        raise EnvironmentFault("no CBC program found: PuLP 3.3 bundles one; with PuLP 4 install `pulp[cbc]`")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="supplychain-") as folder:
        mps, out = Path(folder, "model.mps"), Path(folder, "solution.txt")
        mps.write_text(to_mps(model), encoding="ascii")
        # CBC 2.10.3 proves wrong optima after its integer preprocessing (3 in 1,000 small random MILPs), and without it
        # crashes on some infeasible ones: so without first, and with it only after a crash.
        for preprocess in ("off", "sos"):
            arguments = [str(program), str(mps), "-sec", str(time_limit), "-ratio", "1e-9", "-allow", "1e-9"]
            arguments += ["-preprocess", preprocess, "-solve", "-solution", str(out)]
            try:
                run = subprocess.run(arguments, capture_output=True, text=True, timeout=time_limit + 60, check=False)
            except OSError as error:
                raise EnvironmentFault(f"CBC cannot be started ({program}): {error.strerror or error}") from error
            except subprocess.TimeoutExpired:
                raise EnvironmentFault(f"CBC hung: no answer {time_limit + 60:g} seconds after its limit") from None
            if run.returncode == 0:
                break
        if run.returncode < 0:
            raise EnvironmentFault(f"CBC was killed by signal {-run.returncode}, twice")
        lines = out.read_text(encoding="ascii").splitlines() if out.exists() else []
    head = lines[0].lower() if lines else ""
    values = np.clip(0.0, model.col_lower, model.col_upper)
    for line in lines[1:]:
        parts = line.replace("**", " ").split()
        if len(parts) >= 3 and parts[1].startswith("x"):
            values[int(parts[1][1:])] = float(parts[2])
    blank = Solution.without_values(model, "error", time.perf_counter() - began, "cbc", _version(run.stdout))
    if "unbounded" in head:
        return replace(blank, status="unbounded")
    if "infeasible" in head:
        return replace(blank, status="infeasible")
    complete = head.startswith("optimal")
    # The eight digits CBC prints leave a larger violation than its own point has.
    if not complete and ("stopped" not in head or violation(model, values) > 1e-5):
        return replace(blank, status="no-solution" if "stopped" in head else "error")
    return replace(
        blank,
        status="optimal" if complete else "feasible-not-proven",
        objective=model.objective(values),
        values=values,
        violation=violation(model, values),
    )


def agrees(first: Solution, second: Solution, tolerance: float = 1e-6) -> bool:
    """True when two solvers say the same: the same reason for no plan, or objectives within a relative `tolerance`."""
    if first.has_values and second.has_values:
        return abs(first.objective - second.objective) <= tolerance * max(1.0, abs(first.objective))
    return first.status == second.status


def _version(text: str) -> str:
    return next((line.split()[-1] for line in text.splitlines() if line.startswith("Version")), "unknown")
