"""The unit as it is installed: its score, and a real systemd that runs the real agent by it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from edge_rig import wait_until
from fault_results import record
from programs import find_program
from systemd_rig import PACKAGES, ROOT, adjusted, booted, pids_of, why_not

DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
TARGET = 1.6
COMMAND = "python -m pytest -m soak tests/edge/test_edge_systemd.py"
needs_systemd = pytest.mark.skipif(bool(why_not()), reason=why_not() or "all is here")


def score(unit: Path) -> float:
    """Exposure as systemd-analyze tells it, 0 to 10."""
    program = find_program("systemd-analyze")
    assert program
    asked = [program, "security", "--offline=true", "--no-pager", str(unit)]
    told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told.stdout)
    assert found, told.stdout
    return float(found[1])


@pytest.mark.row("B20")
@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_exposes_little(unit):
    assert score(unit) <= TARGET


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_has_no_key_that_systemd_does_not_know(unit):
    asked = [find_program("systemd-analyze") or "", "verify", str(unit)]
    told = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60).stderr
    ours = [line for line in told.splitlines() if unit.name in line and "not executable" not in line]
    assert not ours


SETTINGS = """\
[gateway]
id = "gw-1"
[[devices]]
name = "me"
driver = "health"
period_s = 0.2
[[devices.channels]]
name = "me/memory"
kind = "load"
source = "memory_percent"
[[devices]]
name = "line"
driver = "files"
period_s = 0.2
[[devices.channels]]
name = "line/value"
kind = "load"
source = {{ file = "{file}" }}
[[monitors]]
name = "full"
detector = "limit"
parameters = {{ high = 200 }}
channels = ["me/memory"]
hazard = "device"
severity = "minor"
"""


@pytest.mark.row("A22")
@pytest.mark.row("B20")
@pytest.mark.soak
@pytest.mark.integration
@pytest.mark.timeout(400)
@needs_systemd
def test_unit_runs_the_agent_and_brings_it_back_when_it_is_stopped(tmp_path, warm_kernels):
    """Under all the unit's rules; a file of the group dialout stands for a serial port."""
    folder = tmp_path
    (folder / "state").mkdir()
    (folder / "state" / "gateway.toml").write_text(SETTINGS.format(file="/run/test/line"))
    (folder / "line").write_text("21.5\n")
    os.chown(folder / "line", 0, 20)
    (folder / "line").chmod(0o640)
    unit = (DEPLOY / "lastmile-edge.service").read_text()
    changes = {"SupplementaryGroups": "dialout", "WatchdogSec": "5", "StandardError": "append:/run/test/log"}
    changed = adjusted(re.sub(r"(?m)^WatchdogSec=.*\n", "", unit), **changes)
    with booted(folder, {"lastmile-edge.service": changed}):
        status = folder / "state" / "status.json"
        assert wait_until(lambda: told(status)["judged"] > 5, 120), (folder / "systemd.log").read_text()
        assert wait_until(lambda: told(status)["up"] == ["me", "line"], 20), (folder / "log").read_text()
        assert wait_until(lambda: told(status)["kept"] > 0, 60)
        (agent,) = agents()
        os.kill(agent, signal.SIGSTOP)
        began = time.monotonic()
        assert wait_until(lambda: agents() not in ([], [agent]), 60), (folder / "systemd.log").read_text()
        written = told(status)["written_at"]
        assert wait_until(lambda: told(status)["written_at"] > written, 60)
        took = time.monotonic() - began
    assert "Fatal Python error: Aborted" in (folder / "log").read_text()  # by the watchdog's signal
    record("A22", "SIGSTOP under a real systemd and the unit", runs=1, figure=round(took, 1), unit="s",
           target="restart <= 60 s, 0 lost", ok=took <= 60, command=COMMAND,
           note="WatchdogSec=5 instead of 30; to the first figures of the new run")  # fmt: skip
    scores = {unit.stem: score(unit) for unit in UNITS}
    record("B20", "systemd-analyze security --offline", runs=len(scores), figure=scores, unit="exposure",
           target="unit <= 1.6", ok=max(scores.values()) <= TARGET, command=COMMAND)  # fmt: skip
    assert took <= 300


ENDER = """\
import pathlib, sys, time
sys.path[:0] = [{code!r}, {packages!r}]
from edge_agent.upgrade.agents import end
until, found = time.monotonic() + 150, []
while not found and time.monotonic() < until:
    if pathlib.Path("/var/lib/lastmile-edge/status.json").exists():
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            if b"edge_agent.cli\\0run" in path.read_bytes():
                found.append(int(path.parent.name))
    time.sleep(0.5)
end(found)
pathlib.Path("/opt/lastmile/written").write_text(str(found))
"""


@pytest.mark.soak
@pytest.mark.integration
@pytest.mark.timeout(400)
@needs_systemd
def test_upgrade_unit_may_end_the_agent_and_write_releases(tmp_path, warm_kernels):
    """Under all its rules: it sees the agent's process, ends it in order, and systemd starts it anew."""
    folder = tmp_path
    (folder / "state").mkdir()
    (folder / "line").write_text("21.5\n")
    (folder / "line").chmod(0o644)
    (folder / "state" / "gateway.toml").write_text(SETTINGS.format(file="/run/test/line"))
    (folder / "ender.py").write_text(ENDER.format(code=str(ROOT), packages=str(PACKAGES)))
    agent = adjusted((DEPLOY / "lastmile-edge.service").read_text(), StandardError="append:/run/test/log")
    upgrade = (DEPLOY / "lastmile-upgrade.service").read_text()
    upgrade = re.sub(r"(?m)^ExecStart=.*$", "ExecStart=/usr/bin/python3 /run/test/ender.py", upgrade)
    upgrade = adjusted(upgrade, StandardError="append:/run/test/upgrade-log") + "[Install]\n"
    (folder / "opt").mkdir()
    os.chown(folder / "opt", 987, 987)
    with booted(folder, {"lastmile-edge.service": agent, "lastmile-upgrade.service": upgrade}):
        written = folder / "opt" / "written"
        log = folder / "upgrade-log"
        assert wait_until(written.exists, 180), log.read_text() if log.exists() else "it said nothing"
        ended = json.loads(written.read_text())
        assert len(ended) == 1
        assert wait_until(lambda: agents() and "stopped" in (folder / "log").read_text(), 60)


def agents() -> list[int]:
    return pids_of("edge_agent.cli run --state /var/lib/lastmile-edge")


def told(status: Path) -> dict:
    try:
        said = json.loads(status.read_text())
    except (FileNotFoundError, ValueError):
        return {"judged": 0, "up": [], "written_at": 0, "kept": 0}
    up = [device["name"] for device in said["devices"] if device["is_up"]]
    return {
        "judged": said["judge"]["judged_readings"],
        "up": up,
        "written_at": said["written_at"],
        "kept": said["outbox"]["bulk_rows"],
    }
