"""Runs of the hazard benchmark as blocks of readings and events, and monitors driven over them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hazard_detectors import DetectorSet

from firmware_sim.benchmark.digest import DIGESTS_FILE
from firmware_sim.benchmark.house import house_channels
from firmware_sim.benchmark.run import FROZEN_SEEDS, HELD_OUT_SEEDS, SECOND, make_run, truth_of
from firmware_sim.benchmark.scene import DAY_S, Scene
from models.alert import Alert
from models.evaluation import Event, Tally, claims_of, judge_claims, tally
from models.monitor import Monitor
from models.readings import ReadingBlock
from models.replay import drive
from models.wire.messages import ChannelEntry

SETS = {"frozen": FROZEN_SEEDS, "held-out": HELD_OUT_SEEDS, "trial": range(3001, 3051)}
BLOCK_ROWS = 2000
_COLUMNS = np.dtype([("channel", "i4"), ("time", "i8"), ("value", "f8")])


def channel_table() -> dict[int, ChannelEntry]:
    """The house's channels by number, as a gateway's table has them."""
    return {
        number: ChannelEntry(
            number=number,
            name=channel.name,
            device=channel.device,
            kind=channel.sensor.kind,
            unit=channel.sensor.unit,
            resolution=channel.sensor.resolution,
            place=channel.place,
        )
        for number, channel in enumerate(house_channels())
    }


def events_of(hazard: str, seed: int) -> list[Event]:
    """The run's truth on the wall clock."""
    began_s = Scene(hazard, seed).began_s

    def ns(at_s: float) -> int:
        return round((began_s + at_s) * SECOND)

    return [
        Event(e.what, e.places, ns(e.from_s), ns(e.to_s), e.is_real, ns(e.calm_s))
        for e in truth_of(hazard, seed)
    ]


class RunStore:
    """Rows of runs, kept in a folder when one is given: 6 MB a run, 16 MB a seed's learning days."""

    def __init__(self, cache: Path | None) -> None:
        self._folder = None if cache is None else cache / _version()

    def rows(self, hazard: str, seed: int, part: str) -> np.ndarray:
        """Structured rows (channel, time, value) of the `learning` or `judged` days."""
        file = None if self._folder is None else self._folder / f"{part}-{hazard}-{seed}.npy"
        if file is not None and file.exists():
            return np.asarray(np.load(file))
        run = make_run(hazard, seed)
        span = (run.began_ns, run.judged_ns) if part == "learning" else (run.judged_ns, run.until_ns)
        channel, time, value = run.rows(*span)
        rows = np.empty(len(channel), _COLUMNS)
        rows["channel"], rows["time"], rows["value"] = channel, time, value
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            made = file.with_suffix(".part.npy")
            np.save(made, rows)
            made.replace(file)
        return rows


@functools.cache
def _version() -> str:
    return hashlib.blake2b(DIGESTS_FILE.read_bytes(), digest_size=4).hexdigest()


def blocks_of(rows: np.ndarray, first_index: int) -> list[ReadingBlock]:
    """Rows as blocks of one boot, indices from `first_index` on."""
    return [
        ReadingBlock.of(
            rows["channel"][at : at + BLOCK_ROWS],
            rows["time"][at : at + BLOCK_ROWS],
            rows["value"][at : at + BLOCK_ROWS],
            first_index=first_index + at,
        )
        for at in range(0, len(rows), BLOCK_ROWS)
    ]


def judge_seed(
    seed: int, hazards: Sequence[str], sets: Sequence[DetectorSet], store: RunStore
) -> dict[tuple[str, str], Tally]:
    """(detector set, hazard) -> what it found and what it claimed wrongly, for all hazards of a seed.

    Each set learns once: the learning days of a seed are the same for all hazards.
    """
    learning = store.rows(hazards[0], seed, "learning")
    taught = {one.name: _taught(one, learning) for one in sets}
    found = {}
    for hazard in hazards:
        judged = store.rows(hazard, seed, "judged")
        events = events_of(hazard, seed)
        for one in sets:
            alerts = _judged(one, taught[one.name], judged, len(learning))
            found[one.name, hazard] = tally(judge_claims(claims_of(alerts), events), events)
    return found


def _fresh(one: DetectorSet) -> list[Monitor]:
    table = channel_table()
    return [Monitor(config, table, gateway="benchmark") for config in one.monitors(list(table.values()))]


def _taught(one: DetectorSet, learning: np.ndarray) -> list[bytes]:
    """Snapshots after the learning days."""
    first_ns = int(learning["time"][-1]) - int(one.learning_days * DAY_S * SECOND)
    since = int(np.searchsorted(learning["time"], first_ns))
    monitors = _fresh(one)
    _drive(monitors, learning[since:], since)
    return [monitor.snapshot() for monitor in monitors]


def _judged(one: DetectorSet, taught: Sequence[bytes], judged: np.ndarray, first_index: int) -> list[Alert]:
    """Alerts of the judged days, by monitors that go on from what was taught."""
    monitors = _fresh(one)
    for monitor, snapshot in zip(monitors, taught, strict=True):
        monitor.restore(snapshot)
    return _drive(monitors, judged, first_index)


def _drive(monitors: Sequence[Monitor], rows: np.ndarray, first_index: int) -> list[Alert]:
    """Alerts over rows. A monitor of a few channels is shown theirs alone: it would pass over the others."""
    alerts: list[Alert] = []
    together: dict[tuple[int, ...], list[Monitor]] = {}
    for monitor in monitors:
        together.setdefault(monitor.channels, []).append(monitor)
    for channels, alike in together.items():
        for block in blocks_of(rows[np.isin(rows["channel"], channels)], first_index):
            alerts += drive(alike, block)
        for monitor in alike:
            alerts += monitor.advance(int(rows["time"][-1]))
    return alerts
