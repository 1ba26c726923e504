"""Choke points and sourcing of semiconductor inputs under dated export controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from supplychain.analysis.cutsets import minimal_cut_sets as minimal_cut_sets
    from supplychain.analysis.esri import esri as esri
    from supplychain.analysis.leverage import banzhaf as banzhaf
    from supplychain.analysis.leverage import banzhaf_owen as banzhaf_owen
    from supplychain.analysis.leverage import leverage as leverage
    from supplychain.analysis.leverage import owen as owen
    from supplychain.analysis.leverage import shapley as shapley
    from supplychain.analysis.leverage import weighted_game as weighted_game
    from supplychain.case import Case as Case
    from supplychain.network import SupplyNetwork as SupplyNetwork
    from supplychain.regimes import RegimeBook as RegimeBook

# Public names are loaded on first use, so that `import supplychain` and `supplychain --help` stay fast.
_PUBLIC = {
    "Case": "supplychain.case",
    "RegimeBook": "supplychain.regimes",
    "SupplyNetwork": "supplychain.network",
    "banzhaf": "supplychain.analysis.leverage",
    "banzhaf_owen": "supplychain.analysis.leverage",
    "esri": "supplychain.analysis.esri",
    "leverage": "supplychain.analysis.leverage",
    "minimal_cut_sets": "supplychain.analysis.cutsets",
    "owen": "supplychain.analysis.leverage",
    "shapley": "supplychain.analysis.leverage",
    "weighted_game": "supplychain.analysis.leverage",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from importlib import import_module

        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'supplychain' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
