"""Bodies that are JSON: records, receipts, status. Schemas are exported to docs/wire/."""

from __future__ import annotations

import enum
from typing import Annotated, Any

from pydantic import Field

from models.alert import Count, Nanoseconds, OnWire
from models.clock import ClockState
from models.identity import Stream

Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class ChannelEntry(OnWire):
    """One row of the table that gives channel numbers their names."""

    number: int = Field(ge=0, lt=1 << 31)
    name: str
    device: str = ""
    kind: str = ""
    unit: str = ""
    resolution: float = 0.0
    place: str = ""
    # Left out where values are sent as measured: the table is then what it was before there was thinning.
    thinned_within: float = Field(
        default=0.0,
        ge=0,
        exclude_if=lambda error: not error,
        description="values marked as thinned are within so much of what was measured; 0: none are",
    )


class ChannelTable(OnWire):
    """Sent in the bulk stream before the first telemetry that uses a number, and once a boot.

    A number means one name for the whole epoch.
    """

    channels: tuple[ChannelEntry, ...]


# A receipt names at most so many numbers beyond `through`, the lowest; then it says nothing of higher ones.
RECEIPT_NAMES = 500


class GapRecord(OnWire):
    """Messages that will not come: the outbox was full and the oldest telemetry went, or the disk failed.

    `first_sequence` 0: numbers of an earlier epoch. `readings` 0: unknown, where `messages` is not 0.
    """

    first_sequence: Count
    last_sequence: Count
    messages: Count
    readings: Count
    from_at: Nanoseconds
    to_at: Nanoseconds
    reason: str
    # Left out for telemetry: the message is then what it was before other streams had gaps.
    stream: Stream = Field(default=Stream.BULK, exclude_if=lambda stream: stream is Stream.BULK)


class OutageRecord(OnWire):
    """A span in which nothing was sampled."""

    from_at: Nanoseconds
    to_at: Nanoseconds
    boot_before: str
    boot_after: str
    reason: str


class ClockRecord(OnWire):
    """The gateway's wall clock was set, or stepped: where it stood before and where it stands now.

    What was measured in this boot before `monotonic_ns` under an untrusted clock (`clock` 2 in a block's
    header, `clock_trusted` false in an alert) belongs at monotonic time plus `offset_ns`; where `mends` is
    false the step changes no time that was told.
    """

    boot: Hex32
    monotonic_ns: Count = Field(description="monotonic time at which it was noticed")
    before_offset_ns: Nanoseconds = Field(description="wall minus monotonic time before")
    offset_ns: Nanoseconds = Field(description="wall minus monotonic time now")
    clock: ClockState = Field(description="how far it can be believed now: 0 unknown, 1 trusted, 2 not")
    mends: bool = Field(description="whether times told before it are to be mended")


class Receipt(OnWire):
    """What the cloud has committed: every number up to `through`, and `beyond` it those named.

    Numbers in `quarantined` are kept by the cloud but could not be used; the gateway may forget them too.
    Sent after commit, and at connect (in answer to health with `hello`).
    """

    epoch: Count
    stream: Stream
    through: Count
    beyond: tuple[Count, ...] = ()
    quarantined: tuple[Count, ...] = ()
    sent_at: Nanoseconds


class Presence(enum.StrEnum):
    """Online is said by the gateway, offline by the gateway when it stops and by its last will."""

    ONLINE = "online"
    OFFLINE = "offline"


class ActionNote(OnWire):
    """Something that was switched on the spot, or was not: a line of the gateway's log of actions."""

    at: Nanoseconds
    action: str
    event: str = Field(description="on, off, refused, failed, test")
    reason: str = Field(default="", description="a code: started, ended, max_on, pause, per_day, ...")
    alert: str = Field(default="", description="id of the alert that asked for it")
    detail: str = ""


class UpgradeNote(OnWire):
    """How the last upgrade ended: confirmed, returned (the release before is in force again) or refused."""

    outcome: str
    version: str
    earlier: str
    reason: str = Field(default="", description="a code: crash, silence, receipts, signature, disk, ...")
    detail: str = ""
    parameters: dict[str, float | int | str | None] = Field(
        default_factory=dict, exclude_if=lambda parameters: not parameters, description="of `reason`"
    )
    at: Nanoseconds


