"""Robust and level shift: what each statistic is for, on readings once a minute."""

from __future__ import annotations

import numpy as np
import pytest
import twins_statistics as twins

from models.detectors.bank import Judged
from models.detectors.registry import make_bank
from models.detectors.rows import WARMING
from models.readings import Quality, ReadingBlock

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
DAY, HOUR = 1440, 60
AT = 12 * DAY  # where things happen
TWINS = {"robust": twins.RobustTwin, "level_shift": twins.LevelShiftTwin}
# Windows so short that a run of days holds enough of them to count the rarest.
SHORT = {"robust": {"window_s": 36_000.0}, "level_shift": {"window_s": 600.0}}

every_statistic = pytest.mark.parametrize("name", list(TWINS))


def calm(n=14 * DAY, seed=1):
    return np.random.default_rng(seed).normal(20, 1, n)


def block_of(value, time=None, quality=None):
    time = START + np.arange(len(value)) * 60 * SECOND if time is None else time
    return ReadingBlock.of([0] * len(value), time, value, quality)


def scores_of(name, value, time=None, **parameters):
    return make_bank(name, parameters, [0]).score(block_of(value, time)).score


def reasons_at(name, value, row, **parameters):
    bank = make_bank(name, parameters, [0])
    scores = bank.score(block_of(value))
    judged = Judged(float(scores.score[row]), float(value[row]), *map(float, scores.table[1:, row]), False)
    return bank.explain(judged)


def correlated(chance, n):
    level = np.empty(n)
    level[0] = 0
    for k, step in enumerate(chance.normal(0, 1, n - 1)):
        level[k + 1] = 0.98 * level[k] + step
    return level


SHAPES = {
    "normal": lambda chance, n: chance.normal(20, 2, n),
    "heavy": lambda chance, n: chance.standard_t(3, n),
    "skewed": lambda chance, n: chance.exponential(5, n),
    "correlated": correlated,
    "steps": lambda chance, n: np.round(correlated(chance, n) * 0.2),
    "bursts": lambda chance, n: chance.normal(0, 1, n) + 50 * (chance.random(n) < 0.01),
}


@every_statistic
@pytest.mark.parametrize("shape", SHAPES)
def test_a_surprise_of_3_is_one_in_a_thousand(name, shape):
    n = 250_000
    scores = scores_of(name, SHAPES[shape](np.random.default_rng(4), n), **SHORT[name])[10_000:]
    for level in (1, 2, 3):
        assert (scores >= level).mean() < 2.0 * 10.0**-level, level
    if shape not in ("steps", "bursts"):  # with few different distances it is rather timid
        assert (scores >= 2).mean() > 0.5e-2
        assert (scores >= 3).mean() > 0.5e-3 * (1.0 if name == "robust" else 0.5)


@every_statistic
def test_equals_its_twin_through_a_hazard_and_a_long_silence(name):
    """Weeks at ten minutes: episodes begin and end, memory fades, a channel is dead and comes back."""
    n = 6000
    value = np.round(np.random.default_rng(2).normal(20, 1, n), 1)
    value[3000:3100] += 15.0
    value[4000:4200] = 21.0
    value[5000:5150] += np.linspace(0, 40, 150)
    time = START + np.arange(n) * 600 * SECOND
    time[2000:] += 7 * 86400 * SECOND
    given = {"window_s": 14400.0, "warmup_s": 86400.0, "memory_s": 5 * 86400.0}
    twin = TWINS[name](**given)
    expected = [twin.score(int(at), float(x)) for at, x in zip(time, value, strict=True)]
    assert scores_of(name, value, time, **given).tolist() == expected
    assert max(expected) > 5


@every_statistic
def test_a_suspect_or_late_reading_is_not_learned(name):
    bank = make_bank(name, {}, [0])
    value = calm(3 * DAY)
    bank.score(block_of(value))
    kept = bank.state.tobytes()
    later = START + 3 * DAY * 60 * SECOND
    bank.score(block_of([900.0], [later], [int(Quality.SUSPECT)]))
    bank.score(block_of([900.0], [later - 10**12]))
    assert bank.state.tobytes() == kept


@every_statistic
def test_a_step_of_the_clock_is_no_event(name):
    value, step = calm(6 * DAY), 5 * 3600 * SECOND + 17
    straight, stepped = make_bank(name, {}, [0]), make_bank(name, {}, [0])
    expected = straight.score(block_of(value)).score
    time = START + np.arange(len(value)) * 60 * SECOND
    first = stepped.score(block_of(value[: 4 * DAY], time[: 4 * DAY])).score
    stepped.shift(-step)
    rest = stepped.score(block_of(value[4 * DAY :], time[4 * DAY :] - step)).score
    assert np.concatenate([first, rest]).tolist() == expected.tolist()


@every_statistic
def test_nothing_is_scored_before_the_warm_up_ends(name):
    scores = make_bank(name, {"warmup_s": 2 * 86400.0}, [0]).score(block_of(calm(3 * DAY)))
    assert scores.score[: 2 * DAY].max() == 0 and (scores.flags[: 2 * DAY] & WARMING).all()
    assert scores.score[2 * DAY + 20 :].max() > 0 and not (scores.flags[2 * DAY + 20 :] & WARMING).any()
    assert np.isfinite(scores.lower[2 * DAY + 20 :]).all()


def test_robust_stays_far_from_a_burst_and_has_no_echo_of_it():
    value = calm()
    value[AT : AT + 40] += 12.0
    robust, ewma = scores_of("robust", value), scores_of("ewma", value)
    assert robust[AT : AT + 40].min() > 5 > 1 > ewma[AT + 20 : AT + 40].max()
    assert robust[AT + 40 : AT + 60].max() < 1.5 < 2 < ewma[AT + 40 : AT + 60].max()


