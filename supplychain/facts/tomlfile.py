"""Reads a TOML file strictly: what is none is an InputError with file, line and column, whatever its bytes."""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any, Final, NoReturn

from supplychain.errors import EnvironmentFault, InputError, Problem, UsageError, shown

MAX_BYTES: Final = 1_000_000
_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")


def seen(text: str) -> str:
    """Return the text; ValueError when a reader would see nothing of it."""
    if not any(c.isprintable() and unicodedata.category(c)[0] not in "ZM" for c in text):
        raise ValueError("a text that can be read is wanted here")
    return text


def read_toml(path: Path, what: str) -> tuple[dict[str, Any], str]:
    """Return the record of a TOML file that holds `what` ("a scenario"), and the SHA-256 of its bytes.

    Raises UsageError when `path` is no file, EnvironmentFault when it cannot be read, InputError when it is no TOML in
    UTF-8, names a key twice, or is larger than MAX_BYTES.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}; name a TOML file with {what}")
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise EnvironmentFault(f"cannot read {path}: {error.strerror}") from None
    return parse_toml(data, path.name, what)


def parse_toml(data: bytes, file: str, what: str) -> tuple[dict[str, Any], str]:
    """Return the record that the bytes of `file` hold, and their SHA-256; InputError as in `read_toml`."""
    if len(data) > MAX_BYTES:
        _refuse(file, f"{what} is at most {MAX_BYTES:,} bytes")
    try:
        return tomllib.loads(data.decode("utf-8-sig")), hashlib.sha256(data).hexdigest()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(file, "not readable as TOML in UTF-8", f"byte 0x{data[error.start]:02x} is not UTF-8", line)
    except RecursionError:
        _refuse(file, "not readable as TOML in UTF-8", "its brackets are nested too deeply")
    except (tomllib.TOMLDecodeError, ValueError) as error:  # ValueError: a day or number that Python cannot hold
        place = _PLACE.search(str(error))
        told = _PLACE.sub("", str(error))
        _refuse(file, "not readable as TOML in UTF-8", told, int(place[1]) if place else None)


def _refuse(file: str, rule: str, cure: str = "", row: int | None = None) -> NoReturn:
    raise InputError([Problem("toml", file=file, row=row, rule=rule, cure=shown(cure, 300))])
