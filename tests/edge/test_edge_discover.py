"""`lastmile-edge discover`: what it hears becomes TOML that can be pasted, and works."""

from __future__ import annotations

import json
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bacnet_rig import BacnetDevice
from driver_cases import Publisher
from edge_rig import Broker, free_port
from kernel_tree import KernelTree
from serial_rig import SerialLine, SerialModbus

from edge_agent.cli import main
from edge_agent.discovery.bacnet import own_network
from edge_agent.discovery.broker_families import propose_from_broker
from edge_agent.discovery.kinds import quantity_of
from edge_agent.discovery.proposal import named_apart
from edge_agent.drivers.table import make_driver
from firmware_sim.serial_line import DESCRIPTION, READINGS, description, frame, readings
from models.clock import SystemClock
from models.configuration import DeviceConfig

CASES = Path(__file__).parent / "cases/devices"
HEAD = '[gateway]\nid = "gw-1"\n'


@pytest.fixture
def discover(tmp_path, capsys) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["discover", "--state", str(tmp_path), "--wait", "1.5", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def devices_in(text: str) -> dict[str, Any]:
    """Devices of proposed TOML, each of which a driver takes."""
    found = tomllib.loads(text)["devices"]
    for device in found:
        make_driver(DeviceConfig.model_validate(device), SystemClock())
    return {device["name"]: device for device in found}


def channels_of(device: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {channel["name"]: channel for channel in device["channels"]}


def heard_in(*names: str) -> dict[str, bytes]:
    """The last message of each topic in recorded cases."""
    heard: dict[str, bytes] = {}
    for name in names:
        case = json.loads((CASES / f"{name}.json").read_text())
        for message in [*case["before"], *case["then"]]:
            payload = message["payload"]
            raw = payload if isinstance(payload, str) else json.dumps(payload)
            heard[message["topic"]] = raw.encode()
    return heard


def proposed(heard: dict[str, bytes]) -> dict[str, Any]:
    found = named_apart(propose_from_broker(heard, {"host": "h", "port": 1883}))
    return devices_in("\n".join(device.text() for device in found))


def test_zigbee_devices_by_what_they_expose():
    devices = proposed(heard_in("zigbee2mqtt-climate"))
    assert set(devices) == {"cellar-climate", "front_door", "gate_lock"}
    climate = channels_of(devices["cellar-climate"])
    assert climate["cellar-climate/temperature"] == {
        "name": "cellar-climate/temperature", "kind": "temperature", "unit": "Cel", "source": "temperature",
        "resolution": 0.01, "minimum": -55, "maximum": 125,
    }  # fmt: skip
    assert climate["cellar-climate/pressure"]["kind"] == "air_pressure", "not the pressure of a pipe"
    assert channels_of(devices["front_door"])["front_door/contact"]["kind"] == "contact"
    assert list(channels_of(devices["gate_lock"])) == ["gate_lock/state"]


def test_lorawan_devices_by_their_decoded_fields():
    devices = proposed(heard_in("chirpstack-uplink"))
    channels = channels_of(devices["cellar-water"])
    assert devices["cellar-water"]["settings"]["dev_eui"] == "70b3d57ed0001234"
    assert channels["cellar-water/temperature"]["source"] == "object.temperature"


def test_tasmota_by_its_telemetry():
    devices = proposed(heard_in("tasmota-sensors"))
    channels = channels_of(devices["boiler_room"])
    assert channels["boiler_room/switch1"]["source"] == "Switch1"
    assert "boiler_room/temp" not in str(channels), "TempUnit is no quantity"


def test_what_announces_itself_is_grouped_by_device():
    devices = proposed(heard_in("homeassistant-abbreviated", "homeassistant-device"))
    assert set(devices) == {"garden", "bedroom"}
    garden = channels_of(devices["garden"])
    assert garden["garden/gate"]["kind"] == "door"
    assert garden["garden/temperature"]["source"] == "garden_1_t"


def test_senml_and_plain_json_of_makers_unknown():
    heard = {
        "meters/flat-7": b'{"seq": 9, "time": 1772349330, "meter": {"flow_rate": 1.25, "valve": "open"}}',
        "s/1": b'[{"bn":"urn:dev:ops:7:","n":"temperature","u":"Cel","v":21.5}]',
        "noise": b"\xff\xfe",
        "words": b'"hello"',
    }
    devices = proposed(heard)
    assert set(devices) == {"meters-flat-7", "s-1"}
    settings = devices["meters-flat-7"]["settings"]
    assert (settings["counter_path"], settings["time_path"]) == ("seq", "time")
    flow = channels_of(devices["meters-flat-7"])["meters-flat-7/meter.flow_rate"]
    assert (flow["kind"], flow["resolution"]) == ("flow_rate", 0.01)
    assert channels_of(devices["s-1"])["s-1/urn-dev-ops-7-temperature"]["kind"] == "temperature"


def test_names_that_would_end_a_comment_or_a_text_do_not():
    heard = heard_in("chirpstack-uplink")
    topic, payload = next((t, json.loads(p)) for t, p in heard.items() if t.endswith("/up"))
    payload["deviceInfo"]["deviceName"] = 'x"\n[[monitors]]\nname = "evil"'
    payload["deviceInfo"]["deviceProfileName"] = "y\n[[monitors]]\n\u2028"
    payload["object"] = {'a"\n[[b]]\x7f': 1, "temperature": 3}
    found = named_apart(propose_from_broker({topic: json.dumps(payload).encode()}, {"host": "h", "port": 1}))
    text = "\n".join(device.text() for device in found)
    assert set(tomllib.loads(text)) == {"devices"}
    devices_in(text)


@pytest.mark.parametrize(
    ("word", "unit", "is_binary", "kind", "ours"),
    [
        ("temperature", "°C", False, "temperature", "Cel"),
        ("smoke", "", True, "smoke_alarm", ""),
        ("carbon_monoxide", "ppm", False, "co", "ppm"),
        ("power", "kW", False, "power", "kW"),
        ("pressure", "bar", False, "pressure", "bar"),
        ("pressure", "kPa", False, "air_pressure", "kPa"),
        ("vibration_strength", "", False, "vibration_strength", ""),
        ("water_leak", "", True, "leak", ""),
        ("tamper", "", True, "state", ""),
        ("gas", "", False, "gas", ""),
        ("gas", "%LEL", False, "gas", "%LEL"),
        ("gas", "", True, "gas_alarm", ""),
    ],
)
def test_words_of_others_in_ours(word, unit, is_binary, kind, ours):
    quantity = quantity_of(word, unit, is_binary=is_binary)
    assert (quantity.kind, quantity.unit) == (kind, ours)


@pytest.mark.integration
def test_a_broker_is_listened_to_and_nothing_is_written(discover, broker: Broker, tmp_path):
    (tmp_path / "gateway.toml").write_text(HEAD)
    publisher = Publisher(broker.port)
    publisher.publish(
        "zigbee2mqtt/bridge/devices", heard_in("zigbee2mqtt-door")["zigbee2mqtt/bridge/devices"], retain=True
    )
    ended = threading.Event()

    def speak() -> None:
        while not ended.wait(0.2):
            publisher.publish("attic", {"humidity": 41})

    speaker = threading.Thread(target=speak)
    speaker.start()
    code, said, _ = discover("--mqtt", f"127.0.0.1:{broker.port}")
    ended.set()
    speaker.join()
    publisher.close()
    assert code == 0
    assert {"front_door", "attic"} <= set(devices_in(said))
    assert (tmp_path / "gateway.toml").read_text() == HEAD


@pytest.mark.integration
def test_modbus_units_and_their_registers(discover, modbus):
    server = modbus([0, 215, 0, 7])
    code, said, _ = discover("--modbus", f"127.0.0.1:{server.port}", "--units", "1-3")
    devices = devices_in(said)
    assert code == 0
    assert set(devices) == {"modbus-tcp-1"}
    sources = [channel["source"] for channel in devices["modbus-tcp-1"]["channels"]]
    assert {"register": 1, "table": "input", "type": "uint16"} in sources
    assert {"register": 0, "table": "input", "type": "uint16"} not in sources, "zeros tell nothing"
    assert "# said 215" in said


@pytest.fixture
def line() -> Iterator[SerialLine]:
    made = SerialLine()
    yield made
    made.close()


@pytest.mark.integration
def test_microcontrollers_that_describe_themselves(discover, line):
    with Path(line.far).open("wb", buffering=0) as port:
        hall = description("hall", [(1, -1, "temperature", "Cel"), (2, 0, "door", "")])
        ended = threading.Event()

        def speak() -> None:
            while not ended.wait(0.2):
                port.write(
                    b"\0" + frame(DESCRIPTION, 7, 1, 0, hall) + frame(READINGS, 9, 1, 0, readings({4: 5}))
                )

        speaker = threading.Thread(target=speak)
        speaker.start()
        code, said, _ = discover("--serial", line.near)
        ended.set()
        speaker.join()
    channels = channels_of(devices_in(said)["serial-line"])
    assert code == 0
    temperature = channels["serial-line/hall-temperature-1"]
    assert temperature["source"] == {"node": 7, "channel": 1}
    assert (temperature["scale"], temperature["unit"]) == (0.1, "Cel")
    assert channels["serial-line/node-9-4"]["kind"] == "unknown"


@pytest.mark.integration
def test_modbus_units_on_a_silent_line(discover, line):
    server = SerialModbus(line.far, {3: [0, 5]})
    code, said, _ = discover("--serial", line.near, "--units", "1-4")
    server.stop()
    settings = devices_in(said)["modbus-rtu-3"]["settings"]
    assert code == 0
    assert (settings["port"], settings["unit"]) == (line.near, 3)


def test_sensors_of_this_machine(discover, tmp_path):
    tree = KernelTree(tmp_path / "sys")
    tree.thermometer("28-0000071c2a3b")
    tree.iio(0, "bme280", "i2c-1/1-0076", in_temp_input="21480", in_pressure_input="101.3")
    tree.iio(1, "bme280", "i2c-1/1-0077", in_temp_input="8000")
    tree.hwmon(0, "cpu_thermal", "virtual/thermal", temp1_input="48000")
    code, said, _ = discover("--w1", str(tmp_path / "sys"))
    devices = devices_in(said)
    assert code == 0
    assert set(devices) == {"one-wire", "bme280", "bme280-2", "cpu_thermal"}
    assert devices["bme280-2"]["channels"][0]["source"]["at"] == "i2c-1/1-0077"
    assert channels_of(devices["bme280"])["bme280/pressure"]["unit"] == "kPa"
    for device in devices.values():
        batch = make_driver(DeviceConfig.model_validate(device), SystemClock()).read(1.0)
        assert batch is not None and len(batch) == len(device["channels"])


@pytest.mark.integration
def test_bacnet_devices_and_their_objects(discover):
    served = BacnetDevice()
    code, said, _ = discover("--bacnet", served.address, "--bacnet-local", "127.0.0.1:0")
    served.stop()
    plant = channels_of(devices_in(said)["plant"])
    assert code == 0
    assert plant["plant/supply-air"]["source"] == "analog-input,1"
    assert (plant["plant/supply-air"]["kind"], plant["plant/return-humidity"]["kind"]) == (
        "temperature",
        "humidity",
    )
    assert plant["plant/pump"]["kind"] == "pump"


def test_a_question_to_all_needs_a_network(discover):
    code, _, notes = discover("--bacnet", "--bacnet-local", "127.0.0.1:0")
    assert code == 1
    assert "says not how large the network is" in notes


@pytest.mark.parametrize(("outside", "expected"), [("10.0.0.5", "10.0.0.5/24"), ("", "172.17.0.1/16")])
def test_our_own_network_is_the_one_that_leads_outside(monkeypatch, outside, expected):
    import socket

    import psutil

    def card(address: str, netmask: str) -> list[Any]:
        return [SimpleNamespace(family=socket.AF_INET, address=address, netmask=netmask)]

    cards = {
        "lo": card("127.0.0.1", "255.0.0.0"),
        "docker0": card("172.17.0.1", "255.255.0.0"),
        "eth0": card("10.0.0.5", "255.255.255.0"),
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: cards)
    monkeypatch.setattr("edge_agent.discovery.bacnet._address_to_outside", lambda: outside)
    assert own_network() == f"{expected}:47808"


def test_appending_keeps_the_file_and_adds_each_device_once(discover, tmp_path):
    KernelTree(tmp_path / "sys").thermometer("28-01")
    (tmp_path / "gateway.toml").write_text("# mine\n" + HEAD)
    look = ("--w1", str(tmp_path / "sys"), "--append")
    assert discover(*look)[0] == 0
    code, said, notes = discover(*look)
    assert (code, said.strip()) == (1, "")
    assert "1 devices are in gateway.toml already" in notes
    text = (tmp_path / "gateway.toml").read_text()
    assert text.startswith("# mine\n")
    assert list(devices_in(text)) == ["one-wire"]


def test_appending_to_a_file_that_would_be_spoilt_changes_nothing(discover, tmp_path, capsys):
    KernelTree(tmp_path / "sys").thermometer("28-01")
    text = HEAD + (
        '[[devices]]\nname = "other"\ndriver = "health"\n'
        '[[devices.channels]]\nname = "one-wire/28-01"\nkind = "x"\nsource = "load_1m"\n'
    )
    (tmp_path / "gateway.toml").write_text(text)
    code, _, notes = discover("--w1", str(tmp_path / "sys"), "--append")
    assert code == 78
    assert "named twice" in notes
    assert (tmp_path / "gateway.toml").read_text() == text


def test_what_does_not_answer_is_a_note_and_the_rest_is_found(discover, tmp_path):
    KernelTree(tmp_path / "sys").thermometer("28-01")
    port = free_port()
    code, said, notes = discover(
        "--mqtt", f"127.0.0.1:{port}", "--modbus", f"127.0.0.1:{port}", "--serial", "/dev/none",
        "--w1", str(tmp_path / "sys"),
    )  # fmt: skip
    assert code == 0
    assert "one-wire" in said
    for words in ("no broker at", "no Modbus TCP at", "is the adapter plugged in"):
        assert words in notes


def test_json_for_machines(discover, tmp_path):
    KernelTree(tmp_path / "sys").thermometer("28-01")
    code, said, _ = discover("--w1", str(tmp_path / "sys"), "--json")
    told = json.loads(said)
    assert code == 0
    assert told["devices"][0]["channels"][0]["source"] == {"w1": "28-01"}


@pytest.mark.parametrize(
    "arguments",
    [(), ("--mqtt", "h:0"), ("--modbus", ":5"), ("--w1", "--units", "0-4"), ("--w1", "--units", "9-1")],
)
def test_wishes_that_are_none_are_refused(discover, arguments):
    code, said, notes = discover(*arguments)
    assert (code, said) == (78, "")
    assert "expected" in notes
