"""Losses computed once and kept by content: what they are computed from, not when or for whom.

Only pure functions may be kept: a result that depended on what was solved before it would not be the same the next
time. The least recently used of too many results is forgotten.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields
from hashlib import blake2b
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

T = TypeVar("T")
MOST: Final = 200_000


class Memory:
    """Results by digest. Safe to share between threads; values must not be changed by who gets them."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[bytes, Any] = OrderedDict()
        self._digests: WeakKeyDictionary[Any, bytes] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def get(self, key: bytes, make: Callable[[], T]) -> T:
        """Return what is kept under ``key``, made now if it is not."""
        found: T | None = self.find(key)
        if found is None:
            found = make()
            self.keep(key, found)
        return found

    def find(self, key: bytes) -> Any:
        """Return what is kept under ``key``, or None."""
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
            return found

    def keep(self, key: bytes, value: Any) -> None:
        with self._lock:
            self._known[key] = value
            while len(self._known) > self._most:
                self._known.popitem(last=False)

    def of(self, record: Any) -> bytes:
        """Return the digest of a frozen dataclass of arrays, texts and numbers, computed once for each object."""
        known = self._digests.get(record)
        if known is None:
            known = self._digests[record] = digest(*(getattr(record, field.name) for field in fields(record)))
        return known


def digest(*parts: Any) -> bytes:
    """Return a digest of arrays, bytes and of anything whose ``repr`` says all of it."""
    made = blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype != object:
            data = np.ascontiguousarray(part)
            made.update(f"{data.dtype.str}{data.shape}".encode())
            made.update(data.tobytes())
        elif isinstance(part, bytes):
            made.update(b"b" + len(part).to_bytes(8, "little") + part)
        else:
            made.update(b"r" + repr(part.tolist() if isinstance(part, np.ndarray) else part).encode())
    return made.digest()
