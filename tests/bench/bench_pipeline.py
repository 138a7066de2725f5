"""What a reading costs at the edge, from bytes to bytes: resolve, block, judge with two monitors, encode."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from telemetry import Telemetry, live

from models.configuration import MonitorConfig
from models.monitor import Monitor
from models.readings import ReadingBlock, join_blocks
from models.replay import drive
from models.wire.columns import encode_columns
from models.wire.messages import ChannelEntry
from models.wire.senml import resolve_senml, senml_table

MESSAGE = 500  # 5 s of 100 channels at 1 Hz
POLL = 100  # readings of one second, as the agent's sampler makes blocks
TEACH, STRETCH, REPEATS = 130, 12, 9  # messages: 650 s before the first measured, then a minute at a time
RULES: dict[str, dict[str, Any]] = {"limit": {"high": 90.0}, "ewma": {"warmup_s": 600}}
FULL = "SenML resolved record by record"


def rows() -> list[dict[str, Any]]:
    """From SenML and from columns, then each part by itself; event time goes on from run to run."""
    telemetry = live((TEACH + STRETCH * (REPEATS + 1)) * MESSAGE // POLL, jitter_ns=0)
    blocks = telemetry.messages(MESSAGE)
    polls = [[block.rows(at, at + POLL) for at in range(0, MESSAGE, POLL)] for block in blocks]
    payloads = [_payload(block, telemetry) for block in blocks]
    numbers = {name: number for number, name in enumerate(telemetry.names)}
    now_s = int(blocks[0].time[0]) / 1e9

    @functools.lru_cache(maxsize=8)  # a device tells the same names pack after pack
    def channels_of(names: tuple[str, ...]) -> NDArray[np.int32]:
        return np.array([numbers[name] for name in names], np.int32)

    def resolve(place: int) -> ReadingBlock:
        table = senml_table(payloads[place], "json", now_s)
        return ReadingBlock.of(channels_of(table.names)[table.place], table.time, table.value)

    def encode(block: ReadingBlock) -> bytes:
        return encode_columns(block, telemetry.resolution)

    def judge_and_encode(block: ReadingBlock, judge: list[Monitor]) -> None:
        drive(judge, block)
        encode(block)

    def measure(run: Callable[[int], object], judge: Sequence[Monitor] = ()) -> float:
        for block in blocks[:TEACH]:
            drive(judge, block)
        return _median_ns(run)

    both, others = _monitors(telemetry, RULES), _monitors(telemetry, RULES)
    limit, ewma = (_monitors(telemetry, {name: RULES[name]}) for name in RULES)
    full = measure(lambda place: resolve_senml(payloads[place], "json", now_s))
    return [
        _row(
            "edge pipeline from SenML JSON", measure(lambda i: judge_and_encode(resolve(i), both), both), 350
        ),
        _row(
            "edge pipeline from columns", measure(lambda i: judge_and_encode(blocks[i], others), others), 100
        ),
        _row("edge part: SenML JSON to a block", measure(resolve), peer=FULL, peer_value=full),
        _row("edge part: limit over 100 channels", measure(lambda i: drive(limit, blocks[i]), limit)),
        _row("edge part: ewma over 100 channels", measure(lambda i: drive(ewma, blocks[i]), ewma)),
        _row("edge part: columns encoded", measure(lambda i: encode(blocks[i]))),
        _row("edge part: five polls joined", measure(lambda i: join_blocks(polls[i]))),
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


def _monitors(telemetry: Telemetry, rules: dict[str, dict[str, Any]]) -> list[Monitor]:
    names = tuple(telemetry.names)
    entries = {
        number: ChannelEntry(number=number, name=name, resolution=float(telemetry.resolution[number]))
        for number, name in enumerate(names)
    }
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


def _median_ns(run: Callable[[int], object]) -> float:
    """Processor's time a reading: median over stretches of messages that follow each other, after a first."""
    seconds = []
    for begin in range(TEACH, TEACH + STRETCH * (REPEATS + 1), STRETCH):
        started = time.process_time()
        for place in range(begin, begin + STRETCH):
            run(place)
        seconds.append(time.process_time() - started)
    return statistics.median(seconds[1:]) / (STRETCH * MESSAGE) * 1e9


def _row(
    name: str,
    value: float,
    goal: float | None = None,
    peer: str | None = None,
    peer_value: float | None = None,
) -> dict[str, Any]:
    return {
        "name": f"{name}, blocks of {MESSAGE}",
        "value": round(value, 1),
        "unit": "ns/reading",
        "peer": peer,
        "peer_value": None if peer_value is None else round(peer_value, 1),
        "ratio": None if peer_value is None else round(peer_value / value, 1),
        "goal": None if goal is None else f"<= {goal:g}",
        "ok": None if goal is None else value <= goal,
    }
