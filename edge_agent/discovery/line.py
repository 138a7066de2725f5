"""Listens on a serial line for microcontrollers that describe themselves (docs/wire/serial-line.md)."""

from __future__ import annotations

from edge_agent.discovery.kinds import quantity_of
from edge_agent.discovery.proposal import ProposedChannel, ProposedDevice
from edge_agent.drivers.line_frames import (
    DESCRIPTION,
    READINGS,
    VERSION,
    Described,
    Frame,
    FrameError,
    FrameSplitter,
    read_description,
    read_frame,
    read_values,
)
from edge_agent.drivers.seam import DriverError
from edge_agent.drivers.serial_port import check_port
from models.clock import SECOND_NS, Clock

_BAUD = 115200


def listen_line(port: str, clock: Clock, wait_s: float) -> list[ProposedDevice]:
    """The line as a device, with the channels of all nodes heard; empty when no frame came."""
    import serial

    check_port(port)
    splitter, frames = FrameSplitter(), []
    try:
        with serial.Serial(port, _BAUD, timeout=0.2, exclusive=True) as line:
            deadline = clock.monotonic_ns() + round(wait_s * SECOND_NS)
            while clock.monotonic_ns() < deadline:
                frames += splitter.feed(line.read(max(1, line.in_waiting)))
    except OSError as wrong:
        raise DriverError(f"{port} cannot be read: {wrong}; does another program hold it?") from wrong
    channels = _channels(frames)
    if not channels:
        return []
    return [ProposedDevice("serial-line", "serial_line", {"port": port}, tuple(channels), "microcontrollers")]


def _channels(frames: list[bytes]) -> list[ProposedChannel]:
    """What nodes describe; of those that do not, the channels that they sent."""
    described: dict[tuple[int, int], ProposedChannel] = {}
    sent: dict[tuple[int, int], ProposedChannel] = {}
    for stuffed in frames:
        try:
            frame = read_frame(stuffed)
            if frame.version == VERSION and frame.kind == DESCRIPTION:
                name, channels = read_description(frame.body)
                described |= {(frame.node, c.channel): _described(frame, name, c) for c in channels}
            elif frame.version == VERSION and frame.kind == READINGS:
                sent |= {(frame.node, c): _sent(frame, c, value) for c, value in read_values(frame.body)}
        except FrameError:
            continue
    return list((sent | described).values())


def _described(frame: Frame, node: str, channel: Described) -> ProposedChannel:
    from dataclasses import replace

    step = 10.0**channel.exponent
    quantity = replace(
        quantity_of(channel.kind, channel.unit), kind=channel.kind or "unknown", unit=channel.unit
    )
    quantity = replace(quantity, scale=step, resolution=step)
    name = f"{node or frame.node}-{channel.kind}-{channel.channel}"
    return ProposedChannel(name, quantity, _source(frame, channel.channel))


def _sent(frame: Frame, channel: int, value: float) -> ProposedChannel:
    return ProposedChannel(
        f"node-{frame.node}-{channel}", quantity_of("unknown"), _source(frame, channel), f"said {value:g}"
    )


def _source(frame: Frame, channel: int) -> dict[str, int]:
    return {"node": frame.node, "channel": channel}
