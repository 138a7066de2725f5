"""An alert as a gateway raises it: the real detector over a seeded series, with its real evidence."""

from __future__ import annotations

import numpy as np
from console_series import BOOT, HISTORY_S, PERIOD_S, SERIES

from edge_agent.judge.evidence import make_evidence
from models.alert import Alert, AlertState, Evidence
from models.clock import SECOND_NS, ClockState
from models.configuration import MonitorConfig
from models.monitor import Monitor
from models.readings import ReadingBlock, round_to_resolution
from models.replay import drive
from models.wire.messages import ChannelEntry

CONFIG = MonitorConfig.model_validate(
    {
        "name": "freezer",
        "detector": "default",
        "channels": ["canteen/freezer"],
        "hazard": "freezer",
        "trigger": {"on": 4.0, "on_delay_s": 300},
    }
)
_WINDOW = 6  # readings of evidence before the one that fired, two minutes


def judged_freezer(now: int) -> tuple[Alert, Evidence]:
    """The alert of the warming freezer, and what re-runs it. `now` is ns UTC."""
    one = next(series for series in SERIES if series.name == "canteen/freezer")
    before = np.arange(HISTORY_S, 0, -PERIOD_S, dtype=np.float64)
    block = ReadingBlock.of(
        np.zeros(len(before), np.int32),
        now - (before * SECOND_NS).astype(np.int64),
        round_to_resolution(one.shape(before), one.resolution),
        boot=BOOT,
        clock=ClockState.TRUSTED,
    )
    entry = ChannelEntry(
        number=0, name=one.name, device="canteen-freezer", kind=one.kind, unit=one.unit,
        resolution=one.resolution, place=one.place,
    )  # fmt: skip
    given = {"gateway": one.gateway, "config_version": 7, "code_version": "0.1.0"}
    fired = [alert for alert in drive([Monitor(CONFIG, {0: entry}, **given)], block) if _fires(alert)][-1]
    row = int(np.searchsorted(block.time, fired.measured_at)) - _WINDOW
    again = Monitor(CONFIG, {0: entry}, **given)
    drive([again], block.rows(0, row))
    snapshot, window = again.snapshot(), block.rows(row, row + 2 * _WINDOW)
    body = make_evidence(fired, CONFIG, {0: entry}, snapshot, [window], np.array([one.resolution]))
    assert body is not None
    return fired, Evidence.model_validate_json(body)


def _fires(alert: Alert) -> bool:
    return alert.state is AlertState.FIRING
