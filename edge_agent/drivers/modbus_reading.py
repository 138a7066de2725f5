"""All registers of one Modbus unit, read by few requests, whatever carries them: TCP or a serial line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edge_agent.drivers.modbus_plan import RegisterSource, Request, plan_requests, value_of
from edge_agent.drivers.seam import Batch, DriverError

_ILLEGAL_ADDRESS = 2
# Sends one request and gives pymodbus's answer. DriverError: there was none; the message says what to check.
Ask = Callable[[Request], Any]


class RegisterReader:
    """Plans the requests of a unit's channels, and learns once when addresses between them do not exist.

    No retry here: asking again is the sampler's, and a device would take it as a sign that it was heard.
    """

    def __init__(self, sources: Sequence[RegisterSource], unit: int) -> None:
        self._sources, self._unit = sources, unit
        self._requests = plan_requests(sources)
        self._bridges = True

    def read(self, ask: Ask) -> Batch | None:
        """A value for each channel; None when requests were planned anew: poll again."""
        values = [float("nan")] * len(self._sources)
        for request in self._requests:
            words = self._words(request, ask)
            if words is None:
                return None
            for index in request.members:
                source = self._sources[index]
                at = source.register_ - request.start
                values[index] = value_of(source, words[at : at + source.size])
        return Batch.of(list(range(len(values))), values)

    def _words(self, request: Request, ask: Ask) -> list[int] | None:
        answer = ask(request)
        if answer.isError():
            return self._refused(request, answer)
        words = list(answer.bits if request.table in ("discrete", "coil") else answer.registers)
        if len(words) < request.count:
            raise DriverError(f"asked for {request.count} values from {request.start}, got {len(words)}")
        return words

    def _refused(self, request: Request, answer: Any) -> list[int] | None:
        code = getattr(answer, "exception_code", 0)
        if code == _ILLEGAL_ADDRESS and self._bridges:
            # Addresses between our channels may not exist; ask for exactly ours from now on.
            self._bridges = False
            self._requests = plan_requests(self._sources, gap=0)
            return None
        raise DriverError(
            f"unit {self._unit} refused {request.table} {request.start}+{request.count} (code {code}); "
            "check table, register and type in the device's manual"
        )


def send(client: Any, request: Request, unit: int) -> Any:
    """`request` through a pymodbus client, which raises ModbusException or OSError when nobody answers."""
    ask = {
        "input": client.read_input_registers,
        "holding": client.read_holding_registers,
        "discrete": client.read_discrete_inputs,
        "coil": client.read_coils,
    }[request.table]
    return ask(request.start, count=request.count, device_id=unit)
