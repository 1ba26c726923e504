"""Finds `datasets/` and `models/`, in a checkout or inside an installed wheel: the only module that knows paths."""

from __future__ import annotations

from pathlib import Path

from supplychain.errors import EnvironmentFault

_PACKAGE = Path(__file__).resolve().parent


def datasets() -> Path:
    """Return the folder of the bundled data packages."""
    return _find("datasets")


def models() -> Path:
    """Return the folder of the bundled declarative models (assumptions, policies, scenarios)."""
    return _find("models")


def _find(name: str) -> Path:
    # The wheel carries its own copy; a checkout has the folder beside the package.
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise EnvironmentFault(f"the bundled folder '{name}' is missing from this installation; install supplychain again")
