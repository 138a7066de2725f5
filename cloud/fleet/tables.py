"""Sites, their places, the gateways in them and what they measure."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.storage.base import At, Base, Json, LongName, Name, Number, Raw, RisingId, Words


class Site(Base):
    """A place under watch with its own clock and calendar; the unit of access."""

    __tablename__ = "site"

    id: Mapped[Name] = mapped_column(primary_key=True)
    name: Mapped[LongName]
    timezone: Mapped[Name]
    holidays: Mapped[Json]
    duty_officer_id: Mapped[Name | None] = mapped_column(ForeignKey("account.id"))


class Grid(Base):
    """A part of a site with its own workers; `polygon` is {"points": [[lon, lat], ...]}."""

    __tablename__ = "grid"
    __table_args__ = (UniqueConstraint("site_id", "name"),)

    id: Mapped[Name] = mapped_column(primary_key=True)
    site_id: Mapped[Name] = mapped_column(ForeignKey("site.id"))
    name: Mapped[LongName]
    polygon: Mapped[Json]


class GridWorker(Base):
    """A worker who answers for a grid; the lowest rank is asked first."""

    __tablename__ = "grid_worker"

    grid_id: Mapped[Name] = mapped_column(ForeignKey("grid.id"), primary_key=True)
    account_id: Mapped[Name] = mapped_column(ForeignKey("account.id"), primary_key=True)
    rank: Mapped[int]


class Place(Base):
    """A node of site / building / floor / room. A place without a grid inherits its parent's."""

    __tablename__ = "place"
    __table_args__ = (UniqueConstraint("site_id", "path"),)

    id: Mapped[Name] = mapped_column(primary_key=True)
    site_id: Mapped[Name] = mapped_column(ForeignKey("site.id"))
    parent_id: Mapped[Name | None] = mapped_column(ForeignKey("place.id"))
    path: Mapped[LongName]  # as devices name it: "b1/f2/kitchen"
    name: Mapped[LongName]
    kind: Mapped[Name]
    grid_id: Mapped[Name | None] = mapped_column(ForeignKey("grid.id"))
    longitude: Mapped[float | None] = mapped_column(Float)
    latitude: Mapped[float | None] = mapped_column(Float)


class Gateway(Base):
    """A machine running edge_agent. `site_id` is where it is, so it can move."""

    __tablename__ = "gateway"

    id: Mapped[Name] = mapped_column(primary_key=True)
    site_id: Mapped[Name] = mapped_column(ForeignKey("site.id"))
    place_id: Mapped[Name | None] = mapped_column(ForeignKey("place.id"))
    name: Mapped[LongName]
    created_at: Mapped[At]
    enrolled_at: Mapped[At | None]
    certificate_serial: Mapped[Name | None]
    revoked_at: Mapped[At | None]


class EnrolmentCode(Base):
    """A one-time code, hashed; used once, before `expires_at`."""

    __tablename__ = "enrolment_code"

    code_hash: Mapped[Name] = mapped_column(primary_key=True)
    gateway_id: Mapped[Name] = mapped_column(ForeignKey("gateway.id"))
    created_at: Mapped[At]
    expires_at: Mapped[At]
    used_at: Mapped[At | None]


class Certificate(Base):
    """A gateway's certificate: issued, taken into use, ended by its successor or by a person.

    `key_hash` is SHA-256 of its public key (DER); the same request is given the same certificate again.
    """

    __tablename__ = "certificate"
    __table_args__ = (Index(None, "gateway_id", "key_hash"),)

    serial: Mapped[Name] = mapped_column(primary_key=True)
    gateway_id: Mapped[Name] = mapped_column(ForeignKey("gateway.id"))
    key_hash: Mapped[Name]
    pem: Mapped[Words]
    issued_at: Mapped[At]
    expires_at: Mapped[At]
    used_at: Mapped[At | None]  # first and last time the gateway said hello with it
    heard_at: Mapped[At | None]
    ended_at: Mapped[At | None]
    end_reason: Mapped[Name | None]  # superseded, revoked, replaced


