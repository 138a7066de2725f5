"""Topics of the wire: lm/1/{gateway}/up/{kind} and lm/1/{gateway}/down/{kind}."""

from __future__ import annotations

import enum

from models.errors import EnvelopeError
from models.identity import is_name

PREFIX = "lm/1"


class Up(enum.StrEnum):
    """What a gateway may say."""

    URGENT = "urgent"
    BULK = "bulk"
    HEALTH = "health"
    REPORTED = "reported"


class Down(enum.StrEnum):
    """What a gateway is told."""

    RECEIPT = "receipt"
    DESIRED = "desired"
    COMMAND = "command"


def up_topic(gateway: str, kind: Up) -> str:
    """
    >>> up_topic("gw-1", Up.URGENT)
    'lm/1/gw-1/up/urgent'
    """
    return f"{PREFIX}/{gateway}/up/{kind.value}"


def down_topic(gateway: str, kind: Down) -> str:
    """
    >>> down_topic("gw-1", Down.RECEIPT)
    'lm/1/gw-1/down/receipt'
    """
    return f"{PREFIX}/{gateway}/down/{kind.value}"


def parse_up_topic(topic: str) -> tuple[str, Up]:
    """Gateway and kind of an upward topic; EnvelopeError `topic` for any other."""
    parts = topic.split("/")
    if len(parts) == 5 and "/".join(parts[:2]) == PREFIX and parts[3] == "up" and is_name(parts[2]):
        try:
            return parts[2], Up(parts[4])
        except ValueError:
            pass
    raise EnvelopeError("topic", f"not an upward topic: {topic[:120]!r}")
