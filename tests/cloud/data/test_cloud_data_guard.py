"""The broker's list of revoked certificates follows the database, and nobody else is sent a signal."""

from __future__ import annotations

import os
import time

import pytest
from cryptography import x509
from real_parts import enrol_gateway, make_state, start_broker, wait_until
from sqlalchemy import select

from cloud.errors import BrokerError
from cloud.fleet.certificates import SUPERSEDED
from cloud.fleet.revocation import revoke
from cloud.fleet.tables import Certificate
from cloud.ingest.guard import Guard
from cloud.keys.authority import Authority
from cloud.keys.revocations import Revocations
from cloud.storage.engine import open_main, transaction
from models.clock import SystemClock, VirtualClock

pytestmark = pytest.mark.row("B2")


def test_list_is_written_once_though_no_broker_can_be_asked(settings, store, caplog) -> None:
    enrol_gateway(settings, "gw-a")
    with transaction(store.main) as session:
        ended = revoke(session, "gw-a", actor="cli", reason="stolen", now=time.time_ns())
    guard, path = Guard(settings, store.main, SystemClock()), settings.broker_folder / "ca.crl"
    guard.step()
    listed = x509.load_pem_x509_crl(path.read_bytes())
    assert {f"{one.serial_number:x}" for one in listed} == set(ended)
    written = path.stat().st_mtime_ns
    for _ in range(3):
        guard.step()
    assert path.stat().st_mtime_ns == written
    said = [record.message for record in caplog.records if "may still get in" in record.message]
    assert len(said) == 1
    assert "no broker" in said[0]


def test_process_that_is_no_broker_is_sent_no_signal(settings) -> None:
    (settings.broker_folder / "mosquitto.pid").write_text(str(os.getpid()))
    with pytest.raises(BrokerError, match="not the broker"):
        Revocations(settings.broker_folder).ask_to_read()


def test_broker_is_left_alone_while_it_knows_all_that_presses(settings, store, caplog) -> None:
    """No broker runs here: whoever asks one is told so."""
    enrol_gateway(settings, "gw-a")
    clock = VirtualClock(time.time_ns())
    for _ in range(2):
        Guard(settings, store.main, clock).step()
    with transaction(store.main) as session:
        (one,) = session.scalars(select(Certificate).filter_by(gateway_id="gw-a"))
        one.ended_at, one.end_reason = clock.wall_ns(), SUPERSEDED
        serial = one.serial
    Guard(settings, store.main, clock).step()
    revocations = Revocations(settings.broker_folder)
    assert not caplog.records
    assert revocations.listed() == set()
    clock.sleep(86_500)
    Guard(settings, store.main, clock).step()
    assert "no broker" in caplog.text
    assert revocations.listed() == {serial}


def await_pid(settings) -> None:
    """mosquitto listens a moment before it says who it is."""
    path = settings.broker_folder / "mosquitto.pid"
    wait_until(lambda: path.exists() and path.read_text().strip(), "the broker's process id")


@pytest.mark.needs("mosquitto")
def test_list_that_no_broker_has_read_is_brought_to_it_by_the_next_ingest(tmp_path) -> None:
    settings = make_state(tmp_path / "cloud")
    main = open_main(settings)
    with start_broker(settings.state, settings.broker.port) as broker:
        await_pid(settings)
        Revocations(settings.broker_folder).write(Authority.load(settings.keys), ["ab"], time.time_ns())
        loads = broker.text.count("max_packet_size")
        Guard(settings, main, SystemClock()).step()
        wait_until(lambda: broker.text.count("max_packet_size") > loads, "a reload")
        assert Revocations(settings.broker_folder).is_read
        loads = broker.text.count("max_packet_size")
        Guard(settings, main, SystemClock()).step()
        assert broker.text.count("max_packet_size") == loads


@pytest.mark.needs("mosquitto")
def test_broker_that_ends_while_it_reads_its_list_is_told_of(tmp_path) -> None:
    settings = make_state(tmp_path / "cloud")
    revocations = Revocations(settings.broker_folder)
    revocations.write(Authority.load(settings.keys), ["ab"], time.time_ns())
    with start_broker(settings.state, settings.broker.port) as broker:
        await_pid(settings)
        pid = revocations.ask_to_read()
        broker.kill()
    with pytest.raises(BrokerError, match="service manager"):
        revocations.was_read(pid)
    assert revocations.is_read, "the next one reads it at its start"
