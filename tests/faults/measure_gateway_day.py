"""What a gateway costs a day: processor, memory, bytes written, bytes sent, for 100 channels at 1 Hz.

python tests/faults/measure_gateway_day.py [--minutes 10] [--write]

Everything a gateway does is on: five Modbus TCP devices of twenty channels, the default set of monitors, a
TLS uplink to a real mosquitto and a real ingest, the page on loopback. Measured over a span and scaled to a
day. --write: into docs/results/gateway_day.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "faults")]
UNITS, CHANNELS = 5, 20
SETTLE_S = 90.0
DAY_S = 86_400.0
RESULTS = ROOT / "docs" / "results" / "gateway_day.json"


def counters(pid: int) -> dict[str, float]:
    """Processor time in s and bytes written to the disk, both since the process began."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    said = dict(re.findall(r"(\w+): (\d+)", Path(f"/proc/{pid}/io").read_text()))
    cpu_s = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    return {"cpu_s": cpu_s, "written": float(said["write_bytes"])}


def memory(pid: int) -> dict[str, float]:
    """Resident and proportional memory, MB (10^6 bytes)."""
    said = dict(re.findall(r"(?m)^(\w+):\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text()))
    return {"rss_mb": int(said["Rss"]) * 1024 / 1e6, "pss_mb": int(said["Pss"]) * 1024 / 1e6}


def measure(minutes: float) -> dict[str, Any]:
    """Let a gateway live, and read its counters."""
    from fault_plc import settings
    from fault_street import open_street
    from real_parts import Process, free_port, is_open, wait_until

    with open_street("gw-a") as street:
        port, road = free_port(), street.link()
        server = [sys.executable, ROOT / "tests" / "faults" / "fault_plc.py", str(port), str(UNITS)]
        with Process([*server, str(CHANNELS)], street.folder / "plc.log"):
            wait_until(lambda: is_open(port), "the Modbus devices")
            road.mend()
            devices = "[default_monitors]\n" + settings(port, UNITS, CHANNELS)
            agent = street.add_agent("gw-a", devices, port=road.port)
            agent.start_connected(600.0)  # a first start may compile the detectors, and is larger for it
            wait_until(agent.is_judging, "the first judging", 600.0)
            agent.end()
            agent.start_connected(600.0)
            assert agent.process is not None
            time.sleep(SETTLE_S)
            begun, before = time.monotonic(), counters(agent.process.pid)
            up, down, assigned = road.up_bytes, road.down_bytes, agent.figures()["bulk_assigned"]
            time.sleep(minutes * 60)
            span_s, after = time.monotonic() - begun, counters(agent.process.pid)
            held = memory(agent.process.pid)
            sent, heard = road.up_bytes - up, road.down_bytes - down
            messages = agent.figures()["bulk_assigned"] - assigned
            agent.end()
            stored = street.store.readings("gw-a")
    scale = DAY_S / span_s
    written = after["written"] - before["written"]
    return {
        "cpu_percent_of_one_core": round(100 * (after["cpu_s"] - before["cpu_s"]) / span_s, 2),
        "rss_mb": round(held["rss_mb"], 1),
        "pss_mb": round(held["pss_mb"], 1),
        "written_mb_a_day": round(written * scale / 1e6, 1),
        "sent_mb_a_day": round(sent * scale / 1e6, 2),
        "received_mb_a_day": round(heard * scale / 1e6, 2),
        "messages_a_day": round(messages * scale),
        "sent_bytes_a_reading": round(sent / (span_s * UNITS * CHANNELS), 3),
        "measured": {
            "span_s": round(span_s, 1),
            "cpu_s": round(after["cpu_s"] - before["cpu_s"], 2),
            "load_1m": round(os.getloadavg()[0], 1),
            "written_bytes": written, "sent_bytes": sent, "received_bytes": heard, "stored_readings": stored,
        },
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="what a gateway costs a day")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--write", action="store_true", help="into docs/results/gateway_day.json")
    wished = parser.parse_args()
    found = {
        "what": "100 channels at 1 Hz: 5 Modbus TCP devices, default monitors, TLS uplink, all of the agent",
        "command": "python tests/faults/measure_gateway_day.py --minutes 10 --write",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "how": "counters of the process and of a relay before the broker over the span, scaled to a day; "
        "written: write_bytes of /proc/PID/io (the file system's own journal is not in it); "
        "sent: with MQTT and TLS, without TCP and IP headers",
        **measure(wished.minutes),
    }
    text = json.dumps(found, indent=1) + "\n"
    if wished.write:
        RESULTS.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
