"""The demo's own parts: programs found or named, children ended, folders of others spared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from programs import find_program
from sim_rig import wait_for

import firmware_sim.demo.keeper
import firmware_sim.demo.narrator
from firmware_sim.demo.children import Children
from firmware_sim.demo.narrator import line_of
from firmware_sim.demo.outcome import has_closed
from firmware_sim.demo.programs import environment, find_mosquitto, find_own
from firmware_sim.demo.show import MARK, prepare_state
from firmware_sim.errors import MissingProgram, SimError

SLEEPER = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('here', flush=True); time.sleep(600)",
]
PARENT = """
import sys, time
from pathlib import Path
from firmware_sim.demo.children import Children
children = Children(Path(sys.argv[1]))
child = children.start("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
print(child.process.pid, flush=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(5)
    wait_for(lambda: not is_alive(pid))


@pytest.mark.parametrize("command", [SLEEPER, STUBBORN], ids=["willing", "stubborn"])
def test_a_child_is_ended_willing_or_not(tmp_path: Path, command: list[str]) -> None:
    children = Children(tmp_path)
    child = children.start("one", command, speaks=True)
    assert child.process.stdout is not None and child.process.stdout.readline() == "here\n"
    children.end_all(wait_s=0.3)
    assert child.process.poll() is not None
    child.process.stdout.close()


def test_a_child_that_ends_by_itself_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    children = Children(tmp_path)
    child = children.start("one", [sys.executable, "-c", "raise SystemExit('no broker there')"])
    child.process.wait(10)
    with pytest.raises(SimError, match="no broker there"):
        children.check()
    children.end_all()


def test_a_command_that_fails_tells_what_it_said(tmp_path: Path) -> None:
    children = Children(tmp_path)
    assert children.run("ok", [sys.executable, "-c", "print(input())"], given="word\n") == "word\n"
    with pytest.raises(SimError, match="so it is"):
        children.run("bad", [sys.executable, "-c", "raise SystemExit('so it is')"])
    children.check()
    children.end_all()


def test_a_folder_no_demo_made_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SimError, match="no demo made it"):
        prepare_state(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_folder_a_demo_left_is_emptied(tmp_path: Path) -> None:
    state = prepare_state(tmp_path / "state")
    (state / "left").write_text("over")
    assert prepare_state(state) == state
    assert sorted(path.name for path in state.iterdir()) == [MARK, "logs"]


def test_a_missing_program_names_the_command_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LASTMILE_MOSQUITTO", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("firmware_sim.demo.programs.DAEMONS", str(tmp_path))
    with pytest.raises(MissingProgram, match="type: make setup"):
        find_mosquitto(tmp_path)
    with pytest.raises(MissingProgram, match="lastmile-nowhere was not found; type: make setup"):
        find_own("lastmile-nowhere")
    monkeypatch.setenv("LASTMILE_MOSQUITTO", str(tmp_path / "gone"))
    with pytest.raises(MissingProgram, match="LASTMILE_MOSQUITTO"):
        find_mosquitto(tmp_path)


def test_mosquitto_unpacked_into_the_cache_is_found_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LASTMILE_MOSQUITTO", raising=False)
    unpacked = tmp_path / ".cache" / "bin" / "mosquitto"
    unpacked.parent.mkdir(parents=True)
    unpacked.write_text("#!/bin/sh\n")
    unpacked.chmod(0o755)
    assert find_mosquitto(tmp_path) == str(unpacked)


def test_compiled_modules_are_kept_for_the_children_even_when_we_keep_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    given = environment(tmp_path, tmp_path / "state")
    assert "PYTHONDONTWRITEBYTECODE" not in given
    assert given["PYTHONPYCACHEPREFIX"] == str(tmp_path / "state" / "pycache")


@pytest.mark.parametrize(
    ("result", "good"),
    [
        ({"closed": 1, "lost": 0, "duplicated": 0, "wrong": 0}, True),
        ({"closed": 0, "lost": 0, "duplicated": 0, "wrong": 0}, False),
        ({"closed": 1, "lost": 1, "duplicated": 0, "wrong": 0}, False),
        ({"closed": 1, "lost": 0, "duplicated": 1, "wrong": 0}, False),
        ({"closed": 1, "lost": 0, "duplicated": 0, "wrong": 1}, False),
    ],
)
def test_the_demo_is_good_only_when_the_circle_closed_and_nothing_was_lost(
    result: dict[str, int], good: bool
) -> None:
    assert has_closed(result) is good


def test_what_happens_is_told_in_words() -> None:
    import doctest

    for module in (firmware_sim.demo.narrator, firmware_sim.demo.keeper):
        assert doctest.testmod(module).failed == 0
    about = {"hazard": "fire", "place": "b1/f1/101-kitchen", "person": "wang"}
    assert line_of({"event": "task", "silent": False, **about}) == "task: fire at b1/f1/101-kitchen -> wang"
    assert "will not answer" in line_of({"event": "task", "silent": True, **about})


@pytest.mark.soak
@pytest.mark.needs("mosquitto")
def test_demo_closes_the_circle_and_loses_nothing() -> None:
    command = [sys.executable, "-m", "firmware_sim.cli", "demo", "--seconds", "60", "--state"]
    # Elsewhere than in the project's folder, where its .cache is not found; and not in pytest's own, which is
    # closed to others: a broker started by root gives up root.
    found = {**os.environ, "LASTMILE_MOSQUITTO": str(find_program("mosquitto"))}
    with tempfile.TemporaryDirectory(prefix="lastmile-demo-") as folder:
        Path(folder).chmod(0o711)
        done = subprocess.run(
            [*command, f"{folder}/state"], cwd=folder, env=found, capture_output=True, text=True, timeout=600
        )
    result = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert result["closed"] >= 1 and result["lost"] == result["duplicated"] == result["wrong"] == 0
    assert result["sure"] > 500
