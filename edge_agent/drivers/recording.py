"""A CSV file played as a device: live, one row a period, or as fast as possible."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TextIO

from edge_agent.drivers.options import read_options, source_text
from edge_agent.drivers.seam import Batch, DriverError, ExhaustedError, setting_fault
from edge_agent.drivers.stamps import parse_stamp
from models.clock import SECOND_NS, Clock
from models.configuration import DeviceConfig, Strict

ROWS_AT_ONCE = 500


class RecordingOptions(Strict):
    """Settings of a recording."""

    file: str
    pace: Literal["live", "fast"] = "live"
    time_column: str | None = None
    time_format: str | None = None
    start: Literal["now", "recorded"] = "now"
    loop: bool = False


class RecordingDriver:
    """Rows of a file with a header line; the cursor is how many rows have been taken.

    `start = "recorded"` gives the times of `time_column`. `start = "now"` gives the moment of reading when
    live; when fast, rows are a period apart (or as far apart as recorded) and the last one is now.
    """

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._options = options = read_options(device, RecordingOptions)
        self._columns = [source_text(device, i, "a column's name") for i in range(len(device.channels))]
        if options.start == "recorded" and not options.time_column:
            raise setting_fault(device, "settings.time_column", "missing", 'a column, for start = "recorded"')
        self._period_ns, self._clock = round(device.period_s * SECOND_NS), clock
        self.is_polled = options.pace == "live"
        self.owns_time = options.start == "recorded" or options.pace == "fast"
        self._file: TextIO | None = None
        self._rows: Iterator[list[str]] = iter(())
        self._places: list[int] = []
        self._time_place = -1
        self._taken = 0
        self._shift_ns = 0

    def open(self, cursor: str | None) -> None:
        self._taken = int(cursor) if cursor and cursor.isdigit() else 0
        total = self._count_and_shift() if self._is_shifted else 0
        self._begin(self._taken % total if self._options.loop and total else self._taken)

    def read(self, wait_s: float) -> Batch | None:
        rows = self._next_rows(1 if self.is_polled else ROWS_AT_ONCE)
        if not rows:
            raise ExhaustedError(f"{self._options.file} has ended after {self._taken} rows")
        first = self._taken
        self._taken += len(rows)
        width = len(self._places)
        values = [
            _number(row[place]) if place < len(row) else math.nan for row in rows for place in self._places
        ]
        times = self._times(rows, first)
        spread = None if times is None else [moment for moment in times for _ in range(width)]
        return Batch.of(list(range(width)) * len(rows), values, spread, str(self._taken))

    def taken(self, batch: Batch) -> None:
        """Nobody to tell."""

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _is_shifted(self) -> bool:
        return self._options.loop or (self.owns_time and self._options.start == "now")

    def _begin(self, skip: int) -> None:
        self.close()
        try:
            self._file = Path(self._options.file).open(newline="", encoding="utf-8-sig")  # noqa: SIM115
        except OSError as missing:
            raise DriverError(f"{self._options.file} cannot be read: {missing.strerror}") from missing
        self._rows = csv.reader(self._file)
        header = [name.strip() for name in next(self._rows, [])]
        wanted = [*self._columns, *([self._options.time_column] if self._options.time_column else [])]
        if missing_columns := [name for name in wanted if name not in header]:
            raise DriverError(
                f"{self._options.file} has no column {missing_columns[0]!r}; it has {header[:20]}"
            )
        self._places = [header.index(name) for name in self._columns]
        self._time_place = header.index(self._options.time_column) if self._options.time_column else -1
        for _ in range(skip):
            next(self._rows, None)

    def _next_rows(self, count: int) -> list[list[str]]:
        rows = [row for _, row in zip(range(count), self._rows, strict=False)]
        if not rows and self._options.loop and self._taken:
            self._begin(0)
            rows = [row for _, row in zip(range(count), self._rows, strict=False)]
        return rows

    def _times(self, rows: list[list[str]], first: int) -> list[int] | None:
        if not self.owns_time:
            return None
        if self._time_place < 0:
            return [self._shift_ns + (first + i) * self._period_ns for i in range(len(rows))]
        return [self._recorded(row) + self._shift_ns for row in rows]

    def _recorded(self, row: list[str]) -> int:
        try:
            return parse_stamp(row[self._time_place], self._options.time_format)
        except (ValueError, IndexError) as wrong:
            raise DriverError(f"{self._options.file}: a row without a usable time: {row[:5]}") from wrong

    def _count_and_shift(self) -> int:
        """Rows in the file; sets the shift that makes the last one now."""
        self._begin(0)
        total, last = 0, None
        for row in self._rows:
            total, last = total + 1, row
        now = self._clock.wall_ns()
        if self._options.start == "now" and self.owns_time:
            recorded = (
                self._recorded(last) if last and self._time_place >= 0 else (total - 1) * self._period_ns
            )
            self._shift_ns = now - recorded
        return total


def _number(text: str) -> float:
    """A cell's number; NaN for whatever is none (empty, NA, nan)."""
    try:
        return float(text)
    except ValueError:
        return math.nan
