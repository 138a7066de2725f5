"""Upgrades with real bundles: what is refused, what is tried and left, what is kept; nothing is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from edge_cloud import Receiver
from edge_rig import Broker, wait_until
from release_rig import ROOT, environment, make_bundle, write_key
from supervisor_rig import ServiceManager
from test_edge_agent import SETTINGS

from edge_agent.upgrade.releases import Releases

pytestmark = [pytest.mark.integration, pytest.mark.needs("openssl"), pytest.mark.timeout(400)]
OLD, NEW = "0.1.0", "0.2.0"
HEALTH = """\
[[devices]]
name = "me"
driver = "health"
period_s = 0.5
[[devices.channels]]
name = "me/memory"
kind = "load"
source = "memory_percent"
"""
_TICK = "        self._step_alone()\n        now"
# What is changed in the newer release: file, what stands there, what is put instead; and why it is left.
BAD = {
    "crashes at its start": (
        "edge_agent/app.py",
        "        pipeline = self._pipeline\n        self._supervisor.starting(",
        "        raise RuntimeError('bad release')\n        self._supervisor.starting(",
        "crash",
    ),
    "crashes after a while": (
        "edge_agent/app.py",
        _TICK,
        "        if self._clock.monotonic_ns() - self._started_ns > 3 * SECOND_NS:\n"
        "            __import__('os')._exit(3)\n" + _TICK,
        "crash",
    ),
    "hangs": (
        "edge_agent/app.py",
        _TICK,
        "        if self._status_ns:\n            self._clock.sleep(3600)\n" + _TICK,
        "silence",
    ),
    "reads no device any more": (
        "edge_agent/drivers/health.py",
        "    def read(self",
        "    def read(self, timeout_s: float) -> None:\n        return None\n\n    def _read(self",
        "silence",
    ),
    "cannot be imported": (
        "edge_agent/app.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\nimport no_such_library\n",
        "preflight",
    ),
    "cannot read the settings": (
        "edge_agent/settings.py",
        "    gateway: GatewaySettings\n",
        "    gateway: GatewaySettings\n    owner: str\n",
        "preflight",
    ),
}
OFTEN = ("crashes after a while", "cannot be imported")


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, warm_kernels: None) -> Path:
    return make_bundle(tmp_path_factory.mktemp("first"), OLD)


class Gateway:
    """An installation of its own: prefix, state, a service manager over `current`."""

    def __init__(self, folder: Path, first: Path, port: int) -> None:
        self.releases, self.state = Releases(folder / "opt"), folder / "state"
        self.state.mkdir()
        self._folder = folder
        tape = self.state / "tape.csv"
        tape.write_text("a\n" + "\n".join(str(n % 90) for n in range(100_000)) + "\n")
        (self.state / "gateway.toml").write_text(SETTINGS.format(port=port, file=tape) + HEALTH)
        done = install(folder, first, write_key(folder / "release.pub"))
        assert done.returncode == 0, done.stderr

    @property
    def program(self) -> str:
        return str(self.releases.prefix / "current" / "bin" / "lastmile-edge")

    def manager(self, watchdog_s: float = 60) -> ServiceManager:
        command = [self.program, "run", "--state", str(self.state)]
        return ServiceManager(command, self._folder, watchdog_s=watchdog_s, environment=environment())

    def upgrade(self, *arguments: str) -> dict[str, Any]:
        """By the steady release; what it said, with its exit code."""
        program = self.releases.prefix / "steady" / "bin" / "lastmile-edge"
        where = ["--prefix", str(self.releases.prefix), "--state", str(self.state), "--json"]
        short = ["--window", "8", "--start", "40", "--stale", "8"]
        done = subprocess.run(
            [str(program), "upgrade", *arguments, *where, *short],
            capture_output=True, text=True, timeout=300, check=False, env=environment(),
        )  # fmt: skip
        assert done.stdout, done.stderr
        return {**json.loads(done.stdout), "code": done.returncode, "log": done.stderr}

    def version(self) -> str:
        """Of the agent that last told of itself."""
        try:
            return json.loads((self.state / "status.json").read_text())["code_version"]
        except (FileNotFoundError, ValueError):
            return ""


def install(folder: Path, bundle: Path, key: Path) -> subprocess.CompletedProcess[str]:
    """As a technician does it, without a service."""
    return subprocess.run(
        [str(ROOT / "deploy" / "install"), "--bundle", str(bundle), "--key", str(key),
         "--prefix", str(folder / "opt"), "--state", str(folder / "state"), "--no-service"],
        capture_output=True, text=True, timeout=300, check=False,
        env={**environment(), "PATH": f"{Path(sys.executable).resolve().parent}:{os.environ['PATH']}"},
    )  # fmt: skip


@pytest.fixture
def receiver(broker: Broker) -> Iterator[Receiver]:
    made = Receiver(broker.port)
    yield made
    made.close()


@pytest.fixture
def gateway(tmp_path: Path, first: Path, broker: Broker) -> Gateway:
    return Gateway(tmp_path, first, broker.port)


def tape(receiver: Receiver) -> list[float]:
    from models.wire.columns import decode_columns
    from models.wire.envelope import Kind

    bodies = [decode_columns(e.body) for e in receiver.of(Kind.TELEMETRY)]
    return [float(v) for body in bodies for c, v in zip(body.channel, body.value, strict=True) if c == 1]


def nothing_was_lost(receiver: Receiver) -> None:
    """Every row of the tape arrived once, in order; what is live may come before a backlog."""
    enough = len(tape(receiver)) + 30

    def is_whole() -> bool:
        rows = tape(receiver)
        return len(rows) > enough and rows == [float(n % 90) for n in range(len(rows))]

    assert wait_until(is_whole, 90)
    assert receiver.conflicts == 0


@pytest.mark.needs("mosquitto")
def test_good_release_is_confirmed_and_nothing_is_lost(gateway, receiver, tmp_path):
    with gateway.manager() as manager:
        assert wait_until(lambda: len(tape(receiver)) > 30, 90), manager.text
        told = gateway.upgrade("--bundle", str(make_bundle(tmp_path / "new", NEW)))
        assert (told["outcome"], told["version"], told["code"]) == ("confirmed", NEW, 0), told
        assert gateway.version() == NEW
        assert gateway.releases.at("current") == gateway.releases.at("steady") == NEW
        nothing_was_lost(receiver)
        assert [life.code for life in manager.lives[:-1]] == [0]
        back = gateway.upgrade("--back", OLD)
        assert (back["outcome"], back["code"]) == ("returned", 0)
        assert wait_until(lambda: gateway.version() == OLD, 60)
        nothing_was_lost(receiver)


@pytest.mark.needs("mosquitto")
@pytest.mark.parametrize(
    "fault", [pytest.param(f, marks=() if f in OFTEN else pytest.mark.soak) for f in BAD]
)
def test_bad_release_is_left_and_the_old_one_goes_on(fault, gateway, receiver, tmp_path):
    file, there, instead, reason = BAD[fault]
    changes = {file: (there, instead)}
    with gateway.manager() as manager:
        assert wait_until(lambda: len(tape(receiver)) > 30, 90), manager.text
        told = gateway.upgrade("--bundle", str(make_bundle(tmp_path / "new", NEW, changes)))
        assert told["code"] == 1
        assert told["reason"] == reason, told
        assert told["outcome"] == ("refused" if reason == "preflight" else "returned")
        assert gateway.releases.at("current") == gateway.releases.at("steady") == OLD
        assert gateway.version() == OLD
        nothing_was_lost(receiver)
        if reason != "preflight":
            again = gateway.upgrade("--bundle", str(make_bundle(tmp_path / "new", NEW, changes)))
            assert (again["outcome"], again["reason"]) == ("refused", "returned")
    assert not gateway.releases.journal.exists()


@pytest.mark.soak
@pytest.mark.needs("mosquitto")
def test_upgrade_cut_off_in_its_window_is_gone_on_with(gateway, receiver, tmp_path):
    """The upgrader is killed; started again, as its path unit does, it judges to the end."""
    bundle = make_bundle(tmp_path / "new", NEW)
    with gateway.manager():
        assert wait_until(lambda: len(tape(receiver)) > 30, 90)
        steady = gateway.releases.prefix / "steady" / "bin" / "lastmile-edge"
        where = ["--prefix", str(gateway.releases.prefix), "--state", str(gateway.state), "--window", "30"]
        command = [str(steady), "upgrade", "--bundle", str(bundle), *where]
        upgrader = subprocess.Popen(command, env=environment())
        assert wait_until(lambda: gateway.releases.journal.exists() and gateway.version() == NEW, 120)
        upgrader.send_signal(signal.SIGKILL)
        upgrader.wait()
        told = gateway.upgrade("--pending")
        assert (told["outcome"], told["version"]) == ("confirmed", NEW)
        nothing_was_lost(receiver)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, first: Path) -> Gateway:
    """One that runs no agent: for bundles that are refused before anything is switched."""
    return Gateway(tmp_path_factory.mktemp("gateway"), first, 1)


def tampered(bundle: Path) -> Path:
    raw = bytearray(bundle.read_bytes())
    raw[raw.rindex(b"lastmile-edge = edge_agent") + 3] ^= 1
    bundle.write_bytes(raw)
    return bundle


def cut(bundle: Path) -> Path:
    bundle.write_bytes(bundle.read_bytes()[: bundle.stat().st_size // 2])
    return bundle


def changed_manifest(bundle: Path) -> Path:
    raw = bundle.read_bytes()
    bundle.write_bytes(raw.replace(b'"installed_mb": 1', b'"installed_mb": 2', 1))
    return bundle


REFUSED = {
    "signed by another key": (lambda d: make_bundle(d, NEW, key=Ed25519PrivateKey.generate()), "signature"),
    "its manifest changed": (lambda d: changed_manifest(make_bundle(d, NEW)), "signature"),
    "a wheel changed": (lambda d: tampered(make_bundle(d, NEW)), "digest"),
    "cut off": (lambda d: cut(make_bundle(d, NEW)), ("bundle", "digest")),
    "no bundle": (lambda d: ROOT / "README.md", "bundle"),
    "for another machine": (lambda d: make_bundle(d, NEW, machine="riscv64"), "machine"),
    "no room on the disk": (lambda d: make_bundle(d, NEW, installed_mb=1 << 30), "disk"),
    "the one that runs": (lambda d: make_bundle(d, OLD), "version"),
    "an older one": (lambda d: make_bundle(d, "0.0.9"), "version"),
    "no agent to watch": (lambda d: make_bundle(d, NEW), "not_running"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_bundle_that_is_not_to_be_trusted_changes_nothing(fault, installed, tmp_path):
    make, reasons = REFUSED[fault]
    watched = () if fault == "no agent to watch" else ("--offline",)
    told = installed.upgrade("--bundle", str(make(tmp_path / "new")), *watched)
    assert (told["outcome"], told["code"]) == ("refused", 1)
    assert told["reason"] in reasons, told
    assert installed.releases.at("current") == OLD
    assert installed.releases.complete() == [OLD]
    last = json.loads((installed.state / "upgrade" / "last.json").read_text())
    assert last["reason"] == told["reason"]


@pytest.mark.parametrize("fault", list(REFUSED)[:5])
def test_installer_takes_no_bundle_that_is_not_to_be_trusted(fault, tmp_path):
    done = install(tmp_path, REFUSED[fault][0](tmp_path / "new"), write_key(tmp_path / "release.pub"))
    assert done.returncode == 1, done.stderr
    assert re.search("signed|bundle|digest", done.stderr)
    assert not (tmp_path / "opt" / "current").exists()


def test_installer_says_how_to_change_over_when_there_is_a_release(installed, tmp_path):
    key = write_key(tmp_path / "release.pub")
    folder = installed.releases.prefix.parent
    done = install(folder, make_bundle(tmp_path / "new", NEW), key)
    assert done.returncode == 0
    assert "lastmile-edge upgrade" in done.stderr
    assert installed.releases.at("current") == OLD
    other = write_key(tmp_path / "other.pub", Ed25519PrivateKey.generate())
    assert install(folder, make_bundle(tmp_path / "new", NEW), other).returncode == 1


def test_second_upgrade_at_once_is_refused(installed, tmp_path):
    bundle = make_bundle(tmp_path / "new", NEW)
    with installed.releases.held():
        told = installed.upgrade("--bundle", str(bundle))
    assert (told["outcome"], told["reason"]) == ("refused", "busy")


def test_nothing_ordered_is_nothing_done(installed):
    assert installed.upgrade("--pending")["code"] == 0
