"""Monitors: alerts with derived ids, reasons, snapshots, silence, steps of the clock."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.alert import AlertState
from models.configuration import MonitorConfig
from models.errors import ConfigurationError, SnapshotError
from models.identity import alert_id
from models.monitor import Monitor
from models.readings import Quality, ReadingBlock
from models.replay import drive
from models.wire.messages import ChannelEntry

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
BOOT, NEXT_BOOT = "a" * 32, "b" * 32
NAMES = {1: "kitchen/temperature", 2: "hall/temperature", 3: "door"}
CHANNELS = {
    number: ChannelEntry(number=number, name=name, unit="Cel", device="dev", resolution=0.1)
    for number, name in NAMES.items()
}


def config(detector="limit", names=tuple(NAMES.values()), trigger=None, **parameters):
    return MonitorConfig(
        name="m",
        detector=detector,
        parameters=parameters or ({"high": 60} if detector == "limit" else {}),
        channels=names,
        hazard="fire",
        trigger=trigger or {"on": 5},
    )


def monitor(*given, **more):
    return Monitor(config(*given, **more), CHANNELS, gateway="gw-1", config_version=7, code_version="x")


def block(rows, first_index=0, boot=BOOT, offset=0, quality=0):
    """Rows as (channel, seconds, value)."""
    return ReadingBlock.of(
        [row[0] for row in rows],
        [START + round(row[1] * SECOND) for row in rows],
        [row[2] for row in rows],
        [quality] * len(rows),
        first_index=first_index,
        boot=boot,
        monotonic_offset_ns=offset,
    )


def at(seconds):
    return START + round(seconds * SECOND)


def test_an_alert_says_what_and_when_and_by_which_code():
    one = monitor()
    fired, resolved = drive([one], block([(1, 0, 20), (1, 1, 71.5), (2, 1, 20), (1, 2, 30)], 40))
    assert fired.id == resolved.id == alert_id("gw-1", "m", BOOT, 41)
    assert (fired.state, resolved.state) == (AlertState.FIRING, AlertState.RESOLVED)
    assert (fired.channel, fired.device, fired.unit) == ("kitchen/temperature", "dev", "Cel")
    assert (fired.value, fired.upper, fired.lower, fired.expected) == (71.5, 60, None, None)
    assert (fired.onset_index, fired.boot, fired.config_version, fired.code_version) == (41, BOOT, 7, "x")
    assert fired.onset_at == fired.fired_at == fired.measured_at == at(1)
    assert fired.resolved_at is None
    assert resolved.resolved_at == at(2)
    assert fired.reasons[0].code == "above_limit"
    assert fired.reasons[0].parameters == {"value": 71.5, "limit": 60.0}
    assert resolved.reasons == fired.reasons


def test_each_channel_is_judged_by_itself():
    alerts = drive([monitor()], block([(1, 0, 70), (2, 0, 70), (3, 0, 1)]))
    assert [alert.channel for alert in alerts] == ["kitchen/temperature", "hall/temperature"]
    assert len({alert.id for alert in alerts}) == 2


def test_silence_is_told_once_from_the_last_reading_on_and_ends_with_the_next():
    one = monitor("absence", ("door",), after_s=30)
    assert drive([one], block([(3, 0.5, 1), (1, 10, 20)], 90)) == []
    assert one.advance(at(30)) == []
    [alert] = one.advance(at(31))
    assert (alert.onset_index, alert.onset_at, alert.value) == (90, at(0.5), None)
    assert (alert.fired_at, alert.measured_at) == (at(31), at(0.5))
    assert alert.reasons[0].code == "silent"
    assert alert.reasons[0].parameters == {"seconds": 30.5, "limit": 30.0}
    assert one.advance(at(500)) == []
    [resolved] = drive([one], block([(3, 600, 1)], 95))
    assert (resolved.id, resolved.resolved_at) == (alert.id, at(600))


def test_channels_never_heard_are_silent_each_with_an_id_of_its_own():
    one = monitor("absence", after_s=30)
    one.advance(at(0))
    alerts = one.advance(at(100))
    assert len({alert.id for alert in alerts}) == 3
    assert {alert.fired_at for alert in alerts} == {at(30)}
    assert {alert.onset_index for alert in alerts} == {0}


def test_a_door_left_open_needs_no_second_reading():
    one = monitor("state_duration", ("door",), state=1, longest_s=120)
    drive([one], block([(3, 0, 0), (3, 5, 1), (1, 6, 20), (1, 7, 20)], 10))
    [alert] = one.advance(at(300))
    assert (alert.fired_at, alert.onset_index, alert.value) == (at(125), 11, 1.0)
    assert alert.reasons[0].parameters == {"seconds": 120.0, "state": 1.0, "limit": 120.0}


def test_dwell_and_rate_and_flat_line_give_their_reasons():
    dwell = monitor("dwell", ("kitchen/temperature",), high=40, for_s=10)
    drive([dwell], block([(1, 0, 41)]))
    [alert] = dwell.advance(at(20))
    assert alert.reasons[0].code == "dwelt"
    assert alert.reasons[0].parameters == {"value": 41.0, "limit": 40.0, "seconds": 10.0}
    rate = monitor("rate", ("kitchen/temperature",), rise_per_s=0.5, window_s=10)
    [alert] = drive([rate], block([(1, k, 20.0 + k) for k in range(11)]))
    assert alert.reasons[0].parameters == {"per_s": 1.0, "limit": 0.5, "window_s": 10.0}
    flat = monitor("flat_line", ("kitchen/temperature",), for_s=5)
    [alert] = drive([flat], block([(1, k, 20.0) for k in range(6)]))
    assert alert.reasons[0].parameters == {"value": 20.0, "seconds": 5.0, "limit": 5.0}


@pytest.mark.parametrize("detector", ["ewma", "time_of_day"])
def test_a_jump_after_days_of_calm_is_unexpected_with_its_band(detector):
    chance = np.random.default_rng(1)
    rows = [(1, 60 * k, round(20 + chance.normal(0, 0.3), 1)) for k in range(5 * 1440)]
    one = monitor(detector, ("kitchen/temperature",), trigger={"on": 6, "off": 3})
    assert drive([one], block(rows, quality=int(Quality.HISTORIC))) == []
    [alert] = drive([one], block([(1, 5 * 86400, 60)], len(rows)))
    reason = alert.reasons[0]
    assert reason.code == "unexpected"
    assert set(reason.parameters) == {"value", "expected", "lower", "upper", "surprise", "extrapolated"}
    assert alert.lower < 20 < alert.upper < 25
    assert abs(alert.expected - 20) < 1
    assert reason.parameters["extrapolated"] == 1
    assert reason.parameters["surprise"] == round(alert.score, 3)


def test_history_at_60_s_serves_live_readings_at_1_s():
    chance = np.random.default_rng(2)

    def value(second):
        return round(20 + 3 * math.sin(second / 86400 * 2 * math.pi) + chance.normal(0, 0.3), 1)

    rows = [(1, second, value(second)) for second in range(0, 7 * 86400, 60)]
    one = monitor("time_of_day", ("kitchen/temperature",), trigger={"on": 5})
    drive([one], block(rows, quality=int(Quality.HISTORIC)))
    live = [(1, second, value(second)) for second in range(7 * 86400, 7 * 86400 + 7200)]
    scores, alerts = one.judge(block(live, len(rows)))
    assert alerts == []
    assert (scores[0].score >= 3).mean() < 0.005


def walk(n, seed):
    """Readings of three channels with spells above the limit, equal values, silences."""
    chance = np.random.default_rng(seed)
    time = np.cumsum(chance.choice([0.1, 0.7, 1.0, 9.0], n, p=[0.3, 0.3, 0.3, 0.1]))
    level = np.where(chance.random(n) < 0.3, 70.0, 20.0)
    return list(zip(chance.integers(1, 4, n).tolist(), time.tolist(), level.tolist(), strict=True))


SETTINGS = {
    "limit": {"high": 60},
    "dwell": {"high": 60, "for_s": 2},
    "absence": {"after_s": 8},
    "flat_line": {"for_s": 3},
    "ewma": {"tau_s": 20, "warmup_s": 50},
}


@settings(max_examples=40, deadline=None)
@given(
    detector=st.sampled_from(sorted(SETTINGS)),
    cuts=st.lists(st.integers(0, 250), max_size=5),
    delays=st.tuples(st.sampled_from([0, 3]), st.sampled_from([0, 4])),
    seed=st.integers(0, 500),
    restart=st.booleans(),
)
def test_cuts_and_restarts_change_no_alert(detector, cuts, delays, seed, restart):
    rows = walk(250, seed)
    trigger = {"on": 1.5, "on_delay_s": delays[0], "off_delay_s": delays[1]}
    whole = monitor(detector, trigger=trigger, **SETTINGS[detector])
    expected = drive([whole], block(rows)) + whole.advance(at(1000))
    one = monitor(detector, trigger=trigger, **SETTINGS[detector])
    got = []
    edges = [0, *sorted(cuts), len(rows)]
    for begin, end in itertools.pairwise(edges):
        got += drive([one], block(rows).rows(begin, end))
        if restart:
            fresh = monitor(detector, trigger=trigger, **SETTINGS[detector])
            fresh.restore(one.snapshot())
            one = fresh
    assert got + one.advance(at(1000)) == expected
    assert one.snapshot() == whole.snapshot()


@settings(max_examples=20, deadline=None)
@given(detector=st.sampled_from(sorted(SETTINGS)), seed=st.integers(0, 500))
def test_stepping_every_second_gives_the_same_alerts(detector, seed):
    """The edge advances each second in silence; replay jumps from reading to reading."""
    rows = walk(120, seed)
    trigger = {"on": 1.5, "on_delay_s": 2, "off_delay_s": 3}
    jumping, stepping = (monitor(detector, trigger=trigger, **SETTINGS[detector]) for _ in range(2))
    expected = drive([jumping], block(rows)) + jumping.advance(at(1000))
    got = []
    for row in range(len(rows)):
        got += drive([stepping], block(rows).rows(row, row + 1))
        until = rows[row + 1][1] if row + 1 < len(rows) else 1000
        for second in range(math.floor(rows[row][1]), math.floor(until) + 1):
            got += stepping.advance(at(second))
    key = lambda alert: (alert.resolved_at or alert.fired_at, alert.id, alert.state)  # noqa: E731
    assert sorted(got, key=key) == sorted(expected, key=key)


def test_restart_while_pending_keeps_the_id():
    trigger = {"on": 5, "on_delay_s": 60}
    one = monitor(trigger=trigger)
    drive([one], block([(1, 0, 70)], 5))
    again = monitor(trigger=trigger)
    again.restore(one.snapshot())
    [alert] = drive([again], block([(1, 61, 70)], 900, boot=BOOT))
    assert alert.id == alert_id("gw-1", "m", BOOT, 5)


def test_an_alert_that_outlives_a_boot_keeps_its_id():
    one = monitor()
    [fired] = drive([one], block([(1, 0, 70)], 5, boot=BOOT))
    [resolved] = drive([one], block([(1, 9, 20)], 0, boot=NEXT_BOOT, offset=5))
    assert (resolved.id, resolved.boot) == (fired.id, BOOT)
    for life in range(40):
        drive([one], block([(1, 10 + life, 20)], 0, boot=f"{life:032x}", offset=life))
    assert len(one._boots) < 6


def test_a_reboot_is_no_silence_and_no_dwell():
    one = monitor("absence", after_s=30)
    rows = [(1, 0, 20), (2, 0, 20), (3, 0, 1)]
    drive([one], block(rows, boot=BOOT))
    day_later = [(1, 86400, 20)]
    assert drive([one], block(day_later, boot=NEXT_BOOT, offset=77)) == []
    assert one.advance(at(86400 + 29)) == []
    assert len(one.advance(at(86400 + 31))) == 3


@pytest.mark.parametrize("step", [3600, -3600])
def test_a_step_of_the_wall_clock_is_no_silence(step):
    one = monitor("absence", after_s=30)
    rows = [(1, 0, 20), (2, 0, 20), (3, 0, 1)]
    drive([one], block(rows))
    moved = [(number, seconds + 1 + step, value) for number, seconds, value in rows]
    assert drive([one], block(moved, 3, offset=step * SECOND)) == []
    assert one.advance(at(step + 30)) == []
    assert len(one.advance(at(step + 32))) == 3


def test_new_channels_join_without_loss_of_what_was_learned():
    one = monitor("ewma", ("kitchen/temperature",))
    drive([one], block([(1, k, 20 + k % 3) for k in range(500)]))
    wider = monitor("ewma", ("hall/temperature", "kitchen/temperature"))
    wider.restore(one.snapshot())
    assert wider._bank.state[1].tobytes() == one._bank.state[0].tobytes()
    assert wider.snapshot([1]) == one.snapshot([1])


def test_a_damaged_or_foreign_snapshot_is_refused_and_changes_nothing():
    one = monitor("ewma")
    drive([one], block(walk(200, 1)))
    data, kept = one.snapshot(), one.snapshot()
    for cut in (0, 3, 10, len(data) - 1):
        with pytest.raises(SnapshotError):
            one.restore(data[:cut])
    with pytest.raises(SnapshotError):
        one.restore(data[:-5] + bytes(5))
    with pytest.raises(SnapshotError):
        one.restore(monitor("ewma", tau_s=5).snapshot())
    assert one.snapshot() == kept


def test_other_thresholds_keep_what_was_learned():
    one = monitor("ewma", trigger={"on": 3})
    drive([one], block(walk(200, 1)))
    other = monitor("ewma", trigger={"on": 8})
    other.restore(one.snapshot())
    assert other._bank.state.tobytes() == one._bank.state.tobytes()


def test_wrong_configuration_says_which_monitor_and_why():
    with pytest.raises(
        ConfigurationError, match=r"monitors\.m: unknown detector 'limti' \(did you mean limit"
    ):
        monitor("limti", high=3)
    with pytest.raises(ConfigurationError, match=r"monitors\.m\.channels: unknown channels \['attic'\]"):
        monitor("limit", ("attic",), high=3)
    with pytest.raises(ConfigurationError, match=r"low .* must be below high"):
        monitor("limit", low=3, high=2)


def test_infinite_and_nan_values_make_valid_alerts():
    one = monitor("limit", high=60)
    rows = [(1, 0, math.nan), (1, 1, math.inf), (1, 2, 1e308)]
    [alert] = drive([one], block(rows))
    assert alert.value == 1e308
    assert alert.model_dump_json()


def test_an_untrusted_clock_is_said():
    [alert] = drive([monitor()], block([(1, 0, 70)], quality=int(Quality.CLOCK_UNTRUSTED)))
    assert alert.clock_trusted is False


def test_cost_holds_for_long_channel_vectors():
    """Ten thousand channels fit one monitor: state is proportional, and each is judged."""
    entries = {k: ChannelEntry(number=k, name=f"c{k}") for k in range(10_000)}
    wide = MonitorConfig(
        name="w",
        detector="limit",
        parameters={"high": 1},
        channels=tuple(entry.name for entry in entries.values()),
        hazard="x",
        trigger={"on": 5},
    )
    one = Monitor(wide, entries, gateway="g")
    alerts = drive([one], block([(k, 0, 2.0 if k % 1000 == 0 else 0.0) for k in range(10_000)]))
    assert [alert.channel for alert in alerts] == [f"c{k}" for k in range(0, 10_000, 1000)]
