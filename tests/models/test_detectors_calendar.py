"""Season: an office's week in China, with its holidays and the weekend days that are worked instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.detectors.calendar import SATURDAY, SUNDAY, WORKING, CalendarParameters, class_of
from models.detectors.registry import make_bank
from models.detectors.rows import WARMING
from models.errors import ParameterError
from models.readings import Quality, ReadingBlock

SECOND = 1_000_000_000
STEP_S = 300
A_DAY = 86400 // STEP_S
CHINA = 28800
BEGIN = datetime(2026, 8, 31, tzinfo=UTC) - timedelta(seconds=CHINA)  # a Monday, at midnight in China
HOLIDAYS = tuple(f"2026-10-{day:02}" for day in range(1, 8))
WORKED = ("2026-09-20", "2026-10-10")
SITE = {"utc_offset_s": CHINA, "holidays": HOLIDAYS, "worked": WORKED}


def day_of(date):
    """Whole days from the beginning to a date."""
    return (datetime.fromisoformat(f"{date}T00:00:00+00:00") - timedelta(seconds=CHINA) - BEGIN).days


def office(days, off=HOLIDAYS, worked=WORKED, seed=1):
    """Power of an office, each five minutes: from 8 to 18 on working days, half on Saturday mornings."""
    value = np.random.default_rng(seed).normal(5.0, 0.5, days * A_DAY)
    for day in range(days):
        date = datetime(2026, 8, 31, tzinfo=UTC) + timedelta(days=day)
        name, weekday = date.date().isoformat(), date.weekday()
        is_working = name in worked or (weekday < 5 and name not in off)
        if is_working:
            value[day * A_DAY + 96 : day * A_DAY + 216] += 40.0
        elif weekday == 5 and name not in off:
            value[day * A_DAY + 96 : day * A_DAY + 144] += 20.0
    return value


def block_of(value, begin=0):
    time = int(BEGIN.timestamp()) + (begin + np.arange(len(value))) * STEP_S
    return ReadingBlock.of([0] * len(value), time * SECOND, value)


def scored(value, detector="season", **parameters):
    bank = make_bank(detector, {"utc_offset_s": CHINA, **parameters}, [0])
    return bank.score(block_of(value))


def on(scores, date):
    """Scores of a day but for the half hours at which the office changes."""
    begin = day_of(date) * A_DAY
    rows = [row for row in range(A_DAY) if all(abs(row - edge) > 6 for edge in (96, 144, 216))]
    return scores.score[begin + np.array(rows)]


def test_kinds_of_day_follow_the_week_the_holidays_and_the_days_worked_instead():
    off, worked = CalendarParameters(**SITE).calendar
    kinds = {"2026-09-18": WORKING, "2026-09-19": SATURDAY, "2026-09-20": WORKING, "2026-09-27": SUNDAY}
    kinds |= {"2026-10-01": SUNDAY, "2026-10-03": SUNDAY, "2026-10-08": WORKING, "2026-10-10": WORKING}
    for date, kind in kinds.items():
        day = (datetime.fromisoformat(date) - datetime(1970, 1, 1)).days  # noqa: DTZ001
        assert class_of(day, off, worked) == kind, date
    assert class_of(-1, off, worked) == WORKING, "31 December 1969 was a Wednesday"


def test_weekends_are_no_surprise_and_an_idle_tuesday_is():
    value = office(28)
    idle = day_of("2026-09-22")
    value[idle * A_DAY : (idle + 1) * A_DAY] = value[6 * A_DAY : 7 * A_DAY]
    scores = scored(value, **SITE)
    for date in ("2026-09-19", "2026-09-26", "2026-09-27"):
        assert on(scores, date).max() < 3.5, date
    assert on(scores, "2026-09-22").max() > 5
    assert on(scored(value, "time_of_day"), "2026-09-22").max() < 2, "to the hour alone it is a weekend"


def test_a_holiday_that_is_given_is_a_sunday_and_one_that_is_not_is_an_idle_day():
    value = office(40)
    told = scored(value, **SITE)
    assert max(on(told, date).max() for date in HOLIDAYS[:4]) < 3.5
    assert on(scored(value, utc_offset_s=CHINA, worked=WORKED), "2026-10-01").max() > 4.5


def test_a_sunday_that_is_worked_is_a_working_day_where_that_is_given():
    value = office(28)
    assert on(scored(value, **SITE), "2026-09-20").max() < 3.5
    assert on(scored(value, holidays=HOLIDAYS), "2026-09-20").max() > 4.5


def test_the_first_saturday_borrows_and_hears_only_what_no_day_has_shown():
    value = office(6)
    quiet = scored(value, warmup_s=3 * 86400.0, **SITE)
    saturday = slice(5 * A_DAY, 6 * A_DAY)
    assert not (quiet.flags[saturday] & WARMING).any()
    assert quiet.score[saturday].max() < 2.5
    value[5 * A_DAY + 30 : 5 * A_DAY + 36] = 400.0
    assert scored(value, warmup_s=3 * 86400.0, **SITE).score[saturday].max() > 4.5


def test_one_saturday_is_enough_to_know_the_next():
    scores = scored(office(14), warmup_s=3 * 86400.0, **SITE)
    assert on(scores, "2026-09-12").max() < 3.5
    assert np.abs(scores.expected[day_of("2026-09-12") * A_DAY + 170] - 5.0) < 3.0


@pytest.mark.parametrize("noise", ["normal", "heavy", "skewed"])
def test_a_score_of_three_is_about_one_in_a_thousand(noise):
    """Days that swing smoothly, less on Saturdays, hardly on Sundays."""
    days, high = 120, []
    n = days * A_DAY
    kind = np.arange(n) // A_DAY % 7
    swing = np.where(kind < 5, 10, np.where(kind == 5, 4, 1)) * np.cos(2 * np.pi * np.arange(n) / A_DAY)
    for seed in range(3):
        chance = np.random.default_rng(seed)
        drawn = {"normal": chance.normal(0, 1, n), "heavy": chance.standard_t(3, n)}
        drawn["skewed"] = chance.exponential(1, n)
        high.append(scored(20 - swing + drawn[noise]).score[30 * A_DAY :])
    rates = [(np.concatenate(high) >= level).mean() for level in (2, 3)]
    assert 0.5e-2 < rates[0] < 2e-2
    assert 0.25e-3 < rates[1] < 2e-3


def test_a_hazard_of_half_a_day_is_not_learned():
    value = office(28)
    begin = day_of("2026-09-23") * A_DAY
    value[begin : begin + 12 * 12] += 60.0
    scores = scored(value, **SITE)
    calm = scored(office(28), **SITE)
    assert scores.score[begin : begin + 144].min() > 3
    assert np.abs(scores.expected - calm.expected)[begin + 150 :].max() < 5.0


def test_what_stays_for_days_becomes_usual():
    value = office(42)
    value[21 * A_DAY :] += 60.0
    assert scored(value, **SITE).score[35 * A_DAY :].max() < 3.5


def test_the_slope_keeps_up_with_a_level_that_rises_for_days():
    value = office(28)
    value[14 * A_DAY :] += np.arange(14 * A_DAY) * 6.0 / A_DAY
    rising = slice(20 * A_DAY, 28 * A_DAY)
    with_slope, without = scored(value, **SITE), scored(value, slope_tau_s=0, **SITE)
    lag = [np.mean(value[rising] - scores.expected[rising]) for scores in (with_slope, without)]
    assert lag[0] < 0.4 * lag[1]


def test_a_gap_teaches_nothing():
    value = office(21)
    bank = make_bank("season", SITE, [0])
    bank.score(block_of(value[: 14 * A_DAY]))
    kept = bank.state["season"].copy()
    after = bank.score(block_of(value[17 * A_DAY :], 17 * A_DAY))
    moved = np.abs(bank.state["season"] - kept).reshape(3, 48).max(axis=1)
    assert after.score.max() < 3.5
    assert moved.max() < 2.0


def test_a_clock_that_is_set_right_by_hours_moves_no_level_and_keeps_the_hours():
    """Two hours wrong for an afternoon; what was learned under it goes to the hours it was read at."""
    value, step = office(24), 2 * 3600 * SECOND
    wrong = slice(20 * A_DAY + 160, 20 * A_DAY + 200)
    bank = make_bank("season", SITE, [0])
    whole = block_of(value)
    bank.score(whole.rows(0, wrong.start))
    bank.shift(-step)
    late = whole.rows(wrong.start, wrong.stop)
    bank.score(ReadingBlock.of(late.channel, late.time - step, late.value))
    bank.shift(step)
    after = bank.score(whole.rows(wrong.stop, len(value)))
    assert after.score[20:].max() < 3.5


def test_one_side_hears_one_side_and_a_suspect_reading_teaches_nothing():
    value = office(21)
    for side, change, heard in (("high", 30, True), ("high", -30, False), ("low", -30, True)):
        bank = make_bank("season", {**SITE, "side": side}, [0])
        bank.score(block_of(value))
        kept = bank.state.tobytes()
        odd = block_of([value[0] + change], len(value))
        suspect = ReadingBlock.of(odd.channel, odd.time, odd.value, [int(Quality.SUSPECT)])
        assert (bank.score(suspect).score[0] > 3) == heard
        assert bank.state.tobytes() == kept


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"holidays": ["2026-02-30"]}, r"season: holidays: '2026-02-30' is no date, expected YYYY-MM-DD"),
        ({"worked": ["20261001"]}, r"season: worked: '20261001' is no date"),
        (
            {"holidays": ["2026-10-10"], "worked": ["2026-10-10"]},
            "2026-10-10 cannot be a holiday and worked",
        ),
        ({"holidays": ["2026-10-01"] * 401}, r"season: holidays: .*at most 400"),
    ],
)
def test_dates_that_cannot_be_are_refused_by_name(given, words):
    with pytest.raises(ParameterError, match=words):
        make_bank("season", given, [0])
