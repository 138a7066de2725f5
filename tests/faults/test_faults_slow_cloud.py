"""A10: every write of the cloud takes two seconds longer, while a backlog comes in."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_backlog import offline, plc_settings
from fault_results import record
from fault_street import Agent, Street, memory_mb, open_street
from fault_tape import Tape
from real_parts import ROOT, Process, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto"), pytest.mark.row("A10")]
SLOWER_S, GROWTH_MB = 2.0, 20.0
LIVE = Tape("live", 10, 50_000, 0.5)
COMMAND = "python -m pytest -m soak tests/faults/test_faults_slow_cloud.py --timeout 0"


@dataclass
class Endured:
    """What was seen while writes were slow: growth in MB, connections beyond the first, messages stored."""

    agent_mb: float
    ingest_mb: float
    agent_reconnects: int
    ingest_reconnects: int
    stored: int
    missing: int


def endure(seconds: float, hours: float) -> Endured:
    """A backlog of `hours` and live readings against a cloud that is slow for `seconds`."""
    with open_street("gw-a") as street:
        LIVE.write(street.folder)
        road = street.link()
        devices = plc_settings(devices=2, channels=50) + LIVE.settings(street.folder)
        agent = street.add_agent("gw-a", devices, "message_seconds = 1", port=road.port)
        with offline(agent.state, hours, ending_ns=time.time_ns()) as past:
            past.run(round(hours * 3600))
        _replace_ingest(street)
        road.mend()
        agent.start_connected()
        wait_until(lambda: street.store.bulk_count("gw-a") > 50, "the backlog to come")
        return _suffer(street, agent, seconds)


def _replace_ingest(street: Street) -> None:
    """The same ingest, under a hand that can slow its commits."""
    assert street.ingest is not None
    street.ingest.end()
    log = street.cloud / "slow.log"
    command = [
        sys.executable,
        ROOT / "tests" / "faults" / "fault_slow_ingest.py",
        str(SLOWER_S),
        street.cloud,
    ]
    os.environ["PYTHONPATH"] = str(ROOT)
    street.ingest = Process(command, log)
    wait_until(lambda: street.ingest.text.count(": connected") == 2, "the slow ingest")


def _suffer(street: Street, agent: Agent, seconds: float) -> Endured:
    assert agent.process is not None and street.ingest is not None
    pids = {"agent": agent.process.pid, "ingest": street.ingest.pid}
    before = {name: memory_mb(pid) for name, pid in pids.items()}
    most, switch = dict(before), Path(street.cloud / "slow")
    begun = time.monotonic()
    switch.touch()
    while time.monotonic() - begun < seconds:
        time.sleep(0.5)
        for name, pid in pids.items():
            most[name] = max(most[name], memory_mb(pid))
    stored = street.store.bulk_count("gw-a")
    switch.unlink()
    reconnects = agent.connects() - 1, street.ingest.text.count("connection ended")
    agent.end()
    street.settle(agent)
    assigned = agent.figures()["bulk_assigned"]
    return Endured(
        most["agent"] - before["agent"],
        most["ingest"] - before["ingest"],
        *reconnects,
        stored,
        assigned - street.store.bulk_count("gw-a"),
    )


@pytest.mark.timeout(300)
def test_a_slow_cloud_neither_disconnects_nor_fills_memory() -> None:
    seen = endure(seconds=12.0, hours=0.2)
    assert (seen.agent_reconnects, seen.ingest_reconnects, seen.missing) == (0, 0, 0), seen
    assert seen.stored > 60
    assert max(seen.agent_mb, seen.ingest_mb) <= 5 * GROWTH_MB, seen


@pytest.mark.soak
def test_a_cloud_that_is_slow_for_ten_minutes() -> None:
    seen = endure(seconds=600.0, hours=24)
    ok = not (seen.agent_reconnects or seen.ingest_reconnects or seen.missing)
    record(
        "A10", "a_cloud_slow_for_ten_minutes", runs=1, unit="MB; messages",
        figure={name: round(value, 1) for name, value in vars(seen).items()},
        target="+2 s per write, 10 min -> no disconnect, memory +<= 20 MB",
        ok=ok and max(seen.agent_mb, seen.ingest_mb) <= GROWTH_MB, command=COMMAND,
    )  # fmt: skip
    assert ok, seen
    assert max(seen.agent_mb, seen.ingest_mb) <= 5 * GROWTH_MB, seen
