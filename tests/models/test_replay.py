"""Replay: what the cloud computes again is what the edge judged."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from models.alert import Evidence
from models.configuration import MonitorConfig
from models.errors import ConfigurationError, SnapshotError
from models.monitor import Monitor
from models.readings import Quality, ReadingBlock, join_blocks
from models.replay import crossings_of, drive, replay, replay_evidence
from models.wire.columns import encode_columns
from models.wire.messages import ChannelEntry

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
CHANNELS = {1: ChannelEntry(number=1, name="t", resolution=0.1), 2: ChannelEntry(number=2, name="u")}


def config(detector, **parameters):
    trigger = {"on": 4, "on_delay_s": 2, "off_delay_s": 5}
    return MonitorConfig(
        name="m", detector=detector, parameters=parameters, channels=("t",), hazard="fire", trigger=trigger
    )


def readings(n=1200):
    """Two channels; the first jumps at the end, after which it falls silent."""
    chance = np.random.default_rng(3)
    channel = np.tile([1, 2], n // 2)
    time = START + np.arange(n) * SECOND // 2 + chance.integers(0, 10**8, n)
    value = np.round(20 + chance.normal(0, 0.5, n), 1)
    value[-40:] = 45.0
    return ReadingBlock.of(channel, time, value, first_index=1000, boot="c" * 32)


CASES = [
    config("limit", high=40),
    config("dwell", high=40, for_s=3),
    config("absence", after_s=10),
    config("ewma", tau_s=60, warmup_s=100),
    config("cusum", tau_s=600, unit_s=2, warmup_s=100),
]


@pytest.mark.parametrize("given", CASES, ids=[case.detector for case in CASES])
def test_evidence_gives_the_alert_again(given):
    """The edge keeps a snapshot, then a window of whole blocks; the cloud has only these."""
    everything = readings()
    blocks = [everything.rows(at, at + 100) for at in range(0, len(everything), 100)]
    edge = Monitor(given, CHANNELS, gateway="gw-1")
    for block in blocks[:9]:
        drive([edge], block)
    snapshot = edge.snapshot([1])
    alerts = [alert for block in blocks[9:] for alert in drive([edge], block)]
    end = int(everything.time[-1]) + 60 * SECOND
    alerts += edge.advance(end)
    assert alerts, "the story must raise something"
    evidence = Evidence(
        alert=alerts[0].id,
        monitor="m",
        configuration=given.model_dump(mode="json"),
        channels={1: "t"},
        window=base64.b64encode(encode_columns(join_blocks(blocks[9:]), np.array([0.0, 0.1]))).decode(),
        snapshot=base64.b64encode(snapshot).decode(),
        start_at=int(blocks[9].time[0]),
        end_at=end,
    )
    again = replay_evidence(evidence, gateway="gw-1").alerts
    same = {"unit": "", "device": ""}
    assert [alert.model_copy(update=same) for alert in again] == [
        alert.model_copy(update=same) for alert in alerts
    ]


def test_replay_keeps_a_score_for_every_row():
    everything = readings()
    run = replay(config("ewma", tau_s=60, warmup_s=100), CHANNELS, [everything], gateway="gw-1")
    assert run.scores.score.shape == run.time.shape == (1200,)
    assert (run.scores.score[everything.channel == 2] == 0).all()
    assert np.isnan(run.scores.expected[everything.channel == 2]).all()
    assert run.scores.score[everything.channel == 1].max() > 4


def test_scores_do_not_depend_on_thresholds():
    low, high = (
        replay(
            config("ewma", tau_s=60, warmup_s=100).model_copy(update={"trigger": trigger}),
            CHANNELS,
            [readings()],
            gateway="g",
        )
        for trigger in ({"on": 1}, {"on": 9})
        for trigger in [MonitorConfig.model_fields["trigger"].annotation(**trigger)]
    )
    assert np.array_equal(low.scores.table, high.scores.table, equal_nan=True)
    assert len(low.alerts) > len(high.alerts)


def test_event_time_is_the_latest_believed_and_not_imported():
    block = ReadingBlock.of(
        [1] * 6,
        [SECOND * at // 10 for at in (5, 15, 12, 99, 80, 31)],
        [0.0] * 6,
        [0, 0, 0, int(Quality.TIME_FUTURE), int(Quality.HISTORIC), 0],
    )
    rows, seconds = crossings_of(block)
    assert list(zip(rows.tolist(), seconds.tolist(), strict=True)) == [(0, 0), (1, SECOND), (5, 3 * SECOND)]


def test_replay_from_nothing_is_empty():
    run = replay(config("limit", high=1), CHANNELS, [], gateway="g")
    assert run.alerts == () and len(run.scores.score) == 0


def test_evidence_that_cannot_be_used_is_refused():
    evidence = Evidence(
        alert="0" * 32,
        monitor="m",
        configuration=config("limit", high=1).model_dump(mode="json"),
        channels={1: "t"},
        window="!!",
        snapshot="",
        start_at=0,
        end_at=0,
    )
    with pytest.raises(ConfigurationError, match="cannot be used"):
        replay_evidence(evidence)
    window = base64.b64encode(encode_columns(readings(), np.zeros(0))).decode()
    with pytest.raises(SnapshotError):
        replay_evidence(evidence.model_copy(update={"window": window}))
    with pytest.raises(ConfigurationError):
        replay_evidence(evidence.model_copy(update={"configuration": {}}))
