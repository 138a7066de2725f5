"""Microcontrollers on a serial line, as docs/wire/serial-line.md has it."""

from __future__ import annotations

import json
import logging
from collections import deque
from typing import TYPE_CHECKING

from pydantic import Field

from edge_agent.drivers.line_frames import (
    READINGS,
    VERSION,
    Frame,
    FrameError,
    FrameSplitter,
    lost_between,
    read_frame,
    read_values,
)
from edge_agent.drivers.options import read_options, read_source
from edge_agent.drivers.seam import Batch, DriverError
from edge_agent.drivers.serial_port import LineOptions, check_port
from models.clock import SECOND_NS, Clock
from models.configuration import DeviceConfig, Strict

if TYPE_CHECKING:
    from serial import Serial

log = logging.getLogger(__name__)
_LISTEN_S = 0.2


class SerialLineOptions(LineOptions):
    """Settings of a line. After `silent_s` without a frame somebody should look at the wires; 0: never."""

    baud: int = Field(default=115200, ge=300, le=4_000_000)
    node: int = Field(default=1, ge=0, le=255, description="the node of channels that name none")
    silent_s: float = Field(default=60.0, ge=0, le=86400)


class LineSource(Strict):
    """A channel of a node."""

    channel: int = Field(ge=0, le=255)
    node: int | None = Field(default=None, ge=0, le=255)


class SerialLineDriver:
    """One device is one line, with all nodes on it. The cursor is what was taken last of each node."""

    is_polled = False
    owns_time = False

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._name, self._clock = device.name, clock
        self._options = options = read_options(device, SerialLineOptions)
        self._places: dict[tuple[int, int], int] = {}
        for index in range(len(device.channels)):
            source = read_source(device, index, LineSource)
            node = options.node if source.node is None else source.node
            self._places[(node, source.channel)] = index
        self._port: Serial | None = None
        self._splitter = FrameSplitter()
        self._waiting: deque[bytes] = deque()
        self._last: dict[str, list[int]] = {}
        self.lost = self.damaged = 0
        self._heard_at = self._bytes = 0

    def open(self, cursor: str | None) -> None:
        import serial

        check_port(self._options.port)
        options = self._options
        try:
            self._port = serial.Serial(
                options.port,
                options.baud,
                parity=options.parity,
                stopbits=options.stop_bits,
                timeout=_LISTEN_S,
                exclusive=True,
            )
        except (OSError, ValueError) as wrong:
            raise DriverError(
                f"{options.port} cannot be opened: {wrong}; does another program hold it?"
            ) from wrong
        self._splitter, self._waiting = FrameSplitter(), deque()
        self._last = json.loads(cursor) if cursor else {}
        self._heard_at, self._bytes = self._clock.monotonic_ns(), 0

    def read(self, wait_s: float) -> Batch | None:
        deadline = self._clock.monotonic_ns() + round(wait_s * SECOND_NS)
        while True:
            while self._waiting:
                batch = self._take(self._waiting.popleft())
                if batch is not None:
                    return batch
            if self._clock.monotonic_ns() >= deadline:
                self._complain_of_silence()
                return None
            self._listen()

    def taken(self, batch: Batch) -> None:
        """Nobody to tell: the line is one way."""

    def close(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None

    def _listen(self) -> None:
        if self._port is None:
            raise DriverError("not opened")
        try:
            heard = self._port.read(max(1, self._port.in_waiting))
        except OSError as gone:
            raise DriverError(
                f"{self._options.port} is gone: {gone}; is the adapter still plugged in?"
            ) from gone
        self._bytes += len(heard)
        self._waiting.extend(self._splitter.feed(heard))

    def _take(self, stuffed: bytes) -> Batch | None:
        """The readings of a frame that is new and has some of ours."""
        try:
            frame = read_frame(stuffed)
            if frame.version != VERSION:
                return None
            values = read_values(frame.body) if frame.kind == READINGS else []
        except FrameError as wrong:
            self.damaged += 1
            self._tell("came damaged", self.damaged, str(wrong))
            return None
        self._heard_at = self._clock.monotonic_ns()
        if not self._is_new(frame):
            return None
        ours = [(self._places.get((frame.node, channel)), value) for channel, value in values]
        rows = [(place, value) for place, value in ours if place is not None]
        if not rows:
            return None
        return Batch.of([row[0] for row in rows], [row[1] for row in rows], cursor=json.dumps(self._last))

    def _is_new(self, frame: Frame) -> bool:
        node = str(frame.node)
        before = self._last.get(node)
        if before is not None and before[0] == frame.boot:
            lost = lost_between(before[1], frame.sequence)
            if lost is None:
                return False
            if lost > 0:
                self.lost += lost
                self._tell("were lost", self.lost, f"the last before node {node}, sequence {frame.sequence}")
        self._last[node] = [frame.boot, frame.sequence]
        return True

    def _tell(self, what: str, count: int, detail: str) -> None:
        """Once, and again each time that it has doubled."""
        if count & (count - 1) == 0:
            log.warning("device %s: %d frames %s since the start: %s", self._name, count, what, detail)

    def _complain_of_silence(self) -> None:
        silent_s = (self._clock.monotonic_ns() - self._heard_at) / SECOND_NS
        if not self._options.silent_s or silent_s < self._options.silent_s:
            return
        if self._bytes:
            raise DriverError(
                f"{self._bytes} bytes on {self._options.words} but no whole frame for {silent_s:.0f} s; "
                "check speed and parity"
            )
        raise DriverError(
            f"nothing on {self._options.words} for {silent_s:.0f} s; check the node's power, "
            "and that its TX leads to our RX"
        )
