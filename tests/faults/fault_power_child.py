"""A gateway's writing, second by second, for a power cut to interrupt: run by test_faults_power.py."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from fault_damage import Hand, alert_of, open_store

from edge_agent.judge.snapshots import MonitorState, Snapshot, SnapshotStore
from models.clock import SECOND_NS
from models.identity import Stream
from models.readings import ReadingBlock
from models.wire.messages import Receipt

START = 1_800_000_000 * SECOND_NS


def main(root: Path, seconds: int, seed: int) -> None:
    chance, hand = random.Random(seed), Hand()
    state = root / "state"
    state.mkdir(exist_ok=True)
    marks = os.open(root / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    store = open_store(state, hand, max_mb=2)
    store.outbox._database.execute("PRAGMA wal_autocheckpoint = 30")
    snapshots = SnapshotStore(state / "snapshots")
    for second in range(seconds):
        for part in range(4):
            values = second * 100.0 + part * 25 + np.arange(25)
            times = START + second * SECOND_NS + np.arange(25)
            block = ReadingBlock.of(np.ones(25, np.int32), times, values, monotonic_offset_ns=START)
            store.spool.append(block, "boiler", f"{second}/{part}")
        if chance.random() < 0.2:
            store.outbox.raise_alert(alert_of(second))
            os.write(marks, b"alert %d\n" % second)
        store.cutter.step()
        os.write(marks, b"second %d\n" % second)
        if second % 10 == 9:
            snapshots.save(Snapshot(store.cutter.position, 0, (MonitorState("m", os.urandom(20_000)),)))
            store.spool.release(store.cutter.position)
        if chance.random() < 0.3:
            for stream in Stream:
                through = max(0, store.outbox.assigned(stream) - chance.randrange(6))
                receipt = Receipt(epoch=store.outbox.epoch, stream=stream, through=through, sent_at=0)
                store.outbox.receive(receipt)
        hand.ns += SECOND_NS


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
