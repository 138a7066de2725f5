"""A Modbus line that several devices of this gateway share: one opens it, the last one to leave closes it.

On a bus with one pair of wires only one request may be under way. Each device runs in a thread of its own, so
they take turns here.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from edge_agent.drivers.modbus_plan import Request
from edge_agent.drivers.modbus_reading import send
from edge_agent.drivers.seam import DriverError
from edge_agent.drivers.serial_port import LineOptions, check_port
from models.clock import Clock

# Modbus over serial line 1.02: a frame ends with 3.5 characters of silence, above 19200 baud with 1.75 ms.
_SILENT_CHARACTERS = 3.5
_SHORTEST_SILENCE_S = 0.00175
# An answer that came too late must have passed before another unit is asked.
_SILENCE_AFTER_FAILURE_S = 0.05


class SerialBus:
    """One open line. All methods may be called from any thread."""

    def __init__(self, line: LineOptions, timeout_s: float, clock: Clock) -> None:
        self.line, self._clock = line, clock
        self._turn = threading.Lock()
        self.members = 0
        self._timeout_s = timeout_s
        self._silence_s = max(_SILENT_CHARACTERS * line.character_s, _SHORTEST_SILENCE_S)
        self._client = self._open()

    def ask(self, request: Request, unit: int, timeout_s: float) -> Any:
        """pymodbus's answer of `unit`, when it is our turn. DriverError when there is none."""
        from pymodbus.exceptions import ModbusException

        with self._turn:
            self._client.comm_params.timeout_connect = timeout_s
            try:
                answer = send(self._client, request, unit)
            except (ModbusException, OSError) as wrong:
                self._clock.sleep(_SILENCE_AFTER_FAILURE_S)
                check_port(self.line.port)
                raise DriverError(
                    f"no answer from unit {unit} on {self.line.words}; check its power, its unit number, "
                    "speed and parity, and whether A and B are swapped"
                ) from wrong
            self._clock.sleep(self._silence_s)
            return answer

    def close(self) -> None:
        """Let go of the line, after whoever has the turn."""
        with self._turn:
            self._client.close()

    def _open(self) -> Any:
        from pymodbus.client import ModbusSerialClient

        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        check_port(self.line.port)
        client = ModbusSerialClient(
            self.line.port,
            baudrate=self.line.baud,
            parity=self.line.parity,
            stopbits=self.line.stop_bits,
            timeout=self._timeout_s,
            retries=0,
        )
        if not client.connect():
            raise DriverError(f"{self.line.port} cannot be opened; does another program hold it?")
        return client


class SerialBuses:
    """The lines open in this process, by port."""

    def __init__(self) -> None:
        self._open: dict[str, SerialBus] = {}
        self._lock = threading.Lock()

    def join(self, line: LineOptions, timeout_s: float, clock: Clock) -> SerialBus:
        """The bus of `line`, opened if nobody has. DriverError when it is spoken at another speed."""
        with self._lock:
            bus = self._open.get(line.port)
            if bus is None:
                bus = self._open[line.port] = SerialBus(line, timeout_s, clock)
            elif bus.line != line:
                raise DriverError(
                    f"another device speaks on {bus.line.words}; all on one line need the same speed"
                )
            bus.members += 1
            return bus

    def open_ports(self) -> list[str]:
        """Ports that some device holds."""
        with self._lock:
            return sorted(self._open)

    def leave(self, bus: SerialBus) -> None:
        """One member fewer; the last one closes the line."""
        with self._lock:
            bus.members -= 1
            if bus.members == 0:
                del self._open[bus.line.port]
                bus.close()


# Shared by all devices of the process; nothing is opened until one joins.
BUSES = SerialBuses()
