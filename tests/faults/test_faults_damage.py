"""A6: flipped bits and cut files; the gateway starts, and what was there is there once, or counted."""

from __future__ import annotations

import logging
import random
import shutil
from pathlib import Path

import pytest
from fault_damage import Outcome, damage, live, start_again
from fault_results import record

pytestmark = pytest.mark.row("A6")
START_S = 10.0
COMMAND = "python -m pytest -m soak tests/faults/test_faults_damage.py --timeout 0"


def suffer(folder: Path, lives: int, damages: int) -> list[Outcome]:
    """Several starts on differently damaged copies of each of some lives."""
    outcomes: list[Outcome] = []
    for seed in range(lives):
        state = folder / f"life-{seed}"
        state.mkdir()
        truth = live(state, random.Random(seed))
        for hit in range(damages):
            copy = folder / "damaged"
            shutil.copytree(state, copy)
            what = damage(copy, random.Random(f"{seed}/{hit}"))
            outcomes.append(start_again(copy, truth, f"life {seed}, hit {hit}: {what}"))
            shutil.rmtree(copy)
    return outcomes


def test_gateway_starts_on_damaged_files_and_salvages_or_counts_everything(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    outcomes = suffer(tmp_path, 2, 12)
    assert [one for one in outcomes if not one.is_right] == []
    assert max(one.start_s for one in outcomes) <= 5 * START_S
    assert any(one.new_epoch and one.salvaged for one in outcomes), "no damage that matters was made"


@pytest.mark.soak
def test_gateway_starts_on_two_hundred_damaged_files(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    outcomes = suffer(tmp_path, 10, 20)
    wrong = [one for one in outcomes if not one.is_right]
    slowest = max(one.start_s for one in outcomes)
    damaged = [one for one in outcomes if one.lost or one.new_epoch]
    figure = {
        "slowest_start_s": round(slowest, 2),
        "messages": sum(one.waiting for one in damaged),
        "salvaged": sum(one.salvaged for one in damaged),
        "lost_and_counted": sum(one.counted for one in damaged),
        "not_accounted": sum(abs(one.lost - one.counted) for one in outcomes),
        "doubled": sum(one.doubled for one in outcomes),
        "new_epochs": sum(one.new_epoch for one in outcomes),
    }
    record(
        "A6", "test_gateway_starts_on_two_hundred_damaged_files", runs=len(outcomes), figure=figure,
        unit="s, messages", target="200 starts <= 10 s; the rest salvaged or counted",
        ok=not wrong and slowest <= START_S, command=COMMAND,
    )  # fmt: skip
    assert wrong == []
