"""Tapes: recordings an agent plays as devices, so that every reading that should exist is known beforehand.

A tape's value tells its row, and the driver's cursor says which row comes next. So what the cloud holds of a
channel must be exactly the tape's first rows, each once and in order, however often the agent died between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.readings import Floats

SILENT, LOUD = 0.0, 100.0


@dataclass(frozen=True)
class Tape:
    """A recording of `channels` channels, a row each `period_s`.

    With `bells` its first channel rings: `loud` rows of 100, `calm` rows of 0, over and over, calm first.
    """

    name: str
    channels: int
    rows: int
    period_s: float
    bells: tuple[int, int] | None = None

    def column(self, channel: int) -> Floats:
        """What the channel holds, row by row."""
        row = np.arange(self.rows, dtype=np.float64)
        if channel or self.bells is None:
            return row * 10 + channel
        loud, calm = self.bells
        return np.where(row % (loud + calm) >= calm, LOUD, SILENT)

    def channel_name(self, channel: int) -> str:
        return f"{self.name}/c{channel}"

    def events(self, rows: int) -> int:
        """How many bells have rung, begun and over, within the first `rows` rows."""
        assert self.bells is not None
        return rows // sum(self.bells)

    def write(self, folder: Path) -> Path:
        """The CSV file the agent plays."""
        path = folder / f"{self.name}.csv"
        columns = np.column_stack([self.column(channel) for channel in range(self.channels)])
        header = ",".join(f"c{channel}" for channel in range(self.channels))
        np.savetxt(path, columns, fmt="%.0f", delimiter=",", header=header, comments="")
        return path

    def settings(self, folder: Path) -> str:
        """The device, as gateway.toml says it."""
        text = (
            f'[[devices]]\nname = "{self.name}"\ndriver = "recording"\nperiod_s = {self.period_s}\n'
            f'settings = {{ file = "{folder / (self.name + ".csv")}" }}\n'
        )
        for channel in range(self.channels):
            text += (
                f'[[devices.channels]]\nname = "{self.channel_name(channel)}"\nkind = "load"\n'
                f'source = "c{channel}"\nresolution = 1\nminimum = -1\nmaximum = 1e9\n'
            )
        return text


def bell_monitor(tape: Tape) -> str:
    """A monitor that fires for each bell of the tape."""
    return (
        f'[[monitors]]\nname = "bell-{tape.name}"\ndetector = "limit"\nparameters = {{ high = 50 }}\n'
        f'channels = ["{tape.channel_name(0)}"]\nhazard = "fire"\nseverity = "severe"\n'
        "trigger = { on = 3.0, on_delay_s = 0.5, off_delay_s = 0.5 }\n"
    )


def street_tapes(rows: int, *, rate: int = 100, period_s: float = 0.5, loud: int = 16) -> list[Tape]:
    """Ten devices that give `rate` readings a second together; the first has a bell, 8 s of every 20 at a
    period of half a second."""
    channels = round(rate * period_s / 10)
    bells = (loud, loud * 3 // 2)
    return [
        Tape(f"tape{number}", channels, rows, period_s, bells if number == 0 else None)
        for number in range(10)
    ]


@dataclass(frozen=True)
class Account:
    """What became of the rows that were played."""

    readings: int
    lost: int
    doubled: int
    wrong: int
    first_wrong: str = ""

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)


def settle(tapes: Sequence[Tape], played: dict[str, int], held: dict[str, Floats]) -> Account:
    """Compare the rows that were played with what the cloud holds; both by name."""
    total = lost = doubled = wrong = 0
    first = ""
    for tape in tapes:
        rows = played[tape.name]
        for channel in range(tape.channels):
            name = tape.channel_name(channel)
            truth, found = tape.column(channel)[:rows], held.get(name, np.empty(0))
            total += rows
            if np.array_equal(truth, found):
                continue
            if tape.bells is not None and channel == 0:  # its values tell no row
                lost += max(0, len(truth) - len(found))
                doubled += max(0, len(found) - len(truth))
                wrong += len(truth) == len(found)
            else:
                values, counts = np.unique(found, return_counts=True)
                lost += len(np.setdiff1d(truth, values))
                doubled += int((counts - 1).sum())
                wrong += len(np.setdiff1d(values, truth))
                wrong += bool(np.any(np.diff(found) < 0))
            first = first or f"{name}: {rows} rows played, {len(found)} held"
    return Account(total, lost, doubled, wrong, first)
