"""Series in CSV files: one column of times, one or more of values."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.clock import SECOND_NS
from models.errors import ConfigurationError
from models.readings import Floats, Int64s

TIME_COLUMNS = ("timestamp", "time", "date", "datetime")
_MISSING = {"", "na", "nan", "null", "none"}


@dataclass(frozen=True, slots=True)
class Series:
    """A file's rows: `text` as written, `time` int64 (n,) ns UTC, `value` float64 (n, k), NaN if missing."""

    names: tuple[str, ...]
    text: tuple[str, ...]
    time: Int64s
    value: Floats


def read_series(path: Path, columns: Sequence[str] | None = None) -> Series:
    """Read the named columns, or `value`, or the only one beside the time.

    ConfigurationError names file, line and column; OSError when the file cannot be read.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        header = [name.strip() for name in next(rows, [])]
        time_at = _time_column(path, header)
        value_at = _value_columns(path, header, time_at, columns)
        texts: list[str] = []
        times: list[int] = []
        values: list[list[float]] = []
        for row in rows:
            if not any(field.strip() for field in row):
                continue
            line = rows.line_num
            if len(row) < len(header):
                raise _wrong(path, line, "", f"{len(row)} fields", f"{len(header)}")
            texts.append(row[time_at])
            times.append(_time(path, line, header[time_at], row[time_at]))
            values.append([_value(path, line, header[at], row[at]) for at in value_at])
    names = tuple(header[at] for at in value_at)
    table = np.asarray(values, np.float64).reshape(len(texts), len(names))
    return Series(names, tuple(texts), np.asarray(times, np.int64), table)


def _time_column(path: Path, header: list[str]) -> int:
    lower = [name.lower() for name in header]
    for name in TIME_COLUMNS:
        if name in lower:
            return lower.index(name)
    raise _wrong(path, 1, "", f"columns {header}", f"one called {', '.join(TIME_COLUMNS)}")


def _value_columns(path: Path, header: list[str], time_at: int, columns: Sequence[str] | None) -> list[int]:
    if columns is None:
        rest = [at for at in range(len(header)) if at != time_at]
        columns = ["value"] if "value" in header else [header[at] for at in rest] if len(rest) == 1 else []
        if not columns:
            raise _wrong(path, 1, "", f"columns {header}", "a column `value`, or --channels")
    if missing := [name for name in columns if name not in header]:
        raise _wrong(path, 1, ", ".join(missing), "no such column", f"one of {', '.join(header)}")
    return [header.index(name) for name in columns]


def _time(path: Path, line: int, key: str, text: str) -> int:
    """ns UTC of ISO 8601 (UTC where it says nothing else) or of unix seconds, milliseconds or ns."""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _wrong(path, line, key, repr(text), "ISO 8601 or unix time") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86400 + since.seconds) * SECOND_NS + since.microseconds * 1000
    if not math.isfinite(number) or abs(number) >= 9e18:
        raise _wrong(path, line, key, repr(text), "ISO 8601 or unix time")
    scale = SECOND_NS if abs(number) < 1e11 else 1_000_000 if abs(number) < 1e14 else 1
    return int(text) * scale if text.lstrip("-").isdigit() else round(number * scale)


def _value(path: Path, line: int, key: str, text: str) -> float:
    if text.strip().lower() in _MISSING:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise _wrong(path, line, key, repr(text), "a number") from None


def _wrong(path: Path, line: int, key: str, message: str, expected: str) -> ConfigurationError:
    return ConfigurationError(message, file=str(path), line=line, key=key, expected=expected)
