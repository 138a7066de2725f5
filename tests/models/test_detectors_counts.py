"""Counts: a lift's door in an office, by time of day and kind of day; the tails behind it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.configuration import MonitorConfig
from models.detectors.bank import Judged
from models.detectors.count_tail import distance_of, log_gamma
from models.detectors.registry import make_bank
from models.detectors.rows import JUDGED, WARMING
from models.errors import ParameterError
from models.monitor import Monitor
from models.readings import Quality, ReadingBlock
from models.replay import drive
from models.wire.messages import ChannelEntry

SECOND = 1_000_000_000
MONDAY = 1_789_948_800 * SECOND  # 21 September 2026, midnight
A_DAY = 1440


def rates(days, holidays=()):
    """Events a minute: an office's door from 7 to 20, a third of it on Saturdays, hardly any on Sundays."""
    minute = np.arange(days * A_DAY)
    hour, day = minute % A_DAY / 60, minute // A_DAY
    kind = np.where(np.isin(day, holidays) | (day % 7 == 6), 0.02, np.where(day % 7 == 5, 0.3, 1.0))
    return np.where((hour >= 7) & (hour < 20), 0.4 * kind, 0.004)


def block_of(value, begin=0):
    time = MONDAY + (begin + np.arange(len(value))) * 60 * SECOND
    return ReadingBlock.of([1] * len(value), time, value)


def drawn(rate, seed=1):
    return np.random.default_rng(seed).poisson(rate).astype(float)


def scored(value, **parameters):
    bank = make_bank("counts", {"counting": "each", **parameters}, [1])
    return bank, bank.score(block_of(value))


def told(bank, scores, row):
    [reason] = bank.explain(Judged(float(scores.score[row]), 0.0, *scores.table[1:, row].tolist(), True))
    return reason


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_a_score_of_three_is_about_one_in_a_thousand(spread):
    """Also where days are busier or calmer as a whole than chance makes them."""
    days, high = 100, []
    for seed in range(3):
        chance = np.random.default_rng(seed)
        busy = chance.gamma(1 / spread, spread, days) if spread else np.ones(days)
        value = chance.poisson(rates(days) * np.repeat(busy, A_DAY)).astype(float)
        bank, scores = scored(value)
        high.append(scores.score[14 * A_DAY :])
        assert 0.4 * spread <= bank.state["dispersion"][0] < 0.1 + 2 * spread
    seen = [(np.concatenate(high) >= level).mean() for level in (1, 2, 3)]
    assert seen[0] < 1.5e-1 and 0.3e-2 < seen[1] < 2e-2 and 0.1e-3 < seen[2] < 2e-3


def test_a_busy_night_is_heard_within_minutes_and_says_how_many_would_be_usual():
    value = drawn(rates(21))
    night = 15 * A_DAY + 3 * 60
    value[night : night + 20] = 1.0
    bank, scores = scored(value)
    assert scores.score[night - 60 : night].max() < 3
    assert scores.score[night + 6] > 3
    reason = told(bank, scores, night + 19)
    assert reason.code == "too_many"
    assert reason.parameters["count"] == 20 and reason.parameters["expected"] < 1
    assert reason.parameters["seconds"] == 3600


def test_a_still_working_morning_is_too_few_and_a_still_sunday_is_not():
    value = drawn(rates(28))
    still = 23 * A_DAY  # a Wednesday
    value[still : still + 12 * 60] = 0.0
    bank, scores = scored(value)
    assert scores.score[20 * A_DAY : 21 * A_DAY].max() < 3
    assert scores.score[still : still + 7 * 60].max() < 3
    assert scores.score[still + 7 * 60 : still + 9 * 60].max() > 4
    reason = told(bank, scores, still + 9 * 60)
    assert (reason.code, reason.parameters["count"]) == ("too_few", 0)
    assert 15 < reason.parameters["expected"] < 35


def test_a_holiday_that_is_given_is_no_day_of_too_few():
    value = drawn(rates(28, holidays=(24,)))
    thursday = slice(24 * A_DAY, 25 * A_DAY)
    assert scored(value)[1].score[thursday].max() > 4
    assert scored(value, holidays=("2026-10-15",))[1].score[thursday].max() < 3


def test_the_first_saturday_is_judged_with_doubt():
    value = drawn(rates(6))
    saturday = slice(5 * A_DAY, 6 * A_DAY)
    scores = scored(value, warmup_s=4 * 86400.0)[1]
    assert not (scores.flags[saturday] & WARMING).any()
    assert scores.score[saturday].max() < 3.5
    value[5 * A_DAY + 600 : 5 * A_DAY + 660] = 12.0
    assert scored(value, warmup_s=4 * 86400.0)[1].score[saturday].max() > 4


