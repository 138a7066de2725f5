"""Every error of the shared part, as one small tree.

    LastmileError
    ├── ConfigurationError    a file or document that a person can mend; exit code 78
    ├── WireError             bytes that do not follow the wire; go to quarantine, never retried
    │   ├── EnvelopeError     the fixed prefix itself cannot be trusted
    │   ├── BodyError         the prefix is sound, the body is not
    │   └── VersionError      a version this program does not speak
    ├── ParameterError        a detector's parameter out of range, or unknown
    ├── SnapshotError         a stored detector state that does not fit; start fresh and say so
    └── TransientError        worth another try later; `retry` is True

The type says whether to retry; the message tells the person what to check.
"""

from __future__ import annotations


class LastmileError(Exception):
    """Root of the tree."""

    retry = False


class ConfigurationError(LastmileError):
    """A configuration that cannot be used: says file, line, key and what was expected."""

    exit_code = 78

    def __init__(
        self, message: str, *, file: str = "", line: int = 0, key: str = "", expected: str = ""
    ) -> None:
        self.file, self.line, self.key, self.expected, self.said = file, line, key, expected, message
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        named = f"{key}: " if key else ""
        wanted = f" (expected {expected})" if expected else ""
        super().__init__(f"{place}{named}{message}{wanted}")


class WireError(LastmileError):
    """Bytes that do not follow the wire. `code` is stable, for counting and for the reader's language."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class EnvelopeError(WireError):
    """The prefix cannot be trusted, so neither can the identity in it."""


class BodyError(WireError):
    """The identity is known, the body cannot be decoded."""


class VersionError(WireError):
    """A version of the wire or of a body that this program does not speak."""


class ParameterError(LastmileError):
    """A detector's parameter that is unknown or out of its range."""


class SnapshotError(LastmileError):
    """Stored detector state that does not fit the detector or is damaged."""


class TransientError(LastmileError):
    """Something outside failed for now; the same call may succeed later."""

    retry = True
