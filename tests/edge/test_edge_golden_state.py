"""State that an earlier release left is taken over: settings, document, outbox, spool, learned monitors."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
from edge_cloud import Receiver
from edge_rig import Broker, edge, wait_until
from make_state_golden import GOLDEN, ROWS

from edge_agent.judge.snapshots import SnapshotStore
from edge_agent.outbox.inspect import outbox_figures
from edge_agent.pipeline import Pipeline
from edge_agent.settings import load_settings
from edge_agent.state import StateFolder
from edge_agent.upgrade.signs import read_signs
from models.clock import SystemClock
from models.wire.envelope import Kind

RELEASES = sorted(path.name for path in GOLDEN.iterdir())
pytestmark = [pytest.mark.row("A18"), pytest.mark.timeout(300)]


@pytest.fixture(params=RELEASES)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> StateFolder:
    """A copy of what that release left, in which it may be worked."""
    folder = tmp_path / "state"
    shutil.copytree(GOLDEN / request.param, folder)
    (folder / "tape.csv").write_text("a\n" + "\n".join(map(str, ROWS)) + "\n")
    return StateFolder(folder)


def test_settings_and_the_document_in_force_are_read(state):
    settings = load_settings(state.settings)
    pipeline = Pipeline.open(state, settings, SystemClock())
    assert settings.gateway.id == "gw-1"
    assert pipeline.in_force.version == 7
    assert [m.name for m in pipeline.in_force.document.monitors] == ["hot", "odd"]
    pipeline.close()


def test_what_the_monitors_learned_is_kept(state, caplog):
    caplog.set_level(logging.INFO)
    saved = SnapshotStore(state.snapshots).load()
    assert saved is not None
    pipeline = Pipeline.open(state, load_settings(state.settings), SystemClock())
    assert "fresh" not in caplog.text
    assert pipeline.judge.event_time == saved.time
    pipeline.close()


def test_what_waits_is_counted_and_nothing_is_set_aside(state, caplog):
    before = outbox_figures(state.outbox)
    assert before["bulk_readings"] == len(ROWS)
    assert before["urgent_messages"] > 0
    pipeline = Pipeline.open(state, load_settings(state.settings), SystemClock())
    assert pipeline.outbox.epoch == before["epoch"]
    pipeline.close()
    assert outbox_figures(state.outbox)["bulk_readings"] == len(ROWS)
    assert not list(state.root.glob("*damaged*"))
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_status_says_what_an_upgrade_is_judged_by(state):
    signs = read_signs(state.status)
    assert signs is not None
    assert signs.version
    assert signs.pid > 0
    assert signs.judged == len(ROWS)
    assert signs.memory_mb > 10
    assert signs.up_s > 0


@pytest.mark.integration
@pytest.mark.needs("mosquitto")
def test_all_that_waited_arrives_once(state, broker: Broker, warm_kernels):
    import subprocess

    text = state.settings.read_text()
    link = f'[uplink]\nhost = "127.0.0.1"\nport = {broker.port}\ntls = false\n'
    state.settings.write_text(text.replace("[limits]", f"{link}[limits]", 1))
    receiver = Receiver(broker.port)
    agent = subprocess.Popen(edge("run", "--state", str(state.root)), cwd=state.root)
    try:
        assert wait_until(lambda: len(receiver.readings()) >= len(ROWS), 100)
        assert receiver.readings() == ROWS
        assert len(receiver.of(Kind.ALERT)) == 2
        assert receiver.conflicts == 0
    finally:
        agent.terminate()
        agent.wait(30)
        receiver.close()
