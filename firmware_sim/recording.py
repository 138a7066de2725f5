"""Recorded files as something to measure: rows of a CSV, each lasting some seconds of the run."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firmware_sim.device_types import RecordingType
from firmware_sim.errors import ScenarioError

Floats = NDArray[np.float64]
_NOTHING = frozenset({"", "NA", "nan", "NaN", "null"})


class Recording:
    """Columns of a recorded file, played over and over.

    `start_s` is the UTC second at which the first row is played; before it the rows that end the file are,
    so a recording always has a past.
    """

    def __init__(self, columns: dict[str, Floats], row_s: float, start_s: float = 0.0) -> None:
        lengths = {len(column) for column in columns.values()}
        if lengths in (set(), {0}) or len(lengths) > 1:
            raise ScenarioError(f"a recording needs equally long columns with rows, got {sorted(lengths)}")
        self._columns, self._row_s, self._start_s = columns, row_s, start_s
        self.rows = lengths.pop()

    def values(self, column: str, at_s: ArrayLike, row_s: float | None = None) -> Floats:
        """What the column held at these times; `row_s` plays it at another pace."""
        since = np.asarray(at_s, dtype=np.float64) - self._start_s
        row = np.floor(since / (row_s or self._row_s)).astype(np.int64) % self.rows
        return self._columns[column][row]


def load_recording(folder: Path, spec: RecordingType, columns: list[str], start_s: float) -> Recording:
    """Read the columns a device plays. ScenarioError names what is missing.

    A row with one field more than the header has a row number in front, as R writes them.
    """
    file = folder / spec.file
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.reader(stream)
            header = next(rows, [])
            if missing := [name for name in (*columns, *spec.only) if name not in header]:
                raise ScenarioError(f"{file}: no columns {missing}; it has {header}")
            texts = _texts(rows, header, columns, spec.only)
    except OSError as error:
        raise ScenarioError(f"recording {file}: {error.strerror}") from error
    return Recording({name: _numbers(texts[name]) for name in columns}, spec.row_s, start_s)


def _texts(
    rows: Iterator[list[str]], header: list[str], columns: list[str], only: dict[str, str]
) -> dict[str, list[str]]:
    """The wanted columns of the wanted rows. Places are counted from the end, past any row number."""
    place = {name: position - len(header) for position, name in enumerate(header)}
    wanted = [(place[name], value) for name, value in only.items()]
    kept = [row for row in rows if row and all(row[at] == value for at, value in wanted)]
    return {name: [row[place[name]] for row in kept] for name in columns}


def _numbers(texts: list[str]) -> Floats:
    """Numbers; where there is none, the one before it (the first one found, at the beginning)."""
    numbers = np.array([np.nan if text in _NOTHING else float(text) for text in texts])
    known = np.flatnonzero(~np.isnan(numbers))
    if not len(known):
        raise ScenarioError("a recorded column holds no numbers")
    last = np.maximum.accumulate(np.where(np.isnan(numbers), -1, np.arange(len(numbers))))
    return np.asarray(numbers[np.where(last < 0, known[0], last)])
