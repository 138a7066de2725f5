"""The service manager above this program: what it is told over $NOTIFY_SOCKET, as in sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

log = logging.getLogger(__name__)
_SEND_LIMIT_S = 1.0


@dataclass(slots=True)
class Supervisor:
    """Speaks to systemd, or to whatever else listens; without an address it says nothing.

    `watchdog_s`: without `alive` for so long the program is ended and started anew; 0 when it is not watched.
    """

    address: str = ""
    watchdog_s: float = 0.0
    _is_deaf: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Supervisor:
        """From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, where they are meant for this process.

        >>> Supervisor.of({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000"}).watchdog_s
        30.0
        """
        address = environment.get("NOTIFY_SOCKET", "")
        meant = environment.get("WATCHDOG_PID", str(os.getpid()))
        usec = environment.get("WATCHDOG_USEC", "0")
        watched = bool(address) and meant == str(os.getpid()) and usec.isdecimal()
        return cls(address, int(usec) / 1e6 if watched else 0.0)

    def ready(self, words: str) -> None:
        """The start is over."""
        self._say("READY=1", f"STATUS={words}")

    def alive(self) -> None:
        """Everything goes round."""
        if self.watchdog_s:
            self._say("WATCHDOG=1")

    def status(self, words: str) -> None:
        """One line for `systemctl status`."""
        self._say(f"STATUS={words}")

    def starting(self, words: str, limit_s: float) -> None:
        """A slow part of the start begins; it may take `limit_s`."""
        self._say(f"STATUS={words}", f"EXTEND_TIMEOUT_USEC={round(limit_s * 1e6)}")

    def stopping(self) -> None:
        """An orderly end begins."""
        self._say("STOPPING=1", "STATUS=stopping")

    def end_me(self, words: str) -> None:
        """Something stands still: end this program now (SIGABRT), not only when the time is up."""
        if self.watchdog_s:
            self._say(f"STATUS={words}", "WATCHDOG=trigger")

    def _say(self, *lines: str) -> None:
        if not self.address:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as teller:
                teller.settimeout(_SEND_LIMIT_S)
                teller.sendto("\n".join(lines).encode(), name)
            self._is_deaf = False
        except OSError as wrong:
            if not self._is_deaf:
                log.warning("the service manager does not hear us at %s: %s", self.address, wrong)
            self._is_deaf = True
