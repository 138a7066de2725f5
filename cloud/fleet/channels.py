"""What a gateway measures: numbers on the wire to channels of the cloud."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cloud.fleet.tables import Channel, ChannelNumber, Gateway, Place
from cloud.storage.engine import reading
from models.errors import BodyError
from models.wire.messages import ChannelEntry, ChannelTable


class OnTheWire(NamedTuple):
    """A channel as one epoch of its gateway numbers it."""

    channel_id: int
    gateway_id: str
    epoch: int
    number: int


def take_table(session: Session, gateway: Gateway, epoch: int, table: ChannelTable) -> int:
    """Learn a gateway's channels and their numbers; how many numbers are new. Doing it twice is harmless.

    BodyError `channel_conflict` when a number already means another name in this epoch; nothing is changed
    then.
    """
    known = numbers_of_epoch(session, gateway.id, epoch)
    rows = {row.name: row for row in session.scalars(select(Channel).filter_by(gateway_id=gateway.id))}
    names = {row.id: name for name, row in rows.items()}
    for entry in table.channels:
        meant = names.get(known.get(entry.number, -1))
        if meant is not None and meant != entry.name:
            raise BodyError("channel_conflict", f"number {entry.number} is {meant!r}, not {entry.name!r}")
    places = dict(session.execute(select(Place.path, Place.id).filter_by(site_id=gateway.site_id)).all())
    for entry in table.channels:
        rows[entry.name] = _describe(session, rows.get(entry.name), gateway, entry, places)
    session.flush()
    fresh = {entry.number: rows[entry.name].id for entry in table.channels if entry.number not in known}
    for number, channel_id in fresh.items():
        session.add(ChannelNumber(gateway_id=gateway.id, epoch=epoch, number=number, channel_id=channel_id))
    session.flush()
    return len(fresh)


def numbers_of_epoch(session: Session, gateway_id: str, epoch: int) -> dict[int, int]:
    """Number -> channel id in one epoch of a gateway."""
    query = select(ChannelNumber.number, ChannelNumber.channel_id)
    rows = session.execute(query.filter_by(gateway_id=gateway_id, epoch=epoch))
    return dict(rows.all())


class ChannelDirectory:
    """What the series store asks about channels, answered from the main database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def numbers(self, gateway_id: str, epoch: int) -> Mapping[int, int]:
        """Number -> channel id in one epoch of a gateway; numbers not announced yet are missing."""
        with reading(self._engine) as session:
            return numbers_of_epoch(session, gateway_id, epoch)

    def on_the_wire(self, channel_ids: Collection[int]) -> list[OnTheWire]:
        """Every number these channels ever had."""
        query = select(
            ChannelNumber.channel_id, ChannelNumber.gateway_id, ChannelNumber.epoch, ChannelNumber.number
        ).where(ChannelNumber.channel_id.in_(channel_ids))
        with reading(self._engine) as session:
            return [OnTheWire(*row) for row in session.execute(query)]

    def resolutions(self, channel_ids: Collection[int]) -> Mapping[int, float]:
        """Channel id -> resolution; 0: none."""
        query = select(Channel.id, Channel.resolution).where(Channel.id.in_(channel_ids))
        with reading(self._engine) as session:
            return dict(session.execute(query).all())


def _describe(
    session: Session, row: Channel | None, gateway: Gateway, entry: ChannelEntry, places: dict[str, str]
) -> Channel:
    if row is None:
        row = Channel(gateway_id=gateway.id, name=entry.name)
        session.add(row)
    row.site_id = gateway.site_id
    row.device, row.kind, row.unit = entry.device, entry.kind, entry.unit
    row.resolution = entry.resolution
    row.thinned_within = max(row.thinned_within or 0.0, entry.thinned_within)
    # A path nobody has drawn in this site: at least the gateway's own place is known.
    row.place_id = places.get(entry.place) or gateway.place_id
    return row
