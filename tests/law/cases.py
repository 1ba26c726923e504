"""The law cases: TOML files that a lawyer can read and write, and the clauses of the book that they leave out."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from supplychain.regimes import RegimeBook

FOLDER = Path(__file__).parent
KINDS = ("flow", "standing", "member", "group", "regime")


def read() -> dict[str, list[dict[str, Any]]]:
    """Return every case by kind; `id` is made unique by the name of its file."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for path in sorted(FOLDER.glob("*.toml")):
        for kind, cases in tomllib.loads(path.read_text(encoding="utf-8")).items():
            found[kind] += [{**case, "id": f"{path.stem}/{case['id']}"} for case in cases]
    return found


def uncovered(book: RegimeBook) -> dict[str, list[str]]:
    """Return the clauses of the book that no case names: controls, regimes, exceptions, branches, coverage."""
    cases = read()
    named = {text for case in cases["flow"] for text in (case["clause"], case.get("control", ""))}
    named |= {case["control"] for case in cases["standing"]} | {
        case["regime"] for case in cases["member"] + cases["regime"]
    }
    tables = book.tables
    controls = tables["controls"].set_index("control")["regime"]
    missing = {"controls": sorted(set(controls.index) - named)}
    reached = set(controls[controls.index.isin(named)]) | named
    missing["regimes"] = sorted(set(tables["regimes"]["regime"]) - reached)
    told = tables["exceptions"][tables["exceptions"]["basis"].isin(["text", "published", "negative"])]
    missing["exceptions"] = sorted(set(told["exception"]) - named)
    missing["coverage"] = sorted(set(tables["coverage"]["coverage"]) - named)
    missing["branches"] = sorted(set(tables["branches"]["branch"]) - named)
    return missing


if __name__ == "__main__":
    for kind, names in uncovered(RegimeBook.bundled()).items():
        print(f"{kind} without a case: {len(names)}")  # noqa: T201
        for name in names:
            print(f"  {name}")  # noqa: T201
