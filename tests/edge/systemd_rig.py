"""A real systemd as first process of namespaces of its own, with our units alone, cut off from this machine.

The machine's files are read-only inside, and /run, /tmp, /opt and what services write in /var are in memory:
nothing that systemd does at a start reaches the machine. Needs root and a cgroup2 hierarchy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from programs import find_program

ROOT = Path(__file__).parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
PACKAGES = ROOT / ".venv" / "lib" / "python3.11" / "site-packages"

_INSIDE = """\
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/test /run/systemd /run/lock
mount --bind "$1" /run/test
mount --bind /run/test/passwd /etc/passwd
mount --bind /run/test/group /etc/group
mount -t tmpfs -o mode=755 tmpfs /opt
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t tmpfs -o mode=755 tmpfs /var/cache
mount -t tmpfs -o mode=755 tmpfs /var/log
mount -t tmpfs tmpfs /var/tmp
mkdir -p /opt/lastmile /var/lib/lastmile-edge
mount --bind /run/test/opt /opt/lastmile
mount --bind /run/test/state /var/lib/lastmile-edge
mount -t tmpfs tmpfs /tmp
mount -t proc proc /proc
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -o remount,bind,ro /
export container=lastmile-test SYSTEMD_UNIT_PATH=/run/test/units SYSTEMD_GENERATOR_PATH=/nonexistent
exec /lib/systemd/systemd --system --log-target=console --log-level=info --show-status=no
"""
_LAUNCH = """\
#!/bin/sh
PYTHONPATH={code}:{packages} exec /usr/bin/python3 -m edge_agent.cli "$@"
"""


def why_not() -> str:
    """What is missing on this machine for it; "" when all is there."""
    if os.geteuid() != 0:
        return "not root"
    if not SYSTEMD.exists() or find_program("unshare") is None or not Path("/usr/bin/python3.11").exists():
        return "systemd, unshare or Debian's Python 3.11 is not here"
    return "" if _cgroups() else "no cgroup2 hierarchy that can be written"


def _cgroups() -> Path | None:
    for path in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")):
        if (path / "cgroup.procs").exists() and os.access(path / "cgroup.procs", os.W_OK):
            return path
    return None


@contextlib.contextmanager
def booted(folder: Path, units: dict[str, str]) -> Iterator[Path]:
    """systemd running with `units` (name -> text); yields the folder in which `state` lies.

    Units whose name ends in `.service` and that have an [Install] section are started.
    """
    for name in ("units", "opt/current/bin", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    account = "lastmile:x:987:987::/nonexistent:/usr/sbin/nologin\n"
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + account)
    (folder / "group").write_text(Path("/etc/group").read_text() + "lastmile:x:987:\n")
    launcher = folder / "opt/current/bin/lastmile-edge"
    launcher.write_text(_LAUNCH.format(code=ROOT, packages=PACKAGES))
    launcher.chmod(0o755)
    wants = " ".join(name for name, text in units.items() if "[Install]" in text)
    (folder / "units/default.target").write_text(f"[Unit]\nDefaultDependencies=no\nWants={wants}\n")
    for name, text in units.items():
        (folder / "units" / name).write_text(text)
    (folder / "inside.sh").write_text(_INSIDE)
    group = _cgroups()
    assert group is not None
    own = group / f"lastmile-test-{os.getpid()}-{time.monotonic_ns()}"
    own.mkdir()
    with (folder / "systemd.log").open("wb") as log:
        enter = (
            f"echo $$ > {own}/cgroup.procs && exec unshare -mpufiC --propagation private --kill-child=KILL"
        )
        process = subprocess.Popen(
            ["sh", "-c", f'{enter} bash "$1/inside.sh" "$1"', "sh", str(folder)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield folder
        finally:
            process.kill()
            process.wait()
            _remove(own)


def _remove(group: Path) -> None:
    """Groups go once the last process in them is gone, the inner ones first."""
    until = time.monotonic() + 10
    while group.exists() and time.monotonic() < until:
        for path, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(path).rmdir()
        time.sleep(0.1)


def adjusted(unit: str, **changes: str) -> str:
    """The unit's text without its waits for the network, and with `changes` set in [Service]."""
    lines = [line for line in unit.splitlines() if not line.startswith(("Wants=", "After="))]
    text = "\n".join(lines).replace("[Unit]", "[Unit]\nDefaultDependencies=no", 1)
    added = "".join(f"{key}={value}\n" for key, value in changes.items())
    return text.replace("[Service]\n", f"[Service]\n{added}", 1) + "\n"


def pids_of(words: str) -> list[int]:
    """Processes of this machine, those inside included, whose command line has `words`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words in path.read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                found.append(int(path.parent.name))
    return found


def clear(folder: Path) -> None:
    """Files inside belong to another user; pytest's own cleaning is for its own."""
    shutil.rmtree(folder, ignore_errors=True)
