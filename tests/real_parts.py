"""Real parts for tests: a cloud's state, a broker, processes with logs, and a small honest gateway.

Everything listens on loopback, on free ports; everything started is ended by its own process id.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from programs import find_program

ROOT = Path(__file__).parents[1]
PATIENCE_S = 90.0

ORGANISATION = """\
[[sites]]
id = "street"
name = "Plum Blossom Street"
timezone = "Asia/Shanghai"
duty_officer = "duty"
[[people]]
login = "wang"
name = "Wang Fang"
language = "zh"
roles = [{ role = "worker", site = "street" }]
[[people]]
login = "duty"
name = "Duty officer"
roles = [{ role = "operator", site = "street" }]
[[grids]]
site = "street"
id = "grid-1"
name = "Grid 1"
workers = ["wang"]
[[places]]
site = "street"
path = "b1/f1/kitchen"
name = "Kitchen"
grid = "grid-1"
[[gateways]]
id = "gw-a"
site = "street"
place = "b1"
name = "Gateway A"
[[gateways]]
id = "gw-b"
site = "street"
place = "b1"
name = "Gateway B"
"""


def free_port() -> int:
    """A port on loopback nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(condition: Callable[[], Any], what: str, wait_s: float = PATIENCE_S) -> Any:
    """The condition's first true value; AssertionError naming `what` when it never came."""
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {wait_s:g} s in vain for {what}")


class Process:
    """A program that runs, with what it wrote. Ends with the `with` block, killed if it must be."""

    def __init__(self, command: Sequence[str | Path], log: Path, cwd: Path = ROOT) -> None:
        self.log = log
        self._file = log.open("ab")
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            cwd=cwd,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Exit code, None while it runs."""
        return self._process.poll()

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._process.kill()
        self._process.wait(10)
        self._file.close()

    def end(self, wait_s: float = 15.0) -> int:
        """SIGTERM; the exit code. Killed when it does not end in time."""
        self._process.terminate()
        try:
            return self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(10)
        finally:
            self._file.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.code is None:
            self.end()


def cloud_command(state: Path, *words: str | Path) -> list[str | Path]:
    """`lastmile-cloud` by the interpreter that runs the tests."""
    return [sys.executable, "-m", "cloud.cli", *words, "--state", state]


def run_cloud(
    state: Path, *words: str | Path, code: int = 0, typed: str = "", as_account: Sequence[str] = ()
) -> str:
    """Run one command of lastmile-cloud; what it printed. Asserts its exit code.

    `as_account` is what stands before it to become somebody else (`setpriv ...`).
    """
    ended = subprocess.run(
        [*as_account, *(str(part) for part in cloud_command(state, *words))],
        input=typed,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=90,
        check=False,
    )
    assert ended.returncode == code, f"{words}: exit {ended.returncode}\n{ended.stdout}{ended.stderr}"
    return ended.stdout + ended.stderr


def make_state(state: Path, organisation: str = ORGANISATION) -> Any:
    """A cloud's state with free ports and an organisation applied; its Settings."""
    from cloud.app import initialise
    from cloud.fleet.apply import apply_file
    from cloud.storage.engine import open_main, transaction
    from models.clock import SystemClock

    clock = SystemClock()
    settings = initialise(state, broker_port=free_port(), http_port=free_port(), clock=clock)
    file = state / "organisation.toml"
    file.write_text(organisation)
    engine = open_main(settings)
    with transaction(engine) as session:
        apply_file(session, file, clock.wall_ns())
    engine.dispose()
    return settings


def find_mosquitto() -> str:
    """Path of mosquitto; marked tests are only run where it exists (`needs("mosquitto")`)."""
    found = find_program("mosquitto")
    assert found, "mosquitto is not on this machine"
    return found


def start_broker(state: Path, port: int) -> Process:
    """mosquitto from the cloud's own files, ready to be connected to."""
    log = state / "broker.log"
    broker = Process([find_mosquitto(), "-c", state / "broker" / "mosquitto.conf"], log)
    wait_until(lambda: broker.code is not None or is_open(port), "the broker's port")
    assert broker.code is None, broker.text
    return broker


def is_open(port: int) -> bool:
    """Whether something listens on this port of loopback."""
    with socket.socket() as caller:
        caller.settimeout(1)
        return caller.connect_ex(("127.0.0.1", port)) == 0


def start_ingest(state: Path) -> Process:
    """`lastmile-cloud ingest`, connected in both sessions."""
    log = state / "ingest.log"
    before = log.read_text().count(": connected") if log.exists() else 0
    ingest = Process(cloud_command(state, "ingest"), log)
    wait_until(lambda: ingest.code is not None or ingest.text.count(": connected") >= before + 2, "ingest")
    assert ingest.code is None, ingest.text
    return ingest


