"""Series for the eye: a fixed number of points whatever the span, peaks kept."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cloud.series.store import DAY_NS, Readings, SeriesStore
from models.readings import NOT_BELIEVED, Bytes, Floats, Int64s

_WINDOW_NS = DAY_NS  # so much of a series is in memory at once
MAX_POINTS = 10_000


class Chart(NamedTuple):
    """One row a bucket that has readings: its middle (int64 ns), mean, least, greatest, all flags seen."""

    times: Int64s
    values: Floats
    minimum: Floats
    maximum: Floats
    quality: Bytes


def draw(store: SeriesStore, channel_id: int, start: int, end: int, points: int) -> Chart:
    """At most `points` rows of a channel over [start, end).

    Where there are no more readings than points they come as they are. What is not believed shows in
    `quality` alone: a bucket with nothing else has NaN. Memory is bounded whatever the span.
    """
    points = max(1, min(points, MAX_POINTS))
    if end <= start:
        return bucket(store.read(channel_id, start, start), start, 1)
    few = store.read(channel_id, start, end, limit=points + 1)
    if len(few.times) <= points:
        return _as_it_is(few)
    width = -(-(end - start) // points)
    step = max(1, _WINDOW_NS // width) * width
    parts = [
        bucket(store.read(channel_id, begin, min(begin + step, end)), start, width)
        for begin in range(start, end, step)
    ]
    return Chart(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def bucket(readings: Readings, start: int, width: int) -> Chart:
    """Sorted readings as buckets of `width` ns counted from `start`; empty buckets are left out.

    >>> readings = Readings(np.array([0, 1, 10]), np.array([1.0, 3.0, 7.0]), np.zeros(3, np.uint8))
    >>> bucket(readings, 0, 10).values.tolist()
    [2.0, 7.0]
    """
    times, values, quality = readings
    number = (times - start) // width
    first = np.flatnonzero(np.diff(number, prepend=number[0] - 1)) if len(times) else np.empty(0, np.int64)
    middle = (number[first] * width + start + width // 2).astype(np.int64)
    if not len(times):
        return Chart(middle, *(np.empty(0, np.float64),) * 3, np.empty(0, np.uint8))
    good = _believed(readings)
    counts = np.add.reduceat(good.astype(np.int64), first)
    sums = np.add.reduceat(np.where(good, values, 0.0), first)
    minimum = np.minimum.reduceat(np.where(good, values, np.inf), first)
    maximum = np.maximum.reduceat(np.where(good, values, -np.inf), first)
    none = counts == 0
    mean = np.where(none, np.nan, sums / np.maximum(counts, 1))
    flags = np.bitwise_or.reduceat(quality, first)
    return Chart(middle, mean, np.where(none, np.nan, minimum), np.where(none, np.nan, maximum), flags)


def _as_it_is(readings: Readings) -> Chart:
    values = np.where(_believed(readings), readings.values, np.nan)
    return Chart(readings.times, values, values, values, readings.quality)


def _believed(readings: Readings) -> np.ndarray:
    return ((readings.quality & int(NOT_BELIEVED)) == 0) & np.isfinite(readings.values)
