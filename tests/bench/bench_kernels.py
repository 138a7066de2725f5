"""Nanoseconds a reading by block size, beside river's detectors in the same run."""

from __future__ import annotations

from typing import Any

import numpy as np
from beside import Runner, in_turn, row

from models.configuration import MonitorConfig
from models.detectors.bank import Bank
from models.detectors.registry import make_bank
from models.monitor import Monitor
from models.readings import ReadingBlock
from models.replay import drive
from models.wire.messages import ChannelEntry

CHANNELS = 100
START = 1_790_000_000
# What a gateway runs on a temperature: the learned three stand beside river's three, the rules beside none.
LEARNED: dict[str, dict[str, Any]] = {
    "ewma": {"warmup_s": 600},
    "cusum": {"warmup_s": 600},
    "time_of_day": {"warmup_s": 86400},
}
RULES: dict[str, dict[str, Any]] = {
    "limit": {"high": 60},
    "rate": {"rise_per_s": 0.5},
    "flat_line": {"for_s": 600},
}


def rows() -> list[dict[str, Any]]:
    """Ours by block size in turn with river, the cost by channel counts, and what a monitor adds."""
    sizes = (1, 10, 50, 500)
    *ours, theirs = in_turn([*(_banks(LEARNED, size) for size in sizes), _river()])
    peer = "river GaussianScorer+PageHinkley+HoltWinters"
    table = [
        row(
            f"kernels ewma+cusum+time_of_day, blocks of {size}",
            value,
            "ns/reading",
            peer,
            theirs,
            at_least=100 if size == 500 else None,
        )
        for size, value in zip(sizes, ours, strict=True)
    ]
    rules, monitor = in_turn([_banks(RULES, 500), _monitor()])
    table.append(row("kernels limit+rate+flat_line, blocks of 500", rules))
    return [*table, row("monitor ewma with delays, blocks of 500", monitor)]


def blocks(size: int, count: int, channels: int = CHANNELS) -> list[ReadingBlock]:
    """`count` blocks of `size` readings, channels in turn at 1 Hz, made before the clock starts."""
    chance = np.random.default_rng(1)
    index = np.arange(size * count)
    channel = (index % channels).astype(np.int32)
    seconds = START + index // channels
    value = np.round(20 + chance.normal(0, 1, len(index)), 2)
    whole = ReadingBlock.of(channel, seconds * 1_000_000_000, value)
    return [whole.rows(at, at + size) for at in range(0, len(index), size)]


def _banks(detectors: dict[str, dict[str, Any]], size: int) -> Runner:
    count = max(20, min(2000, 100_000 // size))
    banks = [make_bank(name, parameters, range(CHANNELS)) for name, parameters in detectors.items()]
    for bank in banks:
        _teach(bank, CHANNELS)
    given = blocks(size, count)

    def run() -> None:
        for block in given:
            for bank in banks:
                bank.score(block)
        for bank in banks:
            bank.shift(int(given[0].time[0]) - int(given[-1].time[-1]) - 1_000_000_000)

    return Runner(run, size * count)


def _teach(bank: Bank, channels: int) -> None:
    """Two days at five minutes before the live readings, so that everything is warm and scores."""
    days = np.arange(-576, 0) * 300 + START
    value = np.random.default_rng(2).normal(20, 1, len(days) * channels)
    channel = np.tile(np.arange(channels, dtype=np.int32), len(days))
    bank.score(ReadingBlock.of(channel, np.repeat(days, channels) * 1_000_000_000, value))


def _monitor() -> Runner:
    names = tuple(f"c{number}" for number in range(CHANNELS))
    config = MonitorConfig(
        name="m",
        detector="ewma",
        channels=names,
        hazard="x",
        trigger={"on": 9, "on_delay_s": 5, "off_delay_s": 60},
    )
    entries = {number: ChannelEntry(number=number, name=name) for number, name in enumerate(names)}
    monitor = Monitor(config, entries, gateway="g")
    given = blocks(500, 200)

    def run() -> None:
        for block in given:
            drive([monitor], block)
        monitor.shift(int(given[0].time[0]) - int(given[-1].time[-1]) - 1_000_000_000)

    return Runner(run, 500 * 200)


def _river() -> Runner:
    """River scores and learns one reading at a time, an instance of each of its three for every channel."""
    from river import anomaly, drift, time_series

    scorers = [anomaly.GaussianScorer() for _ in range(CHANNELS)]
    shifts = [drift.PageHinkley() for _ in range(CHANNELS)]
    levels = [time_series.HoltWinters(alpha=0.3, beta=0.1) for _ in range(CHANNELS)]
    [block] = blocks(2000, 1)
    given = list(zip(block.channel.tolist(), block.value.tolist(), strict=True))

    def run() -> None:
        for channel, value in given:
            scorers[channel].score_one(None, value)
            scorers[channel].learn_one(None, value)
            shifts[channel].update(value)
            levels[channel].learn_one(value)
            if levels[channel].level:  # it keeps its first readings to start from
                levels[channel].forecast(horizon=1)

    return Runner(run, len(given))


if __name__ == "__main__":
    for line in rows():
        print({key: value for key, value in line.items() if value is not None})
