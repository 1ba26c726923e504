"""Writes files and folders whole or not at all: beside the target, onto the disk, then one rename; and locks them.

Everything that the program writes goes through here. A reader sees the old state or the new one, never half, whenever
the process dies or the disk refuses; what a killed process left beside a target is removed by the next one that writes
it. Files can be read by their owner only.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from supplychain.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MANIFEST = "manifest.json"  # what a finished run holds; written last
FILE_MODE, FOLDER_MODE = 0o600, 0o700
_CHUNK = 1 << 24  # bytes handed to the system at once


@dataclass
class Witness:
    """What hears of every target that is put in place; ``seal`` may add files to a folder before it is."""

    targets: list[Path] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    seal: Callable[[Path, Path], None] | None = None


_WITNESS: ContextVar[Witness | None] = ContextVar("witness", default=None)


@contextmanager
def witnessed(witness: Witness) -> Iterator[Witness]:
    """Let ``witness`` hear of everything written inside; an inner witness hides an outer one."""
    token = _WITNESS.set(witness)
    try:
        yield witness
    finally:
        _WITNESS.reset(token)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, readable by its owner only, onto the disk. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        os.fchmod(handle, FILE_MODE)  # whatever the umask
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest[:_CHUNK]) :]
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def creating(path: Path) -> Iterator[BinaryIO]:
    """Give a stream into a file that is not there yet, for what is too large to hold; on the disk at the end."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb") as stream:
        os.fchmod(stream.fileno(), FILE_MODE)
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def replace_file(target: Path, data: bytes) -> None:
    """Write a file beside ``target``, then rename. Raises EnvironmentFault when the disk refuses."""
    beside = _beside(target, "part")
    try:
        try:
            _clear_parts(target)
            write_new(beside, data)
            os.replace(beside, target)
            _sync(target.parent)
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {target}: {error.strerror or error}") from error
    _tell(target)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a new folder beside ``target`` to fill; on a clean end it takes the place of ``target`` in one step.

    On any error nothing changes. Raises EnvironmentFault when another live process writes the same folder, or when the
    disk refuses.
    """
    target = target.resolve()
    work = _beside(target, "part")
    with locked(target.with_name(f".{target.name}.lock"), target):
        try:
            try:
                _clear_folders(target)
                os.mkdir(work, FOLDER_MODE)
                yield work
                _seal(work, target)
                _put_in_place(work, target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        except OSError as error:
            raise EnvironmentFault(f"cannot write {target}: {error.strerror or error}") from error
    _tell(target)


def check_free(path: Path, overwrite: bool) -> None:
    """Raise UsageError where something stands already and was not asked to be replaced."""
    if path.exists() and not overwrite:
        raise UsageError(f"{str(path)!r} is there already: give another path, or ask to overwrite it")


def make_folder(folder: Path) -> None:
    """Make ``folder`` and the folders above it that are missing, for their owner only. Raises EnvironmentFault."""
    missing = [above for above in (folder, *folder.parents) if not above.exists()]
    try:
        for above in reversed(missing):
            above.mkdir(mode=FOLDER_MODE, exist_ok=True)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError as error:
        raise EnvironmentFault(f"cannot create {folder}: {error.strerror or error}") from error


@contextmanager
def locked(lock: Path, target: Path) -> Iterator[None]:
    """Hold ``lock``, which names our process; the lock of a process that is gone is taken over, with a remark.

    Raises EnvironmentFault that names the process which holds it.
    """
    handle = _taken(lock, target)
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    except OSError as error:
        raise EnvironmentFault(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            os.unlink(lock)  # while it is still ours: the system lock goes with the handle
        os.close(handle)


def _taken(lock: Path, target: Path) -> int:
    """Return a handle of the lock file on which we hold the system's lock."""
    while True:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, FILE_MODE)
        except OSError as error:
            raise EnvironmentFault(f"cannot lock {target}: {error.strerror or error}") from error
        try:
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _same_file(handle, lock):  # its owner removed it in between
                    os.close(handle)
                    continue
                owner = _owner(handle)
                if not owner or not alive(owner):
                    if owner:
                        remark("taken-over", f"{target}: the lock of process {owner}, which is gone, was taken over")
                    return handle
            owner = _owner(handle)
        except OSError as error:
            os.close(handle)
            raise EnvironmentFault(f"cannot lock {target}: {error.strerror or error}") from error
        os.close(handle)
        raise EnvironmentFault(
            f"another run writes {target} (process {owner or 'unknown'}); wait for it, or remove {lock}"
        )


def _same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _owner(handle: int) -> int:
    try:
        return int(os.pread(handle, 32, 0) or 0)
    except ValueError:
        return 0


def alive(process: int) -> bool:
    """Say whether a process of this number is there."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def remark(code: str, text: str) -> None:
    """Tell the witness something that is no fault but should be known."""
    witness = _WITNESS.get()
    if witness is not None:
        witness.remarks.append((code, text))


def _tell(target: Path) -> None:
    witness = _WITNESS.get()
    if witness is not None:
        witness.targets.append(target)


def _seal(work: Path, target: Path) -> None:
    witness = _WITNESS.get()
    if witness is not None and witness.seal is not None:
        witness.seal(work, target)


def _beside(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.{kind}")


def _clear_parts(target: Path) -> None:
    """Remove what killed processes left of this file."""
    for part in target.parent.glob(f".{_literal(target.name)}.*.part"):
        process = part.name.split(".")[-2]
        if process.isdecimal() and not alive(int(process)):
            part.unlink(missing_ok=True)


def _clear_folders(target: Path) -> None:
    """Undo what a killed process left half done; we hold the lock, so nobody is using it."""
    name = _literal(target.name)
    for aside in sorted(target.parent.glob(f".{name}.*.old")):
        shutil.rmtree(aside) if target.exists() else os.rename(aside, target)
    for part in target.parent.glob(f".{name}.*.part"):
        shutil.rmtree(part, ignore_errors=True)


def _literal(name: str) -> str:
    """Return ``name`` so that no character of it is a pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _put_in_place(work: Path, target: Path) -> None:
    """Rename; where a folder stands already, exchange the two in one step, so no moment is without one."""
    _sync(work)
    if not target.exists():
        os.rename(work, target)
    elif not _exchange(work, target):
        aside = _beside(target, "old")
        os.rename(target, aside)
        try:
            os.rename(work, target)
        except OSError:
            os.rename(aside, target)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    _sync(target.parent)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two folders in one step (Linux renameat2, RENAME_EXCHANGE); False where the system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(rename(here, os.fsencode(first), here, os.fsencode(second), exchange) == 0)


def _sync(folder: Path) -> None:
    """Let a rename reach the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
