"""Modbus RTU on a shared line, against pymodbus's own serial server over pseudo terminals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from driver_cases import device
from edge_rig import ModbusServer
from serial_rig import SerialLine, SerialModbus

from edge_agent.drivers.seam import Driver, DriverError
from edge_agent.drivers.serial_bus import BUSES
from edge_agent.drivers.table import make_driver
from models.clock import SystemClock

pytestmark = pytest.mark.integration


@pytest.fixture
def line() -> Iterator[SerialLine]:
    made = SerialLine()
    yield made
    made.close()


@pytest.fixture
def serve(line: SerialLine) -> Iterator[Callable[..., SerialModbus]]:
    made: list[SerialModbus] = []

    def start(units: dict[int, list[int]], **more: Any) -> SerialModbus:
        made.append(SerialModbus(line.far, units, **more))
        return made[-1]

    yield start
    for server in made:
        server.stop()


def unit(line: SerialLine, number: int, sources: list[Any] | None = None, **settings: Any) -> Driver:
    base = {"port": line.near, "unit": number, "baud": 19200, "timeout_s": 0.5}
    return make_driver(
        device("modbus_rtu", {**base, **settings}, sources or [{"register": 0}]), SystemClock()
    )


def test_units_on_one_line_take_turns_and_never_hear_each_other(line, serve):
    server = serve({number: [number * 100] for number in (1, 2, 3)})
    drivers = {number: unit(line, number) for number in (1, 2, 3)}
    heard: dict[int, set[float]] = {number: set() for number in drivers}

    def poll(number: int, driver: Driver) -> None:
        driver.open(None)
        for _ in range(20):
            heard[number].update(driver.read(1.0).value.tolist())

    threads = [threading.Thread(target=poll, args=each) for each in drivers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for driver in drivers.values():
        driver.close()
    assert heard == {1: {100.0}, 2: {200.0}, 3: {300.0}}
    assert len(server.requests) == 60


def test_a_unit_that_is_not_there_costs_the_others_nothing_but_time(line, serve):
    serve({1: [100], 2: [200]})
    there, gone = unit(line, 1), unit(line, 9)
    there.open(None)
    gone.open(None)
    with pytest.raises(DriverError, match=r"unit 9 .*19200 8N1.*check its power"):
        gone.read(1.0)
    gone.close()
    assert there.read(1.0).value.tolist() == [100.0]
    there.close()


def test_the_same_plan_as_modbus_tcp(line, serve, modbus: Callable[..., ModbusServer]):
    registers = [65535, 0, 1, 16968, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]
    sources = [
        {"register": 0, "type": "int16", "table": "input"},
        {"register": 1, "type": "int32", "table": "input"},
        {"register": 3, "type": "float32", "table": "input"},
        {"register": 21, "type": "uint16", "table": "input"},
        {"register": 0, "table": "coil"},
    ]
    server, other = serve({1: registers}), modbus(registers, [True])
    serial = unit(line, 1, sources)
    network = make_driver(
        device("modbus_tcp", {"host": "127.0.0.1", "port": other.port}, sources), SystemClock()
    )
    values = []
    for driver in (serial, network):
        driver.open(None)
        values.append(driver.read(1.0).value.tolist())
        driver.close()
    assert values[0] == values[1] == [-1.0, 1.0, 50.0, 9.0, 1.0]
    assert [request[1:] for request in server.requests] == other.requests


def test_a_wire_that_is_cut_and_mended(line, serve):
    serve({1: [100]})
    driver = unit(line, 1)
    driver.open(None)
    line.is_cut = True
    with pytest.raises(DriverError, match="no answer"):
        driver.read(1.0)
    driver.close()
    line.is_cut = False
    driver.open(None)
    assert driver.read(1.0).value.tolist() == [100.0]
    driver.close()


def test_two_speeds_on_one_line_are_refused_in_words(line, serve):
    first, second = unit(line, 1), unit(line, 2, baud=9600)
    first.open(None)
    with pytest.raises(DriverError, match=r"another device speaks on .*19200 8N1"):
        second.open(None)
    second.close()
    first.close()


def test_the_last_one_to_leave_closes_the_line(line, serve):
    first, second = unit(line, 1), unit(line, 2)
    for driver in (first, second):
        driver.open(None)
    assert line.near in BUSES.open_ports()
    first.close()
    assert line.near in BUSES.open_ports()
    second.close()
    assert line.near not in BUSES.open_ports()


def test_a_port_that_may_not_be_opened_says_which_group(line, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # the tests run as root, whom no permission stops
    with pytest.raises(DriverError, match="usermod -aG dialout"):
        unit(line, 1).open(None)
