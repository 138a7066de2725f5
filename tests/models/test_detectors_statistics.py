"""Robust, level shift, variance and slope: what each statistic is for, on readings once a minute."""

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
TWINS = {
    "robust": twins.RobustTwin,
    "level_shift": twins.LevelShiftTwin,
    "variance": twins.VarianceTwin,
    "slope": twins.SlopeTwin,
}
# Windows so short that a run of days holds enough of them to count the rarest.
SHORT = {
    "robust": {"window_s": 36_000.0},
    "level_shift": {"window_s": 600.0},
    "variance": {"window_s": 1920.0},
    "slope": {"window_s": 960.0},
}

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
    late = slice(2 * DAY + 6 * HOUR, None)  # half the warm-up, and fifty blocks of 22 minutes
    assert scores.score[late].max() > 0 and not (scores.flags[late] & WARMING).any()
    assert np.isfinite(scores.lower[late]).all()


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


def spread(value, times, hours=6):
    """The readings from AT on, `times` as far from their level."""
    during = slice(AT, AT + hours * HOUR)
    value[during] = 20 + (value[during] - 20) * times
    return value


def test_variance_finds_what_went_dead_quiet_where_others_see_calm():
    value, late = spread(calm(), 0.3), slice(AT + HOUR, AT + 6 * HOUR)
    scores = scores_of("variance", value)
    assert scores[late].min() > 5 > 3 > scores[AT + 8 * HOUR :].max()
    for other in ("ewma", "cusum", "time_of_day", "robust", "level_shift", "half_space_trees", "nearest"):
        assert scores_of(other, value)[late].max() < 3, other


def test_variance_finds_a_rattle_and_keeps_saying_so():
    value, late = spread(calm(), 2.0), slice(AT + HOUR, AT + 6 * HOUR)
    assert np.median(scores_of("variance", value)[late]) > 4
    for other in ("ewma", "cusum", "time_of_day", "robust", "level_shift", "half_space_trees", "nearest"):
        assert np.median(scores_of(other, value)[late]) < 2.5, other


def test_variance_does_not_learn_a_rattle_of_hours():
    scores = scores_of("variance", spread(calm(), 4.0, hours=8))
    assert scores[AT + HOUR : AT + 8 * HOUR].min() > 5


def test_variance_hears_one_side():
    for times, heard, deaf in ((0.2, "low", "high"), (3.0, "high", "low")):
        value, late = spread(calm(), times), slice(AT + HOUR, AT + 6 * HOUR)
        assert scores_of("variance", value, side=heard)[late].min() > 3
        assert scores_of("variance", value, side=deaf)[late].max() == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda since: 20.0 * (since >= 0),
        lambda since: np.clip(since / HOUR * 2.0, 0, 30),
        lambda since: 30.0 * ((since >= 0) & (since < 10)),
    ],
    ids=["jump", "ramp", "burst"],
)
def test_variance_takes_no_other_change_for_a_rattle(change):
    value = calm(seed=2) + change(np.arange(14 * DAY) - AT)
    assert scores_of("variance", value)[AT : AT + 12 * HOUR].max() < 2


def test_variance_is_the_same_at_irregular_times_and_at_another_pace():
    """Days at irregular minutes, then hours at one a second: no change; then it goes still."""
    chance, n = np.random.default_rng(6), 10 * DAY
    time = np.cumsum(chance.exponential(60.0, n))
    time = START + (np.append(time, time[-1] + 1.0 + np.arange(20_000)) * SECOND).astype(np.int64)
    value = calm(n + 20_000)
    assert scores_of("variance", value, time)[n:].max() < 2
    value[n + 10_000 :] = 20 + (value[n + 10_000 :] - 20) * 0.3
    assert scores_of("variance", value, time)[n + 13_600 :].min() > 3.5


def test_variance_of_what_only_ever_stood_still_is_found_when_it_begins_to_rattle():
    value = np.full(14 * DAY, 20.0)
    value[AT:] += np.random.default_rng(1).normal(0, 1, 2 * DAY)
    scores = scores_of("variance", value)
    assert scores[:AT].max() == 0 and scores[AT + HOUR] == pytest.approx(9.9)


