"""Whether the broker would take an identity, tried without an MQTT session: ours goes on meanwhile."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from edge_agent.tls import Now, client_context
from models.errors import LastmileError, TransientError

_CONNECT_S = 10.0
# In TLS 1.3 a server judges a client's certificate after the client has done its part of the handshake; what
# it thinks of it comes a round trip later, or nothing comes, as it waits for us to speak.
VERDICT_S = 3.0


class RefusedIdentityError(LastmileError):
    """The broker does not take this certificate."""


def try_identity(host: str, port: int, now: Now, *, authority: Path, certificate: Path, key: Path) -> None:
    """Shake hands with the broker; RefusedIdentityError, or TransientError when it cannot be reached."""
    try:
        context = client_context(now, authority=authority, certificate=certificate, key=key)
        with (
            socket.create_connection((host, port), _CONNECT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            connection.settimeout(VERDICT_S)
            _hear_verdict(connection)
    except ssl.SSLError as refused:
        raise RefusedIdentityError(f"TLS with {host}:{port} failed: {refused.reason or refused}") from refused
    except OSError as unreachable:
        raise TransientError(f"no broker at {host}:{port}: {unreachable}") from unreachable


def _hear_verdict(connection: ssl.SSLSocket) -> None:
    try:
        connection.recv(1)
    except TimeoutError:
        return
    # Hung up without a word: no verdict either way, so it is not taken for a yes.
    raise TransientError("the broker hung up during the trial of a new certificate")
