"""A1: the agent is killed again and again while it reads; tapes are the truth."""

from __future__ import annotations

import random
import time

import pytest
from fault_results import record
from fault_street import Agent, Street, open_street
from fault_tape import Account, bell_monitor, settle, street_tapes
from real_parts import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto"), pytest.mark.row("A1")]
TARGET_S = 5.0


def kill_agent(street: Street, agent: Agent, kills: int, seed: int) -> list[float]:
    """kill -9 at any moment after it published, and start at once; seconds to each publishing."""
    chance, again_s = random.Random(seed), []
    for _ in range(kills):
        begun = time.time_ns()
        agent.start()
        again_s.append((published(street, agent, begun) - begun) / 1e9)
        time.sleep(chance.uniform(0.0, 3.0))
        agent.kill()
    return again_s


def published(street: Street, agent: Agent, begun: int) -> int:
    """When the first message after `begun` was stored, ns."""

    def after() -> list[int]:
        assert not agent.is_down(), agent.tail()
        return [at for at in street.store.bulk_times(agent.name) if at > begun]

    try:
        return int(wait_until(after, "a new message")[0])
    except AssertionError as wrong:
        raise AssertionError(f"{wrong}\n{agent.figures()}\n{agent.tail(6000)}") from wrong


def story(kills: int, seed: int, limits: str = "") -> tuple[list[float], Account, int, int]:
    """Kills, then the account, the alerts raised and the bells that rang."""
    tapes = street_tapes(rows=20_000)
    with open_street("gw-a") as street:
        for tape in tapes:
            tape.write(street.folder)
        devices = "".join(tape.settings(street.folder) for tape in tapes) + bell_monitor(tapes[0])
        agent = street.add_agent("gw-a", devices, limits)
        again_s = kill_agent(street, agent, kills, seed)
        played = street.settle(agent)
        account = settle(tapes, played, street.store.values(agent.name))
        alerts = street.store.alerts("gw-a")
        assert street.store.quarantined() == 0
    rung = tapes[0].events(played["tape0"])
    return again_s, account, len(alerts), rung


@pytest.mark.timeout(300)
def test_agent_killed_while_it_reads_loses_doubles_and_repeats_nothing() -> None:
    again_s, account, alerts, rung = story(kills=4, seed=1, limits="message_seconds = 1")
    assert account.is_good, account
    assert account.readings > 1000
    assert rung <= alerts <= rung + 1  # one more may ring right now
    assert max(again_s) <= 5 * TARGET_S


@pytest.mark.soak
def test_agent_killed_a_hundred_times() -> None:
    again_s, account, alerts, rung = story(kills=100, seed=100)
    extra = max(0, alerts - rung - 1)
    figure = {
        "lost": account.lost, "doubled": account.doubled, "wrong": account.wrong,
        "readings": account.readings, "events": rung,
        "second_alerts": extra, "missed_events": max(0, rung - alerts),
        "again_max_s": round(max(again_s), 2), "again_median_s": round(sorted(again_s)[50], 2),
    }  # fmt: skip
    ok = account.is_good and rung <= alerts <= rung + 1 and max(again_s) <= TARGET_S
    record(
        "A1", "agent_killed_a_hundred_times", runs=100, figure=figure, unit="readings; s to publishing again",
        target="100 kill -9 at 100 readings/s -> 0 lost, 0 doubled, publishing again <= 5 s, no second alert",
        ok=ok, command="python -m pytest -m soak tests/faults/test_faults_agent_kills.py --timeout 0",
    )  # fmt: skip
    assert account.is_good, account
    assert rung <= alerts <= rung + 1
    assert max(again_s) <= 5 * TARGET_S
