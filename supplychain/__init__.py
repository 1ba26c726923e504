"""Choke points and sourcing of semiconductor inputs under dated export controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from supplychain.case import Case as Case
    from supplychain.network import SupplyNetwork as SupplyNetwork
    from supplychain.regimes import RegimeBook as RegimeBook

# Public names are loaded on first use, so that `import supplychain` and `supplychain --help` stay fast.
_PUBLIC = {
    "Case": "supplychain.case",
    "RegimeBook": "supplychain.regimes",
    "SupplyNetwork": "supplychain.network",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from importlib import import_module

        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'supplychain' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
