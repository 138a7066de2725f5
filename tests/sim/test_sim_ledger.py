"""The ledger: what was told is known after any death of the simulator."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from sim_rig import wait_for

from firmware_sim.ledger import Ledger, read_ledger

TELLS_FOR_EVER = """
import sys
from pathlib import Path
from firmware_sim.ledger import Ledger
ledger, number = Ledger(Path(sys.argv[1])), 0
while True:
    number += 1
    ledger.tell("boiler", number, number, {"pressure": 1312.0})
    if number > 1:
        ledger.confirm("boiler", number - 1)
    print(number, flush=True)
"""


def test_everything_told_before_kill_9_is_in_the_ledger(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", TELLS_FOR_EVER, str(file)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        printed = [child.stdout.readline() for _ in range(200)]
        os.kill(child.pid, signal.SIGKILL)
        printed += child.stdout.read().splitlines(keepends=True)
        child.wait(5)
        last = max(int(line) for line in printed if line.endswith("\n"))
        told = read_ledger(file)["boiler"].told
        assert set(range(1, last + 1)) <= set(told)
        assert all(told[number].is_sure for number in range(1, last))
        file.unlink()


def test_a_torn_last_line_is_no_line_and_harms_no_later_one(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    ledger = Ledger(file)
    ledger.tell("boiler", 1, 10, {"pressure": 1.0})
    ledger.close()
    with file.open("ab") as stream:
        stream.write(b'{"d":"boiler","n":2,"t":11,"v":{"pr')
    ledger = Ledger(file)
    ledger.tell("boiler", 3, 12, {"pressure": 3.0})
    ledger.confirm("boiler", 3)
    ledger.close()
    device = read_ledger(file)["boiler"]
    assert sorted(device.told) == [1, 3] and device.highest == 3
    assert [device.told[n].is_sure for n in (1, 3)] == [False, True]


def test_no_ledger_is_an_empty_one(tmp_path: Path) -> None:
    assert read_ledger(tmp_path / "none.jsonl") == {}


def test_a_killed_run_goes_on_with_the_next_numbers(tmp_path: Path) -> None:
    """The whole program: killed, started again, it never tells one number twice."""
    from pymodbus.client import ModbusTcpClient
    from sim_rig import make_plan

    plan = make_plan(tmp_path)
    numbers: list[int] = []
    for _ in range(2):
        command = [sys.executable, "-m", "firmware_sim.cli", "run", "--plan", str(tmp_path)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert child.stdout is not None and '"serving"' in child.stdout.readline()
            client = ModbusTcpClient("127.0.0.1", port=plan.ports["gw-b2"].modbus, timeout=3)
            wait_for(client.connect)
            for _ in range(3):
                numbers.append(client.read_input_registers(0, count=2, device_id=1).registers[1])
            client.close()
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait(5)
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert read_ledger(plan.ledger_file)["canteen"].highest == 6
