"""`lastmile-sim demo`: bring everything up, tell what happens, end it, and say what came of it."""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firmware_sim.cloud_api import CloudApi
from firmware_sim.demo.children import Children
from firmware_sim.demo.narrator import Narrator
from firmware_sim.demo.outcome import has_closed, summarise, waiting_tasks
from firmware_sim.demo.programs import environment
from firmware_sim.demo.stack import OPERATOR, Stack
from firmware_sim.errors import SimError
from firmware_sim.plan import CALM_FILE, new_plan
from firmware_sim.plan_files import Uplink, write_everything
from firmware_sim.ports import free_ports
from firmware_sim.street import find_recordings
from firmware_sim.verification import compare, wait_until_caught_up

MARK = ".lastmile-demo"
FINISH_S = 25.0
CATCH_UP_S = 60.0


def run_demo(given: argparse.Namespace) -> int:
    """Exit code 0 when it ran until Ctrl-C, or for its seconds with the circle closed and nothing lost."""
    narrator = Narrator()
    state = prepare_state(given.state.absolute())
    children = Children(state / "logs", environment(Path.cwd(), state))
    with _ended_by_signals():
        try:
            stack = _stack(given, state, children, narrator)
            narrator.say("bringing up brokers, cloud, gateways and a week of history; some twenty seconds")
            stack.come_up()
            _greet(stack, narrator)
            _watch(stack, narrator, given.seconds)
            return 0 if given.seconds is None else _conclude(stack, narrator)
        except KeyboardInterrupt:
            narrator.say("ending")
            return 0 if given.seconds is None else 130
        finally:
            children.end_all()


def prepare_state(state: Path) -> Path:
    """An empty folder for this demo; one that another demo left is emptied, anything else refused."""
    if state.exists() and any(state.iterdir()):
        if not (state / MARK).exists():
            raise SimError(f"{state} is not empty and no demo made it; name another with --state")
        shutil.rmtree(state)
    (state / "logs").mkdir(parents=True)
    (state / MARK).write_text("Made by lastmile-sim demo, which empties this folder when it starts again.\n")
    # A broker started by root gives up root and must still be able to walk through.
    state.chmod(0o711)
    return state


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does; a second one while it ends is ignored."""

    def end(number: int, frame: Any) -> None:
        for known in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(known, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {n: signal.signal(n, end) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stack(given: argparse.Namespace, state: Path, children: Children, narrator: Narrator) -> Stack:
    ports = free_ports()
    http_port, broker_port = given.http_port or next(ports), next(ports)
    recordings = find_recordings(given.recordings, os.environ.get("LASTMILE_DATA"))
    plan = new_plan(given.scenario, given.seed, state / "plan", recordings, time.time_ns(), ports)
    stack = Stack(state, plan, children, http_port, broker_port, narrator.say)
    write_everything(plan, Uplink("127.0.0.1", broker_port, stack.address))
    ports.close()
    return stack


def _greet(stack: Stack, narrator: Narrator) -> None:
    worker = next(person for person in stack.plan.scenario.people if person.role == "worker")
    narrator.say(f"open {stack.address}   sign in: {OPERATOR}   password: {stack.password}")
    password = stack.plan.people()[worker.login]
    narrator.say(f"a worker's page: {stack.address}/work   sign in: {worker.login}   password: {password}")
    narrator.say(f"logs in {stack.state / 'logs'}; Ctrl-C ends everything")
    sent = ", ".join(f"{gateway} version {version}" for gateway, version in stack.send_documents().items())
    narrator.say(f"signed configuration sent: {sent}")


def _watch(stack: Stack, narrator: Narrator, seconds: float | None) -> None:
    """Tell what the street says until the time is over, or for ever."""
    threading.Thread(target=_read_events, args=(stack,), daemon=True).start()
    deadline = None if seconds is None else time.monotonic() + seconds
    while deadline is None or time.monotonic() < deadline:
        stack.children.check()
        _tell(stack.events, narrator, 0.5)


def _tell(events: queue.Queue[dict[str, Any]], narrator: Narrator, wait_s: float) -> None:
    try:
        narrator.tell(events.get(timeout=wait_s))
    except queue.Empty:
        return


def _read_events(stack: Stack) -> None:
    assert stack.street is not None and stack.street.process.stdout is not None
    for line in stack.street.process.stdout:
        try:
            stack.events.put(json.loads(line))
        except json.JSONDecodeError:
            continue


def _conclude(stack: Stack, narrator: Narrator) -> int:
    """Calm the street, let people finish, compare, and print the one line."""
    api = CloudApi(stack.address, stack.token)
    (stack.plan.folder / CALM_FILE).touch()
    deadline = time.monotonic() + FINISH_S
    while time.monotonic() < deadline:
        stack.children.check()
        _tell(stack.events, narrator, 1.0)
        if waiting_tasks(api) == 0 and stack.events.empty():
            break
    assert stack.street is not None
    stack.children.end(stack.street)
    narrator.say("devices are off; comparing the simulator's ledger with the store")
    caught_up = wait_until_caught_up(stack.plan, api, CATCH_UP_S, time.monotonic, time.sleep)
    result = summarise(stack, api, compare(stack.plan, api), caught_up)
    print(json.dumps(result, ensure_ascii=False), flush=True)
    narrator.say("the circle closed, nothing lost" if has_closed(result) else "not as it should be")
    return 0 if has_closed(result) else 1