@dataclass(frozen=True)
class Identity:
    """Files with which a client shows who it is."""

    name: str
    ca: Path
    certificate: Path
    key: Path


def make_request(name: str) -> tuple[bytes, str]:
    """A new P-256 key (PEM) and a certificate request for `name` (PEM), as a gateway makes them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, request.public_bytes(Encoding.PEM).decode()


def enrol_gateway(settings: Any, name: str) -> Identity:
    """Enrol a gateway by the cloud's own rules, with a fresh code."""
    from cloud.fleet.enrolment import enrol, make_code, new_code
    from cloud.storage.engine import open_main, transaction

    engine, now, code = open_main(settings), time.time_ns(), new_code()
    with transaction(engine) as session:
        make_code(session, name, code, now, 1.0)
    key, csr = make_request(name)
    enrolled = enrol(engine, settings, code=code, csr=csr, source="test", now=now)
    engine.dispose()
    folder = settings.state / "gateways"
    folder.mkdir(exist_ok=True)
    identity = Identity(name, folder / "ca.crt", folder / f"{name}.crt", folder / f"{name}.key")
    identity.ca.write_text(enrolled.ca)
    identity.certificate.write_text(enrolled.certificate)
    identity.key.write_bytes(key)
    assert base64.b64decode(enrolled.signing_key)
    return identity


class SmallGateway:
    """An MQTT 5 client with a gateway's certificate. Keeps what it hears; `topics` are subscribed to."""

    def __init__(
        self,
        port: int,
        identity: Identity,
        *,
        client_id: str | None = None,
        topics: Sequence[str] | None = None,
        will: tuple[str, bytes] | None = None,
        clean: bool = False,
    ) -> None:
        self.name = identity.name
        self.heard: list[tuple[str, bytes]] = []
        self.refused: dict[int, str] = {}
        self.connects: list[str] = []
        self.ends: list[str] = []
        self._topics = [f"lm/1/{self.name}/down/+"] if topics is None else list(topics)
        self._subscribed = threading.Event()
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or identity.name,
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        context = ssl.create_default_context(cafile=str(identity.ca))
        context.load_cert_chain(str(identity.certificate), str(identity.key))
        self.client.tls_set_context(context)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_socket_open = lambda *given: given[2].setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = lambda *given: self.ends.append(str(given[3]))
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = lambda _c, _d, message: self.heard.append((message.topic, message.payload))
        self.client.on_publish = self._on_publish
        if will:
            self.client.will_set(will[0], will[1], qos=1)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0 if clean else 3600
        self.client.connect_async("127.0.0.1", port, keepalive=10, clean_start=clean, properties=properties)
        self.client.loop_start()

    def ready(self) -> SmallGateway:
        """Wait until connected and subscribed."""
        if not self._subscribed.wait(PATIENCE_S):
            raise AssertionError(f"{self.name} could not connect: {self.connects}")
        return self

    def say(self, kind: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> int:
        """Publish on one's own upward topic; the message's id."""
        return self.say_on(f"lm/1/{self.name}/up/{kind}", payload, retain=retain, qos=qos)

    def say_on(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> int:
        """Publish and wait for the broker's answer; the message's id."""
        info = self.client.publish(topic, payload, qos=qos, retain=retain)
        info.wait_for_publish(PATIENCE_S)
        return info.mid

    def receipts(self) -> list[dict[str, Any]]:
        """All receipts heard so far."""
        mine = f"lm/1/{self.name}/down/receipt"
        return [json.loads(payload) for topic, payload in list(self.heard) if topic == mine]

    def receipt(self, stream: int, epoch: int = 1) -> dict[str, Any]:
        """The last receipt of a stream; an empty one before there is any."""
        ours = [one for one in self.receipts() if one["stream"] == stream and one["epoch"] == epoch]
        return ours[-1] if ours else {"through": 0, "beyond": [], "quarantined": []}

    def close(self) -> None:
        """Leave politely; a will is not published."""
        self.client.disconnect()
        self.client.loop_stop()

    def vanish(self) -> None:
        """Be gone without a word, so that the broker publishes the will."""
        self.client.on_disconnect = None
        sock = self.client.socket()
        self.client._reconnect_on_failure = False
        if sock is not None:
            sock.shutdown(socket.SHUT_RDWR)
        self.client.loop_stop()

    def __enter__(self) -> SmallGateway:
        return self.ready()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.connects.append(str(reason))
        if reason.is_failure:
            return
        if self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
        else:
            self._subscribed.set()

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.refused[mid] = str(reason)
