"""The machine's claim that something happened, with what makes it explainable and re-runnable."""

from __future__ import annotations

import enum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Whole numbers that come from outside are bounded to what the databases can hold.
Nanoseconds = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63, description="UTC, nanoseconds since 1970")]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
MonitorName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
ChannelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._/-]{0,126}$")]


class OnWire(BaseModel):
    """What travels: immutable; unknown fields are ignored, so that newer senders are understood."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Severity(enum.StrEnum):
    """CAP 1.2's words, mildest first."""

    MINOR = "minor"
    MODERATE = "moderate"
    SEVERE = "severe"
    EXTREME = "extreme"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class AlertKind(enum.StrEnum):
    """Nature's event, or the equipment's failure; the second never becomes the first."""

    HAZARD = "hazard"
    MAINTENANCE = "maintenance"


class AlertState(enum.StrEnum):
    """Pending stays on the gateway; only firing and resolved travel."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Origin(enum.StrEnum):
    """Who claims it."""

    EDGE = "edge"
    CLOUD = "cloud"


class Reason(OnWire):
    """One reason as a code with parameters; the page puts it into the reader's words."""

    code: str = Field(max_length=64)
    parameters: dict[str, float | int | str | None] = Field(default_factory=dict)
    share: float = Field(default=1.0, ge=0, le=1, description="part of the score this reason gave")


class Moment(OnWire):
    """A stretch of the channel's past, held against the one that fired."""

    at: Nanoseconds = Field(description="when the stretch ended")
    distance: float = Field(
        ge=0, description="how far it is from the one that fired, as the detector measures"
    )
    usual: float | None = Field(
        default=None, gt=0, description="how far a stretch of this channel usually is from those most like it"
    )


class Alert(OnWire):
    """State of one alert; sent once when it fires and once when it resolves, with the same id."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    gateway: str
    monitor: MonitorName
    detector: str
    channel: ChannelName
    device: str = ""
    place: str = Field(
        default="",
        max_length=64,
        description="path, so that an alert before its channel's table finds its place",
    )
    kind: AlertKind = AlertKind.HAZARD
    hazard: str = Field(max_length=64, description="fire, gas, water, freezer, ... or a fault's name")
    severity: Severity
    state: AlertState
    origin: Origin = Origin.EDGE
    trial: bool = False
    exercise: bool = False
    boot: str
    onset_index: Count
    onset_at: Nanoseconds
    fired_at: Nanoseconds = Field(description="event time at which the trigger fired")
    measured_at: Nanoseconds = Field(description="when the reading that fired it was measured")
    resolved_at: Nanoseconds | None = None
    score: float = Field(ge=0, le=10)
    threshold: float
    value: float | None = Field(description="the reading that fired it; null for silence")
    unit: str = ""
    expected: float | None = None
    lower: float | None = None
    upper: float | None = None
    reasons: tuple[Reason, ...] = ()
    config_version: Count = 0
    code_version: str = ""
    clock_trusted: bool = True


class Evidence(OnWire):
    """What re-runs an alert: the raw window and the detector's snapshot at its start.

    `window` is a columns body (models.wire.columns) holding the readings the monitor saw; `snapshot` is the
    monitor's snapshot (models.monitor) before the first of them, of the alert's channel and those that are
    judged together with it, which `channels` names; both base64.
    """

    alert: str = Field(pattern=r"^[0-9a-f]{32}$")
    monitor: MonitorName
    configuration: dict[str, object] = Field(description="the monitor's configuration as in the document")
    channels: dict[int, str] = Field(description="channel number in the window -> channel name")
    window: str
    snapshot: str
    start_at: Nanoseconds
    end_at: Nanoseconds
    # Left out where there are none, so that it is written as it was before there were any.
    later: tuple[str, ...] = Field(
        default=(),
        exclude_if=lambda bodies: not bodies,
        description="columns bodies that follow the window where the clock was stepped or the machine "
        "restarted",
    )
    moments: tuple[Moment, ...] = Field(
        default=(),
        exclude_if=lambda found: not found,
        description="past moments most like the one that fired, the most similar first",
    )


class Aftermath(OnWire):
    """The raw readings that came after those of an alert's evidence, in order: what happened next."""

    alert: str = Field(pattern=r"^[0-9a-f]{32}$")
    windows: tuple[str, ...] = Field(min_length=1, description="columns bodies, base64")
    start_at: Nanoseconds
    end_at: Nanoseconds


_ALLOWED: dict[AlertState, tuple[AlertState, ...]] = {
    AlertState.PENDING: (AlertState.FIRING, AlertState.RESOLVED),
    AlertState.FIRING: (AlertState.RESOLVED,),
    AlertState.RESOLVED: (),
}


def next_state(now: AlertState, claim: AlertState) -> tuple[AlertState, str]:
    """State after hearing `claim`, and the reason: `moved`, `same` or `refused`.

    Resolved is final: a late or repeated `firing` changes nothing.

    >>> next_state(AlertState.FIRING, AlertState.RESOLVED)
    (<AlertState.RESOLVED: 'resolved'>, 'moved')
    >>> next_state(AlertState.RESOLVED, AlertState.FIRING)
    (<AlertState.RESOLVED: 'resolved'>, 'refused')
    """
    if now == claim:
        return now, "same"
    if claim in _ALLOWED[now]:
        return claim, "moved"
    return now, "refused"
