"""lastmile-edge outbox: how much waits, which messages, and messages carried away and put back."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

from edge_agent.outbox.inspect import Row, outbox_figures, outbox_rows
from edge_agent.outbox.ledger import new_epoch
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.portable import read_damaged, read_messages, write_messages
from edge_agent.settings import load_settings
from edge_agent.state import StateBusyError, StateFolder
from models.clock import SECOND_NS, SystemClock
from models.errors import ConfigurationError, LastmileError
from models.identity import Stream
from models.wire.envelope import open_envelope

_AT_ONCE = 200
Told = tuple[object, str]


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `lastmile-edge outbox` takes."""
    parser.add_argument("action", nargs="?", choices=["ls", "export", "replay"], help="default: the figures")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="of export and replay")
    parser.add_argument("--stream", choices=["urgent", "bulk"], help="only this stream")
    parser.add_argument("--received", action="store_true", help="those the cloud has received, still kept")
    parser.add_argument("--all", action="store_true", help="those that wait and those received")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="of ls: at most so many (100)")
    parser.add_argument("--damaged", type=Path, metavar="DB", help="of export: an outbox.db set aside")


def outbox_command(chosen: argparse.Namespace, state: StateFolder) -> Told:
    """What was asked for, as JSON-ready values and in words; LastmileError says what to check."""
    if chosen.action == "ls":
        return _list(chosen, state)
    if chosen.action == "export":
        return _export(chosen, state)
    if chosen.action == "replay":
        return _replay(chosen, state)
    figures = outbox_figures(state.outbox)
    return figures, "\n".join(f"{key}: {value}" for key, value in figures.items())


def _rows(chosen: argparse.Namespace, state: StateFolder) -> Iterator[Row]:
    streams = (Stream[chosen.stream.upper()],) if chosen.stream else (Stream.URGENT, Stream.BULK)
    waits = chosen.all or not chosen.received
    return outbox_rows(state.outbox, streams, waiting=waits, received=chosen.all or chosen.received)


def _list(chosen: argparse.Namespace, state: StateFolder) -> Told:
    now = SystemClock().wall_ns()
    found = list(itertools.islice(_rows(chosen, state), max(0, chosen.limit) + 1))
    shown = [_told(row, now) for row in found[: max(0, chosen.limit)]]
    lines = [
        f"{one['stream']:6} {one['number']:>8} {one['kind']:9} {one['readings']:>6} readings "
        f"{one['bytes']:>7} bytes {one['age_s']:>9} s old  {one['state']}"
        for one in shown
    ]
    is_more = len(found) > len(shown)
    if is_more:
        lines.append(f"and more: --limit {10 * chosen.limit}, or --stream")
    return {"messages": shown, "more": is_more}, "\n".join(lines) or "no such messages"


def _told(row: Row, now: int) -> dict[str, object]:
    told: dict[str, object] = {
        "stream": row.stream.name.lower(),
        "number": row.number,
        "kind": row.kind.name.lower(),
        "readings": row.readings,
        "bytes": len(row.raw),
        "age_s": max(0, now - open_envelope(row.raw).sent_at) // SECOND_NS,
        "state": "waiting" if row.received_s is None else "received",
    }
    return told if row.received_s is None else {**told, "received_s": row.received_s}


def _export(chosen: argparse.Namespace, state: StateFolder) -> Told:
    file, gateway = _file_of(chosen), load_settings(state.settings).gateway.id
    if chosen.damaged is not None:
        if not chosen.damaged.exists():
            raise LastmileError(
                f"{chosen.damaged} is not there; look for outbox.db.damaged-* in {state.root}"
            )
        raws = read_damaged(chosen.damaged, gateway)
    else:
        raws = (row.raw for row in _rows(chosen, state))
    count = write_messages(file, gateway, raws, SystemClock().wall_ns())
    return {"messages": count, "file": str(file)}, f"{count} messages written to {file}"


def _replay(chosen: argparse.Namespace, state: StateFolder) -> Told:
    """Refused while the agent runs: two programs must not give numbers from one outbox."""
    file, gateway = _file_of(chosen), load_settings(state.settings)
    try:
        lock = state.lock()
    except StateBusyError as busy:
        raise LastmileError(f"{busy}; messages can be put back only while the agent stands still") from busy
    with lock:
        clock = SystemClock()
        outbox = Outbox(
            state.outbox, gateway.gateway.id, max_mb=gateway.limits.outbox_mb, new_epoch=new_epoch,
            now=clock.wall_ns, monotonic=clock.monotonic_ns,
        )  # fmt: skip
        try:
            done = _put_all(outbox, read_messages(file, gateway.gateway.id))
        finally:
            outbox.close()
    words = (
        f"{done['again']} are sent again, {done['carried']} were carried into new messages, "
        f"{done['waiting']} wait anyhow; they go when the agent runs"
    )
    return done, words


def _put_all(outbox: Outbox, raws: Iterator[bytes]) -> dict[str, int]:
    done = {"again": 0, "carried": 0, "waiting": 0}
    while some := list(itertools.islice(raws, _AT_ONCE)):
        for what, count in outbox.put_again(some).items():
            done[what] += count
    return done


def _file_of(chosen: argparse.Namespace) -> Path:
    if chosen.file is None:
        raise ConfigurationError("which file?", key="FILE", expected=f"outbox {chosen.action} FILE")
    return Path(chosen.file)
