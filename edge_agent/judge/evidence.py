"""Evidence: the raw readings round an alert and the monitor's state before the first of them."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence

from models.alert import Alert, Evidence
from models.configuration import MonitorConfig
from models.errors import LastmileError
from models.monitor import Monitor
from models.readings import Floats, ReadingBlock, join_blocks
from models.replay import moments_of
from models.wire.columns import encode_columns
from models.wire.messages import ChannelEntry

log = logging.getLogger(__name__)
WHOLE_WINDOW_ROWS = 20_000
MAX_BODY_BYTES = 700_000


def make_evidence(
    alert: Alert,
    config: MonitorConfig,
    channels: Mapping[int, ChannelEntry],
    snapshot: bytes,
    blocks: Sequence[ReadingBlock],
    resolution: Floats,
) -> bytes | None:
    """The JSON body of an alert's evidence, or None when there is nothing that could be sent.

    `blocks` follow each other and begin where `snapshot` was taken. Of that only the state of the alert's
    channel is sent, and of those judged together with it: a monitor may watch hundreds. A window of all
    channels keeps indices, so a re-run derives the same alert id; a large one is cut down to those channels.
    """
    whole = [block for block in blocks if block.boot == alert.boot and len(block)]
    if not whole:
        return None
    window = join_blocks(whole)
    own = [number for number, entry in channels.items() if entry.name == alert.channel]
    state, together = _narrowed(config, channels, snapshot, own)
    if len(window) > WHOLE_WINDOW_ROWS:
        window = window.only(together)
    evidence = _evidence(alert, config, together, state, window, resolution)
    if len(evidence.window) + len(evidence.snapshot) > MAX_BODY_BYTES:
        evidence = _evidence(alert, config, together, state, window.only(together), resolution)
    body = _with_moments(evidence, alert).model_dump_json().encode()
    return body if len(body) <= MAX_BODY_BYTES else None


def _narrowed(
    config: MonitorConfig, channels: Mapping[int, ChannelEntry], snapshot: bytes, own: Sequence[int]
) -> tuple[bytes, dict[int, ChannelEntry]]:
    """State of the channels that cannot be judged without each other, and those channels."""
    monitor = Monitor(config, channels, gateway="")
    monitor.restore(snapshot)
    together = monitor.companions(own)
    kept = {number: entry for number, entry in channels.items() if number in together}
    return monitor.snapshot(together), kept


def _with_moments(evidence: Evidence, alert: Alert) -> Evidence:
    """With the past moments most like the one that fired, as a re-run of the evidence gives them."""
    try:
        return evidence.model_copy(update={"moments": moments_of(evidence, alert)})
    except LastmileError as wrong:
        log.warning("alert %s: its evidence does not run again: %s", alert.id, wrong)
        return evidence


def _evidence(
    alert: Alert,
    config: MonitorConfig,
    channels: Mapping[int, ChannelEntry],
    snapshot: bytes,
    window: ReadingBlock,
    resolution: Floats,
) -> Evidence:
    return Evidence(
        alert=alert.id,
        monitor=alert.monitor,
        configuration=config.model_dump(mode="json"),
        channels={number: entry.name for number, entry in channels.items()},
        window=base64.b64encode(encode_columns(window, resolution)).decode(),
        snapshot=base64.b64encode(snapshot).decode(),
        start_at=int(window.time.min()) if len(window) else alert.onset_at,
        end_at=int(window.time.max()) if len(window) else alert.fired_at,
    )
