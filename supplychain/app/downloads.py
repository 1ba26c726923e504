"""What a session takes away: the report, a procurement file of the recommended plan, the scenario as TOML."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from supplychain.exchange.sheets import write_tables

if TYPE_CHECKING:
    from supplychain.app.advise import Advice
    from supplychain.app.draft import Draft
    from supplychain.app.workspace import Setup, Workspace

_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the only time that a ZIP can hold for every machine alike


def file_name(text: str, suffix: str) -> str:
    """Return a safe file name made of any text."""
    safe = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "draft"
    return f"{safe}{suffix}"


def scenario_bytes(draft: Draft) -> bytes:
    """Return the TOML that `supplychain whatif` takes."""
    return draft.toml().encode("utf-8")


def procurement_bytes(advice: Advice, form: str, suffix: str = ".xlsx") -> bytes:
    """Return a procurement file of a plan; ``form`` is a key of `advise.FORMATS`, the suffix .xlsx, .csv, .json or
    .parquet. The bytes are those of `supplychain export`."""
    tables, about = advice.procurement(form)
    with tempfile.TemporaryDirectory(prefix="supplychain-") as folder:
        path = Path(folder) / f"{form}{suffix}"
        write_tables(form, tables, about, path)
        return path.read_bytes()


def report_bytes(workspace: Workspace, setup: Setup, draft: Draft, step: Callable[[str], None] | None = None) -> bytes:
    """Return a ZIP: the report of the case as it is, and, for a draft that changes something, its what-if page and the
    scenario. Raises the project's errors."""
    # Drawing is heavy to load and seldom asked for.
    from supplychain.report.make import Request, make
    from supplychain.report.whatif_page import write_page
    from supplychain.whatif.compare import compare

    tell = step or (lambda _: None)
    request = Request(
        network=setup.network,
        regimes=setup.regimes,
        overlays=setup.overlays,
        assumptions=setup.assumptions,
        buyer=setup.buyer,
        products=setup.products,
        on=setup.on,
        policy=setup.policy,
    )
    with tempfile.TemporaryDirectory(prefix="supplychain-") as folder:
        place = Path(folder)
        make(request, place / "report", tell)
        if not draft.empty:
            tell("comparing the draft with the case as it is")
            found = compare(workspace.case(setup), [draft.scenario])
            write_page(found, place / "whatif")
            (place / "whatif.toml").write_bytes(scenario_bytes(draft))
        return zipped(place)


def zipped(folder: Path) -> bytes:
    """Return a folder's files as a ZIP with the same bytes for the same files."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _FIRST_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, path.read_bytes())
    return sink.getvalue()
