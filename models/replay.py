"""Replay: monitors over stored readings, driven exactly as the edge drives them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

import models
from models.alert import Alert, Evidence
from models.configuration import MonitorConfig
from models.detectors.bank import Scores, columns_of
from models.detectors.rows import crossings
from models.errors import ConfigurationError
from models.monitor import Monitor
from models.readings import Int64s, ReadingBlock
from models.trigger import Crossings
from models.wire.messages import ChannelEntry


@dataclass(frozen=True, slots=True)
class Replay:
    """What a monitor said about stored readings.

    `scores` has a row for every row of `readings`, 0 and NaN for channels that are not the monitor's.
    """

    alerts: tuple[Alert, ...]
    readings: tuple[ReadingBlock, ...]
    scores: Scores

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
    from models.wire.columns import decode_columns

    try:
        config = MonitorConfig.model_validate(evidence.configuration)
        window, snapshot = (base64.b64decode(text, validate=True) for text in _packed(evidence))
    except (ValidationError, binascii.Error) as error:
        raise ConfigurationError(f"evidence of {evidence.alert} cannot be used: {error}") from None
    channels = {number: ChannelEntry(number=number, name=name) for number, name in evidence.channels.items()}
    present = tuple(name for name in config.channels if name in set(evidence.channels.values()))
    config = config.model_copy(update={"channels": present})
    return replay(
        config,
        channels,
        [decode_columns(window)],
        gateway=gateway,
        snapshot=snapshot,
        until_ns=evidence.end_at,
    )


def crossings_of(block: ReadingBlock) -> Crossings:
    """Rows at which event time enters a new whole second within the block, and those seconds in ns."""
    _, time, _, quality = columns_of(block)
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


def _packed(evidence: Evidence) -> tuple[str, str]:
    return evidence.window, evidence.snapshot
