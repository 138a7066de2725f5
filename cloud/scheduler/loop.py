"""The scheduler: fires clocks that have run out, follows the server's own clock, tidies up."""

from __future__ import annotations

import logging
import signal

from sqlalchemy import Engine, delete

from cloud.dispatch.conclude import conclude_calm
from cloud.dispatch.escalate import find_due, fire_due
from cloud.errors import StoreError
from cloud.events.bus import forget_before
from cloud.fleet.certificates import flag_expiring, settle
from cloud.people.tables import LoginAttempt, LoginSession
from cloud.scheduler.steps import follow_step, is_step, note_seen, offset_ns
from cloud.settings import Settings
from cloud.storage.engine import open_main, reading, transaction
from models.clock import SECOND_NS, Clock, SystemClock

LOOK_EVERY_S = 0.25
CALM_EVERY_NS = 15 * SECOND_NS
TIDY_EVERY_NS = 3600 * SECOND_NS
CERTIFICATES_EVERY_NS = 60 * SECOND_NS
KEEP_EVENTS_NS = 7 * 86_400 * SECOND_NS
KEEP_ATTEMPTS_NS = 86_400 * SECOND_NS
_LOG = logging.getLogger(__name__)


class Scheduler:
    """One scheduler. Any number may run on one database: what is due is taken by one of them, once.

    All it needs to remember is in the database, so it may be killed and started at any moment.
    """

    def __init__(self, engine: Engine, clock: Clock, overlap_days: float = 1.0) -> None:
        self._engine, self._clock, self._overlap_days = engine, clock, overlap_days
        self._offset_ns: int | None = None
        self._calm_at = self._tidy_at = self._certificates_at = clock.monotonic_ns()

    def look(self) -> int:
        """Do what is due now; how many clocks were fired. StoreError when the database fails for now."""
        self._follow_clock()
        fired = self._fire()
        moment = self._clock.monotonic_ns()
        if moment >= self._calm_at:
            with transaction(self._engine) as session:
                conclude_calm(session, self._clock.wall_ns())
                note_seen(session, self._clock)
            self._calm_at = moment + CALM_EVERY_NS
        if moment >= self._certificates_at:
            self._look_at_certificates()
            self._certificates_at = moment + CERTIFICATES_EVERY_NS
        if moment >= self._tidy_at:
            self._tidy()
            self._tidy_at = moment + TIDY_EVERY_NS
        return fired

    def _follow_clock(self) -> None:
        offset = offset_ns(self._clock)
        if self._offset_ns is not None and not is_step(self._offset_ns, offset):
            return
        with transaction(self._engine) as session:
            step = follow_step(session, self._clock)
        self._offset_ns = offset
        if step:
            _LOG.warning("the server's clock stepped by %.3f s; deadlines were moved along", step / SECOND_NS)

    def _fire(self) -> int:
        fired = 0
        while True:
            with reading(self._engine) as session:
                if find_due(session, self._clock.wall_ns()) is None:
                    return fired
            with transaction(self._engine) as session:
                ids = fire_due(session, self._clock.wall_ns())
            fired += len(ids)
            if not ids:
                return fired  # another scheduler has them

    def _look_at_certificates(self) -> None:
        """Give up those that were replaced, and tell of those that nobody renews."""
        with transaction(self._engine) as session:
            now = self._clock.wall_ns()
            settle(session, now, self._overlap_days)
            for gateway_id in flag_expiring(session, now):
                _LOG.warning("the certificate of %s is near its end and was not renewed", gateway_id)

    def _tidy(self) -> None:
        now = self._clock.wall_ns()
        with transaction(self._engine) as session:
            session.execute(delete(LoginSession).where(LoginSession.expires_at <= now))
            session.execute(delete(LoginAttempt).where(LoginAttempt.at <= now - KEEP_ATTEMPTS_NS))
            forget_before(session, now - KEEP_EVENTS_NS)


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. A database that fails is tried again, said once."""
    clock = SystemClock()
    scheduler = Scheduler(open_main(settings), clock, settings.enrolment.overlap_days)
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda caught, _frame: stopping.append(caught))
    _LOG.info("scheduler started")
    failing = False
    while not stopping:
        failing = _look(scheduler, failing)
        clock.sleep(LOOK_EVERY_S)
    _LOG.info("scheduler stopped")


def _look(scheduler: Scheduler, was_failing: bool) -> bool:
    """One look; whether the database failed. Said when that changes, not each time round."""
    try:
        scheduler.look()
    except StoreError as wrong:
        if not was_failing:
            _LOG.warning("deadlines cannot be looked at for now: %s", wrong)
        return True
    if was_failing:
        _LOG.info("deadlines are looked at again")
    return False
