"""Readings for the benches: real recordings as a gateway would read them, and a live one made up."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.clock import ClockState
from models.readings import Floats, ReadingBlock, round_to_resolution

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND  # recordings without times of their own begin here
Sample = tuple[int, int, float]  # channel, ns, value


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Readings of one gateway; `names` and `resolution` by channel number."""

    name: str
    names: list[str]
    resolution: Floats
    block: ReadingBlock

    def messages(self, size: int) -> list[ReadingBlock]:
        """All whole messages of `size` readings."""
        whole = len(self.block) // size * size
        return [self.block.rows(at, at + size) for at in range(0, whole, size)]


def recordings(rows: int) -> list[Telemetry]:
    """At most `rows` readings of each recording; FileNotFoundError when their folder is not here.

    Channels have the resolution a gateway would be told: what the sensor gives, or what means something.
    """
    folder = Path(os.environ.get("LASTMILE_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not folder.is_dir():
        raise FileNotFoundError("no recordings: set LASTMILE_DATA to their folder")
    made = []
    for name, (read, channels) in _RECORDINGS.items():
        samples = [sample for sample, _ in zip(read(folder), range(rows), strict=False)]
        made.append(_telemetry(name, dict(channels), samples))
    return made


def live(seconds: int, jitter_ns: int, seed: int = 1) -> Telemetry:
    """20 devices of 5 channels at 1 Hz, resolution 0.1; each drifts (0.02 a step) under noise of 0.15.

    Each device is polled at its own place in the second, late by up to a few `jitter_ns`, told to the ns.
    """
    chance = np.random.default_rng(seed)
    drift = chance.normal(0, 0.02, (seconds, 100)).cumsum(0) + chance.normal(20, 8, 100)
    value = drift + chance.normal(0, 0.15, (seconds, 100))
    place = chance.integers(0, SECOND, 20)
    late = np.abs(chance.normal(0, jitter_ns, (seconds, 20))).astype(np.int64)
    polled = START + np.arange(seconds)[:, None] * SECOND + place + late
    samples = [
        (device * 5 + k, int(polled[second, device]), float(value[second, device * 5 + k]))
        for second, device in sorted(np.ndindex(seconds, 20), key=lambda at: polled[at])
        for k in range(5)
    ]
    return _telemetry("live", {f"d{n // 5:02}/q{n % 5}": 0.1 for n in range(100)}, samples)


def _telemetry(name: str, channels: dict[str, float], samples: list[Sample]) -> Telemetry:
    channel, time, value = (np.array(column) for column in zip(*samples, strict=True))
    resolution = np.array(list(channels.values()))
    rounded = np.array(value, np.float64)
    for number, step in enumerate(resolution):
        mine = channel == number
        rounded[mine] = round_to_resolution(rounded[mine], step)
    block = ReadingBlock.of(
        channel,
        time,
        rounded,
        boot="0123456789abcdef0123456789abcdef",
        first_index=1_000_000,
        monotonic_offset_ns=START - 123_456_789_012,
        clock=ClockState.TRUSTED,
    )
    return Telemetry(name, list(channels), resolution, block)


def _motes(folder: Path) -> Iterator[Sample]:
    with (folder / "motes" / "singlehop.csv").open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (int(row["reading"]), int(row["mote_id"])))
    motes = {mote: 2 * k for k, mote in enumerate(sorted({row["mote_id"] for row in rows}))}
    for row in rows:
        at = START + int(row["reading"]) * 5 * SECOND
        yield motes[row["mote_id"]], at, float(row["temperature"])
        yield motes[row["mote_id"]] + 1, at, float(row["humidity"])


def _smoke(folder: Path) -> Iterator[Sample]:
    with (folder / "smoke" / "smoke_detection_iot.csv").open() as file:
        for second, row in enumerate(csv.reader(file)):
            if second:
                yield from ((k, START + second * SECOND, float(row[1 + k])) for k in range(4))


def _occupancy(folder: Path) -> Iterator[Sample]:
    with (folder / "occupancy" / "datatraining.txt").open() as file:
        for number, row in enumerate(csv.reader(file)):
            if number:
                at = datetime.fromisoformat(row[1]).replace(tzinfo=UTC)
                yield from ((k, int(at.timestamp()) * SECOND, float(row[2 + k])) for k in range(5))


def _beijing(folder: Path) -> Iterator[Sample]:
    columns = ("PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "TEMP", "PRES", "DEWP", "RAIN", "WSPM")
    with (folder / "beijing_air" / "PRSA_Data_Wanliu_20130301-20170228.csv").open() as file:
        for hour, row in enumerate(csv.DictReader(file)):
            for k, column in enumerate(columns):
                if row[column] not in ("", "NA"):
                    yield k, START + hour * 3600 * SECOND, float(row[column])


_RECORDINGS: dict[str, tuple[Callable[[Path], Iterator[Sample]], dict[str, float]]] = {
    "motes": (_motes, {f"mote{k // 2}/{('temperature', 'humidity')[k % 2]}": 0.01 for k in range(8)}),
    "smoke": (_smoke, {"temperature": 0.01, "humidity": 0.01, "eco2": 1.0, "alarm": 1.0}),
    "occupancy": (
        _occupancy,
        {"temperature": 0.01, "humidity": 0.01, "light": 1.0, "co2": 1.0, "humidity_ratio": 0.00001},
    ),
    "beijing_air": (
        _beijing,
        {"pm2.5": 1.0, "pm10": 1.0, "so2": 1.0, "no2": 1.0, "co": 100.0, "o3": 1.0}
        | {"temperature": 0.1, "pressure": 0.1, "dew_point": 0.1, "rain": 0.1, "wind": 0.1},
    ),
}
