"""Banks that judge many channels side by side come to the same bits as row by row."""

from __future__ import annotations

import numpy as np
import pytest

from models.compile import kernel
from models.detectors.lanes import DESK, find_run
from models.detectors.registry import make_bank
from models.readings import Quality, ReadingBlock

SECOND = 1_000_000_000
LANED = {
    "ewma": {"warmup_s": 3600, "tau_s": 900},
    "cusum": {"warmup_s": 3600, "tau_s": 3600},
    "time_of_day": {"warmup_s": 86400, "level_tau_s": 3600},
}


def polls(count, channels, every_s, seed, trouble=0.0):
    """Rows of `count` polls of all channels in turn, a share of them with something the matter."""
    chance = np.random.default_rng(seed)
    n = count * channels
    channel = np.tile(np.arange(channels), count)
    time = np.repeat(np.arange(1, count + 1), channels) * every_s * SECOND
    value = 20 + np.sin(time / SECOND / 9000) + chance.normal(0, 0.3, n) + chance.standard_t(2, n) * 0.05
    quality = np.zeros(n, np.uint8)
    where = np.flatnonzero(chance.random(n) < trouble)
    for at, what in zip(where, chance.integers(0, 6, len(where)), strict=True):
        if what == 0:
            value[at] = np.nan
        elif what == 1:
            time[at] -= 2 * every_s * SECOND  # late
        elif what == 2:
            time[at] += int(0.3 * every_s * SECOND)  # a step unlike the last
        elif what == 3:
            value[at] += 1e4
        else:
            quality[at] = chance.choice([Quality.SUSPECT, Quality.OUT_OF_RANGE, Quality.CLOCK_UNTRUSTED])
    return ReadingBlock.of(channel, time, value, quality)


def in_blocks(bank, block, size):
    found = [bank.score(block.rows(at, at + size)) for at in range(0, len(block), size)]
    return np.concatenate([scores.table for scores in found], axis=1), np.concatenate(
        [scores.flags for scores in found]
    )


def side_by_side_and_row_by_row(name, parameters, members, block):
    """Blocks of many polls, in which runs are found, and of three rows, in which none is long enough."""
    whole, pieces = (make_bank(name, parameters, members) for _ in range(2))
    told, marks = in_blocks(whole, block, 5000)
    expected, expected_marks = in_blocks(pieces, block, 3)
    assert np.isfinite(told[0]).all() and told[0].max() > 1.0
    assert told.tobytes() == expected.tobytes()
    assert marks.tobytes() == expected_marks.tobytes()
    assert whole.snapshot() == pieces.snapshot()


@pytest.mark.parametrize("name", LANED)
@pytest.mark.parametrize("side", ["both", "high", "low"])
def test_runs_are_judged_as_rows_are(name, side):
    block = polls(700, 70, 300, seed=3)
    side_by_side_and_row_by_row(name, LANED[name] | {"side": side}, range(70), block)


@pytest.mark.parametrize("name", LANED)
@pytest.mark.parametrize("trouble", [0.002, 0.05])
def test_runs_with_something_the_matter_are_judged_as_rows_are(name, trouble):
    block = polls(700, 70, 300, seed=4, trouble=trouble)
    side_by_side_and_row_by_row(name, LANED[name], range(70), block)


@pytest.mark.parametrize("name", LANED)
@pytest.mark.parametrize("members", [range(1, 70, 3), [*range(40, 70), *range(10)]])
def test_rows_of_other_banks_may_stand_between_and_channels_in_any_order(name, members):
    block = polls(700, 70, 300, seed=5, trouble=0.001)
    side_by_side_and_row_by_row(name, LANED[name], members, block)


@pytest.mark.parametrize("name", LANED)
def test_what_is_written_to_the_records_holds_and_one_channels_record_is_the_same(name):
    block = polls(400, 70, 300, seed=6)
    bank, other = (make_bank(name, LANED[name], range(70)) for _ in range(2))
    bank.score(block)
    other.score(block)
    lone = bank.snapshot([65])
    bank.state["mean"][3] += 5.0
    assert bank.snapshot([65]) == lone
    other.shift(0)
    later = polls(401, 70, 300, seed=7).rows(400 * 70, 401 * 70)
    raised, plain = bank.score(later), other.score(later)
    assert raised.expected[3] == pytest.approx(plain.expected[3] + 5.0)
    assert np.delete(raised.expected, 3).tolist() == np.delete(plain.expected, 3).tolist()


@pytest.mark.parametrize("name", LANED)
def test_a_step_of_the_clock_moves_lanes_as_it_moves_records(name):
    block = polls(100, 70, 300, seed=8).rows(0, 100 * 70 - 5)  # five channels were never heard
    bank, other = (make_bank(name, LANED[name], range(75)) for _ in range(2))
    bank.score(block)
    other.score(block)
    assert other.state["taught"][0] > 0  # the records are put together
    bank.shift(90 * SECOND)
    other.shift(90 * SECOND)
    assert bank.snapshot() == other.snapshot()


@kernel
def runs(slots, base, channel, desk):
    """All runs: place of the first, rows, number of its last row."""
    found = []
    row = 0
    while row < channel.shape[0]:
        slot, count = find_run(slots, base, channel, row, desk[0])
        if count == 0:
            break
        row = desk[0].rows[count - 1] + 1
        found.append((slot, count, row - 1))
    return found


def found_in(slots, channel):
    desk = np.zeros(1, DESK)
    return runs(np.array(slots, np.int32), 10, np.array(channel, np.int32), desk)


def test_a_run_ends_with_its_group_with_the_order_and_with_the_block():
    slots = list(range(100))
    twice = [10 + at % 100 for at in range(200)]
    assert found_in(slots, twice) == [(0, 64, 63), (64, 36, 99), (0, 64, 163), (64, 36, 199)]
    assert found_in(slots, [10, 11, 13, 14]) == [(0, 2, 1), (3, 2, 3)]
    assert found_in(slots, [12, 12, 13]) == [(2, 1, 0), (2, 2, 2)]


def test_a_run_passes_over_rows_that_are_not_ours():
    slots = [0, -1, 1, -1, 2]
    assert found_in(slots, [10, 11, 12, 13, 14, 99, 0]) == [(0, 3, 4)]
    assert found_in(slots, [11, 9, 300]) == []
