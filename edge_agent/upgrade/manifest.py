"""manifest.json of a release bundle: what is in it, and for which machines it was made."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_agent.upgrade.errors import UpgradeError

FORMAT = 1
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){1,3}([-.+]?[a-z0-9]+)*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_LARGEST_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the bundle."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`machine`: as uname says it (aarch64, x86_64). `python`: the version its wheels are made for (3.11).

    `installed_mb`: what the release takes on disk.
    """

    version: str
    machine: str
    python: str
    installed_mb: int
    files: Mapping[str, Member]

    def text(self) -> bytes:
        """The exact bytes that are signed."""
        told = {"format": FORMAT, **asdict(self)}
        return json.dumps(told, sort_keys=True, indent=1).encode() + b"\n"

    def check_machine(self) -> None:
        """UpgradeError `machine` or `python` when it cannot run here."""
        here, python = platform.machine(), f"{sys.version_info.major}.{sys.version_info.minor}"
        if self.machine not in ("any", here):
            raise UpgradeError("machine", f"made for {self.machine}, this is {here}")
        if self.python != python:
            raise UpgradeError("python", f"made for Python {self.python}, this is {python}")


def read_manifest(raw: bytes) -> Manifest:
    """UpgradeError `bundle` when it is none; names of files hold no path."""
    try:
        told: dict[str, Any] = json.loads(raw)
        if told["format"] != FORMAT:
            raise UpgradeError("bundle", f"format {told['format']} is not known; install by hand")
        files = {
            _matching(_FILE, name): Member(_matching(re.compile("[0-9a-f]{64}"), f["sha256"]), int(f["size"]))
            for name, f in told["files"].items()
        }
        made = Manifest(
            _matching(_VERSION, told["version"]),
            str(told["machine"]),
            str(told["python"]),
            int(told["installed_mb"]),
            files,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise UpgradeError("bundle", f"its manifest cannot be read: {wrong!r}") from wrong
    total = sum(member.size for member in files.values())
    if not files or any(member.size < 0 for member in files.values()) or total > _LARGEST_BYTES:
        raise UpgradeError("bundle", f"{len(files)} files of {total} bytes are no release")
    return made


def rank(version: str) -> tuple[int, ...]:
    """For comparing versions; what follows the numbers does not count.

    >>> rank("0.10.1") > rank("0.9")
    True
    """
    return tuple(int(part) for part in re.match(r"[0-9.]*", version)[0].strip(".").split("."))  # type: ignore[index]


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(text)
    return text
