"""One of everything that travels, always the same: what golden files, fuzzing and skew tests start from."""

from __future__ import annotations

import base64

import numpy as np

from models.alert import Alert, AlertKind, AlertState, Evidence, Reason, Severity
from models.clock import ClockState
from models.configuration import GatewayDocument
from models.identity import MessageIdentity, Stream, alert_id
from models.readings import Floats, Quality, ReadingBlock
from models.wire.columns import encode_columns
from models.wire.envelope import Kind, seal
from models.wire.messages import (
    ChannelEntry,
    ChannelTable,
    Command,
    GapRecord,
    Health,
    OutageRecord,
    Presence,
    Receipt,
    Reported,
    ReportedState,
    SignedDocument,
)
from models.wire.signing import sign_document

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
BOOT = "0123456789abcdef0123456789abcdef"
SIGNING_KEY = bytes(range(32))
TENTHS: Floats = np.full(8, 0.1)


def block_of(channel, time, value, quality=None, **header) -> ReadingBlock:
    """A block with a header that is not all zeros."""
    said = {"boot": BOOT, "first_index": 4711, "monotonic_offset_ns": START - 12_345_678_901}
    return ReadingBlock.of(channel, time, value, quality, **(said | {"clock": ClockState.TRUSTED} | header))


def calm_block() -> ReadingBlock:
    """Two devices of two channels each second, whole tenths, one flagged reading."""
    turns = 30
    channel = np.tile([0, 1, 5, 6], turns)
    time = START + np.repeat(np.arange(turns), 4) * SECOND + np.tile([0, 0, 250_000_000, 250_000_000], turns)
    wave = 215 + np.round(6 * np.sin(np.arange(turns) / 5))
    steps = np.stack([wave, wave * 2 + 3, 900 - wave, np.full(turns, 7.0)], axis=1).ravel()
    quality = np.zeros(4 * turns, np.uint8)
    quality[41] = Quality.SUSPECT
    return block_of(channel, time, steps / 10.0, quality)


def odd_block() -> ReadingBlock:
    """What a codec gets wrong: NaN with a payload, infinities, -0, extremes of time, raw floats."""
    odd = np.array([0x7FF8_0000_DEAD_BEEF, 0x8000_0000_0000_0000], np.uint64).view(np.float64)
    rough = np.sin(np.arange(1.0, 41.0)) * 1e-3
    value = np.concatenate([odd, [np.inf, -np.inf, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3], rough])
    channel = np.concatenate([[3, 9, 3, 2_147_483_647, 9, 3, 3, 9], np.full(40, 12)])
    time = np.concatenate([[-(1 << 63), (1 << 63) - 1, 0, START, START, 1, 2, 3], START + np.arange(40) ** 3])
    return block_of(channel, time, value, np.arange(48) % 251, clock=ClockState.UNTRUSTED)


def empty_block() -> ReadingBlock:
    """No reading, a header all the same."""
    return block_of([], [], [])


BLOCKS = {"calm": calm_block, "odd": odd_block, "empty": empty_block}


def alert() -> Alert:
    """A firing alert with two reasons."""
    return Alert(
        id=alert_id("gw-b1", "kitchen-smoke", BOOT, 4711),
        gateway="gw-b1",
        monitor="kitchen-smoke",
        detector="ewma",
        channel="kitchen/smoke",
        device="kitchen",
        kind=AlertKind.HAZARD,
        hazard="smoke",
        severity=Severity.SEVERE,
        state=AlertState.FIRING,
        boot=BOOT,
        onset_index=4711,
        onset_at=START,
        fired_at=START + 3 * SECOND,
        measured_at=START + 3 * SECOND,
        score=4.25,
        threshold=3.0,
        value=0.87,
        unit="%",
        expected=0.02,
        lower=0.0,
        upper=0.1,
        reasons=(
            Reason(code="above_expected", parameters={"value": 0.87, "expected": 0.02}, share=0.75),
            Reason(code="rising", parameters={"per_minute": 0.3, "unit": "%", "since": None}, share=0.25),
        ),
        config_version=3,
        code_version="0.1.0",
    )


