"""The command line and the processes behind `serve`."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from real_parts import (
    ORGANISATION,
    Process,
    cloud_command,
    free_port,
    is_open,
    make_state,
    run_cloud,
    start_broker,
    wait_until,
)

from cloud import cli
from cloud.commands.supervisor import Child, Supervisor, after_end
from cloud.fleet.tables import Desired, EnrolmentCode
from cloud.ingest import quarantine
from cloud.ingest.inspection import Poison
from cloud.people.tables import Account, Grant, Token
from cloud.storage.engine import transaction
from models.clock import SECOND_NS, SystemClock


def run(state: Path, *words: str, capsys) -> dict | list:
    """One command in this process; its answer."""
    assert cli.main([*words, "--state", str(state), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_commands_make_and_show_what_they_say(settings, store, capsys, tmp_path, monkeypatch) -> None:
    state = settings.state
    monkeypatch.setattr(sys, "stdin", (tmp_path / "password").open("w+"))
    sys.stdin.write("a good password\n")
    sys.stdin.seek(0)
    words = ("user", "add", "li", "--role", "admin", "--site", "*", "--password-stdin")
    assert run(state, *words, capsys=capsys) == {"login": "li", "role": "admin", "site": "*"}
    assert (store.count(Account, login="li"), store.count(Grant, role="admin", site_id="*")) == (1, 1)
    token = run(state, "token", "add", "sim", "--role", "operator", "--site", "street", capsys=capsys)
    assert token["token"] and store.count(Token, name="sim") == 1
    code = run(state, "gateway", "code", "gw-a", capsys=capsys)
    assert len(code["code"].split("-")) == 4 and code["expires_at"].endswith("Z")
    assert store.count(EnrolmentCode, gateway_id="gw-a") == 1
    document = tmp_path / "document.json"
    document.write_text("{}")
    words = ("gateway", "desired", "gw-a", str(document), "--reason", "first")
    assert run(state, *words, capsys=capsys) == {"gateway": "gw-a", "version": 1}
    assert [row.reason for row in store.all(Desired)] == ["first"]
    assert [row["gateway"] for row in run(state, "gateway", "ls", capsys=capsys)] == ["gw-a", "gw-b"]


def test_quarantine_is_listed_and_shown(settings, store, capsys) -> None:
    with transaction(store.main) as session:
        assert quarantine.keep(session, "t", b"bytes", Poison("magic", "why", "gw-a"), 5)
        assert not quarantine.keep(session, "t", b"bytes", Poison("magic", "why", "gw-a"), 6)
    listed = run(settings.state, "quarantine", "ls", capsys=capsys)
    assert [(row["gateway"], row["code"], row["bytes"]) for row in listed] == [("gw-a", "magic", 5)]
    shown = run(settings.state, "quarantine", "show", str(listed[0]["id"]), capsys=capsys)
    assert (shown["payload"], shown["detail"]) == ("Ynl0ZXM=", "why")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["gateway", "code", "gw-x"], 1, "no gateway 'gw-x'"),
        (["quarantine", "show", "99"], 1, "no message 99"),
        (["token", "add", "t", "--role", "admin", "--site", "nowhere"], 1, "no site 'nowhere'"),
        (["gateway", "desired", "gw-a", "broken.json", "--reason", "r"], 78, "broken.json:2"),
        (["apply", "missing.toml"], 78, "missing.toml: no such file"),
    ],
)
def test_command_that_cannot_be_done_says_why(
    settings, tmp_path, monkeypatch, capsys, words, code, said
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.json").write_text('{"devices":\n]')
    assert cli.main([*words, "--state", str(settings.state)]) == code
    assert said in capsys.readouterr().err


def test_command_typed_wrongly_exits_2() -> None:
    for words in ([], ["nonsense"], ["init"], ["gateway"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        assert caught.value.code == 2


def test_child_that_keeps_ending_is_started_ever_more_slowly() -> None:
    child = Child("c", [])
    assert [after_end(child, SECOND_NS) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert after_end(child, 61 * SECOND_NS) == 0.5
    assert after_end(child, SECOND_NS) == 1


def test_wrong_configuration_of_a_child_ends_all() -> None:
    lasting = Child("lasting", [sys.executable, "-c", "import time; time.sleep(60)"])
    wrong = Child("wrong", [sys.executable, "-c", "raise SystemExit(78)"])
    assert Supervisor([lasting, wrong], SystemClock()).run() == 78
    assert lasting.process is not None and lasting.process.poll() == -signal.SIGTERM


@pytest.mark.integration
@pytest.mark.needs("mosquitto")
def test_serve_keeps_its_programs_and_ends_them_all(tmp_path) -> None:
    settings = make_state(tmp_path / "cloud", ORGANISATION)
    with (
        start_broker(settings.state, settings.broker.port),
        Process(cloud_command(settings.state, "serve"), tmp_path / "serve.log") as serve,
    ):
        wait_until(lambda: is_open(settings.web.port), "the pages")
        wait_until(lambda: serve.text.count(": connected") == 2, "ingest")
        first = children(serve.pid)
        assert len(first) == 3
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: serve.text.count(": connected") == 4, "ingest again")
        wait_until(lambda: is_open(settings.web.port), "the pages again")
        again = children(serve.pid)
        assert not set(first) & set(again)
        assert serve.end(wait_s=12) == 0
        assert not [pid for pid in again if alive(pid)]
        assert "ingest    | " in serve.text


PARENT = """
import os, subprocess, sys, time
from pathlib import Path
from cloud.commands.supervisor import command_for
child = subprocess.Popen(command_for("scheduler", Path(sys.argv[1]), os.getpid()))
print("child", child.pid, flush=True)
time.sleep(300)
"""


@pytest.mark.integration
def test_program_ends_when_its_supervisor_is_killed(settings, tmp_path) -> None:
    with Process([sys.executable, "-c", PARENT, settings.state], tmp_path / "parent.log") as parent:
        wait_until(lambda: "scheduler started" in parent.text, "the scheduler")
        pid = int(next(line for line in parent.text.splitlines() if line.startswith("child")).split()[1])
        parent.kill()
        wait_until(lambda: not alive(pid), "the scheduler to end")


def children(pid: int) -> list[int]:
    """Processes started by `pid`, zombies left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = stat_of(int(folder.name))
            if fields and int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def alive(pid: int) -> bool:
    fields = stat_of(pid)
    return bool(fields) and fields[0] != "Z"


def stat_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def test_a_free_port_is_free() -> None:
    assert not is_open(free_port())


def test_init_by_command_prints_how_to_start_the_broker(tmp_path) -> None:
    state = tmp_path / "new"
    said = json.loads(run_cloud(state, "init", "--broker-port", "18883", "--http-port", "18080", "--json"))
    assert said["broker"] == f"mosquitto -c {state}/broker/mosquitto.conf"
    assert (state / "lastmile.db").stat().st_mode & 0o777 == 0o600
