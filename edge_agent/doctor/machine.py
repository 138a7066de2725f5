"""The machine: disk and its wear, memory, heat, time, ports."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from edge_agent.doctor.finding import Finding, bad, unknown, watch, well
from edge_agent.settings import Settings

SYS = Path("/sys")
_HOT_C, _TOO_HOT_C = 75.0, 82.0
_SD_TIMES = 3000.0  # a card of ordinary make bears about so many writes of all of it
_THROTTLED = {0: "power too weak", 1: "slowed down", 2: "throttled", 3: "hot"}
_PATIENCE_S = 5.0


def look_at_machine(state: Path, settings: Settings | None) -> Iterator[Finding]:
    """Everything about the machine itself."""
    yield _disk(state)
    yield _wear(state)
    yield _memory()
    yield _heat()
    yield _power()
    yield _time()
    yield from _ports(settings)


def _disk(state: Path) -> Finding:
    usage = shutil.disk_usage(state)
    percent = 100 * usage.used / usage.total
    said = f"{percent:.0f} % of {usage.total / 1e9:.1f} GB is used, {usage.free / 1e9:.1f} GB is free"
    if percent >= 95:
        return bad("disk", said, "remove what is not needed: a full disk drops the oldest telemetry")
    return watch("disk", said, "look at it before it reaches 95 %") if percent >= 85 else well("disk", said)


def _wear(state: Path) -> Finding:
    """Bytes written since the start of this machine, as the kernel counts them."""
    try:
        device = state.stat().st_dev
        name = f"{os.major(device)}:{os.minor(device)}"
        sectors = int((SYS / "dev" / "block" / name / "stat").read_text().split()[6])
        up_s = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return unknown("wear", "this file system's device counts no writes")
    a_day = sectors * 512 / max(up_s, 1) * 86_400
    years = shutil.disk_usage(state).total * _SD_TIMES / max(a_day, 1) / 365
    said = f"{a_day / 1e9:.2f} GB are written a day ({sectors * 512 / 1e9:.1f} GB since the start)"
    if up_s < 3600:
        return unknown("wear", f"{said}; too short a time to tell")
    if years < 3:
        return watch("wear", said, f"a card of this size may last {years:.1f} years: what else writes?")
    return well("wear", said)


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    said = f"{memory.available / 1e6:.0f} of {memory.total / 1e6:.0f} MB can be had"
    if memory.available < 60e6:
        return bad("memory", said, "stop what else runs here; the agent needs up to 190 MB")
    return watch("memory", said, "little is left") if memory.available < 150e6 else well("memory", said)


def _heat() -> Finding:
    from edge_agent.drivers.health import measure

    celsius = measure("cpu_temperature_c")
    if celsius != celsius:
        return unknown("heat", "this machine tells no temperature")
    said = f"{celsius:.0f} Cel"
    if celsius >= _TOO_HOT_C:
        return bad("heat", said, "it is slowed down at this heat: give it air")
    return watch("heat", said, "give it air") if celsius >= _HOT_C else well("heat", said)


def _power() -> Finding:
    """A Raspberry Pi tells of weak power and of throttling."""
    if shutil.which("vcgencmd") is None:
        return unknown("power", "no vcgencmd: not a Raspberry Pi, or its tools are not installed")
    told = _output("vcgencmd", "get_throttled")
    try:
        bits = int(told.partition("=")[2], 16)
    except ValueError:
        return unknown("power", f"vcgencmd says {told or 'nothing'}; is this user in the group video?")
    now = [words for bit, words in _THROTTLED.items() if bits >> bit & 1]
    before = [words for bit, words in _THROTTLED.items() if bits >> (bit + 16) & 1]
    advice = "use the maker's own power supply, a short cable, and give it air"
    if now:
        return bad("power", ", ".join(now), advice)
    if before:
        return watch("power", "since the start, at times: " + ", ".join(before), advice)
    return well("power", "never too weak since the start")


def _time() -> Finding:
    told = _output("timedatectl", "show", "--property=NTP", "--property=NTPSynchronized")
    facts = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    if not facts:
        return unknown("time", "timedatectl does not answer; the agent's own view is below")
    if facts.get("NTPSynchronized") == "yes":
        return well("time", "set by a time server")
    if facts.get("NTP") != "yes":
        return bad("time", "no time server is asked", "type: sudo timedatectl set-ntp true")
    return watch("time", "not yet set by a time server", "check that UDP port 123 leads outside")


def _ports(settings: Settings | None) -> Iterator[Finding]:
    """Whether this user may use the ports and lines that gateway.toml names."""
    if settings is None:
        return
    ports = [str(device.settings.get("port", "")) for device in settings.devices]
    named = {port for port in ports if port.startswith("/")}
    named |= {str(chip) for action in settings.actions if (chip := getattr(action, "chip", None))}
    for path in sorted(named):
        yield _port(Path(path))


def _port(path: Path) -> Finding:
    try:
        about = path.stat()
    except OSError:
        return bad(f"port {path}", "is not there", "check plug and cable; names in /dev/serial/by-id stay")
    if os.access(path, os.R_OK | os.W_OK):
        return well(f"port {path}", "may be used")
    group, user = _name_of_group(about.st_gid), pwd.getpwuid(os.geteuid()).pw_name
    advice = f"type: sudo usermod -aG {group} {user}, and start anew"
    return bad(f"port {path}", f"user {user} may not use it", advice)


def _name_of_group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _output(*command: str) -> str:
    """What a program says; "" where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
