"""Whether anybody is still at the other end: a connection into a black hole looks like any other."""

from __future__ import annotations

from models.clock import SECOND_NS

# What was sent must be answered within this, and the time its bytes take on the slowest link served.
ANSWER_S = 25.0
SLOWEST_BYTES_PER_S = 2000
# The cloud's silence is rarely the connection's fault, but a lost subscription looks the same from here.
RECEIPT_S = 300.0
RECEIPT_AT_MOST_S = 3600.0


class Liveness:
    """Watches one connection after another, on monotonic time."""

    def __init__(self) -> None:
        self._silent_since_ns: int | None = None
        self._no_receipt_since_ns: int | None = None
        self._receipt_s = RECEIPT_S

    def begin(self) -> None:
        """A new connection: nothing was sent on it."""
        self._silent_since_ns = self._no_receipt_since_ns = None

    def sent(self, now_ns: int) -> None:
        """Something that must be acknowledged went out."""
        if self._silent_since_ns is None:
            self._silent_since_ns = now_ns

    def heard(self, now_ns: int, *, in_flight: bool) -> None:
        """The broker said something; `in_flight`: more is to be answered."""
        self._silent_since_ns = now_ns if in_flight else None

    def awaits(self, now_ns: int) -> None:
        """A receipt is to come."""
        if self._no_receipt_since_ns is None:
            self._no_receipt_since_ns = now_ns

    def receipt(self) -> None:
        """One came."""
        self._no_receipt_since_ns = None
        self._receipt_s = RECEIPT_S

    def problem(self, now_ns: int, bytes_in_flight: int) -> str:
        """Why this connection is to be given up; empty while it is not."""
        if self._silent_since_ns is not None:
            limit_s = ANSWER_S + bytes_in_flight / SLOWEST_BYTES_PER_S
            if now_ns - self._silent_since_ns >= limit_s * SECOND_NS:
                return f"no answer from the broker for {limit_s:.0f} s"
        since = self._no_receipt_since_ns
        if since is not None and now_ns - since >= self._receipt_s * SECOND_NS:
            waited, self._receipt_s = self._receipt_s, min(2 * self._receipt_s, RECEIPT_AT_MOST_S)
            return f"no receipt from the cloud for {waited:.0f} s; connecting anew"
        return ""
