"""Detectors that remember more than a level beside river, stumpy and krcf; what many channels cost.

Ours and the peer run in turn over readings of the same kind, so the ratio holds on a busy machine too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from beside import START, Runner, course, in_turn, measured_bytes, row, runner_of, taught

from models.detectors.bank import PackedBank

CHANNELS = 100
ROUNDS, EVERY_S = 2600, 60  # taught before: fills discord's buffer and nearest's store
FOREST: dict[str, Any] = {"trees": 25, "height": 15, "window": 250, "shingle": 4}
SCALED = {"default": {}, "ewma": {}, "half_space_trees": {}}
COUNTS = (10, 100, 1000, 10_000)
SCALE_ROUNDS, SCALE_EVERY_S = 600, 300  # two days: enough for all parts of the default to speak


def rows() -> list[dict[str, Any]]:
    """Rows beside each peer, then the growth of the cost from 10 to 10,000 channels."""
    return [*_forest_rows(), *_discord_rows(), *_nearest_rows(), *_default_rows(), *_scaling_rows()]


def _taught(name: str, **parameters: Any) -> PackedBank[Any]:
    return taught(name, parameters, CHANNELS, ROUNDS, EVERY_S)


def _room_of(bank: PackedBank[Any]) -> float:
    return float(bank.bytes_per_channel)


def _points(rounds: int, wide: int) -> list[dict[str, float]]:
    """Points as `half_space_trees` sees them, a value and its changes, brought into river's 0..1."""
    value = course(START + np.arange(rounds + wide), 1, 5)
    recent = np.stack([value[wide - back : len(value) - back] for back in range(wide)])
    recent[1:] = recent[0] - recent[1:]
    low, high = recent.min(axis=1, keepdims=True), recent.max(axis=1, keepdims=True)
    scaled = (recent - low) / (high - low)
    return [{str(place): at for place, at in enumerate(point)} for point in scaled.T.tolist()]


def _forest_rows() -> list[dict[str, Any]]:
    """The same trees, height, window and points; `every` 1 lets every reading teach, as river's does."""
    from river import anomaly

    def make() -> Any:
        model = anomaly.HalfSpaceTrees(n_trees=25, height=15, window_size=250, seed=1)
        model.learn_one(points[0])  # the trees grow at the first
        return model

    points = _points(1000, 4)
    held, model = measured_bytes(make), make()

    def run() -> None:
        for point in points:
            model.score_one(point)
            model.learn_one(point)

    alike, sparing = _taught("half_space_trees", **FOREST, every=1), _taught("half_space_trees")
    ours, default, theirs = in_turn(
        [runner_of(alike, 250), runner_of(sparing, 250), Runner(run, len(points))], repeats=5
    )
    peer = "river HalfSpaceTrees 25 x 15, window 250"
    return [
        row("half_space_trees 25 x 15, every reading taught", ours, "ns/reading", peer, theirs, at_least=110),
        row("half_space_trees 25 x 15, as shipped", default, "ns/reading", peer, theirs, at_least=110),
        row(
            "half_space_trees 25 x 15, room",
            _room_of(alike),
            "bytes/channel",
            peer + " (tracemalloc)",
            held,
            at_least=15,
        ),
    ]


def _discord_rows() -> list[dict[str, Any]]:
    """As shipped, 64 readings against 2000, beside a matrix profile that drops its oldest as well."""
    import numba
    import stumpy

    numba.set_num_threads(1)  # threads that wait for work would count as its time
    value = course(START + np.arange(8000), 1, 5)
    stream = stumpy.stumpi(value[:2063], 64, egress=True)
    coming = iter(value[2063:].tolist())

    def run() -> None:
        for _ in range(500):
            stream.update(next(coming))

    held = sum(part.nbytes for part in vars(stream).values() if isinstance(part, np.ndarray))
    bank = _taught("discord")
    ours, theirs = in_turn([runner_of(bank, 100), Runner(run, 500)])
    peer = "stumpy stumpi, 64 in 2063, egress"
    return [
        row("discord 64 in 2000", ours, "ns/reading", peer, theirs, at_least=30),
        row("discord 64 in 2000, room", _room_of(bank), "bytes/channel", peer + " (its arrays)", held),
    ]


def _nearest_rows() -> list[dict[str, Any]]:
    """As many windows remembered, as many values in one, as many neighbours; river's also asks theirs."""
    from river import anomaly, neighbors

    value = course(START + np.arange(6000), 1, 5)
    windows = np.lib.stride_tricks.sliding_window_view(value, 6).tolist()
    points = [{str(place): at for place, at in enumerate(window)} for window in windows]
    model = anomaly.LocalOutlierFactor(n_neighbors=3, engine=neighbors.LazySearch(window_size=512))
    for point in points[:600]:
        model.learn_one(point)
    coming = iter(points[600:])

    def run() -> None:
        for _ in range(100):
            point = next(coming)
            model.score_one(point)
            model.learn_one(point)

    ours, theirs = in_turn([runner_of(_taught("nearest"), 100), Runner(run, 100)])
    peer = "river LocalOutlierFactor, 3 of 512"
    return [row("nearest 3 of 512", ours, "ns/reading", peer, theirs)]


def _default_rows() -> list[dict[str, Any]]:
    """Beside the random cut forest most take for such channels: its usual 50 trees of 256, shingle 8."""
    import krcf

    forest = krcf.RandomCutForest(
        {"dimensions": 1, "shingle_size": 8, "random_seed": 1, "parallel_execution_enabled": False}
    )
    points = course(START + np.arange(3000), 1, 5).reshape(-1, 1).tolist()

    def run() -> None:
        for point in points:
            forest.score(point)
            forest.update(point)

    bank = _taught("default")
    ours, theirs = in_turn([runner_of(bank, 100), Runner(run, len(points))])
    peer = "krcf RandomCutForest (Rust), 50 trees of 256, shingle 8"
    return [
        row("default", ours, "ns/reading", peer, theirs, at_most=10_000),
        row("default, room", _room_of(bank), "bytes/channel", at_most=64 * 1024),
        row("default, 1000 channels at 1 Hz", ours / 1e4, "% of a core", at_most=1),
    ]


def _scaling_rows() -> list[dict[str, Any]]:
    table = []
    for name, parameters in SCALED.items():
        banks = [taught(name, parameters, count, SCALE_ROUNDS, SCALE_EVERY_S) for count in COUNTS]
        found = in_turn([runner_of(bank, max(5, 20_000 // len(bank.channels))) for bank in banks])
        for count, cost in zip(COUNTS, found, strict=True):
            table.append(row(f"{name}, {count:,} channels", cost))
        table.append(
            row(
                f"{name}, dearest over cheapest of 10 to 10,000 channels",
                max(found) / min(found),
                "times",
                at_most=2,
            )
        )
    return table


if __name__ == "__main__":
    for line in rows():
        print({key: value for key, value in line.items() if value is not None})
