"""Monitors over the spool: alerts once, evidence that re-runs, state that survives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from edge_rig import START, block

from edge_agent.judge.judge import Judge
from edge_agent.judge.seats import make_seats
from edge_agent.judge.snapshots import SnapshotStore
from edge_agent.outbox.spool import Spool
from models.alert import Aftermath, Alert, Evidence
from models.clock import VirtualClock
from models.configuration import MonitorConfig
from models.errors import ConfigurationError
from models.replay import replay_evidence
from models.wire.envelope import Kind
from models.wire.messages import ChannelEntry

CHANNELS = {"t": ChannelEntry(number=1, name="t", unit="Cel", resolution=0.1)}


class Sink:
    """What the outbox would have taken."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.evidence: list[Evidence] = []
        self.aftermaths: list[Aftermath] = []
        self._seen: set[tuple[str, str]] = set()
        self.problem = ""

    def raise_alert(self, alert: Alert) -> bool:
        if (alert.id, alert.state.value) in self._seen:
            return False
        self._seen.add((alert.id, alert.state.value))
        self.alerts.append(alert)
        return True

    def put_evidence(self, alert_id: str, body: bytes, kind: Kind = Kind.EVIDENCE) -> bool:
        if (alert_id, kind.name) in self._seen:
            return False
        self._seen.add((alert_id, kind.name))
        if kind is Kind.EVIDENCE:
            self.evidence.append(Evidence.model_validate_json(body))
        else:
            self.aftermaths.append(Aftermath.model_validate_json(body))
        return True

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(alert.monitor, alert.state.value) for alert in self.alerts]


def hot(**more: object) -> MonitorConfig:
    return MonitorConfig.model_validate(
        {
            "name": "hot",
            "detector": "limit",
            "parameters": {"high": 60},
            "channels": ["t"],
            "hazard": "fire",
            **more,
        }
    )


def silent() -> MonitorConfig:
    return MonitorConfig(
        name="silent", detector="absence", parameters={"after_s": 30}, channels=("t",), hazard="silent"
    )


@pytest.fixture
def rig(tmp_path: Path, make_spool: Callable[..., Spool]):
    """Makes judges over one spool, one sink and one snapshot folder, as restarts do."""
    spool, sink, clock = make_spool(), Sink(), VirtualClock(START)

    def make(monitors: Sequence[MonitorConfig], *, teaches_only: bool = False) -> Judge:
        judge = Judge(
            spool, sink, SnapshotStore(tmp_path / "snapshots"), clock,
            resolution=lambda: np.array([0.0, 0.1]), teaches_only=teaches_only,
        )  # fmt: skip
        judge.begin(seats(monitors), frozenset())
        return judge

    return make, spool, sink, clock


def seats(monitors: Sequence[MonitorConfig]):
    return make_seats(monitors, CHANNELS, gateway="gw-1", config_version=1, code_version="0")


def test_another_librarys_detector_is_refused_by_name_though_it_is_installed():
    pytest.importorskip("river")
    visitor = MonitorConfig(name="odd", detector="river", channels=("t",), hazard="other")
    with pytest.raises(ConfigurationError, match="a gateway has no room for river"):
        seats([visitor])


def run(judge: Judge) -> None:
    while judge.step():
        pass


def test_alert_fires_and_resolves_once_each(rig):
    make, spool, sink, _ = rig
    judge = make([hot()])
    spool.append(block([20.0, 80.0, 81.0, 20.0]), "boiler", None)
    run(judge)
    assert sink.said == [("hot", "firing"), ("hot", "resolved")]
    assert (sink.alerts[0].value, sink.alerts[0].onset_index, sink.alerts[0].boot) == (80.0, 1, spool.boot)


@pytest.mark.row("A1")
def test_judge_killed_before_its_snapshot_judges_again_without_a_second_alert(rig):
    make, spool, sink, _ = rig
    first = make([hot()])
    spool.append(block([20.0, 80.0]), "boiler", None)
    run(first)
    again = make([hot()])  # the first one never saved
    spool.append(block([81.0, 20.0], at_s=2), "boiler", None)
    run(again)
    assert sink.said == [("hot", "firing"), ("hot", "resolved")]


def test_judge_stopped_and_started_goes_on_where_it_was(rig):
    make, spool, sink, _ = rig
    first = make([hot()])
    spool.append(block([20.0, 80.0]), "boiler", None)
    first.stop()
    again = make([hot()])
    assert again.position == spool.end
    spool.append(block([20.0], at_s=2), "boiler", None)
    run(again)
    assert sink.said == [("hot", "firing"), ("hot", "resolved")]


def test_damaged_snapshot_means_fresh_monitors_not_a_refusal(rig, tmp_path):
    make, spool, sink, _ = rig
    judge = make([hot()])
    spool.append(block([80.0]), "boiler", None)
    judge.stop()
    path = next((tmp_path / "snapshots").iterdir())
    path.write_bytes(path.read_bytes()[:-3])
    run(make([hot()]))
    assert sink.said == [("hot", "firing")]


def test_evidence_follows_and_re_runs_to_the_same_alert(rig):
    make, spool, sink, clock = rig
    judge = make([hot(trigger={"on": 3.0, "on_delay_s": 2})])
    spool.append(block([20.0, 21.0, 80.0, 81.0, 82.0, 83.0]), "boiler", None)
    run(judge)
    assert sink.evidence == []
    clock.sleep(5.0)
    spool.append(block([84.0], at_s=6), "boiler", None)
    run(judge)
    [evidence] = sink.evidence
    again = replay_evidence(evidence, gateway="gw-1")
    assert [alert.id for alert in again.alerts] == [sink.alerts[0].id]
    assert again.readings[0].value.tolist() == [20.0, 21.0, 80.0, 81.0, 82.0, 83.0, 84.0]


