"""One thing that was looked at."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass


class Mark(enum.StrEnum):
    """How it is. Unknown: this machine does not tell."""

    WELL = "well"
    WATCH = "watch"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """`said`: what was found, in words. `advice`: what to do; "" where there is nothing to do."""

    what: str
    mark: Mark
    said: str
    advice: str = ""

    def line(self) -> str:
        """For a terminal.

        >>> Finding("disk", Mark.BAD, "97 % full", "free some").line()
        '✗ disk: 97 % full\\n    free some'
        """
        advice = f"\n    {self.advice}" if self.advice else ""
        return f"{_SIGNS[self.mark]} {self.what}: {self.said}{advice}"

    def as_json(self) -> dict[str, str]:
        return {key: str(value) for key, value in asdict(self).items()}


_SIGNS = {Mark.WELL: "✓", Mark.WATCH: "!", Mark.BAD: "✗", Mark.UNKNOWN: "?"}


def well(what: str, said: str) -> Finding:
    return Finding(what, Mark.WELL, said)


def watch(what: str, said: str, advice: str) -> Finding:
    return Finding(what, Mark.WATCH, said, advice)


def bad(what: str, said: str, advice: str) -> Finding:
    return Finding(what, Mark.BAD, said, advice)


def unknown(what: str, said: str) -> Finding:
    return Finding(what, Mark.UNKNOWN, said)
