"""Options that every command shares, and the case they describe."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from supplychain.case import Case


class Format(StrEnum):
    """How a table leaves the program."""

    table = "table"
    json = "json"
    csv = "csv"
    parquet = "parquet"


class Tongue(StrEnum):
    """The language of a page."""

    en = "en"
    zh = "zh"


DEFAULT_BUYER = "illustrative"
# The bundled book is known to this day's facts; a command asks for another date by --on.
DEFAULT_DATE = "2026-11-01"

Network = Annotated[
    Path | None, typer.Option("--network", help="Network data package (folder, XLSX). Default: the bundled one.")
]
Regimes = Annotated[
    Path | None, typer.Option("--regimes", help="Regime book (folder, XLSX). Default: the bundled one.")
]
Overlay = Annotated[
    list[Path] | None, typer.Option("--overlay", help="Folder laid over the regime book; may be repeated.")
]
Assumptions = Annotated[
    Path | None, typer.Option("--assumptions", help="Assumptions file (TOML). Default: the bundled default.")
]
Buyer = Annotated[str, typer.Option("--buyer", help="Name of a buyer in the plants table, or a country (ISO3).")]
Product = Annotated[
    list[str] | None, typer.Option("--product", help="Item wanted; may be repeated. Default: all of the buyer's.")
]
On = Annotated[str, typer.Option("--on", help="The day whose law applies, YYYY-MM-DD.")]
Horizons = Annotated[str, typer.Option("--horizons", help="Months after the shock, separated by commas.")]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to write the result.")]
Output = Annotated[Path | None, typer.Option("--output", help="File to write. Default: standard output.")]
Language = Annotated[Tongue, typer.Option("--language", help="Language of the page: English or Chinese.")]
Encoding = Annotated[
    str,
    typer.Option(
        "--encoding", help="Of CSV files that are not UTF-8: gbk, cp1252, utf-16... What is written is UTF-8."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no remarks on standard error.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything that is drawn at random.")]


def day(text: str, option: str = "--on") -> str:
    """Return ``text`` if it is a calendar day YYYY-MM-DD, else raise a usage error that names the option."""
    from datetime import date

    from supplychain.errors import UsageError

    try:
        if len(text) != 10:
            raise ValueError(text)
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a day; write it as YYYY-MM-DD, such as 2024-09-10") from None


def months(text: str) -> tuple[float, ...]:
    """Return the horizons in ``text`` ("3,12,36") in months, ascending and distinct."""
    import math

    from supplychain.errors import UsageError

    try:
        values = sorted({float(part) for part in text.split(",")})
    except ValueError:
        values = []
    if not values or any(not math.isfinite(value) or value <= 0 for value in values):
        raise UsageError(f"--horizons {text!r} is not a list of months above 0, such as 3,12,36")
    return tuple(values)


def load_case(
    *,
    buyer: str,
    product: list[str] | None,
    on: str,
    network: Path | None = None,
    regimes: Path | None = None,
    overlay: list[Path] | None = None,
    assumptions: Path | None = None,
) -> Case:
    """Return the case that the shared options describe."""
    from supplychain.case import Case
    from supplychain.cli.record import note

    case = Case.load(
        network=network,
        regimes=regimes,
        overlays=tuple(overlay or ()),
        assumptions=assumptions,
        buyer=buyer,
        products=product or None,
        on=day(on),
    )
    note(case)
    return case


def known_encoding(name: str) -> None:
    """Raise UsageError for a name that is no encoding of text."""
    import codecs

    from supplychain.errors import UsageError

    try:
        text = codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        text = False
    if not text:
        raise UsageError(f"{name!r} is no encoding of text; such are utf-8, utf-16, gbk, big5, shift_jis, cp1252")
