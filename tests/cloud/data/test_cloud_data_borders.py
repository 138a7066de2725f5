"""What nobody may: speak in the clear, act for another gateway, listen to others."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time

import pytest
from cloud_data_street import telemetry
from real_parts import Identity, SmallGateway, is_open, run_cloud, wait_until

from cloud.keys.authority import Authority
from cloud.settings import FILE_NAME, Settings

pytestmark = [pytest.mark.needs("mosquitto"), pytest.mark.filterwarnings("ignore:ssl.TLSVersion")]

DESIRED_OF_B = "lm/1/gw-b/down/desired"


def handshake(port: int, context: ssl.SSLContext) -> str:
    """TLS version agreed on; raises as ssl does."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
    ):
        # With TLS 1.3 a refused certificate shows at the first read only.
        secured.settimeout(1)
        with contextlib.suppress(TimeoutError):
            secured.recv(1)
        return secured.version() or ""


def context_for(identity: Identity, highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(identity.ca))
    context.load_cert_chain(str(identity.certificate), str(identity.key))
    with contextlib.suppress(ValueError):
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = highest
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.integration
@pytest.mark.row("B1")
def test_broker_speaks_tls_1_2_or_newer_and_nothing_else(running) -> None:
    assert handshake(running.port, context_for(running.a, ssl.TLSVersion.TLSv1_2)) == "TLSv1.2"
    assert handshake(running.port, context_for(running.a)) == "TLSv1.3"
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises((ssl.SSLError, ConnectionError, OSError)):
            handshake(running.port, context_for(running.a, old))
    with socket.create_connection(("127.0.0.1", running.port), timeout=5) as clear:
        # A whole MQTT 5 CONNECT as "gw-a", in the clear.
        clear.sendall(b"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x04gw-a")
        clear.settimeout(5)
        with contextlib.suppress(ConnectionError):
            assert b"\x20" not in clear.recv(64)[:1]


@pytest.mark.integration
@pytest.mark.row("B1")
def test_broker_listens_on_loopback_alone(running) -> None:
    assert is_open(running.port)
    address = f"{running.port:04X}"
    tables = [line.split() for name in ("tcp", "tcp6") for line in _lines(f"/proc/net/{name}")]
    listening = {row[1].split(":")[0] for row in tables if row[3] == "0A" and row[1].endswith(address)}
    assert listening == {"0100007F"}


@pytest.mark.integration
@pytest.mark.row("B2")
def test_client_without_a_certificate_of_ours_is_refused(running, tmp_path) -> None:
    nobody = ssl.create_default_context(cafile=str(running.a.ca))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(running.port, nobody)
    other = Authority.create(tmp_path / "other", time.time_ns())
    other.issue_client(tmp_path / "other", "gw-a", time.time_ns())
    folder = tmp_path / "other"
    stranger = Identity("gw-a", running.a.ca, folder / "gw-a.crt", folder / "gw-a.key")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(running.port, context_for(stranger))


@pytest.mark.integration
@pytest.mark.row("B3")
def test_gateway_cannot_speak_on_the_topics_of_another(running) -> None:
    with SmallGateway(running.port, running.a) as a, SmallGateway(running.port, running.b) as b:
        foreign = ["lm/1/gw-b/up/bulk", "lm/1/gw-b/up/health", "lm/1/gw-b/down/receipt", DESIRED_OF_B]
        refused = [a.say_on(topic, telemetry("gw-b", 1), retain=True) for topic in foreign]
        refused.append(a.say_on("lm/1/gw-a/down/desired", b"to myself"))
        assert set(refused) <= set(a.refused)
        # The broker still works, and nothing came before this.
        running_receipt(b)
        assert not [topic for topic, _ in b.heard if topic == DESIRED_OF_B]
    assert not running.store.times_of("gw-b")
    with SmallGateway(running.port, running.b, clean=True) as later:
        running_receipt(later)
        assert not [topic for topic, _ in later.heard if topic == DESIRED_OF_B]


@pytest.mark.integration
@pytest.mark.row("B3")
def test_gateway_cannot_listen_to_others(running) -> None:
    wide = ["#", "+/+/+/+/+", "lm/1/+/up/+", "lm/1/gw-b/#", "$SYS/#", "$share/spies/lm/1/+/up/bulk"]
    with SmallGateway(running.port, running.a, topics=[*wide, "lm/1/gw-a/down/+"]) as spy:
        with SmallGateway(running.port, running.b) as b:
            running_receipt(b)
        running_receipt(spy)
        assert {topic for topic, _ in spy.heard} <= {"lm/1/gw-a/down/receipt", "lm/1/gw-a/down/desired"}


@pytest.mark.integration
@pytest.mark.row("B3")
def test_will_on_the_topic_of_another_is_refused(running) -> None:
    with SmallGateway(running.port, running.b, topics=["lm/1/gw-b/down/+"]) as b:
        evil = SmallGateway(running.port, running.a, will=(DESIRED_OF_B, b"evil"), clean=True)
        wait_until(lambda: evil.connects, "the broker's answer")
        evil.vanish()
        running_receipt(b)
        assert not [topic for topic, _ in b.heard if topic == DESIRED_OF_B]


@pytest.mark.integration
@pytest.mark.row("B4")
def test_certificate_of_a_with_the_id_of_b_stays_a(running) -> None:
    with SmallGateway(running.port, running.b) as b:
        with SmallGateway(running.port, running.a, client_id="gw-b") as impostor:
            running_receipt(impostor)
            assert not [topic for topic, _ in impostor.heard if "gw-b" in topic]
        running_receipt(b)
        assert b.ends == []
        assert b.connects == ["Success"]


@pytest.mark.row("B1")
@pytest.mark.parametrize("host", ["0.0.0.0", "cloud.example.org"])
def test_pages_off_loopback_without_tls_are_refused(settings: Settings, host: str) -> None:
    file = settings.state / FILE_NAME
    file.write_text(file.read_text().replace('[web]\nhost = "127.0.0.1"', f'[web]\nhost = "{host}"'))
    said = run_cloud(settings.state, "serve", code=78)
    assert f"{file}:4: web.host" in said
    assert "expected 127.0.0.1, or certificate and key" in said


def running_receipt(gateway: SmallGateway) -> None:
    """Have a round trip with ingest, so that whatever was sent before has arrived."""
    heard = len(gateway.receipts())
    number = 1000 + heard
    gateway.say("bulk", telemetry(gateway.name, number, epoch=9))
    wait_until(lambda: len(gateway.receipts()) > heard, "a receipt")


def _lines(path: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError), open(path) as file:  # noqa: PTH123
        return file.read().splitlines()[1:]
    return []
