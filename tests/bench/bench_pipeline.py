"""What a reading costs at the edge, from bytes to bytes: resolve, block, judge with two monitors, encode."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from telemetry import Telemetry, live

from models.configuration import MonitorConfig
from models.monitor import Monitor
from models.readings import ReadingBlock
from models.replay import drive
from models.wire.columns import encode_columns
from models.wire.messages import ChannelEntry
from models.wire.senml import senml_columns

MESSAGE = 500  # 5 s of 100 channels at 1 Hz
REPEATS = 9


def rows() -> list[dict[str, Any]]:
    """From SenML, from columns, and each part by itself."""
    telemetry = live(200, jitter_ns=0)
    blocks = telemetry.messages(MESSAGE)
    payloads = [_payload(block, telemetry) for block in blocks]
    numbers = {name: number for number, name in enumerate(telemetry.names)}
    now_s = int(blocks[0].time[0]) / 1e9

    def resolve(payload: bytes) -> ReadingBlock:
        names, times, values = senml_columns(payload, "json", now_s)
        channel = np.fromiter(map(numbers.__getitem__, names), np.int32, len(names))
        return ReadingBlock.of(channel, times, values)

    def encode(block: ReadingBlock) -> bytes:
        return encode_columns(block, telemetry.resolution)

    def from_columns(judge: list[Monitor]) -> None:
        for block in blocks:
            drive(judge, block)
            encode(block)

    def from_senml(judge: list[Monitor]) -> None:
        for payload in payloads:
            block = resolve(payload)
            drive(judge, block)
            encode(block)

    def judged(judge: list[Monitor]) -> None:
        for block in blocks:
            drive(judge, block)

    readings = len(blocks) * MESSAGE
    measured = {
        "edge pipeline from SenML JSON": (from_senml, 350.0),
        "edge pipeline from columns": (from_columns, 100.0),
        "edge part: SenML JSON to a block": (lambda _: [resolve(payload) for payload in payloads], None),
        "edge part: limit and ewma over 100 channels": (judged, None),
        "edge part: columns encoded": (lambda _: [encode(block) for block in blocks], None),
    }
    return [
        _row(f"{name}, blocks of {MESSAGE}", _median_ns(run, telemetry, readings), goal)
        for name, (run, goal) in measured.items()
    ]


def _payload(block: ReadingBlock, telemetry: Telemetry) -> bytes:
    """A pack as a device's gateway sends it: base time once, name, unit, seconds, value."""
    start = int(block.time[0]) // 1_000_000_000
    pack: list[dict[str, Any]] = [
        {"n": telemetry.names[channel], "u": "Cel", "t": round(at / 1e9 - start, 3), "v": value}
        for channel, at, value in zip(
            block.channel.tolist(), block.time.tolist(), block.value.tolist(), strict=True
        )
    ]
    return msgspec.json.encode([{"bt": start} | pack[0], *pack[1:]])


def _monitors(telemetry: Telemetry) -> list[Monitor]:
    names = tuple(telemetry.names)
    entries = {
        number: ChannelEntry(number=number, name=name, resolution=float(telemetry.resolution[number]))
        for number, name in enumerate(names)
    }
    rules: dict[str, dict[str, Any]] = {"limit": {"high": 90.0}, "ewma": {}}
    return [
        Monitor(
            MonitorConfig(
                name=name,
                detector=name,
                parameters=given,
                channels=names,
                hazard="climate",
                trigger={"on": 9},
            ),
            entries,
            gateway="gw-b1",
        )
        for name, given in rules.items()
    ]


def _median_ns(run: Callable[[list[Monitor]], object], telemetry: Telemetry, readings: int) -> float:
    """Median of the processor's time over several runs, each with monitors that begin anew."""
    seconds = []
    for _ in range(REPEATS + 1):
        judge = _monitors(telemetry)
        begin = time.process_time()
        run(judge)
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds[1:]) / readings * 1e9


def _row(name: str, value: float, goal: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 1),
        "unit": "ns/reading",
        "goal": None if goal is None else f"<= {goal:g}",
        "ok": None if goal is None else value <= goal,
    }
