"""The parts of a running gateway, as the watchdog looks at them."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.devices import Running
from edge_agent.judge.judge import Judge
from edge_agent.uplink.state import UplinkState
from edge_agent.uplink.uplink import Uplink
from edge_agent.watchdog.watchdog import (
    DEVICE_LIMIT_S,
    FIRST_JUDGED_LIMIT_S,
    JUDGE_LIMIT_S,
    UPLINK_LIMIT_S,
    Part,
)


def parts_of(judge: Judge, devices: Sequence[Running], uplink: Uplink | None) -> list[Part]:
    """Judge, devices and uplink; spool, cutter and orders go round in the main loop, which asks."""
    judging = JUDGE_LIMIT_S if judge.has_judged.is_set() else FIRST_JUDGED_LIMIT_S
    parts = [Part("the judge", judge.round_ns, judging)]
    parts += [
        Part(f"device {running.config.name}", running.loop.round_ns, DEVICE_LIMIT_S)
        for running in devices
        if not running.loop.is_over
    ]
    if uplink is not None:
        parts.append(Part("the uplink", uplink.pulse(), UPLINK_LIMIT_S))
    return parts


def words_of(devices: Sequence[Running], uplink: UplinkState | None, version: int) -> str:
    """A line for whoever looks at the service."""
    up = sum(running.loop.state.is_up for running in devices)
    link = "no uplink is set" if uplink is None else "connected" if uplink.is_connected else "not connected"
    return f"{up} of {len(devices)} devices answer; {link}; configuration {version}"
