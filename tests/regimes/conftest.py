"""The bundled book, read once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from supplychain.regimes import RegimeBook

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def book() -> RegimeBook:
    return RegimeBook.bundled()
