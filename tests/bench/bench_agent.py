"""A real agent process with 100 Modbus channels at 1 Hz: memory held, and start to first judged reading.

python tests/bench/bench_agent.py            # a table
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CHANNELS = 100
MEMORY_GOAL_MB = 190.0
START_GOAL_MS = 1000.0
STARTS = 3

_SERVER = """
import asyncio, sys
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

async def serve():
    words = [SimData(0, values=[200 + n for n in range({channels})], datatype=DataType.REGISTERS)]
    bits = [SimData(0, values=[False], datatype=DataType.BITS)]
    device = SimDevice(1, simdata=(bits, bits, words, words))
    await ModbusTcpServer(device, address=("127.0.0.1", int(sys.argv[1]))).serve_forever()

asyncio.run(serve())
"""


def rows(starts: int = STARTS) -> list[dict[str, Any]]:
    """Bench rows: name, value, unit, peer, peer_value, ratio, goal, ok."""
    with tempfile.TemporaryDirectory(prefix="lastmile-bench-") as folder:
        return _measure(Path(folder), starts)


def _measure(folder: Path, starts: int) -> list[dict[str, Any]]:
    modbus, broker = _free_port(), _free_port()
    helpers = [subprocess.Popen([sys.executable, "-c", _SERVER.format(channels=CHANNELS), str(modbus)])]
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    has_broker = Path(program).exists()
    if has_broker:
        (folder / "mosquitto.conf").write_text(
            f"listener {broker} 127.0.0.1\nallow_anonymous true\nlog_type none\n"
        )
        helpers.append(subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")]))
    try:
        _wait_for(lambda: _answers(modbus))
        (folder / "state").mkdir()
        (folder / "state" / "gateway.toml").write_text(_settings(modbus, broker if has_broker else 0))
        _run(folder, 1)  # fills the cache of compiled kernels
        told = [_run(folder, 6 if number == starts - 1 else 1) for number in range(starts)]
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()
    first = min(t["judge"]["start_to_first_judged_ms"] for t in told)
    memory = told[-1]["memory_mb"]
    what = f"{CHANNELS} channels at 1 Hz"
    return [
        _row(f"agent resident, {what}", memory, "MB", MEMORY_GOAL_MB),
        _row(f"agent start to first judged reading, {what}, warm cache", first, "ms", START_GOAL_MS),
    ]


def _run(folder: Path, seconds: float) -> dict[str, Any]:
    """Let an agent run until it judged, and `seconds` more; its last status."""
    state = folder / "state"
    status = state / "status.json"
    status.unlink(missing_ok=True)
    command = [sys.executable, "-m", "edge_agent.cli", "run", "--state", str(state)]
    agent = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _wait_for(lambda: agent.poll() is not None or _has_judged(status), 120)
        if agent.poll() is not None:
            raise RuntimeError(f"the agent ended with {agent.returncode}")
        time.sleep(seconds)
        said = _read(status)
    finally:
        agent.terminate()
        try:
            agent.wait(60)
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait()
            raise
    return said


def _settings(modbus: int, broker: int) -> str:
    """A boiler house: every channel has a limit, every fourth a learned baseline."""
    uplink = f'host = "127.0.0.1"\nport = {broker}\ntls = false\n' if broker else ""
    text = [f'[gateway]\nid = "gw-bench"\n[uplink]\n{uplink}', "[[devices]]\n", 'name = "plc"\n']
    text += [
        'driver = "modbus_tcp"\nperiod_s = 1.0\n',
        f'settings = {{ host = "127.0.0.1", port = {modbus} }}\n',
    ]
    names = [f"plc/c{number}" for number in range(CHANNELS)]
    for number, name in enumerate(names):
        source = f'{{ register = {number}, table = "input" }}'
        text.append(f'[[devices.channels]]\nname = "{name}"\nkind = "temperature"\nunit = "Cel"\n')
        text.append(f"source = {source}\nscale = 0.1\nresolution = 0.1\nminimum = -40\nmaximum = 125\n")
    text.append(_monitor("hot", "limit", "{ high = 90 }", names))
    text.append(_monitor("unusual", "ewma", "{}", names[::4]))
    return "".join(text)


def _monitor(name: str, detector: str, parameters: str, channels: list[str]) -> str:
    return (
        f'[[monitors]]\nname = "{name}"\ndetector = "{detector}"\nparameters = {parameters}\n'
        f'channels = {json.dumps(channels)}\nhazard = "fire"\n'
    )


def _row(name: str, value: float, unit: str, goal: float) -> dict[str, Any]:
    return {
        "name": name, "value": value, "unit": unit, "peer": "", "peer_value": None, "ratio": None,
        "goal": f"<= {goal:g}", "ok": value <= goal,
    }  # fmt: skip


def _has_judged(status: Path) -> bool:
    return status.exists() and bool(_read(status)["judge"]["judged_readings"])


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(claim: Any, limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not claim():
        if time.monotonic() > deadline:
            raise TimeoutError("a program of the bench did not come up")
        time.sleep(0.05)


if __name__ == "__main__":
    for row in rows():
        said = "ok" if row["ok"] else "MISSED"
        print(f"{row['name']:70} {row['value']:10.1f} {row['unit']:4} {row['goal']:8} {said}")
