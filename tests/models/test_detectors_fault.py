"""Fault apart from hazard: what the equipment does is told as a fault, what nature does passes."""

from __future__ import annotations

import numpy as np
import pytest
from troubled import troubled
from twins_fault import PlausibilityTwin

from models.detectors.bank import Judged, Trait
from models.detectors.fault import FaultBank, FaultParameters, packed, unpacked
from models.detectors.plausibility import (
    DOUBTED,
    FAULTY,
    HELD,
    OK,
    PLAUSIBILITY_TIMES,
    RECOVERED,
    RELEASED,
    begin_plausibility,
    examine,
)
from models.detectors.plausibility.conversions import CONVERSIONS, conversion_of, converted_back
from models.detectors.plausibility.natures import TEMPERATURE, nature_of
from models.detectors.rows import NEVER, SECOND
from models.readings import Quality, ReadingBlock

START = 1_790_000_000 * SECOND
MINUTE = 60 * SECOND
WORDS = ("", "spike", "dropout", "range", "unit", "stuck", "erratic", "silent", "drift")
DAY = 1440  # rows


def calm(days=4, level=21.0, swing=1.5, noise=0.1, resolution=0.1, seed=1):
    """A room's temperature, a reading a minute."""
    chance = np.random.default_rng(seed)
    phase = np.arange(days * DAY) / DAY * 2 * np.pi
    raw = level + swing * np.sin(phase) + chance.normal(0, noise, days * DAY)
    return np.round(np.round(raw / resolution) * resolution, 6)


def verdicts(value, kind="temperature", resolution=0.1, quality=None, step=MINUTE):
    """What `examine` says of each row, and the state at the end."""
    states = np.zeros(1, FaultBank.dtype)
    for field in PLAUSIBILITY_TIMES:
        states[field] = NEVER
    begin_plausibility(states, [Trait(kind, "", resolution)])
    record = states.view(np.recarray)[0]
    flags = np.zeros(len(value), np.uint8) if quality is None else quality
    said = [
        examine(
            record, START + row * step, float(value[row]), int(flags[row]), 86400.0, 14 * 86400.0, 86400.0
        )
        for row in range(len(value))
    ]
    return np.array(said), states[0]


def scored(value, kind="temperature", resolution=0.1, quality=None, times=None):
    bank = FaultBank(FaultParameters(), [1], [Trait(kind, "", resolution)])
    at = START + np.arange(len(value)) * MINUTE if times is None else times
    flags = np.zeros(len(value), np.uint8) if quality is None else quality
    return bank, bank.score(ReadingBlock.of(np.ones(len(value), np.int32), at, value, flags))


def first_reason(value, scores, bank):
    row = int(np.flatnonzero(scores.score)[0])
    expected, detail = float(scores.expected[row]), float(scores.detail[row])
    nan = float("nan")
    return row, bank.explain(Judged(10.0, float(value[row]), expected, nan, nan, detail, False))[0]


def marked(value, low=-40.0, high=125.0):
    """Quality as the sampler sets it."""
    quality = np.zeros(len(value), np.uint8)
    quality[~np.isfinite(value)] |= np.uint8(Quality.INVALID)
    quality[(value < low) | (value > high)] |= np.uint8(Quality.OUT_OF_RANGE)
    return quality


