"""Jobs for worker processes that die or hang; they import next to nothing, so that many processes cost little."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path


def slow_or_deadly(path: str, number: int) -> str:
    """Run 1 always kills its worker, run 2 the first time, the others take a moment."""
    mark = Path(path).with_suffix(f".{number}")
    if number == 1 or (number == 2 and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return json.dumps({"run": number, "scenario": "x", "draw": number, "in_force_12_short": 1.0})


def hangs(path: str, number: int) -> str:
    """Run 0 does not come back."""
    time.sleep(60 if number == 0 else 0)
    return json.dumps({"run": number, "scenario": "x", "draw": number, "in_force_12_short": 1.0})


def hangs_anywhere(text: str, number: int) -> str:
    """Run 1 does not come back."""
    time.sleep(60 if number == 1 else 0)
    return json.dumps({"run": number, "scenario": "x", "draw": number, "in_force_12_short": 1.0})
