"""The small package in a folder of its own, and a way to edit it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_package import TABLES, write


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path / "small", TABLES)


@pytest.fixture
def edited(small: Path) -> Callable[..., Path]:
    """A function that replaces text in one table of the small package and returns its folder."""

    def edit(table: str, *swaps: tuple[str, str]) -> Path:
        path = small / f"{table}.csv"
        text = path.read_text(encoding="utf-8")
        for old, new in swaps:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {table}"
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8", newline="")
        return small

    return edit
