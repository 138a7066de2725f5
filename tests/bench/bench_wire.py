"""Bytes and nanoseconds a reading on the wire, beside SenML in JSON, in the same run."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import zstandard
from telemetry import START, Telemetry, live, recordings

from models.identity import MessageIdentity, Stream
from models.readings import ReadingBlock
from models.wire.columns import decode_columns, encode_columns
from models.wire.envelope import Kind, seal

MESSAGE = 500
REPEATS = 9
PACKED = "SenML JSON under zstd"
PLAIN = "SenML JSON"
BYTES_GOAL, LIVE_GOAL, TIME_GOAL = 1.4, 3.3, 100.0


def rows() -> list[dict[str, Any]]:
    """Bytes by recording, live bytes, then times; without recordings those rows are left out."""
    table = []
    steady = live(60, jitter_ns=0)
    try:
        recorded = recordings(30_000)
    except FileNotFoundError as missing:
        print(f"bench wire: {missing}; going on without", file=sys.stderr)
        recorded = []
    ours: list[float] = []
    for telemetry in recorded:
        sizes = bytes_a_reading(telemetry)
        ours.append(sizes[0])
        table.append(_bytes_row(f"wire, {telemetry.name}, 500 a message", sizes, PACKED, BYTES_GOAL))
    if recorded:
        every = [statistics.mean(column) for column in zip(*map(bytes_a_reading, recorded), strict=True)]
        table.append(_bytes_row("wire, mean of recordings, 500 a message", every, PACKED, BYTES_GOAL))
        table.append(_bytes_row("wire, mean of recordings, against plain", every, PLAIN, None))
    table.append(
        _bytes_row(
            "wire, live 5 s, 100 channels, 20 devices on time", bytes_a_reading(steady), PACKED, LIVE_GOAL
        )
    )
    late = bytes_a_reading(live(60, jitter_ns=1_000_000))
    table.append(_bytes_row("wire, live 5 s, 100 channels, 1 ms late, told in ns", late, PACKED, LIVE_GOAL))
    for telemetry in [*recorded, steady]:
        table += _time_rows(telemetry)
    return table


def bytes_a_reading(telemetry: Telemetry) -> list[float]:
    """Ours with the envelope, SenML JSON, and SenML JSON under zstd with the same envelope."""
    blocks = telemetry.messages(MESSAGE)
    identity = MessageIdentity("gw-b1", 1, Stream.BULK, 123_456)
    packer = zstandard.ZstdCompressor(level=3)
    plain = [to_senml(block, telemetry.names) for block in blocks]
    ours = [encode_columns(block, telemetry.resolution) for block in blocks]
    sealed = [
        sum(len(seal(identity, Kind.TELEMETRY, START, body)) for body in bodies)
        for bodies in (ours, map(packer.compress, plain))
    ]
    readings = len(blocks) * MESSAGE
    return [sealed[0] / readings, sum(map(len, plain)) / readings, sealed[1] / readings]


def to_senml(block: ReadingBlock, names: list[str]) -> bytes:
    """A compact pack: base time, times relative to it, shortest numbers."""
    start = int(block.time[0])
    pack: list[dict[str, Any]] = [
        {"n": names[channel], "t": (at - start) / 1e9, "v": value}
        for channel, at, value in zip(
            block.channel.tolist(), block.time.tolist(), block.value.tolist(), strict=True
        )
    ]
    pack[0]["bt"] = start // 1_000_000_000
    return msgspec.json.encode(pack)


def _bytes_row(name: str, sizes: list[float], peer: str, goal: float | None) -> dict[str, Any]:
    return _row(name, sizes[0], "bytes/reading", peer, sizes[1 if peer == PLAIN else 2], goal)


def _time_rows(telemetry: Telemetry) -> Iterable[dict[str, Any]]:
    blocks = telemetry.messages(MESSAGE)[:20]
    bodies = [encode_columns(block, telemetry.resolution) for block in blocks]
    packer, unpacker = zstandard.ZstdCompressor(level=3), zstandard.ZstdDecompressor()
    packs = [packer.compress(to_senml(block, telemetry.names)) for block in blocks]
    readings = len(blocks) * MESSAGE
    encode = median_ns(lambda: [encode_columns(b, telemetry.resolution) for b in blocks], readings)
    decode = median_ns(lambda: [decode_columns(body) for body in bodies], readings)
    peer_encode = median_ns(lambda: [packer.compress(to_senml(b, telemetry.names)) for b in blocks], readings)
    peer_decode = median_ns(lambda: [msgspec.json.decode(unpacker.decompress(p)) for p in packs], readings)
    yield _row(f"wire encode, {telemetry.name}", encode, "ns/reading", PACKED, peer_encode, TIME_GOAL)
    yield _row(f"wire decode, {telemetry.name}", decode, "ns/reading", PACKED, peer_decode, TIME_GOAL)


def median_ns(run: Callable[[], object], readings: int) -> float:
    """Median of several runs, after one that warms up; processor time: neighbours do not count."""
    run()
    seconds = []
    for _ in range(REPEATS):
        begin = time.process_time()
        run()
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds) / readings * 1e9


def _row(
    name: str, value: float, unit: str, peer: str, peer_value: float, goal: float | None
) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "peer": peer,
        "peer_value": round(peer_value, 3),
        "ratio": round(peer_value / value, 1),
        "goal": None if goal is None else f"<= {goal:g}",
        "ok": None if goal is None else value <= goal,
    }
