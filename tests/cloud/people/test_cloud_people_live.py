"""The event stream over a real socket, and schedulers as real processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from cloud_people_street import PASSWORD, Street

from cloud.dispatch.tables import Deadline, Task
from cloud.incidents.tables import TimelineEntry
from cloud.people.accounts import account_id, disable_account
from cloud.people.tokens import add_token
from cloud.storage.engine import transaction
from cloud.web.app import create_app

pytestmark = pytest.mark.integration
PATIENCE_S = 90.0


@pytest.fixture
def address(street: Street) -> Iterator[str]:
    """The application on a free loopback port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_app(street.settings, street.clock)
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@contextmanager
def client_of(address: str, login: str) -> Iterator[httpx.Client]:
    """A browser in which somebody is signed in."""
    with httpx.Client(base_url=address, timeout=PATIENCE_S, trust_env=False) as client:
        content = {"login": login, "password": PASSWORD}
        answer = client.post("/api/v1/session", json=content, headers={"Origin": address})
        assert answer.status_code == 200
        yield client


def events_of(lines: Iterator[str], count: int) -> list[dict[str, Any]]:
    """The next so many events of a stream."""
    found: list[dict[str, Any]] = []
    for line in lines:
        if line.startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
        if len(found) == count:
            break
    return found


def wait_for_listener(lines: Iterator[str]) -> None:
    """The first line comes when the stream is open; what is published from then on is seen."""
    assert next(lines).startswith("retry: ")


def test_stream_tells_of_what_happens_and_resumes_where_it_was_cut(street: Street, address: str) -> None:
    with client_of(address, "wang") as client:
        with client.stream("GET", "/api/v1/events", params={"after": 0}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            wait_for_listener(lines)
            street.take(street.alert())
            first = events_of(lines, 2)
        assert [one["kind"] for one in first] == ["alert.fired", "incident.opened"]
        street.take(street.alert(hazard="gas"))
        resumed = {"Last-Event-ID": str(first[-1]["id"])}
        with client.stream("GET", "/api/v1/events", headers=resumed) as stream:
            rest = events_of(stream.iter_lines(), 4)
    assert [one["kind"] for one in rest] == ["task.issued", "alert.fired", "incident.opened", "task.issued"]
    ids = [one["id"] for one in first + rest]
    assert ids == sorted(set(ids))


@pytest.mark.row("B16")
def test_stream_tells_nothing_of_other_sites(street: Street, address: str) -> None:
    with client_of(address, "stranger") as client:
        assert client.get("/api/v1/events", params={"site": "street"}).status_code == 404
        with client.stream("GET", "/api/v1/events", params={"after": 0}) as stream:
            lines = stream.iter_lines()
            wait_for_listener(lines)
            street.take(street.alert())
            street.take(street.alert(gateway="gw-h"))
            sites = {one["site"] for one in events_of(lines, 3)}
    assert sites == {"harbour"}


@pytest.mark.row("B16")
def test_stream_needs_a_signed_in_asker(street: Street, address: str) -> None:
    assert httpx.get(f"{address}/api/v1/events", trust_env=False).status_code == 401
    with transaction(street.engine) as session:
        token = add_token(session, name="screen", role="engineer", site_id="street", now=street.now)
    with httpx.stream(
        "GET", f"{address}/api/v1/events", headers={"Authorization": f"Bearer {token}"}, trust_env=False
    ) as stream:
        assert stream.status_code == 200


@pytest.mark.row("B14")
def test_stream_ends_when_its_account_is_disabled(street: Street, address: str) -> None:
    with client_of(address, "wang") as client, client.stream("GET", "/api/v1/events") as stream:
        lines = stream.iter_lines()
        wait_for_listener(lines)
        with transaction(street.engine) as session:
            disable_account(session, account_id("wang"), street.now)
        assert [line for line in lines if line.startswith("data")] == []  # and the stream has ended


RUN = (
    "import sys, pathlib; from cloud.settings import Settings; from cloud import scheduler; "
    "scheduler.run(Settings(state=pathlib.Path(sys.argv[1])))"
)


def start_scheduler(street: Street) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, str(street.settings.state)])


@pytest.mark.row("A24")
def test_two_scheduler_processes_and_a_kill_escalate_each_task_once(street: Street) -> None:
    """The street's virtual time lies in the past, so every clock is due for a process on real time."""
    count = 30
    for number in range(count):
        street.take(street.alert(hazard=f"hazard-{number}"))
    processes = [start_scheduler(street), start_scheduler(street)]
    try:
        fired = 0
        give_up_at = time.monotonic() + PATIENCE_S
        while fired < count and time.monotonic() < give_up_at:
            fired = len(street.all(Deadline, ended_as="fired"))
            if fired and len(processes) == 2:
                processes[0].kill()
                processes.append(start_scheduler(street))
            time.sleep(0.05)
        time.sleep(0.6)  # time for a second firing, were there one
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(10)
    steps = Counter(
        entry.parameters["task"] for entry in street.all(TimelineEntry) if entry.code == "escalated"
    )
    assert set(steps.values()) == {1}
    assert len(steps) == count
    assert {task.assignee_id for task in street.all(Task)} == {account_id("li")}