AT = 3 * DAY + 100
FAULTS = {
    "spike": (lambda v: np.where(np.arange(len(v)) == AT, v + 30.0, v), "spike", 1),
    "two rows of a spike": (lambda v: np.where(np.arange(len(v)) // 2 == AT // 2, v - 25.0, v), "spike", 2),
    "zero": (lambda v: np.where(np.arange(len(v)) >= AT, 0.0, v), "dropout", 2),
    "sentinel": (lambda v: np.where(np.arange(len(v)) >= AT, -127.0, v), "dropout", 0),
    "no number": (lambda v: np.where(np.arange(len(v)) >= AT, np.nan, v), "dropout", 2),
    "beyond the scale": (lambda v: np.where(np.arange(len(v)) >= AT, 130.0, v), "out_of_range", 0),
    "fahrenheit": (lambda v: np.where(np.arange(len(v)) >= AT, v * 1.8 + 32.0, v), "unit_jump", 2),
    "kelvin": (lambda v: np.where(np.arange(len(v)) >= AT, v + 273.15, v), "unit_jump", 0),
    "ten times": (lambda v: np.where(np.arange(len(v)) >= AT, v * 10.0, v), "unit_jump", 0),
    "a tenth": (lambda v: np.where(np.arange(len(v)) >= AT, v * 0.1, v), "unit_jump", 2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_told_within_three_periods_by_its_name(fault):
    spoil, code, latest = FAULTS[fault]
    value = spoil(calm())
    bank, scores = scored(value, quality=marked(value))
    row, reason = first_reason(value, scores, bank)
    assert AT <= row <= AT + latest <= AT + 3
    assert reason.code == code
    assert np.flatnonzero(np.diff(scores.score > 0)).size <= 2, "one episode, one alert"


def test_fahrenheit_is_guessed_and_the_level_before_is_told():
    value = FAULTS["fahrenheit"][0](calm())
    bank, scores = scored(value)
    row, reason = first_reason(value, scores, bank)
    assert reason.parameters["looks_like"] == "fahrenheit" and reason.parameters["factor"] == 1.8
    assert reason.parameters["value"] == pytest.approx(value[row], rel=1e-4)
    assert reason.parameters["expected"] == pytest.approx((value[row] - 32) / 1.8, abs=0.5)


def test_loose_contact_is_one_alert_however_often_it_jumps():
    value = calm()
    value[AT : AT + 100 : 7] += 40.0
    _, scores = scored(value)
    on = np.flatnonzero(scores.score)
    assert on[0] == AT + 1 and np.all(np.diff(on) == 1)


def test_stuck_is_told_within_three_times_the_longest_rest_and_not_before_twice():
    value = calm(noise=0.05)
    moved = np.flatnonzero(np.diff(value[:AT], prepend=np.nan, append=np.nan) != 0)
    longest = int(np.diff(moved).max())
    assert longest >= 4, "a calm channel with rests of its own"
    value[AT:] = value[AT]
    bank, scores = scored(value)
    row, reason = first_reason(value, scores, bank)
    assert 2 * longest < row - AT + 1 <= 3 * longest
    assert reason.code == "stuck" and reason.parameters["longest"] == (longest - 1) * 60.0


def test_rows_of_a_rest_longer_than_ever_are_doubted_before_it_is_called_a_fault():
    value = calm(noise=0.05)
    value[AT:] = value[AT]
    said, _ = verdicts(value)
    told = int(np.flatnonzero(said == FAULTY)[0])
    doubted = np.flatnonzero(said[AT:told] == DOUBTED)
    assert len(doubted) > 3 and np.all(np.diff(doubted) == 1)


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_drift_is_told_with_where_it_began(way):
    value = calm(days=40, noise=0.2)
    since = np.maximum(np.arange(len(value)) - 20 * DAY, 0) / DAY
    bank, scores = scored(value + way * 0.5 * since)
    row, reason = first_reason(value, scores, bank)
    assert 22 * DAY <= row <= 32 * DAY
    assert reason.code == "drift" and reason.parameters["start"] == pytest.approx(21.0, abs=0.5)


def test_a_drift_that_is_undone_at_once_is_a_recovery_and_no_jump():
    value = calm(days=44, noise=0.2)
    since = np.clip(np.arange(len(value)) - 20 * DAY, 0, None) / DAY
    repaired = 41 * DAY
    value[:repaired] += 0.6 * since[:repaired]
    said, state = verdicts(value)
    assert said[repaired : repaired + 3].tolist() == [HELD, HELD, RECOVERED]
    assert state["drift"] == 0


def test_silence_is_told_after_two_and_a_half_of_its_own_periods():
    value = calm(days=1)
    bank, _ = scored(value)
    last = START + (len(value) - 1) * MINUTE
    assert bank.advance(last + 149 * SECOND) is None
    judged = bank.advance(last + 170 * SECOND)
    assert judged.at.tolist() == [-(-(last + 150 * SECOND) // SECOND) * SECOND]
    nan = float("nan")
    reason = bank.explain(Judged(10.0, nan, nan, nan, nan, float(judged.table[4, 0]), False))[0]
    assert reason.code == "silent" and reason.parameters == {"seconds": 150.0, "period": 60.0}


def test_an_irregular_channel_is_given_the_time_it_takes():
    chance = np.random.default_rng(3)
    times = START + np.cumsum(chance.exponential(300.0, 500) * SECOND).astype(np.int64)
    bank, _ = scored(chance.normal(0, 1, 500), "power", times=times)
    longest = int(np.diff(times).max())
    assert bank.advance(int(times[-1]) + longest) is None
    assert bank.advance(int(times[-1]) + 4 * longest) is not None


# What nature does: kind, calm readings, and the course over the minutes since the onset.
QUIET_SMOKE = np.abs(calm(level=0.1, swing=0.02, noise=0.02, resolution=0.01))
QUIET_GAS = np.abs(calm(level=0.5, swing=0.1, noise=0.08))
MAINS = calm(level=3.8, swing=0.05, noise=0.01, resolution=0.001)
COMPRESSOR = np.where(np.arange(4 * DAY) % 20 < 11, calm(level=410.0), calm(level=9.0))
HAZARDS = {
    "fire in a kitchen": ("temperature", calm(), lambda k, v: v + 8.0 * k),
    "smoke": ("smoke", QUIET_SMOKE, lambda k, v: v + 0.4 * k**1.5),
    "gas at once": ("gas", QUIET_GAS, lambda k, v: v + 30.0),
    "gas at the end of its scale": ("gas", QUIET_GAS, lambda k, v: v * 0 + 100.0),
    "burst pipe, pressure": ("pressure", MAINS, lambda k, v: v - 1.5),
    "burst pipe, flow": ("flow", np.abs(calm(level=3.0, swing=2.0, noise=0.3)), lambda k, v: v + 29.0),
    "water shut off": ("pressure", MAINS, lambda k, v: v * 0.0),
    "power cut": ("voltage", calm(level=230.0, swing=1.0, noise=0.5), lambda k, v: v * 0.0),
    "compressor stops": ("power", COMPRESSOR, lambda k, v: v * 0.0),
    "freezer warms": ("temperature", calm(level=-19.0, swing=1.0), lambda k, v: v + 0.3 * k),
    "cooking": ("temperature", calm(), lambda k, v: v + 4.0 * (1 - np.exp(-k / 2.0))),
}


@pytest.mark.parametrize("hazard", HAZARDS)
def test_hazard_is_no_fault_and_is_held_for_at_most_two_periods(hazard):
    kind, value, course = HAZARDS[hazard]
    k = np.arange(1.0, 40.0)
    value = value.copy()
    value[AT : AT + 39] = np.round(course(k, value[AT : AT + 39]), 3)
    value = value[: AT + 39]
    said, state = verdicts(value, kind, 0.001 if kind == "pressure" else 0.01)
    assert FAULTY not in said[DAY:] and state["fault"] == 0
    held = np.flatnonzero(said[AT:] == HELD)
    assert all(said[AT + row + 1] == HELD or said[AT + row + 1] in (OK, RELEASED) for row in held)
    assert not any(np.array_equal(said[row : row + 3], [HELD] * 3) for row in range(AT, len(said)))


def test_a_step_that_stays_is_released_on_its_third_row_and_not_held_the_next_time():
    kind, value, _ = HAZARDS["burst pipe, pressure"]
    value = value.copy()
    value[AT : AT + 200] -= 1.5
    value[AT + 400 :] -= 1.5
    said, _ = verdicts(value, kind, 0.001)
    assert said[AT : AT + 3].tolist() == [HELD, HELD, RELEASED]
    assert HELD not in said[AT + 400 :]


def test_doors_and_pumps_may_jump_and_rest_as_they_like():
    value = (np.random.default_rng(4).random(4 * DAY) < 0.001).astype(float)
    said, _ = verdicts(value, "door", 1.0)
    assert set(said.tolist()) == {OK}


@pytest.mark.parametrize("kind", ["smoke", "flow", "light"])
def test_standing_at_zero_is_rest_where_zero_is_ordinary(kind):
    value = np.abs(calm(level=0.5, swing=0.4))
    value[AT:] = 0.0
    value[AT + 2 :] = 0.0
    said, _ = verdicts(value, kind)
    assert FAULTY not in said


def test_a_fire_that_burns_when_the_sensor_comes_back_is_not_taken_for_usual():
    value = calm()
    value[AT : AT + 30] = np.nan
    value[AT + 30 :] += 60.0
    said, _ = verdicts(value, quality=marked(value))
    assert said[AT + 30 : AT + 33].tolist() == [HELD, HELD, RELEASED]


def test_after_a_fault_the_first_usual_value_is_a_recovery():
    value = calm()
    value[AT : AT + 30] = np.nan
    said, _ = verdicts(value, quality=marked(value))
    assert said[AT + 30 : AT + 33].tolist() == [RECOVERED, OK, OK]


def test_one_missing_number_is_no_fault_and_every_other_one_is():
    value = calm()
    value[AT] = np.nan
    assert FAULTY not in verdicts(value, quality=marked(value))[0]
    value[AT : AT + 40 : 2] = np.nan
    assert FAULTY in verdicts(value, quality=marked(value))[0]


def test_false_fault_teaches_tolerance_so_it_is_not_told_for_ever():
    value = calm(days=14, noise=0.05)
    days = []
    for day in range(4, 14):  # every day it now rests for two hours
        value[day * DAY : day * DAY + 120] = value[day * DAY]
        days.append(day * DAY)
    _, scores = scored(value)
    told = [bool(scores.score[row : row + 121].any()) for row in days]
    assert told[0] and not any(told[-3:])


def test_wild_values_and_times_never_leave_the_verdicts():
    chance = np.random.default_rng(9)
    value = 10.0 ** chance.uniform(-300, 300, 5000) * chance.choice([-1, 1], 5000)
    value[::50] = np.inf
    said, _ = verdicts(value, "temperature", quality=chance.choice([0, 0, 0, 1, 2, 32], 5000))
    assert set(said.tolist()) <= {OK, DOUBTED, HELD, FAULTY, RELEASED, RECOVERED}


@pytest.mark.parametrize(
    "code,first,second", [(1, 36.1, 2.0), (5, 900.0, -127.0), (2, float("nan"), 3.0), (8, -19.96, 1.7e6)]
)
def test_code_and_numbers_of_a_reason_fit_one_number(code, first, second):
    got = unpacked(packed(code, first, second))
    assert got[0] == code
    assert got[1:] == pytest.approx((first, second), rel=1e-4, nan_ok=True)


@pytest.mark.parametrize("number", range(1, len(CONVERSIONS)))
def test_every_conversion_is_found_and_undone(number):
    conversion = CONVERSIONS[number]
    level = 293.4 if conversion.offset < 0 else 21.3
    told = conversion.factor * level + conversion.offset
    found = conversion_of(level, told, 0.01, conversion.nature)
    assert converted_back(number, told) == pytest.approx(level)
    assert CONVERSIONS[found].factor == pytest.approx(conversion.factor)


def test_a_lively_channel_is_not_told_its_unit_by_chance():
    assert conversion_of(2.0, 22.0, 1.5, 0) == 0
    assert conversion_of(21.0, 69.9, 0.5, nature_of("humidity")) == 0
    assert conversion_of(21.0, 69.9, 0.5, TEMPERATURE) != 0


@pytest.mark.parametrize(
    "kind", ["temperature", "humidity", "pressure", "flow", "gas", "voltage", "door", ""]
)
@pytest.mark.parametrize("seed", range(6))
def test_verdicts_equal_those_of_the_slow_twin(kind, seed):
    time, value, quality = troubled(seed)
    times = {"warmup_s": 20_000.0, "memory_s": 200_000.0, "window_s": 3000.0}
    states = np.zeros(1, FaultBank.dtype)
    for field in PLAUSIBILITY_TIMES:
        states[field] = NEVER
    begin_plausibility(states, [Trait(kind, "", 0.1)])
    record = states.view(np.recarray)[0]
    twin = PlausibilityTwin(kind, 0.1, **times)
    for row in range(len(value)):
        got = examine(record, int(time[row]), float(value[row]), int(quality[row]), *times.values())
        told = (row, got, WORDS[record.fault], bool(record.drift), float(record.level), float(record.tall))
        twins = twin.examine(int(time[row]), float(value[row]), int(quality[row]))
        level = 0.0 if twin.level is None else twin.level
        assert told == (row, twins, twin.fault, bool(twin.drift.drift), level, twin.tall)
    assert record.longest == twin.longest and record.gap == twin.pace.gap
