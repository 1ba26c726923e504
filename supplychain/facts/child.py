"""Reads Parquet files and workbooks in a process of their own, with limits on its memory, CPU and time.

A damaged or hostile binary file may crash the library that reads it, fill the memory or never end; then the child ends
and the file is refused. What it read comes back as JSON and Arrow streams, never as objects that could run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from supplychain.errors import EnvironmentFault, Problem, Problems
from supplychain.facts.raw import RawTable

SECONDS = 60  # CPU and wall time for a small file; more by size
MEMORY = 2_000_000_000  # bytes of address space for a small file (a third of it is libraries); more by size
_MOST_MEMORY = 16_000_000_000
_PER_BYTE = 60  # bytes of memory that a byte of the file may need
_SPEED = 300_000  # bytes of a file that are read in a second at the very least
_EXHAUSTED = 9  # exit code of a child that ran out of memory


@dataclass(frozen=True)
class Found:
    """What a file held: for a workbook its descriptor, tables by name and refused sheets; for a Parquet file its one
    table; for a grid the numbered rows."""

    descriptor: dict[str, Any]
    tables: dict[str, RawTable]
    failed: frozenset[str]
    rows: list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Job:
    """A file to read: `kind` is parquet, workbook (a sheet per table) or grid (its first sheet, any header)."""

    kind: str
    name: str
    file: str
    data: bytes


def read_apart(jobs: Sequence[Job], problems: Problems) -> list[Found]:
    """Return what each file held, read in one child; when that dies, each in its own, so that the culprit is named."""
    if not jobs:
        return []
    answer = _asked(jobs)
    if isinstance(answer, bytes):
        return [_found(part, problems) for part in _parts(answer)]
    if len(jobs) > 1:
        return [read_apart([job], problems)[0] for job in jobs]
    job = jobs[0]
    rule = f"a file is read within {_seconds(jobs)} s and {_memory(jobs):,} bytes of memory"
    cure = f"{answer}: the file is damaged or unpacks to too much; write it again, or as CSV"
    problems.add("unreadable", rule, cure, file=job.file, table=job.name)
    return [Found({}, {}, frozenset({job.name} if job.name else ()), [])]


def _seconds(jobs: Sequence[Job]) -> int:
    return SECONDS + sum(len(job.data) for job in jobs) // _SPEED


def _memory(jobs: Sequence[Job]) -> int:
    return min(MEMORY + sum(_PER_BYTE * len(job.data) for job in jobs), _MOST_MEMORY)


def _asked(jobs: Sequence[Job]) -> bytes | str:
    """Return the child's answer, or in words how it ended."""
    seconds = _seconds(jobs)
    order = {"seconds": seconds, "memory": _memory(jobs)}
    listed = [{"kind": job.kind, "name": job.name, "file": job.file, "size": len(job.data)} for job in jobs]
    head = json.dumps({**order, "jobs": listed}).encode() + b"\n"
    home = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": home, "ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-s", "-m", "supplychain.facts.child"]
    try:
        done = subprocess.run(
            command,
            input=b"".join([head, *(job.data for job in jobs)]),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=2 * seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {2 * seconds} s"
    except OSError as error:
        raise EnvironmentFault(f"cannot start a process to read files: {error.strerror or error}") from error
    if done.returncode == 0:
        return done.stdout
    if done.returncode == _EXHAUSTED:
        return "it needed more memory"
    return f"the reader died ({-done.returncode if done.returncode < 0 else done.returncode})"


# An answer is a line of JSON per file, then its Arrow streams; every length stands in the line.


def _parts(answer: bytes) -> list[tuple[dict[str, Any], list[bytes]]]:
    parts, at = [], 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        head = json.loads(answer[at:end])
        at, streams = end + 1, []
        for table in head["tables"]:
            streams.append(answer[at : at + table["size"]])
            at += table["size"]
        parts.append((head, streams))
    return parts


def _found(part: tuple[dict[str, Any], list[bytes]], problems: Problems) -> Found:
    head, streams = part
    for told, tell in ((head["errors"], problems.add), (head["warnings"], problems.warn)):
        for entry in told:
            tell(**Problem(**entry).__dict__)
    tables = {}
    for about, stream in zip(head["tables"], streams, strict=True):
        table = pa.ipc.open_stream(stream).read_all()
        table.validate(full=True)
        rows = table.column(0).to_numpy().astype(np.int64)
        cells = {name: table.column(i + 1) for i, name in enumerate(about["columns"])}
        tables[about["name"]] = RawTable(about["name"], about["file"], cells, rows)
    return Found(head["descriptor"], tables, frozenset(head["failed"]), [(at, row) for at, row in head["rows"]])


def _answer(job: dict[str, Any], data: bytes) -> bytes:
    """Read one file: what the child does."""
    from supplychain.facts.parquetfile import read_parquet
    from supplychain.facts.workbook import read_workbook, workbook_grid

    problems = Problems()
    descriptor: dict[str, Any] = {}
    tables: dict[str, RawTable] = {}
    failed: frozenset[str] = frozenset()
    rows: list[tuple[int, list[str]]] = []
    if job["kind"] == "parquet":
        table = read_parquet(data, job["name"], job["file"], problems)
        tables, failed = ({job["name"]: table}, failed) if table is not None else ({}, frozenset({job["name"]}))
    elif job["kind"] == "workbook":
        descriptor, tables, failed = read_workbook(data, job["file"], problems)
    else:
        rows = workbook_grid(data, job["file"], problems)
    streams = [_stream(table) for table in tables.values()]
    head = {
        "descriptor": descriptor,
        "tables": [
            {"name": table.name, "file": table.file, "columns": list(table.cells), "size": len(stream)}
            for table, stream in zip(tables.values(), streams, strict=True)
        ],
        "failed": sorted(failed),
        "rows": rows,
        "errors": [asdict(problem) for problem in problems.errors],
        "warnings": [asdict(problem) for problem in problems.warnings],
    }
    return b"".join([json.dumps(head).encode(), b"\n", *streams])


def _stream(table: RawTable) -> bytes:
    # Columns go by number: a name of the file could be that of the row numbers.
    columns = [pa.chunked_array([pa.array(table.rows)]), *table.cells.values()]
    named = pa.table(columns, names=[str(number) for number in range(len(columns))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, named.schema) as writer:
        writer.write_table(named)
    return bytes(sink.getvalue())


def _limit(seconds: int, memory: int) -> None:
    try:
        import resource
    except ImportError:  # no such limits on this system: the time limit of the parent remains
        return
    for kind, most in (("RLIMIT_AS", memory), ("RLIMIT_CPU", seconds), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0)):
        highest = resource.getrlimit(getattr(resource, kind))[1]
        least = most if highest == resource.RLIM_INFINITY else min(most, highest)
        resource.setrlimit(getattr(resource, kind), (least, least))


def main() -> int:
    """Read the order and the files from standard input, write the answer to standard output."""
    order = json.loads(sys.stdin.buffer.readline())
    _limit(order["seconds"], order["memory"])
    try:
        for job in order["jobs"]:
            sys.stdout.buffer.write(_answer(job, sys.stdin.buffer.read(job["size"])))
        sys.stdout.buffer.flush()
    except MemoryError:
        return _EXHAUSTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
