"""PREFIX/releases/VERSION beside each other, and the links that say which one counts.

`current`: what the agent runs. `steady`: the last one that was confirmed; upgrades run from it, so that what
judges a release is never the release itself. State lies elsewhere and is shared by all.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_agent.upgrade.errors import UpgradeError

CURRENT, STEADY = "current", "steady"
# Written last: a folder without it was never finished.
COMPLETE = "manifest.json"
_SPARE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Releases:
    """What lies under a prefix."""

    prefix: Path

    @property
    def key(self) -> Path:
        """The pinned release key."""
        return self.prefix / "release.pub"

    @property
    def journal(self) -> Path:
        """There while a release is on trial."""
        return self.prefix / "upgrade.json"

    def folder(self, version: str) -> Path:
        return self.prefix / "releases" / version

    def at(self, link: str) -> str:
        """The version a link points to; "" when there is none."""
        try:
            return (self.prefix / link).readlink().name
        except FileNotFoundError:
            return ""

    def point(self, link: str, version: str) -> None:
        """Let `link` point to `version`; a reader sees the old or the new one, also after a power cut."""
        beside = self.prefix / f".{link}.new"
        beside.unlink(missing_ok=True)
        beside.symlink_to(Path("releases") / version)
        beside.replace(self.prefix / link)
        sync(self.prefix)

    def complete(self) -> list[str]:
        """Versions that were installed as a whole."""
        return sorted(path.parent.name for path in self.prefix.glob(f"releases/*/{COMPLETE}"))

    def check_space(self, needed_bytes: int) -> None:
        """UpgradeError `disk` when there is not room for so much and some more."""
        free = shutil.disk_usage(self.prefix).free
        if free < needed_bytes + _SPARE_BYTES:
            raise UpgradeError("disk", f"{needed_bytes >> 20} MB are needed, {free >> 20} MB are free")

    def remove_unused(self) -> None:
        """All but what the links point to; half-finished ones too."""
        kept = {self.at(CURRENT), self.at(STEADY)}
        for folder in self.prefix.glob("releases/*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """For one upgrade at a time; UpgradeError `busy` when there is another."""
        self.prefix.mkdir(parents=True, exist_ok=True)
        with (self.prefix / ".lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as busy:
                raise UpgradeError("busy", "another upgrade is under way") from busy
            yield


def sync(folder: Path) -> None:
    """Make names in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
