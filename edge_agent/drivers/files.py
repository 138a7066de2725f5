"""Sensors that Linux itself reads: 1-wire thermometers, IIO and hwmon devices, or any file with a number."""

from __future__ import annotations

import math
from pathlib import Path

from pydantic import model_validator

from edge_agent.drivers.kernel_files import POWER_ON_C, hwmon_value, iio_value, thermometer
from edge_agent.drivers.options import read_options, read_source
from edge_agent.drivers.seam import Batch, DriverError
from models.clock import Clock
from models.configuration import DeviceConfig, Strict

_NEAR_POWER_ON_C = 5.0


class FilesOptions(Strict):
    """Settings of this machine's files."""

    root: str = "/sys"


class FileSource(Strict):
    """Where a channel is found: `w1` by its id, `iio` and `hwmon` by their name and channel, or a `file`.

    Names, because numbers (`hwmon3`) change from one start to the next. `at` is a part of the real path (such
    as an I2C address) that tells two devices of one name apart.
    """

    w1: str = ""
    iio: str = ""
    hwmon: str = ""
    file: str = ""
    channel: str = ""
    at: str = ""

    @model_validator(mode="after")
    def _is_one_of_four(self) -> FileSource:
        if sum(bool(name) for name in (self.w1, self.iio, self.hwmon, self.file)) != 1:
            raise ValueError("exactly one of w1, iio, hwmon, file")
        if bool(self.iio or self.hwmon) != bool(self.channel):
            raise ValueError("a channel, such as in_temp or temp1, with iio and hwmon alone")
        return self


class FilesDriver:
    """Reads every file each time it is asked. One that cannot be read gives NaN as long as others can."""

    is_polled = True
    owns_time = False

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._root = Path(read_options(device, FilesOptions).root)
        self._sources = [read_source(device, i, FileSource) for i in range(len(device.channels))]
        self._believed = [math.nan] * len(self._sources)

    def open(self, cursor: str | None) -> None:
        """Nothing is held open: each reading of such a file is a new measurement."""

    def read(self, wait_s: float) -> Batch | None:
        values, wrong = [], []
        for index, source in enumerate(self._sources):
            try:
                values.append(self._value(index, source))
            except (OSError, ValueError, DriverError) as missing:
                values.append(math.nan)
                wrong.append(str(missing))
        if len(wrong) == len(values):
            raise DriverError(wrong[0])
        return Batch.of(list(range(len(values))), values)

    def taken(self, batch: Batch) -> None:
        """Nobody to tell."""

    def close(self) -> None:
        """Nothing is held."""

    def _value(self, index: int, source: FileSource) -> float:
        if source.w1:
            return self._thermometer(index, source.w1)
        if source.iio:
            return iio_value(self._named("bus/iio/devices", source.iio, source.at), source.channel)
        if source.hwmon:
            return hwmon_value(self._named("class/hwmon", source.hwmon, source.at), source.channel)
        path = self._root / source.file
        try:
            return float(path.read_text(encoding="ascii", errors="replace").split()[0])
        except IndexError:
            raise DriverError(f"{path} is empty") from None

    def _thermometer(self, index: int, name: str) -> float:
        file = self._root / "bus/w1/devices" / name / "w1_slave"
        if not file.exists():
            raise DriverError(
                f"no 1-wire sensor {name}; check its wires, the 4.7 kohm resistor, "
                "and that w1-gpio is switched on"
            )
        value = thermometer(file.read_text(encoding="ascii", errors="replace"))
        before = self._believed[index]
        if value == POWER_ON_C and not abs(before - POWER_ON_C) <= _NEAR_POWER_ON_C:
            return math.nan
        if not math.isnan(value):
            self._believed[index] = value
        return value

    def _named(self, folder: str, name: str, at: str) -> Path:
        """The one device of that name."""
        everyone = self._root / folder
        devices = sorted(everyone.iterdir()) if everyone.is_dir() else []
        names = {device: _name_of(device) for device in devices}
        found = [device for device in devices if names[device] == name and at in str(device.resolve())]
        if len(found) == 1:
            return found[0]
        if found:
            raise DriverError(f"{len(found)} devices named {name}; say which with `at`: {_places(found)}")
        there = ", ".join(sorted({name for name in names.values() if name})) or "none"
        raise DriverError(f"no device named {name} in {everyone}; there are: {there}")


def _name_of(device: Path) -> str:
    try:
        return (device / "name").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _places(devices: list[Path]) -> str:
    return ", ".join(str(device.resolve()) for device in devices)
