"""What the facts of a regime book must keep, beyond the form of each table: one function per rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supplychain.errors import Problems
from supplychain.facts.tables import Loaded


def check(tables: Mapping[str, Loaded], descriptor: Mapping[str, Any], problems: Problems) -> None:
    """Apply every rule to a regime book."""
