"""The trigger: when a score becomes an alert, and when it ends."""

from __future__ import annotations

import itertools

import pytest

from models.configuration import MonitorConfig, TriggerConfig
from models.monitor import Monitor
from models.readings import Quality, ReadingBlock
from models.replay import drive
from models.trigger import Phase, Why, next_phase
from models.trigger_pass import decide
from models.wire.messages import ChannelEntry

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
CHANNELS = {1: ChannelEntry(number=1, name="a", unit="Cel"), 2: ChannelEntry(number=2, name="b")}


def monitor(on_delay_s=0.0, off_delay_s=0.0, detector="limit", on_readings=1, **parameters):
    config = MonitorConfig(
        name="hot",
        detector=detector,
        parameters=parameters or {"high": 60},
        channels=("a", "b"),
        hazard="fire",
        trigger=TriggerConfig(on=5, on_delay_s=on_delay_s, off_delay_s=off_delay_s, on_readings=on_readings),
    )
    return Monitor(config, CHANNELS, gateway="gw-1")


def feed(one, readings, first_index=0, quality=0):
    """Readings as (seconds, value) on channel 1, one block; returns (state, seconds) of each alert."""
    block = ReadingBlock.of(
        [1] * len(readings),
        [START + round(at * SECOND) for at, _ in readings],
        [value for _, value in readings],
        [quality] * len(readings),
        first_index=first_index,
    )
    return told(drive([one], block))


def told(alerts):
    return [(alert.state.value, ((alert.resolved_at or alert.fired_at) - START) / SECOND) for alert in alerts]


def test_compiled_decision_equals_the_pure_function():
    scores = (0.0, 1.0, 2.1, 2.5, 3.0, 9.9)
    for phase, score, waited, on, off, on_delay, off_delay, missing in itertools.product(
        Phase, scores, (0, 4, 5, 6), (0.0, 3.0), (0.0, 2.1, 3.0), (0, 5), (0, 5), (-1, 0, 1)
    ):
        given = (score, waited, on, off, on_delay, off_delay, missing)
        assert decide(int(phase), *given) == next_phase(phase, *given)[0]


@pytest.mark.parametrize(
    ("phase", "score", "waited", "delays", "expected"),
    [
        (Phase.IDLE, 2.9, 0, (0, 0), (Phase.IDLE, Why.QUIET)),
        (Phase.IDLE, 3.0, 0, (0, 0), (Phase.FIRING, Why.ROSE)),
        (Phase.IDLE, 3.0, 0, (5, 0), (Phase.PENDING, Why.ROSE)),
        (Phase.PENDING, 3.0, 4, (5, 0), (Phase.PENDING, Why.WAITING)),
        (Phase.PENDING, 3.0, 5, (5, 0), (Phase.FIRING, Why.LASTED)),
        (Phase.PENDING, 2.9, 5, (5, 0), (Phase.IDLE, Why.FELL)),
        (Phase.FIRING, 2.1, 9, (0, 0), (Phase.FIRING, Why.STAYED)),
        (Phase.FIRING, 2.0, 9, (0, 0), (Phase.IDLE, Why.RECOVERED)),
        (Phase.FIRING, 2.0, 9, (0, 5), (Phase.HOLDING, Why.FELL)),
        (Phase.HOLDING, 2.2, 1, (0, 5), (Phase.FIRING, Why.RETURNED)),
        (Phase.HOLDING, 2.0, 4, (0, 5), (Phase.HOLDING, Why.ENDING)),
        (Phase.HOLDING, 2.0, 5, (0, 5), (Phase.IDLE, Why.RECOVERED)),
    ],
)
def test_decision_and_its_reason(phase, score, waited, delays, expected):
    assert next_phase(phase, score, waited, 3.0, 2.1, *delays) == expected


def test_one_odd_reading_is_no_alert_where_two_are_asked_for():
    patient = monitor(on_readings=2)
    assert feed(patient, [(0, 20), (1, 90), (2, 20), (3, 90)]) == []
    assert feed(patient, [(4, 91)], first_index=4) == [("firing", 4)]


