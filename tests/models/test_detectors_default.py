"""The default detector beyond its contract: at a slow pace, by kind, and in its reasons."""

from __future__ import annotations

import numpy as np
import pytest
import twins_default

from models.detectors.bank import Judged, Trait
from models.detectors.registry import make_bank
from models.detectors.rows import WARMING
from models.readings import ReadingBlock

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND


def series(n, period_s=60.0, seed=1, noise=0.2):
    """A daily rhythm with noise, from midnight on."""
    chance = np.random.default_rng(seed)
    time = START + (np.arange(n) * period_s * SECOND).astype(np.int64)
    day = np.sin(2 * np.pi * np.arange(n) * period_s / 86400)
    return time, np.round(20 + 2 * day + chance.normal(0, noise, n), 2)


def scored(time, value, trait=None, **parameters):
    bank = make_bank("default", parameters, [1], [trait or Trait()])
    return bank, bank.score(ReadingBlock.of([1] * len(value), time, value))


def test_slow_pace_equals_its_twin():
    time, value = series(900, 450.0, noise=1.0)
    given = {"smooth_s": 3000.0, "frame_s": 900.0, "warmup_s": 9000.0}
    twin = twins_default.DefaultTwin(**given)
    expected = [twin.score(int(at), float(reading)) for at, reading in zip(time, value, strict=True)]
    assert scored(time, value, **given)[1].score.tolist() == expected
    assert max(expected) > 1


def test_it_is_on_after_the_first_hour_and_says_so():
    time, value = series(180)
    marks = scored(time, value)[1].flags & WARMING
    assert marks[:55].all() and not marks[65:].any()


def test_jump_is_found_where_it_begins_and_named_by_its_parts():
    time, value = series(6 * 1440)
    value[8000:8030] += 6.0
    bank, scores = scored(time, value)
    assert scores.score[8000] > 4 > scores.score[1440:8000].max() * 0.9
    assert scores.lower[8000] < scores.expected[8000] < scores.upper[8000] < value[8000]
    row = 8000
    judged = Judged(*(float(column[row]) for column in (scores.score, value)), *scores.table[1:, row], False)
    reasons = bank.explain(judged)
    assert {reason.code for reason in reasons} <= {"unlike_day", "level_moved", "new_shape", "new_extreme"}
    assert len(reasons) > 1 and reasons[0].share >= reasons[1].share
    assert sum(reason.share for reason in reasons) == pytest.approx(1.0, abs=0.2)


def test_slow_rise_is_found_at_the_slow_pace():
    time, value = series(8 * 1440)
    value[7 * 1440 :] += np.minimum(np.arange(1440) / 1440 * 5.0, 5.0)
    slow = scored(time, value, smooth_s=3600.0, frame_s=900.0)[1].score
    assert slow[7 * 1440 :].max() > 3.5


@pytest.mark.parametrize(("kind", "unit", "sign"), [("smoke", "%/m", -1), ("pressure", "bar", 1)])
def test_the_side_that_is_no_danger_scores_nothing(kind, unit, sign):
    time, value = series(4 * 1440)
    value[5000:5040] += sign * 9.0
    assert scored(time, value, Trait(kind, unit))[1].score[5000:5040].max() < 1.0
    value[5000:5040] -= 2 * sign * 9.0
    assert scored(time, value, Trait(kind, unit))[1].score[5000:5040].max() > 3.0


def test_a_change_that_matters_to_nobody_scores_less():
    time, value = series(4 * 1440, noise=0.02)
    value[5000:5040] += 1.0  # far beyond this calm channel's noise, but half a degree to a person
    unknown = scored(time, value)[1].score[5000:5040].max()
    known = scored(time, value, Trait("temperature", "Cel"))[1].score[5000:5040].max()
    assert known < unknown


def test_a_hazard_that_came_once_is_still_found_the_second_time():
    time, value = series(9 * 1440)
    for at in (8000, 11_000):
        value[at : at + 60] += np.minimum(np.arange(60) / 5.0, 5.0)
    score = scored(time, value)[1].score
    assert score[8000:8060].max() > 4 and score[11_000:11_060].max() > 3
