"""Row A22 at full size: the unit's 30 s, each fault several times, seconds from fault to judging again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from edge_cloud import Receiver
from edge_rig import Broker, edge, wait_until
from fault_results import record
from supervisor_rig import ServiceManager
from test_edge_standstill import SilentNames, asking, figure, strike, with_fault, write

pytestmark = [pytest.mark.soak, pytest.mark.integration, pytest.mark.needs("mosquitto")]
TARGET_S = 60.0
UNIT_WATCHDOG_S = 30.0
PARTS_S = 40.0  # limits of the parts, as in edge_agent/watchdog
ROWS = [float(n % 90) for n in range(6000)]
COMMAND = "python -m pytest -m soak tests/edge/test_edge_standstill_long.py"


def judged(state: Path) -> float:
    return figure(state, lambda told: told["judge"]["judged_readings"])


def is_judging_anew(state: Path, manager: ServiceManager, lives: int) -> bool:
    """Whether a later life has told of readings it judged itself."""
    is_its_own = figure(state, lambda told: told["pid"]) == manager.life.pid
    return manager.ready(lives) and is_its_own and judged(state) > 0


def all_arrived_once(receiver: Receiver) -> bool:
    """What was read up to now arrives, each row once and in order; what is live may come before a backlog."""
    enough = len(receiver.readings()) + 60

    def is_whole() -> bool:
        rows = receiver.readings()
        return len(rows) > enough and rows == ROWS[: len(rows)]

    return wait_until(is_whole, 200) and receiver.conflicts == 0


@pytest.mark.row("A22")
@pytest.mark.timeout(0)
@pytest.mark.parametrize("fault", ["SIGSTOP", "judge hangs", "device's thread dies", "uplink hangs"])
def test_time_from_a_standstill_to_judging_again(fault, tmp_path, broker: Broker, warm_kernels):
    took, is_whole, runs = [], True, 3
    for run in range(runs):
        state = tmp_path / f"state-{run}"
        state.mkdir()
        write(state, broker.port, ROWS)
        receiver = Receiver(broker.port)
        folder = tmp_path / f"run-{run}"
        folder.mkdir()
        command = with_fault(fault, state, PARTS_S)
        with ServiceManager(command, folder, watchdog_s=UNIT_WATCHDOG_S, abort_s=10, pause_s=1) as manager:
            assert wait_until(lambda m=manager, r=receiver: m.ready() and len(r.readings()) > 20, 120)
            if fault == "SIGSTOP":
                os.kill(manager.life.pid, signal.SIGSTOP)
            else:
                strike(state, manager)
            began = time.monotonic()
            assert wait_until(lambda m=manager, s=state: is_judging_anew(s, m, 2), 5 * TARGET_S)
            took.append(time.monotonic() - began)
            is_whole &= all_arrived_once(receiver)
        receiver.close()
    record("A22", f"standstill: {fault}", runs=runs, figure=round(max(took), 1), unit="s",
           target="restart <= 60 s, 0 lost", ok=is_whole and max(took) <= TARGET_S, command=COMMAND,
           note="longest, from fault to a new run that judges; WatchdogSec=30")  # fmt: skip
    assert is_whole
    assert max(took) <= 5 * TARGET_S


@pytest.mark.row("A22")
@pytest.mark.timeout(0)
def test_time_from_mended_names_to_a_receipt(tmp_path, broker: Broker, warm_kernels):
    """Ninety seconds without a name server; judging goes on, and the uplink is back by itself."""
    names = SilentNames()
    state = tmp_path / "state"
    state.mkdir()
    write(state, broker.port, ROWS)
    path = state / "gateway.toml"
    path.write_text(path.read_text().replace('host = "127.0.0.1"', 'host = "localhost"'))
    receiver = Receiver(broker.port)
    command = asking(names, tmp_path, edge("run", "--state", str(state)))
    with ServiceManager(command, tmp_path, watchdog_s=UNIT_WATCHDOG_S) as manager:
        assert wait_until(lambda: manager.ready() and names.asked > 0, 120)
        before = judged(state)
        time.sleep(90)
        went_on = judged(state) > before and len(manager.lives) == 1
        names.is_open = True
        began = time.monotonic()
        assert wait_until(lambda: len(receiver.readings()) > 0, 5 * TARGET_S)
        took = time.monotonic() - began
        is_whole = all_arrived_once(receiver)
    receiver.close()
    names.close()
    record("A22", "silent name server", runs=1, figure=round(took, 1), unit="s",
           target="restart <= 60 s, 0 lost", ok=is_whole and went_on and took <= TARGET_S, command=COMMAND,
           note="from names that answer again to a first message; no restart before")  # fmt: skip
    assert went_on
    assert is_whole
