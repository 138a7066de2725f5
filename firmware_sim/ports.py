"""Free ports on loopback."""

from __future__ import annotations

import socket
from collections.abc import Generator


def free_ports() -> Generator[int, None, None]:
    """Ports nobody listens on now, each another; held until the iterator ends so that none is given twice."""
    held = []
    try:
        while True:
            probe = socket.socket()
            probe.bind(("127.0.0.1", 0))
            held.append(probe)
            yield probe.getsockname()[1]
    finally:
        for probe in held:
            probe.close()
