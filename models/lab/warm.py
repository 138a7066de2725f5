"""Compile every kernel once, at set-up, so that no start waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from models.configuration import MonitorConfig, TriggerConfig
from models.detectors.registry import DETECTORS
from models.monitor import Monitor
from models.readings import ReadingBlock
from models.replay import drive
from models.wire.columns import decode_columns, encode_columns
from models.wire.messages import ChannelEntry
from models.wire.senml import senml_table

_SECOND = 1_000_000_000
# Detectors that refuse to work without a parameter.
NEEDED: dict[str, dict[str, Any]] = {
    "limit": {"high": 1},
    "dwell": {"high": 1, "for_s": 1},
    "rate": {"rise_per_s": 1},
    "absence": {"after_s": 1},
    "state_duration": {"longest_s": 1},
}


def warm() -> Iterator[tuple[str, float]]:
    """Run each detector that can run here over a few seconds, then the codecs; yields name and seconds."""
    block = ReadingBlock.of([0, 0], [_SECOND, 3 * _SECOND], [2.0, 2.0])
    for name, entry in DETECTORS.items():
        if not entry.is_installed:
            continue
        begin = time.perf_counter()
        channels = {number: ChannelEntry(number=number, name=f"c{number}") for number in range(entry.fewest)}
        config = MonitorConfig(
            name="warm",
            detector=name,
            parameters=NEEDED.get(name, {}),
            channels=tuple(channel.name for channel in channels.values()),
            hazard="warm",
            trigger=TriggerConfig(on=5, on_delay_s=1, off_delay_s=1),
        )
        monitor = Monitor(config, channels, gateway="warm")
        drive([monitor], block)
        monitor.advance(20 * _SECOND)
        yield name, time.perf_counter() - begin
    begin = time.perf_counter()
    decode_columns(encode_columns(block, np.zeros(1)))
    yield "columns", time.perf_counter() - begin
    begin = time.perf_counter()
    senml_table(b'[{"n":"c","v":1}]', "json", 0.0)
    yield "senml", time.perf_counter() - begin