class GatewayRun(Base):
    """A run of a gateway's program, as it names itself. One that comes back after another is a clone."""

    __tablename__ = "gateway_run"

    gateway_id: Mapped[Name] = mapped_column(ForeignKey("gateway.id"), primary_key=True)
    run: Mapped[Name] = mapped_column(primary_key=True)
    first_at: Mapped[At]
    last_at: Mapped[At]


class CommandRow(Base):
    """An order to a gateway and what became of it; `state` is sent until it is answered."""

    __tablename__ = "gateway_command"
    __table_args__ = (UniqueConstraint("gateway_id", "counter"),)

    id: Mapped[Name] = mapped_column(primary_key=True)
    site_id: Mapped[Name]
    gateway_id: Mapped[Name] = mapped_column(ForeignKey("gateway.id"))
    counter: Mapped[Number]
    name: Mapped[Name]
    parameters: Mapped[Json]
    reason: Mapped[Words]
    issued_by: Mapped[LongName]
    issued_at: Mapped[At]
    expires_at: Mapped[At]
    state: Mapped[Name]
    result: Mapped[Json]
    answered_at: Mapped[At | None]


class Channel(Base):
    """One measured quantity of a gateway; `id` is the series' key everywhere in the cloud."""

    __tablename__ = "channel"
    __table_args__ = (UniqueConstraint("gateway_id", "name"),)

    id: Mapped[RisingId]
    site_id: Mapped[Name] = mapped_column(ForeignKey("site.id"))
    gateway_id: Mapped[Name] = mapped_column(ForeignKey("gateway.id"))
    name: Mapped[LongName]
    device: Mapped[Name]
    kind: Mapped[Name]
    unit: Mapped[Name]
    resolution: Mapped[float] = mapped_column(Float)
    place_id: Mapped[Name | None] = mapped_column(ForeignKey("place.id"))
    # The widest error its values were ever told within; which of them were, their quality says.
    thinned_within: Mapped[float] = mapped_column(Float, default=0.0, server_default="0")


class ChannelNumber(Base):
    """What a number on the wire means in one epoch of one gateway."""

    __tablename__ = "channel_number"

    gateway_id: Mapped[Name] = mapped_column(primary_key=True)
    epoch: Mapped[Number] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    channel_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("channel.id"))


class GatewayStatus(Base):
    """Latest health and reported configuration; status, not history."""

    __tablename__ = "gateway_status"

    gateway_id: Mapped[Name] = mapped_column(ForeignKey("gateway.id"), primary_key=True)
    site_id: Mapped[Name]
    presence: Mapped[Name]
    heard_at: Mapped[At]
    health: Mapped[Json]
    reported: Mapped[Json]


class GatewayFlag(Base):
    """Something about a gateway a person must know: a clone, a flood, a wrong clock."""

    __tablename__ = "gateway_flag"
    __table_args__ = (UniqueConstraint("gateway_id", "code"),)

    id: Mapped[RisingId]
    site_id: Mapped[Name]
    gateway_id: Mapped[Name]
    code: Mapped[Name]
    first_at: Mapped[At]
    last_at: Mapped[At]
    count: Mapped[int]
    detail: Mapped[Json]
    cleared_at: Mapped[At | None]


class Desired(Base):
    """Versions of a gateway's document; the highest is the one in force."""

    __tablename__ = "desired"

    gateway_id: Mapped[Name] = mapped_column(ForeignKey("gateway.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    site_id: Mapped[Name]
    signed: Mapped[Json]
    created_at: Mapped[At]
    created_by: Mapped[LongName]
    reason: Mapped[Words]


class Downlink(Base):
    """Messages waiting to be published to gateways by ingest, which alone talks to the broker."""

    __tablename__ = "downlink"
    __table_args__ = (Index(None, "sent_at", "id"),)

    id: Mapped[RisingId]
    site_id: Mapped[Name]
    gateway_id: Mapped[Name]
    kind: Mapped[Name]
    payload: Mapped[Raw]
    retained: Mapped[bool]
    created_at: Mapped[At]
    sent_at: Mapped[At | None]
