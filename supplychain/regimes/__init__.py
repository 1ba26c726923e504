"""Dated law as data: the regime book and what it says of flows."""

from __future__ import annotations

from supplychain.regimes.book import RegimeBook
from supplychain.regimes.determinations import Determinations

__all__ = ["Determinations", "RegimeBook"]
