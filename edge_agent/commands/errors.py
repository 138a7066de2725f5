"""What goes wrong with an order."""

from __future__ import annotations

from models.errors import LastmileError


class CommandError(LastmileError):
    """An order that cannot be carried out; `reason` is a code."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)
