"""The watchdog by hand: what is fed, what stands still, and what is learned from it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.watchdog.record import Standstill, StandstillStore
from edge_agent.watchdog.supervisor import Supervisor
from edge_agent.watchdog.watchdog import READY_AFTER_S, Part, Watchdog
from models.clock import EARLIEST_NS, VirtualClock


class Listener:
    """A real notify socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

    def close(self) -> None:
        self._socket.close()


class Story:
    """A watchdog over parts that go round when told to, in virtual time."""

    def __init__(self, folder: Path, listener: Listener, clock: VirtualClock) -> None:
        environment = {"NOTIFY_SOCKET": str(listener.path), "WATCHDOG_USEC": "30000000"}
        self.listener, self.clock = listener, clock
        self.store = StandstillStore(folder / "watchdog.json")
        self.rounds = {"the judge": clock.monotonic_ns(), "device boiler": clock.monotonic_ns()}
        self.dog = Watchdog(Supervisor.of(environment), self.store, clock, self._parts)

    def _parts(self) -> list[Part]:
        return [Part(name, at, 40.0) for name, at in self.rounds.items()]

    def second(
        self, count: int = 1, *, hangs: str = "", has_begun: bool = True, words: str = "well"
    ) -> list[str]:
        """Seconds go by, in each of which all go round but the one that hangs; what was said."""
        said: list[str] = []
        for _ in range(count):
            self.clock.sleep(1)
            for name in self.rounds:
                if name != hangs:
                    self.rounds[name] = self.clock.monotonic_ns()
            self.dog.step(words, has_begun=has_begun)
            said += self.listener.heard()
        return said


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(tmp_path / "notify")
    yield made
    made.close()


@pytest.fixture
def story(tmp_path: Path, listener: Listener) -> Story:
    return Story(tmp_path, listener, VirtualClock(EARLIEST_NS))


def test_watchdog_is_fed_once_a_round_and_ready_is_said_once(story):
    assert story.second(3) == ["READY=1", "STATUS=well", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]


def test_watchdog_tells_its_words_when_they_change(story):
    story.second()
    assert story.second(words="worse") == ["STATUS=worse", "WATCHDOG=1"]


def test_start_waits_for_a_first_reading_but_not_for_ever(story):
    assert "READY=1" not in story.second(round(READY_AFTER_S), has_begun=False)
    assert "READY=1" in story.second(2, has_begun=False)


@pytest.mark.row("A22")
@pytest.mark.parametrize("part", ["the judge", "device boiler"])
def test_watchdog_is_fed_no_more_when_a_part_stands_still(story, part):
    assert story.second(40, hangs=part).count("WATCHDOG=1") == 40
    said = story.second(hangs=part)
    assert said == [f"STATUS={part} has stood still for 41 s", "WATCHDOG=trigger"]
    kept = story.store.load()
    assert kept is not None and (kept.part, kept.times) == (part, 1)


def test_watchdog_forgives_parts_when_the_whole_machine_was_held_up(story):
    story.second(2)
    story.clock.sleep(300)
    story.dog.step("well", has_begun=True)
    assert "WATCHDOG=1" in story.listener.heard()


def test_part_that_restarts_do_not_mend_is_given_twice_as_long_each_time(tmp_path, listener):
    for times, limit in ((1, 40), (2, 80), (3, 160)):
        story = Story(tmp_path, listener, VirtualClock(EARLIEST_NS))
        assert "WATCHDOG=trigger" not in story.second(limit, hangs="the judge")
        assert "WATCHDOG=trigger" in story.second(hangs="the judge")
        assert story.store.load().times == times


def test_other_part_keeps_its_own_limit_after_a_standstill(tmp_path, listener):
    StandstillStore(tmp_path / "watchdog.json").save(
        Standstill(part="device boiler", stood_s=60, at=0, times=6)
    )
    story = Story(tmp_path, listener, VirtualClock(EARLIEST_NS))
    assert "WATCHDOG=trigger" in story.second(41, hangs="the judge")


def test_standstill_is_forgotten_after_an_hour_of_peace(tmp_path, listener):
    store = StandstillStore(tmp_path / "watchdog.json")
    store.save(Standstill(part="the judge", stood_s=60, at=0, times=6))
    story = Story(tmp_path, listener, VirtualClock(EARLIEST_NS))
    story.second(3602)
    assert store.load() is None


def test_damaged_record_of_a_standstill_is_no_reason_not_to_start(tmp_path, listener):
    (tmp_path / "watchdog.json").write_bytes(b"\x00\xff")
    assert "WATCHDOG=1" in Story(tmp_path, listener, VirtualClock(EARLIEST_NS)).second()


@pytest.mark.parametrize(
    ("environment", "watched"),
    [
        ({}, False),
        ({"NOTIFY_SOCKET": "/n"}, False),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "5000000"}, True),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, False),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}, True),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "soon"}, False),
    ],
)
def test_supervisor_watches_only_where_the_environment_means_this_process(environment, watched):
    assert (Supervisor.of(environment).watchdog_s > 0) is watched


def test_supervisor_that_is_gone_stops_nothing(tmp_path):
    Supervisor(str(tmp_path / "nobody"), 30.0).alive()


def test_supervisor_with_an_abstract_address_is_heard():
    name = f"lastmile-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("\0" + name)
        Supervisor("@" + name).ready("well")
        assert ear.recv(100) == b"READY=1\nSTATUS=well"
