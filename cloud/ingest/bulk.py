"""The bulk lane: many messages a transaction, in the series store alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from cloud.fleet.channels import take_table
from cloud.fleet.registry import Where, find_gateway
from cloud.ingest import quarantine
from cloud.ingest.inbox import Waiting
from cloud.ingest.inspection import Carried, Poison, Sound, Span, inspect
from cloud.ingest.urgent import Fate, clone_of
from cloud.series.store import Arrival, Put, SeriesStore
from cloud.storage.engine import transaction
from models.errors import WireError
from models.identity import Stream
from models.wire.messages import ChannelTable

_FATES = {Put.STORED: Fate.STORED, Put.DUPLICATE: Fate.DUPLICATE, Put.CLONE: Fate.CLONE}


@dataclass(frozen=True, slots=True)
class Taken:
    """A bulk message and what became of it."""

    waiting: Waiting
    found: Sound | Poison
    fate: Fate


class BulkIntake:
    """Stores batches. Main and series database are never in one transaction: what goes to the main one
    (channel tables before, quarantine after) may be done twice, and nothing is acknowledged before."""

    def __init__(self, engine: Engine, store: SeriesStore, find: Callable[[str], Where | None]) -> None:
        self._engine, self._store, self._find = engine, store, find

    def take(self, batch: Sequence[Waiting], broken: str | None = None) -> list[Taken]:
        """Store a batch, each message once; StoreError: try the whole of it again.

        `broken` says why this program could not take the batch before: then it goes to quarantine.
        """
        found = self._unwrap(batch, [self._inspect(waiting, broken) for waiting in batch])
        pairs = list(zip(batch, found, strict=True))
        known = [(waiting, it) for waiting, it in pairs if it.envelope]
        puts = self._store.put([_arrival(waiting, it) for waiting, it in known])
        fates = {id(waiting): _fate(put, it) for (waiting, it), put in zip(known, puts, strict=True)}
        taken = [Taken(waiting, it, fates.get(id(waiting), Fate.LOST_IDENTITY)) for waiting, it in pairs]
        self._quarantine(taken)
        return taken

    def _inspect(self, waiting: Waiting, broken: str | None) -> Sound | Poison:
        found = inspect(waiting.received.topic, waiting.received.payload, Stream.BULK, self._find)
        if isinstance(found, Sound) and broken:
            return _poisoned(found, "internal", broken)
        if isinstance(found, Sound) and isinstance(found.body, Carried):
            inner = found.body.inner
            if isinstance(inner.body, ChannelTable) and isinstance(self._learn(inner, inner.body), Poison):
                return _poisoned(found, "body", "a carried table of channels that cannot be used")
        if isinstance(found, Sound) and isinstance(found.body, ChannelTable):
            return self._learn(found, found.body)
        return found

    def _unwrap(self, batch: Sequence[Waiting], found: Sequence[Sound | Poison]) -> list[Sound | Poison]:
        """Store carried messages under the identity they had, and leave the outer one its number alone.

        Where another message has that identity (two copies of one outbox) the content goes with the outer.
        """
        carried = [
            (at, it, it.body.inner)
            for at, it in enumerate(found)
            if isinstance(it, Sound) and isinstance(it.body, Carried)
        ]
        unwrapped = list(found)
        if carried:
            puts = self._store.put([_arrival(batch[at], inner) for at, _, inner in carried])
            for (at, outer, inner), put in zip(carried, puts, strict=True):
                is_clone = put is Put.CLONE
                envelope = replace(outer.envelope, body=inner.envelope.body) if is_clone else outer.envelope
                unwrapped[at] = Sound(envelope, outer.where, inner.body if is_clone else Span(0, 0, 0))
        return unwrapped

    def _learn(self, found: Sound, table: ChannelTable) -> Sound | Poison:
        identity = found.envelope.identity
        try:
            with transaction(self._engine) as session:
                take_table(session, find_gateway(session, identity.gateway), identity.epoch, table)
        except WireError as wrong:
            return _poisoned(found, wrong.code, str(wrong))
        return found

    def _quarantine(self, taken: Sequence[Taken]) -> None:
        poisons = [(one.waiting, poison) for one in taken if (poison := _poison_of(one))]
        if poisons:
            with transaction(self._engine) as session:
                for waiting, poison in poisons:
                    received = waiting.received
                    quarantine.keep(session, received.topic, received.payload, poison, waiting.received_at)


def _fate(put: Put, found: Sound | Poison) -> Fate:
    if put is not Put.CLONE and isinstance(found, Poison):
        return Fate.QUARANTINED
    return _FATES[put]


def _poison_of(taken: Taken) -> Poison | None:
    if taken.fate is Fate.CLONE and taken.found.envelope:
        return clone_of(taken.found.envelope, taken.found)
    return taken.found if isinstance(taken.found, Poison) else None


def _poisoned(found: Sound, code: str, detail: str) -> Poison:
    return Poison(code, detail, found.envelope.identity.gateway, found.where, found.envelope)


def _arrival(waiting: Waiting, found: Sound | Poison) -> Arrival:
    envelope = found.envelope
    assert envelope is not None
    identity = envelope.identity
    arrival = Arrival(
        identity.gateway, identity.epoch, identity.sequence, envelope.digest, waiting.received_at
    )
    if isinstance(found, Poison):
        return replace(arrival, quarantined=True)
    if isinstance(found.body, Span) and found.body.readings:
        span = found.body
        return replace(
            arrival,
            body=envelope.body,
            min_time=span.min_time,
            max_time=span.max_time,
            readings=span.readings,
        )
    return arrival
