"""Past moments: what an alert looked like before, told by the detectors that remember."""

from __future__ import annotations

import numpy as np
import pytest
import twins_shapes

from models.detectors.registry import make_bank
from models.readings import Quality, ReadingBlock

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND


def block_of(value, quality=None):
    return ReadingBlock.of([0] * len(value), START + np.arange(len(value)) * SECOND, value, quality)


def noise(n, seed=1):
    return np.round(np.random.default_rng(seed).normal(0, 1, n), 2)


def test_nearest_tells_the_moments_its_score_stands_on():
    given = {"length": 4, "spread": 2, "store": 40, "neighbours": 3, "delay": 12, "warmup_s": 100.0}
    bank = make_bank("nearest", given, [0])
    twin = twins_shapes.NearestTwin(4, 2, 40, 3, 12, 100.0, 14 * 86400.0)
    block, compared = block_of(noise(900)), 0
    ended = {}  # every window that the twin has ever kept, by identity, and when it ended
    for row in range(len(block)):
        detail = float(bank.score(block.rows(row, row + 1)).detail[0])
        twin.score(int(block.time[row]), float(block.value[row]))
        found = bank.moments(0, int(block.time[row]))
        fresh = [kept for kept, _ in twin.store if id(kept) not in ended]
        ended |= {id(kept): (kept, int(block.time[row - 12])) for kept in fresh}
        if fresh or not found:
            continue  # a window has just been kept: it was not there when the reading was scored
        window = twin.window([value for _, value in twin.readings])
        squares = sorted((twin.square(window, kept), ended[id(kept)][1]) for kept, _ in twin.store)[:3]
        assert [moment.at for moment in found] == [at for _, at in squares]
        assert [moment.distance for moment in found] == pytest.approx([sq**0.5 for sq, _ in squares])
        assert found[0].at == block.time[row] - round(detail * SECOND)
        compared += 1
    assert compared > 400


def test_discord_tells_stretches_that_do_not_overlap():
    value = np.convolve(np.random.default_rng(2).normal(0, 1, 1209), np.hanning(10), "valid")
    block = block_of(value)
    bank = make_bank("discord", {"length": 16, "buffer": 512, "flat": 0.001, "warmup_s": 100.0}, [0])
    bank.score(block)
    found = bank.moments(0, int(block.time[-1]))
    windows = np.lib.stride_tricks.sliding_window_view(value[-512:], 16)
    normal = (windows - windows.mean(axis=1, keepdims=True)) / windows.std(axis=1, keepdims=True)
    far = np.sqrt(((normal[:-16] - normal[-1]) ** 2).sum(axis=1) / 32)
    ends = (np.array([moment.at for moment in found]) - START) // SECOND - (len(value) - 512) - 15
    assert len(found) == 3 and np.abs(np.diff(np.sort(ends))).min() >= 16
    assert ends[0] == np.argmin(far)
    assert [moment.distance for moment in found] == pytest.approx(far[ends].tolist(), abs=0.02)


@pytest.mark.parametrize("name", ["nearest", "discord"])
def test_suspect_reading_is_like_nothing_remembered(name):
    """It was judged, but not kept: what is remembered belongs to the one before."""
    block = block_of(noise(1200), [0] * 1199 + [int(Quality.SUSPECT)])
    bank = make_bank(name, {"warmup_s": 100.0}, [0])
    bank.score(block)
    assert bank.moments(0, int(block.time[-1])) == ()
    assert bank.moments(0, int(block.time[-2])) != ()
