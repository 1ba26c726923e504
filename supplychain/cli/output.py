"""Tables and records out: for people, JSON, CSV and Parquet; one writer for every command."""

from __future__ import annotations

import io
import json
import math
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from supplychain.cli.options import Format
from supplychain.errors import UsageError, json_shown
from supplychain.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

_NOISE = 1e-12  # smaller numbers are what sums of fractions leave behind; people are shown 0
# A cell that a spreadsheet would run as a formula is written with a leading apostrophe (OWASP ASVS 1.2.10).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def show_record(record: Mapping[str, Any], form: Format = Format.table, output: Path | None = None) -> None:
    """Write one record: fields one under another for people, one JSON object, or a table of one row."""
    if form is Format.json:
        write_text(json_shown(json.dumps(plain(record), ensure_ascii=False, indent=2)) + "\n", output)
    elif form is Format.table:
        width = max((len(key) for key in record), default=0)
        lines = [f"{key:<{width}}  {_cell(value)}" for key, value in record.items()]
        write_text("\n".join(lines) + "\n", output)
    else:
        import pandas as pd

        show_table(pd.DataFrame([{key: _flat(value) for key, value in record.items()}]), form, output)


def show_table(
    table: pd.DataFrame,
    form: Format = Format.table,
    output: Path | None = None,
    *,
    title: str = "",
    columns: Sequence[str] | None = None,
    lead: Sequence[str] = (),
    notes: Sequence[str] = (),
    record: Mapping[str, Any] | None = None,
) -> None:
    """Write one table.

    ``columns`` narrows what people see on a terminal; the machine formats always carry every column. ``lead`` are
    lines between the title and the table, ``notes`` lines under it. ``record`` holds what surrounds the table (date,
    buyer, warnings): JSON is then ``{**record, "rows": [...]}``, and a bare list of rows without it.
    """
    if form is Format.json:
        rows = [plain(dict(zip(table.columns, row, strict=True))) for row in table.itertuples(index=False, name=None)]
        body: Any = {**plain(record), "rows": rows} if record is not None else rows
        write_text(json_shown(json.dumps(body, ensure_ascii=False, indent=2)) + "\n", output)
    elif form is Format.csv:
        write_text(csv_text(table), output)
    elif form is Format.parquet:
        if output is None:
            raise UsageError("--format parquet is binary: name a file with --output")
        buffer = io.BytesIO()
        _flatten(table).to_parquet(buffer, index=False)
        replace_file(output, buffer.getvalue())
    else:
        write_text(_terminal(table, title, columns, lead, notes), output)


def csv_text(table: pd.DataFrame) -> str:
    """Return ``table`` as CSV in which no text can run as a formula."""
    safe = _flatten(table)
    for name in safe.columns:
        if not _numeric(safe[name]):
            safe[name] = [
                f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
                for value in safe[name]
            ]
    return str(safe.to_csv(index=False, lineterminator="\n"))


def plain(value: Any) -> Any:
    """Return ``value`` as JSON knows it: no NaN, numpy scalars unwrapped, days as YYYY-MM-DD, keys as text."""
    import numpy as np
    import pandas as pd

    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is pd.NaT or value is pd.NA:
        return None
    if hasattr(value, "isoformat"):
        return str(value.isoformat())[:10]
    return str(value)


def remark(text: str, *, quiet: bool = False) -> None:
    """Say something beside the result, on standard error, so that it never mixes with data."""
    if not quiet:
        typer.echo(text, err=True)


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Give a function that shows the current step of long work on standard error.

    On a terminal the line is rewritten in place; elsewhere each step is a line of its own.
    """
    live = sys.stderr.isatty()

    def step(text: str) -> None:
        if quiet:
            return
        sys.stderr.write(f"\r\x1b[2K{text}" if live else f"{text}\n")
        sys.stderr.flush()

    try:
        yield step
    finally:
        if live and not quiet:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def visible(text: str) -> str:
    """Return ``text`` with control characters escaped, so that data can never steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)


def _numeric(column: pd.Series[Any]) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _flat(value: Any) -> Any:
    return json.dumps(plain(value), ensure_ascii=False) if isinstance(value, (list, tuple, dict)) else value


def _flatten(table: pd.DataFrame) -> pd.DataFrame:
    """Lists and records inside cells become JSON text; days become text; everything else stays."""
    import pandas as pd

    flat = table.copy()
    for name in flat.columns:
        if pd.api.types.is_datetime64_any_dtype(flat[name]):
            flat[name] = flat[name].dt.strftime("%Y-%m-%d").fillna("")
        elif flat[name].dtype == object:
            flat[name] = [_flat(value) for value in flat[name]]
    return flat


def _cell(value: Any) -> str:
    value = plain(value)
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        value = 0.0 if abs(value) < _NOISE else value
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    if isinstance(value, list):
        return "; ".join(_cell(item) for item in value) if value else "-"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_cell(item)}" for key, item in value.items())
    return visible(str(value))


def _terminal(
    table: pd.DataFrame, title: str, columns: Sequence[str] | None, lead: Sequence[str], notes: Sequence[str]
) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = table[list(columns)] if columns else table
    heading = None if lead else visible(title) or None
    rich = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in shown.columns:
        rich.add_column(str(name), justify="right" if _numeric(shown[name]) else "left", overflow="fold")
    for row in shown.itertuples(index=False, name=None):
        rich.add_row(*(_escape(_cell(value)) for value in row))
    console = Console(file=io.StringIO(), width=_width(), highlight=False, color_system=None, emoji=False)
    for line in (title, *lead) if lead else ():
        console.print(_escape(visible(line)))
    console.print(rich)
    for note in notes:
        console.print(_escape(visible(note)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _width() -> int:
    """The terminal's width, or a wide page where the output is a file or a pipe."""
    import shutil

    return shutil.get_terminal_size((160, 40)).columns if sys.stdout is not None and sys.stdout.isatty() else 160


def write_text(text: str, output: Path | None) -> None:
    """Write ``text`` to standard output, or whole to the file ``output``."""
    if output is None:
        # On a terminal no text of the data may act; a file or a pipe gets every character.
        sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
        sys.stdout.flush()
    else:
        replace_file(output, text.encode("utf-8"))
