"""Enrolment: a key made here, a one-time code, and back come certificate, CA and the key to obey."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from edge_agent.identity.certificate import CertificateError, read_certificate
from edge_agent.identity.cloud_api import EnrolmentError, Given, ask, checked_address
from edge_agent.identity.keys import own_key, request_pem
from edge_agent.identity.staging import Staging
from edge_agent.obedience import read_public_key
from edge_agent.settings import parse_settings
from edge_agent.state import StateFolder, replace_file
from edge_agent.tls import Now


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of it."""

    gateway: str
    host: str
    port: int


def enroll(state: StateFolder, *, cloud: str, code: str, gateway: str, now: Now) -> Enrolled:
    """Trade `code` for a certificate; writes identity/ and what was learned into gateway.toml.

    The private key never leaves this machine. A gateway that has an identity gets a new key with the new
    certificate, and keeps the old one until it has both; outbox and state stay as they are.
    ConfigurationError for an address without TLS off this machine; EnrolmentError when refused.
    """
    url = checked_address(cloud)
    staging = Staging(state)
    with staging.lock():
        staging.finish()
        staging.make()
        key = own_key(staging.key)
        given = ask(f"{url}/api/v1/enrol", {"code": code.strip(), "csr": request_pem(key, gateway)}, now)
        _stage(staging, given, key)
        staging.commit()
    enrolled = Enrolled(given.gateway, given.host, given.port)
    _write_settings(state, enrolled, cloud)
    return enrolled


def _stage(staging: Staging, given: Given, key: object) -> None:
    try:
        read_certificate(given.certificate.encode(), key, given.gateway)
    except CertificateError as wrong:
        raise EnrolmentError(f"the cloud sent {wrong}") from wrong
    read_public_key(given.signing_key)
    staging.put("ca.crt", given.ca.encode())
    staging.put("signing.pub", given.signing_key.strip().encode() + b"\n")
    staging.put("gateway.crt", given.certificate.encode())


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
