"""The semi-NCA algorithm compiled with numba (the extra `fast`)."""

from __future__ import annotations

import numba

from supplychain.analysis.dominators_plain import semi_nca

compiled = numba.njit(cache=True, nogil=True)(semi_nca)
