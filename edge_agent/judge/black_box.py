"""The black box: raw readings round an alert, at full rate, with the state they were judged from.

They lie in the spool, which keeps them long enough; what goes up is read back when enough has come after.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_agent.judge.evidence import (
    WHOLE_WINDOW_ROWS,
    Narrowed,
    aftermath_body,
    evidence_body,
    narrow,
)
from edge_agent.judge.ring import Ring
from edge_agent.judge.seats import Seat
from edge_agent.judge.snapshots import Owed, Snapshot
from edge_agent.judge.window import read_window
from edge_agent.outbox.spool import Spool
from models.alert import Alert
from models.clock import SECOND_NS
from models.errors import LastmileError
from models.readings import Floats, ReadingBlock
from models.wire.envelope import Kind

log = logging.getLogger(__name__)
EVIDENCE_AFTER_S = 5.0  # evidence waits so long, so that it holds something of what came next
_AT_ONCE = 20  # of a storm's alerts; the readings that come in the meantime are judged between
_WAITING = 1000
_MOST_ROWS = 1_000_000  # of one channel and its companions


class EvidenceSink(Protocol):
    """Where evidence goes. The outbox is one."""

    def put_evidence(self, alert_id: str, body: bytes, kind: Kind = Kind.EVIDENCE) -> bool:
        """Store evidence, or its aftermath; False when it is there or cannot be kept."""
        ...


@dataclass(slots=True)
class _Due:
    """Something owed, and when (monotonic ns)."""

    alert: Alert
    owed: Owed
    due_ns: int


class BlackBox:
    """Owes evidence for each alert that fires, and sends it from `ring` and `spool` when it is due.

    Evidence begins `ring`'s time before the onset, however long the trigger waited, as far as spool and
    snapshots reach; its aftermath ends `after_s` after the alert fired. What is owed survives a restart as
    part of the judge's snapshot.
    """

    def __init__(
        self,
        spool: Spool,
        sink: EvidenceSink,
        ring: Ring,
        *,
        after_s: float,
        resolution: Callable[[], Floats],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._spool, self._sink, self.ring = spool, sink, ring
        self._after_ns = round(max(0.0, after_s - EVIDENCE_AFTER_S) * SECOND_NS)
        self._resolution, self._monotonic_ns = resolution, monotonic_ns
        self._due: list[_Due] = []

    @property
    def owed(self) -> tuple[Owed, ...]:
        """What is still to be sent."""
        return tuple(due.owed for due in self._due)

    @property
    def channels(self) -> frozenset[str]:
        """Names of channels with an alert just now: of them everything goes out."""
        return frozenset(due.alert.channel for due in self._due)

    @property
    def needed_from(self) -> int | None:
        """Position from which the spool is needed; None where it is not."""
        starts = [due.owed.start for due in self._due if due.owed.start >= 0]
        oldest = self.ring.oldest
        return min([*starts, *([] if oldest is None else [oldest])], default=None)

    def owe(self, alert: Alert) -> None:
        """An alert fired: its evidence is to follow."""
        if len(self._due) >= _WAITING or any(due.alert.id == alert.id for due in self._due):
            return
        due_ns = self._monotonic_ns() + round(EVIDENCE_AFTER_S * SECOND_NS)
        self._due.append(_Due(alert, Owed(alert.model_dump_json()), due_ns))

    def owe_again(self, owed: Sequence[Owed]) -> None:
        """After a restart: what was owed before it."""
        now = self._monotonic_ns()
        for one in owed:
            after_ns = self._after_ns if one.start >= 0 else round(EVIDENCE_AFTER_S * SECOND_NS)
            self._due.append(_Due(Alert.model_validate_json(one.alert), one, now + after_ns))

    def send(self, seats: Sequence[Seat], judged_to: int, *, evidence_now: bool = False) -> None:
        """Send what is due, some at once; `evidence_now`: all evidence, for it cannot be made later."""
        now = self._monotonic_ns()
        due = [one for one in self._due if one.due_ns <= now or (evidence_now and one.owed.start < 0)]
        windows: dict[int, list[ReadingBlock] | None] = {}
        by_name = {seat.config.name: seat for seat in seats}
        for one in due if evidence_now else due[:_AT_ONCE]:
            self._due.remove(one)
            if one.owed.start >= 0:
                self._send_aftermath(one, judged_to)
            elif (seat := by_name.get(one.alert.monitor)) is not None:
                self._send_evidence(one, seat, judged_to, windows)

    def _send_evidence(
        self, one: _Due, seat: Seat, judged_to: int, windows: dict[int, list[ReadingBlock] | None]
    ) -> None:
        alert, channels = one.alert, tuple(seat.channels)
        for mark, snapshot in self.ring.beginnings(alert.onset_at):
            body = None
            narrowed = _narrowed(seat, snapshot, alert)
            if narrowed is not None:
                channels = tuple(narrowed.channels)
                runs = self._window(mark.position, judged_to, channels, windows)
                body = evidence_body(alert, seat.config, narrowed, runs or [], self._resolution())
            if body is not None:
                self._sink.put_evidence(alert.id, body)
                break
        else:
            log.warning("alert %s: nothing of its evidence can be sent", alert.id)
        if self._after_ns:
            owed = Owed(one.owed.alert, judged_to, channels)
            self._due.append(_Due(alert, owed, self._monotonic_ns() + self._after_ns))

    def _window(
        self,
        start: int,
        stop: int,
        channels: Sequence[int],
        windows: dict[int, list[ReadingBlock] | None],
    ) -> list[ReadingBlock] | None:
        """All readings from `start` on, read once for many alerts; only the alert's where they are many."""
        if start not in windows:
            windows[start] = read_window(self._spool, start, stop, most_rows=WHOLE_WINDOW_ROWS)
        whole = windows[start]
        if whole is not None:
            return whole
        return read_window(self._spool, start, stop, most_rows=_MOST_ROWS, only=channels)

    def _send_aftermath(self, one: _Due, judged_to: int) -> None:
        owed = one.owed
        runs = read_window(self._spool, owed.start, judged_to, most_rows=_MOST_ROWS, only=owed.channels)
        body = aftermath_body(one.alert.id, runs or [], self._resolution())
        if body is not None:
            self._sink.put_evidence(one.alert.id, body, Kind.AFTERMATH)


def _narrowed(seat: Seat, snapshot: Snapshot, alert: Alert) -> Narrowed | None:
    """The state the window begins from; None where that snapshot is of another configuration."""
    state = snapshot.of(seat.config.name)
    if state is None:
        return None
    try:
        return narrow(seat.config, seat.channels, state.state, alert)
    except LastmileError:
        return None
