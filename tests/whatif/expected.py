"""The expected results that stand beside the bundled scenarios: `python -m tests.whatif.expected` writes them anew."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from supplychain.case import Case
from supplychain.locate import models
from supplychain.whatif.apply import apply
from supplychain.whatif.outlook import LOSSES, outlook
from supplychain.whatif.scenario import load_scenario, presets

PATH = models() / "scenarios" / "expected.csv"
BUYERS = {"illustrative": None, "IND": ["ai-accelerator", "quantum-computer"]}
DIGITS = 4


def computed(names: Sequence[str], buyers: Sequence[str] = tuple(BUYERS)) -> pd.DataFrame:
    """Return, per scenario, buyer and measure, the losses 12 months on."""
    frames = []
    for buyer in buyers:
        case = Case.bundled(buyer=buyer, products=BUYERS[buyer])
        for name in names:
            head = outlook(apply(load_scenario(name), case), (12.0,)).headline
            frames.append(head[["measure", *LOSSES]].assign(scenario=name, buyer=buyer))
    table = pd.concat(frames, ignore_index=True)
    table[LOSSES] = table[LOSSES].round(DIGITS) + 0.0
    return table[["scenario", "buyer", "measure", *LOSSES]].sort_values(
        ["scenario", "buyer", "measure"], ignore_index=True
    )


if __name__ == "__main__":
    computed(presets()).to_csv(PATH, index=False, lineterminator="\n")
