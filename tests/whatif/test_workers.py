"""Interrupts and deaths from outside: quick, no orphans, nothing lost (faults 82 to 87 of docs/reliability.md)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from supplychain.cli import run
from supplychain.errors import EnvironmentFault
from supplychain.report import manifest
from supplychain.whatif import workers
from supplychain.whatif.scenario import load_scenario
from supplychain.whatif.store import TABLE, opened
from supplychain.whatif.sweep import CaseSpec, make_plan
from tests.whatif.jobs import hangs_anywhere

ROOT = Path(__file__).parents[2]
TEMPLATE = str(ROOT / "datasets" / "template")
SCENARIO = """title = "Stock"
[parameters.days]
value = 20
range = [5, 90]
unit = "days"
why = "what a warehouse holds"
[[action]]
do = "stock"
items = ["my-chip"]
days = "$days"
"""


def children(process: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def listens() -> None:
    """A shell lets what it runs in the background ignore interrupts, and that is inherited: not so here."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def until(what: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_sweep_stopped_in_any_way_leaves_no_worker_and_is_resumed(tmp_path: Path) -> None:
    scenario, folder = tmp_path / "one.toml", tmp_path / "sweep"
    scenario.write_text(SCENARIO)
    command = [sys.executable, "-m", "supplychain", "sweep", str(scenario), "--network", TEMPLATE, "--samples", "4000",
               "--workers", "2", "--output", str(folder), "--quiet"]  # fmt: skip
    done, made = 0, folder / "runs"
    for stop, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        process = subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=listens
        )
        until(lambda: process.poll() is not None or (made.is_dir() and len([*made.glob("*.json")]) > done))  # noqa: B023
        mine = children(process.pid)
        assert len(mine) >= 2
        if stop is signal.SIGINT:
            os.killpg(process.pid, stop)  # as a terminal does: to every process of the group
        else:
            process.send_signal(stop)
        began = time.monotonic()
        told = process.communicate(timeout=20)[1]
        assert time.monotonic() - began < 5
        assert process.returncode == code, told
        assert "Traceback" not in told
        until(lambda: all(gone(child) for child in mine), 5)  # noqa: B023
        assert (folder / ".lock").exists() == (stop is signal.SIGKILL)
        names = [path.name for path in made.glob("*.json")]
        assert len(names) > done
        assert all(json.loads((made / name).read_bytes())["run"] == int(name[:7]) for name in names)
        done = len(names)
    # Resumed: what was finished is kept, the lock of the dead is taken over and that is told.
    plan = json.loads((folder / "plan.json").read_bytes())
    assert len(plan["drawn"]) == 4000
    for path in sorted(made.glob("*.json"))[3:]:
        path.unlink()
    kept = [path.stat().st_mtime_ns for path in sorted(made.glob("*.json"))]
    with opened(folder, workers_plan(scenario, 4000)) as store:
        assert set(store.done) == {int(path.stem) for path in sorted(made.glob("*.json"))}
        assert [path.stat().st_mtime_ns for path in sorted(made.glob("*.json"))] == kept


def workers_plan(scenario: Path, samples: int) -> object:
    spec = CaseSpec(network=TEMPLATE, buyer="illustrative", on="2026-11-01")
    return make_plan(spec, [load_scenario(str(scenario))], "mc", samples, horizons=(12.0,))


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_on_which_one_run_hangs_gives_the_others_and_lists_it(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    scenario = tmp_path / "one.toml"
    scenario.write_text(SCENARIO)
    with opened(tmp_path / "s", workers_plan(scenario, 4)) as store:  # type: ignore[arg-type]
        workers.run_cluster(store, "local", 2, timeout=1, job=hangs_anywhere)
        assert store.failed == {1: "no answer within 4 x 1 seconds"}
        assert sorted(store.done) == [0, 2, 3]


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "__version__", "0.0.1")
    scenario = tmp_path / "one.toml"
    scenario.write_text(SCENARIO)
    with (
        opened(tmp_path / "s", workers_plan(scenario, 1)) as store,  # type: ignore[arg-type]
        pytest.raises(EnvironmentFault, match=r"workers run version .* this is 0\.0\.1"),
    ):
        workers.run_cluster(store, "local", 1)


def test_a_cluster_that_does_not_answer_is_a_fault_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "_PATIENCE", "0.3s")
    scenario = tmp_path / "one.toml"
    scenario.write_text(SCENARIO)
    with (
        opened(tmp_path / "s", workers_plan(scenario, 1)) as store,  # type: ignore[arg-type]
        pytest.raises(EnvironmentFault, match="no Dask scheduler answers"),
    ):
        workers.run_cluster(store, "tcp://127.0.0.1:9", 1)


def test_a_sweep_tells_of_damage_and_locks_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "one.toml"
    scenario.write_text(SCENARIO)
    (tmp_path / "s" / "runs").mkdir(parents=True)
    with opened(tmp_path / "t", workers_plan(scenario, 3)) as store:  # type: ignore[arg-type]
        (tmp_path / "s" / "plan.json").write_bytes(store.plan_file.read_bytes())
    (tmp_path / "s" / ".lock").write_text("999999999")
    (tmp_path / "s" / "runs" / "0000001.json").write_text('{"run": 1, "scen')  # cut short by a crash
    line = ["sweep", str(scenario), "--network", TEMPLATE, "--samples", "3", "--workers", "1"]
    assert run([*line, "--output", str(tmp_path / "s")]) == 0
    told = capsys.readouterr().err
    assert "taken over" in told
    assert "0000001.json is damaged" in told
    body = manifest.read(tmp_path / "s")
    assert [one["code"] for one in body["warnings"]] == ["taken-over", "damaged-checkpoint"]
    assert sorted(body["outputs"]) == ["plan.json", "sweep.parquet"]
    assert len(pd.read_parquet(tmp_path / "s" / TABLE)) == 3
