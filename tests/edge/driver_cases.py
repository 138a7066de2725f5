"""One case a driver for the contract suite: the real thing it speaks to, and how to make that speak."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bacnet_rig import BacnetDevice
from http_rig import HttpServer, Reply
from kernel_tree import KernelTree
from serial_rig import SerialLine, SerialModbus

from firmware_sim.serial_line import READINGS, frame, readings
from models.configuration import DeviceConfig

Speak = Callable[[], None]


def device(driver: str, settings: dict[str, Any], sources: list[Any], **more: Any) -> DeviceConfig:
    channels = [{"name": f"c{i}", "kind": "x", "source": source} for i, source in enumerate(sources)]
    return DeviceConfig.model_validate(
        {"name": "d", "driver": driver, "settings": settings, "channels": channels, **more}
    )


class Publisher:
    """A device at the local broker."""

    def __init__(self, port: int) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(
        self, topic: str, payload: bytes | str | dict[str, Any] | list[Any], *, retain: bool = False
    ) -> None:
        if isinstance(payload, str):
            payload = payload.encode()
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._client.publish(topic, raw, qos=1, retain=retain).wait_for_publish(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Bench:
    """What a case may use; all of it is put away after the test."""

    def __init__(self, request: Any, folder: Path) -> None:
        self._request, self.folder = request, folder
        self.later = ExitStack()

    def fixture(self, name: str) -> Any:
        return self._request.getfixturevalue(name)

    def publisher(self) -> tuple[Publisher, dict[str, Any]]:
        """A publisher at a broker of its own, and the settings that lead there."""
        broker = self.fixture("broker")
        publisher = Publisher(broker.port)
        self.later.callback(publisher.close)
        return publisher, {"host": "127.0.0.1", "port": broker.port, "client_id": "agent"}

    def line(self) -> SerialLine:
        line = SerialLine()
        self.later.callback(line.close)
        return line


def silent() -> None:
    """For devices that are asked."""


def modbus_tcp(bench: Bench) -> tuple[DeviceConfig, Speak]:
    server = bench.fixture("modbus")([215, 1])
    settings = {"host": "127.0.0.1", "port": server.port}
    return device("modbus_tcp", settings, [{"register": 0}, {"register": 1}]), silent


def modbus_rtu(bench: Bench) -> tuple[DeviceConfig, Speak]:
    line = bench.line()
    server = SerialModbus(line.far, {7: [215, 1]})
    bench.later.callback(server.stop)
    settings = {"port": line.near, "unit": 7, "baud": 19200}
    return device("modbus_rtu", settings, [{"register": 0}, {"register": 1}]), silent


def mqtt(bench: Bench) -> tuple[DeviceConfig, Speak]:
    publisher, settings = bench.publisher()
    made = device("mqtt", {**settings, "topic": "t/#"}, ["t", "open"])
    return made, lambda: publisher.publish("t/1", {"t": 215, "open": True})


def senml(bench: Bench) -> tuple[DeviceConfig, Speak]:
    publisher, settings = bench.publisher()
    made = device("senml", {**settings, "topic": "t/#"}, ["t", "open"])
    return made, lambda: publisher.publish("t/1", [{"n": "t", "v": 215}, {"n": "open", "vb": True}])


def recording(bench: Bench) -> tuple[DeviceConfig, Speak]:
    (bench.folder / "r.csv").write_text("a,b\n" + "215,1\n" * 5)
    return device("recording", {"file": str(bench.folder / "r.csv")}, ["a", "b"]), silent


def health(bench: Bench) -> tuple[DeviceConfig, Speak]:
    return device("health", {}, ["memory_percent", "uptime_s"]), silent


def files(bench: Bench) -> tuple[DeviceConfig, Speak]:
    tree = KernelTree(bench.folder / "sys")
    tree.thermometer("28-01")
    tree.hwmon(0, "cpu_thermal", "thermal", temp1_input="48000")
    sources = [{"w1": "28-01"}, {"hwmon": "cpu_thermal", "channel": "temp1"}]
    return device("files", {"root": str(tree.root)}, sources), silent


def http(bench: Bench) -> tuple[DeviceConfig, Speak]:
    server = HttpServer(Reply(b'{"t": 21.5, "open": true}'))
    bench.later.callback(server.stop)
    return device("http", {"url": server.url}, ["t", "open"]), silent


def serial_line(bench: Bench) -> tuple[DeviceConfig, Speak]:
    line = bench.line()
    port = bench.later.enter_context(Path(line.far).open("wb", buffering=0))  # noqa: SIM115
    numbers = itertools.count()

    def speak() -> None:
        port.write(b"\0" + frame(READINGS, 1, 1, next(numbers), readings({1: 215, 2: 1})))

    return device("serial_line", {"port": line.near}, [{"channel": 1}, {"channel": 2}]), speak


def zigbee2mqtt(bench: Bench) -> tuple[DeviceConfig, Speak]:
    publisher, settings = bench.publisher()
    made = device("zigbee2mqtt", {**settings, "device": "hall"}, ["temperature", "occupancy"])
    return made, lambda: publisher.publish("zigbee2mqtt/hall", {"temperature": 21.5, "occupancy": True})


def chirpstack(bench: Bench) -> tuple[DeviceConfig, Speak]:
    publisher, settings = bench.publisher()
    made = device("chirpstack", {**settings, "dev_eui": "0102030405060708"}, ["object.t", "object.open"])
    topic = "application/a1/device/0102030405060708/event/up"
    numbers = itertools.count()
    readings_ = {"t": 21.5, "open": True}
    return made, lambda: publisher.publish(topic, {"fCnt": next(numbers), "object": readings_})


def tasmota(bench: Bench) -> tuple[DeviceConfig, Speak]:
    publisher, settings = bench.publisher()
    made = device("tasmota", {**settings, "device": "plug"}, ["ENERGY.Power", "Switch1"])
    return made, lambda: publisher.publish("tele/plug/SENSOR", {"ENERGY": {"Power": 40}, "Switch1": "ON"})


def esphome(bench: Bench) -> tuple[DeviceConfig, Speak]:
    publisher, settings = bench.publisher()
    made = device("esphome", {**settings, "node": "hall"}, ["sensor/temperature", "binary_sensor/door"])
    return made, lambda: publisher.publish("hall/sensor/temperature/state", "21.5")


def homeassistant(bench: Bench) -> tuple[DeviceConfig, Speak]:
    publisher, settings = bench.publisher()
    made = device("homeassistant", settings, ["id-t", "id-other"])
    config = {"uniq_id": "id-t", "stat_t": "any/where", "val_tpl": "{{ value_json.t }}"}
    publisher.publish("homeassistant/sensor/x/config", config, retain=True)
    return made, lambda: publisher.publish("any/where", {"t": 21.5})


def bacnet(bench: Bench) -> tuple[DeviceConfig, Speak]:
    served = BacnetDevice()
    bench.later.callback(served.stop)
    settings = {"host": "127.0.0.1", "port": served.port, "local": "127.0.0.1:0"}
    return device("bacnet", settings, ["analog-input,1", "binary-input,1"]), silent


CASES: dict[str, Callable[[Bench], tuple[DeviceConfig, Speak]]] = {
    case.__name__: case
    for case in (
        modbus_tcp,
        mqtt,
        senml,
        recording,
        health,
        modbus_rtu,
        files,
        http,
        serial_line,
        zigbee2mqtt,
        chirpstack,
        tasmota,
        esphome,
        homeassistant,
        bacnet,
    )
}
