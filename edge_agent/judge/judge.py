"""Monitors over the spool: read a block, judge it, raise what there is to raise."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from edge_agent.judge.black_box import BlackBox, EvidenceSink
from edge_agent.judge.event_clock import EventClock
from edge_agent.judge.ring import Ring
from edge_agent.judge.seats import Seat, carry_over
from edge_agent.judge.snapshots import MonitorState, Snapshot, SnapshotStore
from edge_agent.outbox.record import SpoolRecord
from edge_agent.outbox.spool import Spool
from models.alert import Alert, AlertState
from models.clock import SECOND_NS, Clock
from models.monitor import NO_EVENT_TIME
from models.readings import Floats, ReadingBlock
from models.replay import drive

log = logging.getLogger(__name__)
ROLL_S = 30.0
BEFORE_S, AFTER_S = 300.0, 60.0
# In silence event time is wall time less this, so that readings still on their way are not overtaken.
SILENCE_LAG_NS = 2 * SECOND_NS
# After a start devices have this long before their silence counts.
FIRST_READING_NS = 10 * SECOND_NS


class AlertSink(EvidenceSink, Protocol):
    """Where alerts go. The outbox is one.

    `problem`: why nothing can be stored now, empty where it can; what is raised meanwhile is held in memory.
    """

    problem: str

    def raise_alert(self, alert: Alert) -> bool:
        """Store durably; False when this state of this alert is stored already."""
        ...


class Judge:
    """One thread walks the spool; `step` does the same by hand (imports, stories).

    Each half minute a snapshot is saved: a restart goes on there, and evidence may begin there. Alerts judged
    again after a restart have the ids they had. Evidence begins `before_s` before an alert's onset and what
    came after it is sent until `after_s` after it fired.
    """

    def __init__(
        self,
        spool: Spool,
        sink: AlertSink,
        store: SnapshotStore,
        clock: Clock,
        *,
        resolution: Callable[[], Floats],
        teaches_only: bool = False,
        before_s: float = BEFORE_S,
        after_s: float = AFTER_S,
    ) -> None:
        self._spool, self._sink, self._store, self._clock = spool, sink, store, clock
        self._teaches_only = teaches_only
        self._black_box = BlackBox(
            spool,
            sink,
            Ring(store, before_s=before_s, spool_bytes=spool.max_bytes),
            after_s=after_s,
            resolution=resolution,
            monotonic_ns=clock.monotonic_ns,
        )
        self._seats: list[Seat] = []
        self._exempt: frozenset[str] = frozenset()
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self.has_judged = threading.Event()
        self._is_unsaved = False
        self._thread: threading.Thread | None = None
        self._open: dict[str, Alert] = {}
        self._rolled_ns = clock.monotonic_ns()
        self._rolled_to = self._saved_to = spool.start
        self._live_from = spool.end
        self._is_live = False
        self._started_ns = self.round_ns = clock.monotonic_ns()
        self._time = EventClock(clock, spool.boot)
        self.position = spool.start
        self.judged = 0
        self.first_judged_at = 0
        self.alerts = 0
        self.onsets = 0
        self.failed: list[str] = []

    # ---- what is in force

    def begin(self, seats: Sequence[Seat], exempt: frozenset[str]) -> None:
        """Start from the saved snapshot, or fresh at the beginning of the spool."""
        saved = self._store.load()
        self._seats, self._exempt = list(seats), exempt
        if saved is not None:
            learned = {monitor.name: monitor.state for monitor in saved.monitors}
            self.position = max(saved.position, self._spool.start)
            self._time.restore(saved.time, saved.boot, saved.offset)
            self._open = {a.id: a for a in map(Alert.model_validate_json, saved.open_alerts)}
            self._take_over(self._seats, learned)
            self._black_box.owe_again(saved.owed)
        self._black_box.ring.forget_before(self._spool.start)
        self._roll(save=False)

    def change(self, seats: Sequence[Seat], exempt: frozenset[str]) -> list[str]:
        """Put other monitors in force between two blocks; those unchanged keep what they learned."""
        with self._lock:
            self._black_box.send(self._seats, self.position, evidence_now=True)
            learned = {seat.config.name: seat.monitor.snapshot() for seat in self._seats}
            self._seats, self._exempt = list(seats), exempt
            fresh = self._take_over(self._seats, learned)
            self._black_box.ring.clear()
            self._roll(save=True)
        return fresh

    def set_aside(self) -> None:
        """Keep what all monitors know now for the case that the next document is reverted."""
        with self._lock:
            self._store.set_aside(self._snapshot())

    def drop_aside(self) -> None:
        """What was set aside is needed no more."""
        self._store.drop_aside()

    @property
    def event_time(self) -> int:
        """Event time up to where was judged, ns UTC as the readings tell it."""
        return self._time.at

    @property
    def near_alerts(self) -> frozenset[str]:
        """Names of channels on which an alert fired just now: their readings all go out."""
        with self._lock:
            return self._black_box.channels

    @property
    def firing(self) -> list[Alert]:
        """Alerts that fire now."""
        return list(self._open.values())

    def _take_over(self, seats: Sequence[Seat], learned: Mapping[str, bytes]) -> list[str]:
        """Carry over what fits, and for the rest what was set aside before a trial; names still fresh."""
        changed = carry_over(seats, learned)
        self._resolve_orphans(changed)
        fresh = self._bring_back([seat for seat in seats if seat.config.name in changed])
        if fresh:
            log.info("judge: starting fresh: %s", ", ".join(fresh))
        return fresh

    def _bring_back(self, seats: Sequence[Seat]) -> list[str]:
        """Give monitors what they knew before a trial; names of those for which nothing fits."""
        aside = self._store.load_aside() if seats else None
        if aside is None:
            return [seat.config.name for seat in seats]
        # Alerts that fired then were resolved when their monitor went: it must be free to fire anew.
        fired = {Alert.model_validate_json(alert).monitor for alert in aside.open_alerts}
        fresh = carry_over(seats, {m.name: m.state for m in aside.monitors if m.name not in fired})
        away = max(0, self.event_time - aside.time) // SECOND_NS * SECOND_NS
        for seat in seats:
            if seat.config.name not in fresh:
                seat.monitor.shift(away)
        return fresh

    def _resolve_orphans(self, fresh: Sequence[str]) -> None:
        """Alerts whose monitor is gone or has forgotten them would fire for ever: they end here."""
        kept = {seat.config.name for seat in self._seats} - set(fresh)
        ended = [alert for alert in self._open.values() if alert.monitor not in kept]
        at = max(self.event_time, *(alert.fired_at for alert in ended)) if ended else 0
        self._raise([a.model_copy(update={"state": AlertState.RESOLVED, "resolved_at": at}) for a in ended])

    @property
    def needed_from(self) -> int:
        """The spool is still needed from here on: for evidence, and to judge again after a crash."""
        with self._lock:
            wanted = self._black_box.needed_from
            saved = min(self._saved_to, self.position)
            return saved if wanted is None else min(wanted, saved)

    # ---- running

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="judge", daemon=True)
        self._thread.start()

    def stop(self, limit_s: float = 5.0) -> None:
        """Judge what is there, save what was learned, and end."""
        self._stop.set()
        self._spool.wake()
        if self._thread is not None:
            self._thread.join(limit_s)
        with self._lock:
            self.step()
            self._black_box.send(self._seats, self.position, evidence_now=True)
            self._roll(save=True)

    def step(self) -> bool:
        """Judge the next stretch of the spool; False when there was nothing."""
        with self._lock:
            records, position = self._spool.read(self.position)
            for record in records:
                self._judge(record)
                self.round_ns = self._clock.monotonic_ns()
            self.position = max(position, self.position)
            self._roll_when_due()
            self._black_box.send(self._seats, self.position)
            return bool(records)

    def silence(self) -> None:
        """Nothing came: let event time go on by itself, on whole seconds of monotonic time."""
        until = (self._time.now() - SILENCE_LAG_NS) // SECOND_NS * SECOND_NS
        if until <= self.event_time:
            return
        with self._lock:
            if not self._is_live:
                if self._clock.monotonic_ns() - self._started_ns < FIRST_READING_NS:
                    return
                self._leave_out_outage(until)
            self._time.advance(until)
            for seat in self._seats:
                if seat.config.name not in self._exempt:
                    self._raise(seat.monitor.advance(until))

    def _run(self) -> None:
        while not self._stop.is_set():
            self.round_ns = self._clock.monotonic_ns()
            try:
                if not self.step():
                    self._spool.wait(self.position, 0.5)
                    if self._spool.end <= self.position:
                        self.silence()
                        with self._lock:
                            self._black_box.send(self._seats, self.position)
            except Exception:  # must not end all judging unseen
                log.exception("judge: failed near position %d; going on", self.position)
                self._stop.wait(1.0)

    def _judge(self, record: SpoolRecord) -> None:
        event_time = _event_time(record.block)
        if step := self._time.follow(record.block, event_time):
            self._black_box.ring.shift(step)
        if not self._is_live and record.position >= self._live_from:
            self._leave_out_outage(event_time)
        alerts = [alert for seat in self._seats for alert in self._observe(seat, record)]
        self.position = record.end
        self.judged += len(record.block)
        self._time.advance(event_time)
        if not self.first_judged_at:
            self.first_judged_at = self._clock.wall_ns()
            self.has_judged.set()
            log.info("judge: first reading judged")
        self._raise(alerts)

    def _leave_out_outage(self, until: int) -> None:
        """Nothing was sampled while this program was down: that time is no silence of the sensors."""
        if not until:
            return
        self._is_live = True
        gap = (until - self.event_time) // SECOND_NS * SECOND_NS
        if self.event_time and gap > SILENCE_LAG_NS:
            for seat in self._seats:
                if seat.config.name not in self._exempt:
                    seat.monitor.shift(gap)

    def _observe(self, seat: Seat, record: SpoolRecord) -> list[Alert]:
        """One monitor over one block. A monitor that fails is out of force until the next document or start:
        the others go on judging."""
        try:
            return drive([seat.monitor], record.block)
        except Exception:
            log.exception("monitor %s failed at %d and is out", seat.config.name, record.position)
            self._seats = [other for other in self._seats if other is not seat]
            self.failed.append(seat.config.name)
            return []

    def _make_durable(self) -> None:
        """Let what was judged survive a power cut before what follows from it does: an alert whose readings
        are gone would be judged again by nobody, and never end. A disk that refuses holds up no alert."""
        with contextlib.suppress(OSError):
            self._spool.sync()

    def _raise(self, alerts: Sequence[Alert]) -> None:
        if self._teaches_only or not alerts:
            return
        self._make_durable()
        for alert in alerts:
            if alert.state is AlertState.FIRING:
                self._open[alert.id] = alert
            else:
                self._open.pop(alert.id, None)
            if self._sink.raise_alert(alert):
                self.alerts += 1
                self.onsets += alert.state is AlertState.FIRING and not alert.trial
                log.info("alert %s: %s on %s", alert.state.value, alert.monitor, alert.channel)
            # Also for one that was raised before a crash: its evidence may not have been.
            if alert.state is AlertState.FIRING:
                self._black_box.owe(alert)

    # ---- snapshots

    def _roll_when_due(self) -> None:
        """Every half minute, and where much was read at once."""
        waited = self._clock.monotonic_ns() - self._rolled_ns
        grown = self.position - self._rolled_to > self._spool.max_bytes // 8
        if grown or waited >= ROLL_S * SECOND_NS:
            self._roll(save=True)

    def _roll(self, *, save: bool) -> None:
        """Take a snapshot of all monitors, for evidence and, saved, for the next start."""
        snapshot = self._snapshot()
        self._rolled_ns, self._rolled_to = self._clock.monotonic_ns(), self.position
        try:
            if save:
                self._make_durable()
                if held := self._spool.problem or self._sink.problem:
                    # A snapshot that fits where these do not would make a restart pass over them.
                    raise OSError(held)
                self._store.save(snapshot)
            if not self._teaches_only:
                self._black_box.ring.keep(snapshot, saved=save)
        except OSError as wrong:  # a full disk must not end judging; the spool is kept from the last one on
            if not self._is_unsaved:
                log.error("judge: what was learned cannot be saved: %s", wrong)
            self._is_unsaved = True
            return
        self._saved_to, self._is_unsaved = self.position, False

    def _snapshot(self) -> Snapshot:
        states = tuple(MonitorState(seat.config.name, seat.monitor.snapshot()) for seat in self._seats)
        still_open = tuple(alert.model_dump_json() for alert in self._open.values())
        time = self._time
        return Snapshot(
            self.position, time.at, states, still_open, self._black_box.owed, time.boot, time.offset_ns
        )


def _event_time(block: ReadingBlock) -> int:
    """The latest believed time in a block; 0 when there is none."""
    believed = block.time[(block.quality & NO_EVENT_TIME) == 0]
    return int(believed.max()) if len(believed) else 0
