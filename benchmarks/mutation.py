"""Do the tests notice a wrong sign? `python -m benchmarks.mutation [--count N]`: a sample of mutants, the share killed.

One operator, comparison or number of a calculation is changed at a time, in a copy of the program, and the tests that
should notice are run on it. A mutant that lives is printed: either a test is missing, or the change does not matter.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The calculations on which every result rests, and the tests that speak of each.
TARGETS = {
    "supplychain/analysis/cascade.py": ["tests/analysis/test_cascade.py"],
    "supplychain/analysis/flow.py": ["tests/analysis/test_flow.py"],
    "supplychain/regimes/evaluate.py": ["tests/regimes/test_determinations.py", "tests/law/test_cases.py"],
    "supplychain/analysis/gates.py": ["tests/analysis/test_cutsets.py"],
    "supplychain/analysis/concentration.py": [
        "tests/analysis/test_chokepoints.py::test_concentration_is_a_range_where_makers_are_unknown",
        "tests/analysis/test_chokepoints.py::test_concentration_through_all_tiers_by_hand",
    ],
    "supplychain/exchange/trade.py": ["tests/exchange/test_trade.py"],
    "supplychain/linear.py": ["tests/test_solve.py"],
}
_OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Lt: ast.LtE, ast.LtE: ast.Lt,
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


class Mutator(ast.NodeTransformer):
    """Changes the n-th place of a module that can be changed, and remembers which it was."""

    def __init__(self, at: int) -> None:
        self.at, self.places, self.told = at, 0, ""

    def _here(self, node: ast.AST, change: str) -> bool:
        self.places += 1
        if self.places - 1 == self.at:
            self.told = f"line {getattr(node, 'lineno', 0)}: {change}"
            return True
        return False

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        other = _OPERATORS.get(type(node.op))
        if other and not _is_type(node) and self._here(node, f"{type(node.op).__name__} becomes {other.__name__}"):
            node.op = other()
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        other = _OPERATORS[type(node.op)]
        if self._here(node, f"{type(node.op).__name__} becomes {other.__name__}"):
            node.op = other()
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        other = _OPERATORS.get(type(node.ops[0]))
        if other and self._here(node, f"{type(node.ops[0]).__name__} becomes {other.__name__}"):
            node.ops[0] = other()
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, float) and self._here(node, f"{node.value} becomes {node.value + 1}"):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = [self.visit(part) for part in node.body]  # not the annotations and defaults
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node


def _is_type(node: ast.BinOp) -> bool:
    return isinstance(node.right, ast.Constant) and node.right.value is None


def mutants(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what was changed and the changed source, for every place of a module."""
    text = path.read_text(encoding="utf-8")
    number = 0
    while True:
        mutator = Mutator(number)
        changed = ast.unparse(ast.fix_missing_locations(mutator.visit(ast.parse(text))))
        if not mutator.told:
            return
        yield mutator.told, changed
        number += 1


def killed(copy: Path, tests: list[str], seconds: float) -> bool:
    """Say whether the tests notice; a mutant that never ends is noticed too."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        return subprocess.run(command, cwd=copy, capture_output=True, timeout=seconds, check=False).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def main() -> int:
    """Try a sample of mutants of each calculation and print the score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="mutants of each calculation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600.0, help="after which the tests of a mutant are ended")
    parser.add_argument("names", nargs="*", help="modules; default: all")
    told = parser.parse_args()
    died = total = 0
    with tempfile.TemporaryDirectory(prefix="supplychain-mutation-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "reports", "__pycache__"))
        for name, tests in TARGETS.items():
            if told.names and name not in told.names:
                continue
            every = list(mutants(ROOT / name))
            chosen = random.Random(told.seed).sample(every, min(told.count, len(every)))
            noticed = 0
            for change, source in chosen:
                (copy / name).write_text(source, encoding="utf-8")
                if killed(copy, tests, told.seconds):
                    noticed += 1
                else:
                    print(f"  lives: {name} {change}", flush=True)
            shutil.copy2(ROOT / name, copy / name)
            died, total = died + noticed, total + len(chosen)
            print(f"{name}: {noticed} of {len(chosen)} killed ({len(every)} places)", flush=True)
    print(f"score: {died / max(total, 1):.0%} of {total}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
