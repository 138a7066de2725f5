"""Sees to it that the broker refuses what was revoked, and cuts off who is still connected.

The database says what is revoked; the broker's list follows it within seconds. A broker does not look at its
list again for a connection that stands. So a revoked gateway is taken over: we connect under its name, with a
certificate that lives for minutes, which makes the broker end the other connection; its next one is refused
by the list.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Set
from pathlib import Path

from sqlalchemy import Engine, select

from cloud.errors import BrokerError
from cloud.fleet.certificates import SUPERSEDED, ended_serials
from cloud.fleet.tables import Gateway
from cloud.ingest.session import take_over
from cloud.keys.authority import Authority
from cloud.keys.revocations import Revocations
from cloud.settings import Settings
from cloud.storage.engine import reading
from models.clock import SECOND_NS, Clock

_log = logging.getLogger(__name__)
LOOK_S = 2.0
_EVICTED_FOR_S = 120.0  # a gateway revoked so long ago was cut off, or is heard and named to `evict`
_TICKET_DAYS = 10 / 1440
_RELOAD_S = 0.5  # the broker reads its files between two rounds of its loop
# A certificate whose successor is in use may be refused some hours later: a reload of the broker is not free.
_SUPERSEDED_FOR_S = 86400.0


class Guard:
    """Steps every few seconds, in one thread."""

    def __init__(self, settings: Settings, engine: Engine, clock: Clock) -> None:
        self._settings, self._engine, self._clock = settings, engine, clock
        self._authority: Authority | None = None
        self._revocations = Revocations(settings.broker_folder)
        self._cut: dict[str, int] = {}
        self._failing = ""

    def step(self) -> None:
        """Bring the broker's list up to date, then cut off who was revoked of late and is not yet."""
        now = self._clock.wall_ns()
        with reading(self._engine) as session:
            ended = ended_serials(session, now)
            since = now - round(_EVICTED_FOR_S * SECOND_NS)
            revoked = select(Gateway.id, Gateway.revoked_at).where(Gateway.revoked_at > since)
            late: dict[str, int | None] = dict(session.execute(revoked).all())
        failures = []
        # Who is connected is cut off also where the list cannot be brought to the broker.
        for work in (lambda: self._list(ended, now), lambda: self._evict(late, now)):
            try:
                work()
            except BrokerError as wrong:
                failures.append(str(wrong))
        failing = "; ".join(failures)
        if failing and failing != self._failing:
            _log.error("revoked gateways may still get in: %s", failing)
        self._failing = failing

    def _list(self, ended: Mapping[str, str], now: int) -> None:
        listed = self._revocations.listed()
        if self._must_tell(ended, listed, now):
            self._revocations.write(self._load(), sorted(ended), now)
            listed = set(ended)
        if self._revocations.is_read:
            return
        pid = self._revocations.ask_to_read()
        self._clock.sleep(_RELOAD_S)
        self._revocations.was_read(pid)
        _log.info("the broker refuses %d certificates", len(listed))

    def _must_tell(self, ended: Mapping[str, str], listed: Set[str], now: int) -> bool:
        """Whether the broker needs a new list: at once for what a person ended, in a day for the rest."""
        if any(serial not in listed for serial, reason in ended.items() if reason != SUPERSEDED):
            return True
        is_old = now - self._revocations.written_at > _SUPERSEDED_FOR_S * SECOND_NS
        return is_old and any(serial not in listed for serial in ended)

    def _evict(self, revoked: dict[str, int | None], now: int) -> None:
        for name, revoked_at in revoked.items():
            if revoked_at is not None and self._cut.get(name) != revoked_at:
                self._take_over(name, now)
                self._cut[name] = revoked_at
                _log.warning("gateway %s was cut off: it is revoked", name)
        self._cut = {name: at for name, at in self._cut.items() if name in revoked}

    def _take_over(self, name: str, now: int) -> None:
        broker, keys = self._settings.broker, self._settings.keys
        with tempfile.TemporaryDirectory(dir=keys, prefix=".ticket-") as folder:
            self._load().issue_client(Path(folder), name, now, days=_TICKET_DAYS)
            take_over(name, (broker.host, broker.port), keys / "ca.crt", Path(folder))

    def _load(self) -> Authority:
        if self._authority is None:
            self._authority = Authority.load(self._settings.keys)
        return self._authority
