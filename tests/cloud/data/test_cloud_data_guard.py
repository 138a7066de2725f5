"""The broker's list of revoked certificates follows the database, and nobody else is sent a signal."""

from __future__ import annotations

import os
import time

import pytest
from cryptography import x509
from real_parts import enrol_gateway

from cloud.errors import BrokerError
from cloud.fleet.revocation import revoke
from cloud.ingest.guard import Guard
from cloud.keys.broker import ask_to_reload
from cloud.storage.engine import transaction
from models.clock import SystemClock

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
        ask_to_reload(settings.broker_folder)
