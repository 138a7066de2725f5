"""Real recordings as series of one channel: name -> times in s, values, and rows that are calm."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

_AIR = ("PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "TEMP", "PRES", "DEWP", "WSPM")


class Recorded(NamedTuple):
    """`calm` is false in labelled windows and in the first rows, which a detector begins with."""

    group: str
    name: str
    time_s: np.ndarray
    value: np.ndarray
    calm: np.ndarray


def folder_of_recordings() -> Path:
    """FileNotFoundError says how to name it."""
    folder = Path(os.environ.get("LASTMILE_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not folder.is_dir():
        raise FileNotFoundError("no recordings: set LASTMILE_DATA to their folder")
    return folder


def all_recorded() -> Iterator[Recorded]:
    """Air of Beijing by the hour, an office by the minute, motes, and NAB's real files."""
    data = folder_of_recordings()
    yield from _air(data / "beijing_air" / "PRSA_Data_Wanliu_20130301-20170228.csv")
    for file in sorted((data / "occupancy").glob("*.txt")):
        yield from _office(file)
    for file in sorted((data / "motes").glob("*.csv")):
        yield from _motes(file)
    yield from _nab(data / "nab")


def _seconds(text: str) -> int:
    return int(np.datetime64(text.replace(" ", "T"), "s").astype(np.int64))


def _recorded(
    group: str, name: str, time: list[int], value: list[float], calm: np.ndarray | None = None
) -> Recorded:
    times, values = np.array(time, np.int64), np.array(value)
    known = np.isfinite(values)
    rows = np.ones(len(values), bool) if calm is None else calm
    rows = rows & (np.arange(len(values)) >= min(int(0.15 * len(values)), 750))
    return Recorded(group, name, times[known], values[known], rows[known])


def _air(path: Path) -> Iterator[Recorded]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    hours = [
        _seconds(f"{r['year']}-{int(r['month']):02d}-{int(r['day']):02d}T{int(r['hour']):02d}") for r in rows
    ]
    for column in _AIR:
        values = [float("nan") if row[column] in ("NA", "") else float(row[column]) for row in rows]
        yield _recorded("air, hourly", column, hours, values)


def _office(path: Path) -> Iterator[Recorded]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    times = [_seconds(row[1]) for row in rows]
    for at, column in ((2, "temperature"), (3, "humidity"), (4, "light"), (5, "co2")):
        values = [float(row[at]) for row in rows]
        if column == "light":  # whether there is any
            values = [float(value > 50.0) for value in values]
        yield _recorded("office, 1 min", f"{path.stem} {column}", times, values)


def _motes(path: Path) -> Iterator[Recorded]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for mote in sorted({row["mote_id"] for row in rows}):
        own = [row for row in rows if row["mote_id"] == mote]
        calm = np.array([row["label"] == "0" for row in own])
        for column in ("humidity", "temperature"):
            values = [float(row[column]) for row in own]
            times = [5 * int(row["reading"]) for row in own]
            yield _recorded("motes, 5 s", f"{path.stem} {mote} {column}", times, values, calm)


def _nab(folder: Path) -> Iterator[Recorded]:
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text())
    for name, windows in labels.items():
        if name.startswith("artificial"):
            continue
        with (folder / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        times = np.array([_seconds(row["timestamp"][:19]) for row in rows])
        calm = np.ones(len(rows), bool)
        for first, last in windows:
            calm &= (times < _seconds(first[:19])) | (times > _seconds(last[:19]))
        yield _recorded(
            "NAB, 5 min to 1 h", name, times.tolist(), [float(row["value"]) for row in rows], calm
        )
