"""A serial port's settings, and in plain words why one cannot be opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from edge_agent.drivers.seam import DriverError
from models.configuration import Strict


class LineOptions(Strict):
    """How a serial line is spoken; `port` is best a name under /dev/serial/by-id, which stays the same."""

    port: str = Field(min_length=1)
    baud: int = Field(default=9600, ge=300, le=4_000_000)
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1

    @property
    def words(self) -> str:
        """For people, as manuals write it.

        >>> LineOptions(port="/dev/ttyUSB0", parity="E").words
        '/dev/ttyUSB0 (9600 8E1)'
        """
        return f"{self.port} ({self.baud} 8{self.parity}{self.stop_bits})"

    @property
    def character_s(self) -> float:
        """How long one character takes, s."""
        return (1 + 8 + (self.parity != "N") + self.stop_bits) / self.baud


def check_port(port: str) -> None:
    """DriverError when the port is not there or not ours to open, with what to do about it."""
    if not Path(port).exists():
        raise DriverError(f"no serial port {port}; is the adapter plugged in? See `ls /dev/serial/by-id`")
    if not os.access(port, os.R_OK | os.W_OK):
        raise DriverError(
            f"this user may not open {port}; add it to the port's group (usermod -aG dialout USER), "
            "then log in or start the service anew"
        )
