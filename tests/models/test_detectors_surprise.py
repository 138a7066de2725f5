"""Calibrated surprise: a score of 3 is one reading in a thousand, on whatever the channel does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.detectors.registry import make_bank
from models.detectors.rows import EXTRAPOLATED, WARMING
from models.detectors.surprise import CAP, EDGES, bin_of
from models.readings import Quality, ReadingBlock

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND


def correlated(chance, n):
    noise, level = chance.normal(0, 1, n), np.empty(n)
    level[0] = 0
    for k in range(1, n):
        level[k] = 0.98 * level[k - 1] + noise[k]
    return level


SHAPES = {
    "normal": lambda chance, n: chance.normal(20, 2, n),
    "heavy": lambda chance, n: chance.standard_t(3, n),
    "skewed": lambda chance, n: chance.exponential(5, n),
    "correlated": correlated,
    "steps": lambda chance, n: np.round(correlated(chance, n) * 0.2),
    "bursts": lambda chance, n: chance.normal(0, 1, n) + 50 * (chance.random(n) < 0.01),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("detector", ["ewma", "cusum"])
def test_a_score_is_as_rare_as_it_says(shape, detector):
    n = 60_000
    value = SHAPES[shape](np.random.default_rng(4), n)
    bank = make_bank(
        detector, {"tau_s": 120.0, "warmup_s": 3600.0, **({"unit_s": 5} if detector == "cusum" else {})}, [0]
    )
    scores = bank.score(ReadingBlock.of([0] * n, START + np.arange(n) * SECOND, value)).score[10_000:]
    # Sums come in episodes that last minutes: a run of 14 hours holds too few of the rarest to count them.
    for level, tolerance in ((1, 1.4), (2, 2.0), (3, 3.0 if detector == "ewma" else 6.0)):
        assert (scores >= level).mean() < tolerance * 10.0**-level, (shape, level)
    if shape != "steps":
        assert (scores >= 2).mean() > 0.4e-2, (shape, "must not be timid either")


def test_the_bins_cover_all_distances_in_order():
    middles = [(low + high) / 2 for low, high in itertools.pairwise(EDGES)]
    assert [bin_of(middle) for middle in middles] == list(range(31))
    assert [bin_of(float(edge)) for edge in EDGES] == list(range(32))
    assert bin_of(1e300) == bin_of(float("inf")) == 31


def test_something_never_seen_is_marked_as_extrapolated_and_capped():
    chance, n = np.random.default_rng(1), 20_000
    value = chance.normal(0, 1, n)
    value[-1] = 1e6
    bank = make_bank("ewma", {"tau_s": 60.0, "warmup_s": 600.0}, [0])
    scores = bank.score(ReadingBlock.of([0] * n, START + np.arange(n) * SECOND, value))
    assert scores.score[-1] == CAP
    assert scores.flags[-1] & EXTRAPOLATED
    assert (scores.flags[5000:] & EXTRAPOLATED > 0).mean() < 0.01


def test_nothing_is_scored_before_the_warm_up_ends():
    n = 4000
    bank = make_bank("ewma", {"warmup_s": 3600.0}, [0])
    value = np.random.default_rng(1).normal(0, 1, n)
    scores = bank.score(ReadingBlock.of([0] * n, START + np.arange(n) * SECOND, value))
    assert scores.score[:3600].max() == 0
    assert (scores.flags[:3600] & WARMING).all()
    assert scores.score[3700:].max() > 0


def test_a_suspect_reading_is_scored_but_not_learned():
    n = 3000
    value = np.random.default_rng(1).normal(0, 1, n)
    bank = make_bank("ewma", {"tau_s": 60.0, "warmup_s": 600.0}, [0])
    bank.score(ReadingBlock.of([0] * n, START + np.arange(n) * SECOND, value))
    kept = bank.state.tobytes()
    stuck = ReadingBlock.of([0], [START + n * SECOND], [50.0], [int(Quality.SUSPECT)])
    assert bank.score(stuck).score[0] > 3
    assert bank.state.tobytes() == kept


def test_an_outlier_hardly_moves_what_is_expected():
    n = 5000
    value = np.random.default_rng(1).normal(20, 1, n)
    value[4000] = 1e6
    bank = make_bank("ewma", {"tau_s": 60.0, "warmup_s": 600.0}, [0])
    scores = bank.score(ReadingBlock.of([0] * n, START + np.arange(n) * SECOND, value))
    assert abs(scores.expected[4001] - scores.expected[4000]) < 0.2
    assert np.abs(scores.expected[4001:] - 20).max() < 1


def test_one_side_hears_one_side():
    n = 3002
    value = np.random.default_rng(1).normal(0, 1, n)
    value[-2:] = (-30, 30)
    for side, expected in (("high", (0, 1)), ("low", (1, 0)), ("both", (1, 1))):
        bank = make_bank("ewma", {"tau_s": 60.0, "warmup_s": 600.0, "side": side}, [0])
        last = bank.score(ReadingBlock.of([0] * n, START + np.arange(n) * SECOND, value)).score[-2:]
        assert tuple((last > 3).astype(int)) == expected


def test_the_same_hour_tomorrow_is_expected_and_the_wrong_hour_is_not():
    """A stove warm from 6 to 7 local time in China, for ten days; then at 3 in the night."""
    day, step = 86400, 60
    second = np.arange(0, 10 * day, step)
    local = (second + 28800 + START // SECOND) % day
    value = (
        20
        + 30 * ((local >= 6 * 3600) & (local < 7 * 3600))
        + np.random.default_rng(1).normal(0, 0.3, len(second))
    )
    bank = make_bank("time_of_day", {"utc_offset_s": 28800, "level_tau_s": 0}, [0])
    scores = bank.score(ReadingBlock.of([0] * len(second), START + second * SECOND, value))
    again = scores.score[(second > 8 * day) & (local >= 6 * 3600 + 600) & (local < 7 * 3600 - 600)]
    assert again.max() < 3
    night = int(second[-1]) + step
    while (night + 28800 + START // SECOND) % day < 3 * 3600 or (
        night + 28800 + START // SECOND
    ) % day > 4 * 3600:
        night += step
    assert bank.score(ReadingBlock.of([0], [START + night * SECOND], [50.0])).score[0] > 4


def test_without_a_trusted_clock_there_is_no_hour_of_day():
    bank = make_bank("time_of_day", {}, [0])
    kept = bank.state.tobytes()
    block = ReadingBlock.of([0], [100], [5.0], [int(Quality.CLOCK_UNTRUSTED)])
    assert bank.score(block).score[0] == 0
    assert bank.state.tobytes() == kept
