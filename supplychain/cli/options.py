"""Options that commands share, and the case and the law that they describe."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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


# The defaults of `supplychain.case`, written again because importing it here would slow down every command.
DEFAULT_BUYER = "illustrative"
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
OnOrKnown = Annotated[
    str | None, typer.Option("--on", help="The day, YYYY-MM-DD. Default: the last day the regime book knows of.")
]
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


@dataclass(frozen=True)
class CaseOptions:
    """The options that describe a case, but for its day."""

    buyer: Buyer = DEFAULT_BUYER
    product: Product = None
    network: Network = None
    regimes: Regimes = None
    overlay: Overlay = None
    assumptions: Assumptions = None

    def described(self, on: str) -> dict[str, Any]:
        """Return buyer, products, day and data under the names by which they are taken everywhere."""
        return {
            "network": self.network,
            "regimes": self.regimes,
            "overlays": tuple(self.overlay or ()),
            "assumptions": self.assumptions,
            "buyer": self.buyer,
            "products": tuple(self.product or ()),
            "on": day(on),
        }

    def load(self, on: str) -> Case:
        """Return the case on a day."""
        from supplychain.case import Case
        from supplychain.cli.record import note

        case = Case.load(**{**self.described(on), "products": self.product or None})
        note(case)
        return case


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
