"""Compile every kernel once, at set-up, so that no start waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
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


def parts() -> list[str]:
    """Names of all that can be run here: detectors, then codecs."""
    return [*(name for name, entry in DETECTORS.items() if entry.is_installed), *_CODECS]


def warm(names: Iterable[str] | None = None) -> Iterator[tuple[str, float]]:
    """Run each of these parts, all of them unless told, over a few seconds; yields name and seconds."""
    for name in parts() if names is None else names:
        begin = time.perf_counter()
        if name in _CODECS:
            _CODECS[name]()
        else:
            fewest = DETECTORS[name].fewest
            # One channel and several are not the same to numba: of one, even a record's field is contiguous.
            for count in sorted({fewest, max(fewest, 2)}):
                _run(name, count)
        yield name, time.perf_counter() - begin


def _run(detector: str, count: int) -> None:
    channels = {number: ChannelEntry(number=number, name=f"c{number}") for number in range(count)}
    config = MonitorConfig(
        name="warm",
        detector=detector,
        parameters=NEEDED.get(detector, {}),
        channels=tuple(channel.name for channel in channels.values()),
        hazard="warm",
        trigger=TriggerConfig(on=5, on_delay_s=1, off_delay_s=1),
    )
    monitor = Monitor(config, channels, gateway="warm")
    drive([monitor], _block())
    monitor.advance(20 * _SECOND)


def _block() -> ReadingBlock:
    return ReadingBlock.of([0, 0], [_SECOND, 3 * _SECOND], [2.0, 2.0])


def _columns() -> None:
    decode_columns(encode_columns(_block(), np.zeros(1)))


def _senml() -> None:
    senml_table(b'[{"n":"c","v":1}]', "json", 0.0)


_CODECS: dict[str, Callable[[], None]] = {"columns": _columns, "senml": _senml}
