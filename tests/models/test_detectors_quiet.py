"""Quiet: a flat where somebody lives alone, by its motion sensor."""

from __future__ import annotations

import numpy as np

from models.detectors.bank import Judged
from models.detectors.registry import make_bank
from models.detectors.rows import WARMING
from models.readings import ReadingBlock

SECOND = 1_000_000_000
MIDNIGHT = 1_790_035_200 * SECOND


def flat(days, seed=1):
    """Motion each minute: nights still, mornings and evenings busy by turns, out for two hours at noon."""
    chance = np.random.default_rng(seed)
    minute = np.arange(days * 1440)
    hour = minute % 1440 / 60
    often = np.where((hour > 6.5) & (hour < 22), 0.25, 0.0)
    often = np.where((hour > 12) & (hour < 14), 0.0, often)
    often = np.where(minute // 25 % 2 == 0, often, 0.0)  # television is watched sitting
    return MIDNIGHT + minute * 60 * SECOND, (chance.random(len(minute)) < often).astype(float)


def scored(time, value, **parameters):
    bank = make_bank("quiet", parameters, [1])
    return bank, bank.score(ReadingBlock.of([1] * len(value), time, value))


def test_nights_and_outings_are_no_surprise():
    time, value = flat(14)
    assert scored(time, value)[1].score.max() < 3.5


def test_a_morning_without_a_sign_is_found_before_noon_and_says_how_long():
    time, value = flat(15)
    value[13 * 1440 + 60 : 14 * 1440 + 720] = 0.0
    bank, scores = scored(time, value)
    morning = slice(13 * 1440 + 7 * 60, 13 * 1440 + 12 * 60)
    assert scores.score[13 * 1440 : 13 * 1440 + 390].max() < 3.5
    assert scores.score[morning].max() > 4.5
    row = 13 * 1440 + 12 * 60
    judged = Judged(float(scores.score[row]), 0.0, *(float(x) for x in scores.table[1:, row]), True)
    [reason] = bank.explain(judged)
    assert reason.code == "too_quiet" and reason.parameters["seconds"] > 10 * 3600


def test_it_waits_for_its_warm_up_and_for_enough_silences():
    time, value = flat(8)
    marks = scored(time, value)[1].flags & WARMING
    assert marks[: 3 * 1440].all() and not marks[6 * 1440 :].any()
    assert (scored(time, value * 0.0)[1].score == 0).all()


def test_an_arm_that_moves_on_the_floor_ends_no_silence_where_signs_must_be_confirmed():
    """A lone sign each three hours: whoever lies there is seen, and is found all the same."""
    time, value = flat(15)
    fell = 13 * 1440 + 9 * 60
    value[fell:] = 0.0
    value[fell + 90 :: 180] = 1.0
    day = slice(fell, 14 * 1440)
    assert scored(time, value)[1].score[day].max() < 3.5
    scores = scored(time, value, confirm_s=1800.0)[1]
    assert scores.score[day].max() == 9.9
    assert scores.score[:fell].max() < 3.5


def test_two_signs_within_the_time_end_a_silence():
    time, value = flat(15)
    fell = 13 * 1440 + 9 * 60
    value[fell:] = 0.0
    value[[fell + 600, fell + 620]] = 1.0
    scores = scored(time, value, confirm_s=1800.0)[1]
    assert scores.score[fell + 619] > 3.5 and scores.score[fell + 600] > 3.5
    assert scores.score[fell + 620] == 0.0
