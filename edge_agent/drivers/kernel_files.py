"""Numbers out of the files in which Linux shows its sensors: 1-wire thermometers, IIO, hwmon.

    OSError, ValueError    raised here for a file that is gone, not readable now, or holds no number

Values come in the units people use: the kernel's milli and micro are taken off.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

# The scratchpad of a DS18B20 after power-on, before its first conversion: 85 degrees exactly.
POWER_ON_C = 85.0
_SCRATCHPAD = re.compile(r"^((?:[0-9a-f]{2} ){9}): crc=[0-9a-f]{2} (YES|NO)\s*$", re.MULTILINE)
_MILLIDEGREES = re.compile(r"t=(-?\d+)")
# Documentation/ABI/testing/sysfs-bus-iio: what a channel is in, once offset and scale are applied.
_IIO_FACTORS = {"temp": 1e-3, "humidityrelative": 1e-3, "voltage": 1e-3, "current": 1e-3, "power": 1e-3}
# Documentation/hwmon/sysfs-interface.rst.
_HWMON_FACTORS = {"temp": 1e-3, "humidity": 1e-3, "in": 1e-3, "curr": 1e-3, "power": 1e-6, "energy": 1e-6}


def thermometer(text: str) -> float:
    """Degrees Celsius in what a `w1_slave` file holds; NaN when the bytes came damaged or are none at all.

    >>> thermometer("72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\\n72 01 4b 46 7f ff 0e 10 57 t=23125\\n")
    23.125
    >>> thermometer("ff ff ff ff ff ff ff ff ff : crc=c9 NO\\n72 01 4b 46 7f ff 0e 10 57 t=23125\\n")
    nan
    """
    checked, told = _SCRATCHPAD.search(text), _MILLIDEGREES.search(text)
    if checked is None or told is None:
        raise ValueError("not what w1_therm writes")
    # A line pulled to ground reads as zeros, and the check of zeros is zero: YES.
    if checked[2] == "NO" or not any(bytes.fromhex(checked[1])):
        return math.nan
    return int(told[1]) / 1000


def iio_value(folder: Path, channel: str) -> float:
    """A channel (`in_temp`, `in_voltage0`) of an IIO device.

    Processed by the kernel, or (raw + offset) * scale. Scale and offset may be the channel's own or shared by
    its kind.
    """
    factor = _IIO_FACTORS.get(_kind(channel.removeprefix("in_")), 1.0)
    processed = folder / f"{channel}_input"
    if processed.exists():
        return _number(processed) * factor
    raw = _number(folder / f"{channel}_raw")
    return (raw + _shared(folder, channel, "offset", 0.0)) * _shared(folder, channel, "scale", 1.0) * factor


def hwmon_value(folder: Path, channel: str) -> float:
    """A channel (`temp1`, `in0`, `fan2`) of a hwmon device; NaN when the chip calls its sensor faulty."""
    fault = folder / f"{channel}_fault"
    if fault.exists() and _number(fault) != 0:
        return math.nan
    return _number(folder / f"{channel}_input") * _HWMON_FACTORS.get(_kind(channel), 1.0)


def _shared(folder: Path, channel: str, what: str, otherwise: float) -> float:
    for name in (channel, re.sub(r"\d+$", "", channel)):
        file = folder / f"{name}_{what}"
        if file.exists():
            return _number(file)
    return otherwise


def _kind(channel: str) -> str:
    """`temp1` and `temp_ambient` are both `temp`."""
    return re.split(r"[\d_]", channel, maxsplit=1)[0]


def _number(file: Path) -> float:
    return float(file.read_text(encoding="ascii", errors="replace").strip())
