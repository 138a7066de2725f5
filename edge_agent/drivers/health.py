"""The gateway's own health as channels, through psutil."""

from __future__ import annotations

import time
from collections.abc import Callable

from pydantic import Field

from edge_agent.drivers.options import read_options, source_text
from edge_agent.drivers.seam import Batch, setting_fault
from models.clock import Clock
from models.configuration import DeviceConfig, Strict


class HealthOptions(Strict):
    """Settings of the gateway's own health."""

    disk: str = Field(default="/", description="a path on the file system whose filling is measured")


class HealthDriver:
    """Measures the machine it runs on; what a machine cannot tell is NaN, and so marked invalid."""

    is_polled = True
    owns_time = False

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._disk = read_options(device, HealthOptions).disk
        expected = "one of " + ", ".join(_MEASURES)
        self._names = [source_text(device, i, expected) for i in range(len(device.channels))]
        for index, name in enumerate(self._names):
            if name not in _MEASURES:
                raise setting_fault(
                    device, f"channels[{index}].source", f"unknown measure {name!r}", expected
                )

    def open(self, cursor: str | None) -> None:
        import psutil

        psutil.cpu_percent()  # the first call only sets its mark

    def read(self, wait_s: float) -> Batch | None:
        values = [_MEASURES[name](self._disk) for name in self._names]
        return Batch.of(list(range(len(values))), values)

    def taken(self, batch: Batch) -> None:
        """Nobody to tell."""

    def close(self) -> None:
        """Nothing is held."""


def measure(name: str, disk: str = "/") -> float:
    """One measure by name; NaN where this machine has no such thing."""
    return _MEASURES[name](disk)


def _cpu_temperature(_: str) -> float:
    import psutil

    sensors = getattr(psutil, "sensors_temperatures", dict)() or {}
    for chip in ("cpu_thermal", "coretemp", "k10temp", "acpitz", *sensors):
        if sensors.get(chip):
            return float(sensors[chip][0].current)
    return float("nan")


def _cpu_percent(_: str) -> float:
    import psutil

    return float(psutil.cpu_percent())


def _load_1m(_: str) -> float:
    import psutil

    return float(psutil.getloadavg()[0])


def _memory_percent(_: str) -> float:
    import psutil

    return float(psutil.virtual_memory().percent)


def _disk_percent(path: str) -> float:
    import psutil

    try:
        return float(psutil.disk_usage(path).percent)
    except OSError:
        return float("nan")


def _uptime(_: str) -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


_MEASURES: dict[str, Callable[[str], float]] = {
    "cpu_temperature_c": _cpu_temperature,
    "cpu_percent": _cpu_percent,
    "load_1m": _load_1m,
    "memory_percent": _memory_percent,
    "disk_percent": _disk_percent,
    "uptime_s": _uptime,
}