def test_a_door_that_flaps_for_a_working_day_is_not_learned():
    value = drawn(rates(28))
    begin = 22 * A_DAY + 9 * 60
    value[begin : begin + 480] += 3.0
    bank, scores = scored(value)
    calm, _ = scored(drawn(rates(28)))
    assert scores.score[begin + 60 : begin + 480].min() > 2.9
    assert np.abs(bank.state["rates"] - calm.state["rates"]).max() < 0.5 * 0.4 * 30


@pytest.mark.parametrize("after", [0.0, 2.0, 65530.0])
def test_a_total_that_begins_anew_or_wraps_loses_no_event(after):
    """The same doors counted by a device that counts up, is restarted once, or has 16 bits alone."""
    value = drawn(rates(14))
    total = np.cumsum(value) + after
    cut = int(np.argmax(value[10 * A_DAY :] > 0)) + 10 * A_DAY
    given = {"counting": "total"}
    if after == 65530.0:
        total, given = total % 65536, {"counting": "total", "wraps_at": 65536.0}
    elif after:
        total[cut:] -= total[cut - 1]
    by_total, by_each = scored(total, **given)[1], scored(value)[1]
    assert np.array_equal(by_total.table[0], by_each.table[0])


def test_a_correction_of_a_total_is_no_event():
    total = np.full(14 * A_DAY, 500.0)
    total[12 * A_DAY :] = 499.0
    bank, scores = scored(total, counting="total")
    assert scores.score.max() == 0.0 and bank.state["closed_events"].max() == 0


@pytest.mark.parametrize("counting", ["each", "total", "on"])
@pytest.mark.parametrize("silence", ["unknown", "nothing"])
def test_cuts_and_snapshots_change_nothing_whatever_a_reading_is(counting, silence):
    value = drawn(rates(9))
    if counting == "total":
        value = np.cumsum(value) % 500
    given = {"counting": counting, "silence": silence, "warmup_s": 86400.0}
    kept = np.random.default_rng(3).random(len(value)) < 0.7
    kept[3000:3300] = False
    whole, rows = make_bank("counts", given, [1]), block_of(value)
    rows = ReadingBlock.of(rows.channel[kept], rows.time[kept], rows.value[kept])
    expected, got, data = whole.score(rows).table, [], make_bank("counts", given, [1]).snapshot()
    for begin, end in ((0, 1), (1, 2000), (2000, 2001), (2001, len(rows))):
        part = make_bank("counts", given, [1])
        part.restore(data)
        got.append(part.score(rows.rows(begin, end)).table)
        data = part.snapshot()
    assert np.array_equal(np.concatenate(got, axis=1), expected, equal_nan=True)
    assert data == whole.snapshot()


def test_only_changes_to_on_are_events():
    value = np.tile([0.0, 1.0, 1.0, 1.0, 0.0, 0.0], 1500)
    bank, _ = scored(value, counting="on")
    assert abs(bank.state["often"][0] - 5.0) < 0.1, "five a half hour"


