"""The doctor over real files, a real broker and real faults: what is said, and what is advised."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from edge_rig import Broker, edge, free_port, wait_until

from edge_agent.watchdog.record import Standstill, StandstillStore

SETTINGS = """\
[gateway]
id = "gw-1"
[uplink]
host = "{host}"
port = {port}
tls = false
[[devices]]
name = "me"
driver = "health"
period_s = 0.2
[[devices.channels]]
name = "me/memory"
kind = "load"
source = "memory_percent"
"""


def ask(state: Path) -> tuple[dict[str, dict[str, str]], int]:
    """Findings by what was looked at, and the exit code."""
    done = subprocess.run(
        edge("doctor", "--state", str(state), "--json"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    return {finding["what"]: finding for finding in told["findings"]}, done.returncode


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def write(state: Path, port: int, host: str = "127.0.0.1", more: str = "") -> None:
    (state / "gateway.toml").write_text(SETTINGS.format(host=host, port=port) + more)


def test_doctor_without_a_state_says_where_to_begin(tmp_path):
    found, code = ask(tmp_path / "nowhere")
    assert code == 1
    assert found["state"]["mark"] == "bad"
    assert "lastmile-edge init" in found["state"]["advice"]


def test_doctor_tells_of_settings_that_cannot_be_used_and_looks_on(state):
    (state / "gateway.toml").write_text("[gateway]\nname = 3\n")
    found, code = ask(state)
    assert code == 1
    assert "gateway.toml:" in found["settings"]["said"]
    assert {"disk", "memory", "outbox", "agent"} <= set(found)


def test_doctor_walks_to_the_broker_and_stops_where_it_ends(state):
    write(state, free_port())
    found, _ = ask(state)
    assert found["name"]["mark"] == "well"
    assert found["port"]["mark"] == "bad"
    assert "firewall" in found["port"]["advice"]
    assert "MQTT" not in found


def test_doctor_goes_through_to_its_own_topics_where_no_agent_runs(state, broker: Broker):
    write(state, broker.port)
    found, code = ask(state)
    assert [found[step]["mark"] for step in ("name", "port", "MQTT", "topics")] == ["well"] * 4
    assert found["agent"]["mark"] == "bad"
    assert code == 1


@pytest.mark.integration
def test_doctor_beside_a_running_agent_finds_all_well_and_leaves_its_session_alone(
    state, broker: Broker, warm_kernels
):
    write(state, broker.port)
    agent = subprocess.Popen(edge("run", "--state", str(state)), stderr=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: status(state).get("uplink", {}).get("is_connected", False), 60)
        found, _ = ask(state)
        for what in ("agent", "device me", "outbox", "MQTT", "watchdog"):
            assert found[what]["mark"] == "well", found[what]
        assert status(state)["uplink"]["connects"] == 1
    finally:
        agent.terminate()
        agent.wait(20)


def test_doctor_tells_what_stood_still_and_what_an_upgrade_came_to(state):
    write(state, free_port())
    StandstillStore(state / "watchdog.json").save(
        Standstill(part="the judge", stood_s=61, at=10**18, times=2)
    )
    (state / "upgrade").mkdir()
    (state / "upgrade" / "last.json").write_text(
        '{"outcome": "returned", "version": "0.2.0", "earlier": "0.1.0", "reason": "crash", "at": 1}'
    )
    found, _ = ask(state)
    assert "the judge stood still for 61 s" in found["watchdog"]["said"]
    assert found["upgrade"]["mark"] == "watch"
    assert "0.2.0 was returned" in found["upgrade"]["said"]


def test_doctor_names_a_port_that_is_not_there_and_one_that_may_not_be_used(state):
    line = (
        '[[devices]]\nname = "{name}"\ndriver = "serial_line"\nsettings = {{ port = "{port}" }}\n'
        '[[devices.channels]]\nname = "{name}/a"\nkind = "temperature"\nsource = {{ channel = 1 }}\n'
    )
    pair = [line.format(name=n, port=p) for n, p in (("a", "/dev/ttyNONE"), ("b", "/dev/null"))]
    write(state, free_port(), more="".join(pair))
    found, _ = ask(state)
    assert found["port /dev/ttyNONE"]["mark"] == "bad"
    assert found["port /dev/null"]["mark"] == "well"


def test_doctor_tells_of_a_key_that_others_can_read(state):
    from real_parts import make_request

    write(state, free_port(), host="broker.example")
    path = state / "gateway.toml"
    path.write_text(path.read_text().replace("tls = false", "tls = true"))
    (state / "identity").mkdir()
    key, _ = make_request("gw-1")
    (state / "identity" / "gateway.key").write_bytes(key)
    (state / "identity" / "gateway.crt").write_bytes(self_signed(key))
    (state / "identity" / "gateway.key").chmod(0o644)
    found, _ = ask(state)
    assert found["certificate"]["mark"] == "bad"
    assert "chmod 600" in found["certificate"]["advice"]
    (state / "identity" / "gateway.key").chmod(0o600)
    found, _ = ask(state)
    assert found["certificate"]["mark"] == "watch"  # ten days of a hundred are left


def self_signed(key: bytes) -> bytes:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
    from cryptography.x509.oid import NameOID

    private, now = load_pem_private_key(key, None), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gw-1")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=90)).not_valid_after(now + timedelta(days=10))
    )  # fmt: skip
    return made.sign(private, SHA256()).public_bytes(Encoding.PEM)


def status(state: Path) -> dict:
    try:
        return json.loads((state / "status.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
