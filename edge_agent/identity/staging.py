"""The next identity, beside the one in use, and the step from one to the other.

    identity/next/gateway.key   the next key; made first, kept over restarts until it has a certificate
    identity/next/gateway.crt   its certificate, and whatever else comes with it
    identity/next/ready         written last: from here on the step is taken, if need be by who starts next

A program killed anywhere finds, when it starts again, either the old identity whole or a step to finish.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edge_agent.state import StateFolder, replace_file, sync_folder

_PRIVATE = {"gateway.key"}
_READY = "ready"


class Staging:
    """The folder of the next identity."""

    def __init__(self, state: StateFolder) -> None:
        self._identity = state.identity
        self.folder = state.identity / "next"

    @property
    def key(self) -> Path:
        return self.folder / "gateway.key"

    @property
    def certificate(self) -> Path:
        return self.folder / "gateway.crt"

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep others from changing the identity meanwhile: a running agent, `lastmile-edge enroll`."""
        self._identity.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._identity, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def make(self) -> None:
        """Make the folder, private to its owner."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, name: str, content: bytes) -> None:
        """Store a file of the next identity."""
        replace_file(self.folder / name, content, mode=0o600 if name in _PRIVATE else 0o644)

    def commit(self) -> None:
        """Decide for the next identity, then take the step."""
        replace_file(self.folder / _READY, b"")
        self.finish()

    def finish(self) -> bool:
        """Take a step that was decided; whether there was one. May be killed and done again."""
        if not (self.folder / _READY).exists():
            return False
        for path in sorted(self.folder.iterdir()):
            if path.name != _READY and not path.name.startswith("."):
                mode = 0o600 if path.name in _PRIVATE else 0o644
                replace_file(self._identity / path.name, path.read_bytes(), mode=mode)
        # The key goes first: what is left over without `ready` must not look like a request under way.
        self.key.unlink(missing_ok=True)
        sync_folder(self.folder)
        (self.folder / _READY).unlink()
        self.discard()
        return True

    def discard(self) -> None:
        """Forget the next identity."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)
            sync_folder(self._identity)
