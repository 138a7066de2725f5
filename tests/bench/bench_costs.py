"""What a reading costs each detector, beside what the catalogue says, whose `cost_ns` comes from here.

100 channels at 1 Hz in blocks of 500, after eight days taught at five minutes, so that all are warm and their
stores full; eight channels for those that judge channels together, ten for river's objects. States switch
about once a minute, all else is a room's temperature. A round is long enough for what happens seldom, such
as a forest grown anew; the figure is the fastest round's processor time.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from beside import BLOCK, START, course, row

from models.detectors.registry import DETECTORS, DetectorEntry, make_bank
from models.lab.warm import NEEDED
from models.readings import ReadingBlock

CHANNELS, SECONDS = 100, 4000
TAUGHT, EVERY_S = 2400, 300
ROUNDS = 3
SECOND = 1_000_000_000
EVENTS = {"state", "motion", "door"}  # kinds of detectors that want states


def rows() -> list[dict[str, Any]]:
    """A row for each detector that can run here."""
    return [
        row(f"kernel {name}, blocks of 500", cost, "ns/reading", "the catalogue", entry.cost_ns)
        for name, entry in DETECTORS.items()
        if entry.is_installed
        for cost in [cost_of(entry)]
    ]


def cost_of(entry: DetectorEntry) -> float:
    """ns a reading, of blocks of 500 readings of as many channels as it takes."""
    channels = 10 if entry.needs == "river" else entry.most or CHANNELS
    bank = make_bank(entry.name, NEEDED.get(entry.name, {}), range(channels))
    states = bool(EVENTS.intersection(entry.kinds))
    bank.score(stream(channels, START - EVERY_S * np.arange(TAUGHT, 0, -1), states, 1))
    readings = stream(channels, START + np.arange(SECONDS), states, 2)
    blocks = [readings.rows(at, at + BLOCK) for at in range(0, len(readings), BLOCK)]
    span = int(readings.time[-1] - readings.time[0]) + SECOND
    taken = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for block in blocks:
            bank.score(block)
        taken.append((time.process_time() - begin) / len(readings) * 1e9)
        bank.shift(-span)
    return min(taken)


def stream(channels: int, seconds: np.ndarray[Any, Any], states: bool, seed: int) -> ReadingBlock:
    """Channels in turn at each of the times: a room's temperature, or states that switch now and then."""
    value = course(seconds, channels, seed)
    if states:
        switches = np.random.default_rng(seed).random((len(seconds), channels)) < 1 / 60
        value = (np.cumsum(switches, axis=0) % 2).astype(np.float64).ravel()
    channel = np.tile(np.arange(channels, dtype=np.int32), len(seconds))
    return ReadingBlock.of(channel, np.repeat(seconds, channels) * SECOND, value)


if __name__ == "__main__":
    for line in rows():
        print({key: value for key, value in line.items() if value is not None})
