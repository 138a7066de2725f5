"""The agent under a service manager: what hangs, dies or is cut off, and that it comes back with all."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent_with_fault import FAULTS
from edge_cloud import Receiver
from edge_rig import Broker, edge, free_port, wait_until
from supervisor_rig import ServiceManager
from test_edge_agent import SETTINGS

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto"), pytest.mark.timeout(400)]
ROWS = [float(n % 90) for n in range(900)]
CEILING_S = 60.0
OFTEN = ("judge hangs", "device's thread dies", "exception in a callback")
RECOVERS_ALONE = ("exception in a callback", "exception in the callback of receipts")


@pytest.fixture
def state(tmp_path: Path, warm_kernels: None) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def receiver(broker: Broker) -> Iterator[Receiver]:
    made = Receiver(broker.port)
    yield made
    made.close()


def write(state: Path, port: int, rows: list[float] = ROWS) -> None:
    tape = state / "tape.csv"
    tape.write_text("a\n" + "\n".join(str(row) for row in rows) + "\n")
    (state / "gateway.toml").write_text(SETTINGS.format(port=port, file=tape))


def with_fault(fault: str, state: Path, limit_s: float = 3.0) -> list[str]:
    script = Path(__file__).with_name("agent_with_fault.py")
    marker = str(state / "struck")
    return [sys.executable, str(script), fault, marker, str(limit_s), "run", "--state", str(state)]


def rarely(fault: str) -> object:
    """All but a few are for the long runs: each takes the time of two starts."""
    marks = () if fault in OFTEN else (pytest.mark.soak,)
    return pytest.param(fault, marks=marks)


def strike(state: Path, manager: ServiceManager) -> None:
    """Let the planted fault happen, once the agent is ready; it was when this returns."""
    assert wait_until(manager.ready, CEILING_S), manager.text
    (state / "struck.armed").touch()
    assert wait_until(lambda: (state / "struck").exists(), CEILING_S), manager.text


@pytest.mark.row("A22")
def test_agent_is_ready_fed_and_ends_in_order(state, broker, receiver, tmp_path):
    write(state, broker.port)
    with ServiceManager(edge("run", "--state", str(state)), tmp_path) as manager:
        assert wait_until(manager.ready)
        assert wait_until(lambda: manager.life.feeds >= 3)
    life = manager.life
    assert (len(manager.lives), life.why, life.code) == (1, "stopped", 0)
    assert life.said[0] == "STATUS=opening what the last run left"
    assert "STOPPING=1" in life.said
    assert "STATUS=1 of 1 devices answer; connected; configuration 0" in life.said


def test_agent_without_devices_is_ready(state, tmp_path):
    (state / "gateway.toml").write_text('[gateway]\nid = "gw-1"\n')
    with ServiceManager(edge("run", "--state", str(state)), tmp_path) as manager:
        assert wait_until(manager.ready)
        assert wait_until(lambda: manager.life.feeds >= 3)


@pytest.mark.row("A22")
def test_stopped_agent_is_ended_and_started_anew(state, broker, receiver, tmp_path):
    write(state, broker.port)
    with ServiceManager(edge("run", "--state", str(state)), tmp_path) as manager:
        assert wait_until(lambda: manager.ready() and len(receiver.readings()) > 20)
        os.kill(manager.life.pid, signal.SIGSTOP)
        began = time.monotonic()
        assert wait_until(lambda: manager.ready(2), CEILING_S)
        assert time.monotonic() - began < CEILING_S
        assert manager.lives[0].why == "watchdog"
        assert wait_until(lambda: len(receiver.readings()) >= len(ROWS), CEILING_S)
    assert receiver.readings() == ROWS
    assert receiver.conflicts == 0


@pytest.mark.row("A22")
@pytest.mark.parametrize("fault", [rarely(fault) for fault in FAULTS if fault not in RECOVERS_ALONE])
def test_part_that_hangs_or_dies_has_the_agent_started_anew(fault, state, broker, receiver, tmp_path):
    write(state, broker.port)
    with ServiceManager(with_fault(fault, state), tmp_path, watchdog_s=10) as manager:
        strike(state, manager)
        assert wait_until(lambda: len(receiver.readings()) >= len(ROWS), CEILING_S), manager.text
        if fault != "library's thread dies":  # a connection that is dead is made anew without a restart
            # A judge that hangs holds its lock, for which the main loop may wait: then that is noticed.
            assert [life.why for life in manager.lives[:-1]] in (["trigger"], ["watchdog"])
            assert "Fatal Python error: Aborted" in manager.text  # the log says where each thread was
    assert receiver.readings() == ROWS
    assert receiver.conflicts == 0


@pytest.mark.row("A22")
@pytest.mark.parametrize("fault", [rarely(fault) for fault in RECOVERS_ALONE])
def test_exception_in_a_callback_costs_nothing(fault, state, broker, receiver, tmp_path):
    write(state, broker.port)
    # As patient as the unit: a busy machine may hold everything up for some seconds.
    with ServiceManager(with_fault(fault, state), tmp_path, watchdog_s=30) as manager:
        strike(state, manager)
        assert wait_until(lambda: len(receiver.readings()) >= len(ROWS), CEILING_S), manager.text
        assert len(manager.lives) == 1
    assert receiver.readings() == ROWS


@pytest.mark.row("A22")
def test_device_that_never_returns_is_told_by_name(state, tmp_path):
    os.mkfifo(state / "pipe")
    (state / "gateway.toml").write_text(
        '[gateway]\nid = "gw-1"\n[[devices]]\nname = "pipe"\ndriver = "files"\nperiod_s = 0.5\n'
        f'settings = {{ root = "{state}" }}\n'
        '[[devices.channels]]\nname = "pipe/a"\nkind = "temperature"\nunit = "Cel"\n'
        'source = { file = "pipe" }\n'
    )
    with ServiceManager(with_fault("none", state), tmp_path, watchdog_s=10) as manager:
        assert wait_until(lambda: len(manager.lives) >= 2, CEILING_S), manager.text
        assert wait_until(
            lambda: "the last run was ended because device pipe stood still" in manager.text, 20
        )


class Hole:
    """A way to the broker; while `is_open` is false it takes connections and bytes, and hands on nothing."""

    def __init__(self, port: int) -> None:
        self.port, self.is_open, self._to = free_port(), True, port
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            self._ends += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                if self.is_open:
                    other.sendall(data)
            if self.is_open:
                other.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def hole(broker: Broker) -> Iterator[Hole]:
    made = Hole(broker.port)
    yield made
    made.close()


@pytest.mark.row("A22")
def test_connection_that_swallows_everything_is_left_and_all_arrives_when_it_is_mended(
    state, hole, receiver, tmp_path
):
    write(state, hole.port)
    with ServiceManager(edge("run", "--state", str(state)), tmp_path) as manager:
        assert wait_until(lambda: len(receiver.readings()) > 20)
        hole.is_open = False
        judged = figure(state, lambda told: told["judge"]["judged_readings"])
        fed = manager.life.feeds
        assert wait_until(lambda: figure(state, lambda told: told["judge"]["judged_readings"]) > judged)
        assert wait_until(lambda: manager.life.feeds >= fed + 5)
        hole.is_open = True
        began = time.monotonic()
        assert wait_until(lambda: len(receiver.readings()) >= len(ROWS), 5 * CEILING_S)
        assert time.monotonic() - began < 5 * CEILING_S
        assert len(manager.lives) == 1
    assert receiver.readings() == ROWS


def figure(state: Path, of: Callable[[dict], float]) -> float:
    """A figure of status.json; -1 where it is not there yet."""
    try:
        return of(json.loads((state / "status.json").read_text()))
    except FileNotFoundError:
        return -1.0


class SilentNames:
    """A name server that takes questions and, until `is_open`, answers none; then localhost is 127.0.0.1."""

    ADDRESS = "127.0.0.77"

    def __init__(self) -> None:
        self.is_open, self.asked = False, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.ADDRESS, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, who = self._socket.recvfrom(512)
            except OSError:
                return
            self.asked += 1
            if self.is_open:
                self._socket.sendto(self._answer(question), who)

    @staticmethod
    def _answer(question: bytes) -> bytes:
        end = question.index(b"\0", 12) + 5
        is_ipv4 = question[end - 4 : end - 2] == b"\0\x01"
        counts = b"\0\x01" + (b"\0\x01" if is_ipv4 else b"\0\0") + b"\0\0\0\0"
        address = b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x7f\0\0\x01" if is_ipv4 else b""
        return question[:2] + b"\x81\x80" + counts + question[12:end] + address


@pytest.fixture
def names() -> Iterator[SilentNames]:
    try:
        made = SilentNames()
    except PermissionError:
        pytest.skip("port 53 is not for us: not root")
    yield made
    made.close()


def asking(names: SilentNames, folder: Path, command: list[str]) -> list[str]:
    """`command` where all names are asked of that server alone."""
    files = {
        "resolv.conf": f"nameserver {names.ADDRESS}\noptions timeout:3 attempts:2\n",
        "nsswitch.conf": "hosts: dns\n",
        "hosts": "",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    binds = " && ".join(f"mount --bind {folder / name} /etc/{name}" for name in files)
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", f'{binds} && exec "$@"', "sh", *command]


@pytest.mark.row("A22")
@pytest.mark.needs("unshare")
def test_names_that_nobody_answers_hold_up_neither_judging_nor_the_watchdog(
    state, broker, receiver, names, tmp_path
):
    write(state, broker.port)
    path = state / "gateway.toml"
    path.write_text(path.read_text().replace('host = "127.0.0.1"', 'host = "localhost"'))
    command = asking(names, tmp_path, edge("run", "--state", str(state)))
    with ServiceManager(command, tmp_path) as manager:
        assert wait_until(lambda: manager.ready() and names.asked > 0, CEILING_S), manager.text
        fed, judged = manager.life.feeds, figure(state, lambda told: told["judge"]["judged_readings"])
        assert wait_until(lambda: manager.life.feeds >= fed + 10, CEILING_S)
        assert wait_until(lambda: figure(state, lambda told: told["judge"]["judged_readings"]) > judged)
        assert receiver.readings() == []
        names.is_open = True
        assert wait_until(lambda: len(receiver.readings()) >= len(ROWS), 5 * CEILING_S), manager.text
        assert len(manager.lives) == 1
    assert receiver.readings() == ROWS