def test_robust_does_not_learn_a_hazard_of_hours():
    value = calm()
    value[AT : AT + 4 * HOUR] += 12.0
    robust, ewma = scores_of("robust", value), scores_of("ewma", value)
    assert robust[AT : AT + 3 * HOUR].min() > 5 > 2 > ewma[AT + 30 : AT + 4 * HOUR].max()
    assert robust[AT + 4 * HOUR :].max() < 3.5


def test_robust_scale_is_moved_neither_by_bursts_nor_by_tails():
    chance, value = np.random.default_rng(3), calm()
    wild = value.copy()
    for at in chance.choice(len(value) - 10, 600, replace=False):
        wild[at : at + chance.integers(1, 6)] += 30.0
    wild[chance.random(len(value)) < 0.005] *= 1e6
    ratios = []
    for name, field in (("robust", "half"), ("ewma", "scale")):
        usual, moved = make_bank(name, {}, [0]), make_bank(name, {}, [0])
        usual.score(block_of(value))
        moved.score(block_of(wild))
        ratios.append(float(moved.state[field][0] / usual.state[field][0]))
    assert abs(ratios[0] - 1.0) < 0.15 < 0.25 < ratios[1] - 1.0


def test_robust_centre_is_a_centre_in_time_not_in_readings():
    """A day at one reading a minute, then ten minutes at ten a second that are all high."""
    bank = make_bank("robust", {}, [0])
    bank.score(block_of(calm(2 * DAY)))
    before = float(bank.state["middle"][0])
    time = START + 2 * DAY * 60 * SECOND + np.arange(6000) * SECOND // 10
    bank.score(block_of(np.full(6000, 30.0), time))
    assert abs(float(bank.state["middle"][0]) - before) < 0.3


def test_robust_knows_half_a_step_where_readings_mostly_stand_still():
    value = np.round(calm() * 0.02 + 0.2, 1) * 5.0  # steps of a half, nearly always the same
    assert len(np.unique(value)) == 3 and np.mean(value == 3.0) > 0.7
    value[AT] = 6.0
    scores = scores_of("robust", value)
    assert scores[AT] > 3.5 > 3 > scores[DAY:AT].max()


def test_robust_says_what_is_usual_and_how_far_off_it_is():
    value = calm()
    value[AT] = 35.0
    [reason] = reasons_at("robust", value, AT)
    told = reason.parameters
    assert reason.code == "outlying" and told["value"] == 35.0
    assert told["lower"] < told["expected"] < told["upper"] < 35.0
    assert told["expected"] == pytest.approx(20.0, abs=0.4)
    assert told["distance"] == pytest.approx(15.0 / 0.67, rel=0.2) and told["surprise"] > 5


def test_level_shift_finds_what_hides_in_single_readings():
    value = calm()
    value[AT : AT + 6 * HOUR] += 1.0
    during = slice(AT, AT + 6 * HOUR)
    assert scores_of("level_shift", value)[during].max() > 5
    for other in ("ewma", "time_of_day", "robust", "half_space_trees", "discord"):
        assert scores_of(other, value)[during].max() < 4.2, other


def test_level_shift_takes_no_burst_for_a_level():
    value = calm(seed=2)
    value[AT : AT + 10] += 30.0
    assert scores_of("level_shift", value)[AT : AT + 6 * HOUR].max() < 3
    assert scores_of("cusum", value)[AT : AT + HOUR].max() > 5


def test_level_shift_does_not_learn_a_hazard_of_hours():
    value = calm()
    value[AT : AT + 5 * HOUR] += 3.0
    during = slice(AT + HOUR, AT + 5 * HOUR)
    assert scores_of("level_shift", value)[during].min() > 5
    assert scores_of("ewma", value)[during].max() < 4


def test_level_shift_takes_another_level_for_usual_within_a_day():
    value = calm()
    value[AT:] += 3.0
    assert scores_of("level_shift", value)[AT + DAY :].max() < 3


def test_level_shift_sees_the_same_at_irregular_times():
    chance = np.random.default_rng(6)
    time = START + np.cumsum(chance.exponential(60.0, 14 * DAY) * SECOND).astype(np.int64)
    since = (time - START) / SECOND - 12 * 86400
    value = calm()
    value[(since > 0) & (since < 6 * 3600)] += 2.0
    scores = scores_of("level_shift", value, time)
    assert scores[(since > 0) & (since < 3 * 3600)].max() > 5
    assert (scores[since < 0] >= 3).mean() < 2e-3


def test_level_shift_counts_by_time_not_by_readings():
    """An hour at 20 and an hour at 21 differ by one, though the second had sixty times the readings."""
    bank = make_bank("level_shift", {}, [0])
    bank.score(block_of(calm(2 * DAY)))
    time = START + 2 * DAY * 60 * SECOND + np.arange(7200) * SECOND
    scores = bank.score(block_of(calm(7200) + 1.0, time))
    assert scores.detail[3600] == pytest.approx(1.0, abs=0.25)
    assert scores.expected[7199] < 20.7


def test_level_shift_says_how_far_and_from_where():
    value = calm()
    value[AT : AT + 6 * HOUR] -= 3.0
    [reason] = reasons_at("level_shift", value, AT + 90)
    told = reason.parameters
    assert reason.code == "level_down"
    assert told["change"] == pytest.approx(3.0, abs=0.3) and told["seconds"] == 3600.0
    assert told["expected"] == pytest.approx(20.0, abs=0.2)
    assert told["lower"] < told["expected"] < told["upper"]
