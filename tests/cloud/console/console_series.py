"""Readings behind the seeded alerts: a day of each channel, ending now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Engine

from cloud.fleet.channels import ChannelDirectory
from cloud.series.landed import LandedStore
from cloud.series.store import Arrival
from models.clock import SECOND_NS, ClockState
from models.readings import Floats, ReadingBlock, round_to_resolution
from models.wire.columns import encode_columns

BOOT = "b0" * 16
PERIOD_S = 20
HISTORY_S = 26 * 3600
MESSAGES = 30


@dataclass(frozen=True, slots=True)
class Series:
    """A channel and how it ran: `shape` gives its value at so many seconds before now."""

    gateway: str
    name: str
    kind: str
    unit: str
    resolution: float
    place: str
    shape: Callable[[Floats], Floats]


def ramp(before: Floats, since_s: float, rise_s: float, height: float) -> Floats:
    """From 0 at `since_s` before now to `height`, in `rise_s`."""
    return np.clip((since_s - before) / rise_s, 0.0, 1.0) * height


def day(before: Floats, height: float) -> Floats:
    """The rhythm of a day."""
    return height * np.sin(2 * np.pi * before / 86400)


def noise(before: Floats, height: float) -> Floats:
    """Always the same chance."""
    return np.random.default_rng(7).normal(0.0, height, len(before))


def smoke(before: Floats) -> Floats:
    return 42 + noise(before, 4) + ramp(before, 600, 240, 380)


def kitchen(before: Floats) -> Floats:
    return 20.4 + day(before, 1.2) + noise(before, 0.15) + ramp(before, 560, 300, 9.2)


def leak(before: Floats) -> Floats:
    return (before < 3 * 3600).astype(float)


def freezer(before: Floats) -> Floats:
    return -18.6 + day(before, 0.4) + noise(before, 0.2) + ramp(before, 4200, 3600, 9.6)


def stuck(before: Floats) -> Floats:
    return np.full(len(before), 61.0)


def gas(before: Floats) -> Floats:
    return 1.2 + np.abs(noise(before, 0.2)) + ramp(before, 4600, 300, 14.0)


SERIES = (
    Series("gw-b1", "kitchen/smoke", "smoke", "ppm", 1.0, "b1/f4/kitchen", smoke),
    Series("gw-b1", "kitchen/temperature", "temperature", "Cel", 0.1, "b1/f4/kitchen", kitchen),
    Series("gw-b1", "boiler/leak", "leak", "", 1.0, "b1/f0/boiler", leak),
    Series("gw-b2", "canteen/freezer", "temperature", "Cel", 0.1, "b2/canteen", freezer),
    Series("gw-b2", "canteen/humidity", "humidity", "%RH", 0.5, "b2/canteen", stuck),
    Series("gw-hall", "hall/gas", "gas", "%LEL", 0.1, "hall", gas),
)


def fill_series(main: Engine, series: Engine, now: int) -> None:
    """Land the readings as ingest would."""
    store = LandedStore(series, ChannelDirectory(main))
    before = np.arange(HISTORY_S, 0, -PERIOD_S, dtype=np.float64)
    parts = np.array_split(before, MESSAGES)
    for gateway_id in sorted({one.gateway for one in SERIES}):
        rows = [one for one in SERIES if one.gateway == gateway_id]
        # Each series is drawn as a whole, then cut: chance runs on over the messages.
        whole = [round_to_resolution(one.shape(before), one.resolution) for one in rows]
        values = [np.array_split(column, MESSAGES) for column in whole]
        store.put(
            [
                _arrival(gateway_id, rows, part, [column[n] for column in values], now, n + 1)
                for n, part in enumerate(parts)
            ]
        )


def _arrival(
    gateway_id: str, rows: list[Series], before: Floats, values: list[Floats], now: int, sequence: int
) -> Arrival:
    time = now - (before * SECOND_NS).astype(np.int64)
    block = ReadingBlock.of(
        channel=np.repeat(np.arange(len(rows), dtype=np.int32), len(before)),
        time=np.tile(time, len(rows)),
        value=np.concatenate(values),
        boot=BOOT,
        clock=ClockState.TRUSTED,
    )
    body = encode_columns(block, np.array([one.resolution for one in rows]))
    digest = hashlib.sha256(body).digest()[:16]
    return Arrival(
        gateway_id, 1, sequence, digest, now, body, int(time[0]), int(time[-1]), readings=len(block)
    )
