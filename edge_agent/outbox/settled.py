"""Which numbers of a stream are settled, and how: all others up to the highest given wait for a receipt.

Numbers are kept as spans, so a day of receipts is a handful of them, whatever was sent.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

Ranges = tuple[tuple[int, int], ...]


class Fate(enum.IntEnum):
    """What became of a number."""

    RECEIVED = 1  # the cloud said it has it; the row is kept for a while
    FORGOTTEN = 2  # received, and the row is gone
    DROPPED = 3  # gone without a receipt; a gap record says so


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers `first` to `last` of one fate; `at`: when received, in whole steps of the outbox's own time."""

    first: int
    last: int
    fate: Fate
    at: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """The settled numbers of one stream. Never changed, only replaced.

    >>> some = Settled().mark([(1, 4), (6, 6)], Fate.RECEIVED, at=7)
    >>> some.waiting(8), some.of(Fate.RECEIVED)
    (((5, 5), (7, 8)), ((1, 4), (6, 6)))
    """

    spans: tuple[Span, ...] = ()

    @property
    def all(self) -> Ranges:
        """Every settled number."""
        return merge((span.first, span.last) for span in self.spans)

    def of(self, fate: Fate) -> Ranges:
        return merge((span.first, span.last) for span in self.spans if span.fate is fate)

    def waiting(self, highest: int, after: int = 0) -> Ranges:
        """Numbers above `after`, up to `highest`, that are not settled."""
        return without(((after + 1, highest),), self.all) if highest > after else ()

    def mark(self, ranges: Iterable[tuple[int, int]], fate: Fate, at: int = 0) -> Settled:
        """These numbers have this fate now, whatever they had before."""
        marked = merge(ranges)
        spans = [*self.clear(marked).spans, *(Span(first, last, fate, at) for first, last in marked)]
        return Settled(_joined(sorted(spans, key=lambda span: span.first)))

    def clear(self, ranges: Iterable[tuple[int, int]]) -> Settled:
        """These numbers wait again."""
        gone = merge(ranges)
        left = [
            replace(span, first=first, last=last)
            for span in self.spans
            for first, last in without(((span.first, span.last),), gone)
        ]
        return Settled(tuple(left))


def merge(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Ranges in order, those that touch joined, empty ones left out.

    >>> merge([(4, 5), (1, 3), (9, 8)])
    ((1, 5),)
    """
    merged: list[tuple[int, int]] = []
    for first, last in sorted(one for one in ranges if one[0] <= one[1]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def without(ranges: Ranges, gone: Ranges) -> Ranges:
    """What is in `ranges` and not in `gone`; both in order, as `merge` gives them.

    >>> without(((1, 9),), ((0, 1), (4, 5)))
    ((2, 3), (6, 9))
    """
    left: list[tuple[int, int]] = []
    at = 0
    for first, last in ranges:
        while at and gone[at - 1][1] >= first:
            at -= 1
        while at < len(gone) and gone[at][0] <= last:
            if gone[at][0] > first:
                left.append((first, gone[at][0] - 1))
            first = max(first, gone[at][1] + 1)
            at += 1
        if first <= last:
            left.append((first, last))
    return tuple(left)


def common(ranges: Ranges, others: Ranges) -> Ranges:
    """What is in both."""
    return without(ranges, without(ranges, others))


def count(ranges: Ranges) -> int:
    """How many numbers."""
    return sum(last - first + 1 for first, last in ranges)


def lowest(ranges: Ranges, limit: int) -> Ranges:
    """The lowest `limit` numbers."""
    taken: list[tuple[int, int]] = []
    for first, last in ranges:
        if limit <= 0:
            break
        taken.append((first, min(last, first + limit - 1)))
        limit -= taken[-1][1] - first + 1
    return tuple(taken)


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last and (last.last + 1, last.fate, last.at) == (span.first, span.fate, span.at):
            joined[-1] = replace(last, last=span.last)
        else:
            joined.append(span)
    return tuple(joined)
