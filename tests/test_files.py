"""Old or new, never half: one file, one folder, locks, what a killed process leaves (faults 76 to 81, 96, 97)."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import crash
from supplychain import files
from supplychain.errors import EnvironmentFault

DEAD = 999_999_999  # no process has this number


def test_files_and_folders_are_for_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.replace_file(tmp_path / "one.csv", b"a,b\n")
        with files.replacing(tmp_path / "run") as work:
            files.write_new(work / "two.csv", b"x" * 5)
            with files.creating(work / "three.bin") as stream:
                stream.write(b"y" * 7)
        files.make_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    for path in tmp_path.rglob("*"):
        expected = 0o700 if path.is_dir() else 0o600
        assert path.stat().st_mode & 0o777 == expected, path
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "one.csv", "run"]


def test_a_write_that_the_system_takes_in_pieces_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data)[:3]))
    files.replace_file(tmp_path / "one", b"0123456789")
    monkeypatch.undo()
    assert (tmp_path / "one").read_bytes() == b"0123456789"


def test_remains_of_killed_processes_go_and_those_of_live_ones_stay(tmp_path: Path) -> None:
    mine, other = tmp_path / f".a[1].csv.{DEAD}.part", tmp_path / f".a[1].csv.{os.getppid()}.part"
    foreign = tmp_path / f".a1.csv.{DEAD}.part"  # of another target, whose name the first looks like as a pattern
    for path in (mine, other, foreign):
        path.write_bytes(b"half")
    files.replace_file(tmp_path / "a[1].csv", b"whole")
    assert not mine.exists()
    assert other.exists()
    assert foreign.exists()


def test_a_folder_set_aside_by_a_killed_process_comes_back(tmp_path: Path) -> None:
    aside = tmp_path / f".run.{DEAD}.old"
    aside.mkdir()
    (aside / "report.html").write_text("old")
    (tmp_path / f".run.{DEAD}.part").mkdir()
    with pytest.raises(RuntimeError), files.replacing(tmp_path / "run"):
        raise RuntimeError("stopped again")
    assert (tmp_path / "run" / "report.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_systems_that_cannot_swap_folders_still_give_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_exchange", lambda *_: False)
    for text in ("first", "second"):
        with files.replacing(tmp_path / "run") as work:
            files.write_new(work / "page", text.encode())
        assert (tmp_path / "run" / "page").read_text() == text
    real, calls = os.rename, []

    def failing(one: object, two: object) -> None:
        calls.append(one)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(one, two)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(EnvironmentFault, match="No space"), files.replacing(tmp_path / "run") as work:
        files.write_new(work / "page", b"third")
    assert (tmp_path / "run" / "page").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_lock_names_its_process_and_that_of_a_dead_one_is_taken_over(tmp_path: Path) -> None:
    lock, target = tmp_path / ".run.lock", tmp_path / "run"
    with files.witnessed(files.Witness()) as witness:
        with files.locked(lock, target):
            assert lock.read_text() == str(os.getpid())
            with pytest.raises(EnvironmentFault, match=f"process {os.getpid()}"), files.locked(lock, target):
                pass
        assert not lock.exists()
        lock.write_text(str(DEAD))
        with files.locked(lock, target):
            assert lock.read_text() == str(os.getpid())
        lock.write_text("not a number")  # cut short by a crash
        with files.locked(lock, target):
            pass
        lock.write_text(str(os.getppid()))
        with pytest.raises(EnvironmentFault, match=str(os.getppid())), files.locked(lock, target):
            pass
    assert witness.remarks == [("taken-over", f"{target}: the lock of process {DEAD}, which is gone, was taken over")]


def test_two_that_find_a_stale_lock_do_not_both_take_it(tmp_path: Path) -> None:
    lock = tmp_path / ".run.lock"
    lock.write_text(str(DEAD))
    with (
        lock.open() as first
    ):  # the other has opened it and holds the system's lock, but has not written its number yet
        fcntl.flock(first, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentFault, match=str(DEAD)), files.locked(lock, tmp_path / "run"):
            pass
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom supplychain import files\n"
        "from supplychain.errors import EnvironmentFault\nlock = Path(sys.argv[1])\nheld = 0\n"
        "for _ in range(150):\n"
        "    try:\n"
        "        with files.locked(lock, lock):\n"
        "            (lock.parent / 'inside').mkdir()\n"  # fails where another is inside
        "            (lock.parent / 'inside').rmdir()\n"
        "            held += 1\n"
        "    except EnvironmentFault as fault:\n"
        "        assert 'process' in str(fault), fault\n"
        "print(held)\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, str(lock)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    told = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(int(text) for text in told) > 0
    assert not (tmp_path / "inside").exists()


def test_a_folder_that_allows_no_lock_or_name_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot lock"), files.replacing(tmp_path / "none" / "run"):
        pass
    with pytest.raises(EnvironmentFault, match="cannot write"):
        files.replace_file(tmp_path / ("n" * 300), b"")
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot create"):
        files.make_folder(tmp_path / "file" / "sub")


@pytest.mark.parametrize("name", ["regimes --output", "export package", "import"])
def test_every_write_of_a_command_may_fail(name: str) -> None:
    """A sample of the loop that `make crash` runs whole."""
    found = crash.loop(name, choose=lambda number: number % 7 == 1)
    assert found.wrong == ()
    assert found.failed > 3


def test_the_loop_finds_a_command_that_writes_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_place(target: Path, data: bytes) -> None:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(handle, data)
        except OSError as error:
            raise EnvironmentFault(str(error)) from error
        finally:
            os.close(handle)

    monkeypatch.setattr("supplychain.cli.output.replace_file", in_place)
    assert any("neither old nor new" in fault for fault in crash.loop("regimes --output").wrong)


def test_a_process_that_is_killed_leaves_the_old_run_or_the_new() -> None:
    assert crash.killed(6) == []


def test_a_disk_that_is_full_is_exit_5_and_the_old_file_stays(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the system itself refuses, in the middle of a write."""
    template = str(Path(__file__).parents[1] / "datasets" / "template")

    def limited(blocks: str, *words: str) -> subprocess.CompletedProcess[str]:
        line = f'ulimit -f {blocks}; exec "$@"'
        command = ["sh", "-c", line, "sh", sys.executable, "-m", "supplychain", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])

    # 4 blocks of 512 bytes: too small for the table of regimes and for the tables of a package.
    for words, target in (
        (("regimes", "--format", "json", "--output", str(tmp_path / "r.json")), tmp_path / "r.json"),
        (("export", "package", str(tmp_path / "p"), "--overwrite", "--network", template), tmp_path / "p"),
    ):
        assert limited("unlimited", *words).returncode == 0
        before = crash.state(tmp_path)
        again = limited("4", *words)
        assert again.returncode == 5, again.stderr
        assert "cannot write" in again.stderr
        assert "File too large" in again.stderr
        assert "Traceback" not in again.stderr
        assert target.exists()
        assert crash.state(tmp_path) == before
    full = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m supplychain regimes > /dev/full"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert full.returncode == 5, full.stderr
    assert "No space left" in full.stderr
    assert "Traceback" not in full.stderr
