"""Ingest as a process behind a real broker: what gateways send is stored once, whatever happens."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time

import pytest
from cloud_data_street import T0, alert, poison, table, telemetry, times, urgent
from real_parts import SmallGateway, start_broker, start_ingest, wait_until

from cloud.dispatch.tables import Task
from cloud.fleet.desired import put_desired
from cloud.fleet.tables import GatewayFlag, GatewayStatus
from cloud.incidents.tables import AlertRow, Incident
from cloud.ingest.tables import Quarantine
from cloud.keys.signing import load_signing_key, public_signing_key
from cloud.storage.engine import transaction
from models.wire.envelope import Kind
from models.wire.messages import GapRecord, Health, Presence, SignedDocument
from models.wire.signing import verify_document

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto")]


@pytest.mark.row("A16")
def test_stream_with_poison_in_the_middle_is_stored_and_receipted(running) -> None:
    with SmallGateway(running.port, running.a) as gateway:
        for message in (table("gw-a"), telemetry("gw-a", 2), poison("gw-a", 3), telemetry("gw-a", 4)):
            gateway.say("bulk", message)
        wait_until(lambda: gateway.receipt(2)["through"] == 4, "a receipt through the poison")
        assert gateway.receipt(2)["quarantined"] == [3]
        assert running.store.times_of("gw-a") == times([2, 4])
        kept = running.store.all(Quarantine, gateway_id="gw-a")
        assert [(row.code, row.sequence, row.payload) for row in kept] == [("short", 3, poison("gw-a", 3))]
        gateway.say("bulk", poison("gw-a", 3))
        gateway.say("bulk", telemetry("gw-a", 5))
        wait_until(lambda: gateway.receipt(2)["through"] == 5, "the next receipt")
        assert running.store.count(Quarantine, gateway_id="gw-a") == 1
        assert gateway.connects == ["Success"]


def test_alert_becomes_one_task_however_often_it_is_sent(running) -> None:
    with SmallGateway(running.port, running.a) as gateway:
        for _ in range(3):
            gateway.say("urgent", alert("gw-a", 1))
        wait_until(lambda: len([r for r in gateway.receipts() if r["stream"] == 1]) >= 3, "three receipts")
        assert gateway.receipt(1)["through"] == 1
        assert running.store.count(AlertRow) == 1
        assert running.store.count(Incident) == 1
        assert running.store.count(Task) == 1


@pytest.mark.row("A23")
def test_clone_is_quarantined_and_flagged_and_the_first_is_kept(running) -> None:
    with SmallGateway(running.port, running.b) as gateway:
        gateway.say("bulk", table("gw-b"))
        gateway.say("bulk", telemetry("gw-b", 2))
        wait_until(lambda: gateway.receipt(2)["through"] == 2, "the first receipt")
        gateway.say("bulk", telemetry("gw-b", 2, readings=7))
        gateway.say("urgent", urgent("gw-b", 1, Kind.OUTAGE, _outage("power")))
        gateway.say("urgent", urgent("gw-b", 1, Kind.OUTAGE, _outage("lie")))
        wait_until(lambda: running.store.count(Quarantine, code="clone") == 2, "the clones in quarantine")
        flags = running.store.all(GatewayFlag, gateway_id="gw-b", code="clone")
        assert [flag.count for flag in flags] == [2]
        assert running.store.times_of("gw-b") == times([2])
        assert gateway.receipt(2)["quarantined"] == []


@pytest.mark.row("B5")
def test_message_in_the_name_of_another_is_quarantined(running) -> None:
    with SmallGateway(running.port, running.a) as gateway:
        gateway.say("bulk", telemetry("gw-b", 900))
        gateway.say("urgent", alert("gw-b", 900, onset=900))
        gateway.say("urgent", alert("gw-a", 2, named="gw-b", onset=901))
        kept = wait_until(
            lambda: len(rows := running.store.all(Quarantine, code="spoofed")) == 3 and rows, "the spoofed"
        )
        assert {row.gateway_id for row in kept} == {"gw-a"}
        wait_until(lambda: gateway.receipt(1)["quarantined"] == [2], "the sound identity receipted")
        assert running.store.count(AlertRow) == 1
        assert running.store.count(GatewayFlag, gateway_id="gw-a", code="spoofed") == 1
        assert not [time for time in running.store.times_of("gw-b") if time in times([900])]


def test_hello_is_answered_with_both_streams_and_gaps_are_not_waited_for(running) -> None:
    with SmallGateway(running.port, running.a) as gateway:
        gateway.say("bulk", telemetry("gw-a", 12, epoch=2))
        wait_until(lambda: gateway.receipt(2, epoch=2)["beyond"] == [12], "a number beyond")
        gap = GapRecord(
            first_sequence=1, last_sequence=11, messages=11, readings=110, from_at=T0, to_at=T0, reason="full"
        )
        gateway.say("urgent", urgent("gw-a", 1, Kind.GAP, gap.model_dump_json().encode(), epoch=2))
        wait_until(lambda: gateway.receipt(2, epoch=2)["through"] == 12, "the gap to be covered")
        heard = len(gateway.receipts())
        health = Health(presence=Presence.ONLINE, hello=True, sent_at=T0, epoch=2)
        gateway.say("health", health.model_dump_json().encode(), retain=True)
        fresh = wait_until(
            lambda: {r["stream"]: r["through"] for r in gateway.receipts()[heard:]} == {1: 1, 2: 12}, "hello"
        )
        assert fresh
        assert [row.presence for row in running.store.all(GatewayStatus, gateway_id="gw-a")] == ["online"]


@pytest.mark.row("A20")
def test_gateway_that_vanishes_is_shown_offline_by_its_will(running) -> None:
    will = Health(presence=Presence.OFFLINE, sent_at=T0).model_dump_json().encode()
    gateway = SmallGateway(running.port, running.b, will=("lm/1/gw-b/up/health", will)).ready()
    online = Health(presence=Presence.ONLINE, sent_at=T0).model_dump_json().encode()
    gateway.say("health", online)
    wait_until(lambda: running.store.count(GatewayStatus, gateway_id="gw-b", presence="online"), "online")
    gateway.vanish()
    wait_until(lambda: running.store.count(GatewayStatus, gateway_id="gw-b", presence="offline"), "offline")


def test_desired_document_reaches_its_gateway_and_is_retained_for_it(running) -> None:
    def desire(reason: str) -> int:
        with transaction(running.store.main) as session:
            return put_desired(
                session,
                gateway_id="gw-a",
                document={"devices": [], "monitors": []},
                signing_key=load_signing_key(running.settings.keys),
                actor="test",
                reason=reason,
                now=time.time_ns(),
            )

    def versions(gateway: SmallGateway) -> list[int]:
        key = public_signing_key(running.settings.keys)
        texts = [payload for topic, payload in gateway.heard if topic.endswith("/desired")]
        return [verify_document(SignedDocument.model_validate_json(text), key).version for text in texts]

    with SmallGateway(running.port, running.a) as gateway:
        first = desire("first")
        second = desire("second")
        wait_until(lambda: versions(gateway)[-2:] == [first, second], "both documents")
    with SmallGateway(running.port, running.a, clean=True) as late:
        wait_until(lambda: versions(late) == [second], "the retained document")


@pytest.mark.row("A2")
def test_ingest_killed_while_a_stream_comes_loses_and_doubles_nothing(running) -> None:
    first, count = 6, 400
    with SmallGateway(running.port, running.a) as gateway:
        pending = set(range(first, first + count))
        for kill in range(4):
            share = sorted(pending)[kill * 100 : (kill + 1) * 100]
            for sequence in share:
                gateway.client.publish("lm/1/gw-a/up/bulk", telemetry("gw-a", sequence), qos=1)
            # Killed while it works: some are stored, some wait in the broker.
            wait_until(lambda low=share[0]: gateway.receipt(2)["through"] >= low, "some of them stored")
            running.ingest.kill()
            running.ingest = start_ingest(running.settings.state)
        wait_until(lambda: gateway.receipt(2)["through"] == first + count - 1, "the last receipt")
    wanted = times([2, 4, 5, *range(first, first + count)])
    assert running.store.times_of("gw-a")[: len(wanted)] == wanted
    assert not running.store.count(Quarantine, code="internal")


@pytest.mark.row("A8")
def test_series_store_that_fails_holds_up_telemetry_and_no_alert(running) -> None:
    with SmallGateway(running.port, running.b) as gateway:
        before = gateway.receipt(1)["through"]
        blocking = sqlite3.connect(running.settings.state / "series.db", isolation_level=None)
        blocking.execute("BEGIN IMMEDIATE")
        gateway.client.publish("lm/1/gw-b/up/bulk", telemetry("gw-b", 3), qos=1)
        for sequence in (2, 3, 4):
            gateway.say("urgent", alert("gw-b", sequence, onset=sequence))
        wait_until(lambda: gateway.receipt(1)["through"] == 4, "alerts to be receipted")
        assert before < 4 and gateway.receipt(2)["through"] < 3
        blocking.execute("ROLLBACK")
        blocking.close()
        wait_until(lambda: gateway.receipt(2)["through"] == 3, "telemetry to be receipted")
        assert running.store.times_of("gw-b") == times([2, 3])


@pytest.mark.row("A3")
def test_broker_killed_and_wiped_loses_nothing_that_is_sent_until_receipted(running) -> None:
    wanted = range(4, 64)
    with SmallGateway(running.port, running.b) as gateway:
        for sequence in wanted:
            gateway.client.publish("lm/1/gw-b/up/bulk", telemetry("gw-b", sequence), qos=1)
        running.broker.kill()
    shutil.rmtree(running.settings.broker_folder / "data")
    (running.settings.broker_folder / "data").mkdir(mode=0o700)
    owner = running.settings.broker_folder.stat()
    os.chown(running.settings.broker_folder / "data", owner.st_uid, owner.st_gid)
    with start_broker(running.settings.state, running.port), SmallGateway(running.port, running.b) as gateway:

        def send_again() -> bool:
            stored = gateway.receipt(2)
            for sequence in wanted:
                if sequence > stored["through"] and sequence not in stored["beyond"]:
                    gateway.say("bulk", telemetry("gw-b", sequence))
            return stored["through"] == wanted[-1]

        wait_until(send_again, "the last receipt")
        assert running.store.times_of("gw-b") == times([2, 3, *wanted])


def _outage(reason: str) -> bytes:
    from models.wire.messages import OutageRecord

    return (
        OutageRecord(from_at=T0, to_at=T0 + 1, boot_before="a", boot_after="b", reason=reason)
        .model_dump_json()
        .encode()
    )
