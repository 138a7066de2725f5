"""The agent: whether it runs, what it last told, what waits, what the watchdog and upgrades left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_agent.doctor.finding import Finding, bad, unknown, watch, well
from edge_agent.outbox.inspect import outbox_figures
from edge_agent.settings import Settings
from edge_agent.state import StateBusyError, StateFolder
from edge_agent.upgrade.journal import UpgradeOutcome, last_file, load
from edge_agent.watchdog.record import StandstillStore
from models.clock import SECOND_NS, Clock
from models.errors import LastmileError

_STALE_S = 30.0
_UNIT = "lastmile-edge.service"
_START = "type: sudo systemctl start lastmile-edge"


def look_at_agent(state: StateFolder, settings: Settings | None, clock: Clock) -> Iterator[Finding]:
    """What can be told from its state folder and its unit."""
    told = read_status(state)
    yield _unit()
    yield _running(state, told, clock)
    yield from _devices(told)
    yield _clock(told)
    yield _outbox(state, settings)
    yield _receipt(told, clock)
    yield _standstill(state)
    yield _upgrade(state)
    yield _kernels()


def read_status(state: StateFolder) -> dict[str, Any]:
    """What the agent last told of itself; empty where it never did."""
    try:
        return dict(json.loads(state.status.read_text()))
    except (OSError, ValueError):
        return {}


def runs(state: StateFolder) -> bool:
    """Whether an agent holds this state folder."""
    try:
        state.lock().release()
    except StateBusyError:
        return True
    except OSError:
        return False
    return False


def _unit() -> Finding:
    if shutil.which("systemctl") is None:
        return unknown("service", "no systemd here; something else must start the agent anew")
    wanted = "LoadState,ActiveState,SubState,NRestarts,StatusText,UnitFileState"
    asked = ["systemctl", "show", _UNIT, f"--property={wanted}"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return unknown("service", "systemctl does not answer")
    facts = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if not facts:
        return unknown("service", "systemd does not answer; something else must start the agent anew")
    if facts.get("LoadState") != "loaded":
        return watch("service", f"{_UNIT} is not installed", "install it, so that the agent is started anew")
    said = f"{facts.get('ActiveState')} ({facts.get('SubState')}), {facts.get('NRestarts')} restarts"
    said += f"; {facts['StatusText']}" if facts.get("StatusText") else ""
    if facts.get("ActiveState") not in ("active", "activating"):
        return bad("service", said, f"look at: journalctl -u {_UNIT} -e; then {_START}")
    if facts.get("UnitFileState") != "enabled":
        said += "; not started with the machine"
        return watch("service", said, "type: sudo systemctl enable lastmile-edge")
    return well("service", said)


def _running(state: StateFolder, told: dict[str, Any], clock: Clock) -> Finding:
    if not runs(state):
        return bad("agent", "does not run", _START)
    if not told:
        return watch("agent", "runs, and has not yet told of itself", "wait some seconds and ask again")
    age_s = (clock.wall_ns() - int(told["written_at"])) / SECOND_NS
    said = f"version {told.get('code_version')}, {told.get('memory_mb')} MB, last told {age_s:.0f} s ago"
    failed = told.get("judge", {}).get("failed_monitors", [])
    if age_s > _STALE_S:
        return bad("agent", said, "it should tell every 3 s: look at its log")
    if failed:
        said += f"; monitors broke: {', '.join(failed)}"
        return bad("agent", said, "look at its log; a start tries them anew")
    return well("agent", said)


def _devices(told: dict[str, Any]) -> Iterator[Finding]:
    for device in told.get("devices", []):
        name = f"device {device['name']}"
        if device["is_up"]:
            yield well(name, f"answers, {device['readings']} readings since the start")
        else:
            yield bad(name, device["problem"] or "does not answer", "type: lastmile-edge check --probe")


def _clock(told: dict[str, Any]) -> Finding:
    state = told.get("clock")
    if state == "trusted":
        return well("clock", "the agent trusts it")
    if state is None:
        return unknown("clock", "the agent has not told")
    return watch("clock", f"{state}: times are marked until it is set", "let a time server be reached")


def _outbox(state: StateFolder, settings: Settings | None) -> Finding:
    try:
        figures = outbox_figures(state.outbox)
    except LastmileError as wrong:
        return watch("outbox", str(wrong), "it is made at the first start")
    size = state.outbox.stat().st_size / (1 << 20)
    bound = settings.limits.outbox_mb if settings else 0
    waits = f"{figures['urgent_messages']} urgent and {figures['bulk_messages']} other messages wait"
    said = f"{waits}, {size:.0f} of {bound} MB" if bound else waits
    if bound and size >= 0.95 * bound:
        return watch("outbox", said, "full, it drops the oldest telemetry and tells so: reach the cloud")
    return well("outbox", said)


def _receipt(told: dict[str, Any], clock: Clock) -> Finding:
    at = int(told.get("uplink", {}).get("last_receipt_at") or 0)
    if not at:
        return unknown("receipt", "none since the agent's start")
    age_s = (clock.wall_ns() - at) / SECOND_NS
    said = f"the cloud last confirmed something {age_s:.0f} s ago"
    return well("receipt", said) if age_s < 600 else watch("receipt", said, "see the way to the broker below")


def _standstill(state: StateFolder) -> Finding:
    last = StandstillStore(state.watchdog).load()
    if last is None:
        return well("watchdog", "nothing stood still of late")
    said = f"{last.part} stood still for {last.stood_s:.0f} s at {_moment(last.at)}, {last.times} in a row"
    return watch("watchdog", said, "look at the log of that time: it says where each thread was")


def _upgrade(state: StateFolder) -> Finding:
    last = load(last_file(state.root), UpgradeOutcome)
    if last is None:
        return well("upgrade", "none was made")
    why = f": {last.reason}" if last.reason else ""
    said = f"{last.version} was {last.outcome} at {_moment(last.at)}{why}"
    if last.outcome == "confirmed":
        return well("upgrade", said)
    return watch("upgrade", said, last.detail or "tell whoever made the release")


def _kernels() -> Finding:
    """Machine code built ahead or left by an earlier start; without it the next one takes minutes."""
    import models.compile
    import models.detectors
    from models.compile import way

    if way() != "numba":
        return well("kernels", way())
    if models.compile.way() != "numba":
        return well("kernels", models.compile.way())
    own = Path(os.environ.get("NUMBA_CACHE_DIR", ""))
    folders = [own] if own.is_absolute() else [Path(models.detectors.__file__).parent]
    count = sum(1 for folder in folders for _ in folder.rglob("*.nbi"))
    if count:
        return well("kernels", f"{count} are compiled")
    return watch("kernels", "none are compiled", "type: lastmile-lab warm, as the agent's user")


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M UTC")
