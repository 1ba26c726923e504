"""Damaged files: every importer either reads one whole or refuses it in words; never anything else."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import eto_sample
import pytest
import test_bom
import test_sources
import test_trade

from supplychain.errors import SupplychainError
from supplychain.exchange.baci import import_baci
from supplychain.exchange.bomfile import read_bom
from supplychain.exchange.comtrade import import_comtrade
from supplychain.exchange.eto import read_eto
from supplychain.exchange.iotables import read_io
from supplychain.exchange.usgs import read_usgs

PIECES = [
    "",
    '"',
    ",",
    "\n",
    "\r",
    "\0",
    "=1",
    "-5",
    "NaN",
    "inf",
    "1e999",
    "ÿ",
    "；",
    "'",
    "\ufeff",
    "  ",
    "N19",
    "P10",
]
PIECES += ["99999999999999", "0.5%", "\t", "é"]
COMTRADE = """\
period,reporterCode,partnerCode,cmdCode,flowCode,primaryValue
2023,757,156,811292,M,900
2023,156,842,811292,X,700
"""
IO = "V1,JPN_A,USA_A,OUT\nJPN_A,1,2,9\nUSA_A,3,4,9\nVA,1,1,0\n"


def mutated(text: str, seed: int) -> str:
    draw = random.Random(seed)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(text))
        text = text[:at] + draw.choice(PIECES) + text[at + draw.choice([0, 0, 1, 3, 12]) :]
    return text


def _eto(path: Path) -> None:
    """Read the sample with the damaged file in the place of its first lines' table."""
    folder = eto_sample.write(path.parent / "eto")
    (folder / "provision.csv").write_bytes(path.read_bytes())
    assert read_eto(folder).lost == 0


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "baci": (test_trade.BACI, lambda path: import_baci(path, path.parent / "out", overwrite=True)),
    "comtrade": (COMTRADE, lambda path: import_comtrade(path, path.parent / "out", overwrite=True)),
    "icio": (IO, read_io),
    "usgs": (test_sources.USGS, read_usgs),
    "bom": (test_bom.LEVELS, read_bom),
    "eto": (eto_sample.TABLES["provision"], _eto),
}


@pytest.mark.parametrize("name", READERS)
def test_damage_is_read_or_refused(name: str, tmp_path: Path) -> None:
    text, read = READERS[name]
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8", newline="")
    read(path)
    refusals: list[SupplychainError] = []
    for seed in range(30):
        path.write_text(mutated(text, seed), encoding="utf-8", newline="")
        try:
            read(path)
        except SupplychainError as error:
            refusals.append(error)
    assert len(refusals) > 7
    assert {error.exit_code for error in refusals} <= {2, 3}
    assert all(str(error) for error in refusals)
