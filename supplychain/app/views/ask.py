"""Questions that a click may ask, as text in the page: a kind and its keys; read back strictly."""

from __future__ import annotations

import json
from typing import Any, Final

from supplychain.app.explain import KINDS, What
from supplychain.errors import UsageError

_LONGEST: Final = 500


def what(kind: str, **keys: Any) -> str:
    """Return a question as text, the same for the same question."""
    return json.dumps({"kind": kind, **keys}, sort_keys=True, ensure_ascii=False)


def asked(text: str) -> What:
    """Return the question of a text. Raises UsageError for what no page of ours wrote."""
    try:
        given = json.loads(text[:_LONGEST])
        kind = given.pop("kind")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError("that cannot be explained") from None
    if kind not in KINDS or any(not isinstance(value, (str, int, float)) for value in given.values()):
        raise UsageError("that cannot be explained")
    return What(kind, given)
