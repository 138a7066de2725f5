"""The way to the broker, step by step: the first that fails says what to mend."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from edge_agent.doctor.agent import read_status, runs
from edge_agent.doctor.finding import Finding, bad, unknown, watch, well
from edge_agent.identity.moment import by_memory
from edge_agent.mqtt_connection import Connected, ConnectionOptions, Disconnected, MqttConnection, Subscribed
from edge_agent.settings import Settings
from edge_agent.state import StateFolder
from edge_agent.uplink.identity import tls_files
from models.clock import SECOND_NS, Clock
from models.errors import LastmileError, TransientError
from models.wire.topics import Down, down_topic

_LIMIT_S = 8.0
_ENROL = "enrol: lastmile-edge enroll --cloud URL --code CODE"


def look_at_broker(state: StateFolder, settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Name, port, TLS, MQTT and topics; stops at the first that fails."""
    host, port = settings.uplink.host, settings.uplink.port
    if not host:
        yield watch("broker", "no [uplink] host", _ENROL)
        return
    if settings.uplink.tls:
        yield _certificate(state, settings, clock)
    for step in (_name, _port, *((_tls(state, settings, clock),) if settings.uplink.tls else ())):
        finding = step(host, port)
        yield finding
        if finding.advice:
            return
    yield from _session(state, settings, clock)


def _certificate(state: StateFolder, settings: Settings, clock: Clock) -> Finding:
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(state.certificate.read_bytes())
    except (OSError, ValueError) as wrong:
        return bad("certificate", f"cannot be used: {wrong}", _ENROL)
    if state.key.exists() and state.key.stat().st_mode & 0o077:
        return bad("certificate", f"{state.key} can be read by others", f"type: chmod 600 {state.key}")
    days = (certificate.not_valid_after_utc.timestamp() - clock.wall_ns() / SECOND_NS) / 86_400
    whole = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days
    said = f"good for {days:.0f} of {whole} days"
    if days <= 0:
        return bad("certificate", f"ended {-days:.0f} days ago", "enrol again with a new code")
    if days < whole / 4:
        return watch("certificate", said, "it is renewed at half its life: is the cloud reached?")
    return well("certificate", said)


def _name(host: str, port: int) -> Finding:
    found = _within(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    if isinstance(found, list):
        return well("name", f"{host} is {', '.join(sorted({one[4][0] for one in found}))}")
    advice = "check the name under [uplink], and the name servers (resolvectl status)"
    return bad("name", f"{host} cannot be resolved: {found}", advice)


def _port(host: str, port: int) -> Finding:
    try:
        socket.create_connection((host, port), _LIMIT_S).close()
    except OSError as wrong:
        advice = "check that the broker runs, and that no firewall is between"
        return bad("port", f"{host}:{port} does not answer: {wrong}", advice)
    return well("port", f"{host}:{port} answers")


def _tls(state: StateFolder, settings: Settings, clock: Clock) -> Callable[[str, int], Finding]:
    def step(host: str, port: int) -> Finding:
        from edge_agent.tls import client_context

        try:
            files = tls_files(state, settings, by_memory(clock, state.clock))
            assert files is not None
            context = client_context(
                files.now, authority=files.ca, certificate=files.certificate, key=files.key
            )
            with (
                socket.create_connection((host, port), _LIMIT_S) as raw,
                context.wrap_socket(raw, server_hostname=host) as secured,
            ):
                return well("TLS", f"{secured.version()}, the broker is who it should be")
        except (ssl.SSLError, OSError, LastmileError) as wrong:
            advice = "check identity/, the clock, and that the host's name is the certificate's"
            return bad("TLS", f"failed: {getattr(wrong, 'reason', None) or wrong}", advice)

    return step


def _session(state: StateFolder, settings: Settings, clock: Clock) -> Iterator[Finding]:
    """By the agent's own word where it runs: a second session of this gateway would end its own."""
    if runs(state):
        yield _by_agent(read_status(state).get("uplink", {}))
        return
    events: queue.Queue[Any] = queue.Queue()
    uplink, gateway = settings.uplink, settings.gateway.id
    options = ConnectionOptions(
        uplink.host,
        uplink.port,
        client_id=gateway,
        tls=tls_files(state, settings, by_memory(clock, state.clock)),
        keepalive_s=uplink.keepalive_s,
        session_expiry_s=0,
    )
    connection = MqttConnection(options, events, 1)
    try:
        connection.connect()
        yield (connected := _hear_connected(events))
        if not connected.advice:
            connection.subscribe([down_topic(gateway, kind) for kind in Down])
            yield _hear_subscribed(events)
    except TransientError as wrong:
        yield bad("MQTT", str(wrong), "look at the broker's log")
    finally:
        connection.close()


def _by_agent(uplink: dict[str, Any]) -> Finding:
    refused = uplink.get("refused_messages", 0)
    if not uplink.get("is_connected"):
        problem = uplink.get("problem") or "not connected"
        return bad("MQTT", f"the agent says: {problem}", "see the steps above, and the broker's log")
    if refused:
        return bad("MQTT", f"{refused} messages were refused", "check the broker's ACL for this name")
    return well("MQTT", "the agent is connected and heard")


def _hear_connected(events: queue.Queue[Any]) -> Finding:
    event = _next(events, (Connected, Disconnected))
    if isinstance(event, Connected):
        return well("MQTT", "the broker takes us")
    reason = event.reason if isinstance(event, Disconnected) else "no answer"
    advice = "is this gateway enrolled, and its certificate not revoked? Look at the broker's log"
    return bad("MQTT", f"refused: {reason}", advice)


def _hear_subscribed(events: queue.Queue[Any]) -> Finding:
    event = _next(events, (Subscribed,))
    if isinstance(event, Subscribed) and not event.refused:
        return well("topics", "we may hear our own")
    if event is None:
        return unknown("topics", "the broker gave no answer")
    advice = "check the broker's ACL, and that the certificate's name is [gateway] id"
    return bad("topics", "our own topics are refused", advice)


def _next(events: queue.Queue[Any], kinds: tuple[type, ...]) -> Any:
    until = time.monotonic() + _LIMIT_S
    while (left := until - time.monotonic()) > 0:
        try:
            event = events.get(timeout=left)
        except queue.Empty:
            return None
        if isinstance(event, kinds):
            return event
    return None


def _within(ask: Callable[[], Any]) -> Any:
    """What `ask` gives, or the error's words, or that it did not answer: a name server may be silent."""
    answer: queue.Queue[Any] = queue.Queue()

    def put() -> None:
        try:
            answer.put(ask())
        except OSError as wrong:
            answer.put(str(wrong))

    threading.Thread(target=put, daemon=True).start()
    try:
        return answer.get(timeout=_LIMIT_S)
    except queue.Empty:
        return f"the name servers did not answer in {_LIMIT_S:.0f} s"
