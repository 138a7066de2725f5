"""Device servers, asked as a gateway would: a real pymodbus client, a real mosquitto."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pymodbus.client import AsyncModbusTcpClient
from sim_rig import NOON_S, device_broker, make_plan, wait_for

from firmware_sim.device import Device
from firmware_sim.ledger import DeviceLedger, Ledger, read_ledger
from firmware_sim.modbus_devices import ModbusDevices
from firmware_sim.mqtt_devices import MqttDevice
from firmware_sim.plan import Plan
from firmware_sim.timeline import Happening, Timeline

BOILER = 2
WORDS = 6


class Rig:
    """The first gateway's Modbus devices, listening, with a clock that stands where it is put."""

    def __init__(self, plan: Plan, ledger_file: Path, faults: list[Happening] | None = None) -> None:
        self.now_s, self.port, self.file = NOON_S, plan.ports["gw-b1"].modbus, ledger_file
        street = plan.street(NOON_S)
        street.timeline = Timeline(faults or [])
        devices = [d for d in street.devices("gw-b1") if d.type.protocol == "modbus"]
        self.ledger = Ledger(ledger_file)
        self.devices = ModbusDevices(devices, plan.units, self.port, self.ledger, lambda: self.now_s)

    async def client(self, timeout: float = 2.0, retries: int = 0) -> AsyncModbusTcpClient:
        client = AsyncModbusTcpClient(
            "127.0.0.1", port=self.port, timeout=timeout, retries=retries, reconnect_delay=0
        )
        assert await client.connect()
        return client

    def told(self) -> DeviceLedger:
        return read_ledger(self.file).get("boiler", DeviceLedger())

    def sure(self) -> list[int]:
        return [number for number, sample in self.told().told.items() if sample.is_sure]


async def ask(client: AsyncModbusTcpClient, start: int = 0, count: int = WORDS) -> list[int]:
    answer = await client.read_input_registers(start, count=count, device_id=BOILER)
    assert not answer.isError()
    return answer.registers


def story(folder: Path, tell, faults: list[Happening] | None = None) -> None:
    async def whole() -> None:
        rig = Rig(make_plan(folder), folder / "ledger.jsonl", faults)
        await rig.devices.start()
        try:
            await tell(rig)
        finally:
            await rig.devices.stop()

    asyncio.run(whole())


def test_each_request_of_the_counter_is_a_sample_and_what_is_served_is_in_the_ledger(tmp_path: Path) -> None:
    async def tell(rig: Rig) -> None:
        client = await rig.client()
        served = []
        for second in range(5):
            rig.now_s = NOON_S + second
            served.append(await ask(client))
        assert [words[:2] for words in served] == [[0, n] for n in range(1, 6)]
        for words in served:
            raw = rig.told().told[words[1]].raw
            assert words[2:5] == [raw["flow-temperature"], raw["return-temperature"], raw["pressure"]]
        assert rig.told().told[3].at_ns == round((NOON_S + 2) * 1e9)
        client.close()

    story(tmp_path, tell)


def test_other_registers_are_read_from_the_sample_before(tmp_path: Path) -> None:
    async def tell(rig: Rig) -> None:
        client = await rig.client()
        first = await ask(client)
        assert await ask(client, start=2, count=4) == first[2:]
        assert rig.told().highest == 1
        client.close()

    story(tmp_path, tell)


def test_a_sample_is_sure_only_once_the_same_connection_asks_again(tmp_path: Path) -> None:
    async def tell(rig: Rig) -> None:
        first, other = await rig.client(), await rig.client()
        await ask(first)
        await ask(other)
        assert rig.sure() == []
        await ask(first)
        assert rig.sure() == [1]
        first.close()
        again = await rig.client()
        await ask(again)
        assert rig.sure() == [1], "what was told on a broken connection stays unsure"
        other.close()
        again.close()

    story(tmp_path, tell)


def test_a_repeated_transaction_makes_nothing_sure(tmp_path: Path) -> None:
    request = bytes.fromhex("000700000006") + bytes([BOILER, 4, 0, 0, 0, WORDS])

    async def tell(rig: Rig) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        for _ in range(2):
            writer.write(request)
            await reader.readexactly(9 + 2 * WORDS)
        assert rig.told().highest == 2 and rig.sure() == []
        writer.write(bytes([0, 8]) + request[2:])
        await reader.readexactly(9 + 2 * WORDS)
        assert rig.sure() == [2], "the first answer may have been taken for late"
        writer.close()

    story(tmp_path, tell)


