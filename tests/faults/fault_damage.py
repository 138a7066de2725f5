"""A gateway's outbox and spool as a power cut leaves them, damaged at random, and what must become of it."""

from __future__ import annotations

import json
import random
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_agent.outbox.cutter import Cutter
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.spool import Spool
from models.alert import Alert, Severity
from models.clock import EARLIEST_NS, SECOND_NS
from models.identity import MessageIdentity, Stream
from models.readings import ReadingBlock
from models.wire.columns import decode_columns
from models.wire.envelope import Kind, open_envelope
from models.wire.messages import GapRecord, Receipt

START = EARLIEST_NS + 10**7 * SECOND_NS
BOOT = "ab" * 16
GATEWAY = "gw-1"


class Hand:
    """Monotonic time that moves when told."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


@dataclass
class Store:
    """Outbox, spool and cutter over one state folder."""

    outbox: Outbox
    spool: Spool
    cutter: Cutter

    def close(self) -> None:
        self.spool.close()
        self.outbox.close()


def open_store(state: Path, hand: Hand, *, max_mb: int = 16, boot: str = BOOT) -> Store:
    """As the agent opens them."""
    outbox = Outbox(
        state / "outbox.db", GATEWAY, max_mb=max_mb, new_epoch=lambda: secrets.randbits(62) | 1,
        now=lambda: START + hand.ns, monotonic=hand,
    )  # fmt: skip
    mark = outbox.mark()
    spool = Spool(
        state / "spool", boot=boot, life=lambda: "cd" * 16, max_bytes=1 << 20, at_least=mark.position
    )
    if mark.boot == spool.boot:
        spool.count_from(mark.next_index)
    cutter = Cutter(
        spool, outbox, resolution=lambda: np.zeros(2), announce=lambda: None, readings=500, seconds=5,
        monotonic_ns=hand,
    )  # fmt: skip
    return Store(outbox, spool, cutter)


def readings(number: int, count: int = 100) -> ReadingBlock:
    """A second of readings; each value comes once in a run."""
    values = np.arange(count) + 1000.0 * number
    times = START + number * SECOND_NS + np.arange(count)
    return ReadingBlock.of(np.ones(count, np.int32), times, values, monotonic_offset_ns=START)


def alert_of(number: int) -> Alert:
    return Alert(
        id=f"{number:032x}", gateway=GATEWAY, monitor="hot", detector="limit", channel="t", hazard="fire",
        severity=Severity.SEVERE, state="firing", boot="0" * 32, onset_index=number, onset_at=START,
        fired_at=START, measured_at=START, score=10, threshold=3, value=80.0,
    )  # fmt: skip


@dataclass
class Truth:
    """What lay in the files before they were damaged."""

    epoch: int
    assigned: dict[Stream, int]
    waiting: dict[MessageIdentity, bytes] = field(default_factory=dict)
    spooled: set[float] = field(default_factory=set)

    def receipt(self, stream: Stream) -> Receipt:
        """What the cloud has: all that did not wait."""
        waiting = {one.sequence for one in self.waiting if one.stream is stream}
        had = [n for n in range(1, self.assigned[stream] + 1) if n not in waiting]
        through = min(waiting, default=self.assigned[stream] + 1) - 1
        beyond = tuple(n for n in had if n > through)
        return Receipt(epoch=self.epoch, stream=stream, through=through, beyond=beyond, sent_at=0)


def live(state: Path, chance: random.Random) -> Truth:
    """A few minutes of a gateway's life, ending as a kill ends it: the log unfinished, nothing closed."""
    hand = Hand()
    store = open_store(state, hand)
    seconds = chance.randrange(120, 300)
    uncut = chance.choice([0, 0, 60])  # seconds at the end that only the spool has
    for second in range(seconds):
        store.spool.append(readings(second), "boiler", str(second))
        if second < seconds - uncut:
            store.cutter.step()
        hand.ns += SECOND_NS
        if second % 37 == 5:
            store.outbox.raise_alert(alert_of(second))
            evidence = {"alert": f"{second:032x}", "window": chance.randbytes(chance.randrange(9000)).hex()}
            store.outbox.put_evidence(evidence["alert"], json.dumps(evidence).encode())
        if second % 11 == 3:
            _receipt(store.outbox, chance)
        if second % 53 == 0:  # as SQLite does by itself every 1000 pages
            store.outbox._database.execute("PRAGMA wal_checkpoint(PASSIVE)")
    truth = Truth(store.outbox.epoch, {stream: store.outbox.assigned(stream) for stream in Stream})
    for stream in Stream:
        for number, raw in store.outbox.messages(stream, 0, 100_000):
            truth.waiting[MessageIdentity(GATEWAY, truth.epoch, stream, number)] = raw
    store.spool.sync()
    position = store.cutter.position
    truth.spooled = set(values_in(store.spool, position))
    # As kill -9 leaves them: closing would tidy the log away.
    copy = state.with_name(f"{state.name}-killed")
    shutil.copytree(state, copy)
    store.close()
    shutil.rmtree(state)
    copy.rename(state)
    return truth


