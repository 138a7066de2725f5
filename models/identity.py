"""Identities that are derived, so that whoever computes them gets the same."""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,62}$")
CHANNEL_NAME = re.compile(r"^[a-z0-9][a-z0-9._/-]{0,126}$")


class Stream(enum.IntEnum):
    """The two lanes of a gateway, each with its own sequence and window."""

    URGENT = 1
    BULK = 2


@dataclass(frozen=True, slots=True, order=True)
class MessageIdentity:
    """What the cloud stores once: which gateway, which life of its outbox, which lane, which number."""

    gateway: str
    epoch: int
    stream: Stream
    sequence: int


def alert_id(gateway: str, monitor: str, boot: str, onset_index: int) -> str:
    """Id of the alert that began with the reading `onset_index` of `boot`: 32 hexadecimal digits.

    >>> alert_id("gw-1", "smoke", "0" * 32, 7) == alert_id("gw-1", "smoke", "0" * 32, 7)
    True
    """
    text = "\x1f".join((gateway, monitor, boot, str(onset_index)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def is_name(text: str) -> bool:
    """Whether `text` can name a site, gateway, device or monitor: topic, path and URL safe."""
    return NAME.fullmatch(text) is not None
