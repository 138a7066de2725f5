"""Batches of a device that tells its own times: each reading once, in the order of those times."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from edge_agent.drivers.seam import Batch
from models.clock import SECOND_NS

_REMEMBERED = 8192  # readings by which a repetition is known


@dataclass(slots=True)
class _Held:
    """A batch that waits, with what of it was not heard before."""

    batch: Batch
    fresh: Batch
    arrived_ns: int
    is_stored: bool = False

    @property
    def time(self) -> int:
        times = self.fresh.time
        return int(times.min()) if times is not None and len(times) else 0


@dataclass(frozen=True, slots=True)
class Release:
    """What is to be stored now; `cursor`: where the device goes on once it is, None where earlier batches
    still wait. `batch` is the one that came, to be acknowledged then."""

    fresh: Batch
    cursor: str | None
    batch: Batch


class Ordering:
    """Holds batches for `reorder_s` after they came: what comes out of order by no more than that goes out
    in order. Later ones go out as they come. A reading whose channel, time and value were heard is dropped.

    >>> ordering = Ordering(2.0)
    >>> for at, time in enumerate((10, 30, 20, 20)):
    ...     ordering.hold(Batch.of([0], [1.0], [time]), at * SECOND_NS)
    >>> [int(one.fresh.time[0]) for one in ordering.due(3 * SECOND_NS) if len(one.fresh)]
    [10, 20, 30]
    """

    def __init__(self, reorder_s: float) -> None:
        self._wait_ns = round(reorder_s * SECOND_NS)
        self._heard: OrderedDict[tuple[int, int, bytes], None] = OrderedDict()
        self._held: deque[_Held] = deque()  # as they came

    def hold(self, batch: Batch, monotonic_ns: int) -> None:
        """A batch came."""
        self._held.append(_Held(batch, self._fresh(batch), monotonic_ns))

    def due(self, monotonic_ns: int) -> list[Release]:
        """What goes out now, in order of time."""
        waited = takewhile(lambda one: one.arrived_ns + self._wait_ns <= monotonic_ns, self._held)
        until = max((one.time for one in waited if not one.is_stored), default=None)
        return [] if until is None else self._release(until)

    def all(self) -> list[Release]:
        """Everything, in order of time: no more is waited for."""
        return self._release(max((one.time for one in self._held), default=0))

    def _release(self, until: int) -> list[Release]:
        going = [one for one in self._held if not one.is_stored and one.time <= until]
        found = []
        for one in sorted(going, key=lambda one: one.time):
            one.is_stored = True
            cursor = None
            while self._held and self._held[0].is_stored:
                cursor = self._held.popleft().batch.cursor or cursor
            found.append(Release(one.fresh, cursor, one.batch))
        return found

    def _fresh(self, batch: Batch) -> Batch:
        if batch.time is None:
            return batch
        columns = zip(batch.channel.tolist(), batch.time.tolist(), batch.value, strict=True)
        keys = [(channel, time, value.tobytes()) for channel, time, value in columns]
        new = np.array([self._is_new(key) for key in keys], bool)
        if new.all():
            return batch
        return replace(batch, channel=batch.channel[new], value=batch.value[new], time=batch.time[new])

    def _is_new(self, key: tuple[int, int, bytes]) -> bool:
        if key in self._heard:
            return False
        self._heard[key] = None
        if len(self._heard) > _REMEMBERED:
            self._heard.popitem(last=False)
        return True
