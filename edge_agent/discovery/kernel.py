"""Sensors that Linux shows as files: 1-wire thermometers, IIO and hwmon devices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_agent.discovery.kinds import quantity_of
from edge_agent.discovery.proposal import ProposedChannel, ProposedDevice
from edge_agent.drivers.kernel_files import hwmon_value, iio_value, thermometer

_IIO = re.compile(r"^(in_[a-z]+\d*)_(?:input|raw)$")
_HWMON = re.compile(r"^((?:temp|in|curr|power|humidity|fan)\d+)_input$")


def scan_kernel(root: str) -> list[ProposedDevice]:
    """One device for the 1-wire bus, and one for each chip."""
    base = Path(root)
    settings = {} if root == "/sys" else {"root": root}
    devices = []
    wires = tuple(_thermometers(base))
    if wires:
        about = "a conversion takes 0.75 s: give the bus that much for each sensor"
        devices.append(
            ProposedDevice("one-wire", "files", settings, wires, about, max(1.0, len(wires) * 1.0))
        )
    for what, folder in (("iio", "bus/iio/devices"), ("hwmon", "class/hwmon")):
        for chip in _chips(base / folder):
            channels = tuple(_chip(what, chip, _twins(base / folder, chip)))
            devices.append(ProposedDevice(_name(chip), "files", settings, channels, f"{what} chip"))
    return devices


def _thermometers(base: Path) -> Iterator[ProposedChannel]:
    folder = base / "bus/w1/devices"
    for file in sorted(folder.glob("*-*/w1_slave")) if folder.is_dir() else ():
        try:
            seen = f"said {thermometer(file.read_text(encoding='ascii', errors='replace')):g}"
        except (OSError, ValueError) as wrong:
            seen = f"not readable now: {wrong}"
        name = file.parent.name
        yield ProposedChannel(name, quantity_of("temperature"), {"w1": name}, seen)


def _chips(folder: Path) -> list[Path]:
    return [chip for chip in sorted(folder.iterdir()) if _name(chip)] if folder.is_dir() else []


def _chip(what: str, chip: Path, at: str) -> Iterator[ProposedChannel]:
    pattern, read = (_IIO, iio_value) if what == "iio" else (_HWMON, hwmon_value)
    names = sorted({fits[1] for file in chip.iterdir() if (fits := pattern.match(file.name))})
    for name in names:
        try:
            seen = f"said {read(chip, name):g}"
        except (OSError, ValueError) as wrong:
            seen = f"not readable now: {wrong}"
        source: dict[str, Any] = {what: _name(chip), "channel": name} | ({"at": at} if at else {})
        kind = re.split(r"\d", name.removeprefix("in_") if what == "iio" else name)[0]
        unit = "kPa" if what == "iio" and kind == "pressure" else ""
        yield ProposedChannel(name.removeprefix("in_"), quantity_of(kind, unit), source, seen)


def _twins(folder: Path, chip: Path) -> str:
    """The end of the real path where another chip has the same name."""
    same = [other for other in _chips(folder) if _name(other) == _name(chip)]
    return chip.resolve().parent.name + "/" + chip.resolve().name if len(same) > 1 else ""


def _name(chip: Path) -> str:
    try:
        return (chip / "name").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
