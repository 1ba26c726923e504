"""What the page offers to take away, by file name: which of it takes long, and how each is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from supplychain.app.advise import FORMATS, advise
from supplychain.app.downloads import procurement_bytes, report_bytes, scenario_bytes, zipped
from supplychain.app.measure import measure
from supplychain.exchange.sheets import write_folder
from supplychain.report.run import csv_text, flatten

if TYPE_CHECKING:
    from supplychain.app.state import Work
    from supplychain.app.workspace import Workspace

Files = dict[str, bytes]
_TYPES: Final = {
    ".zip": "application/zip",
    ".csv": "text/csv; charset=utf-8",
    ".toml": "application/toml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def media_type(name: str) -> str:
    """Return the media type of a file of ours."""
    return _TYPES[Path(name).suffix]


def scenario(workspace: Workspace, work: Work) -> bytes:
    """Return the scenario that is being edited as the file that `supplychain whatif` takes."""
    return scenario_bytes(work.draft)


def tables(workspace: Workspace, work: Work) -> bytes:
    """Return every table of the reading as CSV, with the scenario, in one archive."""
    reading = measure(workspace, work.setup, work.draft)
    with TemporaryDirectory(prefix="supplychain-") as held:
        folder = Path(held)
        for name, table in reading.tables.items():
            (folder / f"{name}.csv").write_bytes(csv_text(flatten(table)).encode("utf-8"))
        (folder / "scenario.toml").write_bytes(scenario(workspace, work))
        return zipped(folder)


def report(workspace: Workspace, work: Work) -> Files:
    """Return the report of the case as it is and the what-if page of the scenario, in one archive."""
    return {"report.zip": report_bytes(workspace, work.setup, work.draft)}


def procurement(workspace: Workspace, work: Work) -> Files:
    """Return the recommended plan in every procurement format, as `supplychain export` writes it."""
    advice = advise(workspace, work.setup, work.draft)
    files: Files = {}
    for form in FORMATS:
        made, about = advice.procurement(form)
        files[f"{form}.xlsx"] = procurement_bytes(advice, form)
        if len(made) == 1:
            files[f"{form}.csv"] = procurement_bytes(advice, form, ".csv")
        with TemporaryDirectory(prefix="supplychain-") as held:
            write_folder(form, made, about, Path(held) / form, "csv")
            files[f"{form}.zip"] = zipped(Path(held) / form)
    return files


SLOW: Final[dict[str, Callable[[Workspace, Work], Files]]] = {"report": report, "procurement": procurement}
QUICK: Final[dict[str, Callable[[Workspace, Work], bytes]]] = {"scenario": scenario, "tables": tables}
FILES: Final = {
    "scenario.toml": "scenario",
    "tables.zip": "tables",
    "report.zip": "report",
    **{f"{form}{suffix}": "procurement" for form in FORMATS for suffix in (".xlsx", ".zip", ".csv")},
}
