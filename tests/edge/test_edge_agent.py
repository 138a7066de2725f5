"""The agent as a process, a real broker, a small receiver: what happens over kills, offers and silence."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from edge_cloud import Receiver
from edge_rig import Broker, edge, wait_until
from test_edge_obedience import HOSTILE, KEY, public_of

from edge_agent.cli import main
from edge_agent.outbox.inspect import outbox_figures
from models.alert import Alert
from models.clock import SystemClock
from models.configuration import GatewayDocument
from models.readings import Quality
from models.wire.columns import decode_columns
from models.wire.envelope import Kind
from models.wire.messages import ChannelTable, OutageRecord, Presence, ReportedState
from models.wire.signing import sign_document
from models.wire.topics import Down

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto")]

SETTINGS = """\
[gateway]
id = "gw-1"
[uplink]
host = "127.0.0.1"
port = {port}
tls = false
heartbeat_s = 1
reconnect_s = 2
[limits]
message_readings = 20
message_seconds = 1
[[devices]]
name = "tape"
driver = "recording"
period_s = 0.03
settings = {{ file = "{file}" }}
[[devices.channels]]
name = "tape/a"
kind = "temperature"
unit = "Cel"
source = "a"
resolution = 1
[[monitors]]
name = "hot"
detector = "limit"
parameters = {{ high = 100 }}
channels = ["tape/a"]
hazard = "fire"
severity = "severe"
trigger = {{ on = 3.0, on_delay_s = 0.1 }}
"""


class AgentProcess:
    """`lastmile-edge run` in a state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        log = (self.state / "log").open("a")
        self._process = subprocess.Popen(edge("run", "--state", str(self.state)), stderr=log, text=True)
        log.close()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(20)

    def cleanup(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def rig(
    tmp_path: Path, broker: Broker, warm_kernels: None
) -> Iterator[tuple[AgentProcess, Receiver, Callable[..., None]]]:
    state = tmp_path / "state"
    (state / "identity").mkdir(parents=True)
    (state / "identity" / "signing.pub").write_bytes(base64.b64encode(public_of(KEY)))

    def write(rows: list[float]) -> None:
        (tmp_path / "tape.csv").write_text("a\n" + "\n".join(str(row) for row in rows) + "\n")
        (state / "gateway.toml").write_text(SETTINGS.format(port=broker.port, file=tmp_path / "tape.csv"))

    agent, receiver = AgentProcess(state), Receiver(broker.port)
    yield agent, receiver, write
    agent.cleanup()
    receiver.close()


@pytest.mark.row("A1")
def test_agent_killed_again_and_again_loses_and_doubles_nothing(rig):
    agent, receiver, write = rig
    rows = [float(n) for n in range(60)] + [float(n) + 140 for n in range(160)] + [0.0] * 20
    write(rows)
    for _ in range(3):
        before = len(receiver.readings())
        agent.start()
        enough = min(before + 20, len(rows))
        assert wait_until(lambda n=enough: len(receiver.readings()) >= n)
        agent.end(signal.SIGKILL)
    agent.start()
    assert wait_until(lambda: len(receiver.readings()) >= len(rows)), len(receiver.readings())
    assert wait_until(lambda: len(receiver.of(Kind.EVIDENCE)) == 1), receiver.of(Kind.ALERT)
    assert agent.end() == 0
    assert receiver.readings() == rows
    assert receiver.conflicts == 0
    assert [alert.state.value for alert in alerts_of(receiver)] == ["firing", "resolved"]
    tables = [ChannelTable.model_validate_json(e.body) for e in receiver.of(Kind.CHANNELS)]
    assert [[(c.number, c.name, c.unit) for c in table.channels] for table in tables] == [
        [(1, "tape/a", "Cel")]
    ]


@pytest.mark.row("A3")
def test_broker_killed_and_wiped_loses_and_doubles_nothing(rig, broker):
    agent, receiver, write = rig
    rows = [float(n) for n in range(90)]
    write(rows)
    agent.start()
    for enough in (20, 40):
        assert wait_until(lambda n=enough: len(receiver.readings()) >= n, 40)
        broker.kill()
        broker.start()
    assert wait_until(lambda: len(receiver.readings()) >= len(rows), 40)
    assert agent.end() == 0
    assert receiver.readings() == rows


def test_rows_stay_until_a_receipt_and_what_was_not_sampled_is_told(rig):
    agent, receiver, write = rig
    write([float(n) for n in range(30)])
    receiver.answers = False
    agent.start()
    assert wait_until(lambda: len(receiver.readings()) >= 30)
    assert any(health.presence is Presence.ONLINE and health.hello for health in receiver.health)
    agent.end(signal.SIGKILL)
    assert wait_until(lambda: receiver.health[-1].presence is Presence.OFFLINE)
    assert outbox_figures(agent.state / "outbox.db")["bulk_readings"] == 30
    assert wait_until(lambda: SystemClock().wall_ns() - last_time(receiver) > 2_500_000_000)
    receiver.answers = True
    agent.start()
    assert wait_until(lambda: outbox_figures(agent.state / "outbox.db")["bulk_messages"] == 0)
    assert wait_until(lambda: bool(receiver.of(Kind.OUTAGE)))
    agent.end()
    assert wait_until(lambda: receiver.health[-1].presence is Presence.OFFLINE)
    record = OutageRecord.model_validate_json(receiver.of(Kind.OUTAGE)[0].body)
    assert record.from_at == last_time(receiver)
    assert (record.reason, record.boot_before) == ("restart", record.boot_after)
    assert receiver.readings() == [float(n) for n in range(30)]


@pytest.mark.row("B8")
@pytest.mark.row("A17")
def test_agent_obeys_the_signed_document_without_a_restart_and_none_of_the_hostile_ones(rig):
    agent, receiver, write = rig
    write([float(n) for n in range(3000)])
    agent.start()
    assert wait_until(lambda: len(receiver.readings()) > 20)
    wished = json.loads(document(agent, version=5).model_dump_json())
    wished["monitors"][0] |= {"name": "warm", "parameters": {"high": 1}}
    wished["devices"].append(
        {"name": "me", "driver": "health", "period_s": 0.2,
         "channels": [{"name": "me/memory", "kind": "load", "source": "memory_percent"}]}
    )  # fmt: skip
    receiver.send(Down.DESIRED, signed(wished), retain=True)
    assert wait_until(lambda: receiver.reported[-1].version == 5)
    assert receiver.reported[-1].state is ReportedState.APPLIED
    for name in ("older", "another gateway's", "one bit changed", "not signed"):
        receiver.send(Down.DESIRED, HOSTILE[name][0])
    assert wait_until(lambda: refusals(receiver) == ["version", "address", "signature", "signature"])
    unusable = {**wished, "version": 6, "monitors": [{**wished["monitors"][0], "detector": "guess"}]}
    receiver.send(Down.DESIRED, signed(unusable))
    assert wait_until(lambda: refusals(receiver)[-1] == "unusable")
    assert wait_until(lambda: any(alert.monitor == "warm" for alert in alerts_of(receiver)))
    assert wait_until(lambda: any(2 in decode_columns(e.body).channel for e in receiver.of(Kind.TELEMETRY)))
    assert agent.end() == 0
    assert {reported.version for reported in receiver.reported[1:]} == {5}
    assert {a.config_version for a in alerts_of(receiver) if a.monitor == "warm"} == {5}
    assert len(receiver.of(Kind.CHANNELS)) == 2
    bodies = [decode_columns(e.body) for e in receiver.of(Kind.TELEMETRY)]
    tape = [float(v) for body in bodies for c, v in zip(body.channel, body.value, strict=True) if c == 1]
    assert tape == [float(n) for n in range(len(tape))]
    agent.start()
    assert wait_until(lambda: receiver.reported[-1].state is ReportedState.APPLIED)
    assert receiver.reported[-1].version == 5


def test_history_teaches_and_arrives_as_historic_once(rig, tmp_path, capsys):
    agent, receiver, write = rig
    write([1.0])
    history = tmp_path / "history.csv"
    history.write_text(
        "time,tape/a\n" + "".join(f"{1_780_000_000 + n * 60},{500 + n}\n" for n in range(1200))
    )
    command = ["import", "--state", str(agent.state), str(history), "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": 1200, "readings": 1200, "skipped_rows": 0}
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": 0, "readings": 0, "skipped_rows": 1200}
    agent.start()
    assert wait_until(lambda: len(receiver.readings()) == 1201)
    agent.end()
    bodies = [decode_columns(e.body) for e in receiver.of(Kind.TELEMETRY)]
    historic = [bool(q & Quality.HISTORIC) for body in bodies for q in body.quality]
    assert historic == [True] * 1200 + [False]
    assert receiver.of(Kind.ALERT) == []


def test_status_is_told_and_a_second_agent_on_the_same_state_is_refused(rig, capsys):
    agent, _, write = rig
    write([float(n) for n in range(1000)])
    agent.start()
    status = agent.state / "status.json"
    assert wait_until(lambda: status.exists() and told(status)["judge"]["judged_readings"] > 0, 40)
    assert main(["status", "--state", str(agent.state), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["phase"], said["devices"][0]["is_up"], said["uplink"]["is_connected"]) == (
        "running", True, True,
    )  # fmt: skip
    assert status.stat().st_mode & 0o077 == 0
    assert main(["run", "--state", str(agent.state)]) == 1
    assert "in use" in capsys.readouterr().err
    agent.end()
    assert told(status)["phase"] == "stopped"


def test_agent_without_its_certificates_says_to_enrol(rig, capsys):
    agent, _, write = rig
    write([1.0])
    path = agent.state / "gateway.toml"
    path.write_text(path.read_text().replace("tls = false", "tls = true"))
    assert main(["run", "--state", str(agent.state)]) == 78
    assert "lastmile-edge enroll" in capsys.readouterr().err


def refusals(receiver: Receiver) -> list[str]:
    return [reported.reason for reported in receiver.reported if reported.state is ReportedState.REFUSED]


def alerts_of(receiver: Receiver) -> list[Alert]:
    return [Alert.model_validate_json(e.body) for e in receiver.of(Kind.ALERT)]


def told(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def last_time(receiver: Receiver) -> int:
    return max(int(decode_columns(e.body).time.max()) for e in receiver.of(Kind.TELEMETRY))


def document(agent: AgentProcess, version: int) -> GatewayDocument:
    from edge_agent.settings import load_settings

    settings = load_settings(agent.state / "gateway.toml")
    return settings.document().model_copy(update={"version": version})


def signed(document: dict[str, Any]) -> bytes:
    return sign_document(GatewayDocument.model_validate(document), KEY).model_dump_json().encode()
