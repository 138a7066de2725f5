"""Replay: monitors over stored readings, driven exactly as the edge drives them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

import models
from models.alert import Alert, Evidence, Moment
from models.configuration import MonitorConfig
from models.detectors.bank import Scores
from models.detectors.registry import entry_of
from models.detectors.rows import crossings
from models.errors import ConfigurationError
from models.monitor import Monitor
from models.readings import Int64s, Quality, ReadingBlock
from models.trigger import Crossings
from models.wire.messages import ChannelEntry

THINNED = int(Quality.THINNED)


@dataclass(frozen=True, slots=True)
class Replay:
    """What a monitor said about stored readings.

    `scores` has a row for every row of `readings`, 0 and NaN for channels that are not the monitor's.
    """

    alerts: tuple[Alert, ...]
    readings: tuple[ReadingBlock, ...]
    scores: Scores

    @property
    def is_exact(self) -> bool:
        """Whether every value is as it was measured; where some were thinned, alerts and scores need not be
        those of the gateway, which judged what it measured."""
        return not any(bool((block.quality & THINNED).any()) for block in self.readings)

    @property
    def time(self) -> Int64s:
        """Times of all rows, ns UTC."""
        return np.concatenate([np.empty(0, np.int64), *(block.time for block in self.readings)])


def drive(monitors: Sequence[Monitor], block: ReadingBlock) -> list[Alert]:
    """Let monitors see a block, and let event time pass within it; alerts in the order of monitors.

    Event time is the latest time of a reading that is believed and not imported. Before the first row that
    crosses into a new second, `advance` is called with that second.
    """
    crossings = crossings_of(block)
    return [alert for monitor in monitors for alert in monitor.judge(block, crossings)[1]]


def replay(
    config: MonitorConfig,
    channels: Mapping[int, ChannelEntry],
    blocks: Iterable[ReadingBlock],
    *,
    gateway: str,
    snapshot: bytes | None = None,
    config_version: int = 0,
    code_version: str = models.__version__,
    until_ns: int | None = None,
) -> Replay:
    """Run one monitor over blocks in order, from a snapshot or fresh; equal to the edge, alert for alert.

    `until_ns` lets event time reach further than the last reading, as it does in silence.
    """
    monitor = Monitor(
        config, channels, gateway=gateway, config_version=config_version, code_version=code_version
    )
    if snapshot is not None:
        monitor.restore(snapshot)
    alerts: list[Alert] = []
    seen: list[ReadingBlock] = []
    scored: list[Scores] = []
    for block in blocks:
        scores, raised = monitor.judge(block, crossings_of(block))
        alerts += raised
        seen.append(block)
        scored += scores
    if until_ns is not None:
        alerts += monitor.advance(until_ns)
    return Replay(tuple(alerts), tuple(seen), _joined(scored))


def replay_evidence(evidence: Evidence, *, gateway: str = "") -> Replay:
    """Re-run an alert from its evidence: the same monitor, from its snapshot, over its raw window.

    ConfigurationError, SnapshotError or BodyError when the evidence cannot be used.
    """
    config, channels, windows, snapshot = _unpacked(evidence)
    return replay(
        config,
        channels,
        windows,
        gateway=gateway,
        snapshot=snapshot,
        until_ns=evidence.end_at,
    )


def moments_of(evidence: Evidence, alert: Alert) -> tuple[Moment, ...]:
    """The past moments most like the one that fired, as the detector stood right after that reading.

    None where the detector keeps none, or has gone on since it measured that reading. Errors as
    `replay_evidence`.
    """
    config, channels, windows, snapshot = _unpacked(evidence)
    numbers = [number for number, entry in channels.items() if entry.name == alert.channel]
    if not numbers or not entry_of(config.detector).bank.keeps_moments:
        return ()
    monitor = Monitor(config, channels, gateway=alert.gateway)
    monitor.restore(snapshot)
    together = monitor.companions(numbers)
    for own in _until_heard([window.only(together) for window in windows], numbers[0], alert.measured_at):
        monitor.judge(own, crossings_of(own))
    return monitor.moments(numbers[0], alert.measured_at)


def _until_heard(windows: Sequence[ReadingBlock], number: int, time: int) -> Sequence[ReadingBlock]:
    """Windows up to the reading of that time; none where it came before them."""
    for place in reversed(range(len(windows))):
        own = windows[place]
        heard = np.flatnonzero((own.channel == number) & (own.time == time))
        if len(heard):
            return [*windows[:place], own.rows(0, int(heard[-1]) + 1)]
    return []


def _unpacked(
    evidence: Evidence,
) -> tuple[MonitorConfig, dict[int, ChannelEntry], list[ReadingBlock], bytes]:
    """Configuration of the channels that are there, those channels, the windows and the snapshot."""
    from models.wire.columns import decode_columns

    try:
        config = MonitorConfig.model_validate(evidence.configuration)
        windows = [base64.b64decode(body, validate=True) for body in (evidence.window, *evidence.later)]
        snapshot = base64.b64decode(evidence.snapshot, validate=True)
    except (ValidationError, binascii.Error) as error:
        raise ConfigurationError(f"evidence of {evidence.alert} cannot be used: {error}") from None
    channels = {number: ChannelEntry(number=number, name=name) for number, name in evidence.channels.items()}
    present = tuple(name for name in config.channels if name in set(evidence.channels.values()))
    config = config.model_copy(update={"channels": present})
    return config, channels, [decode_columns(body) for body in windows], snapshot


def crossings_of(block: ReadingBlock) -> Crossings:
    """Rows at which event time enters a new whole second within the block, and those seconds in ns."""
    _, time, _, quality = block.columns()
    rows, seconds = np.empty(len(block), np.int64), np.empty(len(block), np.int64)
    found = crossings(time, quality, rows, seconds)
    return rows[:found], seconds[:found]


def _joined(scores: Sequence[Scores]) -> Scores:
    if len(scores) == 1:
        return scores[0]
    tables = [np.empty((5, 0)), *(part.table for part in scores)]
    return Scores(
        np.concatenate(tables, axis=1), np.concatenate([np.empty(0, np.uint8), *(p.flags for p in scores)])
    )
