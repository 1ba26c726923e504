"""Minimal cut sets: the Aralia fault trees where they are beside the checkout, and trees of our own."""

from __future__ import annotations

from pathlib import Path

from benchmarks import Row, timed
from supplychain.analysis.cutsets import minimal_cut_sets
from supplychain.analysis.gates import Gate, all_of, any_of, at_least
from supplychain.analysis.openpsa import read_open_psa

MODELS = Path(__file__).resolve().parents[2] / "shared" / "bench" / "mcs"


def ladder(rungs: int) -> dict[str, Gate]:
    """Overlapping two-of-three groups under pairs that share them: no modules to hide behind."""
    gates = {f"v{i}": at_least(2, f"e{i}", f"e{i + 1}", f"e{i + 2}") for i in range(rungs)}
    gates |= {f"p{i}": all_of(f"v{i}", f"v{(i + 7) % rungs}") for i in range(rungs)}
    return gates | {"top": any_of(*(f"p{i}" for i in range(rungs)))}


def rows(quick: bool) -> list[Row]:
    """Time reading and counting, and the second way (families bottom-up) as the peer."""
    found = []
    for path in sorted(MODELS.glob("*.xml")) if MODELS.is_dir() else []:
        tree = read_open_psa(path)
        count = minimal_cut_sets(tree.gates, tree.tops[0]).count

        def both(path: Path = path) -> None:
            again = read_open_psa(path)
            minimal_cut_sets(again.gates, again.tops[0])

        seconds = timed(both)
        peer = timed(lambda tree=tree: minimal_cut_sets(tree.gates, tree.tops[0], method="zbdd"), 1)  # type: ignore[misc]
        limit = "<= 2 s" if path.stem == "das9202" else ""
        met = seconds <= 2 if limit else None
        found.append(Row("cut sets", path.stem, seconds, "bottom-up", peer, limit, met, f"{count:,} sets"))
    gates = ladder(12 if quick else 30)
    sets = minimal_cut_sets(gates, "top")
    seconds = timed(lambda: minimal_cut_sets(gates, "top"), 1)
    found.append(Row("cut sets", "ladder", seconds, note=f"{sets.count:,} sets, {sets.nodes:,} nodes"))
    return found
