"""Modbus TCP devices whose registers wander as real quantities do, in a process of their own.

python fault_plc.py PORT UNITS CHANNELS      # units 1..UNITS of CHANNELS input registers, until ended
"""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

# Kind, unit, resolution, middle, wander a reading, noise; a register holds value / resolution.
KINDS = (
    ("temperature", "Cel", 0.1, 21.0, 0.01, 0.06),
    ("humidity", "%RH", 0.1, 45.0, 0.02, 0.2),
    ("co2", "ppm", 1.0, 650.0, 0.5, 4.0),
    ("power", "W", 1.0, 300.0, 0.5, 3.0),
    ("pressure", "bar", 0.01, 3.0, 0.001, 0.01),
)


class _Unit:
    def __init__(self, number: int, channels: int) -> None:
        kinds = [KINDS[n % len(KINDS)] for n in range(channels)]
        self._step, self._middle, self._wander, self._noise = (
            np.array([kind[column] for kind in kinds]) for column in (2, 3, 4, 5)
        )
        self._chance, self._level = np.random.default_rng(number), np.zeros(channels)
        words = SimData(0, count=channels, values=0, datatype=DataType.REGISTERS)
        self.simulated = SimDevice(id=number, simdata=[words], action=self._asked)

    async def _asked(
        self, function: int, start: int, address: int, count: int, registers: list[int], values: object
    ) -> ExcCodes | None:
        """A fresh sample for each request."""
        if values is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        size = len(self._level)
        self._level += self._chance.normal(0, 1, size) * self._wander - 0.001 * self._level
        sample = self._middle + self._level + self._chance.normal(0, 1, size) * self._noise
        registers[:size] = np.clip(np.round(sample / self._step), 0, 65535).astype(int).tolist()
        return None


async def _serve(port: int, units: int, channels: int) -> None:
    devices = [_Unit(number, channels).simulated for number in range(1, units + 1)]
    await ModbusTcpServer(devices, address=("127.0.0.1", port)).serve_forever()


def settings(port: int, units: int, channels: int) -> str:
    """The same devices, as gateway.toml says them: each read once a second."""
    text = ""
    for unit in range(1, units + 1):
        text += (
            f'[[devices]]\nname = "plc{unit}"\ndriver = "modbus_tcp"\nperiod_s = 1.0\n'
            f'settings = {{ host = "127.0.0.1", port = {port}, unit = {unit} }}\n'
        )
        for channel in range(channels):
            kind, quantity, step, *_ = KINDS[channel % len(KINDS)]
            text += (
                f'[[devices.channels]]\nname = "plc{unit}/c{channel}"\nkind = "{kind}"\nunit = "{quantity}"\n'
                f'source = {{ register = {channel}, table = "input", type = "uint16" }}\n'
                f"scale = {step}\nresolution = {step}\n"
            )
    return text


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:4])))
