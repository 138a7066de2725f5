"""Usual duration: a lift's door, a bed by day and by night, a valve; states that last too long."""

from __future__ import annotations

import numpy as np
import pytest

from models.configuration import MonitorConfig
from models.detectors.bank import Judged
from models.detectors.registry import make_bank
from models.detectors.rows import JUDGED, RUN, WARMING
from models.monitor import Monitor
from models.readings import Quality, ReadingBlock
from models.replay import drive
from models.wire.messages import ChannelEntry

SECOND = 1_000_000_000
MIDNIGHT = 1_790_035_200 * SECOND


def door(openings, seed=1, spread=0.4):
    """Changes of a lift's door alone: open for about 9 s, closed for minutes; times, values, durations."""
    chance = np.random.default_rng(seed)
    held = 9.0 * np.exp(chance.normal(0, spread, openings))
    closed = chance.exponential(400, openings) + 5.0
    edges = np.cumsum(np.ravel(np.column_stack([closed, held])))
    return MIDNIGHT + (edges * SECOND).astype(np.int64), np.tile([1.0, 0.0], openings), held


def block_of(time, value):
    return ReadingBlock.of([1] * len(value), time, value)


def followed(bank, block):
    """Scores with time let pass, and the highest score told while each open state lasted."""
    highest, peaks = 0.0, []
    for row in range(len(block)):
        judged = bank.advance(int(block.time[row]) // SECOND * SECOND)
        if judged is not None:
            highest = max(highest, float(judged.table[0].max()))
        bank.score(block.rows(row, row + 1))
        if block.value[row] == 0:
            peaks.append(highest)
            highest = 0.0
    return np.array(peaks)


def taught(openings=3000, seed=1, **parameters):
    bank = make_bank("usual_duration", parameters, [1])
    time, value, _ = door(openings, seed)
    bank.score(block_of(time, value))
    return bank, int(time[-1])


def test_a_door_that_stays_open_is_told_by_time_alone_at_a_whole_second():
    bank, end = taught()
    begin = end + 300 * SECOND + 123
    bank.advance(begin // SECOND * SECOND)
    bank.score(block_of([begin], [1.0]))
    judged = bank.advance(begin + 600 * SECOND)
    scores, seconds = judged.table[0], judged.table[4]
    assert (judged.at % SECOND == 0).all() and (np.diff(scores) > 0).all()
    assert seconds[scores > 3][0] < 60 and scores[-1] > 5
    assert bank.advance(begin + 600 * SECOND) is None
    reason = bank.explain(Judged(float(scores[-1]), 1.0, *judged.table[1:, -1].tolist(), True))[0]
    assert reason.code == "lasted" and reason.parameters["state"] == 1.0
    assert reason.parameters["seconds"] == pytest.approx(float(seconds[-1]))


def test_of_a_thousand_ordinary_openings_about_one_reaches_three():
    rates = []
    for seed in range(3):
        time, value, _ = door(6000, seed)
        bank = make_bank("usual_duration", {}, [1])
        peaks = followed(bank, block_of(time, value))[1000:]
        rates.append([(peaks >= level).mean() for level in (1, 2, 3)])
    one, two, three = np.mean(rates, axis=0)
    assert 0.05 < one < 0.12 and 0.004 < two < 0.013 and three < 2e-3


def nights(days, seed=2):
    """A bed: nights of 8 h from half past ten, naps of half an hour; a reading each minute."""
    chance = np.random.default_rng(seed)
    value = np.zeros(days * 1440)
    for day in range(days):
        for begin, usual, spread in ((1350, 480, 25), (810, 30, 6), (1050, 20, 5)):
            at = day * 1440 + begin + int(chance.normal(0, 15))
            value[at : at + max(5, int(chance.normal(usual, spread)))] = 1.0
    return MIDNIGHT + np.arange(days * 1440) * 60 * SECOND, value


def test_eight_hours_are_usual_at_night_and_not_for_a_nap():
    time, value = nights(60)
    nap = 55 * 1440 + 800
    value[nap - 40 : nap] = 0.0
    value[nap : nap + 240] = 1.0
    bank = make_bank("usual_duration", {}, [1])
    scores = bank.score(block_of(time, value))
    night = slice(54 * 1440 + 1300, 55 * 1440 + 500)
    assert not (scores.flags[night] & WARMING).any()
    assert scores.score[night].max() < 3
    assert scores.score[nap + 90 : nap + 240].max() > 3


def test_somebody_who_does_not_get_up_is_told_by_noon():
    time, value = nights(60)
    night = 55 * 1440
    value[night : night + 900] = 1.0
    scores = make_bank("usual_duration", {}, [1]).score(block_of(time, value))
    assert scores.score[night : night + 7 * 60].max() < 3
    assert scores.score[night + 12 * 60 : night + 13 * 60].max() > 4


def test_turning_over_in_bed_is_no_getting_up():
    time, value = nights(60)
    restless = value.copy()
    on = np.flatnonzero(value[1:] * value[:-1] > 0)[::37] + 1
    restless[on] = 0.0
    whole = make_bank("usual_duration", {"shortest_s": 300.0}, [1])
    broken = make_bank("usual_duration", {}, [1])
    for bank in (whole, broken):
        bank.score(block_of(time, restless))
    hours = [np.exp(bank.state["usual_at"][0, 8 + 7]) / 3600 for bank in (whole, broken)]
    assert hours[0] > 6 > 2 > hours[1]


def test_a_valve_left_open_for_a_day_is_one_odd_duration():
    bank, end = taught()
    before = float(bank.state["usual"][0, 1])
    bank.score(block_of([end + 60 * SECOND, end + 86400 * SECOND], [1.0, 0.0]))
    assert abs(float(bank.state["usual"][0, 1]) - before) < 0.03
    begin = end + 2 * 86400 * SECOND
    bank.advance(begin)
    bank.score(block_of([begin], [1.0]))
    judged = bank.advance(begin + 600 * SECOND)
    assert judged.table[0].max() > 3


def test_watching_the_other_state_hears_a_door_that_stays_closed():
    bank, end = taught(watched="off")
    bank.advance(end + 1)
    judged = bank.advance(end + 86400 * SECOND)
    assert judged.table[0].max() > 3
    bank, end = taught(watched="on")
    bank.advance(end + 1)
    assert bank.advance(end + 86400 * SECOND) is None


def test_an_alert_fires_between_readings_and_ends_with_the_state():
    time, value, _ = door(3000)
    config = MonitorConfig(
        name="m", detector="usual_duration", channels=("lift/door",), hazard="lift", trigger={"on": 4.0}
    )
    monitor = Monitor(config, {1: ChannelEntry(number=1, name="lift/door", kind="door")}, gateway="g")
    assert drive([monitor], block_of(time, value)) == []
    begin = int(time[-1]) + 100 * SECOND
    opened = block_of([begin], [1.0])
    drive([monitor], opened)
    [fired] = monitor.advance(begin + 3600 * SECOND)
    assert fired.resolved_at is None and 20 < (fired.fired_at - begin) / SECOND < 300
    assert fired.onset_at == begin, "the opening is where it began"
    closed = ReadingBlock.of([1], [begin + 3700 * SECOND], [0.0], first_index=1)
    [resolved] = drive([monitor], closed)
    assert resolved.id == fired.id and resolved.resolved_at == begin + 3700 * SECOND


def test_the_first_state_was_not_seen_to_begin_and_teaches_nothing():
    bank = make_bank("usual_duration", {}, [1])
    bank.score(block_of(MIDNIGHT + np.array([0, 9000, 9010]) * SECOND, [1.0, 0.0, 1.0]))
    assert bank.state["count"].tolist() == [[1.0, 0.0]]


def test_a_clock_that_is_not_trusted_ends_states_but_teaches_no_duration():
    bank, end = taught()
    kept = bank.state["count_at"].tobytes()
    odd = ReadingBlock.of(
        [1, 1], [end + 60 * SECOND, end + 9060 * SECOND], [1.0, 0.0], [int(Quality.CLOCK_UNTRUSTED)] * 2
    )
    bank.score(odd)
    assert bank.state["count_at"].tobytes() == kept and bank.state["state"][0] == 0


def test_a_suspect_or_late_row_changes_nothing():
    bank, end = taught()
    bank.score(block_of([end + 60 * SECOND], [1.0]))
    kept = bank.state.tobytes()
    odd = ReadingBlock.of([1, 1], [end + 90 * SECOND, end], [0.0, 0.0], [int(Quality.SUSPECT), 0])
    flags = bank.score(odd).flags
    assert (flags == JUDGED | RUN).all()
    assert bank.state.tobytes() == kept


def test_a_step_of_the_clock_while_open_changes_no_duration():
    bank, end = taught()
    other, _ = taught()
    begin, step = end + 60 * SECOND, 5 * 3600 * SECOND
    for one in (bank, other):
        one.advance(begin)
        one.score(block_of([begin], [1.0]))
    other.shift(step)
    told, shifted = bank.advance(begin + 300 * SECOND), other.advance(begin + step + 300 * SECOND)
    assert (shifted.at - step).tolist() == told.at.tolist()
    assert np.array_equal(shifted.table, told.table, equal_nan=True)


def test_fewer_than_fifty_durations_are_not_judged():
    bank, end = taught(40, warmup_s=0)
    bank.advance(end + 1)
    bank.score(block_of([end + 60 * SECOND], [1.0]))
    assert bank.advance(end + 86400 * SECOND) is None


def test_much_longer_than_ever_speaks_before_the_tail_would():
    """Taps that run for seconds to minutes spread over decades: the tail alone has room for hours."""
    chance = np.random.default_rng(3)
    time, value, at = [], [], MIDNIGHT
    for _ in range(600):
        at += int(chance.uniform(600, 3000)) * SECOND
        time.append(at)
        value.append(6.0)
        at += int(min(900.0, 20.0 * np.exp(chance.exponential(1.2)))) * SECOND
        time.append(at)
        value.append(0.0)
    bank = make_bank("usual_duration", {"active_above": 0.05}, [1])
    bank.advance(time[0])
    for row in range(len(time)):
        bank.advance(time[row])
        bank.score(block_of(time[row : row + 1], value[row : row + 1]))
    began = time[-1] + 600 * SECOND
    bank.score(block_of([began], [6.0]))
    said = bank.advance(began + 3600 * SECOND)
    assert said.table[0].max() == 9.9
    soonest = said.at[said.table[0] > 3.0][0]
    assert 1125 < (soonest - began) / SECOND < 1500


def test_what_has_not_lasted_the_least_duration_is_not_told():
    bank, end = taught(least_s=240.0)
    begin = end + 300 * SECOND
    bank.advance(begin)
    bank.score(block_of([begin], [1.0]))
    assert bank.advance(begin + 239 * SECOND) is None
    judged = bank.advance(begin + 300 * SECOND)
    assert judged.table[0].max() > 4.0 and judged.at[0] >= begin + 240 * SECOND
