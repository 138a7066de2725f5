"""Orders are obeyed once, when they are ours and in time; heard again they do nothing."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from edge_rig import START, wait_until
from fault_results import record
from test_edge_agent import AgentProcess, rig
from test_edge_obedience import KEY, public_of

from edge_agent.commands.commander import Commander
from edge_agent.commands.judging import judge_command
from edge_agent.commands.ledger import LedgerStore
from edge_agent.commands.table import HANDLERS, Means
from edge_agent.settings import parse_settings
from edge_agent.state import StateFolder
from edge_agent.tls import Moment
from models.clock import SECOND_NS, VirtualClock
from models.wire.envelope import Kind
from models.wire.messages import Command, CommandName, CommandResult, SignedDocument
from models.wire.signing import sign_command
from models.wire.topics import Down

__all__ = ["rig"]
HOUR_S = 3600


def order(counter: int = 1, name: str = "send_status", key: bytes = KEY, **changes: Any) -> bytes:
    command = Command(
        id=f"{counter:032x}", name=name, issued_at=START, expires_at=START + 600 * SECOND_NS,
        gateway="gw-1", counter=counter,
    ).model_copy(update=changes)  # fmt: skip
    return sign_command(command, key).model_dump_json().encode()


class Post:
    """A gateway that hears orders: its commander, what it did and what it told. `reboot` starts anew."""

    def __init__(self, folder: Path) -> None:
        self.state = StateFolder(folder)
        self.state.settings.write_text('[gateway]\nid = "gw-1"\n')
        self.clock = VirtualClock(START)
        self.is_known = True
        self.obeyed: list[str] = []
        self.told: list[CommandResult] = []
        self.begin()

    def begin(self) -> None:
        settings = parse_settings(self.state.settings.read_text())
        means = Means(
            self.state, settings, self.clock,
            status=lambda: self._note("status"), renew=lambda: self._note("renew"),
            restart=lambda: self._note("restart"),
        )  # fmt: skip
        self.commander = Commander(
            means, "gw-1", keys=lambda: [public_of(KEY)],
            now=lambda: Moment(self.clock.wall_ns(), self.is_known), tell=self.told.append,
        )  # fmt: skip
        self.commander.start()

    def _note(self, what: str) -> Any:
        self.obeyed.append(what)
        return {"what": what}

    def hear(self, raw: bytes, answers: int = 1) -> None:
        """Offer an order and wait until so many more answers are told; 0: until it was passed over."""
        before = len(self.told)
        self.commander.offered(raw)
        self.commander.stop(10.0)
        assert len(self.told) == before + answers, self.told
        self.begin()

    def reboot(self) -> None:
        self.clock.reboot("1" * 32)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path)
    yield made
    made.commander.stop()


@pytest.mark.row("B9")
@pytest.mark.parametrize("later", ["at once", "1 s", "1 h", "reboot", "no clock"])
def test_order_heard_again_is_not_obeyed_again(post: Post, later: str) -> None:
    raw = order(counter=7)
    post.hear(raw)
    assert post.obeyed == ["status"]
    if later == "reboot":
        post.reboot()
    elif later == "no clock":
        post.clock.step(-50 * 365 * 24 * HOUR_S)
        post.is_known = False
    else:
        post.clock.sleep({"at once": 0, "1 s": 1, "1 h": HOUR_S}[later])
    for _ in range(20):
        post.hear(raw, answers=0)
    assert post.obeyed == ["status"]


@pytest.mark.row("B9")
def test_order_that_was_overtaken_is_obeyed_and_none_is_twice_however_many_came_since(post: Post) -> None:
    counters = [5, 3, *range(10, 60)]
    for counter in counters:
        post.hear(order(counter))
    assert len(post.obeyed) == len(counters)
    for counter in counters:
        post.commander.offered(order(counter))
        if counter % 10 == 0:
            post.commander.stop(10.0)
            post.begin()
    post.commander.stop(10.0)
    post.begin()
    assert len(post.obeyed) == len(counters)
    assert {(one.reason, one.id) for one in post.told[len(counters) :]} == {("replay", "0" * 32)}


@pytest.mark.row("B9")
@pytest.mark.soak
def test_orders_heard_ten_thousand_times_again_over_reboots_are_obeyed_once(post: Post) -> None:
    counters = range(1, 101)
    for counter in counters:
        post.hear(order(counter))
    again = 10_000
    for turn in range(again):
        post.commander.offered(order(counters[turn % len(counters)]))
        if turn % 500 == 499:
            post.commander.stop(10.0)
            post.reboot()
            post.clock.sleep(HOUR_S)
            post.begin()
    post.commander.stop(10.0)
    executed = len(post.obeyed) - len(counters)
    record(
        "B9", "orders heard again", runs=again, unit="executed", figure=executed, ok=not executed,
        target="0 executed", command="python -m pytest -m soak tests/edge/test_edge_commands.py",
        note="over twenty reboots an hour apart",
    )  # fmt: skip
    post.begin()
    assert executed == 0


HOSTILE = {
    "another key's": (order(key=bytes(32)), "key"),
    "another gateway's": (order(gateway="gw-2"), "address"),
    "nobody's": (order(gateway=""), "address"),
    "expired": (order(expires_at=START), "expired"),
    "truncated": (order()[:-9], "undecodable"),
    "a flipped word": (order().replace(b"send_status", b"send_state_"), "signature"),
    "huge": (b" " * (1 << 17), "size"),
    "empty": (b"{}", "undecodable"),
}


@pytest.mark.row("B9")
@pytest.mark.parametrize("name", HOSTILE)
def test_order_that_is_not_ours_or_too_late_is_refused_and_told_once_a_minute(post: Post, name: str) -> None:
    raw, reason = HOSTILE[name]
    command = judge_command(
        raw, keys=[public_of(KEY)], gateway="gw-1", ledger=LedgerStore(post.state.commands).ledger,
        moment=Moment(START),
    )  # fmt: skip
    assert command.reason == reason
    post.hear(raw)
    assert post.told[-1].reason == reason
    assert post.obeyed == []
    assert not post.state.commands.exists()


def test_refusals_of_one_kind_are_told_once_a_minute(tmp_path: Path) -> None:
    post = Post(tmp_path)
    for _ in range(16):
        post.commander.offered(order(key=bytes(32)))
    assert wait_until(lambda: post.told and post.commander._waiting.empty())
    post.commander.stop(10.0)
    assert [one.reason for one in post.told] == ["key"]


def test_order_by_a_clock_that_was_never_set_is_judged_by_what_the_cloud_said_last(post: Post) -> None:
    post.hear(
        order(counter=1, issued_at=START + HOUR_S * SECOND_NS, expires_at=START + 2 * HOUR_S * SECOND_NS)
    )
    post.clock.step(-50 * 365 * 24 * HOUR_S)
    post.is_known = False
    post.hear(order(counter=2, expires_at=START + 600 * SECOND_NS))
    assert post.told[-1].reason == "expired"


def test_unknown_order_and_wrong_parameters_are_refused_by_name(post: Post) -> None:
    post.hear(order(counter=1, name="format_disk"))
    post.hear(order(counter=2, parameters={"now": True}))
    post.hear(order(counter=3, name="run_action_test", parameters={"action": "siren"}))
    assert [(one.state.value, one.reason) for one in post.told] == [
        ("refused", "unknown_command"), ("refused", "parameters"), ("refused", "parameters"),
    ]  # fmt: skip
    assert post.obeyed == []


def test_every_name_of_the_list_has_its_handler() -> None:
    assert set(HANDLERS) == set(CommandName)


def test_order_cut_off_in_the_middle_is_told_and_not_done_again(post: Post) -> None:
    raw = order(counter=4)
    command = Command.model_validate_json(SignedDocument.model_validate_json(raw).document)
    post.commander.stop(10.0)
    LedgerStore(post.state.commands).begin(command, START)
    post.begin()
    assert wait_until(lambda: post.told)
    assert (post.told[0].id, post.told[0].reason) == (command.id, "cut_off")
    post.hear(raw, answers=0)
    assert post.obeyed == []


def test_answer_to_the_order_to_start_anew_is_given_by_the_next_run(post: Post) -> None:
    post.hear(order(counter=4, name="restart_agent"), answers=0)
    assert post.obeyed == ["restart"]
    assert wait_until(lambda: post.told)
    assert [(one.name, one.state.value) for one in post.told] == [("restart_agent", "done")]


def test_diagnostics_hold_no_secret_and_are_bounded(post: Post, tmp_path: Path) -> None:
    secret = "canary-7f3a"
    post.state.identity.mkdir()
    post.state.key.write_text(secret)
    post.state.settings.write_text(
        '[gateway]\nid = "gw-1"\n[[devices]]\nname = "d"\ndriver = "http"\nperiod_s = 9\n'
        f'settings = {{ url = "http://u:{secret}@127.0.0.1/", format = "json" }}\n'
        '[[devices.channels]]\nname = "d/t"\nkind = "temperature"\nunit = "Cel"\nsource = "t"\n'
    )
    for number in range(1000):
        (tmp_path / f"file-{number}").touch()
    post.commander.stop(10.0)
    post.begin()
    post.hear(order(counter=1, name="collect_diagnostics"))
    said = post.told[-1].model_dump_json()
    assert post.told[-1].output["settings"]["devices"] == [{"name": "d", "driver": "http"}]
    assert secret not in said
    assert len(said) < 64 << 10


@pytest.mark.row("B9")
@pytest.mark.integration
@pytest.mark.needs("mosquitto")
def test_agent_obeys_once_over_kills_and_starts_anew_when_told(
    rig: tuple[AgentProcess, Any, Callable[..., None]],
) -> None:
    agent, receiver, write = rig
    write([float(n) for n in range(3000)])
    agent.start()
    assert wait_until(lambda: len(receiver.readings()) > 20)

    def results() -> list[CommandResult]:
        return [CommandResult.model_validate_json(e.body) for e in receiver.of(Kind.RESULT)]

    now = time.time_ns()
    times = {"issued_at": now, "expires_at": now + HOUR_S * SECOND_NS}
    status, restart = order(10, **times), order(11, "restart_agent", **times)
    receiver.send(Down.COMMAND, status)
    assert wait_until(lambda: len(results()) == 1)
    assert results()[0].output["gateway"] == "gw-1"
    runs = {health.run for health in receiver.health if health.run}
    receiver.send(Down.COMMAND, restart)
    assert wait_until(lambda: [one.name for one in results()] == ["send_status", "restart_agent"], 40)
    assert wait_until(lambda: len({health.run for health in receiver.health if health.run} - runs) == 1, 40)
    for _ in range(3):
        receiver.send(Down.COMMAND, status)
        receiver.send(Down.COMMAND, restart)
    agent.end(signal.SIGKILL)
    agent.start()
    assert wait_until(lambda: len({health.run for health in receiver.health if health.run} - runs) == 2, 40)
    for raw in (status, restart, status):
        receiver.send(Down.COMMAND, raw)
    receiver.send(Down.COMMAND, order(12, "collect_diagnostics", **times))
    assert wait_until(lambda: len(results()) == 3, 40)
    assert agent.end() == 0
    assert [one.name for one in results()] == ["send_status", "restart_agent", "collect_diagnostics"]
    assert len({health.run for health in receiver.health if health.run} - runs) == 2
    assert json.loads((agent.state / "commands.json").read_text())["taken"] == [10, 11, 12]
