"""Leaving readings out of telemetry where a straight line tells them within a stated error.

The fan (Gardenhire 1964; Gritzali and Papakonstantinou 1983): from the last reading kept, the slopes that
pass within `error` of every reading since form a fan. A reading inside the fan may end the line; the first
one outside closes it at the reading before. What is kept are readings as they were measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from models.clock import SECOND_NS, STEP_NS, ClockState
from models.configuration import ThinConfig
from models.readings import Quality, ReadingBlock

THINNED = int(Quality.THINNED)
# Only rows with nothing but these against them are left out; everything else is kept as it came.
_PLAIN = int(Quality.CLOCK_UNTRUSTED | Quality.HISTORIC | Quality.SUSPECT)
_ROUNDING = 1e-12  # the line is drawn in float64 by whoever reads it: keep clear of its last digits

Row = tuple[int, float, int]  # time ns, value, quality


@dataclass(slots=True)
class _Line:
    """One channel: the last reading kept, the fan from there, and the newest reading inside it.

    `left` readings lie between `kept` and `last`; `last` itself is not yet told (None: it is `kept`).
    """

    kept: Row
    last: Row | None = None
    left: int = 0
    low: float = -math.inf
    high: float = math.inf

    def closing(self) -> Row | None:
        """The reading that ends this line, marked when others were left out before it."""
        if self.last is None:
            return None
        time, value, quality = self.last
        return (time, value, quality | THINNED if self.left else quality)


class Thinner:
    """Thins blocks that follow each other. What is held back is part of `state`, which must be kept with
    the position up to which blocks were given.

    >>> thinner = Thinner()
    >>> block = ReadingBlock.of([1] * 5, [0, 10, 20, 30, 40], [1.0, 1.1, 1.2, 5.0, 5.1])
    >>> [part] = thinner.take(block, {1: ThinConfig(error=0.05)}, full=())
    >>> part.value.tolist(), part.quality.tolist()
    ([1.0, 1.2, 5.0], [0, 128, 0])
    >>> [rest] = thinner.flush()
    >>> rest.value.tolist()
    [5.1]
    """

    def __init__(self, state: str = "") -> None:
        self._lines: dict[int, _Line] = {}
        self._head: ReadingBlock | None = None
        if state:
            self._restore(json.loads(state))

    def take(
        self, block: ReadingBlock, thin: Mapping[int, ThinConfig], full: Collection[int]
    ) -> list[ReadingBlock]:
        """What goes out of `block`: all rows of channels that are not in `thin`, or are in `full`.

        First of all may come what was held back under another clock or boot, as a block of its own.
        """
        out = [] if self._goes_on(block) else self.flush()
        wanted = {number: config for number, config in thin.items() if number not in full}
        ended = [number for number in self._lines if number not in wanted]
        released = [(number, row) for number in ended if (row := self._lines.pop(number).closing())]
        kept: list[tuple[int, Row]] = released
        if wanted:
            kept += self._thinned(block, wanted)
            rest = np.isin(block.channel, list(wanted), invert=True)
        else:
            rest = np.ones(len(block), bool)
        self._head = block.rows(0, 0) if self._lines else None
        if not kept:
            part = block if bool(rest.all()) else _only(block, rest)
            return [*out, part] if len(part) else out
        return [*out, _joined(block, kept, _only(block, rest))]

    def flush(self) -> list[ReadingBlock]:
        """What is held back, and a new beginning: nothing, or one block."""
        rows = [(number, row) for number, line in self._lines.items() if (row := line.closing())]
        head, self._lines, self._head = self._head, {}, None
        return [_joined(head, rows, head)] if rows and head is not None else []

    @property
    def state(self) -> str:
        """Everything there is to remember, as text; empty when there is nothing."""
        if not self._lines or self._head is None:
            return ""
        head = self._head
        lines = [
            [number, line.kept, line.last, line.left, _finite(line.low), _finite(line.high)]
            for number, line in self._lines.items()
        ]
        offset = head.monotonic_offset_ns
        return json.dumps([head.boot, head.first_index, offset, int(head.clock), lines])

    def _restore(self, told: list) -> None:  # type: ignore[type-arg]
        boot, index, offset, clock, lines = told
        empty = ReadingBlock.of([], [], [], boot=boot, first_index=index)
        self._head = replace(empty, monotonic_offset_ns=offset, clock=ClockState(clock))
        for number, kept, last, left, low, high in lines:
            fan = (-math.inf if low is None else low, math.inf if high is None else high)
            self._lines[number] = _Line(tuple(kept), tuple(last) if last else None, left, *fan)

    def _goes_on(self, block: ReadingBlock) -> bool:
        head = self._head
        if head is None:
            return True
        near = abs(block.monotonic_offset_ns - head.monotonic_offset_ns) < STEP_NS
        return block.boot == head.boot and block.clock == head.clock and near

    def _thinned(self, block: ReadingBlock, wanted: Mapping[int, ThinConfig]) -> list[tuple[int, Row]]:
        kept: list[tuple[int, Row]] = []
        rows = np.flatnonzero(np.isin(block.channel, list(wanted)))
        columns = (block.channel[rows], block.time[rows], block.value[rows], block.quality[rows])
        for number, time, value, quality in zip(*(column.tolist() for column in columns), strict=True):
            kept += [(number, row) for row in self._row(number, (time, value, quality), wanted[number])]
        return kept

    def _row(self, number: int, row: Row, thin: ThinConfig) -> list[Row]:
        """What is known to go out now that `row` came."""
        time, value, quality = row
        line = self._lines.get(number)
        if not math.isfinite(value) or quality & ~_PLAIN:
            ended = self._lines.pop(number, None)
            return [told for told in (ended.closing() if ended else None, row) if told]
        if line is None:
            self._lines[number] = _Line(row)
            return [row]
        if self._extend(line, row, thin):
            return []
        told = line.closing()
        # Right behind the reading that closed the line a new one begins there, so it may hold `row` too.
        if told is not None and line.last is not None:
            line = self._lines[number] = _Line(line.last)
            if self._extend(line, row, thin):
                return [told]
        self._lines[number] = _Line(row)
        return [row] if told is None else [told, row]

    def _extend(self, line: _Line, row: Row, thin: ThinConfig) -> bool:
        """Take `row` into the fan, if the line may end there."""
        (begin, first, quality), (time, value, _) = line.kept, row
        newest = begin if line.last is None else line.last[0]
        if row[2] != quality or time <= newest or time - begin > thin.longest_s * SECOND_NS:
            return False
        run = float(time - begin)
        slope = (value - first) / run
        if not line.low <= slope <= line.high:
            return False
        error = thin.error - _ROUNDING * (abs(value) + abs(first))
        if error <= 0:
            return False
        if line.last is not None:
            line.left += 1
        line.last = row
        line.low = max(line.low, (value - error - first) / run)
        line.high = min(line.high, (value + error - first) / run)
        return True


def _only(block: ReadingBlock, rows: np.ndarray) -> ReadingBlock:
    columns = (block.channel[rows], block.time[rows], block.value[rows], block.quality[rows])
    channel, time, value, quality = columns
    return replace(block, channel=channel, time=time, value=value, quality=quality)


def _joined(head: ReadingBlock, kept: list[tuple[int, Row]], rest: ReadingBlock) -> ReadingBlock:
    """`kept` and then `rest` under the header of `head`."""
    numbers = [number for number, _ in kept]
    times, values, flags = zip(*(row for _, row in kept), strict=True)
    return replace(
        head,
        channel=np.concatenate([np.array(numbers, np.int32), rest.channel]),
        time=np.concatenate([np.array(times, np.int64), rest.time]),
        value=np.concatenate([np.array(values, np.float64), rest.value]),
        quality=np.concatenate([np.array(flags, np.uint8), rest.quality]),
    )


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
