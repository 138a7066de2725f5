"""Enrolment: the key stays here, what comes back is checked, and nothing is sent in the clear."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edge_agent.cli import main
from edge_agent.enrolment import set_key
from edge_agent.settings import load_settings
from edge_agent.state import StateFolder


class SmallCloud:
    """Answers POST /api/v1/enrol; `spoil` changes the answer before it goes out."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.status = 200
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.spoil: dict[str, Any] = {}
        self.gateway = "gw-9"
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                cloud.requests.append({"path": self.path, **json.loads(body)})
                raw = json.dumps(cloud.answer(json.loads(body))).encode()
                self.send_response(cloud.status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, body: dict[str, str]) -> dict[str, Any]:
        if self.status >= 400:
            return {"error": {"code": "code", "message": "the code was used", "detail": None}}
        request = x509.load_pem_x509_csr(body["csr"].encode())
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.gateway)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")]))
            .public_key(request.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .sign(self.key, SHA256())
        )
        pem = certificate.public_bytes(Encoding.PEM).decode()
        given = {
            "gateway": self.gateway, "certificate": pem, "ca": pem,
            "signing_key": base64.b64encode(bytes(32)).decode(),
            "broker": {"host": "127.0.0.1", "port": 18883},
        }  # fmt: skip
        return {**given, **self.spoil}


@pytest.fixture
def cloud() -> Iterator[SmallCloud]:
    made = SmallCloud()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    main(["init", "--state", str(tmp_path)])
    return StateFolder(tmp_path)


def enroll(state: StateFolder, url: str) -> int:
    return main(["enroll", "--state", str(state.root), "--cloud", url, "--code", " CODE-1 "])


@pytest.mark.row("B6")
def test_gateway_is_enrolled_and_its_key_never_left(cloud, state):
    assert enroll(state, cloud.url) == 0
    [request] = cloud.requests
    assert (request["path"], request["code"], set(request)) == (
        "/api/v1/enrol",
        "CODE-1",
        {"path", "code", "csr"},
    )
    key = state.key.read_text()
    assert "PRIVATE KEY" in key
    assert key.splitlines()[1] not in json.dumps(request)
    assert state.key.stat().st_mode & 0o777 == 0o600
    names = x509.load_pem_x509_csr(request["csr"].encode()).subject
    assert names.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "gw-1"


def test_settings_learn_id_and_broker_and_keep_their_comments(cloud, state):
    before = state.settings.read_text()
    enroll(state, cloud.url)
    settings = load_settings(state.settings)
    assert (settings.gateway.id, settings.uplink.host, settings.uplink.port) == ("gw-9", "127.0.0.1", 18883)
    assert settings.uplink.cloud == cloud.url
    assert [line for line in state.settings.read_text().splitlines() if line.startswith("#")] == [
        line for line in before.splitlines() if line.startswith("#")
    ]


def test_enrolling_again_makes_a_new_key_and_a_refusal_leaves_the_old_identity(cloud, state):
    enroll(state, cloud.url)
    key, certificate = state.key.read_bytes(), state.certificate.read_bytes()
    cloud.status = 403
    assert enroll(state, cloud.url) == 1
    assert (state.key.read_bytes(), state.certificate.read_bytes()) == (key, certificate)
    cloud.status = 200
    assert enroll(state, cloud.url) == 0
    assert state.key.read_bytes() != key
    assert state.key.stat().st_mode & 0o777 == 0o600
    assert not (state.identity / "next").exists()


@pytest.mark.row("B1")
@pytest.mark.parametrize("url", ["http://cloud.example", "http://10.0.0.1:8080", "ftp://x", "cloud.example"])
def test_address_without_tls_off_this_machine_is_refused_before_anything_is_sent(state, url, capsys):
    assert enroll(state, url) == 78
    assert "--cloud" in capsys.readouterr().err
    assert not state.key.exists()


@pytest.mark.parametrize(
    ("status", "spoil", "says"),
    [
        (403, {}, "the code was used (code)"),
        (302, {}, "HTTP 302"),
        (200, {"certificate": "nothing"}, "no certificate"),
        (200, {"gateway": "gw-8"}, "not for this gateway's key"),
        (200, {"signing_key": "AAAA"}, "public key"),
        (200, {"ca": None, "certificate": None}, "no certificate"),
    ],
)
def test_answer_that_does_not_fit_changes_nothing(cloud, state, capsys, status, spoil, says):
    before = state.settings.read_bytes()
    cloud.status, cloud.spoil = status, spoil
    assert enroll(state, cloud.url) == 1
    assert says in capsys.readouterr().err
    assert state.settings.read_bytes() == before
    assert not state.certificate.exists()


def test_cloud_that_is_not_there_is_named(state, capsys):
    assert enroll(state, "http://127.0.0.1:9") == 1
    assert "127.0.0.1:9" in capsys.readouterr().err


def test_key_is_set_in_its_own_table_alone():
    text = '[a]\nhost = "x"\n[b]  # two\n# host = "no"\nport = 1\n'
    assert (
        set_key(text, "b", "host", '"y"')
        == '[a]\nhost = "x"\n[b]  # two\nhost = "y"\n# host = "no"\nport = 1\n'
    )
    assert set_key(text, "c", "d", "1").endswith("\n[c]\nd = 1\n")
