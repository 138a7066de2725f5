"""The promises every driver keeps, each against the real thing it speaks to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from driver_cases import CASES, Bench, Publisher, device
from edge_rig import START, ModbusServer, free_port, wait_until

from edge_agent.drivers.seam import Batch, Driver, DriverError, ExhaustedError
from edge_agent.drivers.table import DRIVERS, make_driver
from models.clock import SystemClock, VirtualClock
from models.errors import ConfigurationError

pytestmark = pytest.mark.integration


@pytest.fixture
def subject(request: Any, tmp_path: Path) -> Iterator[tuple[Driver, Callable[[], None]]]:
    """A driver, and what makes its device speak; two values are to be had."""
    bench = Bench(request, tmp_path)
    with bench.later:
        made, speak = CASES[request.param](bench)
        driver = make_driver(made, SystemClock())
        bench.later.callback(driver.close)
        yield driver, speak


def first_batch(driver: Driver, speak: Callable[[], None]) -> Batch:
    """What the device says, once it is heard; a subscription takes a moment to stand."""
    for _ in range(40):
        speak()
        batch = driver.read(0.3)
        if batch is not None and len(batch):
            return batch
        if batch is not None:  # a copy of what was said before, sent again by the broker
            driver.taken(batch)
    raise AssertionError("the driver heard nothing")


@pytest.mark.parametrize("subject", DRIVERS, indirect=True)
class TestEveryDriver:
    def test_driver_gives_samples_of_its_own_channels(self, subject):
        driver, speak = subject
        driver.open(None)
        batch = first_batch(driver, speak)
        assert len(batch.channel) == len(batch.value) > 0
        assert set(batch.channel.tolist()) <= {0, 1}
        assert batch.time is None or len(batch.time) == len(batch.value)

    def test_driver_closed_twice_and_opened_again_goes_on(self, subject):
        driver, speak = subject
        driver.open(None)
        first = first_batch(driver, speak)
        driver.taken(first)
        driver.close()
        driver.close()
        driver.open(first.cursor)
        assert len(first_batch(driver, speak)) == len(first)

    def test_driver_taken_after_close_is_harmless(self, subject):
        driver, speak = subject
        driver.open(None)
        batch = first_batch(driver, speak)
        driver.close()
        driver.taken(batch)

    def test_driver_never_opened_may_be_closed(self, subject):
        subject[0].close()


BROKER = {"host": "127.0.0.1", "port": 0}
# Settings that lead nowhere, a source, and what the complaint must name.
ABSENT: dict[str, tuple[dict[str, Any], Any]] = {
    "modbus_tcp": ({"host": "127.0.0.1", "port": 0}, {"register": 0}),
    "mqtt": ({**BROKER, "topic": "t"}, "t"),
    "senml": ({**BROKER, "topic": "t"}, "t"),
    "recording": ({"file": "/nowhere/none.csv"}, "t"),
    "modbus_rtu": ({"port": "/dev/none"}, {"register": 0}),
    "http": ({"url": "http://127.0.0.1:{port}/"}, "t"),
    "serial_line": ({"port": "/dev/none"}, {"channel": 1}),
    "zigbee2mqtt": ({**BROKER, "device": "hall"}, "t"),
    "chirpstack": ({**BROKER, "dev_eui": "0102030405060708"}, "object.t"),
    "tasmota": ({**BROKER, "device": "plug"}, "t"),
    "esphome": ({**BROKER, "node": "hall"}, "sensor/t"),
    "homeassistant": (BROKER, "t"),
}


@pytest.mark.parametrize("name", ABSENT)
def test_driver_without_its_device_says_what_to_check(name):
    template, source = ABSENT[name]
    port = free_port()
    settings = {k: port if v == 0 else v for k, v in template.items()}
    if "url" in settings:
        settings["url"] = settings["url"].replace("{port}", str(port))
    driver = make_driver(device(name, settings, [source]), SystemClock())
    with pytest.raises(DriverError) as raised:
        driver.open(None)
    assert raised.value.retry
    assert any(part in str(raised.value) for part in (str(port), "none.csv", "/dev/none"))


@pytest.mark.parametrize("name", DRIVERS)
def test_driver_refuses_a_setting_it_does_not_know(name):
    with pytest.raises(ConfigurationError) as raised:
        make_driver(device(name, {"colour": "red"}, ["t"]), SystemClock())
    assert raised.value.key.startswith("settings")


def test_unknown_driver_is_refused_by_name():
    with pytest.raises(ConfigurationError, match="modbus_tcp, mqtt"):
        make_driver(device("zigbee", {}, ["t"]), SystemClock())


# ---- what is particular


def test_modbus_reads_neighbours_together_and_every_type(modbus):
    server = modbus(
        [65535, 0, 1, 16968, 0, 0, 16968, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], [True, False]
    )
    sources = [
        {"register": 0, "type": "int16", "table": "input"},
        {"register": 0, "type": "uint16", "table": "input"},
        {"register": 1, "type": "int32", "table": "input"},
        {"register": 3, "type": "float32", "table": "input"},
        {"register": 5, "type": "float32", "table": "input", "word_order": "little"},
        {"register": 21, "type": "uint16", "table": "input"},
        {"register": 0, "table": "coil"},
        {"register": 1, "table": "discrete"},
    ]
    driver = make_driver(
        device("modbus_tcp", {"host": "127.0.0.1", "port": server.port}, sources), SystemClock()
    )
    driver.open(None)
    batch = driver.read(1.0)
    driver.close()
    assert batch.value.tolist() == [-1.0, 65535.0, 1.0, 50.0, 50.0, 9.0, 1.0, 0.0]
    assert [(address, count) for code, address, count in server.requests if code == 4] == [(0, 7), (21, 1)]


def test_modbus_asks_for_exactly_its_registers_where_a_gap_is_illegal(modbus):
    from pymodbus.simulator import DataType, SimData, SimDevice

    server = modbus([0])
    words = [
        SimData(0, values=[5], datatype=DataType.REGISTERS),
        SimData(4, values=[6], datatype=DataType.REGISTERS),
    ]
    flags = [SimData(0, values=[False], datatype=DataType.BITS)]
    other = ModbusServer([0])
    other._device = SimDevice(1, simdata=(flags, flags, words, words))
    other.start()
    assert server.port != other.port
    sources = [{"register": 0}, {"register": 4}]
    driver = make_driver(
        device("modbus_tcp", {"host": "127.0.0.1", "port": other.port}, sources), SystemClock()
    )
    driver.open(None)
    batches = [driver.read(1.0), driver.read(1.0)]
    driver.close()
    other.stop()
    assert [b.value.tolist() for b in batches if b is not None][-1] == [5.0, 6.0]


def mqtt(broker: Any, **settings: Any) -> Driver:
    base = {"host": "127.0.0.1", "port": broker.port, "topic": "z/+", "client_id": "agent"}
    return make_driver(
        device("mqtt", {**base, **settings}, ["temperature", "state", "data.t"]), SystemClock()
    )


def drain(driver: Driver, *, take: bool = True) -> list[float]:
    values: list[float] = []
    while (batch := driver.read(1.0)) is not None:
        values += batch.value.tolist()
        if take:
            driver.taken(batch)
    return values


def listening(driver: Driver, publisher: Publisher) -> None:
    """Open, and wait until the subscription stands."""
    driver.open(None)

    def heard() -> bool:
        publisher.publish("z/probe", {"probe": True})
        batch = driver.read(0.3)
        if batch is not None:
            driver.taken(batch)
        return batch is not None

    assert wait_until(heard)
    drain(driver)


def test_mqtt_reads_paths_words_and_device_time(broker):
    publisher = Publisher(broker.port)
    driver = mqtt(broker, time_path="at")
    listening(driver, publisher)
    publisher.publish("z/1", {"temperature": 21.5, "state": "ON", "data": {"t": "7"}, "at": START / 1e9})
    batch = driver.read(3.0)
    driver.close()
    publisher.close()
    assert batch.value.tolist() == [21.5, 1.0, 7.0]
    assert batch.time.tolist() == [START] * 3


def test_mqtt_message_that_is_no_json_jams_nothing(broker):
    publisher = Publisher(broker.port)
    driver = mqtt(broker)
    listening(driver, publisher)
    for payload in (b"\xff\xfe", b"{", b"[" * 5000, b'{"temperature": {"deep": 1}}', b'{"temperature": 5}'):
        publisher.publish("z/1", payload)
    values = drain(driver)
    driver.close()
    publisher.close()
    assert values[-1] == 5.0


def test_mqtt_unacknowledged_messages_come_again_and_known_ones_are_dropped(broker):
    """The agent dies after spooling three of five messages and acknowledging none."""
    publisher = Publisher(broker.port)
    first = mqtt(broker, counter_path="n")
    listening(first, publisher)
    for n in range(5):
        publisher.publish("z/1", {"temperature": n, "n": n})
    spooled = [first.read(2.0) for _ in range(3)]
    first.close()
    second = mqtt(broker, counter_path="n")
    second.open(spooled[-1].cursor)
    rest = drain(second)
    second.close()
    publisher.close()
    assert [v for batch in spooled for v in batch.value.tolist()] + rest == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_mqtt_device_that_restarts_its_counter_is_heard(broker):
    publisher = Publisher(broker.port)
    driver = mqtt(broker, counter_path="n")
    listening(driver, publisher)
    for n, t in [(100, 1), (101, 2), (0, 3), (1, 4), (1, 4)]:
        publisher.publish("z/1", {"temperature": t, "n": n})
    values = drain(driver)
    driver.close()
    publisher.close()
    assert values == [1.0, 2.0, 3.0, 4.0]


def test_mqtt_broker_killed_is_an_error_to_try_again(broker):
    driver = mqtt(broker)
    driver.open(None)
    broker.kill()
    with pytest.raises(DriverError):
        for _ in range(50):
            driver.read(0.3)
    driver.close()


def test_senml_reads_json_and_cbor_by_resolved_name(broker):
    import cbor2

    publisher = Publisher(broker.port)
    made = device(
        "senml", {"host": "127.0.0.1", "port": broker.port, "topic": "z/+", "client_id": "s"},
        ["lift:load", "lift:door"],
    )  # fmt: skip
    driver = make_driver(made, SystemClock())
    listening(driver, publisher)
    publisher.publish(
        "z/1", b'[{"bn":"lift:","bt":1800000000,"n":"load","v":80},{"n":"door","vb":true},{"n":"x","v":1}]'
    )
    publisher.publish("z/1", cbor2.dumps([{-2: "lift:", 0: "load", 2: 81}]))
    first, second = driver.read(3.0), driver.read(3.0)
    driver.close()
    publisher.close()
    assert (first.channel.tolist(), first.value.tolist()) == ([0, 1], [80.0, 1.0])
    assert first.time.tolist() == [1800000000 * 10**9] * 2
    assert second.value.tolist() == [81.0]


def recording(path: Path, sources: list[str], **settings: Any) -> Driver:
    made = device("recording", {"file": str(path), **settings}, sources, period_s=2.0)
    return make_driver(made, VirtualClock(START))


def test_recording_goes_on_at_its_cursor_and_ends(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("a\n1\nNA\n3\n")
    driver = recording(path, ["a"])
    driver.open(None)
    first = driver.read(1.0)
    driver.close()
    again = recording(path, ["a"])
    again.open(first.cursor)
    rest = [again.read(1.0), again.read(1.0)]
    assert first.value.tolist() == [1.0]
    assert str(rest[0].value[0]) == "nan"
    assert rest[1].value.tolist() == [3.0]
    with pytest.raises(ExhaustedError):
        again.read(1.0)
    again.close()


def test_recording_played_fast_ends_now_a_period_apart(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("a,b\n1,10\n2,20\n3,30\n")
    driver = recording(path, ["a", "b"], pace="fast")
    driver.open(None)
    batch = driver.read(1.0)
    driver.close()
    assert batch.value.tolist() == [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]
    assert batch.time.tolist()[::2] == [START - 4 * 10**9, START - 2 * 10**9, START]


def test_recording_at_its_recorded_times_and_in_a_loop(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("at,a\n2025-01-01 00:00,1\n2025-01-01 01:00,2\n")
    driver = recording(path, ["a"], pace="fast", start="recorded", time_column="at")
    driver.open(None)
    assert driver.read(1.0).time.tolist() == [1735689600 * 10**9, 1735693200 * 10**9]
    driver.close()
    looped = recording(path, ["a"], loop=True)
    looped.open("3")
    assert [looped.read(1.0).value.tolist() for _ in range(3)] == [[2.0], [1.0], [2.0]]
    looped.close()