def document() -> GatewayDocument:
    """A desired document with one device and one monitor."""
    channel = {
        "name": "kitchen/smoke",
        "kind": "smoke",
        "unit": "%",
        "source": "smoke.density",
        "resolution": 0.01,
        "minimum": 0.0,
        "maximum": 100.0,
    }
    device = {"name": "kitchen", "driver": "mqtt", "settings": {"topic": "z/kitchen"}, "channels": [channel]}
    monitor = {
        "name": "kitchen-smoke",
        "detector": "ewma",
        "parameters": {"half_life_s": 600.0},
        "channels": ["kitchen/smoke"],
        "trigger": {"on": 3.0, "on_delay_s": 3.0},
        "hazard": "smoke",
        "severity": "severe",
    }
    return GatewayDocument.model_validate(
        {
            "gateway": "gw-b1",
            "version": 3,
            "issued_at": START,
            "expires_at": START + 86400 * SECOND,
            "devices": [device],
            "monitors": [monitor],
        }
    )


def signed() -> SignedDocument:
    """The document under a key that everybody knows; Ed25519 gives the same signature every time."""
    return sign_document(document(), SIGNING_KEY)


def messages() -> dict[str, object]:
    """Every JSON body by its file name."""
    entry = ChannelEntry(
        number=5, name="kitchen/smoke", device="kitchen", kind="smoke", unit="%", resolution=0.01
    )
    window = base64.b64encode(encode_columns(calm_block(), TENTHS)).decode()
    return {
        "alert": alert(),
        "evidence": Evidence(
            alert=alert().id,
            monitor="kitchen-smoke",
            configuration=document().monitors[0].model_dump(mode="json"),
            channels={5: "kitchen/smoke"},
            window=window,
            snapshot=base64.b64encode(b"snapshot").decode(),
            start_at=START,
            end_at=START + 30 * SECOND,
        ),
        "channels": ChannelTable(channels=(entry,)),
        "gap": GapRecord(
            first_sequence=10,
            last_sequence=12,
            messages=3,
            readings=1500,
            from_at=START,
            to_at=START + 15 * SECOND,
            reason="outbox_full",
        ),
        "outage": OutageRecord(
            from_at=START, to_at=START + SECOND, boot_before=BOOT, boot_after=BOOT[::-1], reason="restart"
        ),
        "receipt": Receipt(
            epoch=1, stream=Stream.BULK, through=41, beyond=(43, 44), quarantined=(44,), sent_at=START
        ),
        "health": Health(
            presence=Presence.ONLINE,
            hello=True,
            sent_at=START,
            boot=BOOT,
            epoch=1,
            urgent_assigned=7,
            bulk_assigned=44,
            backlog_messages=2,
            readings=22_000,
            code_version="0.1.0",
            measures={"cpu_temperature_c": 48.5, "memory_mb": 171.0},
        ),
        "reported": Reported(
            version=2, offered=3, state=ReportedState.REFUSED, reason="expired", detail="", sent_at=START
        ),
        "desired": signed(),
        "command": Command(
            id="0" * 31 + "1",
            name="send_diagnosis",
            parameters={"days": 1},
            issued_at=START,
            expires_at=START + SECOND,
        ),
    }


def envelopes() -> dict[str, bytes]:
    """Whole messages: telemetry in the bulk stream and an alert in the urgent one."""
    telemetry = encode_columns(calm_block(), TENTHS)
    return {
        "telemetry": seal(MessageIdentity("gw-b1", 1, Stream.BULK, 44), Kind.TELEMETRY, START, telemetry),
        "alert": seal(
            MessageIdentity("gw-b1", 1, Stream.URGENT, 7),
            Kind.ALERT,
            START,
            alert().model_dump_json().encode(),
        ),
    }
