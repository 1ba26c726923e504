"""Keeps a record of every command that writes: a manifest with what it wrote, from which `verify` repeats it.

A folder (a package, a page, a sweep) holds `manifest.json`; beside a single file NAME stands `NAME.manifest.json`.
Where `--output` names a folder that is there, the result becomes a file in it and the folder a run. The manifest is
written last, and for folders that are put in place in one step it is in them when they appear.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from contextvars import ContextVar
from enum import Enum
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from supplychain.cli.groups import with_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from supplychain.case import Case
    from supplychain.files import Witness

# Parameters that name what a command writes. Templates to be edited (`init`, `bom propose`) are no results.
_WRITES = ("output", "folder", "page", "dest", "export", "plot", "fix", "html")
_OWN = frozenset({"report", "app", "verify"})  # they keep their own manifest, or write nothing
_BUNDLED = {"network": "semiconductors", "regimes": "regimes", "book": "regimes"}  # used where no path is given
_MODELS = frozenset({"assumptions", "policy", "scenarios", "scenario", "events", "others"})
_CHECKPOINTS = "runs"  # of a sweep: its table says all that they say

_CASES: ContextVar[list[Case] | None] = ContextVar("cases", default=None)


def note(case: Case) -> None:
    """Let the record of the present command know what case was read."""
    cases = _CASES.get()
    if cases is not None:
        cases.append(case)


def recorded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command with a manifest for what it writes, and its targets checked before it computes."""
    given = signature(command, eval_str=True)
    names = [name for name, parameter in given.parameters.items() if _writes(name, parameter)]
    if not names or command.__name__ in _OWN:
        return command

    @wraps(command)
    def run_recorded(*, _context: typer.Context, **named: Any) -> Any:
        targets = {name: named[name] for name in names if named[name] is not None}
        if not targets:
            return command(**named)
        return _keep(command, named, targets, _context)

    context = Parameter("_context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    return with_parameters(run_recorded, [*given.parameters.values(), context])


def _writes(name: str, parameter: Parameter) -> bool:
    """Say whether a parameter names what is written; the folder that `overlay` takes as its argument is read."""
    if name == "folder":
        return any(told.default == "--output" for told in parameter.annotation.__metadata__)
    return name in _WRITES


def _keep(command: Callable[..., Any], named: dict[str, Any], targets: dict[str, Path], context: typer.Context) -> Any:
    from supplychain.files import MANIFEST, Witness, replacing, witnessed
    from supplychain.report import manifest
    from supplychain.report.run import check_target

    inputs = _input_paths(named, targets)
    for name, target in targets.items():
        _check(target, name, [path for role, path in inputs if role != "models"])
    arguments, started, cases = _arguments(named, context), manifest.now(), list[Any]()
    witness = Witness()

    def body() -> dict[str, Any]:
        return {
            "command": {
                "arguments": arguments,
                "writes": {str(path): str(path.absolute()) for path in targets.values()},
            },
            **_case(cases),
            "inputs": _inputs(cases, inputs),
            "seed": named.get("seed", 0),
            **manifest.computed(ledger),
            "warnings": [*_warnings(cases), *manifest.remarks(witness.remarks)],
        }

    sealed: list[Path] = []

    def seal(work: Path, target: Path) -> None:
        sealed.append(target)
        if not (work / MANIFEST).exists():
            manifest.seal(work, manifest.files_in(work), body(), started)

    witness.seal = seal
    from supplychain.solve import ledger as keeping

    token = _CASES.set(cases)
    try:
        with keeping() as ledger, witnessed(witness), manifest.adding(body):
            folder = targets.get("output")
            if folder is not None and folder.is_dir():
                check_target(folder, [path for role, path in inputs if role != "models"])
                with replacing(folder) as work:
                    ending = str(getattr(named.get("form"), "value", "txt")).replace("table", "txt")
                    code = _coded(command, {**named, "output": work / f"{arguments[0]}.{ending}"})
            else:
                code = _coded(command, named)
            for target in targets.values():
                if target.resolve() not in sealed and target.exists():
                    _manifest_of(target, body(), started, witness)
    finally:
        _CASES.reset(token)
    for _, text in witness.remarks if not named.get("quiet") else ():
        typer.echo(f"warning: {text}", err=True)
    return code


def _coded(command: Callable[..., Any], named: dict[str, Any]) -> Any:
    """Run the command; a code that it leaves by is returned, so that the record is still written."""
    try:
        return command(**named)
    except typer.Exit as exit_:
        return exit_.exit_code


def _manifest_of(target: Path, body: Mapping[str, Any], started: str, witness: Witness) -> None:
    """Write the manifest of a file beside it, or of a folder that was filled file by file into it."""
    from supplychain.report import manifest

    if target.is_dir():
        manifest.seal(target, manifest.files_in(target, _CHECKPOINTS), {**body, "workings": [_CHECKPOINTS]}, started)
    elif target in witness.targets:
        manifest.seal(target, [target], body, started)


def _check(target: Path, name: str, inputs: Sequence[Path]) -> None:
    """Refuse, before anything is computed, a target that lies in an input or cannot be written."""
    from supplychain.errors import EnvironmentFault, UsageError

    resolved = target.resolve()
    for source in inputs:
        root = source.resolve()
        if resolved == root or root in resolved.parents or (name != "output" and resolved in root.parents):
            raise UsageError(f"--{name} {target} overlaps the input {source}: name another path")
    above = next(parent for parent in resolved.parents if parent.exists())
    if not above.is_dir():
        raise UsageError(f"--{name} {target}: {above} is a file, not a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise EnvironmentFault(f"cannot write {target}: {above} allows no writing")


def _arguments(named: Mapping[str, Any], context: typer.Context) -> list[str]:
    """Return the command line that says all of this again: every option, paths absolute."""
    words, last = list[str](), list[str]()
    level: Any = context
    while level.parent is not None:
        words.insert(0, str(level.info_name))
        level = level.parent
    for parameter in context.command.params:
        value = named.get(str(parameter.name))
        if value is None or parameter.name in ("quiet", "_context"):
            continue
        if parameter.param_type_name == "argument":
            last += [_word(part) for part in (value if isinstance(value, (list, tuple)) else [value])]
        elif isinstance(value, bool):
            words += [parameter.opts[0]] if value else parameter.secondary_opts[:1]
        else:
            for part in value if isinstance(value, (list, tuple)) else [value]:
                words += [parameter.opts[0], _word(part)]
    return [*words, "--", *last] if last else words


def _word(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Path) or (isinstance(value, str) and _is_file(value)):
        return str(Path(value).absolute())
    return repr(value) if isinstance(value, float) else str(value)


def _is_input(value: Any) -> bool:
    return value.exists() if isinstance(value, Path) else isinstance(value, str) and _is_file(value)


def _is_file(text: str) -> bool:
    try:
        return bool(text) and Path(text).suffix != "" and Path(text).is_file()
    except (OSError, ValueError):
        return False


def _input_paths(named: Mapping[str, Any], targets: Mapping[str, Path]) -> list[tuple[str, Path]]:
    """Return role and path of everything that the command reads by a path, and of what stands in for it."""
    from supplychain.locate import datasets, models

    found: list[tuple[str, Path]] = [("reference", datasets() / "reference")]
    for name, value in named.items():
        if name in targets:
            continue
        parts = value if isinstance(value, (list, tuple)) else [value]
        found += [(name, Path(part)) for part in parts if _is_input(part)]
        if name in _BUNDLED and not value and not isinstance(value, str):
            found.append((name, datasets() / _BUNDLED[name]))
    if _MODELS & set(named):
        found.append(("models", models()))
    return found


def _inputs(cases: Sequence[Case], paths: Sequence[tuple[str, Path]]) -> list[dict[str, Any]]:
    """Return the hashes of what was read: of a case as it read them, of the rest as they lie there."""
    from supplychain.report import manifest

    found = [entry for case in cases[:1] for entry in manifest.inputs(case)]
    known = {entry["role"] for entry in found} | ({"book", "overlay"} if found else set())
    for role, path in paths:
        if role not in known:
            files = [path] if path.is_file() else manifest.files_in(path)
            hashes = {str(file.relative_to(path if path.is_dir() else path.parent)): file for file in files}
            digests = {name: manifest.sha256(file) for name, file in hashes.items()}
            found.append({"role": role, "name": path.name, "files": digests})
    return found


def _case(cases: Sequence[Case]) -> dict[str, Any]:
    if not cases:
        return {}
    case = cases[0]
    return {
        "buyer": case.buyer,
        "illustrative": case.illustrative,
        "on": case.on.isoformat(),
        "known_as_of": case.book.known_as_of.isoformat(),
        "products": list(case.products),
        "destinations": list(case.destinations),
    }


def _warnings(cases: Sequence[Case]) -> list[Any]:
    return list(dict.fromkeys(str(warning) for case in cases for warning in case.warnings))


def repeat(body: Mapping[str, Any], run: Path, into: Path) -> tuple[Path, str]:
    """Run the command of a manifest again with everything that it writes under ``into``.

    Returns where the counterpart of ``run`` is, and what went wrong ("" when nothing did).
    """
    from supplychain.cli import run as run_command
    from supplychain.report.manifest import path_of

    command = body["command"]
    elsewhere, given = {}, {}
    for number, (said, written) in enumerate(command["writes"].items()):
        folder = into / str(number)
        folder.mkdir()
        elsewhere[written] = str(folder / Path(written).name)
        given[elsewhere[written]] = said
    first = next(iter(given))
    again = Path(next((path for path in given if Path(path).name == run.name), first))
    words = [elsewhere.get(word, word) for word in command["arguments"]]
    if run.is_dir() and "--output" in words and words[0] != "sweep":
        again.mkdir()
    told = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
        run_command(words)
    if not path_of(again).is_file():
        return again, (told.getvalue().strip().splitlines() or ["nothing was written"])[-1]
    if again.is_file():
        _as_given(again, given)
    return again, ""


def _as_given(file: Path, given: Mapping[str, str]) -> None:
    """Let a result that names what was written name it as the first run did, and renew its manifest."""
    from supplychain.files import replace_file
    from supplychain.report.manifest import path_of, sha256

    data = file.read_bytes()
    changed = data
    for path, said in given.items():
        changed = changed.replace(path.encode(), said.encode())
    if changed != data:
        replace_file(file, changed)
        record = json.loads(path_of(file).read_bytes())
        record["outputs"][file.name] = {"sha256": sha256(file), "bytes": len(changed)}
        replace_file(path_of(file), json.dumps(record).encode())
