"""Event time between readings: it goes on with monotonic time, from where the last reading left it."""

from __future__ import annotations

from models.clock import EARLIEST_NS, STEP_NS, Clock
from models.readings import ReadingBlock


class EventClock:
    """The latest event time (`at`, ns UTC as readings tell it), and what it is now that none comes.

    Steps of the wall clock are followed only when a reading tells of one: so the same time passes for
    monitors whether readings come or not. `boot` is that of the clock, under the name readings bear.
    """

    def __init__(self, clock: Clock, boot: str) -> None:
        self._clock, self._own_boot = clock, boot
        self._own_offset_ns: int | None = None
        self.at = 0
        self.boot = ""
        self.offset_ns = 0

    def restore(self, at: int, boot: str, offset_ns: int) -> None:
        """Go on from what an earlier run of the program knew."""
        self.at, self.boot, self.offset_ns = at, boot, offset_ns
        if boot == self._own_boot:
            self._own_offset_ns = offset_ns

    def follow(self, block: ReadingBlock, event_time: int) -> int:
        """Take over a block's clock; by how much it was stepped, within a boot, since the block before.

        Between boots nothing ties clocks together: event time begins anew with the block's `event_time`
        (0: it tells none).
        """
        same_boot = block.boot == self.boot
        step = block.monotonic_offset_ns - self.offset_ns if same_boot else 0
        if self.boot and not same_boot and event_time:
            self.at = min(self.at, event_time)
        self.boot, self.offset_ns = block.boot, block.monotonic_offset_ns
        if block.boot == self._own_boot:
            self._own_offset_ns = block.monotonic_offset_ns
        if abs(step) <= STEP_NS:
            return 0
        self.at += step if self.at else 0
        return step

    def advance(self, time_ns: int) -> None:
        """Event time reaches `time_ns`; going back does nothing."""
        self.at = max(self.at, time_ns)

    def now(self) -> int:
        """Event time if a reading came now; before the first of this boot, not before the last there was."""
        monotonic = self._clock.monotonic_ns()
        if self._own_offset_ns is None:
            self._own_offset_ns = max(self._clock.wall_ns(), self.at, EARLIEST_NS) - monotonic
        return monotonic + self._own_offset_ns
