"""What goes into the uplink's session besides the connection's events, and what it wants done."""

from __future__ import annotations

from dataclasses import dataclass

from models.identity import Stream
from models.wire.messages import Presence, Reported
from models.wire.topics import Down, Up

# ---- what happens


@dataclass(frozen=True, slots=True)
class Wake:
    """Something new waits in the outbox."""

    stream: Stream


@dataclass(frozen=True, slots=True)
class Report:
    """Say what became of a document."""

    reported: Reported


@dataclass(frozen=True, slots=True)
class Stop:
    """Say goodbye and end."""


# ---- what is to be done


@dataclass(frozen=True, slots=True)
class Connect:
    """Reach the broker without waiting for it; Connected or Disconnected of this generation follows."""

    generation: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for this gateway's own topics."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Send at QoS 1; Acknowledged with `ticket` in place of the packet's number follows."""

    ticket: int
    kind: Up
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Beat:
    """Publish this gateway's health as it is now, retained; acknowledged by `ticket` as others."""

    ticket: int
    presence: Presence
    hello: bool


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand on what the cloud sent."""

    kind: Down
    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection, waiting no longer than a moment."""


Action = Connect | Subscribe | Publish | Beat | Deliver | Close
