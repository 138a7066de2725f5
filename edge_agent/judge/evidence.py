"""Evidence: the raw readings round an alert and the monitor's state before the first of them."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.judge.window import join_runs
from models.alert import Aftermath, Alert, Evidence
from models.configuration import MonitorConfig
from models.errors import LastmileError
from models.monitor import Monitor
from models.readings import Floats, ReadingBlock
from models.replay import moments_of
from models.wire.columns import encode_columns
from models.wire.messages import ChannelEntry

log = logging.getLogger(__name__)
WHOLE_WINDOW_ROWS = 60_000
MAX_BODY_BYTES = 700_000


@dataclass(frozen=True, slots=True)
class Narrowed:
    """State of the channels that cannot be judged without each other, and those channels."""

    state: bytes
    channels: Mapping[int, ChannelEntry]


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
    SnapshotError when the snapshot is not of this configuration.
    """
    narrowed = narrow(config, channels, snapshot, alert)
    return evidence_body(alert, config, narrowed, join_runs(blocks), resolution)


def narrow(
    config: MonitorConfig, channels: Mapping[int, ChannelEntry], snapshot: bytes, alert: Alert
) -> Narrowed:
    """What of a monitor's snapshot an alert's channel needs. SnapshotError when it does not fit."""
    own = [number for number, entry in channels.items() if entry.name == alert.channel]
    monitor = Monitor(config, channels, gateway="")
    monitor.restore(snapshot)
    together = monitor.companions(own)
    kept = {number: entry for number, entry in channels.items() if number in together}
    return Narrowed(monitor.snapshot(together), kept)


def evidence_body(
    alert: Alert,
    config: MonitorConfig,
    narrowed: Narrowed,
    runs: Sequence[ReadingBlock],
    resolution: Floats,
) -> bytes | None:
    """As `make_evidence`, of a window that stands ready; None where it is empty or too large."""
    if not runs:
        return None
    rows = sum(len(run) for run in runs)
    cuts: list[Sequence[ReadingBlock]] = [runs] if rows <= WHOLE_WINDOW_ROWS else []
    cuts.append([run for run in (run.only(narrowed.channels) for run in runs) if len(run)])
    for cut in cuts:
        windows = encoded(cut, resolution)
        if not windows or sum(map(len, windows)) + len(narrowed.state) * 4 // 3 > MAX_BODY_BYTES:
            continue
        evidence = Evidence(
            alert=alert.id,
            monitor=alert.monitor,
            configuration=config.model_dump(mode="json"),
            channels={number: entry.name for number, entry in narrowed.channels.items()},
            window=windows[0],
            later=tuple(windows[1:]),
            snapshot=base64.b64encode(narrowed.state).decode(),
            start_at=int(cut[0].time.min()),
            end_at=int(cut[-1].time.max()),
        )
        body = _with_moments(evidence, alert).model_dump_json().encode()
        if len(body) <= MAX_BODY_BYTES:
            return body
    return None


def aftermath_body(alert_id: str, runs: Sequence[ReadingBlock], resolution: Floats) -> bytes | None:
    """The JSON body of what came after an alert's evidence; None when nothing did, or too much."""
    windows = encoded(runs, resolution)
    if not windows or sum(map(len, windows)) > MAX_BODY_BYTES:
        return None
    start, end = int(runs[0].time.min()), int(runs[-1].time.max())
    told = Aftermath(alert=alert_id, windows=tuple(windows), start_at=start, end_at=end)
    return told.model_dump_json().encode()


def encoded(runs: Sequence[ReadingBlock], resolution: Floats) -> list[str]:
    """Each run as the text of a columns body."""
    return [base64.b64encode(encode_columns(run, resolution)).decode() for run in runs]


def _with_moments(evidence: Evidence, alert: Alert) -> Evidence:
    """With the past moments most like the one that fired, as a re-run of the evidence gives them."""
    try:
        return evidence.model_copy(update={"moments": moments_of(evidence, alert)})
    except LastmileError as wrong:
        log.warning("alert %s: its evidence does not run again: %s", alert.id, wrong)
        return evidence