class Health(OnWire):
    """Heartbeat and last will; retained, latest only. `hello` asks for receipts: sent once a connect."""

    presence: Presence
    hello: bool = False
    sent_at: Nanoseconds
    boot: str = ""
    epoch: Count = 0
    urgent_assigned: Count = 0
    bulk_assigned: Count = 0
    backlog_messages: Count = 0
    readings: Count = 0
    code_version: str = ""
    clock_trusted: bool = True
    measures: dict[str, float] = Field(default_factory=dict, description="cpu_temperature_c, memory_mb, ...")
    # Left out where there are none: the message is then what it was before there were actions.
    actions: tuple[ActionNote, ...] = Field(
        default=(), exclude_if=lambda actions: not actions, description="the last of the log, oldest first"
    )
    # Left out by gateways of before: two of them at once could not be told apart by it.
    run: str = Field(
        default="", exclude_if=lambda run: not run, description="names this run of the program, at random"
    )
    certificate: str = Field(
        default="", exclude_if=lambda serial: not serial, description="serial number in use, hexadecimal"
    )
    # Left out where there never was one.
    upgrade: UpgradeNote | None = Field(default=None, exclude_if=lambda note: note is None)


class ReportedState(enum.StrEnum):
    """What became of a desired document."""

    APPLIED = "applied"
    REFUSED = "refused"


class TrialPhase(enum.StrEnum):
    """How far a document has come on this gateway: it runs on trial first."""

    TRIAL = "trial"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"


class Reported(OnWire):
    """Configuration in force, and what became of the last document offered; retained.

    A document that was reverted is told as refused, so that a cloud of before understands it.
    """

    version: Count = Field(description="version in force; 0 is the gateway's own file")
    offered: Count = 0
    state: ReportedState
    reason: str = ""
    detail: str = ""
    sent_at: Nanoseconds
    # Left out where there is nothing to say: the message is then what it was before there were trials.
    phase: TrialPhase | None = Field(default=None, exclude_if=lambda phase: phase is None)
    parameters: dict[str, float | int | str | None] = Field(
        default_factory=dict, exclude_if=lambda parameters: not parameters, description="of `reason`"
    )


class SignedDocument(OnWire):
    """A GatewayDocument as exact JSON text under an Ed25519 signature, base64; retained."""

    document: str
    signature: str
    key: str = Field(description="first 16 hexadecimal digits of SHA-256 of the public key")


class CommandName(enum.StrEnum):
    """The closed list of what a gateway can be ordered to do."""

    RUN_ACTION_TEST = "run_action_test"
    SEND_STATUS = "send_status"
    RENEW_CERTIFICATE = "renew_certificate"
    RESTART_AGENT = "restart_agent"
    COLLECT_DIAGNOSTICS = "collect_diagnostics"
    TRUST_SIGNING_KEY = "trust_signing_key"
    FORGET_SIGNING_KEY = "forget_signing_key"
    UPGRADE = "upgrade"


class Command(OnWire):
    """An order to a gateway, good until `expires_at`, obeyed once. Travels inside a SignedDocument.

    `counter` rises with every command to this gateway: one that does not is a replay.
    """

    id: Hex32
    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    issued_at: Nanoseconds
    expires_at: Nanoseconds
    # Left out where there is nothing to say: the message is then what it was before commands were signed.
    gateway: str = Field(default="", exclude_if=lambda name: not name, description="whom it is for")
    counter: Count = Field(default=0, exclude_if=lambda counter: not counter)


class CommandState(enum.StrEnum):
    """What became of a command. Refused: nothing was done."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class CommandResult(OnWire):
    """The answer to a command, in the urgent stream. `output` is bounded by the gateway to 64 KiB of JSON."""

    id: Hex32
    name: str
    state: CommandState
    reason: str = Field(default="", description="a code: replay, expired, unknown_command, parameters, ...")
    detail: str = ""
    output: dict[str, Any] = Field(default_factory=dict)
    at: Nanoseconds
