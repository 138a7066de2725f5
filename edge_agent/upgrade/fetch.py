"""A bundle from the cloud over HTTPS: bounded, resumed where it broke off, checked at its end."""

from __future__ import annotations

import hashlib
import logging
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from edge_agent.settings import LOOPBACK
from edge_agent.upgrade.errors import UpgradeError

log = logging.getLogger(__name__)
TRIES = 8
_TIMEOUT_S = 30.0
_CHUNK = 1 << 16
_LONGEST_PAUSE_S = 300.0


def fetch(
    url: str, path: Path, *, size: int, sha256: str, authority: Path | None, sleep: Callable[[float], None]
) -> None:
    """Bring `url` to `path`; what an earlier try left there is gone on with.

    `authority`: a certificate to believe beside the machine's own. UpgradeError `address`, `fetch` (try again
    later) or `digest`.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise UpgradeError("address", f"{url} is no https:// address")
    context = ssl.create_default_context() if parts.scheme == "https" else None
    if context is not None and authority is not None and authority.exists():
        context.load_verify_locations(authority)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            sleep(min(2.0**attempt, _LONGEST_PAUSE_S))
        try:
            _go_on(url, path, size, context)
            break
        except (OSError, urllib.error.URLError) as broken:
            problem = str(getattr(broken, "reason", broken))
            log.warning("upgrade: %s: %s", url, problem)
    else:
        raise UpgradeError("fetch", f"{url} could not be fetched in {TRIES} tries: {problem}")
    if _digest(path) != sha256:
        path.unlink()
        raise UpgradeError("digest", f"{url} gave another file than was ordered")


def _go_on(url: str, path: Path, size: int, context: ssl.SSLContext | None) -> None:
    have = path.stat().st_size if path.exists() else 0
    if have > size:
        path.unlink()
        have = 0
    if have == size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=context) as answer:
        goes_on = answer.status == 206
        with path.open("ab" if goes_on else "wb") as file:
            have = have if goes_on else 0
            while have < size and (chunk := answer.read(min(_CHUNK, size - have))):
                file.write(chunk)
                have += len(chunk)
    if have < size:
        raise OSError(f"ended after {have} of {size} bytes")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
