"""What a message is, and whether it is from whom it says: decided before anything is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from cloud.fleet.registry import Where
from models.alert import Aftermath, Alert, Evidence
from models.errors import BodyError, WireError
from models.identity import MessageIdentity, Stream
from models.wire.columns import decode_columns
from models.wire.envelope import Envelope, Kind, open_envelope
from models.wire.messages import ChannelTable, ClockRecord, CommandResult, GapRecord, OutageRecord
from models.wire.topics import parse_up_topic

# Which bodies travel in which stream, and what reads them; telemetry is columns and stands apart.
BODIES: dict[Kind, tuple[Stream, type[BaseModel] | None]] = {
    Kind.TELEMETRY: (Stream.BULK, None),
    Kind.CHANNELS: (Stream.BULK, ChannelTable),
    Kind.ALERT: (Stream.URGENT, Alert),
    Kind.EVIDENCE: (Stream.URGENT, Evidence),
    Kind.GAP: (Stream.URGENT, GapRecord),
    Kind.OUTAGE: (Stream.URGENT, OutageRecord),
    Kind.RESULT: (Stream.URGENT, CommandResult),
    Kind.CLOCK: (Stream.URGENT, ClockRecord),
    Kind.AFTERMATH: (Stream.URGENT, Aftermath),
}


@dataclass(frozen=True, slots=True)
class Span:
    """What telemetry says of itself: how many readings, between which times (ns)."""

    readings: int
    min_time: int
    max_time: int


@dataclass(frozen=True, slots=True)
class Sound:
    """A message that can be used: its envelope, where its gateway is, and its body read."""

    envelope: Envelope
    where: Where
    body: BaseModel | Span | Carried


@dataclass(frozen=True, slots=True)
class Carried:
    """A message of an earlier epoch inside one of now: good once, under whichever identity it comes first."""

    inner: Sound


@dataclass(frozen=True, slots=True)
class Poison:
    """A message that cannot be used. With an `envelope` its identity is sound, and it is receipted so.

    `gateway_id` is the sender as the broker knows it, not as the message says.
    """

    code: str
    detail: str
    gateway_id: str | None = None
    where: Where | None = None
    envelope: Envelope | None = None

    @property
    def identity(self) -> MessageIdentity | None:
        return self.envelope.identity if self.envelope else None


def inspect(
    topic: str, payload: bytes, stream: Stream, find: Callable[[str], Where | None]
) -> Sound | Poison:
    """Read a message that came in the lane of `stream`. Codes of its own: `unknown_gateway`, `revoked`,
    `spoofed`, `stream`, `kind`, `body`; all others are those of the WireError."""
    sender, where = None, None
    try:
        sender, _ = parse_up_topic(topic)
        where = find(sender)
        envelope = open_envelope(payload)
    except WireError as wrong:
        return Poison(wrong.code, str(wrong), sender, where)
    if where is None:
        return Poison("unknown_gateway", f"no gateway {sender!r} is registered", sender)
    if where.is_revoked:
        return Poison("revoked", f"{sender!r} is revoked; enrol it again with a new code", sender, where)
    named = envelope.identity.gateway
    if named != sender:
        return Poison("spoofed", f"{sender!r} sent a message in the name of {named!r}", sender, where)
    if envelope.identity.stream is not stream:
        return Poison("stream", f"stream {envelope.identity.stream.name} on {topic}", sender, where)
    try:
        return Sound(envelope, where, read_body(envelope, where))
    except WireError as wrong:
        return Poison(wrong.code, str(wrong), sender, where, envelope)


def read_body(envelope: Envelope, where: Where) -> BaseModel | Span | Carried:
    """The body by its kind; WireError when it cannot be read or claims to be somebody else's."""
    try:
        kind = Kind(envelope.kind)
    except ValueError as wrong:
        raise BodyError("kind", f"kind {envelope.kind} is not known to this release") from wrong
    if kind is Kind.CARRIED:
        return _carried(envelope, where)
    stream, model = BODIES[kind]
    if stream is not envelope.identity.stream:
        raise BodyError("kind", f"{kind.name} does not travel in {envelope.identity.stream.name}")
    if model is None:
        return _span(envelope.body)
    try:
        body = model.model_validate_json(envelope.body)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BodyError("body", f"{kind.name}: {key}: {first['msg']}"[:500]) from wrong
    if isinstance(body, Alert) and body.gateway != envelope.identity.gateway:
        raise BodyError("spoofed", f"an alert of {body.gateway!r} in a message of another gateway")
    return body


def _carried(outer: Envelope, where: Where) -> Carried:
    """The message inside; WireError when it cannot be used, or could not have come this way by itself."""
    inner = open_envelope(outer.body)
    own = (outer.identity.gateway, outer.identity.stream)
    if (inner.identity.gateway, inner.identity.stream) != own or inner.kind == Kind.CARRIED:
        raise BodyError("spoofed", "a carried message of another gateway or stream, or carried twice")
    return Carried(Sound(inner, where, read_body(inner, where)))


def _span(body: bytes) -> Span:
    block = decode_columns(body)
    if not len(block):
        return Span(0, 0, 0)
    return Span(len(block), int(block.time.min()), int(block.time.max()))
