"""Right times for what was measured before the clock was set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clock import SECOND_NS, ClockState
from models.mending import RightTime, mend_block, moved_ns
from models.readings import Quality, ReadingBlock

TRUE = 1_790_000_000 * SECOND_NS
WRONG = 1_735_690_200 * SECOND_NS  # wall minus monotonic time as it was told
any_time = st.integers(-(1 << 63), (1 << 63) - 1)


def block(times_s: list[float], clock: ClockState = ClockState.UNTRUSTED) -> ReadingBlock:
    """Readings so many seconds after boot, told under the wrong clock."""
    times = [WRONG + round(s * SECOND_NS) for s in times_s]
    flags = [int(Quality.CLOCK_UNTRUSTED)] * len(times)
    made = ReadingBlock.of([1] * len(times), times, times_s, flags, monotonic_offset_ns=WRONG)
    return ReadingBlock.of(
        made.channel, made.time, made.value, made.quality, monotonic_offset_ns=WRONG, clock=clock
    )


def test_times_of_the_boot_are_moved_and_stay_marked():
    right = RightTime(TRUE, 1800 * SECOND_NS, ClockState.TRUSTED)
    mended = mend_block(block([0.5, 10, 1799]), right)
    assert mended.time.tolist() == [TRUE + round(s * SECOND_NS) for s in (0.5, 10, 1799)]
    assert mended.quality.tolist() == [int(Quality.CLOCK_UNTRUSTED)] * 3
    assert (mended.clock, mended.monotonic_offset_ns) == (ClockState.TRUSTED, TRUE)
    assert mend_block(mended, right) is mended, "once is enough"


@pytest.mark.parametrize("clock", [ClockState.TRUSTED, ClockState.UNKNOWN])
def test_only_what_had_no_clock_is_moved(clock):
    given_block = block([1.0], clock)
    assert mend_block(given_block, RightTime(TRUE, 1800 * SECOND_NS)) is given_block


def test_device_with_a_clock_of_its_own_keeps_its_times():
    right = RightTime(TRUE, 60 * SECOND_NS)
    times = np.array([WRONG + 30 * SECOND_NS, TRUE + 30 * SECOND_NS, WRONG + 90 * SECOND_NS])
    assert moved_ns(times, WRONG, right).tolist() == [TRUE - WRONG, 0, 0]


@given(times=st.lists(any_time, min_size=1, max_size=20), wrong=any_time, right=any_time,
       monotonic=st.integers(0, (1 << 63) - 1))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_no_record_moves_a_time_out_of_bounds_or_fails(times, wrong, right, monotonic):
    told = np.array(times, np.int64)
    moved = moved_ns(told, wrong, RightTime(right, monotonic))
    for time, by in zip(times, moved.tolist(), strict=True):
        assert by == 0 or 0 <= time + by <= 1 << 62
