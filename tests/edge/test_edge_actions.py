"""Local actions: who asks, what the interlock allows, what the log says, and that nothing stays on."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from edge_rig import START, wait_until
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_agent.action_settings import ActionSettings
from edge_agent.alone.actions import Actions, asks
from edge_agent.alone.guarded import Guard, Told
from edge_agent.alone.interlock import DAY_NS, Limits, State, Why, next_state
from edge_agent.alone.log import ActionLog
from edge_agent.alone.watch import CloudWatch
from models.alert import Alert, AlertKind, AlertState, Severity
from models.clock import SECOND_NS, SystemClock, VirtualClock
from models.wire.messages import ActionNote


def alert(number: int = 1, **changes: object) -> Alert:
    told = {
        "id": f"{number:032x}", "gateway": "gw-1", "monitor": "hot", "detector": "limit", "channel": "t",
        "hazard": "fire", "severity": Severity.SEVERE, "state": AlertState.FIRING, "boot": "ab" * 16,
        "onset_index": 0, "onset_at": START, "fired_at": START, "measured_at": START, "score": 10.0,
        "threshold": 5.0, "value": 80.0,
    }  # fmt: skip
    return Alert.model_validate(told | changes)


def siren(**changes: object) -> ActionSettings:
    told = {"name": "siren", "kind": "led", "led": "/nowhere/siren", "on": {"hazards": ["fire"]},
            "max_on_s": 60, "min_pause_s": 30, "per_day": 3}  # fmt: skip
    return ActionSettings.model_validate(told | changes)


class Board:
    """Orders, as a guard would take them."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, bool, float | None]] = []
        self.was_lost = False
        self.says: list[Told] = []

    def beat(self) -> bool:
        lost, self.was_lost = self.was_lost, False
        return not lost

    def order(self, name: str, on: bool, for_s: float | None = None) -> bool:
        self.orders.append((name, on, for_s))
        return True

    def told(self) -> list[Told]:
        said, self.says = self.says, []
        return said


class Story:
    """Actions in virtual time, second by second."""

    def __init__(self, folder: Path, *settings: ActionSettings) -> None:
        self.clock, self.board = VirtualClock(START), Board()
        self.folder, self.settings = folder, settings or (siren(),)
        self.restart()

    def restart(self) -> None:
        book = ActionLog(self.folder / "actions.jsonl")
        self.actions = Actions(self.settings, self.board, book, self.clock)

    def run(self, seconds: int, *firing: Alert, is_alone: bool = False) -> None:
        for _ in range(seconds):
            self.actions.step(firing, is_alone=is_alone)
            self.clock.sleep(1)

    def log(self) -> list[str]:
        notes = ActionLog(self.folder / "actions.jsonl").read()
        return [f"{note.event} {note.reason}".strip() for note in notes]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


LIMITS = Limits(max_on_ns=60 * SECOND_NS, min_pause_ns=30 * SECOND_NS, per_day=4)


@given(st.lists(st.tuples(st.integers(1, 4000), st.booleans(), st.booleans()), max_size=200))
def test_interlock_holds_whatever_asks(steps):
    state, now, spans = State(), 0, []
    for seconds, wants, is_new in steps:
        now += seconds * SECOND_NS
        before = state
        state, why = next_state(state, LIMITS, now, wants=wants, is_new=is_new)
        if why is Why.STARTED:
            spans.append((now, now))
        if before.is_on:
            spans[-1] = (spans[-1][0], now)
        if state.is_on:
            assert now - (state.since_ns or 0) < LIMITS.max_on_ns
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert start - end >= LIMITS.min_pause_ns
    for start, _ in spans:
        assert sum(start - DAY_NS < other <= start for other, _ in spans) <= LIMITS.per_day


def test_siren_sounds_once_for_an_alert_and_never_longer_than_it_may(story):
    story.run(200, alert())
    assert story.board.orders == [("siren", True, 60.0), ("siren", False, None)]
    assert story.log() == ["on started", "off max_on"]
    story.run(20, alert(), alert(2))
    assert story.board.orders[2:] == [("siren", True, 60.0)]


def test_siren_ends_with_the_alert_and_waits_its_pause_before_the_next(story):
    story.run(5, alert())
    story.run(5)
    story.run(40, alert(2))
    assert story.log() == ["on started", "off ended", "refused pause", "on started"]
    assert ActionLog(story.folder / "actions.jsonl").read()[0].alert == alert().id


def test_siren_sounds_so_often_a_day_and_no_more_also_over_restarts(story):
    for number in range(5):
        story.run(5, alert(number))
        story.run(60)
        story.restart()
    assert story.log().count("on started") == 3
    assert story.log().count("refused per_day") == 2
    story.clock.sleep(86_400)
    story.restart()
    story.run(5, alert(9))
    assert story.log()[-1] == "on started"


