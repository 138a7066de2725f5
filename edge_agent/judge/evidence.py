"""Evidence: the raw readings round an alert and the monitor's state before the first of them."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.alert import Alert, Evidence
from models.configuration import MonitorConfig
from models.readings import Floats, ReadingBlock, join_blocks
from models.wire.columns import encode_columns
from models.wire.messages import ChannelEntry

WHOLE_WINDOW_ROWS = 20_000
MAX_BODY_BYTES = 700_000


def make_evidence(
    alert: Alert,
    config: MonitorConfig,
    channels: Mapping[int, ChannelEntry],
    snapshot: bytes,
    blocks: Sequence[ReadingBlock],
    resolution: Floats,
    together: Collection[int],
) -> bytes | None:
    """The JSON body of an alert's evidence, or None when there is nothing that could be sent.

    `blocks` follow each other and begin where `snapshot` was taken. A window of all channels keeps indices,
    so a re-run derives the same alert id; a very large one is cut down to the monitor's channels, then to
    those judged `together` with the alert's.
    """
    whole = [block for block in blocks if block.boot == alert.boot and len(block)]
    if not whole:
        return None
    window = join_blocks(whole)
    if len(window) > WHOLE_WINDOW_ROWS:
        window = _only(window, channels)
    body = _body(alert, config, channels, snapshot, window, resolution)
    if len(body) > MAX_BODY_BYTES:
        body = _body(alert, config, channels, snapshot, _only(window, together), resolution)
    return body if len(body) <= MAX_BODY_BYTES else None


def _only(block: ReadingBlock, numbers: Collection[int]) -> ReadingBlock:
    rows = np.isin(block.channel, list(numbers))
    return replace(
        block,
        channel=block.channel[rows],
        time=block.time[rows],
        value=block.value[rows],
        quality=block.quality[rows],
    )


def _body(
    alert: Alert,
    config: MonitorConfig,
    channels: Mapping[int, ChannelEntry],
    snapshot: bytes,
    window: ReadingBlock,
    resolution: Floats,
) -> bytes:
    evidence = Evidence(
        alert=alert.id,
        monitor=alert.monitor,
        configuration=config.model_dump(mode="json"),
        channels={number: entry.name for number, entry in channels.items()},
        window=base64.b64encode(encode_columns(window, resolution)).decode(),
        snapshot=base64.b64encode(snapshot).decode(),
        start_at=int(window.time.min()) if len(window) else alert.onset_at,
        end_at=int(window.time.max()) if len(window) else alert.fired_at,
    )
    return evidence.model_dump_json().encode()