def test_a_delay_that_ends_on_one_reading_waits_for_the_second():
    slow = monitor(on_delay_s=30, on_readings=2)
    assert feed(slow, [(0, 90)]) == []
    assert told(slow.advance(START + 45 * SECOND)) == []
    assert feed(slow, [(60, 90)], first_index=1) == [("firing", 60)]
    early = monitor(on_delay_s=30, on_readings=2)
    assert feed(early, [(0, 90), (10, 90)]) == []
    assert told(early.advance(START + 45 * SECOND)) == [("firing", 30)]


def test_silence_needs_no_second_reading():
    absent = monitor(detector="absence", on_readings=3, after_s=60)
    assert feed(absent, [(0, 20)]) == []
    assert told(absent.advance(START + 90 * SECOND)) == [("firing", 60), ("firing", 60)]


def test_one_high_reading_fires_and_the_next_low_one_resolves():
    assert feed(monitor(), [(0, 20), (1, 61), (2, 62), (3, 20)]) == [("firing", 1), ("resolved", 3)]


def test_a_spike_shorter_than_the_delay_raises_nothing():
    assert feed(monitor(on_delay_s=5), [(0, 61), (3, 61), (4.5, 20), (20, 20)]) == []


def test_a_run_longer_than_the_delay_fires_on_the_whole_second():
    one = monitor(on_delay_s=5)
    assert feed(one, [(0.25, 61), (4, 61), (9, 61)]) == [("firing", 6)]


def test_the_last_score_stands_while_time_passes_without_readings():
    one = monitor(on_delay_s=5, off_delay_s=3)
    assert feed(one, [(0, 61)]) == []
    assert told(one.advance(START + 4 * SECOND)) == []
    assert told(one.advance(START + 400 * SECOND)) == [("firing", 5)]
    assert feed(one, [(500, 20)], 1) == []
    assert told(one.advance(START + 600 * SECOND)) == [("resolved", 503)]


def test_a_return_while_holding_off_keeps_the_same_alert():
    one = monitor(off_delay_s=10)
    readings = [(0, 61), (1, 20), (5, 61), (6, 20), (30, 20)]
    assert feed(one, readings) == [("firing", 0), ("resolved", 16)]


def test_the_onset_is_the_first_reading_of_the_pending_run():
    one = monitor(on_delay_s=5)
    block = ReadingBlock.of(
        [1] * 9, [START + k * SECOND for k in range(9)], [20, 61, 20, 61, 61, 61, 61, 61, 61]
    )
    [alert] = drive([one], block)
    assert (alert.onset_index, alert.onset_at) == (3, START + 3 * SECOND)
    assert alert.fired_at == START + 8 * SECOND


def test_imported_readings_move_no_trigger():
    one = monitor()
    assert feed(one, [(0, 99), (1, 99)], quality=int(Quality.HISTORIC)) == []
    assert feed(one, [(2, 99)], 2) == [("firing", 2)]
    assert feed(one, [(3, 20)], 3, quality=int(Quality.HISTORIC)) == []


@pytest.mark.parametrize("flag", [Quality.INVALID, Quality.OUT_OF_RANGE, Quality.TIME_FUTURE])
def test_an_unbelieved_reading_neither_fires_nor_resolves(flag):
    one = monitor()
    assert feed(one, [(0, 99)], quality=int(flag)) == []
    assert feed(one, [(1, 99)], 1) == [("firing", 1)]
    assert feed(one, [(2, 20)], 2, quality=int(flag)) == []


def test_an_unbelieved_future_time_does_not_move_event_time():
    one = monitor(on_delay_s=5)
    feed(one, [(0, 61)])
    assert feed(one, [(9000, 20)], 1, quality=int(Quality.TIME_FUTURE)) == []
    assert feed(one, [(2, 61)], 2) == []


def test_a_delay_is_not_ended_by_a_step_of_the_wall_clock():
    one = monitor(on_delay_s=60)
    feed(one, [(0, 61)])
    stepped = ReadingBlock.of(
        [1], [START + 3601 * SECOND], [61], first_index=1, monotonic_offset_ns=3600 * SECOND
    )
    assert drive([one], stepped) == []
    later = ReadingBlock.of(
        [1], [START + 3660 * SECOND], [61], first_index=2, monotonic_offset_ns=3600 * SECOND
    )
    assert told(drive([one], later)) == [("firing", 3660)]


def test_off_above_on_is_refused():
    with pytest.raises(ValueError, match="must not be above"):
        TriggerConfig(on=3, off=4)
