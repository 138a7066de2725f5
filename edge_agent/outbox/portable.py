"""Messages in a file that can be carried away: JSON lines, the first says whose, each other is one message.

    {"lastmile_outbox": 1, "gateway": "gw-1", "exported_at": "2026-01-01T00:00:00Z"}
    {"stream": "bulk", "epoch": 7, "number": 41, "kind": "telemetry", "raw": "<base64 of the whole message>"}

`raw` alone counts when it is read back; the rest is for people. Also read: a damaged outbox.db as it was set
aside, of which every whole message is taken.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.outbox.pages import DamagedFile
from models.errors import LastmileError, WireError
from models.wire.envelope import Kind, open_envelope

VERSION = 1
_SQLITE = b"SQLite format 3\0"


def write_messages(path: Path, gateway: str, raws: Iterable[bytes], now_ns: int) -> int:
    """Write messages; how many. OSError when the file cannot be written."""
    at = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).isoformat()
    count = 0
    with path.open("w", encoding="ascii") as file:
        path.chmod(0o600)
        print(json.dumps({"lastmile_outbox": VERSION, "gateway": gateway, "exported_at": at}), file=file)
        for raw in raws:
            print(json.dumps(_line(raw)), file=file)
            count += 1
    return count


def read_messages(path: Path, gateway: str) -> Iterator[bytes]:
    """Whole messages of `gateway`; LastmileError names the line that is none."""
    try:
        with path.open("rb") as file:
            is_database = file.read(len(_SQLITE)) == _SQLITE
    except OSError as wrong:
        raise LastmileError(f"{path} cannot be read: {wrong.strerror}") from wrong
    return read_damaged(path, gateway) if is_database else _read_lines(path, gateway)


def read_damaged(path: Path, gateway: str) -> Iterator[bytes]:
    """Whole messages of `gateway` in a database that SQLite may not be able to read, each once."""
    seen: set[object] = set()
    with DamagedFile(path, [log for log in [Path(f"{path}-wal")] if log.exists()]) as file:
        for found in file.messages(gateway):
            if found.envelope.identity not in seen:
                seen.add(found.envelope.identity)
                yield found.raw


def _line(raw: bytes) -> dict[str, object]:
    envelope = open_envelope(raw)
    identity = envelope.identity
    known = envelope.kind in [int(kind) for kind in Kind]
    return {
        "stream": identity.stream.name.lower(),
        "epoch": identity.epoch,
        "number": identity.sequence,
        "kind": Kind(envelope.kind).name.lower() if known else str(envelope.kind),
        "raw": base64.b64encode(raw).decode(),
    }


def _read_lines(path: Path, gateway: str) -> Iterator[bytes]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                told = json.loads(line)
                if number == 1:
                    _check_head(told, gateway)
                    continue
                raw = base64.b64decode(told["raw"], validate=True)
                open_envelope(raw)
            except (ValueError, KeyError, TypeError, binascii.Error, WireError) as wrong:
                raise LastmileError(
                    f"{path} line {number} is no message of an export: {wrong}; was the file cut or edited?"
                ) from wrong
            yield raw


def _check_head(told: dict[str, object], gateway: str) -> None:
    if told.get("lastmile_outbox") != VERSION:
        raise ValueError(f"the first line does not begin an export of version {VERSION}")
    if told.get("gateway") != gateway:
        raise ValueError(f"an export of gateway {told.get('gateway')!r}, this one is {gateway!r}")
