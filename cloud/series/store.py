"""The seam of the series store: what ingest puts and what pages, replays and the API read."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from models.readings import Bytes, Floats, Int64s

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One bulk message to be stored once. An empty `body` stores the identity alone."""

    gateway_id: str
    epoch: int
    sequence: int
    digest: bytes
    received_at: int
    body: bytes = b""
    min_time: int = 0
    max_time: int = 0
    readings: int = 0
    quarantined: bool = False


class Put(enum.StrEnum):
    """What became of an arrival."""

    STORED = "stored"
    DUPLICATE = "duplicate"  # the same bytes were stored before
    CLONE = "clone"  # other bytes were stored under this identity before; those are kept


class Readings(NamedTuple):
    """Readings of one channel sorted by time: int64 ns, float64, uint8 flags, equally long."""

    times: Int64s
    values: Floats
    quality: Bytes


class Latest(NamedTuple):
    """The newest reading of a channel."""

    time: int
    value: float
    quality: int


class Directory(Protocol):
    """Which channel a number on the wire means (cloud.fleet.channels.ChannelDirectory)."""

    def numbers(self, gateway_id: str, epoch: int) -> Mapping[int, int]:
        """Number -> channel id in one epoch of a gateway; numbers not announced yet are missing."""
        ...

    def on_the_wire(self, channel_ids: Collection[int]) -> Sequence[tuple[int, str, int, int]]:
        """(channel id, gateway, epoch, number) for every number these channels ever had."""
        ...

    def resolutions(self, channel_ids: Collection[int]) -> Mapping[int, float]:
        """Channel id -> resolution, 0 for none."""
        ...


class SeriesStore(Protocol):
    """Keeps telemetry.

    A message is stored once by its identity and whole or not at all. What `put` returned for is safe from
    kill -9 and power cuts, and is read from then on, as soon as its channel numbers are announced.
    """

    def put(self, arrivals: Sequence[Arrival]) -> list[Put]:
        """Store many messages in one transaction, each once; what became of each, in order.

        StoreError when nothing was stored and the same call may be tried again.
        """
        ...

    def read(self, channel_id: int, start: int, end: int, limit: int | None = None) -> Readings:
        """Readings with start <= time < end, by time; equal times keep the order of arrival.

        With `limit` it may stop early, never between equal times, once it has at least so many.
        """
        ...

    def latest(self, channel_ids: Collection[int]) -> dict[int, Latest]:
        """The newest reading of each channel that has any."""
        ...


def no_readings() -> Readings:
    """Readings of a channel that has none."""
    return Readings(np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.uint8))


def merge(parts: Sequence[Readings]) -> Readings:
    """One sorted series from parts given in the order of their arrival.

    >>> a = Readings(np.array([5, 7]), np.array([1.0, 2.0]), np.zeros(2, np.uint8))
    >>> b = Readings(np.array([5]), np.array([3.0]), np.zeros(1, np.uint8))
    >>> merge([a, b]).values.tolist()
    [1.0, 3.0, 2.0]
    """
    if not parts:
        return no_readings()
    if len(parts) == 1:
        joined = parts[0]
    else:
        joined = Readings(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    if len(joined.times) < 2 or bool(np.all(joined.times[1:] >= joined.times[:-1])):
        return joined
    order = np.argsort(joined.times, kind="stable")
    return Readings(*(column[order] for column in joined))