def _receipt(outbox: Outbox, chance: random.Random) -> None:
    for stream in Stream:
        highest = outbox.assigned(stream)
        through = max(0, highest - chance.randrange(5, 40))
        beyond = tuple(n for n in range(through + 2, highest + 1) if chance.random() < 0.2)
        outbox.receive(Receipt(epoch=outbox.epoch, stream=stream, through=through, beyond=beyond, sent_at=0))


def values_in(spool: Spool, position: int) -> Iterator[float]:
    while True:
        records, position = spool.read(position)
        if not records:
            return
        for record in records:
            yield from record.block.value.tolist()


def damage(state: Path, chance: random.Random) -> str:
    """Some flipped bits, or a shorter file: what was done, in words."""
    files = [state / "outbox.db", state / "outbox.db-wal", *sorted((state / "spool").glob("*.seg"))]
    path = chance.choice([file for file in files[:2] if file.exists()] + [chance.choice(files[2:])])
    raw = bytearray(path.read_bytes())
    if chance.random() < 0.35:
        keep = chance.randrange(len(raw))
        path.write_bytes(raw[:keep])
        return f"{path.name} cut to {keep} of {len(raw)} bytes"
    flips = chance.choice([1, 1, 3, 30, 300])
    span = chance.choice([len(raw), min(4096, len(raw))])
    for _ in range(flips):
        raw[chance.randrange(span)] ^= 1 << chance.randrange(8)
    path.write_bytes(raw)
    return f"{flips} bits of the first {span} bytes of {path.name} flipped"


@dataclass
class Outcome:
    """One start on damaged files."""

    what: str
    start_s: float
    new_epoch: bool
    waiting: int
    salvaged: int
    counted: int
    lost: int
    doubled: int
    spool_lost_readings: int
    spool_damaged_bytes: int

    @property
    def is_right(self) -> bool:
        """Whether everything is there once, or counted."""
        spool_told = not self.spool_lost_readings or self.spool_damaged_bytes > 0 or ".seg cut" in self.what
        return self.counted == self.lost and not self.doubled and spool_told


def start_again(state: Path, truth: Truth, what: str) -> Outcome:
    """Start on the files, use them, and hold what is there against the truth."""
    began = time.monotonic()
    hand = Hand()
    store = open_store(state, hand, boot="ef" * 16)
    spooled_now = list(values_in(store.spool, max(store.cutter.position, store.spool.start)))
    started = time.monotonic() - began
    store.spool.append(readings(10_000), "boiler", None)
    store.cutter.step(final=True)
    assert store.outbox.raise_alert(alert_of(10_000))
    for stream in Stream:
        store.outbox.receive(truth.receipt(stream))  # at hello; of another epoch it says nothing
    found: list[MessageIdentity] = []
    exact: dict[MessageIdentity, bytes] = {}
    counted = 0
    again: list[float] = []
    for stream in Stream:
        store.outbox.messages(stream, 0, 100_000)  # what is found damaged now is given up, and told
    for stream in Stream:
        for _, raw in store.outbox.messages(stream, 0, 100_000):
            envelope = open_envelope(raw)
            inner = open_envelope(envelope.body) if envelope.kind == Kind.CARRIED else envelope
            whole = envelope.body if envelope.kind == Kind.CARRIED else raw
            if truth.waiting.get(inner.identity) == whole:
                found.append(inner.identity)
                exact[inner.identity] = whole
            elif inner.kind == Kind.GAP:
                counted += GapRecord.model_validate_json(inner.body).messages
            # One that was received and is sent again, as the receipt was lost, is no second message.
            was = inner.identity.epoch == truth.epoch and inner.identity.sequence <= truth.assigned[stream]
            if inner.kind == Kind.TELEMETRY and not was:
                again += decode_columns(inner.body).value.tolist()
    right = sum(exact[one] == truth.waiting[one] for one in exact)
    lost = len(truth.waiting) - right
    new_values = [value for value in again if value < 9_000_000]
    doubles = len(found) - len(set(found)) + len(new_values) - len(set(new_values))
    doubles += len(set(new_values) - truth.spooled)  # readings that were in a message, cut a second time
    missing = len(truth.spooled - set(new_values))
    outcome = Outcome(
        what, started, store.outbox.epoch != truth.epoch, len(truth.waiting), right, counted, lost,
        doubles, missing, store.spool.damaged_bytes,
    )  # fmt: skip
    assert set(spooled_now) >= set(new_values)
    store.close()
    return outcome
