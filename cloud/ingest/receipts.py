"""Receipts of one stream: after the commit, cumulative, and not more often than need be."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

from cloud.errors import StoreError
from cloud.ingest.window import Window
from models.clock import SECOND_NS, Clock
from models.identity import MessageIdentity, Stream
from models.wire.topics import Down, down_topic

_log = logging.getLogger(__name__)
_MOST_WINDOWS = 5_000


class Receipts:
    """Windows of one stream and who waits to hear of them. One worker's own.

    `load(gateway, epoch)` reads a window from the database; `tell(topic, payload)` publishes.
    """

    def __init__(
        self,
        stream: Stream,
        load: Callable[[str, int], Window],
        tell: Callable[[str, bytes], bool],
        clock: Clock,
        every_s: float,
    ) -> None:
        self._stream, self._load, self._tell, self._clock = stream, load, tell, clock
        self._every_ns = round(every_s * SECOND_NS)
        self._windows: OrderedDict[tuple[str, int], Window] = OrderedDict()
        self._due: dict[tuple[str, int], None] = {}
        self._told_at: dict[str, int] = {}

    def mark(self, identity: MessageIdentity, *, quarantined: bool = False) -> None:
        """A message is committed, or had been: its gateway shall hear of it."""
        key = (identity.gateway, identity.epoch)
        window = self._window(key)
        window.mark(identity.sequence, quarantined=quarantined)
        if window.is_too_wide:
            del self._windows[key]
        self._due[key] = None

    def ask(self, gateway_id: str, epoch: int, *, reload: bool = False) -> None:
        """A gateway wants to know, or (`reload`) something changed in the database behind its window."""
        if reload:
            self._windows.pop((gateway_id, epoch), None)
        self._due[gateway_id, epoch] = None

    def flush(self) -> None:
        """Send what is due to gateways that have not been told for a while."""
        now = self._clock.monotonic_ns()
        for key in list(self._due):
            if now - self._told_at.get(key[0], -self._every_ns) < self._every_ns:
                continue
            gateway_id, epoch = key
            try:
                receipt = self._window(key).receipt(epoch, self._stream, self._clock.wall_ns())
            except StoreError:
                raise
            except Exception:
                # A question nobody can answer must not keep others from being told.
                _log.exception("no receipt for %s, epoch %s", gateway_id, epoch)
                del self._due[key]
                continue
            # Lost or not sent: the gateway sends again and is told again.
            self._tell(down_topic(gateway_id, Down.RECEIPT), receipt.model_dump_json().encode())
            self._told_at[gateway_id] = now
            del self._due[key]

    def _window(self, key: tuple[str, int]) -> Window:
        if key not in self._windows:
            self._windows[key] = self._load(*key)
            if len(self._windows) > _MOST_WINDOWS:
                self._windows.popitem(last=False)
        self._windows.move_to_end(key)
        return self._windows[key]
