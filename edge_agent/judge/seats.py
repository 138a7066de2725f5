"""The monitors in force, and how a new document changes them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.configuration import MonitorConfig
from models.detectors.registry import DETECTORS
from models.errors import ConfigurationError, SnapshotError
from models.monitor import Monitor
from models.wire.messages import ChannelEntry

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seat:
    """One monitor with what it was made from."""

    config: MonitorConfig
    channels: Mapping[int, ChannelEntry]
    monitor: Monitor


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
        _refuse_visitors(config)
        own = {channels[name].number: channels[name] for name in config.channels}
        monitor = Monitor(
            config, own, gateway=gateway, config_version=config_version, code_version=code_version
        )
        seats.append(Seat(config, own, monitor))
    return seats


def _refuse_visitors(config: MonitorConfig) -> None:
    """Another library's detectors are for the lab and the cloud, even where it happens to be installed: what
    one gateway takes every gateway must be able to."""
    entry = DETECTORS.get(config.detector)
    if entry is not None and entry.needs:
        raise ConfigurationError(
            f"{config.detector} runs in the lab and the cloud; a gateway has no room for {entry.needs}",
            key=f"monitors.{config.name}",
        )


def carry_over(seats: Sequence[Seat], learned: Mapping[str, bytes]) -> list[str]:
    """Give fresh monitors what earlier ones of the same name learned, if it fits.

    It fits under the same configuration, and when only thresholds, severity or channels differ; another
    detector or other parameters start fresh. `learned`: monitor's name -> snapshot. Returns the names of
    those that start fresh.
    """
    fresh = []
    for seat in seats:
        name = seat.config.name
        known = learned.get(name)
        if known is None:
            fresh.append(name)
            continue
        try:
            seat.monitor.restore(known)
        except SnapshotError as wrong:
            log.info("monitor %s: what was learned does not fit (%s)", name, wrong)
            fresh.append(name)
    return fresh