def test_restart_does_not_sound_again_for_the_same_alert(story):
    story.run(5, alert())
    story.restart()
    story.run(100, alert())
    assert story.log().count("on started") == 1


def test_action_for_lonely_hours_waits_until_the_cloud_is_gone(tmp_path):
    story = Story(tmp_path, siren(only_alone=True))
    story.run(10, alert())
    assert story.log() == []
    story.run(10, alert(), is_alone=True)
    assert story.log() == ["on started"]


def test_own_sign_burns_as_long_as_the_gateway_is_alone(tmp_path):
    lamp = siren(name="lamp", on={"alone": True}, max_on_s=None)
    story = Story(tmp_path, lamp)
    story.run(5000, is_alone=True)
    assert story.board.orders == [("lamp", True, None)]
    story.run(60)
    story.run(5, is_alone=True)
    assert story.log() == ["on alone", "off ended", "on alone"]


def test_guard_that_died_is_told_again_for_the_time_that_is_left(story):
    story.run(20, alert())
    story.board.was_lost = True
    story.run(1, alert())
    assert story.board.orders[1:] == [("siren", True, 40.0)]
    assert story.log() == ["on started", "failed guard_lost"]


def test_output_that_fails_is_logged_once(story):
    story.board.says = [Told("siren", False, "no such chip")]
    story.run(1, alert())
    story.board.says = [Told("siren", False, "no such chip")]
    story.run(1, alert())
    assert story.log() == ["failed output", "on started"]
    assert story.actions.describe()[0]["problem"] == "no such chip"


def test_test_button_obeys_the_interlock_and_is_logged(story):
    assert story.actions.test("siren") == ""
    story.run(10)
    assert story.actions.test("siren") == "pause"
    assert story.actions.test("nobody") == "unknown"
    assert story.board.orders == [("siren", True, 2.0), ("siren", False, None)]
    assert story.log() == ["test", "off ended", "refused pause"]


def test_line_torn_by_a_power_cut_is_passed_over(tmp_path):
    book = ActionLog(tmp_path / "actions.jsonl")
    book.add(ActionNote(at=START, action="siren", event="on"))
    with (tmp_path / "actions.jsonl").open("a") as file:
        file.write('{"at": 17')
    assert [note.event for note in book.read()] == ["on"]


ASKING = {
    "the hazard": ({"hazards": ["fire"]}, {}, True),
    "another hazard": ({"hazards": ["gas"]}, {}, False),
    "severe enough": ({"severity": "moderate"}, {}, True),
    "not severe enough": ({"severity": "extreme"}, {}, False),
    "monitor and hazard": ({"monitors": ["hot"], "hazards": ["fire"]}, {}, True),
    "monitor, other hazard": ({"monitors": ["hot"], "hazards": ["gas"]}, {}, False),
    "on trial": ({"hazards": ["fire"]}, {"trial": True}, False),
    "an exercise": ({"hazards": ["fire"]}, {"exercise": True}, False),
    "a fault": ({"severity": "minor"}, {"kind": AlertKind.MAINTENANCE}, False),
    "a fault by name": ({"monitors": ["hot"]}, {"kind": AlertKind.MAINTENANCE}, True),
}


@pytest.mark.parametrize("name", ASKING)
def test_who_asks(name):
    trigger, change, expected = ASKING[name]
    assert asks(siren(on=trigger).on, alert(**change)) is expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"on": {}}, {"on": {"alone": True, "hazards": ["fire"]}}, {"kind": "gpio"}, {"kind": "http"},
        {"kind": "http", "url": "ftp://x"}, {"max_on_s": 0}, {"max_on_s": 7200}, {"colour": 1},
    ],
)  # fmt: skip
def test_action_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        siren(**wrong)


def test_relay_and_hook_have_an_end_also_where_none_is_given():
    assert siren(kind="gpio", line=4, max_on_s=None).longest_s == 60.0
    assert siren(max_on_s=None).longest_s is None


def test_cloud_is_missed_after_minutes_without_a_receipt_for_what_is_owed():
    clock = VirtualClock(START)
    cloud = CloudWatch(clock, 300)
    told = {"last_receipt_at": 0, "is_connected": True, "backlog": 0}
    for _ in range(400):
        clock.sleep(1)
        cloud.step(**told)
    assert not cloud.is_alone, "nothing was owed"
    told |= {"backlog": 3}
    for _ in range(299):
        clock.sleep(1)
        cloud.step(**told)
    assert not cloud.is_alone
    clock.step(7200)
    clock.sleep(1)
    cloud.step(**told)
    assert cloud.is_alone, "connected or not: what is owed was not receipted"
    cloud.step(**told | {"last_receipt_at": 5})
    assert not cloud.is_alone


