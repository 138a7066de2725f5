"""A21: memory over many days, offline spells included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fault_results import record
from real_parts import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.row("A21")]
SLOPE_MB = 1.0  # a simulated day
HERE = Path(__file__).parent
COMMAND = "python -m pytest -m soak tests/faults/test_faults_growth.py --timeout 0"


def live(folder: Path, seconds: int, every_s: int) -> list[dict[str, float]]:
    """A gateway's life in a process of its own; memory each `every_s`."""
    command = [sys.executable, HERE / "fault_years.py", str(folder), str(seconds), str(every_s)]
    found = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=found)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def slope(seen: list[dict[str, float]]) -> float:
    """MB a day, by the least squares."""
    days = [one["second"] / 86_400 for one in seen]
    return float(np.polyfit(days, [one["memory_mb"] for one in seen], 1)[0])


@pytest.mark.timeout(300)
def test_memory_of_hours_does_not_grow_without_bound(tmp_path: Path) -> None:
    """A million readings with an offline spell: a leak of 4 KB a message would be 8 MB."""
    seen = live(tmp_path / "state", 10_000, 2_000)
    assert seen[-1]["readings"] == 1_000_000
    assert seen[-1]["waiting"] > 1000  # it is still offline: the backlog is on disk alone
    assert seen[-1]["memory_mb"] - seen[0]["memory_mb"] < 5 * SLOPE_MB


@pytest.mark.soak
def test_memory_of_a_hundred_million_readings(tmp_path: Path) -> None:
    seen = live(tmp_path / "state", 1_000_000, 43_200)
    late = [one for one in seen if one["second"] >= 2 * 86_400]
    mb_a_day = slope(late)
    record(
        "A21", "memory_of_a_hundred_million_readings", runs=1, unit="MB a simulated day",
        figure={"slope": round(mb_a_day, 3), "readings": seen[-1]["readings"], "alerts": seen[-1]["alerts"],
                "first_mb": round(late[0]["memory_mb"], 1), "last_mb": round(late[-1]["memory_mb"], 1)},
        target="1e8 readings accelerated, offline spells included -> slope < 1 MB per simulated day",
        ok=mb_a_day < SLOPE_MB, command=COMMAND,
        note="100 channels, default monitors, 6 h of each day offline; days 3 to 12, memory by RssAnon",
    )  # fmt: skip
    assert seen[-1]["readings"] == 100_000_000
    assert mb_a_day < 5 * SLOPE_MB
