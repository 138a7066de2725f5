"""Snapshots of the last minutes, and sparser ones of the last hours: where evidence can begin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.judge.snapshots import Snapshot, SnapshotStore
from models.clock import SECOND_NS

# Of the ages at which snapshots stand, two neighbours are at most so far apart, or half the age.
SPACING_NS = 60 * SECOND_NS
MOST_AGE_NS = 26 * 3600 * SECOND_NS
SPOOL_SHARE = 0.5  # so much of the spool may be kept for evidence


@dataclass(slots=True)
class Mark:
    """A snapshot on disk: the state before the reading at `position` of the spool, at event time `time`."""

    position: int
    time: int


class Ring:
    """At most some twenty snapshots. A mark's time follows steps of the wall clock while the program runs."""

    def __init__(self, store: SnapshotStore, *, before_s: float, spool_bytes: int) -> None:
        self._store = store
        self._before_ns = round(before_s * SECOND_NS)
        self._most_bytes = round(spool_bytes * SPOOL_SHARE)
        self._marks = [Mark(position, time) for position, time in store.ring()]
        self._read: Snapshot | None = None  # the last one, for the many alerts of a storm

    @property
    def oldest(self) -> int | None:
        """Position from which the spool is needed; None while there is no mark."""
        return self._marks[0].position if self._marks else None

    def keep(self, snapshot: Snapshot, *, saved: bool) -> None:
        """Add a snapshot, which is the one last `saved` or on no disk yet, and drop what is not needed."""
        while self._marks and self._marks[-1].position >= snapshot.position:
            self._drop(len(self._marks) - 1)
        self._store.put_in_ring(snapshot, saved=saved)
        self._marks.append(Mark(snapshot.position, snapshot.time))
        self._prune(snapshot)

    def beginnings(self, onset_at: int) -> Iterator[tuple[Mark, Snapshot]]:
        """Where evidence of an onset may begin, the best first: the last one far enough before it, then
        later ones, for when the window from there is too large or its state fits no more."""
        wanted = onset_at - self._before_ns
        first = max((k for k, mark in enumerate(self._marks) if mark.time <= wanted), default=0)
        for mark in self._marks[first:]:
            if self._read is None or self._read.position != mark.position:
                self._read = self._store.from_ring(mark.position, mark.time)
            if self._read is not None:
                yield mark, self._read

    def shift(self, delta_ns: int) -> None:
        """The wall clock was stepped: what is remembered goes along."""
        for mark in self._marks:
            self._store.rename_in_ring(mark.position, mark.time, mark.time + delta_ns)
            mark.time += delta_ns

    def forget_before(self, position: int) -> None:
        """The spool begins there now."""
        while self._marks and self._marks[0].position < position:
            self._drop(0)

    def clear(self) -> None:
        """Other monitors are in force: what is remembered fits them no more."""
        while self._marks:
            self._drop(0)

    def _prune(self, newest: Snapshot) -> None:
        while len(self._marks) > 1 and self._is_too_old(self._marks[1], newest):
            self._drop(0)
        for place in range(len(self._marks) - 2, 0, -1):
            newer, older = self._marks[place + 1], self._marks[place - 1]
            age = newest.time - self._marks[place].time
            if newer.time - older.time <= max(SPACING_NS, age // 2):
                self._drop(place)

    def _is_too_old(self, second: Mark, newest: Snapshot) -> bool:
        """Whether the oldest takes too much of the spool, or the second reaches far enough back."""
        beyond = newest.position - self._marks[0].position > self._most_bytes
        return beyond or newest.time - second.time > MOST_AGE_NS

    def _drop(self, place: int) -> None:
        mark = self._marks.pop(place)
        self._read = None
        self._store.drop_from_ring(mark.position, mark.time)
