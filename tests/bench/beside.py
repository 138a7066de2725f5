"""Ours and the peers in one run: timed in turn, so that a busy machine slows both alike."""

from __future__ import annotations

import gc
import itertools
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from models.detectors.bank import PackedBank
from models.detectors.registry import make_bank
from models.readings import ReadingBlock

SECOND = 1_000_000_000
DAY_S = 86_400
START = 1_790_000_000  # when the measured readings begin, s UTC
BLOCK = 500


class Runner(NamedTuple):
    """Something to time: one call of `run` goes through `readings` readings."""

    run: Callable[[], object]
    readings: int


def in_turn(runners: Sequence[Runner], repeats: int = 7) -> list[float]:
    """ns of processor time a reading of each: medians of rounds in which each runs once, after one more."""
    for runner in runners:
        runner.run()
    taken: list[list[float]] = [[] for _ in runners]
    for _ in range(repeats):
        for place, runner in enumerate(runners):
            begin = time.process_time()
            runner.run()
            taken[place].append((time.process_time() - begin) / runner.readings * 1e9)
    return [statistics.median(times) for times in taken]


def course(seconds: np.ndarray[Any, Any], channels: int, seed: int) -> np.ndarray[Any, Any]:
    """Values of `channels` rooms at these times, channels in turn: a day's wave, slow weather and noise."""
    chance = np.random.default_rng(seed)
    phase = chance.uniform(0, 0.2, channels)
    wave = 3.0 * np.sin(2 * np.pi * (seconds[:, None] / DAY_S + phase))
    noise = chance.normal(0, 0.2, (len(seconds), channels))
    weather = np.cumsum(chance.normal(0, 0.02, (len(seconds), channels)), axis=0)
    return np.round(21.0 + wave + weather + noise, 2).ravel()


def readings(seconds: np.ndarray[Any, Any], channels: int, seed: int) -> ReadingBlock:
    """One block of `channels` channels in turn at each of the times."""
    channel = np.tile(np.arange(channels, dtype=np.int32), len(seconds))
    return ReadingBlock.of(channel, np.repeat(seconds, channels) * SECOND, course(seconds, channels, seed))


def taught(
    name: str, parameters: dict[str, Any], channels: int, rounds: int, every_s: int
) -> PackedBank[Any]:
    """A bank that has learned `rounds` readings of each channel up to START, `every_s` apart."""
    bank = make_bank(name, parameters, range(channels))
    assert isinstance(bank, PackedBank)
    seconds = START - every_s * np.arange(rounds, 0, -1)
    for some in np.array_split(seconds, max(1, rounds * channels // 1_000_000)):
        bank.score(readings(some, channels, 2))
    return bank


def runner_of(bank: PackedBank[Any], rounds: int, repeats: int = 7) -> Runner:
    """Live readings at 1 Hz in blocks of 500; each of `repeats` + 1 calls goes on where the last ended."""
    channels = len(bank.channels)
    whole = readings(START + np.arange(rounds * (repeats + 1)), channels, 3)
    blocks = (whole.rows(at, at + BLOCK) for at in range(0, len(whole), BLOCK))
    each = rounds * channels // BLOCK
    return Runner(lambda: _score(bank, itertools.islice(blocks, each)), each * BLOCK)


def _score(bank: PackedBank[Any], blocks: Iterator[ReadingBlock]) -> None:
    for block in blocks:
        bank.score(block)


def measured_bytes(make: Callable[[], object]) -> int:
    """Bytes that Python and numpy hold for what `make` returns, as tracemalloc counts them."""
    gc.collect()
    tracemalloc.start()
    made = make()
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del made
    return held


def row(
    name: str,
    value: float,
    unit: str = "ns/reading",
    peer: str | None = None,
    peer_value: float | None = None,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> dict[str, Any]:
    """A row of the table; the goal is on the ratio where `at_least` is given, on the value for `at_most`."""
    ratio = None if peer_value is None else peer_value / value
    goal, ok = None, None
    if at_least is not None and ratio is not None:
        goal, ok = f"ratio >= {at_least:g}", ratio >= at_least
    elif at_most is not None:
        goal, ok = f"<= {at_most:,g}", value <= at_most
    return {
        "name": name,
        "value": round(value, 3 if value < 100 else 1),
        "unit": unit,
        "peer": peer,
        "peer_value": None if peer_value is None else round(peer_value, 1),
        "ratio": None if ratio is None else round(ratio, 1),
        "goal": goal,
        "ok": ok,
    }