def silent_lift(still_day):
    """Times at which a lift's door opens, and nothing else is ever said; one day is missing."""
    value = drawn(rates(28))
    minute = np.flatnonzero(value)
    return minute[minute // A_DAY != still_day]


def test_too_few_speak_at_the_end_of_a_part_though_no_reading_comes():
    minute = silent_lift(23)
    channels = {1: ChannelEntry(number=1, name="lift", kind="lift"), 2: ChannelEntry(number=2, name="clock")}
    given = {"counting": "each", "silence": "nothing"}
    config = MonitorConfig(
        name="m", detector="counts", parameters=given, channels=("lift",), hazard="x", trigger={"on": 4.0}
    )
    monitor = Monitor(config, channels, gateway="g")
    before = minute[minute < 23 * A_DAY]
    drive([monitor], ReadingBlock.of([1] * len(before), MONDAY + before * 60 * SECOND, np.ones(len(before))))
    alerts = monitor.advance(MONDAY + (23 * A_DAY + 12 * 60) * 60 * SECOND)
    fired = [alert for alert in alerts if alert.resolved_at is None]
    hour = (fired[0].fired_at - MONDAY) / SECOND / 3600 - 23 * 24
    assert 7 < hour < 9 and fired[0].fired_at % (300 * SECOND) == 0
    assert fired[0].reasons[0].code == "too_few"
    assert fired[0].reasons[0].parameters["count"] == 0


def test_a_silence_that_says_nothing_is_left_out_with_what_came_in_it():
    value = drawn(rates(21))
    total = np.cumsum(value)
    kept = np.ones(len(total), bool)
    kept[16 * A_DAY + 600 : 16 * A_DAY + 960] = False
    bank = make_bank("counts", {"counting": "total"}, [1])
    whole = block_of(total)
    scores = bank.score(ReadingBlock.of(whole.channel[kept], whole.time[kept], whole.value[kept]))
    assert not bank.needs_time and bank.advance(MONDAY + 22 * 86400 * SECOND) is None
    after = scores.score[16 * A_DAY + 600 : 16 * A_DAY + 900]
    assert after.max() < 3
    assert after[:15].max() == 0, "a window hardly seen is not judged"


def test_a_clock_that_is_set_right_keeps_the_window():
    value, step = drawn(rates(21)), 7 * 60 * SECOND
    bank = make_bank("counts", {"counting": "each"}, [1])
    straight, expected = scored(value)
    whole = block_of(value)
    bank.score(whole.rows(0, 20 * A_DAY))
    bank.shift(step)
    late = whole.rows(20 * A_DAY, len(value))
    got = bank.score(ReadingBlock.of(late.channel, late.time + step, late.value))
    assert np.abs(got.score - expected.score[20 * A_DAY :]).max() < 1.5
    assert abs(bank.state["taught"][0] - straight.state["taught"][0]) < 1


def test_suspect_and_late_rows_change_nothing_and_the_score_stands():
    bank, scores = scored(drawn(rates(15)))
    kept = bank.state.tobytes()
    last = int(block_of([0.0], 15 * A_DAY).time[0])
    odd = ReadingBlock.of([1, 1], [last, last - 3600 * SECOND], [40.0, 40.0], [int(Quality.SUSPECT), 0])
    got = bank.score(odd)
    assert got.score.tolist() == [scores.score[-1]] * 2
    assert got.flags.tolist() == [JUDGED, JUDGED]
    assert bank.state.tobytes() == kept


def test_one_side_hears_one_side():
    value = drawn(rates(21))
    busy, still = 15 * A_DAY + 180, 16 * A_DAY + 480
    value[busy : busy + 20] = 1.0
    value[still : still + 240] = 0.0
    high, low = (scored(value, side=side)[1].score for side in ("high", "low"))
    assert high[busy : busy + 20].max() > 3 > high[still : still + 240].max()
    assert low[still : still + 240].max() > 3 > low[busy : busy + 20].max()


def test_a_measured_quantity_is_no_count():
    from models.detectors.bank import Trait

    with pytest.raises(ParameterError, match="counts: channel hall/t is of kind temperature"):
        make_bank("counts", {}, [1], [Trait(kind="temperature", name="hall/t")])


def exact(count, mean, spread):
    """-ln of twice the tail, summed term by term."""
    shape = 1.0 / spread
    logs = [
        math.lgamma(n + shape) - math.lgamma(shape) - math.lgamma(n + 1)
        + shape * math.log(shape / (shape + mean)) + n * math.log(mean / (shape + mean))
        for n in range(20000)
    ]  # fmt: skip
    tail = logs[int(count) :] if count > mean else logs[: int(count) + 1]
    top = max(tail)
    return -math.log(2.0) - top - math.log(math.fsum(math.exp(one - top) for one in tail))


@pytest.mark.parametrize("mean", [0.003, 0.7, 12.0, 300.0])
@pytest.mark.parametrize("spread", [2e-4, 0.05, 1.5])
def test_tails_are_those_of_the_negative_binomial(mean, spread):
    for count in (0, 1, 3, round(0.5 * mean), round(1.5 * mean), round(2 * mean) + 20):
        far = exact(count, mean, spread)
        signed = max(0.0, far) if count > mean else -max(0.0, far)
        assert distance_of(float(count), mean, spread) == pytest.approx(signed, rel=1e-7, abs=1e-7)


def test_logarithm_of_the_gamma_function():
    for x in (1e-3, 0.5, 1.0, 7.99, 8.0, 123.4, 1e6, 1e9):
        assert log_gamma(x) == pytest.approx(math.lgamma(x), rel=1e-13, abs=1e-12)


def test_tails_stay_finite_whatever_comes():
    for count in (0.0, 0.5, 1e9):
        for mean in (1e-12, 1.0, 1e9):
            for spread in (0.0, 1e3):
                assert math.isfinite(distance_of(count, mean, spread))
