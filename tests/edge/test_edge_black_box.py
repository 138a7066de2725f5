"""The black box: evidence begins before the first rise however long the trigger waited, and goes on after."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edge_rig import START
from test_edge_judge import CHANNELS, Sink, hot, run, seats

from edge_agent.judge.judge import Judge
from edge_agent.judge.ring import SPACING_NS, Ring
from edge_agent.judge.seats import make_seats
from edge_agent.judge.snapshots import Snapshot, SnapshotStore
from edge_agent.outbox.spool import Spool
from models.clock import SECOND_NS, VirtualClock
from models.configuration import MonitorConfig
from models.readings import ReadingBlock
from models.replay import replay_evidence
from models.wire.columns import decode_columns
from models.wire.messages import ChannelEntry


class Rig:
    """One spool, sink, clock and snapshot folder; judges over them as restarts make them."""

    def __init__(self, spool: Spool, folder: Path) -> None:
        self.spool, self.folder, self.sink, self.clock = spool, folder, Sink(), VirtualClock(START)

    def judge(self, *monitors: MonitorConfig, before_s: float = 60.0, after_s: float = 30.0) -> Judge:
        judge = Judge(
            self.spool, self.sink, SnapshotStore(self.folder), self.clock,
            resolution=lambda: np.array([0.0, 0.1]), before_s=before_s, after_s=after_s,
        )  # fmt: skip
        judge.begin(seats(monitors), frozenset())
        return judge

    def live(self, judge: Judge, values: list[float]) -> None:
        """A reading each second, judged as it comes."""
        for value in values:
            self.clock.sleep(1)
            block = ReadingBlock.of([1], [self.clock.wall_ns()], [value])
            offset = self.clock.wall_ns() - self.clock.monotonic_ns()
            self.spool.append(replace(block, monotonic_offset_ns=offset), "boiler", None)
            run(judge)


@pytest.fixture
def rig(make_spool: Callable[..., Spool], tmp_path: Path) -> Rig:
    return Rig(make_spool(), tmp_path / "snapshots")


def window_of(evidence) -> ReadingBlock:
    return decode_columns(base64.b64decode(evidence.window))


@pytest.mark.parametrize("delay_s", [0, 300, 1200])
def test_evidence_begins_before_the_first_rise_however_long_the_trigger_waited(rig, delay_s):
    judge = rig.judge(hot(trigger={"on": 3.0, "on_delay_s": delay_s}))
    rig.live(judge, [20.0] * 200 + [80.0] * (delay_s + 10))
    [alert], [evidence] = rig.sink.alerts, rig.sink.evidence
    before_s = (alert.onset_at - evidence.start_at) / SECOND_NS
    assert before_s >= 60
    # Sparser with age: at most half as old again as it has to be, or a minute.
    assert before_s <= 60 + max(SPACING_NS / SECOND_NS, (delay_s + 70) / 2) + 35
    again = replay_evidence(evidence, gateway="gw-1").alerts
    assert [(one.id, one.score, one.onset_at) for one in again] == [(alert.id, 10.0, alert.onset_at)]


def test_aftermath_goes_on_where_the_evidence_ended_at_full_rate(rig):
    judge = rig.judge(hot())
    rig.live(judge, [20.0] * 100 + [80.0 + k / 10 for k in range(50)])
    [evidence], [aftermath] = rig.sink.evidence, rig.sink.aftermaths
    seen = window_of(evidence).value.tolist()
    after = [v for body in aftermath.windows for v in decode_columns(base64.b64decode(body)).value.tolist()]
    assert aftermath.alert == evidence.alert == rig.sink.alerts[0].id
    # Five seconds after the onset stand in the evidence, the rest of thirty follows without a hole.
    assert seen[-1] == 80.5 and after == [80.0 + k / 10 for k in range(6, 31)]
    assert aftermath.start_at == evidence.end_at + SECOND_NS


def test_aftermath_owed_at_a_stop_is_sent_after_the_restart(rig):
    judge = rig.judge(hot())
    rig.live(judge, [20.0] * 100 + [80.0] * 10)
    judge.stop()
    assert (len(rig.sink.evidence), len(rig.sink.aftermaths)) == (1, 0)
    again = rig.judge(hot())
    rig.live(again, [81.0] * 40)
    [aftermath] = rig.sink.aftermaths
    values = decode_columns(base64.b64decode(aftermath.windows[0])).value.tolist()
    assert values[0] == 80.0 and 81.0 in values
    assert len(rig.sink.evidence) == 1


def test_evidence_reaches_back_over_a_restart_and_runs_again(rig):
    """The agent was killed between the first rise and the alert: the spool holds what it saw before."""
    config = hot(trigger={"on": 3.0, "on_delay_s": 120})
    judge = rig.judge(config)
    rig.live(judge, [20.0] * 150 + [80.0] * 60)
    again = rig.judge(config)  # nothing was stopped or saved
    rig.live(again, [80.0] * 80)
    [alert], [evidence] = rig.sink.alerts, rig.sink.evidence
    assert alert.onset_at - evidence.start_at >= 60 * SECOND_NS
    assert [one.id for one in replay_evidence(evidence, gateway="gw-1").alerts] == [alert.id]


def test_evidence_over_a_step_of_the_clock_runs_again_to_the_same(rig):
    config = hot(trigger={"on": 3.0, "on_delay_s": 60})
    judge = rig.judge(config)
    rig.live(judge, [20.0] * 100 + [80.0] * 30)
    rig.clock.step(3600)
    rig.live(judge, [80.0] * 50)
    [alert], [evidence] = rig.sink.alerts, rig.sink.evidence
    assert len(evidence.later) == 1
    [told] = replay_evidence(evidence, gateway="gw-1").alerts
    assert (told.id, told.fired_at, told.onset_at) == (alert.id, alert.fired_at, alert.onset_at)


def test_window_too_large_is_cut_to_the_channels_that_are_judged_together(rig, monkeypatch):
    monkeypatch.setattr("edge_agent.judge.evidence.WHOLE_WINDOW_ROWS", 50)
    monkeypatch.setattr("edge_agent.judge.black_box.WHOLE_WINDOW_ROWS", 50)
    channels = {**CHANNELS, "u": ChannelEntry(number=2, name="u")}
    judge = rig.judge()
    judge.change(
        make_seats([hot()], channels, gateway="gw-1", config_version=1, code_version="0"), frozenset()
    )
    for second in range(100):
        rig.clock.sleep(1)
        now = rig.clock.wall_ns()
        rig.spool.append(ReadingBlock.of([1, 2], [now, now], [80.0 if second > 80 else 20.0, 1.0]), "b", None)
        run(judge)
    [evidence] = rig.sink.evidence
    assert set(window_of(evidence).channel.tolist()) == {1}
    [told] = replay_evidence(evidence, gateway="gw-1").alerts
    assert told.onset_at == rig.sink.alerts[0].onset_at


def test_ring_reaches_hours_back_with_few_snapshots(tmp_path):
    store = SnapshotStore(tmp_path)
    ring = Ring(store, before_s=300, spool_bytes=1 << 30)
    for half_minute in range(6 * 120):
        at = START + half_minute * 30 * SECOND_NS
        ring.keep(Snapshot(half_minute * 100, at, ()), saved=False)
    assert len(list(tmp_path.glob("ring-*"))) <= 25
    newest = START + (6 * 120 - 1) * 30 * SECOND_NS
    for age_s in (0, 600, 3600, 3 * 3600, 5 * 3600):
        mark, snapshot = next(ring.beginnings(newest - age_s * SECOND_NS))
        early_s = (newest - age_s * SECOND_NS - mark.time) / SECOND_NS
        assert 300 <= early_s <= 300 + max(60, (age_s + 300) * 0.75) + 30
        assert (snapshot.position, snapshot.time) == (mark.position, mark.time)


def test_ring_keeps_no_more_than_its_share_of_the_spool(tmp_path):
    ring = Ring(SnapshotStore(tmp_path), before_s=300, spool_bytes=10_000)
    for step in range(100):
        ring.keep(Snapshot(step * 100, START + step * 30 * SECOND_NS, ()), saved=False)
    assert 9900 - 5000 <= ring.oldest <= 9900


def test_spool_is_kept_as_far_back_as_evidence_may_begin(rig):
    judge = rig.judge(hot())
    rig.live(judge, [20.0] * 400)
    assert judge.needed_from == 0
    judge.stop()
    assert rig.judge(hot()).needed_from == 0
