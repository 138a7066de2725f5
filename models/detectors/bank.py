"""Banks: one detector for many channels over one packed array, scored in one compiled pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.alert import Moment, Reason
from models.detectors.parameters import Parameters
from models.detectors.rows import NEVER
from models.errors import SnapshotError
from models.readings import Bytes, Floats, Int64s, ReadingBlock
from models.readings import Columns as Columns
from models.snapshot import pack_state, unpack_state

P = TypeVar("P", bound=Parameters)
_WIDEST = 1 << 22
_NEW = tuple.__new__
_MARK = np.dtype(np.uint8)


class Scores(NamedTuple):
    """What a bank says about the rows of a block: five float64 columns and the marks.

    `table` float64 (5, n): score, expected, lower, upper, detail; `flags` uint8 (n,): see `rows`.
    Score is 0..10 and never NaN; the others are NaN where the detector has none. `detail` is the detector's
    own number behind its reason: a rate, a duration, a distance.
    """

    table: Floats
    flags: Bytes

    @property
    def score(self) -> Floats:
        return self.table[0, :]

    @property
    def expected(self) -> Floats:
        return self.table[1, :]

    @property
    def lower(self) -> Floats:
        return self.table[2, :]

    @property
    def upper(self) -> Floats:
        return self.table[3, :]

    @property
    def detail(self) -> Floats:
        return self.table[4, :]


@dataclass(frozen=True, slots=True)
class AdvanceScores:
    """Channels whose score changed because time passed: k judgements.

    `slot` int64 (k,): place of the channel in the bank; `at` int64 (k,): the whole second, ns UTC, at which
    it became so; `table` float64 (5, k) as in `Scores`.
    """

    slot: Int64s
    at: Int64s
    table: Floats


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement, for which a reason is wanted. NaN where there is no number."""

    score: float
    value: float
    expected: float
    lower: float
    upper: float
    detail: float
    extrapolated: bool


class Trait(NamedTuple):
    """What is known of a channel before its first reading.

    What a bank derives from it lives in its state, so that a snapshot goes on where the traits are not at
    hand; the name alone always is. `resolution` 0: unknown; `kind` as in the channel's configuration,
    empty: unknown.
    """

    kind: str = ""
    unit: str = ""
    resolution: float = 0.0
    name: str = ""


class Bank(Protocol):
    """One detector's state for all its channels.

    Promises: scores depend on readings and parameters alone, not on how blocks are cut. A row is scored
    before it is learned. A row that is not of the bank's channels, not believed, or not finite scores 0 and
    teaches nothing. Silence, dwell and absence are judged only by `advance`.
    """

    needs_time: bool
    keeps_moments: bool

    @property
    def channels(self) -> tuple[int, ...]: ...

    def score(self, block: ReadingBlock) -> Scores:
        """Scores of all rows, in order; learns from them."""
        ...

    def advance(self, time_ns: int) -> AdvanceScores | None:
        """Let event time reach `time_ns`; skipping seconds gives what stepping through them gives."""
        ...

    def shift(self, delta_ns: int) -> None:
        """The wall clock was stepped by `delta_ns`: move remembered times, so that durations stay true."""
        ...

    def explain(self, judged: Judged) -> tuple[Reason, ...]:
        """The judgement as codes with parameters, the part with the largest share first; never empty."""
        ...

    def moments(self, slot: int, time_ns: int) -> tuple[Moment, ...]:
        """The past moments most like what the channel showed with its reading of `time_ns`, nearest first.

        Asked when an alert is explained, never for a reading, and changes nothing. None from a bank that
        does not keep moments, or when that reading is not the newest the channel has learned from, or nothing
        could be compared with it.
        """
        ...

    def companions(self, slot: int) -> tuple[int, ...]:
        """Places, in order, without whose readings and state this channel's scores cannot be had again.

        The channel itself is one of them, for most detectors the only one. A snapshot of some channels holds
        enough to go on only when it holds their companions.
        """
        ...

    def snapshot(self, slots: Sequence[int] | None = None) -> bytes:
        """State of the channels at `slots` (all when none), as checked bytes."""
        ...

    def restore(self, data: bytes, slots: Sequence[int] | None = None) -> None:
        """Take stored state; row i goes to `slots[i]` (-1: dropped). SnapshotError when it does not fit."""
        ...


