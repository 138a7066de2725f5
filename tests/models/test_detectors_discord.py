"""Discord: shapes not seen before, whatever their size, by products that never drift."""

from __future__ import annotations

import numpy as np
import pytest

from models.detectors.bank import Judged
from models.detectors.registry import make_bank
from models.detectors.rows import JUDGED, WARMING
from models.errors import ParameterError
from models.readings import Quality, ReadingBlock

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
SHORT = {"length": 32, "buffer": 1000, "warmup_s": 600.0}


def block_of(value, begin=0, quality=None):
    return ReadingBlock.of([0] * len(value), START + (begin + np.arange(len(value))) * SECOND, value, quality)


def beats(n, period=100, noise=0.01, seed=1):
    """A pump that runs for a third of each period: up, a bump, down."""
    phase = np.arange(n) % period / period
    shape = np.exp(-(((phase - 0.2) / 0.04) ** 2)) + 0.5 * np.exp(-(((phase - 0.4) / 0.08) ** 2))
    return shape + np.random.default_rng(seed).normal(0, noise, n)


def differences(bank, block):
    """What the bank measured: its mean is the difference while nothing is usual yet."""
    found = []
    for row in range(len(block)):
        bank.state["weight"] = 0.0
        bank.score(block.rows(row, row + 1))
        found.append(float(bank.state["mean"][0]))
    return np.array(found)


def plain_difference(value, length, buffer):
    """Distance of the last window to its nearest earlier one, both normalised, over sqrt(2 length)."""
    kept = value[-buffer:]
    windows = np.lib.stride_tricks.sliding_window_view(kept, length)
    spread = windows.std(axis=1, keepdims=True)
    normal = (windows - windows.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, np.inf)
    return np.sqrt(((normal[:-length] - normal[-1]) ** 2).sum(axis=1).min() / (2 * length))


def test_the_difference_is_the_left_matrix_profile():
    value = np.convolve(np.random.default_rng(2).normal(0, 1, 2409), np.hanning(10), "valid")
    bank = make_bank("discord", {"length": 16, "buffer": 256, "flat": 0.001}, [0])
    got = differences(bank, block_of(value))
    expected = [plain_difference(value[: n + 1], 16, 256) for n in range(300, 2400)]
    # A step is a 512th of the reach: the same but for rounding.
    assert np.abs(got[300:] - expected).max() < 0.02
    assert np.std(expected) > 0.05


def test_a_beat_of_another_shape_is_found_and_one_of_another_size_is_not():
    value = beats(6000)
    bank = make_bank("discord", SHORT, [0])
    usual = bank.score(block_of(value)).score[2000:].max()
    kept = bank.snapshot()
    beat = beats(100, seed=5)
    larger = bank.score(block_of(1.5 * beat, 6000)).score.max()
    bank.restore(kept)
    inverted = bank.score(block_of(-beat, 6000)).score.max()
    assert max(larger, 3) <= usual < inverted


def test_products_are_exact_after_a_huge_spike_and_ten_thousand_readings():
    value = beats(12_000)
    value[3000] = 1e12
    spiked, calm = make_bank("discord", SHORT, [0]), make_bank("discord", SHORT, [0])
    spiked.score(block_of(value))
    calm.score(block_of(value[8000:]))
    late = block_of(beats(12_300)[12_000:], 12_000)
    assert differences(spiked, late).tolist() == differences(calm, block_of(late.value, 4000)).tolist()


def test_a_channel_moved_far_away_is_measured_anew():
    bank = make_bank("discord", SHORT, [0])
    bank.score(block_of(beats(4000)))
    moved = bank.score(block_of(100 + beats(1000), 4000))
    assert moved.score[:32].max() > 3
    assert moved.score[300:].max() < 3


def test_standing_still_is_strange_only_where_it_is_new():
    moving = beats(4000, noise=0.1)
    resting = moving.copy()
    resting[np.arange(4000) % 400 < 60] = 0.0
    still = [0.0] * 40
    for value, strange in ((moving, True), (resting, False)):
        bank = make_bank("discord", SHORT, [0])
        bank.score(block_of(value))
        assert (bank.score(block_of(still, 4000)).score[-1] > 2) == strange


def test_a_window_across_a_gap_is_not_judged():
    bank = make_bank("discord", SHORT, [0])
    bank.score(block_of(beats(3000)))
    after = bank.score(block_of(beats(40), 3100))
    assert (after.flags[:31] == JUDGED | WARMING).all()
    assert not (after.flags[31:] & WARMING).any()
    assert (bank.state["sums"][0, : int(bank.state["end"][0])] == -(2**31)).sum() >= 31


def test_a_suspect_or_late_reading_is_scored_but_not_learned():
    bank = make_bank("discord", SHORT, [0])
    bank.score(block_of(beats(3000)))
    kept = bank.state.tobytes()
    assert not bank.score(block_of([9.0], 3000, [int(Quality.SUSPECT)])).flags[0] & WARMING
    assert bank.score(block_of([9.0], 3000, [int(Quality.SUSPECT)])).score[0] > 1
    assert bank.score(block_of([9.0], 2900)).score[0] > 1
    assert bank.state.tobytes() == kept


def test_nothing_is_scored_before_there_are_shapes_to_compare_and_the_warm_up_ends():
    scores = make_bank("discord", SHORT, [0]).score(block_of(beats(3000)))
    assert (scores.flags[: 4 * 32 + 600] & WARMING).all()
    assert scores.score[: 4 * 32 + 600].max() == 0
    assert not (scores.flags[4 * 32 + 700 :] & WARMING).any()


def test_a_score_is_as_rare_as_it_says():
    n, chance = 60_000, np.random.default_rng(1)
    smooth = np.convolve(chance.normal(0, 1, n + 9), np.ones(10) / 10, "valid")
    for value in (chance.normal(0, 1, n), smooth):
        bank = make_bank("discord", {**SHORT, "warmup_s": 3600.0}, [0])
        scores = bank.score(block_of(value)).score[10_000:]
        for level, tolerance in ((1, 2.0), (2, 3.0), (3, 4.0)):
            assert (scores >= level).mean() < tolerance * 10.0**-level
        assert (scores >= 2).mean() > 0.3e-2


def test_it_tells_when_the_most_similar_stretch_was():
    value = beats(3000)
    value[2200:2300] = -value[2200:2300]  # once, and now again
    bank = make_bank("discord", SHORT, [0])
    bank.score(block_of(value))
    scores = bank.score(block_of(-beats(60, noise=0.08, seed=2), 3000))
    assert scores.score[-1] > 1
    assert scores.detail[-1] == 800
    [reason] = bank.explain(Judged(4.0, 1.0, np.nan, np.nan, np.nan, 1000.0, False))
    assert reason.code == "unlike_shape"
    assert reason.parameters == {"value": 1.0, "surprise": 4.0, "extrapolated": 0, "seconds": 1000.0}


def test_a_buffer_too_short_for_its_shapes_is_refused():
    with pytest.raises(
        ParameterError, match="discord: parameters: buffer must hold at least 16 lengths: 1600"
    ):
        make_bank("discord", {"length": 100, "buffer": 1000}, [0])
