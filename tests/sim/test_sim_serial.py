"""A simulated microcontroller on a pseudo terminal, heard by the gateway's own driver."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from sim_rig import NOON_S, make_plan

import firmware_sim
from edge_agent.cli import main as lastmile_edge
from edge_agent.drivers.table import make_driver
from firmware_sim.serial_line import DESCRIPTION, READINGS, description, frame, readings
from firmware_sim.serial_node import SerialNode
from firmware_sim.timeline import Happening, Timeline
from models.clock import SystemClock
from models.configuration import DeviceConfig

pytestmark = pytest.mark.integration
DOCUMENT = Path(firmware_sim.__file__).parents[1] / "docs/wire/serial-line.md"


def test_firmware_writes_the_golden_frames() -> None:
    golden = [bytes.fromhex(wire) for wire in re.findall(r" +wire +([0-9a-f ]+)\n", DOCUMENT.read_text())]
    hall = [(1, -1, "temperature", "Cel"), (2, 0, "door", "")]
    assert golden == [
        frame(READINGS, 7, 1, 300, readings({1: 215, 2: None})),
        frame(READINGS, 7, 1, 301, readings({1: -10, 2: 21.5, 3: 100000})),
        frame(DESCRIPTION, 7, 2, 0, description("hall", hall)),
    ]


def test_each_sample_of_a_node_reaches_the_gateway_once_in_its_own_unit(tmp_path: Path) -> None:
    street = make_plan(tmp_path).street(NOON_S)
    street.timeline = Timeline([])
    boiler = next(d for d in street.devices("gw-b1") if d.name == "boiler")
    channels = [
        {"name": f"boiler/{c.name}", "kind": c.kind, "source": {"channel": n}, "scale": c.scale}
        for n, c in enumerate(boiler.type.channels, 1)
    ]
    master, slave = os.openpty()
    tty.setraw(slave)
    config = {"name": "line", "driver": "serial_line", "channels": channels}
    settings = {"port": os.ttyname(slave), "node": 3}
    driver = make_driver(DeviceConfig.model_validate(config | {"settings": settings}), SystemClock())
    driver.open(None)
    now_s = NOON_S
    with os.fdopen(master, "wb", buffering=0) as line:
        line.write(b"\0")
        node = SerialNode(boiler, line, node=3, boot=1, now_s=lambda: now_s, copies=2)
        heard = []
        for _ in range(5):
            node.step()
            now_s += 1.0
            while (batch := driver.read(0.3)) is not None:
                heard.append(batch.value.tolist())
        driver.close()
    os.close(slave)
    assert len(heard) == 5
    for values in heard:
        assert len(values) == len(channels)
        assert 20 < values[0] * boiler.type.channels[0].scale < 95


@pytest.fixture
def node_port(tmp_path: Path) -> Iterator[str]:
    """A node as a program of its own; the port at which it is heard."""
    make_plan(tmp_path / "plan")
    command = [sys.executable, "-m", "firmware_sim.cli", "node", "--plan", str(tmp_path / "plan")]
    arguments = [
        "--device",
        "boiler",
        "--node",
        "3",
        "--copies",
        "2",
        "--period-s",
        "0.2",
        "--describe-s",
        "0.5",
    ]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["port"]
    process.terminate()
    assert process.wait(10) == 0


def test_a_node_is_found_by_discover_and_answers_a_probe(node_port: str, tmp_path: Path, capsys) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "gateway.toml").write_text('[gateway]\nid = "gw-1"\n')
    look = ["discover", "--state", str(state), "--serial", node_port, "--wait", "2", "--append"]
    assert lastmile_edge(look) == 0
    assert lastmile_edge(["check", "--state", str(state), "--probe", "--wait", "5"]) == 0
    said = capsys.readouterr().out
    assert "serial-line (serial_line): answers; 4 of 4 channels gave a value" in said
    assert "serial-line/boiler-temperature-1" in said


def test_a_silent_node_sends_nothing(tmp_path: Path) -> None:
    street = make_plan(tmp_path).street(NOON_S)
    street.timeline = Timeline([Happening(0, "dropout", 0.0, 10.0, device="boiler")])
    boiler = next(d for d in street.devices("gw-b1") if d.name == "boiler")
    with (tmp_path / "line").open("wb", buffering=0) as line:
        SerialNode(boiler, line, node=3, boot=1, now_s=lambda: NOON_S + 5).step()
    assert (tmp_path / "line").read_bytes() == b""
