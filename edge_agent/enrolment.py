"""Enrolment: a key made here, a one-time code, and back come certificate, CA and the key to obey."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from edge_agent.obedience import read_public_key
from edge_agent.settings import LOOPBACK, parse_settings
from edge_agent.state import StateFolder, replace_file
from models.errors import ConfigurationError, LastmileError

TIMEOUT_S = 20.0
_LARGEST_ANSWER = 1 << 20


class EnrolmentError(LastmileError):
    """The cloud did not enrol this gateway; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of it."""

    gateway: str
    host: str
    port: int


def enroll(state: StateFolder, *, cloud: str, code: str, gateway: str) -> Enrolled:
    """Trade `code` for a certificate; writes identity/ and what was learned into gateway.toml.

    The private key never leaves this machine. Calling it again makes a new certificate for the same key.
    ConfigurationError for an address without TLS off this machine; EnrolmentError when refused.
    """
    url = _checked_address(cloud)
    key = _own_key(state)
    answer = _ask(f"{url}/api/v1/enrol", {"code": code.strip(), "csr": _request_pem(key, gateway)})
    given = _read_answer(answer)
    _check_certificate(given["certificate"], key, given["gateway"])
    _store(state, given)
    broker = given.get("broker") or {}
    enrolled = Enrolled(given["gateway"], str(broker.get("host", "")), int(broker.get("port", 0)))
    _write_settings(state, enrolled, cloud)
    return enrolled


def _checked_address(cloud: str) -> str:
    parts = urlsplit(cloud)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"{cloud!r} is no address of a cloud", key="--cloud", expected="https://host[:port]"
        )
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigurationError(
            f"{cloud} has no TLS; the code could be read on the way", key="--cloud", expected="https://"
        )
    return cloud.rstrip("/")


def _own_key(state: StateFolder) -> Any:
    """The gateway's P-256 key; made when there is none, readable by its owner alone."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    if state.key.exists():
        return load_pem_private_key(state.key.read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace_file(state.key, pem, mode=0o600)
    return key


def _request_pem(key: Any, gateway: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
    return request.public_bytes(Encoding.PEM).decode()


def _ask(url: str, body: dict[str, str]) -> bytes:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", "Accept": "application/json"}
    )
    try:
        with _opener().open(request, timeout=TIMEOUT_S) as response:
            return bytes(response.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as refused:
        raise EnrolmentError(f"the cloud refused: {_reason(refused)}") from refused
    except (urllib.error.URLError, OSError) as unreachable:
        raise EnrolmentError(
            f"no cloud at {url}: {getattr(unreachable, 'reason', unreachable)}"
        ) from unreachable


def _opener() -> urllib.request.OpenerDirector:
    """Without redirects: the code must not be carried to another address."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    return urllib.request.build_opener(Stay)


def _reason(refused: urllib.error.HTTPError) -> str:
    try:
        error = json.loads(refused.read(_LARGEST_ANSWER))["error"]
        return f"{error['message']} ({error['code']})"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {refused.code}"


def _read_answer(answer: bytes) -> dict[str, Any]:
    try:
        given = json.loads(answer)
        texts = {key: str(given[key]) for key in ("gateway", "certificate", "ca", "signing_key")}
        return {**texts, "broker": given.get("broker")}
    except (ValueError, KeyError, TypeError) as wrong:
        raise EnrolmentError(
            f"the cloud's answer is not an enrolment: {wrong!r}; is this its address?"
        ) from wrong


def _check_certificate(pem: str, key: Any, gateway: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509.oid import NameOID

    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as wrong:
        raise EnrolmentError(f"the cloud sent no certificate: {wrong}") from wrong
    names = [str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]

    def raw(public: Any) -> bytes:
        return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    if names != [gateway] or raw(certificate.public_key()) != raw(key.public_key()):
        raise EnrolmentError(f"the certificate is for {names}, not for this gateway's key as {gateway!r}")


def _store(state: StateFolder, given: dict[str, Any]) -> None:
    read_public_key(given["signing_key"])
    replace_file(state.ca, given["ca"].encode(), mode=0o644)
    replace_file(state.signing_key, given["signing_key"].strip().encode() + b"\n", mode=0o644)
    replace_file(state.certificate, given["certificate"].encode(), mode=0o644)


def _write_settings(state: StateFolder, enrolled: Enrolled, cloud: str) -> None:
    """Put what was learned into gateway.toml, leaving comments and everything else as they are."""
    text = state.settings.read_text(encoding="utf-8")
    text = set_key(text, "gateway", "id", json.dumps(enrolled.gateway))
    text = set_key(text, "uplink", "cloud", json.dumps(cloud))
    if enrolled.host:
        text = set_key(text, "uplink", "host", json.dumps(enrolled.host))
    if enrolled.port:
        text = set_key(text, "uplink", "port", str(enrolled.port))
    parse_settings(text)
    replace_file(state.settings, text.encode(), mode=0o600)


def set_key(text: str, table: str, key: str, value: str) -> str:
    """TOML text with `key` of the top-level `table` set, the rest untouched.

    >>> set_key('[a]  # who\\nid = "x"  # name\\n', "a", "id", '"y"')
    '[a]  # who\\nid = "y"  # name\\n'
    """
    lines = text.splitlines()
    begin = next((i for i, line in enumerate(lines) if re.match(rf"\s*\[{table}\]\s*(#.*)?$", line)), None)
    if begin is None:
        return text.rstrip("\n") + f"\n\n[{table}]\n{key} = {value}\n"
    end = next((i for i in range(begin + 1, len(lines)) if lines[i].lstrip().startswith("[")), len(lines))
    for number in range(begin + 1, end):
        found = re.match(rf'(\s*){key}\s*=\s*("[^"]*"|[^#\s]*)(.*)$', lines[number])
        if found:
            lines[number] = f"{found[1]}{key} = {value}{found[3]}"
            break
    else:
        lines.insert(begin + 1, f"{key} = {value}")
    return "\n".join(lines) + "\n"
