"""What a running gateway does about time: tells of steps, waits for a clock, tells of outages by it."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.pipeline import Pipeline
from edge_agent.sampler.clock_trust import ClockWatch
from models.clock import SECOND_NS, ClockState
from models.wire.envelope import Kind
from models.wire.messages import OutageRecord

# A shorter stop is not worth a record: pollers of a second or more have missed little.
OUTAGE_FROM_NS = 2 * SECOND_NS
# Time mostly comes with the network: once the cloud is reached, so long is still waited for it.
WAIT_CONNECTED_NS = 60 * SECOND_NS


class Timekeeper:
    """Stands between the clock's watch and the outbox. `look` is called about once a second."""

    def __init__(self, pipeline: Pipeline, watch: ClockWatch, is_connected: Callable[[], bool]) -> None:
        self._pipeline, self._watch, self._is_connected = pipeline, watch, is_connected
        self._reached_ns: int | None = None
        self._outage: tuple[int, str, int] | None = None

    def begin(self) -> None:
        """Tell what could not be sampled since the last reading was spooled; without a clock owe it."""
        before, was = self._pipeline.last_time, self._pipeline.outbox.mark().boot
        if not before:
            return
        now = self._watch.stamp()
        self._outage = (before, was, now.monotonic_ns)
        if now.state is not ClockState.UNTRUSTED:
            self._tell_outage(now.offset_ns)

    def look(self) -> None:
        """Tell of the clock having been set or stepped; OSError when it cannot be stored, and it is owed."""
        record = self._watch.look(self._pipeline.spool.boot)
        if record is None:
            return
        self._pipeline.outbox.put_urgent(Kind.CLOCK, record.model_dump_json().encode())
        self._watch.told(record)
        if record.mends:
            self._tell_outage(record.offset_ns)

    def waits(self) -> bool:
        """Whether readings wait in the spool for the clock to be set: their bytes are not fixed yet, and
        while the cloud is out of reach nobody misses them."""
        if self._watch.read() is not ClockState.UNTRUSTED:
            return False
        if not self._is_connected():
            self._reached_ns = None
            return True
        now = self._watch.stamp().monotonic_ns
        self._reached_ns = now if self._reached_ns is None else self._reached_ns
        return now - self._reached_ns < WAIT_CONNECTED_NS

    def _tell_outage(self, offset_ns: int) -> None:
        if self._outage is None:
            return
        (before, was, since_ns), self._outage = self._outage, None
        boot = self._pipeline.spool.boot
        if since_ns + offset_ns - before < OUTAGE_FROM_NS:
            return
        record = OutageRecord(
            from_at=before,
            to_at=since_ns + offset_ns,
            boot_before=was,
            boot_after=boot,
            reason="restart" if was == boot else "reboot",
        )
        self._pipeline.outbox.put_urgent(Kind.OUTAGE, record.model_dump_json().encode())
