"""How fast a backlog may go: a bucket of tokens, filled evenly, one token a message."""

from __future__ import annotations

from models.clock import SECOND_NS


class TokenBucket:
    """Lets `per_s` messages through each second on the average, and at most `burst` at once.

    >>> bucket = TokenBucket(per_s=2, burst=3)
    >>> bucket.available(0), bucket.spend(3), bucket.available(0), bucket.available(SECOND_NS)
    (3, None, 0, 2)
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s, self._burst = per_s, burst
        self._tokens = float(burst)
        self._filled_ns = 0

    def available(self, now_ns: int) -> int:
        """How many messages may go now (monotonic ns)."""
        passed = max(0, now_ns - self._filled_ns) / SECOND_NS
        self._tokens = min(float(self._burst), self._tokens + passed * self._per_s)
        self._filled_ns = max(self._filled_ns, now_ns)
        return int(self._tokens)

    def spend(self, count: int = 1) -> None:
        """So many went."""
        self._tokens -= count

    def ready_ns(self, now_ns: int) -> int:
        """When the next message may go."""
        missing = max(0.0, 1.0 - self._tokens)
        return now_ns + round(missing / self._per_s * SECOND_NS) + 1