def test_a_silent_device_does_not_answer_and_its_neighbours_do(tmp_path: Path) -> None:
    async def tell(rig: Rig) -> None:
        client = await rig.client(timeout=0.3)
        rig.now_s = NOON_S + 15
        with pytest.raises(Exception, match="No response"):
            await ask(client)
        lift = await client.read_input_registers(0, count=2, device_id=4)
        assert lift.registers == [0, 1]
        rig.now_s = NOON_S + 25
        assert (await ask(client))[1] == 1
        client.close()

    story(tmp_path, tell, [Happening(0, "dropout", 10.0, 10.0, device="boiler")])


def test_a_stuck_channel_stands_still_while_the_others_go_on(tmp_path: Path) -> None:
    async def tell(rig: Rig) -> None:
        client = await rig.client()
        rows = []
        for second in range(60):
            rig.now_s = NOON_S + second
            rows.append(await ask(client))
        stuck, free = {row[4] for row in rows[10:]}, {row[2] for row in rows[10:]}
        assert len(stuck) == 1 and len(free) > 3
        client.close()

    story(tmp_path, tell, [Happening(0, "stuck", 5.0, 90.0, device="boiler", channel="pressure")])


def test_writing_to_a_device_is_refused(tmp_path: Path) -> None:
    async def tell(rig: Rig) -> None:
        client = await rig.client()
        answer = await client.write_register(2, 7, device_id=BOILER)
        assert answer.isError()
        client.close()

    story(tmp_path, tell)


def mqtt_devices(plan: Plan, ledger: Ledger, now_s: float = NOON_S) -> list[MqttDevice]:
    street = plan.street(NOON_S)
    devices: list[Device] = [d for d in street.devices("gw-b1") if d.type.protocol != "modbus"]
    return [MqttDevice(device, plan.ports["gw-b1"].broker, ledger, lambda: now_s) for device in devices]


@pytest.mark.integration
@pytest.mark.needs("mosquitto")
def test_mqtt_devices_are_heard_and_sure_once_somebody_listens(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    port = plan.ports["gw-b1"].broker
    heard: dict[str, object] = {}
    with device_broker(tmp_path / "gw-b1" / "broker.conf", port):
        ledger = Ledger(tmp_path / "ledger.jsonl")
        devices = mqtt_devices(plan, ledger)
        for device in devices:
            device.start()
        for device in devices:
            wait_for(device.publish)  # nobody listens: told, never sure
        wait_for(lambda: not any(device.unanswered for device in devices))

        listener = _listener(port, heard)
        for device in devices:
            assert device.publish()
        wait_for(lambda: len(heard) == len(devices))
        told = read_ledger(tmp_path / "ledger.jsonl")
        wait_for(lambda: all(d.told[2].is_sure for d in read_ledger(tmp_path / "ledger.jsonl").values()))
        assert not any(device.told[1].is_sure for device in told.values())
        listener.disconnect()
        listener.loop_stop()
        for device in devices:
            device.stop()

    climate = heard["zigbee2mqtt/flat-302-climate"]
    assert climate["counter"] == 2 and isinstance(climate["occupancy"], bool)
    assert climate["temperature"] == told["flat-302-climate"].told[2].raw["temperature"]
    meter = heard["meters/flat-302-water"]
    assert meter["seq"] == 2 and meter["time"] == round(NOON_S * 1000)
    assert meter["meter"]["flow_l_min"] == told["flat-302-water"].told[2].raw["flow"]
    pack = heard["senml/mains-b1"]
    assert pack[0]["bn"] == "urn:dev:ops:street-mains-b1:" and pack[-1] == {"n": "counter", "v": 2}


def _listener(port: int, heard: dict[str, object]) -> mqtt.Client:
    listener = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    subscribed: list[object] = []
    listener.on_subscribe = lambda *rest: subscribed.append(rest)
    listener.on_message = lambda _c, _u, message: heard.update({message.topic: json.loads(message.payload)})
    listener.connect("127.0.0.1", port, properties=Properties(PacketTypes.CONNECT))
    listener.subscribe("#", qos=1)
    listener.loop_start()
    wait_for(lambda: bool(subscribed))
    return listener