class PackedBank(Generic[P]):
    """What all banks share: the packed array, the map from channel to place, snapshots."""

    name: ClassVar[str]
    dtype: np.dtype[Any]  # of one channel's record
    times: ClassVar[tuple[str, ...]] = ("last",)  # fields of `dtype` that hold remembered times
    # Fields that rows which are not believed may change, those of a record in it as `record.field`: what is
    # known of the equipment, nothing of the quantity.
    evidence: ClassVar[tuple[str, ...]] = ()
    needs_time = False
    keeps_moments = False
    _given: tuple[Any, ...]  # the parameters as the kernel takes them

    def __init__(self, parameters: P, channels: Sequence[int], traits: Sequence[Trait] | None = None) -> None:
        """A fresh bank. ValueError for a channel given twice, or numbers spread over more than 4 million."""
        if len(set(channels)) != len(channels) or not channels:
            raise ValueError("a bank needs channels, each once")
        self.parameters = parameters
        self.dtype = self._layout(parameters)
        self._channels = tuple(int(channel) for channel in channels)
        self._base = min(self._channels)
        span = max(self._channels) - self._base + 1
        if span > _WIDEST:
            raise ValueError(f"channel numbers of a bank must lie within {_WIDEST}, got a span of {span}")
        self._slots = np.full(span, -1, np.int32)
        self._slots[np.asarray(self._channels) - self._base] = np.arange(len(channels), dtype=np.int32)
        self.state = np.zeros(len(channels), self.dtype)
        for field in self.times:
            self.state[field] = NEVER
        self._begin(traits if traits is not None else [Trait()] * len(channels))

    @classmethod
    def _layout(cls, parameters: P) -> np.dtype[Any]:
        """One channel's record; for banks whose record is as large as their parameters ask."""
        return cls.dtype

    def _begin(self, traits: Sequence[Trait]) -> None:
        """Fill what a fresh state needs beyond zeros."""

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        """Call the kernel."""
        raise NotImplementedError

    def _reason(self, judged: Judged) -> Reason:
        """The one reason of a detector that has but one part."""
        raise NotImplementedError

    def explain(self, judged: Judged) -> tuple[Reason, ...]:
        return (self._reason(judged),)

    @property
    def channels(self) -> tuple[int, ...]:
        return self._channels

    @property
    def bytes_per_channel(self) -> int:
        return int(self.dtype.itemsize)

    def score(self, block: ReadingBlock) -> Scores:
        n = len(block.channel)
        table, flags = np.empty((5, n)), np.empty(n, _MARK)
        self._run(block.columns(), table, flags)
        return _NEW(Scores, (table, flags))  # as Scores(table, flags), in half the time

    def advance(self, time_ns: int) -> AdvanceScores | None:
        return None

    def shift(self, delta_ns: int) -> None:
        for field in self.times:
            column = self.state[field]
            column[column != NEVER] += delta_ns

    def moments(self, slot: int, time_ns: int) -> tuple[Moment, ...]:
        return ()

    def companions(self, slot: int) -> tuple[int, ...]:
        return (slot,)

    def _binding(self) -> str:
        return f"{self.name} {self.parameters.model_dump_json()} {self.dtype.descr}"

    def snapshot(self, slots: Sequence[int] | None = None) -> bytes:
        chosen = self.state if slots is None else self._rows_of(slots)
        return pack_state(self._binding(), len(chosen), chosen.tobytes())

    def _rows_of(self, slots: Sequence[int]) -> NDArray[Any]:
        """A copy of the records of the channels at `slots`."""
        rows: NDArray[Any] = self.state[list(slots)]
        return rows

    def restore(self, data: bytes, slots: Sequence[int] | None = None) -> None:
        count, body = unpack_state(self._binding(), data)
        places = range(len(self._channels)) if slots is None else slots
        if count != len(places) or len(body) != count * self.dtype.itemsize:
            raise SnapshotError(f"snapshot holds {count} channels, {len(places)} expected")
        rows = np.frombuffer(body, self.dtype)
        for row, place in enumerate(places):
            if place >= 0:
                self.state[place] = rows[row]


def judgements(slot: Int64s, at: Int64s, table: Floats, found: int) -> AdvanceScores | None:
    """The first `found` judgements of a kernel's buffers; none when there are none."""
    if not found:
        return None
    return AdvanceScores(slot[:found], at[:found], np.ascontiguousarray(table[:, :found]))


def number(value: float) -> float | None:
    """A number for reasons and alerts: none where it is NaN or infinite."""
    return float(value) if np.isfinite(value) else None