# ---- real processes


def lamp(folder: Path, name: str = "siren") -> Path:
    """A folder as the kernel makes one for a lamp."""
    led = folder / name
    led.mkdir(parents=True)
    (led / "trigger").write_text("none [heartbeat] timer")
    (led / "max_brightness").write_text("255\n")
    (led / "brightness").write_text("7")
    return led


def light(led: Path) -> str:
    return (led / "brightness").read_text().strip()


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    made = Guard([siren(led=str(lamp(tmp_path)))], "gw-1", SystemClock())
    yield made
    made.stop()


def test_guard_starts_safe_switches_and_ends_safe(guard, tmp_path):
    led = tmp_path / "siren"
    assert guard.beat() is False
    assert wait_until(lambda: light(led) == "0"), "safe at the start, whatever burned"
    assert (led / "trigger").read_text() == "none"
    assert guard.beat() is True
    guard.order("siren", True, 30)
    assert wait_until(lambda: light(led) == "255")
    guard.stop()
    assert light(led) == "0"


def test_guard_switches_off_by_itself_when_the_time_is_over(guard, tmp_path):
    guard.beat()
    guard.order("siren", True, 1.0)
    assert wait_until(lambda: light(tmp_path / "siren") == "255")
    assert wait_until(lambda: light(tmp_path / "siren") == "0", 5)
    said: list[Told] = []
    assert wait_until(lambda: bool(said.extend(guard.told()) or len(said) == 2))
    assert [(one.on, one.problem) for one in said] == [(True, ""), (False, "")]


def test_guard_switches_off_when_nobody_beats(guard, tmp_path, monkeypatch):
    guard.beat()
    guard.order("siren", True)
    assert wait_until(lambda: light(tmp_path / "siren") == "255")
    began = time.monotonic()
    assert wait_until(lambda: light(tmp_path / "siren") == "0", 20)
    assert 5 < time.monotonic() - began < 15


def test_guard_that_is_killed_is_started_again(guard, tmp_path):
    guard.beat()
    guard.order("siren", True)
    assert wait_until(lambda: light(tmp_path / "siren") == "255")
    os.kill(guard._process.pid, signal.SIGKILL)
    guard._process.wait(5)
    assert guard.beat() is True, "not again within seconds"
    guard._tried_ns = None
    assert guard.beat() is False
    assert wait_until(lambda: light(tmp_path / "siren") == "0")


PARENT = """
import json, sys, time
from edge_agent.action_settings import ActionSettings
from edge_agent.alone.guarded import Guard
from models.clock import SystemClock
guard = Guard([ActionSettings.model_validate_json(sys.argv[1])], "gw-1", SystemClock())
guard.beat()
guard.order("siren", True)
while True:
    time.sleep(0.5)
    guard.beat()
"""


def test_nothing_stays_on_when_the_agent_is_killed(tmp_path):
    led = lamp(tmp_path)
    told = siren(led=str(led)).model_dump_json()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, told])
    try:
        assert wait_until(lambda: light(led) == "255")
    finally:
        parent.kill()
        parent.wait()
    assert wait_until(lambda: light(led) == "0", 5)


def test_hook_hears_on_and_off_and_a_dead_one_is_told(tmp_path):
    heard: list[dict[str, object]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/siren"
    hook = siren(name="hook", kind="http", url=url)
    dead = siren(name="dead", kind="http", url="http://127.0.0.1:9/")
    guard = Guard([hook, dead], "gw-1", SystemClock())
    try:
        guard.beat()
        guard.order("dead", True, 5)
        guard.order("hook", True, 5)
        assert wait_until(lambda: len(heard) == 1)
        guard.order("hook", False)
        assert wait_until(lambda: len(heard) == 2)
        said: list[Told] = []
        assert wait_until(lambda: bool(said.extend(guard.told()) or [s for s in said if s.name == "dead"]))
    finally:
        guard.stop()
        server.shutdown()
        server.server_close()
    assert heard == [{"gateway": "gw-1", "action": "hook", "on": on} for on in (True, False)]
    assert "refused" in next(s.problem for s in said if s.name == "dead")


def test_gpio_without_a_chip_says_so(tmp_path):
    pytest.importorskip("gpiod")
    relay = siren(name="relay", kind="gpio", chip=str(tmp_path / "gpiochip9"), line=4)
    guard = Guard([relay], "gw-1", SystemClock())
    said: list[Told] = []
    try:
        guard.beat()
        assert wait_until(lambda: bool(said.extend(guard.told()) or said))
    finally:
        guard.stop()
    assert (said[0].name, said[0].on) == ("relay", False)
    assert "gpiochip9 line 4" in said[0].problem
