"""Waiting longer after each failure, spread by chance so that many do not come back at once."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Full jitter: a wait is drawn evenly from 0 to a ceiling that doubles with each failure.

    `draw` gives a number in [0, 1).

    >>> waits = Backoff(base_s=1, ceiling_s=5, draw=lambda: 0.5)
    >>> [waits.next_s() for _ in range(4)]
    [0.5, 1.0, 2.0, 2.5]
    """

    def __init__(self, *, base_s: float, ceiling_s: float, draw: Callable[[], float]) -> None:
        self._base_s, self._ceiling_s, self._draw = base_s, ceiling_s, draw
        self._failures = 0

    def next_s(self) -> float:
        """How long to wait after one more failure."""
        top = min(self._ceiling_s, self._base_s * 2 ** min(self._failures, 30))
        self._failures += 1
        return top * self._draw()

    def reset(self) -> None:
        """It works: the next failure is the first again."""
        self._failures = 0
