"""Messages of gateways on Plum Blossom Street, and what the cloud has of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.fleet.channels import ChannelDirectory
from cloud.series.landed import LandedStore
from cloud.settings import Settings
from cloud.storage.engine import open_main, open_series, reading
from models.alert import Alert, AlertState, Severity
from models.clock import SECOND_NS
from models.identity import MessageIdentity, Stream, alert_id
from models.readings import ReadingBlock
from models.wire.columns import encode_columns
from models.wire.envelope import Kind, seal
from models.wire.messages import ChannelEntry, ChannelTable

T0 = 1_790_000_000 * SECOND_NS
CHANNELS = ("stove/temperature", "stove/smoke")


def table(gateway: str, sequence: int = 1, epoch: int = 1, names: Sequence[str] = CHANNELS) -> bytes:
    """The message that names the channels' numbers, 0 upwards."""
    entries = [
        ChannelEntry(number=number, name=name, device="stove", kind="temperature", unit="Cel", resolution=0.1)
        for number, name in enumerate(names)
    ]
    body = ChannelTable(channels=tuple(entries)).model_dump_json().encode()
    return seal(MessageIdentity(gateway, epoch, Stream.BULK, sequence), Kind.CHANNELS, T0, body)


def block(number: int, readings: int = 10) -> ReadingBlock:
    """Readings of channel 0, a second apart; message `number` holds those after the earlier ones'."""
    index = np.arange(readings, dtype=np.int64) + number * readings
    return ReadingBlock.of(np.zeros(readings, np.int32), T0 + index * SECOND_NS, np.round(20 + index / 10, 1))


def telemetry(gateway: str, sequence: int, epoch: int = 1, readings: int = 10) -> bytes:
    """Message `sequence` of the bulk stream: readings nobody else's message holds."""
    body = encode_columns(block(sequence, readings), np.array([0.1]))
    return seal(MessageIdentity(gateway, epoch, Stream.BULK, sequence), Kind.TELEMETRY, T0, body)


def alert(gateway: str, sequence: int, *, named: str | None = None, onset: int = 1, **changes: Any) -> bytes:
    """A firing alert in the urgent stream; `named` is the gateway the body claims."""
    body = Alert(
        id=alert_id(gateway, "smoke", "0" * 32, onset),
        gateway=named or gateway,
        monitor="smoke",
        detector="limit",
        channel=CHANNELS[1],
        hazard="fire",
        severity=Severity.SEVERE,
        state=AlertState.FIRING,
        boot="0" * 32,
        onset_index=onset,
        onset_at=T0,
        fired_at=T0,
        measured_at=T0,
        score=10,
        threshold=3,
        value=0.4,
    ).model_copy(update=changes)
    identity = MessageIdentity(gateway, 1, Stream.URGENT, sequence)
    return seal(identity, Kind.ALERT, T0, body.model_dump_json().encode())


def urgent(gateway: str, sequence: int, kind: Kind, body: bytes, epoch: int = 1) -> bytes:
    """Any urgent message."""
    return seal(MessageIdentity(gateway, epoch, Stream.URGENT, sequence), kind, T0, body)


def poison(gateway: str, sequence: int) -> bytes:
    """A bulk message with a sound identity and a body that cannot be read."""
    return seal(MessageIdentity(gateway, 1, Stream.BULK, sequence), Kind.TELEMETRY, T0, b"no columns")


class Store:
    """Questions to the two databases."""

    def __init__(self, settings: Settings) -> None:
        self.main, self.series = open_main(settings), open_series(settings)
        self.readings = LandedStore(self.series, ChannelDirectory(self.main))

    def count(self, table: Any, **filters: Any) -> int:
        """Rows of a table of lastmile.db."""
        with reading(self.main) as session:
            return session.scalar(select(func.count()).select_from(table).filter_by(**filters)) or 0

    def all(self, table: Any, **filters: Any) -> list[Any]:
        """Rows of a table of lastmile.db."""
        with reading(self.main) as session:
            return list(session.scalars(select(table).filter_by(**filters)))

    def times_of(self, gateway: str, name: str = CHANNELS[0]) -> list[int]:
        """Times of all stored readings of one channel; empty while it is unknown."""
        with reading(self.main) as session:
            channel_id = find_channel(session, gateway, name)
        if channel_id is None:
            return []
        return self.readings.read(channel_id, 0, (1 << 63) - 1).times.tolist()

    def close(self) -> None:
        self.main.dispose()
        self.series.dispose()


def find_channel(session: Session, gateway: str, name: str) -> int | None:
    from cloud.fleet.tables import Channel

    return session.scalar(select(Channel.id).filter_by(gateway_id=gateway, name=name))


def times(sequences: Sequence[int], readings: int = 10) -> list[int]:
    """Times of the readings these telemetry messages hold."""
    return sorted(time for sequence in sequences for time in block(sequence, readings).time.tolist())
