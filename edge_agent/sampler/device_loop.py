"""One device's life: open, ask in time, hand over, and when it fails wait and begin anew."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from edge_agent.drivers.seam import Batch, Driver, DriverError, ExhaustedError
from edge_agent.sampler.backoff import Backoff
from edge_agent.sampler.calibration import Calibration
from edge_agent.sampler.clock_trust import Stamp
from edge_agent.sampler.ordering import Ordering
from models.clock import SECOND_NS, Clock
from models.errors import TransientError
from models.readings import ReadingBlock

log = logging.getLogger(__name__)
_LISTEN_S = 0.5
_STORE_RETRY_S = 0.5
_SLICE_S = 5.0


class Journal(Protocol):
    """Where readings go first. The spool is one."""

    def append(self, block: ReadingBlock, device: str, cursor: str | None) -> None:
        """Store a block with its cursor; survives the death of the process when it returns.
        TransientError or OSError: no room now, nothing was stored."""
        ...


@dataclass(slots=True)
class DeviceState:
    """What can be said of a device right now."""

    is_up: bool = False
    readings: int = 0
    last_reading_at: int = 0
    failures: int = 0
    skipped_polls: int = 0
    problem: str = "not yet opened"


class DeviceLoop:
    """Runs one driver in a thread of its own until stopped. Logs when something changes, not each time."""

    def __init__(
        self,
        name: str,
        driver: Driver,
        calibration: Calibration,
        journal: Journal,
        *,
        period_s: float,
        clock: Clock,
        stamp: Callable[[], Stamp],
        backoff: Backoff,
        cursor: str | None = None,
        reorder_s: float = 0.0,
    ) -> None:
        self.name, self.state = name, DeviceState()
        self._driver, self._calibration, self._journal = driver, calibration, journal
        self._period_ns = round(period_s * SECOND_NS)
        self._clock, self._stamp, self._backoff = clock, stamp, backoff
        self._cursor = cursor
        self._ordering = Ordering(reorder_s) if reorder_s > 0 else None
        self.round_ns = clock.monotonic_ns()
        self.is_over, self.is_polled = False, driver.is_polled
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name=f"device-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, limit_s: float = 3.0) -> str | None:
        """End it; the cursor where another loop can go on."""
        self.ask_to_stop()
        if self._thread.ident is not None:
            self._thread.join(limit_s)
        return self._cursor

    def ask_to_stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        """Serve the device until stopped or, for a recording, until it ends."""
        while not self._stop.is_set():
            self._go_round()
            try:
                self._driver.open(self._cursor)
                self._serve()
            except ExhaustedError as ended:
                self._note_down(str(ended))
                self.is_over = True
                break
            except DriverError as wrong:
                self._note_down(str(wrong))
            except Exception as bug:  # a driver's bug must not end the device unseen
                self._note_down(f"driver failed: {bug!r}", trace=True)
            finally:
                self._driver.close()
            self._wait(self._backoff.next_s())

    def _go_round(self) -> None:
        """Whoever watches `round_ns` sees that this loop lives."""
        self.round_ns = self._clock.monotonic_ns()

    def _wait(self, seconds: float) -> None:
        """In slices: a loop that waits for its hour is alive, one that hangs is not."""
        self._go_round()
        while seconds > 0 and not self._stop.wait(min(seconds, _SLICE_S)):
            seconds -= _SLICE_S
            self._go_round()

    def _serve(self) -> None:
        if self._driver.is_polled:
            self._poll()
            return
        try:
            self._listen()
        finally:  # also when the connection ends: what is held then comes again and is known
            self._release(all_of_it=True)

    def _listen(self) -> None:
        while not self._stop.is_set():
            self._go_round()
            batch = self._driver.read(_LISTEN_S)
            if batch is not None:
                self._hear(batch)
            self._release()

    def _hear(self, batch: Batch) -> None:
        """Take a batch at once, or where the device's times may come out of order when its turn comes."""
        if self._ordering is None or batch.time is None:
            self._take(batch)
        else:
            self._ordering.hold(batch, self._clock.monotonic_ns())

    def _release(self, *, all_of_it: bool = False) -> None:
        if self._ordering is None:
            return
        ordering = self._ordering
        for one in ordering.all() if all_of_it else ordering.due(self._clock.monotonic_ns()):
            self._take(replace(one.fresh, cursor=one.cursor), came=one.batch)

    def _poll(self) -> None:
        """Ask once a period on monotonic time; polls that came too late are skipped, not made up for."""
        due = self._clock.monotonic_ns()
        while not self._stop.is_set():
            batch = self._driver.read(self._period_ns / SECOND_NS)
            if batch is not None:
                self._take(batch)
                due += self._period_ns
            now = self._clock.monotonic_ns()
            if now > due + self._period_ns:
                missed = (now - due) // self._period_ns
                self.state.skipped_polls += missed
                due += missed * self._period_ns
            self._wait((due - now) / SECOND_NS)

    def _take(self, batch: Batch, came: Batch | None = None) -> None:
        """Store a batch and then acknowledge it, or that of which it is a part."""
        if len(batch):
            now = self._stamp()
            block = self._calibration.block(
                batch, wall_ns=now.wall_ns, monotonic_ns=now.monotonic_ns, state=now.state
            )
            if not self._store(block, batch.cursor):
                return
            self._cursor = batch.cursor if batch.cursor is not None else self._cursor
            self.state.readings += len(block)
            self.state.last_reading_at = int(block.time[-1])
        self._driver.taken(batch if came is None else came)
        self._note_up()

    def _store(self, block: ReadingBlock, cursor: str | None) -> bool:
        """Into the journal, waiting while it has no room; False when stopped meanwhile."""
        complained = False
        while True:
            try:
                self._journal.append(block, self.name, cursor)
                if complained:
                    log.info("device %s: readings are stored again", self.name)
                return True
            except (TransientError, OSError) as full:
                if not complained:
                    log.error("device %s: cannot store readings, waiting: %s", self.name, full)
                    complained = True
            self._go_round()
            if self._stop.wait(_STORE_RETRY_S):
                return False

    def _note_up(self) -> None:
        self._backoff.reset()
        if not self.state.is_up:
            log.info("device %s: answers", self.name)
        self.state.is_up, self.state.problem = True, ""

    def _note_down(self, problem: str, *, trace: bool = False) -> None:
        self.state.failures += 1
        if self.state.is_up or self.state.problem != problem:
            log.warning("device %s: %s", self.name, problem, exc_info=trace)
        self.state.is_up, self.state.problem = False, problem
