"""Asking the cloud over HTTP, for what cannot go over MQTT: an identity."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge_agent.settings import LOOPBACK
from edge_agent.tls import Now, client_context
from models.errors import ConfigurationError, LastmileError, TransientError

TIMEOUT_S = 20.0
_LARGEST_ANSWER = 1 << 20
# Only a person helps: a revoked gateway, one away too long, a copy.
_FINAL = frozenset({"revoked", "superseded", "expired", "unknown_gateway", "certificate", "proof"})


class EnrolmentError(LastmileError):
    """The cloud gave no identity; the message says what to do. `is_final`: asking again does not help."""

    def __init__(self, message: str, *, code: str = "") -> None:
        self.code, self.is_final = code, code in _FINAL
        super().__init__(message)


class UnreachableError(EnrolmentError, TransientError):
    """No answer from the cloud; worth another try."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the cloud gives: PEM texts, the signing key as text, and where its broker is."""

    gateway: str
    certificate: str
    ca: str
    signing_key: str
    host: str
    port: int


def checked_address(cloud: str) -> str:
    """The address without a slash at its end; ConfigurationError where what is sent could be read."""
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


def ask(url: str, body: dict[str, str], now: Now, authority: Path | None = None) -> Given:
    """POST `body`; EnrolmentError when refused, UnreachableError when there is no answer.

    The system's authorities are believed, and `authority` where it exists.
    """
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", "Accept": "application/json"}
    )
    try:
        with _opener(now, authority).open(request, timeout=TIMEOUT_S) as response:
            return _read(response.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as refused:
        code, message = _reason(refused)
        raise EnrolmentError(f"the cloud refused: {message}", code=code) from refused
    except (urllib.error.URLError, OSError) as unreachable:
        raise UnreachableError(
            f"no cloud at {url}: {getattr(unreachable, 'reason', unreachable)}"
        ) from unreachable


def _opener(now: Now, authority: Path | None) -> urllib.request.OpenerDirector:
    """Without redirects: what is sent must not be carried to another address."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    context = client_context(now, authority=None)
    if authority is not None and authority.exists():
        context.load_verify_locations(authority)
    return urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=context))


def _reason(refused: urllib.error.HTTPError) -> tuple[str, str]:
    try:
        error = json.loads(refused.read(_LARGEST_ANSWER))["error"]
        return str(error["code"]), f"{error['message']} ({error['code']})"
    except (ValueError, KeyError, TypeError):
        return "", f"HTTP {refused.code}"


def _read(answer: bytes) -> Given:
    try:
        given = json.loads(answer)
        broker = given.get("broker") or {}
        return Given(
            gateway=str(given["gateway"]),
            certificate=str(given["certificate"]),
            ca=str(given["ca"]),
            signing_key=str(given["signing_key"]),
            host=str(broker.get("host", "")),
            port=int(broker.get("port", 0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise EnrolmentError(
            f"the cloud's answer is not an identity: {wrong!r}; is this its address?"
        ) from wrong