def test_evidence_owed_at_the_stop_is_sent(rig):
    make, spool, sink, _ = rig
    judge = make([hot()])
    spool.append(block([80.0]), "boiler", None)
    run(judge)
    judge.stop()
    assert len(sink.evidence) == 1


def test_evidence_owed_at_a_crash_is_sent_after_the_restart(rig):
    make, spool, sink, clock = rig
    first = make([hot()])
    spool.append(block([20.0, 80.0]), "boiler", None)
    run(first)
    clock.sleep(3)
    again = make([hot()])
    run(again)
    clock.sleep(6)
    again.step()
    assert sink.said == [("hot", "firing")]
    assert [evidence.alert for evidence in sink.evidence] == [sink.alerts[0].id]


def test_silence_is_judged_while_nothing_comes(rig):
    make, spool, sink, clock = rig
    judge = make([silent()])
    spool.append(block([20.0]), "boiler", None)
    run(judge)
    clock.sleep(25)
    judge.silence()
    assert sink.said == []
    clock.sleep(30)
    judge.silence()
    assert sink.said == [("silent", "firing")]


def test_our_own_outage_is_no_silence_of_the_sensor(rig):
    make, spool, sink, clock = rig
    judge = make([silent()])
    spool.append(block([20.0]), "boiler", None)
    run(judge)
    judge.stop()
    clock.sleep(3600)
    again = make([silent()])
    again.silence()
    spool.append(block([20.0], at_s=3600), "boiler", None)
    run(again)
    clock.sleep(20)
    again.silence()
    assert sink.said == []
    clock.sleep(30)
    again.silence()
    assert sink.said == [("silent", "firing")]


def test_device_that_does_not_come_back_after_a_restart_is_noticed(rig):
    make, spool, sink, clock = rig
    judge = make([silent()])
    spool.append(block([20.0]), "boiler", None)
    run(judge)
    judge.stop()
    clock.sleep(3600)
    again = make([silent()])
    for _ in range(60):
        clock.sleep(1)
        again.silence()
    assert sink.said == [("silent", "firing")]


def test_changed_thresholds_keep_what_was_learned_and_other_monitors_start(rig):
    make, spool, sink, _ = rig
    judge = make([hot()])
    spool.append(block([80.0]), "boiler", None)
    run(judge)
    fresh = judge.change(seats([hot(severity="extreme"), silent()]), frozenset())
    assert fresh == ["silent"]
    spool.append(block([81.0, 20.0], at_s=1), "boiler", None)
    run(judge)
    assert sink.said == [("hot", "firing"), ("hot", "resolved")]


def test_alert_of_a_monitor_that_is_taken_away_is_resolved(rig):
    make, spool, sink, _ = rig
    judge = make([hot()])
    spool.append(block([80.0]), "boiler", None)
    run(judge)
    judge.change(seats([silent()]), frozenset())
    assert sink.said == [("hot", "firing"), ("hot", "resolved")]
    assert sink.alerts[0].id == sink.alerts[1].id


def test_alert_of_a_monitor_taken_away_while_stopped_is_resolved_at_the_start(rig):
    make, spool, sink, _ = rig
    judge = make([hot()])
    spool.append(block([80.0]), "boiler", None)
    judge.stop()
    make([silent()])
    assert sink.said == [("hot", "firing"), ("hot", "resolved")]


def test_teaching_raises_nothing(rig):
    make, spool, sink, _ = rig
    judge = make([hot()], teaches_only=True)
    spool.append(block([80.0] * 5), "import:x", None)
    judge.stop()
    assert sink.said == []


class Failing:
    """A monitor with a bug."""

    needs_time = False

    def follow_clock(self, _: object) -> None:
        raise ZeroDivisionError("bug")

    def snapshot(self) -> bytes:
        return b""


def test_monitor_that_fails_is_out_and_the_others_go_on(rig):
    from dataclasses import replace

    make, spool, sink, _ = rig
    judge = make([hot(), silent()])
    judge._seats[1] = replace(judge._seats[1], monitor=Failing())
    spool.append(block([80.0]), "boiler", None)
    run(judge)
    assert judge.failed == ["silent"]
    assert sink.said == [("hot", "firing")]


@pytest.mark.row("A4")
def test_what_fired_an_alert_is_on_the_disk_before_the_alert_is(rig):
    make, spool, sink, _ = rig
    taken, synced = sink.raise_alert, []

    def raise_alert(alert: Alert) -> bool:
        synced.append(spool._synced)
        return taken(alert)

    sink.raise_alert = raise_alert
    judge = make([hot()])
    spool.append(block([20.0, 80.0, 80.0, 80.0, 80.0]), "d", None)
    judge.step()
    assert synced[:1] == [spool.end]


@pytest.mark.row("A7")
def test_no_snapshot_is_saved_while_alerts_are_held_in_memory(rig, tmp_path):
    make, spool, sink, _ = rig
    judge = make([hot()])
    spool.append(block([20.0]), "d", None)
    judge.step()
    before = SnapshotStore(tmp_path / "snapshots").load()
    sink.problem = "the disk takes nothing"
    judge._roll(save=True)
    assert SnapshotStore(tmp_path / "snapshots").load() == before
    sink.problem = ""
    judge._roll(save=True)
    assert SnapshotStore(tmp_path / "snapshots").load() != before
