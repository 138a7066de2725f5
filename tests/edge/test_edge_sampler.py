"""One device's loop: in time, patient, quiet, and losing nothing it was given."""

from __future__ import annotations

import logging
import threading

from edge_rig import START, wait_until

from edge_agent.drivers.seam import Batch, DriverError, ExhaustedError
from edge_agent.sampler.backoff import Backoff
from edge_agent.sampler.calibration import Calibration
from edge_agent.sampler.clock_trust import Stamp, clock_state
from edge_agent.sampler.device_loop import DeviceLoop
from models.clock import ClockState, SystemClock
from models.configuration import ChannelConfig, DeviceConfig
from models.errors import TransientError

DEVICE = DeviceConfig(
    name="d", driver="fake", channels=(ChannelConfig(name="t", kind="x", source="t", resolution=0),)
)


class ScriptedDriver:
    """Plays a list: a number is a sample, an error is raised, None is silence; then it has ended."""

    is_polled = False
    owns_time = True

    def __init__(self, *script: object) -> None:
        self._script = list(script)
        self.opened: list[str | None] = []
        self.acknowledged: list[object] = []
        self.closed = 0

    def open(self, cursor: str | None) -> None:
        self.opened.append(cursor)

    def read(self, wait_s: float) -> Batch | None:
        if not self._script:
            raise ExhaustedError("ended")
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        return None if step is None else Batch.of([0], [step], [START], cursor=f"after {step}", token=step)

    def taken(self, batch: Batch) -> None:
        self.acknowledged.append(batch.token)

    def close(self) -> None:
        self.closed += 1


class Shelf:
    """A journal in memory that may refuse for a while."""

    def __init__(self, refusals: int = 0) -> None:
        self.stored: list[tuple[float, str | None]] = []
        self._refusals = refusals
        self.driver: ScriptedDriver | None = None
        self.acknowledged_when_stored: list[int] = []

    def append(self, block, device, cursor) -> None:
        if self._refusals:
            self._refusals -= 1
            raise TransientError("full")
        self.stored.append((float(block.value[0]), cursor))
        self.acknowledged_when_stored.append(len(self.driver.acknowledged) if self.driver else 0)


def trusted() -> Stamp:
    clock = SystemClock()
    return Stamp(clock.wall_ns(), clock.monotonic_ns(), ClockState.TRUSTED)


def run_loop(driver: ScriptedDriver, shelf: Shelf, cursor: str | None = None) -> DeviceLoop:
    shelf.driver = driver
    loop = DeviceLoop(
        "d", driver, Calibration(DEVICE, {"t": 1}, late_s=1, ahead_s=1, owns_time=True), shelf,
        period_s=1.0, clock=SystemClock(), stamp=trusted,
        backoff=Backoff(base_s=0.01, ceiling_s=0.01, draw=lambda: 1.0), cursor=cursor,
    )  # fmt: skip
    loop.run()
    return loop


def test_sample_is_acknowledged_only_after_it_was_stored():
    driver, shelf = ScriptedDriver(1.0, 2.0), Shelf()
    run_loop(driver, shelf)
    assert shelf.stored == [(1.0, "after 1.0"), (2.0, "after 2.0")]
    assert shelf.acknowledged_when_stored == [0, 1]
    assert driver.acknowledged == [1.0, 2.0]


def test_device_that_fails_is_opened_again_at_its_cursor():
    driver, shelf = ScriptedDriver(1.0, DriverError("gone"), None, 2.0), Shelf()
    run_loop(driver, shelf, cursor="begin")
    assert driver.opened == ["begin", "after 1.0"]
    assert [value for value, _ in shelf.stored] == [1.0, 2.0]
    assert driver.closed == 2


def test_bug_in_a_driver_ends_neither_loop_nor_thread():
    driver, shelf = ScriptedDriver(1.0, ZeroDivisionError("bug"), 2.0), Shelf()
    loop = run_loop(driver, shelf)
    assert [value for value, _ in shelf.stored] == [1.0, 2.0]
    assert loop.state.failures == 2


def test_full_journal_is_waited_for_and_nothing_is_skipped():
    driver, shelf = ScriptedDriver(1.0, 2.0), Shelf(refusals=2)
    run_loop(driver, shelf)
    assert [value for value, _ in shelf.stored] == [1.0, 2.0]


def test_stop_while_the_journal_is_full_acknowledges_nothing():
    driver, shelf = ScriptedDriver(1.0), Shelf(refusals=10**6)
    loop = DeviceLoop(
        "d", driver, Calibration(DEVICE, {"t": 1}, late_s=1, ahead_s=1, owns_time=True), shelf,
        period_s=1.0, clock=SystemClock(), stamp=trusted,
        backoff=Backoff(base_s=0.01, ceiling_s=0.01, draw=lambda: 1.0),
    )  # fmt: skip
    loop.start()
    assert wait_until(lambda: bool(driver.opened))
    loop.stop()
    assert driver.acknowledged == []
    assert not any(thread.name == "device-d" for thread in threading.enumerate())


def test_device_that_stays_away_is_logged_once(caplog):
    driver = ScriptedDriver(1.0, *[DriverError("no answer")] * 20, 2.0)
    with caplog.at_level(logging.INFO):
        run_loop(driver, Shelf())
    said = [record.message for record in caplog.records if "no answer" in record.message]
    assert len(said) == 1
    assert [record.message for record in caplog.records if "answers" in record.message] == [
        "device d: answers"
    ] * 2


def test_backoff_doubles_to_its_ceiling_and_begins_again():
    waits = Backoff(base_s=1, ceiling_s=8, draw=lambda: 1.0)
    assert [waits.next_s() for _ in range(5)] == [1, 2, 4, 8, 8]
    waits.reset()
    assert waits.next_s() == 1


def test_clock_before_the_earliest_date_is_untrusted_whatever_the_kernel_says():
    assert clock_state(10, synchronised=True) is ClockState.UNTRUSTED
    assert clock_state(START, synchronised=True) is ClockState.TRUSTED
    assert clock_state(START, synchronised=False) is ClockState.UNKNOWN
