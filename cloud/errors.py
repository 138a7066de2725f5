"""Every error of the cloud, as one small tree under the shared root.

LastmileError
├── ConfigurationError      a file a person can mend (models.errors); exit code 78
├── RefusedError            cannot be done as asked; `code` is stable, `message` says what to check
│   ├── NotFoundError       no such thing, or not for this asker
│   ├── ConflictError       it is not in a state that allows this
│   ├── InvalidError        what was given does not fit
│   ├── ForbiddenError      the asker may not
│   └── ThrottledError      too often; `retry_after_s` says when to try again
├── BrokerError             the broker cannot be reached or asked for now (TransientError)
└── StoreError              a database that fails for now (TransientError); `retry` is True
"""

from __future__ import annotations

from models.errors import ConfigurationError, LastmileError, TransientError

__all__ = [
    "BrokerError",
    "ConfigurationError",
    "ConflictError",
    "ForbiddenError",
    "InvalidError",
    "NotFoundError",
    "RefusedError",
    "StoreError",
    "ThrottledError",
]


class RefusedError(LastmileError):
    """What was asked cannot be done; asking again the same way gives the same answer."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


class NotFoundError(RefusedError):
    """No such thing, or none this asker may know of."""


class ConflictError(RefusedError):
    """The thing is not in a state that allows this."""


class InvalidError(RefusedError):
    """What was given does not fit what was expected."""


class ForbiddenError(RefusedError):
    """The asker may not do this."""


class ThrottledError(RefusedError):
    """Too many tries; worth another after `retry_after_s`."""

    retry = True

    def __init__(self, code: str, message: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(code, message)


class BrokerError(TransientError):
    """The broker does not run here, is another account's, or does not answer."""


class StoreError(TransientError):
    """A database that cannot take or give data for now: full, locked, unreachable."""
