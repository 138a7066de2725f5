"""The monitors in force, and how a new document changes them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from models.configuration import MonitorConfig
from models.errors import SnapshotError
from models.monitor import Monitor
from models.wire.messages import ChannelEntry

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seat:
    """One monitor with what it was made from."""

    config: MonitorConfig
    channels: Mapping[int, ChannelEntry]
    monitor: Monitor

    @property
    def configuration(self) -> str:
        """Names what the learned state depends on: not thresholds' version, but config and channels."""
        text = self.config.model_dump_json() + repr(sorted((n, e.name) for n, e in self.channels.items()))
        return blake2b(text.encode(), digest_size=12).hexdigest()


def make_seats(
    configs: Sequence[MonitorConfig],
    channels: Mapping[str, ChannelEntry],
    *,
    gateway: str,
    config_version: int,
    code_version: str,
) -> list[Seat]:
    """Fresh monitors, in the document's order. ParameterError or ConfigurationError when one cannot be."""
    seats = []
    for config in configs:
        own = {channels[name].number: channels[name] for name in config.channels}
        monitor = Monitor(
            config, own, gateway=gateway, config_version=config_version, code_version=code_version
        )
        seats.append(Seat(config, own, monitor))
    return seats


def carry_over(seats: Sequence[Seat], learned: Mapping[str, tuple[str, bytes]]) -> list[str]:
    """Give fresh monitors what earlier ones of the same configuration learned.

    `learned`: monitor's name -> (configuration, snapshot). Returns the names of those that start fresh.
    """
    fresh = []
    for seat in seats:
        name = seat.config.name
        known = learned.get(name)
        if known is None or known[0] != seat.configuration:
            fresh.append(name)
            continue
        try:
            seat.monitor.restore(known[1])
        except SnapshotError as wrong:
            log.warning("monitor %s: its snapshot does not fit (%s); it starts fresh", name, wrong)
            fresh.append(name)
    return fresh
