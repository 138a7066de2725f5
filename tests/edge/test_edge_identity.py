"""Whose dates are believed by a machine without a clock, when a renewal is due, how a step is finished."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from edge_rig import wait_until

from edge_agent.identity.moment import by_memory
from edge_agent.identity.rotation import Rotation
from edge_agent.identity.staging import Staging
from edge_agent.sampler.clock_memory import ClockMemory, save_memory
from edge_agent.settings import UplinkSettings
from edge_agent.state import StateFolder
from edge_agent.tls import Moment, client_context
from models.clock import EARLIEST_NS, SECOND_NS, SystemClock, VirtualClock

DAY = timedelta(days=1)
DAY_NS = 86_400 * SECOND_NS
TODAY = datetime.now(UTC).replace(microsecond=0)


def certificate(folder: Path, name: str, begins: datetime, ends: datetime) -> None:
    """A certificate for `name` and 127.0.0.1 that vouches for itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "gateway.key").write_bytes(pem)
    (folder / "gateway.crt").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "ca.crt").write_bytes(made.public_bytes(Encoding.PEM))


def shakes_hands(folder: Path, moment: Moment) -> str:
    """What a client that believes `moment` says to a real TLS server with this certificate; "" when well."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "gateway.crt", folder / "gateway.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            one, _ = listener.accept()
            with one:
                try:
                    server.wrap_socket(one, server_side=True).close()
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        context = client_context(lambda: moment, authority=folder / "ca.crt")
        try:
            with (
                socket.create_connection(listener.getsockname(), 5) as plain,
                context.wrap_socket(plain, server_hostname="localhost"),
            ):
                return ""
        except ssl.SSLError as wrong:
            return str(wrong)
        finally:
            thread.join(5)


def ns(moment: datetime) -> int:
    return round(moment.timestamp()) * SECOND_NS


@pytest.mark.row("B7")
@pytest.mark.parametrize(
    ("begins", "ends", "moment", "says"),
    [
        (TODAY - DAY, TODAY + DAY, Moment(ns(TODAY)), ""),
        # A clock that was never set: the certificate was made after the last time that is known.
        (TODAY - DAY, TODAY + DAY, Moment(EARLIEST_NS, False), ""),
        (TODAY - DAY, TODAY + DAY, Moment(0), "begins on"),
        # Ended before the last good time: surely ended, whatever the time is.
        (TODAY - 9 * DAY, TODAY - DAY, Moment(ns(TODAY), False), "ended on"),
        (TODAY - 9 * DAY, TODAY - DAY, Moment(ns(TODAY)), "ended on"),
        # By the machine's clock it has ended or is not yet good; by the time that is believed it is good.
        (TODAY - 9 * DAY, TODAY - DAY, Moment(ns(TODAY - 2 * DAY)), ""),
        (TODAY + DAY, TODAY + 9 * DAY, Moment(ns(TODAY + 2 * DAY)), ""),
    ],
)
def test_dates_are_judged_by_the_time_that_is_believed(tmp_path, begins, ends, moment, says):
    certificate(tmp_path, "localhost", begins, ends)
    said = shakes_hands(tmp_path, moment)
    assert (says in said) if says else (said == "")


def test_time_is_never_below_the_last_good_one(tmp_path):
    path = tmp_path / "clock.json"
    save_memory(path, ClockMemory(floor_ns=EARLIEST_NS + 400 * DAY_NS))
    moment = by_memory(VirtualClock(wall_ns=0), path)()
    assert (moment.ns, moment.is_known) == (EARLIEST_NS + 400 * DAY_NS, False)
    assert by_memory(VirtualClock(wall_ns=0), tmp_path / "none.json")().ns == EARLIEST_NS


def rotation(state: StateFolder, now_ns: int, port: int) -> Rotation:
    uplink = UplinkSettings(host="127.0.0.1", port=port, cloud=f"http://127.0.0.1:{port}")
    return Rotation(
        state, "gw-1", uplink, lambda: Moment(now_ns), clock=SystemClock(), draw=lambda: 0.5,
        on_renewed=lambda: None,
    )  # fmt: skip


@pytest.mark.row("B7")
@pytest.mark.parametrize(("days", "asks"), [(40, False), (49, False), (54, True), (150, True)])
def test_renewal_is_asked_for_when_half_the_life_is_gone(tmp_path, days, asks):
    state = StateFolder(tmp_path)
    certificate(state.identity, "gw-1", TODAY, TODAY + 100 * DAY)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20.0 if asks else 1.0)
        running = rotation(state, ns(TODAY) + days * DAY_NS, listener.getsockname()[1])
        running.start()
        try:
            one, _ = listener.accept()
            one.close()
            came = True
        except TimeoutError:
            came = False
        if asks:
            assert wait_until(lambda: running.state.problem)
        running.stop()
    assert came is asks
    assert bool(running.state.problem) is asks
    assert state.certificate.exists()


def test_step_that_was_decided_is_finished_and_one_that_was_not_is_forgotten(tmp_path):
    state = StateFolder(tmp_path)
    certificate(state.identity, "gw-1", TODAY, TODAY + DAY)
    old = state.key.read_bytes()
    staging = Staging(state)
    staging.make()
    staging.put("gateway.key", b"next key")
    staging.put("gateway.crt", b"next certificate")
    assert not staging.finish()
    assert state.key.read_bytes() == old
    (staging.folder / "ready").touch()
    assert Staging(state).finish()
    assert (state.key.read_bytes(), state.certificate.read_bytes()) == (b"next key", b"next certificate")
    assert state.key.stat().st_mode & 0o777 == 0o600
    assert not staging.folder.exists()


def test_facts_are_kept_beside_the_certificate_and_read_anew_for_another(tmp_path):
    state = StateFolder(tmp_path)
    certificate(state.identity, "gw-1", TODAY, TODAY + DAY)
    first = rotation(state, 0, 1).state
    assert (first.serial, first.ends_at) == ("7", ns(TODAY + DAY))
    assert rotation(state, 0, 1).state == first
    certificate(state.identity, "gw-1", TODAY, TODAY + 3 * DAY)
    assert rotation(state, 0, 1).state.ends_at == ns(TODAY + 3 * DAY)
    certificate(state.identity, "gw-2", TODAY, TODAY + 3 * DAY)
    assert "not for this gateway" in rotation(state, 0, 1).state.problem
