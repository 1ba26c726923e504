"""What the code may not do, read from the code itself, and what must not come along when it is installed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
CODE = sorted((ROOT / "supplychain").rglob("*.py"))
# Modules that load code or objects from data, and those that speak with other machines.
LOADERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "ruamel"}
NETWORK = {"socket", "ssl", "http", "urllib", "smtplib", "telnetlib", "xmlrpc", "requests", "httpx", "aiohttp",
           "websockets", "urllib3", "webbrowser"}  # fmt: skip
# The application listens on this machine; `urllib.parse` only takes texts apart.
SPEAKS = {"app", "cli/app.py"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "pd.read_pickle",
                   "pandas.read_pickle", "pd.eval", "tempfile.mktemp"}  # fmt: skip
NOW = {"datetime.now", "datetime.today", "date.today", "time.time", "datetime.utcnow", "datetime.datetime.now"}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def faults(tree: ast.Module, name: str) -> Iterator[str]:
    """Yield what a module does that none may."""
    speaks = any(name == allowed or name.startswith(f"{allowed}/") for allowed in SPEAKS)
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            first = module.split(".")[0]
            if first in LOADERS:
                yield f"{name}:{node.lineno} imports {module}, which loads objects from data"
            if first in NETWORK and module != "urllib.parse" and not speaks:
                yield f"{name}:{node.lineno} imports {module}, which speaks with other machines"
            if module.startswith("xml.") and "TYPE_CHECKING" not in ast.unparse(tree):
                yield f"{name}:{node.lineno} reads XML without defusedxml"
        if not isinstance(node, ast.Call):
            continue
        call, options = dotted(node.func), {option.arg: ast.unparse(option.value) for option in node.keywords}
        if call in FORBIDDEN_CALLS:
            yield f"{name}:{node.lineno} calls {call}"
        if options.get("shell") not in (None, "False"):
            yield f"{name}:{node.lineno} calls {call} through a shell"
        if options.get("allow_pickle") not in (None, "False") or call.endswith(".to_pickle"):
            yield f"{name}:{node.lineno} lets {call} pickle"
        if call.split(".")[-1] == "Environment" and options.get("autoescape") != "True":
            yield f"{name}:{node.lineno} makes pages without escaping"
        if call in NOW and name != "report/manifest.py":
            yield f"{name}:{node.lineno} asks for the present time"
        if call.endswith("LocalCluster") and options.get("dashboard_address") != "None":
            yield f"{name}:{node.lineno} opens Dask's dashboard to all"


def test_no_module_runs_data_as_code_uses_a_shell_or_speaks_with_other_machines() -> None:
    assert len(CODE) > 100
    found = []
    for path in CODE:
        name = str(path.relative_to(ROOT / "supplychain"))
        found += list(faults(ast.parse(path.read_text(encoding="utf-8")), name))
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from yaml import load", "eval('1')", "exec(text)", "os.system('ls')", "import urllib.request",
        "subprocess.run(line, shell=True)", "np.load(path, allow_pickle=True)", "Environment(loader=x)",
        "Environment(autoescape=False)", "date.today()", "LocalCluster(n_workers=2)", "import xml.etree.ElementTree",
        "frame.to_pickle(path)", "import requests",
    ],
)  # fmt: skip
def test_the_search_finds_each_of_them(line: str) -> None:
    assert list(faults(ast.parse(line), "whatif/x.py"))


def test_templates_escape_everything_and_fetch_nothing() -> None:
    templates = [path for path in (ROOT / "supplychain").rglob("*") if path.suffix in (".j2", ".html")]
    assert templates
    for path in templates:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape\s+false", text), path
        assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text), path


def test_only_two_modules_start_processes() -> None:
    """CBC for second opinions, and ourselves to read binary files: by list, never through a shell."""
    starts = [path for path in CODE if re.search(r"\bsubprocess\.(run|Popen|call|check)", path.read_text("utf-8"))]
    assert [str(path.relative_to(ROOT / "supplychain")) for path in starts] == ["cbc.py", "facts/child.py"]


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-app.lock", "requirements-dev.lock", "requirements-audit.lock"]
)
def test_everything_that_is_installed_is_pinned_by_hash(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pinned = [at for at, line in enumerate(lines) if re.match(r"[A-Za-z0-9._-]+==", line)]
    assert len(pinned) > 30
    for at, after in zip(pinned, [*pinned[1:], len(lines)], strict=True):
        assert any(re.match(r"\s+--hash=sha256:[0-9a-f]{64}", line) for line in lines[at + 1 : after]), lines[at]


def test_few_packages_run_with_it() -> None:
    needed, todo = set[str](), ["supplychain"]
    while todo:
        for text in metadata.requires(todo.pop()) or []:
            told = Requirement(text)
            name = told.name.lower().replace("_", "-")
            if name not in needed and (told.marker is None or told.marker.evaluate({"extra": ""})):
                needed.add(name)
                todo.append(told.name)
    # PuLP 4 (Python 3.12 and later) brings two readers of solver logs that PuLP 3 did without.
    assert len(needed - {"cpsat-logutils", "orloge"}) <= 40, sorted(needed)


def test_no_name_of_a_supplier_is_said_on_standard_error(tmp_path: Path) -> None:
    """Progress and remarks name files and steps; who supplies what stands in results only."""
    network = ROOT / "datasets" / "template"
    names = re.findall(r"(?m)^([a-z0-9-]+),", (network / "organisations.csv").read_text(encoding="utf-8"))
    assert len(names) >= 3
    line = [
        sys.executable,
        "-m",
        "supplychain",
        "source",
        "--network",
        str(network),
        "--output",
        str(tmp_path / "s.csv"),
    ]
    told = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=True)
    assert told.stderr
    assert not [name for name in names[1:] if name in told.stderr]
