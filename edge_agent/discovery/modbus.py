"""Asks Modbus units one after another for their first registers. What these mean only a manual says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from edge_agent.discovery.kinds import Quantity
from edge_agent.discovery.proposal import ProposedChannel, ProposedDevice
from edge_agent.drivers.modbus_plan import Request, Table
from edge_agent.drivers.modbus_reading import send
from edge_agent.drivers.seam import DriverError
from edge_agent.drivers.serial_port import LineOptions, check_port

_REGISTERS = 10
_TABLES: tuple[Table, ...] = ("input", "holding")
# A converter says with these that nobody answered behind it.
_FROM_A_CONVERTER = (10, 11)
_UNKNOWN = Quantity("unknown", "", 1.0)
_COMMON_LINES = ((9600, "N"), (19200, "E"), (19200, "N"), (9600, "E"))


def scan_tcp(host: str, port: int, units: range, timeout_s: float = 0.5) -> list[ProposedDevice]:
    """Units behind an address. DriverError when nobody listens there."""
    from pymodbus.client import ModbusTcpClient

    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    client = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)
    try:
        if not client.connect():
            raise DriverError(f"no Modbus TCP at {host}:{port}; check power, cable, address")
        settings = {"host": host, "port": port}
        return list(_scan(client, units, lambda unit: ("modbus_tcp", {**settings, "unit": unit})))
    finally:
        client.close()


def scan_serial(port: str, units: range, timeout_s: float = 0.15) -> list[ProposedDevice]:
    """Units on a line, at the speeds that are usual; those of the first speed at which one answers."""
    from pymodbus.client import ModbusSerialClient

    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    check_port(port)
    for baud, parity in _COMMON_LINES:
        line = LineOptions.model_validate({"port": port, "baud": baud, "parity": parity})
        client = ModbusSerialClient(port, baudrate=baud, parity=parity, timeout=timeout_s, retries=0)
        try:
            if not client.connect():
                raise DriverError(f"{port} cannot be opened; does another program hold it?")
            found = list(_scan(client, units, lambda unit, line=line: ("modbus_rtu", _line(line, unit))))
        finally:
            client.close()
        if found:
            return found
    return []


def _line(line: LineOptions, unit: int) -> dict[str, Any]:
    return {"port": line.port, "baud": line.baud, "parity": line.parity, "unit": unit}


def _scan(
    client: Any, units: range, settings: Callable[[int], tuple[str, dict[str, Any]]]
) -> Iterator[ProposedDevice]:
    for unit in units:
        if _ask(client, unit, Request("input", 0, 1, ())) is None:
            continue  # silence, unlike a refusal, is the same for every table
        channels = [channel for table in _TABLES for channel in _table(client, unit, table)]
        if channels:
            driver, own = settings(unit)
            about = "its manual says what the registers are: give kind, unit, type and scale"
            yield ProposedDevice(f"{driver.replace('_', '-')}-{unit}", driver, own, tuple(channels), about)


def _table(client: Any, unit: int, table: Table) -> list[ProposedChannel]:
    """The registers of a table that are not zero, or the first one; all at once, else one by one."""
    words = _ask(client, unit, Request(table, 0, _REGISTERS, ()))
    if words is None:
        return []
    if not words:
        singles = [_ask(client, unit, Request(table, at, 1, ())) for at in range(_REGISTERS)]
        found = {at: single[0] for at, single in enumerate(singles) if single}
    else:
        found = dict(enumerate(words))
    chosen = {at: word for at, word in found.items() if word} or dict(list(found.items())[:1])
    return [
        ProposedChannel(
            f"{table}-{at}",
            _UNKNOWN,
            {"register": at, "table": table, "type": "uint16"},
            f"said {word}",
        )
        for at, word in chosen.items()
    ]


def _ask(client: Any, unit: int, request: Request) -> list[int] | None:
    """The words; empty for a unit that refuses; None when nobody answers."""
    from pymodbus.exceptions import ModbusException

    try:
        answer = send(client, request, unit)
    except (ModbusException, OSError):
        return None
    if answer.isError():
        return None if getattr(answer, "exception_code", 0) in _FROM_A_CONVERTER else []
    return list(answer.registers)
