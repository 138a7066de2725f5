"""A gateway's folder that is enrolled with a real cloud, and a program that renews and dies at a step."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from fault_identities import is_let_in
from real_parts import (
    ROOT,
    Identity,
    Process,
    cloud_command,
    is_open,
    make_state,
    run_cloud,
    start_broker,
    wait_until,
)

from cloud.keys.authority import Authority
from cloud.settings import Settings
from edge_agent.cli import main as edge
from edge_agent.identity.keys import load_key, request_pem
from edge_agent.identity.staging import Staging
from edge_agent.state import StateFolder
from models.clock import SECOND_NS

DAY_NS = 86_400 * SECOND_NS
# Renews once and says so; dies by kill -9 at step number `at` of those that touch files or the network.
RENEWER = """\
import os, random, signal, sys
from pathlib import Path
at, steps = int(sys.argv[2]), 0
TOUCHING = "open os.rename os.remove os.rmdir os.mkdir socket.connect os.listdir os.scandir".split()
def count(event, args):
    global steps
    is_ours = event.startswith("socket") or "identity" in str(args[0])
    if event in TOUCHING and is_ours:
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)
from edge_agent.identity import trial
from edge_agent.identity.moment import by_memory
from edge_agent.identity.rotation import Rotation
from edge_agent.settings import load_settings
from edge_agent.state import StateFolder
from models.clock import SystemClock
trial.VERDICT_S = 0.3
state = StateFolder(Path(sys.argv[1]))
settings = load_settings(state.settings)
clock = SystemClock()
rotation = Rotation(state, settings.gateway.id, settings.uplink, by_memory(clock, state.clock),
                    clock=clock, draw=random.random, on_renewed=lambda: None)
sys.addaudithook(count)
rotation.renew()
print(steps, rotation.state.serial)
"""


@dataclass
class Enrolled:
    """A cloud with its broker and web, and one gateway's folder."""

    settings: Settings
    gateway: StateFolder

    @property
    def identity(self) -> Identity:
        folder = self.gateway
        return Identity("gw-a", folder.ca, folder.certificate, folder.key)

    def works(self) -> bool:
        """Whether what lies on the disk, as a starting agent finds it, is let in by the broker."""
        Staging(self.gateway).finish()
        return is_let_in(self.settings.broker.port, self.gateway.ca, self.identity)

    def enrol(self) -> int:
        """Enrol with a new code, as a technician does; the exit code."""
        code = json.loads(run_cloud(self.settings.state, "gateway", "code", "gw-a", "--json"))["code"]
        url = f"http://127.0.0.1:{self.settings.web.port}"
        return edge(["enroll", "--state", str(self.gateway.root), "--cloud", url, "--code", code])

    def renew(self, at: int = 0) -> tuple[int, str]:
        """Renew in a process of its own, killed at step `at`; its exit code, and what it said."""
        words = [sys.executable, "-c", RENEWER, str(self.gateway.root), str(at)]
        done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
        return done.returncode, done.stdout.strip() or done.stderr

    def was_away(self, days: float) -> None:
        """Put a certificate in place that ended so many days ago, as a gateway long without a network has."""
        life = self.settings.enrolment.certificate_days
        issued_at = time.time_ns() - round((life + days) * DAY_NS)
        csr = request_pem(load_key(self.gateway.key), "gw-a")
        made = Authority.load(self.settings.keys).sign_request(csr, "gw-a", issued_at, life)
        self.gateway.certificate.write_bytes(made.public_bytes(Encoding.PEM))


@contextmanager
def enrolled_gateway(folder: Path) -> Iterator[Enrolled]:
    """All of it, on free ports."""
    settings = make_state(folder / "cloud")
    state = settings.state
    web = Process(cloud_command(state, "web"), state / "web.log")
    with start_broker(state, settings.broker.port), web:
        wait_until(lambda: is_open(settings.web.port), "the web's port")
        gateway = StateFolder(folder / "gateway")
        assert edge(["init", "--state", str(gateway.root)]) == 0
        text = gateway.settings.read_text()
        gateway.settings.write_text(re.sub(r'(?m)^id = ".*?"', 'id = "gw-a"', text, count=1))
        made = Enrolled(settings, gateway)
        assert made.enrol() == 0
        yield made


def was_killed(code: int) -> bool:
    return code == -signal.SIGKILL
