"""What is known against a reading is flagged, and what is flagged is not believed."""

from __future__ import annotations

import math

import pytest
from edge_rig import START

from edge_agent.drivers.seam import Batch
from edge_agent.sampler.calibration import Calibration
from models.clock import SECOND_NS, ClockState
from models.configuration import ChannelConfig, DeviceConfig
from models.readings import NOT_BELIEVED, Quality, ReadingBlock

DEVICE = DeviceConfig(
    name="boiler",
    driver="modbus_tcp",
    channels=(
        ChannelConfig(
            name="t", kind="temperature", source="t", scale=0.1, resolution=0.1, minimum=-40, maximum=125
        ),
        ChannelConfig(name="p", kind="pressure", source="p", offset=-1.0, resolution=0.5),
    ),
)  # fmt: skip


def readings(
    batch: Batch, *, state: ClockState = ClockState.TRUSTED, owns_time: bool = False
) -> ReadingBlock:
    calibration = Calibration(DEVICE, {"t": 4, "p": 9}, late_s=3600, ahead_s=60, owns_time=owns_time)
    return calibration.block(batch, wall_ns=START + 400_001, monotonic_ns=5, state=state)


def test_raw_samples_become_rounded_values_under_their_numbers():
    block = readings(Batch.of([0, 1], [213.0, 3.3]))
    assert block.channel.tolist() == [4, 9]
    assert block.value.tolist() == [21.3, 2.5]
    assert block.quality.tolist() == [0, 0]


def test_one_poll_has_one_time_in_whole_milliseconds():
    assert readings(Batch.of([0, 1], [1.0, 2.0])).time.tolist() == [START, START]


@pytest.mark.parametrize(
    ("raw", "flag"),
    [
        (math.nan, Quality.INVALID),
        (math.inf, Quality.INVALID),
        (-math.inf, Quality.INVALID),
        (9999.0, Quality.OUT_OF_RANGE),
        (-401.0, Quality.OUT_OF_RANGE),
        (1250.0, Quality.GOOD),
    ],
)
def test_value_that_cannot_be_is_flagged(raw, flag):
    block = readings(Batch.of([0], [raw]))
    assert Quality(int(block.quality[0])) == flag
    assert math.isnan(block.value[0]) == (flag is Quality.INVALID)
    assert bool(flag & NOT_BELIEVED) == (flag != Quality.GOOD)


@pytest.mark.parametrize(
    ("age_s", "flag"),
    [(0, Quality.GOOD), (3599, Quality.GOOD), (3700, Quality.TIME_PAST), (-59, Quality.GOOD),
     (-61, Quality.TIME_FUTURE), (10**9, Quality.TIME_PAST)],
)  # fmt: skip
def test_device_time_out_of_bounds_is_flagged_and_kept(age_s, flag):
    at = START - age_s * SECOND_NS
    block = readings(Batch.of([0], [200.0], [at]))
    assert Quality(int(block.quality[0])) == flag
    assert block.time.tolist() == [at]


def test_recording_owns_its_time_however_old():
    assert readings(Batch.of([0], [200.0], [5 * SECOND_NS]), owns_time=True).quality.tolist() == [0]


@pytest.mark.row("A13")
def test_reading_under_an_unset_clock_is_marked_and_device_times_are_not_judged_by_it():
    block = readings(Batch.of([0], [200.0], [START * 2]), state=ClockState.UNTRUSTED)
    assert Quality(int(block.quality[0])) == Quality.CLOCK_UNTRUSTED
    assert block.clock is ClockState.UNTRUSTED


def test_messages_that_come_all_at_once_keep_a_time_each():
    calibration = Calibration(DEVICE, {"t": 4, "p": 9}, late_s=3600, ahead_s=60)
    one = Batch.of([0, 1], [1.0, 2.0])
    times = [
        calibration.block(one, wall_ns=wall, monotonic_ns=5, state=ClockState.TRUSTED).time.tolist()
        for wall in (START, START, START + 200_000, START + 10_000_000)
    ]
    step = 1_000_000
    assert times == [[START + k * step] * 2 for k in (0, 1, 2, 10)]


def test_clock_set_back_is_followed_not_held_against():
    calibration = Calibration(DEVICE, {"t": 4, "p": 9}, late_s=3600, ahead_s=60)
    one = Batch.of([0], [1.0])
    hour_ago = START - 3600 * SECOND_NS
    for wall in (START, hour_ago):
        block = calibration.block(one, wall_ns=wall, monotonic_ns=5, state=ClockState.TRUSTED)
        assert block.time.tolist() == [wall]


@pytest.mark.parametrize(
    ("kind", "unit", "raw", "flag"),
    [
        ("gas", "%LEL", 65535.0, Quality.OUT_OF_RANGE),
        ("gas", "%LEL", 80.0, Quality.GOOD),
        ("co", "ppm", 65535.0, Quality.OUT_OF_RANGE),
        ("co", "mg/m3", 65535.0, Quality.GOOD),
        ("temperature", "Cel", -999.0, Quality.OUT_OF_RANGE),
        ("temperature", "Cel", 900.0, Quality.GOOD),
        ("", "", 65535.0, Quality.GOOD),
    ],
)
def test_where_the_site_has_set_no_range_physics_sets_one(kind, unit, raw, flag):
    device = DeviceConfig(
        name="any",
        driver="mqtt",
        channels=(ChannelConfig(name="c", kind=kind, unit=unit, source="c", resolution=0.1),),
    )
    calibration = Calibration(device, {"c": 1}, late_s=3600, ahead_s=60)
    batch = Batch.of([0], [raw])
    block = calibration.block(batch, wall_ns=START, monotonic_ns=5, state=ClockState.TRUSTED)
    assert Quality(int(block.quality[0])) == flag
