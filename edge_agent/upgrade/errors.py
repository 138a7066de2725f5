"""What keeps a release from being installed."""

from __future__ import annotations

from models.errors import LastmileError


class UpgradeError(LastmileError):
    """Nothing was changed. `reason` is a code: bundle, signature, digest, machine, version, disk, ..."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)
