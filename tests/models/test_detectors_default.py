"""The default detector beyond its contract: at a slow pace, by kind, and in its reasons."""

from __future__ import annotations

import numpy as np
import pytest
import twins_default
from troubled import troubled

from models.detectors.bank import Judged, Trait
from models.detectors.registry import make_bank
from models.detectors.rows import JUDGED, WARMING
from models.readings import Quality, ReadingBlock

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND


def series(n, period_s=60.0, seed=1, noise=0.2):
    """A daily rhythm with noise, from midnight on."""
    chance = np.random.default_rng(seed)
    time = START + (np.arange(n) * period_s * SECOND).astype(np.int64)
    day = np.sin(2 * np.pi * np.arange(n) * period_s / 86400)
    return time, np.round(20 + 2 * day + chance.normal(0, noise, n), 2)


def scored(time, value, trait=None, quality=None, **parameters):
    bank = make_bank("default", parameters, [1], [trait or Trait()])
    return bank, bank.score(ReadingBlock.of([1] * len(value), time, value, quality))


def test_slow_pace_equals_its_twin():
    time, value = series(900, 450.0, noise=1.0)
    given = {"smooth_s": 3000.0, "frame_s": 900.0, "warmup_s": 9000.0}
    twin = twins_default.DefaultTwin(**given)
    expected = [twin.score(int(at), float(reading)) for at, reading in zip(time, value, strict=True)]
    assert scored(time, value, **given)[1].score.tolist() == expected
    assert max(expected) > 1


@pytest.mark.parametrize("kind", ["temperature", "pressure", "flow", "door", ""])
@pytest.mark.parametrize(("seed", "given"), [(4, {}), (11, {}), (11, {"smooth_s": 1800.0, "frame_s": 300.0})])
def test_equals_its_twin_through_faults_of_all_sorts(kind, seed, given):
    time, value, quality = troubled(seed, 2600)
    twin = twins_default.DefaultTwin(**given, kind=kind, resolution=0.1)
    rows = zip(time.tolist(), value.tolist(), quality.tolist(), strict=True)
    expected = [twin.score(*row) for row in rows]
    assert scored(time, value, Trait(kind, "", 0.1), quality, **given)[1].score.tolist() == expected
    assert max(expected) > 1


def test_equals_its_twin_where_a_drift_is_undone():
    time, value = series(46 * 24, 3600.0)
    drift = np.clip(np.arange(len(value)) - 20 * 24, 0, None) / 24 * 0.6
    value = np.round(value + np.where(np.arange(len(value)) < 41 * 24, drift, 0.0), 1)
    given = {"frame_s": 3600.0, "warmup_s": 86400.0}
    twin = twins_default.DefaultTwin(**given, kind="temperature", resolution=0.1)
    expected = [twin.score(int(at), float(reading)) for at, reading in zip(time, value, strict=True)]
    _, scores = scored(time, value, Trait("temperature", "", 0.1), **given)
    assert scores.score.tolist() == expected
    assert not (scores.flags[41 * 24 : 41 * 24 + 3] & JUDGED).any()
    assert scores.score[41 * 24 :].max() < 2.0


@pytest.mark.parametrize("given", [{}, {"smooth_s": 1800.0, "frame_s": 300.0}])
def test_tells_the_moments_its_twin_remembers(given):
    """Through faults, silences and gaps: three shapes, when they ended, how far they are."""
    time, value, quality = troubled(11, 2600)
    twin = twins_default.DefaultTwin(**given, kind="temperature", resolution=0.1)
    bank = make_bank("default", given, [1], [Trait("temperature", "", 0.1)])
    compared = 0
    for row in range(len(time)):
        at = int(time[row])
        bank.score(ReadingBlock.of([1], [at], [value[row]], [quality[row]]))
        twin.score(at, float(value[row]), int(quality[row]))
        found = bank.moments(0, at)
        if found or twin.last == at:
            expected = twin.moments()
            assert [moment.at for moment in found] == [ended for _, ended in expected]
            assert [moment.distance for moment in found] == pytest.approx([far for far, _ in expected])
            assert all(moment.at < at for moment in found)
            compared += bool(found)
    assert compared > 500


TEMPERATURE = Trait("temperature", "Cel", 0.01)
AT = 5 * 1440
FAULTS = {
    "spike": lambda v: v + 40.0 * (np.arange(len(v)) == 0),
    "zero": lambda v: v * 0.0,
    "sentinel": lambda v: v * 0.0 - 127.0,
    "no number": lambda v: v * np.nan,
    "fahrenheit": lambda v: v * 1.8 + 32.0,
    "loose": lambda v: v + 30.0 * (np.arange(len(v)) % 4 == 0),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("given", [{}, {"smooth_s": 3600.0, "frame_s": 900.0}])
def test_what_the_equipment_does_scores_nothing_and_harms_nothing(fault, given):
    time, value = series(7 * 1440)
    spoilt = value.copy()
    spoilt[AT : AT + 45] = FAULTS[fault](value[AT : AT + 45])
    quality = np.where(np.isfinite(spoilt), 0, int(Quality.INVALID)).astype(np.uint8)
    clean = scored(time, value, TEMPERATURE, **given)[1].score
    _, scores = scored(time, spoilt, TEMPERATURE, quality, **given)
    assert scores.score[AT : AT + 200].max() < max(1.0, 1.2 * clean[AT : AT + 200].max())
    faulty = spoilt[AT : AT + 45] != value[AT : AT + 45]
    assert not (scores.flags[AT : AT + 45][faulty] & JUDGED).any()
    harm = np.abs(scores.score[AT + 400 :] - clean[AT + 400 :])
    assert harm.mean() < 0.02 and harm.max() < 0.2  # of 10


def test_a_jump_that_was_held_is_scored_in_full_when_it_is_released():
    time, value = series(6 * 1440, noise=0.02)
    value[AT:] -= 8.0
    _, held = scored(time, value, Trait("pressure", "", 0.01))
    _, at_once = scored(time, value)  # of no known kind: scored as it comes
    assert not (held.flags[AT : AT + 2] & JUDGED).any()
    assert held.score[AT + 2] > 0.95 * at_once.score[AT] > 4.0


def test_a_fire_that_burns_when_the_sensor_comes_back_is_scored():
    time, value = series(6 * 1440)
    value[AT + 30 :] += 60.0
    quality = np.zeros(len(value), np.uint8)
    quality[AT : AT + 30] = int(Quality.INVALID)
    score = scored(time, value, TEMPERATURE, quality)[1].score
    assert score[AT + 32] > 4.0


def test_after_an_outage_of_a_night_the_channel_is_believed_where_it_is():
    time, value = series(8 * 1440)
    value[AT + 600 :] += 2.0  # it got warmer meanwhile
    kept = np.r_[0:AT, AT + 600 : len(value)]
    score = scored(time[kept], value[kept], TEMPERATURE)[1].score[AT:]
    assert score[:200].max() < 3.0


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