def test_variance_says_how_many_times_as_restless_or_as_still():
    for times, code in ((3.0, "restless"), (0.25, "gone_still")):
        [reason] = reasons_at("variance", spread(calm(), times), AT + 3 * HOUR)
        told = reason.parameters
        assert reason.code == code
        assert told["times"] == pytest.approx(max(times, 1 / times), rel=0.3)
        assert told["upper"] - told["expected"] == pytest.approx(3.0, rel=0.3), "three usual deviations"
        assert told["expected"] - told["lower"] == pytest.approx(3.0, rel=0.3)


def rising(value, per_hour, hours=6):
    """From AT on it rises, and stays where it came to."""
    return value + np.clip((np.arange(len(value)) - AT) / HOUR, 0, hours) * per_hour


def test_slope_finds_a_slow_leak_that_hides_in_the_noise():
    value, during = rising(calm(), -0.6, 4), slice(AT, AT + 4 * HOUR)
    assert scores_of("slope", value)[during].max() > 5
    for other in ("ewma", "time_of_day", "robust", "variance", "half_space_trees", "discord"):
        assert scores_of(other, value)[during].max() < 4, other


def test_slope_does_not_learn_a_leak_of_a_day():
    scores = scores_of("slope", rising(calm(), -1.0, 24))
    assert scores[AT + 3 * HOUR : AT + 24 * HOUR].min() > 3
    assert scores[AT + 27 * HOUR :].max() < 3


def test_slope_knows_how_steep_the_days_of_this_channel_are():
    """It warms fast each morning and cools slowly: only a fall as steep as the rise is news."""
    hour = np.arange(14 * DAY) / HOUR % 24
    value = calm() * 0.1 + np.interp(hour, [0, 6, 8, 24], [0, 0, 8, 0])
    assert scores_of("slope", value)[2 * DAY :].max() < 2.5
    value[AT + 12 * HOUR : AT + 15 * HOUR] -= np.linspace(0, 9, 3 * HOUR)
    assert scores_of("slope", value)[AT + 12 * HOUR : AT + 16 * HOUR].max() > 3.5


def test_slope_takes_no_burst_for_a_trend():
    value = calm()
    value[AT : AT + 10] += 30.0
    assert scores_of("slope", value)[AT : AT + 6 * HOUR].max() < 3


def test_slope_hears_one_side():
    for per_hour, heard, deaf in ((1.0, "high", "low"), (-1.0, "low", "high")):
        value, late = rising(calm(), per_hour), slice(AT + 3 * HOUR, AT + 6 * HOUR)
        assert scores_of("slope", value, side=heard)[late].min() > 3
        assert scores_of("slope", value, side=deaf)[late].max() == 0


def test_slope_is_the_same_at_irregular_times():
    time = START + np.cumsum(np.random.default_rng(6).exponential(60.0, 14 * DAY) * SECOND).astype(np.int64)
    since = (time - START) / SECOND / 3600 - 12 * 24
    bank = make_bank("slope", {}, [0])
    scores = bank.score(block_of(calm() + np.clip(since, 0, 6) * 1.5, time))
    assert scores.score[(since > 0) & (since < 6)].max() > 5
    assert (scores.score[since < 0] >= 3).mean() < 2e-3
    assert scores.detail[(since > 4) & (since < 6)].mean() * 3600 == pytest.approx(1.5, rel=0.15)


def test_slope_over_a_silence_is_as_long_as_the_silence():
    """Two degrees more after a night without readings are no steep rise."""
    time = START + np.arange(14 * DAY) * 60 * SECOND
    time[AT:] += 12 * 3600 * SECOND
    value = calm()
    value[AT:] += 2.0
    assert scores_of("slope", value, time)[AT : AT + 6 * HOUR].max() < 3
    assert scores_of("slope", value)[AT : AT + 6 * HOUR].max() > 5


def test_slope_says_how_much_in_what_time_and_from_where():
    [reason] = reasons_at("slope", rising(calm(), 2.0), AT + 5 * HOUR)
    told = reason.parameters
    assert reason.code == "trend_up"
    assert told["change"] == pytest.approx(6.0, rel=0.15) and told["seconds"] == 10_800.0
    assert told["expected"] == pytest.approx(20 + 3.5 * 2, abs=1.0), "the middle of the window"
    assert told["lower"] < told["expected"] < told["upper"] < told["value"]
