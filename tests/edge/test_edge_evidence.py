"""Evidence of detectors that learn: small enough to be sent, and everything in it comes out again."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from edge_rig import START, block

from edge_agent.judge.evidence import MAX_BODY_BYTES, make_evidence
from models.alert import Alert, AlertState, Evidence
from models.clock import SECOND_NS
from models.configuration import MonitorConfig
from models.monitor import Monitor
from models.readings import ReadingBlock
from models.replay import drive, moments_of, replay_evidence
from models.wire.messages import ChannelEntry

LEARNED = 3000
LAST = 20
PARAMETERS = {
    "default": {"warmup_s": 600.0, "frame_s": 5.0},
    "nearest": {"warmup_s": 600.0},
    "discord": {"warmup_s": 600.0, "length": 16, "buffer": 1000},
}
remembering = pytest.mark.parametrize("detector", list(PARAMETERS))


def config(detector: str, channels: int = 1, on_delay_s: float = 0.0) -> MonitorConfig:
    return MonitorConfig.model_validate(
        {
            "name": "unusual",
            "detector": detector,
            "parameters": PARAMETERS[detector],
            "channels": [f"c{number}" for number in range(channels)],
            "hazard": "climate",
            "trigger": {"on": 2.5, "on_delay_s": on_delay_s},
        }
    )


def entries(channels: int = 1) -> dict[int, ChannelEntry]:
    return {k: ChannelEntry(number=k, name=f"c{k}", resolution=0.01) for k in range(channels)}


def wave(n: int, seed: int = 1) -> np.ndarray:
    """A machine's cycle of 50 s with a little noise."""
    noise = np.random.default_rng(seed).normal(0, 0.05, n)
    return np.round(20 + np.sin(np.arange(n) / 50 * 2 * np.pi) + noise, 2)


def raised(monitor: Monitor, values: np.ndarray, period_s: float = 1.0) -> tuple[bytes, ReadingBlock, Alert]:
    """Let it learn, take a snapshot, and see the rest: the snapshot, the rest and the alert that fired."""
    times = START + (np.arange(len(values)) * period_s * SECOND_NS).astype(np.int64)
    everything = ReadingBlock.of(np.zeros(len(values), np.int32), times, values)
    drive([monitor], everything.rows(0, LEARNED))
    snapshot = monitor.snapshot()
    rest = everything.rows(LEARNED, len(values))
    fired = [one for one in drive([monitor], rest) if one.state is AlertState.FIRING]
    return snapshot, rest, fired[0]


def strange() -> np.ndarray:
    """After a long calm, something in between its extremes that it has never done."""
    values = wave(LEARNED + LAST)
    values[LEARNED + 5 :] = 20.0 + 3.0 * (np.arange(LAST - 5) % 2)
    return values


@remembering
def test_evidence_gives_score_threshold_reasons_and_moments_again(detector):
    given = config(detector)
    snapshot, rest, alert = raised(Monitor(given, entries(), gateway="gw-1"), strange())
    body = make_evidence(alert, given, entries(), snapshot, [rest], np.array([0.01]))
    evidence = Evidence.model_validate_json(body)
    again = next(one for one in replay_evidence(evidence, gateway="gw-1").alerts if one.id == alert.id)
    assert (again.score, again.threshold, again.reasons) == (alert.score, alert.threshold, alert.reasons)
    assert len(evidence.moments) == 3 and moments_of(evidence, alert) == evidence.moments
    assert all(moment.at < alert.measured_at for moment in evidence.moments)
    # Where the reason says when the most similar stretch was, so does the first moment.
    for reason in alert.reasons:
        since = reason.parameters.get("seconds", (alert.measured_at - evidence.moments[0].at) / SECOND_NS)
        assert evidence.moments[0].at == alert.measured_at - round(since * SECOND_NS)


@remembering
def test_moments_are_those_of_the_reading_that_fired_not_of_the_last_one(detector):
    given = config(detector)
    snapshot, rest, alert = raised(Monitor(given, entries(), gateway="gw-1"), strange())
    until = int(np.searchsorted(rest.time, alert.measured_at)) + 1
    told = [
        Evidence.model_validate_json(
            make_evidence(alert, given, entries(), snapshot, [blocks], np.array([0.01]))
        )
        for blocks in (rest, rest.rows(0, until))
    ]
    assert told[0].moments == told[1].moments != ()


@remembering
def test_moments_of_a_slow_channel_whose_reading_came_before_the_window(detector):
    """It reports every ten minutes and the trigger waits for five: the window holds nothing of it."""
    given = config(detector, on_delay_s=300.0)
    monitor = Monitor(given, entries(), gateway="gw-1")
    values = np.append(wave(LEARNED), 27.0)
    times = START + np.arange(len(values)) * 600 * SECOND_NS
    everything = ReadingBlock.of(np.zeros(len(values), np.int32), times, values)
    assert all(one.state is AlertState.RESOLVED for one in drive([monitor], everything)[-1:])
    snapshot = monitor.snapshot()
    fired = monitor.advance(int(times[-1]) + 301 * SECOND_NS)
    [alert] = [one for one in fired if one.state is AlertState.FIRING]
    others = ReadingBlock.of([7], [alert.fired_at], [1.0])
    body = make_evidence(alert, given, entries(), snapshot, [others], np.zeros(8))
    evidence = Evidence.model_validate_json(body)
    assert alert.measured_at == times[-1] and len(evidence.moments) == 3


def test_evidence_of_one_of_many_channels_holds_its_state_alone():
    """A monitor over a whole building would be too large to be sent, and its alerts would go without."""
    many = 120
    given = config("nearest", many)
    monitor = Monitor(given, entries(many), gateway="gw-1")
    times = START + np.arange(1500) * SECOND_NS
    for number in range(many):
        values = np.random.default_rng(number).normal(20, 1, 1500)
        drive([monitor], ReadingBlock.of(np.full(1500, number, np.int32), times, values))
    snapshot = monitor.snapshot()
    assert len(base64.b64encode(snapshot)) > MAX_BODY_BYTES
    late = int(times[-1]) + SECOND_NS
    window = ReadingBlock.of([3, 4], [late, late], [99.0, 20.0])
    [alert] = [one for one in drive([monitor], window) if one.state is AlertState.FIRING]
    body = make_evidence(alert, given, entries(many), snapshot, [window], np.zeros(many))
    assert body is not None and len(body) < MAX_BODY_BYTES // 10
    evidence = Evidence.model_validate_json(body)
    assert evidence.channels == {3: "c3"}
    assert [one.id for one in replay_evidence(evidence, gateway="gw-1").alerts] == [alert.id]


def test_rule_remembers_no_moments():
    given = config("nearest").model_copy(update={"detector": "limit", "parameters": {"high": 60}})
    monitor = Monitor(given, entries(), gateway="gw-1")
    snapshot, window = monitor.snapshot(), block([20.0, 80.0], channel=0)
    [alert] = drive([monitor], window)
    body = make_evidence(alert, given, entries(), snapshot, [window], np.array([0.1]))
    assert b"moments" not in body
