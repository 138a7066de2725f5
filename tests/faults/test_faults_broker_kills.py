"""A3: the broker is killed, and wiped, under an agent that reads; tapes are the truth."""

from __future__ import annotations

import random
import time

import pytest
from fault_results import record
from fault_street import Agent, Street, open_street
from fault_tape import Account, settle, street_tapes
from real_parts import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto"), pytest.mark.row("A3")]
COMMAND = "python -m pytest -m soak tests/faults/test_faults_broker_kills.py --timeout 0"
# mosquitto's own bounds instead of those `lastmile-cloud init` writes: 20 in flight, 1000 waiting, saved each
# half hour. What is beyond them is dropped after it was acknowledged.
OWN_DEFAULTS = {
    "max_inflight_messages": "", "max_queued_messages": "", "max_queued_bytes": "", "autosave_interval": "",
}  # fmt: skip


def kill_broker(street: Street, agent: Agent, kills: int, *, wiped: bool, chance: random.Random) -> None:
    """kill -9 while messages pass, and start it at once."""
    for _ in range(kills):
        before = agent.connects()
        street.kill_broker(wiped=wiped)
        street.start_broker()
        wait_until(lambda before=before: agent.connects() > before, "the agent to be back")
        time.sleep(chance.uniform(1.0, 5.0))


def story(
    kills: int, wipes: int, *, broker_lines: dict[str, str] | None, limits: str = "", seed: int = 3
) -> Account:
    """Kills and wipes, then quiet; what became of every row that was played."""
    tapes = street_tapes(rows=20_000)
    with open_street("gw-a", broker_lines=broker_lines) as street:
        for tape in tapes:
            tape.write(street.folder)
        agent = street.add_agent("gw-a", "".join(tape.settings(street.folder) for tape in tapes), limits)
        agent.start_connected()
        wait_until(lambda: street.store.bulk_count("gw-a") > 0, "telemetry")
        chance = random.Random(seed)
        kill_broker(street, agent, kills, wiped=False, chance=chance)
        kill_broker(street, agent, wipes, wiped=True, chance=chance)
        agent.end()
        played = street.settle(agent)
        assert street.store.quarantined() == 0
        return settle(tapes, played, street.store.values("gw-a"))


@pytest.mark.timeout(300)
def test_broker_killed_and_wiped_loses_and_doubles_nothing() -> None:
    account = story(kills=2, wipes=1, broker_lines=OWN_DEFAULTS, limits="message_seconds = 1")
    assert account.is_good, account
    assert account.readings > 500


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "broker_lines"), [("as_init_writes_it", None), ("mosquittos_own_bounds", OWN_DEFAULTS)]
)
def test_broker_killed_twenty_times_and_wiped_three(name: str, broker_lines: dict[str, str] | None) -> None:
    account = story(kills=20, wipes=3, broker_lines=broker_lines)
    record(
        "A3", f"broker_killed_and_wiped_{name}", runs=23, unit="readings",
        figure={"lost": account.lost, "doubled": account.doubled, "wrong": account.wrong,
                "readings": account.readings},
        target="20 kill -9 with default config, 3 with its database deleted -> 0 lost",
        ok=account.is_good, command=COMMAND,
    )  # fmt: skip
    assert account.is_good, account
