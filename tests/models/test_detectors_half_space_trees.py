"""Half-space trees: rare places in value and change, the paper's trees in a few kilobytes."""

from __future__ import annotations

import numpy as np
import pytest
import twins_shapes

from models.detectors.bank import Judged
from models.detectors.half_space import grow, node_count
from models.detectors.registry import make_bank
from models.detectors.rows import JUDGED, WARMING
from models.readings import Quality, ReadingBlock

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
SHORT = {"warmup_s": 1200.0}


def wave(n, seed=1):
    """A temperature that swings between 15 and 25 in ten minutes, with noise."""
    noise = np.random.default_rng(seed).normal(0, 0.3, n)
    return np.round(20 + 5 * np.sin(2 * np.pi * np.arange(n) / 600) + noise, 2)


def block_of(value, begin=0, quality=None):
    return ReadingBlock.of([0] * len(value), START + (begin + np.arange(len(value))) * SECOND, value, quality)


def taught(n=6000, **parameters):
    bank = make_bank("half_space_trees", {**SHORT, **parameters}, [0])
    bank.score(block_of(wave(n)))
    return bank


def test_a_value_outside_and_a_change_inside_the_usual_range_are_both_rare():
    bank, calm = taught(), wave(6004)[6000:]
    kept = bank.snapshot()
    usual = bank.score(block_of(calm, 6000)).score.max()
    bank.restore(kept)
    outside = bank.score(block_of([*calm[:3], 60.0], 6000)).score[3]
    bank.restore(kept)
    # 15 degrees are seen every ten minutes, but never a second after 20.
    jump = bank.score(block_of([*calm[:3], 15.0], 6000)).score[3]
    assert usual < 2 < 3 < min(outside, jump)


def test_the_papers_25_trees_of_height_15_equal_the_twin_that_counts_every_node():
    value = np.random.default_rng(3).normal(0, 1, 420)
    value[400] = 9.0
    given = {"trees": 25, "height": 15, "window": 100, "every": 1, "warmup_s": 120.0}
    bank = make_bank("half_space_trees", given, [0])
    twin = twins_shapes.HalfSpaceTreesTwin(25, 15, 100, 1, 4, 120.0)
    expected = [twin.score(START + k * SECOND, x) for k, x in enumerate(value)]
    assert bank.score(block_of(value)).score.tolist() == expected
    assert max(expected) == expected[400] > 2.5


def test_25_trees_of_height_15_stay_within_64_kilobytes_a_channel():
    bank = make_bank("half_space_trees", {"trees": 25, "height": 15, "window": 250}, [0])
    assert bank.bytes_per_channel <= 64 * 1024


@pytest.mark.parametrize("window", [20, 29, 250, 4096])
@pytest.mark.parametrize("height", [1, 4, 15])
def test_no_window_needs_more_nodes_than_are_kept(window, height):
    chance = np.random.default_rng(window + height)
    digits = np.ascontiguousarray(chance.integers(0, 2**height, (2, window)), np.int32)
    digits[:, window // 3 :] = digits[:, :1] ^ chance.integers(0, 2, window - window // 3)
    count = node_count(window, height)
    nodes, links = np.full((5, count + 8), -1), np.zeros(count + 8, np.int32)
    order = np.empty(window, np.uint32)
    for tree in range(20):
        assert grow(1, tree, height, digits, order, order.copy(), nodes, links) <= height
    assert (nodes[:, count:] == -1).all()
    assert count <= 256, "a link's eight bits must reach every node"


def test_the_usual_range_widens_at_once_and_narrows_slowly():
    bank = make_bank("half_space_trees", {"window": 50, "shingle": 1, "every": 1}, [0])
    chance, reach = np.random.default_rng(1), []
    for turn, spread in enumerate((1, 10, 1, 1, 1)):
        bank.score(block_of(chance.uniform(-spread, spread, 50), 50 * turn))
        reach.append(float(bank.state["high"][0, 0] - bank.state["low"][0, 0]))
    assert reach[0] < 2 < 15 < reach[1] > reach[2] > reach[3] > reach[4] > 10


def test_readings_across_a_gap_are_not_judged_together():
    bank = taught(shingle=4)
    late = bank.score(block_of(wave(6110)[6100:], 6100))
    assert (late.flags[:3] == JUDGED | WARMING).all(), "four readings after the gap make the next point"
    assert late.score[:3].max() == 0
    assert not (late.flags[3:] & WARMING).any()


def test_a_suspect_or_late_reading_is_scored_but_not_learned():
    bank = taught()
    kept = bank.state.tobytes()
    assert bank.score(block_of([60.0], 6000, [int(Quality.SUSPECT)])).score[0] > 3
    assert bank.score(block_of([60.0], 5000)).score[0] > 3
    assert bank.state.tobytes() == kept


def test_a_score_is_as_rare_as_it_says():
    n = 60_000
    for seed, shape in enumerate((lambda c: c.normal(0, 1, n), lambda c: c.exponential(1, n))):
        bank = make_bank("half_space_trees", {"warmup_s": 3600.0}, [0])
        scores = bank.score(block_of(shape(np.random.default_rng(seed)))).score[10_000:]
        for level in (1, 2, 3):
            assert (scores >= level).mean() < 2.0 * 10.0**-level
        assert (scores >= 2).mean() > 0.4e-2


def test_the_reason_says_how_rare():
    bank = taught()
    [reason] = bank.explain(Judged(4.2, 60.0, np.nan, np.nan, np.nan, 17.5, True))
    assert reason.code == "rare_pattern"
    assert reason.parameters == {"value": 60.0, "surprise": 4.2, "extrapolated": 1, "rarity": 17.5}
