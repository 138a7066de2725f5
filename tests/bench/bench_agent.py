"""A real agent process with 100 Modbus channels at 1 Hz, its own health and a TLS uplink: memory and start.

With kernels built ahead (scripts/prebuild) and with numba, which is what an agent without a library takes.

python tests/bench/bench_agent.py            # a table
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from edge.http_rig import self_signed
from programs import find_program

CHANNELS = 100
# The two ways to kernels: goals for memory, MB, and for the first judged reading, ms.
WAYS = {"built ahead": (80.0, 300.0), "numba": (190.0, 1000.0)}
STARTS = 5
HELD_S = 12.0  # after so long all is loaded and messages have been sent
CONNECTS_S = 6.0

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
    program = find_program("mosquitto")
    if program is None:
        raise FileNotFoundError("mosquitto, which the agent is measured with")
    (folder / "state" / "identity").mkdir(parents=True)
    _enrol(folder, broker)
    (folder / "state" / "gateway.toml").write_text(_settings(modbus, broker))
    helpers = [
        subprocess.Popen([sys.executable, "-c", _SERVER.format(channels=CHANNELS), str(modbus)]),
        subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL),
    ]
    try:
        _wait_for(lambda: _answers(modbus) and _answers(broker))
        told = []
        for way in WAYS:
            _run(folder, way, 1)  # fills the cache of compiled kernels
            runs = [_run(folder, way, HELD_S if n == 0 else 0) for n in range(starts)]
            told += _told(way, runs, _numpy_alone_ms(starts))
        return told
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()


def _numpy_alone_ms(starts: int) -> float:
    """What this machine takes to start an interpreter that imports numpy and ends: the least of `starts`."""
    told = []
    for _ in range(starts):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import numpy"], check=True)
        told.append(1000 * (time.perf_counter() - begun))
    return round(min(told), 1)


def _told(way: str, runs: list[dict[str, Any]], numpy_ms: float) -> list[dict[str, Any]]:
    goals, held = WAYS[way], runs[0]
    what = f"{CHANNELS} Modbus channels at 1 Hz, health, TLS, {way}"
    starts = [run["judge"]["start_to_first_judged_ms"] for run in runs]
    least, median = min(starts), statistics.median(starts)
    return [
        _row(f"agent resident, {what}", held["memory_mb"], "MB", goals[0]),
        _row(f"agent's own share of memory (PSS), {what}", held["pss_mb"], "MB", None),
        _row(f"agent start to first judged reading, least of {len(runs)}, {what}", least, "ms", goals[1])
        | {"peer": "an interpreter that imports numpy", "peer_value": numpy_ms, "ratio": least / numpy_ms},
        _row(f"agent start to first judged reading, median, {what}", median, "ms", None),
    ]


def _enrol(folder: Path, port: int) -> None:
    """A broker that asks for a certificate, and one certificate that proves either side to the other."""
    certificate, key = self_signed(folder)
    identity = folder / "state" / "identity"
    for place, source in (("ca.crt", certificate), ("gateway.crt", certificate), ("gateway.key", key)):
        shutil.copy(source, identity / place)
    key.chmod(0o644)  # for a broker that gave up being root
    folder.chmod(0o755)
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nrequire_certificate true\nlog_type error\n"
        f"cafile {certificate}\ncertfile {certificate}\nkeyfile {key}\n"
    )


def _run(folder: Path, way: str, seconds: float) -> dict[str, Any]:
    """Let an agent run until it judged, and `seconds` more; its last status, and its share of memory."""
    state = folder / "state"
    status = state / "status.json"
    status.unlink(missing_ok=True)
    command = [sys.executable, "-m", "edge_agent.cli", "run", "--state", str(state)]
    environment = os.environ | ({"LASTMILE_KERNELS": "jit"} if way == "numba" else {})
    environment.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # no gateway has it, and each start would read sources anew
    agent = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    try:
        _wait_for(lambda: agent.poll() is not None or _has_judged(status), 120)
        if agent.poll() is not None:
            raise RuntimeError(f"the agent ended with {agent.returncode}")
        time.sleep(seconds)
        said = _read(status) | {"pss_mb": _share_mb(agent.pid)}
        if seconds > CONNECTS_S and not said["uplink"]["is_connected"]:
            raise RuntimeError(f"the agent has no uplink: {said['uplink']['problem']}")
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
    uplink = f'host = "127.0.0.1"\nport = {broker}\n'
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
    text.append('[[devices]]\nname = "self"\ndriver = "health"\nperiod_s = 5.0\n')
    text.append(
        '[[devices.channels]]\nname = "self/cpu"\nkind = "load"\nunit = "%"\nsource = "cpu_percent"\n'
    )
    text.append(_monitor("hot", "limit", "{ high = 90 }", names))
    text.append(_monitor("unusual", "ewma", "{}", names[::4]))
    return "".join(text)


def _monitor(name: str, detector: str, parameters: str, channels: list[str]) -> str:
    return (
        f'[[monitors]]\nname = "{name}"\ndetector = "{detector}"\nparameters = {parameters}\n'
        f'channels = {json.dumps(channels)}\nhazard = "fire"\n'
    )


def _share_mb(pid: int) -> float:
    """Memory that would be free without the process: what it shares with others counts in part (PSS)."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return round(int(told.split("Pss:")[1].split()[0]) * 1024 / 1e6, 1)


def _row(name: str, value: float, unit: str, goal: float | None) -> dict[str, Any]:
    return {
        "name": name, "value": value, "unit": unit, "peer": "", "peer_value": None, "ratio": None,
        "goal": None if goal is None else f"<= {goal:g}", "ok": None if goal is None else value <= goal,
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
        said = {True: "ok", False: "MISSED", None: ""}[row["ok"]]
        print(f"{row['name']:100} {row['value']:8.1f} {row['unit']:4} {row['goal'] or '':8} {said}")
