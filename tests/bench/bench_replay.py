"""A year of one channel at 10 s, replayed in blocks of a day as the store keeps them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from beside import DAY_S, START, readings, row

from models.detectors.registry import make_bank
from models.readings import ReadingBlock

DAYS, EVERY_S = 365, 10
# The rules, and the three that learn a level: what a gateway runs on a temperature.
STANDARD: dict[str, dict[str, Any]] = {
    "limit": {"high": 60.0},
    "rate": {"rise_per_s": 0.5},
    "flat_line": {"for_s": 3600},
    "ewma": {},
    "cusum": {},
    "time_of_day": {},
}
REPEATS = 3


def rows() -> list[dict[str, Any]]:
    """Seconds for the year through the standard detectors, each of them, and through the default."""
    days = year()
    parts = {name: _seconds(days, {name: parameters}) for name, parameters in STANDARD.items()}
    count = sum(len(day) for day in days)
    together = f"replay of a channel-year ({count:,} readings)"
    table = [row(f"{together}, {'+'.join(STANDARD)}", sum(parts.values()), "s", at_most=0.2)]
    table += [row(f"replay of a channel-year, {name}", seconds, "s") for name, seconds in parts.items()]
    return [*table, row(f"{together}, default", _seconds(days, {"default": {}}), "s", at_most=40)]


def year() -> list[ReadingBlock]:
    """A room through a year: day, slow weather, noise, a hundredth of a degree; a block for each day."""
    whole = readings(START + np.arange(-DAYS * DAY_S, 0, EVERY_S), 1, seed=4)
    each = DAY_S // EVERY_S
    return [whole.rows(at, at + each) for at in range(0, len(whole), each)]


def _seconds(days: Sequence[ReadingBlock], detectors: dict[str, dict[str, Any]]) -> float:
    """Median processor time of replays from fresh banks, after a day that compiles or loads."""
    for name, parameters in detectors.items():
        make_bank(name, parameters, [0]).score(days[0])
    taken = []
    for _ in range(REPEATS):
        banks = [make_bank(name, parameters, [0]) for name, parameters in detectors.items()]
        begin = time.process_time()
        for day in days:
            for bank in banks:
                bank.score(day)
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


if __name__ == "__main__":
    for line in rows():
        print({key: value for key, value in line.items() if value is not None})
