"""A28: the cloud's databases are replaced by an older copy; the gateway sends again what the copy lacks.

And A6 in the whole circle: what a gateway salvages from a damaged outbox reaches the cloud once.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from fault_results import record
from fault_street import Agent, Street, open_street
from fault_tape import Account, Tape, bell_monitor, settle, street_tapes
from real_parts import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto"), pytest.mark.timeout(400)]
COMMAND = "python -m pytest -m soak tests/faults/test_faults_restored_cloud.py --timeout 0"
LIMITS = "message_seconds = 1"


def open_agent(street: Street, tapes: list[Tape], *, port: int = 0) -> Agent:
    for tape in tapes:
        tape.write(street.folder)
    devices = "".join(tape.settings(street.folder) for tape in tapes)
    return street.add_agent("gw-a", devices + bell_monitor(tapes[0]), LIMITS, port=port)


def databases(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.name.startswith(("lastmile.db", "series.db"))]


def stop_all(street: Street) -> None:
    """Whatever has the databases open."""
    assert street.ingest is not None
    street.ingest.end()
    street.store.close()
    street._store = None


def back_up(street: Street) -> Path:
    """Copy the databases while nothing has them open: a copy made by a program that has drops its locks."""
    copy = street.folder / "backup"
    copy.mkdir()
    stop_all(street)
    for file in databases(street.cloud):
        shutil.copy2(file, copy)
    street.start_ingest()
    return copy


def restore(street: Street, copy: Path) -> None:
    """The server as it was; broker and gateway stay as they are."""
    stop_all(street)
    for file in databases(street.cloud):
        file.unlink()
    for file in copy.iterdir():
        shutil.copy2(file, street.cloud)
    street.start_ingest()


def story(after_s: float) -> tuple[Account, int, int, int]:
    """A backup, life for a while, the backup put back: what became of every row, messages that the backup
    lacked, alerts stored, bells rung."""
    tapes = street_tapes(rows=40_000, loud=4)
    with open_street("gw-a") as street:
        agent = open_agent(street, tapes)
        agent.start_connected()
        wait_until(lambda: street.store.bulk_count("gw-a") > 3, "telemetry")
        wait_until(lambda: street.store.alerts("gw-a"), "an alert")
        copy = back_up(street)
        before = street.store.bulk_count("gw-a")
        time.sleep(after_s)
        wait_until(lambda: street.store.bulk_count("gw-a") > before + 5, "what the backup lacks")
        wait_until(lambda: agent.waiting() <= 3, "receipts")
        missed = street.store.bulk_count("gw-a") - before
        restore(street, copy)
        wait_until(lambda: street.store.bulk_count("gw-a") > before + missed, "what the backup lacked")
        agent.end()
        played = street.settle(agent)
        alerts = street.store.alerts("gw-a")
        assert street.store.quarantined() == 0
        assert len({alert.id for alert in alerts}) == len(alerts)
        account = settle(tapes, played, street.store.values("gw-a"))
        return account, missed, len(alerts), tapes[0].events(played[tapes[0].name])


@pytest.mark.row("A28")
def test_cloud_restored_from_a_backup_gets_again_what_it_had_lost() -> None:
    account, missed, alerts, bells = story(after_s=5.0)
    assert account.is_good, account
    assert missed > 3
    assert bells <= alerts <= bells + 1


@pytest.mark.soak
@pytest.mark.row("A28")
def test_cloud_restored_from_a_backup_of_five_minutes_ago() -> None:
    account, missed, alerts, bells = story(after_s=300.0)
    ok = account.is_good and bells <= alerts <= bells + 1
    record(
        "A28", "test_cloud_restored_from_a_backup_of_five_minutes_ago", runs=1,
        figure={"messages_the_backup_lacked": missed, "readings": account.readings, "lost": account.lost,
                "doubled": account.doubled, "alerts": alerts, "bells": bells},
        unit="messages, readings", target="gateways resend; 0 lost of 24 h", ok=ok, command=COMMAND,
        note="the gateway's side: five minutes of life after the backup; rows are kept 24 h of service",
    )  # fmt: skip
    assert ok


@pytest.mark.row("A6")
def test_messages_salvaged_from_a_damaged_outbox_reach_the_cloud_once() -> None:
    tapes = street_tapes(rows=20_000, loud=4)
    with open_street("gw-a") as street:
        road = street.link()
        agent = open_agent(street, tapes, port=road.port)
        road.mend()
        agent.start_connected()
        wait_until(lambda: street.store.bulk_count("gw-a") > 3, "telemetry")
        road.cut()
        wait_until(lambda: agent.waiting() > 8, "a backlog")
        agent.kill()
        log = agent.state / "outbox.db-wal"
        raw = bytearray(log.read_bytes())
        raw[9] ^= 1  # SQLite passes over the whole log
        log.write_bytes(raw)
        road.mend()
        agent.start_connected()
        wait_until(lambda: agent.waiting() <= 3, "what was salvaged")
        agent.end()
        played = street.settle(agent)
        assert list(agent.state.glob("outbox.db.damaged-*"))
        assert street.store.quarantined() == 0
        alerts = street.store.alerts("gw-a")
        assert len({alert.id for alert in alerts}) == len(alerts)
        account = settle(tapes, played, street.store.values("gw-a"))
    assert account.is_good, account
