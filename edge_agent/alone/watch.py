"""Whether the cloud still takes what this gateway has to say."""

from __future__ import annotations

from models.clock import SECOND_NS, Clock


class CloudWatch:
    """Alone is: no receipt for `after_s`, and no word from the cloud that there is nothing to receipt.

    On monotonic time, so that a step of the wall clock neither makes nor hides it.
    """

    def __init__(self, clock: Clock, after_s: float) -> None:
        self._clock, self._after_s = clock, after_s
        self._heard_ns = clock.monotonic_ns()
        self._last_receipt_at = 0
        self.is_alone = False

    def step(self, *, last_receipt_at: int, is_connected: bool, backlog: int) -> None:
        """Once a second. `last_receipt_at` is only compared; `backlog`: messages without a receipt."""
        has_nothing_owed = is_connected and backlog == 0
        if last_receipt_at != self._last_receipt_at or has_nothing_owed:
            self._last_receipt_at, self._heard_ns = last_receipt_at, self._clock.monotonic_ns()
        self.is_alone = self.unheard_s >= self._after_s

    @property
    def unheard_s(self) -> float:
        return (self._clock.monotonic_ns() - self._heard_ns) / SECOND_NS
