"""The broker's list of revoked certificates, and whether the broker has read it.

mosquitto reads the list at its start and when it is asked to reload (SIGHUP). Debian's 2.0.11 may crash when
a client connects while it reloads, so it is asked only when there is something it must know.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509

from cloud.errors import BrokerError
from cloud.keys.authority import Authority
from cloud.keys.files import write_private


class Revocations:
    """The list in a broker's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "ca.crl"
        # There from before a new list is written until a broker has read it, whatever ends in between.
        self._unread = folder / "ca.crl.unread"

    def listed(self) -> set[str]:
        """Serial numbers in the file, hexadecimal; none while there is no file."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return set()
        return {f"{one.serial_number:x}" for one in x509.load_pem_x509_crl(raw)}

    @property
    def written_at(self) -> int:
        """When the list was written, ns UTC by the clock of who wrote it."""
        return self._path.stat().st_mtime_ns

    @property
    def is_read(self) -> bool:
        """Whether every broker of this folder, running or to come, knows what the file says."""
        return not self._unread.exists()

    def write(self, authority: Authority, serials: Iterable[str], now: int) -> None:
        """Replace the list; `now` in ns."""
        owner = self._folder.stat()
        self._unread.touch()
        write_private(self._path, authority.revocations((int(serial, 16) for serial in serials), now))
        os.utime(self._path, ns=(now, now))
        if os.geteuid() == 0:
            os.chown(self._path, owner.st_uid, owner.st_gid)

    def ask_to_read(self) -> int:
        """SIGHUP to the broker of this folder; its process id.

        BrokerError when it does not run here or is somebody else's.
        """
        pid = self._broker()
        try:
            os.kill(pid, signal.SIGHUP)
        except OSError as wrong:
            raise BrokerError(f"the broker of {self._folder} cannot be asked to reload: {wrong}") from wrong
        return pid

    def was_read(self, pid: int) -> None:
        """The broker had time to. BrokerError when it ended instead: the next reads the list at its start."""
        self._unread.unlink(missing_ok=True)
        if not _is_broker(pid):
            raise BrokerError(
                f"the broker of {self._folder} ended while it read its list; "
                "see that its service manager starts it again (Restart=always)"
            )

    def _broker(self) -> int:
        try:
            pid = int((self._folder / "mosquitto.pid").read_text())
        except (OSError, ValueError) as wrong:
            raise BrokerError(f"no broker of {self._folder} runs on this machine") from wrong
        # A number left behind by a broker that was killed may be another program's by now.
        if not _is_broker(pid):
            raise BrokerError(f"process {pid} is not the broker of {self._folder}, or it ended")
        return pid


def _is_broker(pid: int) -> bool:
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    name, state = told[told.index("(") + 1 : told.rindex(")")], told[told.rindex(")") + 2]
    return name.startswith("mosquitto") and state not in "ZX"
