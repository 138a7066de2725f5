"""The simulator's own ledger: what every device told, and what is known to have arrived.

An append-only file of JSON lines. A `told` line is written before the bytes leave; a `sure` line when the
other end has shown that it has them (the same Modbus connection asked again; the broker's PUBACK). Each line
is one write() to a file opened for appending, so nothing told is forgotten when the simulator is killed.

    {"d": "boiler", "n": 17, "t": 1790000000000000000, "v": {"pressure": 1312.0}}
    {"d": "boiler", "sure": 17}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Told:
    """One sample: its number, when it was told (ns), raw values, and whether it surely arrived."""

    number: int
    at_ns: int
    raw: dict[str, float]
    is_sure: bool = False


@dataclass(slots=True)
class DeviceLedger:
    """Everything one device told, by number."""

    told: dict[int, Told] = field(default_factory=dict)

    @property
    def highest(self) -> int:
        return max(self.told, default=0)


class Ledger:
    """Writes the file; safe from several threads, since each line is one appending write."""

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if _ends_torn(file):
            os.write(self._descriptor, b"\n")

    def tell(self, device: str, number: int, at_ns: int, raw: dict[str, float]) -> None:
        """Before a sample leaves."""
        self._append({"d": device, "n": number, "t": at_ns, "v": raw})

    def confirm(self, device: str, number: int) -> None:
        """When it is known to have arrived."""
        self._append({"d": device, "sure": number})

    def close(self) -> None:
        os.close(self._descriptor)

    def _append(self, line: dict[str, Any]) -> None:
        os.write(self._descriptor, json.dumps(line, separators=(",", ":")).encode() + b"\n")


def _ends_torn(file: Path) -> bool:
    with file.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return False
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as stream:
        for raw in stream:
            try:
                yield json.loads(raw)
            except json.JSONDecodeError:  # the last line of a killed simulator
                continue


def read_ledger(file: Path) -> dict[str, DeviceLedger]:
    """The ledger by device; a torn line counts as not written. Empty when there is no file."""
    devices: dict[str, DeviceLedger] = {}
    if not file.exists():
        return devices
    for line in _lines(file):
        device = devices.setdefault(line["d"], DeviceLedger())
        if "sure" in line:
            if line["sure"] in device.told:
                device.told[line["sure"]].is_sure = True
        else:
            device.told[line["n"]] = Told(line["n"], line["t"], line["v"])
    return devices
