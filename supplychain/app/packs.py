"""What can be taken away: scenario file, tables, report and procurement files, as bytes, made by the commands' code."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from supplychain.app.advise import FORMATS, advise
from supplychain.app.measure import measure
from supplychain.exchange.sheets import write_folder, write_tables
from supplychain.report.run import csv_text, flatten

if TYPE_CHECKING:
    from supplychain.app.state import Work
    from supplychain.app.workspace import Setup, Workspace
    from supplychain.report.make import Request

Files = dict[str, bytes]
_TYPES: Final = {
    ".zip": "application/zip",
    ".csv": "text/csv; charset=utf-8",
    ".toml": "application/toml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_STAMP: Final = (1980, 1, 1, 0, 0, 0)  # same content, same bytes


def media_type(name: str) -> str:
    """Return the media type of a file of ours."""
    return _TYPES[Path(name).suffix]


def scenario(workspace: Workspace, work: Work) -> bytes:
    """Return the scenario that is being edited as the file that `supplychain whatif` takes."""
    return work.draft.toml().encode("utf-8")


def tables(workspace: Workspace, work: Work) -> bytes:
    """Return every table of the reading as CSV, with the scenario, in one archive."""
    reading = measure(workspace, work.setup, work.draft)
    files = {f"{name}.csv": csv_text(flatten(table)).encode("utf-8") for name, table in reading.tables.items()}
    return archive({**files, "scenario.toml": scenario(workspace, work)})


def report(workspace: Workspace, work: Work) -> Files:
    """Return the report of the case as it is, as `supplychain report` writes it, and, for the scenarios that change
    something, the page of `supplychain whatif`, with the scenario files."""
    from supplychain.report.make import make
    from supplychain.report.whatif_page import write_page
    from supplychain.whatif.compare import compare

    drafts = [draft for draft in work.drafts if not draft.empty]
    with tempfile.TemporaryDirectory(prefix="supplychain-") as held:
        folder = Path(held)
        make(_request(work.setup), folder / "report", lambda _: None)
        if drafts:
            found = compare(workspace.case(work.setup), [draft.scenario for draft in drafts])
            write_page(found, folder / "whatif")
        files = {f"scenarios/{n}-{d.name}.toml": d.toml().encode("utf-8") for n, d in enumerate(drafts, start=1)}
        return {"report.zip": archive({**_read(folder), **files})}


def _request(setup: Setup) -> Request:
    from supplychain.report.make import Request

    return Request(
        network=setup.network,
        regimes=setup.regimes,
        overlays=setup.overlays,
        assumptions=setup.assumptions,
        buyer=setup.buyer,
        products=setup.products,
        on=setup.on,
        policy=setup.policy,
    )


def procurement(workspace: Workspace, work: Work) -> Files:
    """Return the recommended plan in every procurement format, as `supplychain export` writes it."""
    advice = advise(workspace, work.setup, work.draft)
    files: Files = {}
    with tempfile.TemporaryDirectory(prefix="supplychain-") as held:
        folder = Path(held)
        for form in FORMATS:
            made, about = advice.procurement(form)
            book = folder / f"{form}.xlsx"
            write_tables(form, made, about, book)
            files[book.name] = book.read_bytes()
            write_folder(form, made, about, folder / form, "csv")
            files[f"{form}.zip"] = archive(_read(folder / form))
            if len(made) == 1:
                files[f"{form}.csv"] = next(
                    data for name, data in _read(folder / form).items() if name.endswith(".csv")
                )
    return files


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a ZIP archive of files by name; the same files give the same bytes."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        for name in sorted(files):
            made.writestr(zipfile.ZipInfo(name, _STAMP), files[name], zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def _read(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


SLOW: Final[dict[str, Callable[[Workspace, Work], Files]]] = {"report": report, "procurement": procurement}
QUICK: Final[dict[str, Callable[[Workspace, Work], bytes]]] = {"scenario": scenario, "tables": tables}
FILES: Final = {
    "scenario.toml": "scenario",
    "tables.zip": "tables",
    "report.zip": "report",
    **{f"{form}{suffix}": "procurement" for form in FORMATS for suffix in (".xlsx", ".zip", ".csv")},
}
