"""`lastmile-edge check --probe`: what answers, what does not, and what to look at, in plain words."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from driver_cases import Publisher
from edge_rig import free_port

from edge_agent.cli import main

pytestmark = pytest.mark.integration
BUS = 'name = "b"\nkind = "x"\nsource = { register = 0 }'


class House:
    """A gateway.toml written device by device."""

    def __init__(self, folder: Path, capsys: Any) -> None:
        self.folder, self._capsys = folder, capsys
        self._text = '[gateway]\nid = "gw-1"\n'

    def device(self, name: str, driver: str, settings: str, *channels: str) -> None:
        self._text += f'[[devices]]\nname = "{name}"\ndriver = "{driver}"\nsettings = {settings}\n'
        for channel in channels:
            self._text += f"[[devices.channels]]\n{channel}\n"

    def check(self, *arguments: str) -> tuple[int, str]:
        (self.folder / "gateway.toml").write_text(self._text)
        code = main(["check", "--state", str(self.folder), "--probe", "--wait", "1.5", *arguments])
        return code, self._capsys.readouterr().out


@pytest.fixture
def house(tmp_path, capsys) -> House:
    return House(tmp_path, capsys)


def test_a_house_in_order(house, modbus):
    server = modbus([614, 1])
    house.device(
        "boiler", "modbus_tcp", f'{{ host = "127.0.0.1", port = {server.port} }}',
        'name = "boiler/t"\nkind = "temperature"\nunit = "Cel"\nsource = { register = 0 }\nscale = 0.1',
    )  # fmt: skip
    house.device(
        "gateway", "health", "{}", 'name = "gw/mem"\nkind = "x"\nunit = "%"\nsource = "memory_percent"'
    )
    code, said = house.check()
    assert code == 0
    assert "boiler (modbus_tcp): answers; 1 of 1 channels gave a value" in said
    assert "  boiler/t: 61.4 Cel\n" in said
    assert said.endswith("2 of 2 devices are in order\n")


def test_what_does_not_answer_is_told_with_what_to_check(house, modbus):
    server = modbus([614])
    house.device(
        "gone", "modbus_tcp", f'{{ host = "127.0.0.1", port = {free_port()} }}',
        'name = "gone/t"\nkind = "x"\nsource = { register = 0 }',
    )  # fmt: skip
    house.device(
        "boiler", "modbus_tcp", f'{{ host = "127.0.0.1", port = {server.port} }}',
        'name = "boiler/t"\nkind = "x"\nsource = { register = 0 }\nmaximum = 125',
    )  # fmt: skip
    house.device(
        "bus", "modbus_rtu", '{ port = "/dev/ttyNONE" }', 'name = "b"\nkind = "x"\nsource = { register = 0 }'
    )
    code, said = house.check()
    assert code == 1
    assert "gone (modbus_tcp): no Modbus TCP at" in said
    assert "bus (modbus_rtu): no serial port /dev/ttyNONE; is the adapter plugged in?" in said
    assert "boiler/t: 614; outside -inf..125: check source, type and scale" in said
    assert said.endswith("0 of 3 devices are in order\n")


def test_json_for_machines(house, modbus):
    server = modbus([614])
    house.device(
        "boiler", "modbus_tcp", f'{{ host = "127.0.0.1", port = {server.port} }}',
        'name = "boiler/t"\nkind = "x"\nunit = "Cel"\nsource = { register = 0 }',
    )  # fmt: skip
    code, said = house.check("--json")
    told = json.loads(said)
    assert (code, told["ok"], told["devices"]) == (0, True, 1)
    assert told["probe"] == [
        {
            "name": "boiler", "driver": "modbus_tcp", "answers": True, "problem": "", "ok": True,
            "channels": [{"name": "boiler/t", "value": 614.0, "unit": "Cel", "note": ""}],
        }
    ]  # fmt: skip


def test_a_silent_topic_and_a_speaking_one(house, broker):
    base = f'host = "127.0.0.1", port = {broker.port}'
    of = 'name = "{0}"\nkind = "x"\nsource = "{1}"'
    house.device(
        "hall", "mqtt", f'{{ {base}, topic = "z/hall" }}', of.format("hall/t", "t"), of.format("hall/h", "h")
    )
    house.device("attic", "mqtt", f'{{ {base}, topic = "z/atic" }}', of.format("attic/t", "t"))
    publisher = Publisher(broker.port)
    ended = threading.Event()

    def speak() -> None:
        while not ended.wait(0.2):
            publisher.publish("z/hall", {"t": 21.5})

    speaker = threading.Thread(target=speak)
    speaker.start()
    code, said = house.check()
    ended.set()
    speaker.join()
    publisher.close()
    assert code == 1
    assert "hall (mqtt): answers; 1 of 2 channels gave a value" in said
    assert "  hall/t: 21.5\n" in said
    assert "  hall/h: no value; nothing heard within 1.5 s; check its source" in said
    assert "attic (mqtt): the broker answers, but nothing came on z/atic within 1.5 s" in said


def test_a_probe_takes_nothing_from_the_running_agent(house, broker):
    """The agent's session keeps its messages; the probe leaves no session behind."""
    from driver_cases import device

    from edge_agent.drivers.table import make_driver
    from models.clock import SystemClock

    settings = {"host": "127.0.0.1", "port": broker.port, "topic": "z/hall", "client_id": "lastmile-hall"}
    agent = make_driver(device("mqtt", settings, ["t"]), SystemClock())
    agent.open(None)
    agent.read(0.5)
    house.device(
        "hall", "mqtt", f'{{ host = "127.0.0.1", port = {broker.port}, topic = "z/hall" }}',
        'name = "hall/t"\nkind = "x"\nsource = "t"',
    )  # fmt: skip
    house.check()
    publisher = Publisher(broker.port)
    publisher.publish("z/hall", {"t": 5})
    assert agent.read(3.0).value.tolist() == [5.0], "it was not thrown out"
    agent.close()
    publisher.close()


def test_beside_a_running_agent_the_reason_may_be_the_agent(house, tmp_path):
    from edge_agent.state import StateFolder

    house.device(
        "bus", "modbus_rtu", '{ port = "/dev/ttyNONE" }', 'name = "b"\nkind = "x"\nsource = { register = 0 }'
    )
    with StateFolder(tmp_path).lock():
        code, said = house.check()
    assert code == 1
    assert "the agent is running" in said


def test_a_file_that_is_wrong_is_told_before_anything_is_tried(house):
    house.device("boiler", "zigbee", "{}", 'name = "b"\nkind = "x"\nsource = "t"')
    code, _ = house.check()
    assert code == 78


@pytest.mark.parametrize("wait", ["0", "-1", "nan", "soon"])
def test_a_wait_that_is_none_is_wrong_use(house, wait):
    with pytest.raises(SystemExit) as ended:
        main(["check", "--state", str(house.folder), "--probe", "--wait", wait])
    assert ended.value.code == 2
