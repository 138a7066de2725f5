"""The gateway without its cloud: page, lamp, siren and log of a real agent; the page by itself."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edge_rig import free_port, wait_until
from test_edge_actions import lamp, light
from test_edge_agent import AgentProcess, told

from edge_agent.alone.look import render
from edge_agent.alone.page import StatusPage
from edge_agent.cli import main

TOLD: dict[str, Any] = {
    "gateway": "gw-<1>", "is_alone": True, "config_version": 5, "on_trial": True, "code_version": "0.1.0",
    "written_at": 1_790_000_000_000_000_000,
    "uplink": {"is_connected": False, "problem": "broker away", "last_receipt_at": 0},
    "outbox": {"urgent_rows": 2, "bulk_rows": 40},
    "firing": [{"hazard": "fire", "severity": "severe", "monitor": "hot", "place": "b1/f0", "channel": "t",
                "fired_at": 1_790_000_000_000_000_000}],
    "devices": [{"name": "tape", "is_up": False, "problem": "<b>gone</b>", "readings": 7}],
    "monitors": [{"name": "hot", "hazard": "fire", "is_failed": False}],
    "actions": [{"name": "siren", "is_on": True, "problem": "", "today": 1, "per_day": 3}],
    "action_log": [{"at": 1_790_000_000_000_000_000, "action": "siren", "event": "on", "reason": "started"}],
}  # fmt: skip


@pytest.fixture
def page() -> Iterator[tuple[StatusPage, list[str]]]:
    tested: list[str] = []
    made = StatusPage(0, tested.append)
    made.show(TOLD)
    made.start()
    yield made, tested
    made.stop()


def ask(
    port: int, method: str = "GET", path: str = "/", body: str | None = None, **headers: str
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_page_is_told_in_the_reader_s_language_and_as_json(page):
    port = page[0].port
    code, english = ask(port)
    assert code == 200
    assert "does not answer" in english and "fire, severe" in english and "42 messages" in english
    chinese = ask(port, Accept_Language="zh-CN,zh;q=0.9")[1]
    assert '<html lang="zh">' in chinese and "云端无应答" in chinese
    assert json.loads(ask(port, path="/status.json")[1]) == TOLD
    assert ask(port, path="/../etc/passwd")[0] == 404


def test_page_shows_words_of_devices_as_text(page):
    text = ask(page[0].port)[1]
    assert "<b>gone" not in text and "&lt;b&gt;gone" in text and "gw-&lt;1&gt;" in text
    assert "<script" not in text


def test_page_is_there_for_this_machine_alone(page):
    port = page[0].port
    assert ask(port, Host=f"evil.example:{port}")[0] == 421
    assert ask(port, path="/status.json", Host="evil.example")[0] == 421
    others = {one[4][0] for one in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        with socket.socket() as probe:
            probe.settimeout(1)
            assert probe.connect_ex((address, port)) != 0 or address.startswith("127.")


def test_button_works_from_the_page_and_from_nowhere_else(page):
    made, tested = page
    token = re.search(r'name="token" value="([^"]+)"', ask(made.port)[1])[1]
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert ask(made.port, "POST", "/test", "action=siren&token=guess", **form)[0] == 403
    assert ask(made.port, "POST", "/test", "x" * 5000, **form)[0] == 400
    assert ask(made.port, "POST", "/other", f"action=siren&token={token}", **form)[0] == 400
    assert tested == []
    assert ask(made.port, "POST", "/test", f"action=siren&token={token}", **form)[0] == 303
    assert tested == ["siren"]


def test_page_bears_many_readers_at_once(page):
    codes: list[int] = []
    readers = [threading.Thread(target=lambda: codes.append(ask(page[0].port)[0])) for _ in range(20)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(10)
    assert codes == [200] * 20


def test_page_of_a_gateway_that_has_said_nothing_yet_can_be_drawn():
    assert "none" in render({}, "en", "t")


SETTINGS = """\
[gateway]
id = "gw-1"
[alone]
after_s = 5
page_port = {port}
[[devices]]
name = "tape"
driver = "recording"
period_s = 0.05
settings = {{ file = "{file}" }}
[[devices.channels]]
name = "tape/a"
kind = "temperature"
unit = "Cel"
source = "a"
resolution = 1
[[monitors]]
name = "hot"
detector = "limit"
parameters = {{ high = 100 }}
channels = ["tape/a"]
hazard = "fire"
severity = "severe"
[[actions]]
name = "siren"
kind = "led"
led = "{led}/siren"
on = {{ hazards = ["fire"], severity = "severe" }}
max_on_s = 30
min_pause_s = 0
[[actions]]
name = "lamp"
kind = "led"
led = "{led}/lamp"
on = {{ alone = true }}
min_pause_s = 0
"""


class Rig:
    """An agent without a cloud, a tape, a siren and a lamp."""

    def __init__(self, folder: Path) -> None:
        self.state, self.port = folder / "state", free_port()
        self.state.mkdir()
        self.siren, self.lamp = lamp(folder / "leds"), lamp(folder / "leds", "lamp")
        self._tape = folder / "tape.csv"
        text = SETTINGS.format(port=self.port, file=self._tape, led=folder / "leds")
        (self.state / "gateway.toml").write_text(text)
        self.agent = AgentProcess(self.state)

    def start(self, rows: list[float]) -> None:
        self._tape.write_text("a\n" + "\n".join(map(str, rows)) + "\n")
        self.agent.start()

    def log(self) -> list[tuple[str, str, str]]:
        path = self.state / "actions.jsonl"
        notes = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(note["action"], note["event"], note["reason"]) for note in notes]


@pytest.fixture
def lonely(tmp_path: Path, warm_kernels: None) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.agent.cleanup()


@pytest.mark.integration
def test_rules_go_on_alone_the_siren_sounds_and_nothing_stays_on_after_a_kill(lonely):
    lonely.start([20.0] * 40 + [150.0] * 4000)
    assert wait_until(lambda: light(lonely.siren) == "0")
    assert wait_until(lambda: light(lonely.siren) == "255", 40)
    assert wait_until(lambda: light(lonely.lamp) == "255"), "its own sign"
    # The page is written every three seconds.
    assert wait_until(lambda: status_of(lonely)["is_alone"] is True)
    said = status_of(lonely)
    assert said["firing"][0]["monitor"] == "hot"
    assert [one["is_on"] for one in said["actions"]] == [True, True]
    lonely.agent.end(signal.SIGKILL)
    assert wait_until(lambda: (light(lonely.siren), light(lonely.lamp)) == ("0", "0"), 5)
    assert ("siren", "on", "started") in lonely.log() and ("lamp", "on", "alone") in lonely.log()
    lonely.agent.start()
    assert wait_until(lambda: light(lonely.lamp) == "255")
    assert light(lonely.siren) == "0", "it sounded for this alert"
    assert lonely.agent.end() == 0
    assert (light(lonely.siren), light(lonely.lamp)) == ("0", "0")


@pytest.mark.integration
def test_action_is_tested_through_the_running_agent_and_without_one(lonely, capsys):
    command = ["action", "test", "siren", "--state", str(lonely.state), "--json"]
    lonely.start([20.0] * 4000)
    assert wait_until(lambda: (lonely.state / "status.json").exists(), 40)
    seen: list[str] = []
    watch = threading.Thread(
        target=lambda: wait_until(lambda: seen.append(light(lonely.siren)) or "255" in seen, 10)
    )
    watch.start()
    assert main(command) == 0
    watch.join()
    assert "255" in seen
    assert [note["event"] for note in json.loads(capsys.readouterr().out)] == ["test", "off"]
    assert told(lonely.state / "status.json")["page_port"] == lonely.port
    lonely.agent.end()
    assert main(command) == 0
    assert [note["event"] for note in json.loads(capsys.readouterr().out)] == ["test", "off"]
    assert light(lonely.siren) == "0"
    assert main(["action", "log", "--state", str(lonely.state)]) == 0
    assert capsys.readouterr().out.count("siren: test") == 2
    assert main(["action", "test", "whistle", "--state", str(lonely.state)]) == 78
    assert not (lonely.state / "test-action").exists()


def status_of(rig: Rig) -> dict[str, Any]:
    return json.loads(ask(rig.port, path="/status.json")[1])
