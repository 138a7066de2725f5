"""Has this message been stored before? A device's own counter, or else MQTT's flag and the bytes, tell."""

from __future__ import annotations

import json
from collections import OrderedDict
from hashlib import blake2b

WINDOW = 64
MAX_TOPICS = 64


class Redelivery:
    """What of each topic has been taken, small enough to be stored with every reading.

    With a counter: the highest one and a bit for each of the 63 below it. A counter inside the window that
    was taken is a redelivery; far below it, or inside it with other bytes than remembered, the device has
    begun anew. Without a counter: a message flagged as a repetition whose bytes are those of the last one
    stored for its topic.

    >>> seen = Redelivery(None)
    >>> [seen.is_new("t", counter, b"%d" % counter, dup=False) for counter in (7, 8, 7, 9)]
    [True, True, False, True]
    """

    def __init__(self, cursor: str | None) -> None:
        self._topics: OrderedDict[str, list[int | str]] = OrderedDict()
        self._digests: OrderedDict[tuple[str, int], str] = OrderedDict()
        if cursor:
            self._topics.update(json.loads(cursor))

    def cursor(self) -> str:
        """Everything needed to go on after a restart."""
        return json.dumps(self._topics, separators=(",", ":"))

    def is_new(self, topic: str, counter: int | None, payload: bytes, *, dup: bool) -> bool:
        """Whether to store this message; if so it is remembered as taken."""
        digest = blake2b(payload, digest_size=6).hexdigest()
        if counter is None:
            fresh = not (dup and self._topics.get(topic) == [digest])
            self._keep(topic, [digest])
            return fresh
        fresh = self._take_counter(topic, counter, digest)
        if fresh:
            self._remember(topic, counter, digest)
        return fresh

    def _take_counter(self, topic: str, counter: int, digest: str) -> bool:
        state = self._topics.get(topic)
        if state is None or len(state) != 2:
            self._keep(topic, [counter, "1"])
            return True
        highest, taken = int(state[0]), int(str(state[1]), 16)
        behind = highest - counter
        if behind < 0:
            # Shifting by a huge jump would make a huge number; past the window nothing of it is left.
            shifted = taken << -behind if -behind < WINDOW else 0
            self._keep(topic, [counter, f"{(shifted | 1) & _MASK:x}"])
            return True
        if behind >= WINDOW or self._began_anew(topic, counter, digest):
            self._keep(topic, [counter, "1"])
            return True
        if taken >> behind & 1:
            return False
        self._keep(topic, [highest, f"{taken | 1 << behind:x}"])
        return True

    def _began_anew(self, topic: str, counter: int, digest: str) -> bool:
        known = self._digests.get((topic, counter))
        return known is not None and known != digest

    def _remember(self, topic: str, counter: int, digest: str) -> None:
        self._digests[(topic, counter)] = digest
        while len(self._digests) > WINDOW * 4:
            self._digests.popitem(last=False)

    def _keep(self, topic: str, state: list[int | str]) -> None:
        self._topics[topic] = state
        self._topics.move_to_end(topic)
        while len(self._topics) > MAX_TOPICS:
            self._topics.popitem(last=False)


_MASK = (1 << WINDOW) - 1
