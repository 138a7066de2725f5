"""A7: a full outbox, and a full file system: alerts go on, what is dropped is counted, and it comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_damage import Hand, Store, alert_of, open_store
from fault_results import record

from models.clock import SECOND_NS
from models.identity import Stream
from models.readings import ReadingBlock
from models.wire.columns import decode_columns
from models.wire.envelope import Kind, open_envelope
from models.wire.messages import GapRecord, Receipt

pytestmark = pytest.mark.row("A7")
BACK_S = 60.0
COMMAND = "python -m pytest -m soak tests/faults/test_faults_full.py --timeout 0"
START = 1_800_000_000 * SECOND_NS


@dataclass
class Full:
    """What came of an outbox that nobody empties, and then of emptying it."""

    readings: int
    messages: int
    alerts: int
    alerts_delivered: int
    dropped: int  # messages that are not there any more
    gap_messages: int
    gap_readings: int
    lost_readings: int
    largest_mb: float
    back_s: float


def fill(folder: Path, seconds: int, *, max_mb: int) -> Full:
    """So many seconds at 1000 readings a second without a receipt; then a cloud takes everything."""
    hand, chance = Hand(), np.random.default_rng(1)
    store = open_store(folder, hand, max_mb=max_mb)
    alerts, written, largest = 0, 0, 0
    for second in range(seconds):
        times = START + second * SECOND_NS + np.arange(1000)
        values = chance.normal(0, 1, 1000)  # nothing to compress
        block = ReadingBlock.of(np.ones(1000, np.int32), times, values, monotonic_offset_ns=START)
        store.spool.append(block, "boiler", None)
        written += 1000
        if second % 60 == 30:
            assert store.outbox.raise_alert(alert_of(second))
            alerts += 1
        store.cutter.step()
        store.spool.release(store.cutter.position)
        largest = max(largest, (folder / "outbox.db").stat().st_size)
        hand.ns += SECOND_NS
    store.cutter.step(final=True)
    assigned = store.outbox.assigned(Stream.BULK)
    began = time.monotonic()
    told = _drain(store)
    back = time.monotonic() - began
    store.close()
    return Full(
        written, assigned, alerts, told["alerts"], assigned - told["messages"], told["gap_messages"],
        told["gap_readings"], written - told["readings"], largest / (1 << 20), back,
    )  # fmt: skip


def _drain(store: Store) -> dict[str, int]:
    """Send everything in order and receive it, as a cloud does."""
    told = dict.fromkeys(("messages", "readings", "alerts", "gap_messages", "gap_readings"), 0)
    for stream in Stream:
        while rows := store.outbox.messages(stream, 0, 200):
            for _, raw in rows:
                envelope = open_envelope(raw)
                if envelope.kind == Kind.TELEMETRY:
                    told["messages"] += 1
                    told["readings"] += len(decode_columns(envelope.body))
                elif envelope.kind == Kind.GAP:
                    gap = GapRecord.model_validate_json(envelope.body)
                    told["gap_messages"] += gap.messages
                    told["gap_readings"] += gap.readings
                told["alerts"] += envelope.kind == Kind.ALERT
            numbers = tuple(number for number, _ in rows)
            receipt = Receipt(
                epoch=store.outbox.epoch, stream=stream, through=numbers[-1], beyond=(), sent_at=0
            )
            store.outbox.receive(receipt)
    return told


def hold_full(full: Full, max_mb: int) -> None:
    assert full.alerts_delivered == full.alerts
    assert full.dropped > 0, "it was never full"
    assert (full.gap_messages, full.gap_readings) == (full.dropped, full.lost_readings)
    assert full.largest_mb <= max_mb


def test_full_outbox_delivers_alerts_and_counts_what_it_dropped(tmp_path):
    full = fill(tmp_path, 240, max_mb=1)
    hold_full(full, 1)
    assert full.back_s <= 5 * BACK_S


def really_full(folder: Path, full_s: int) -> dict[str, Any]:
    """A gateway's life on a file system that is full for a while, in a mount namespace of its own."""
    folder.mkdir()
    private = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    if subprocess.run([*private, "mount", "-t", "tmpfs", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("nothing may be mounted on this machine")
    child = Path(__file__).with_name("fault_full_child.py")
    path = f"{Path(__file__).parents[2]}:{Path(__file__).parents[1]}"
    ended = subprocess.run(
        [*private, sys.executable, str(child), str(folder), str(full_s)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path}, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    return json.loads(ended.stdout.splitlines()[-1])


def hold_really_full(told: dict[str, Any]) -> None:
    assert told["not_judged"] == 0
    assert told["lost"] == told["counted"]
    assert (told["doubled"], told["alerts_doubled"], told["alerts_missing"]) == (0, 0, [])
    assert told["problems"] == ["", ""]
    said = told["log"]
    assert sum("takes nothing" in line for line in said) == sum(
        "takes readings again" in line for line in said
    )
    assert len(said) <= 6, said


@pytest.mark.needs("unshare")
def test_full_file_system_stops_neither_judging_nor_alerts_and_comes_back_by_itself(tmp_path):
    told = really_full(tmp_path / "small", 90)
    hold_really_full(told)
    assert told["lost"] == 0
    assert told["held_back"] == 0, "alerts were stored while the disk was full"


@pytest.mark.soak
@pytest.mark.needs("unshare")
def test_hour_of_a_full_outbox_and_of_a_full_file_system(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    full = fill(state, 3600, max_mb=8)
    told = really_full(tmp_path / "small", 3600)
    ok = full.back_s <= BACK_S and told["back_s"] <= BACK_S
    figure = {
        "alerts": full.alerts,
        "alerts_delivered": full.alerts_delivered,
        "dropped_messages": full.dropped,
        "gap_messages": full.gap_messages,
        "dropped_readings": full.lost_readings,
        "gap_readings": full.gap_readings,
        "drained_s": round(full.back_s, 1),
        "disk_full_lost_readings": told["lost"],
        "disk_full_counted_readings": told["counted"],
        "disk_full_back_s": round(told["back_s"], 2),
    }
    record(
        "A7", "test_hour_of_a_full_outbox_and_of_a_full_file_system", runs=2, figure=figure,
        unit="messages, s",
        target="1 h full -> alerts delivered, gap count exact, recovery <= 60 s", ok=ok, command=COMMAND,
    )  # fmt: skip
    hold_full(full, 8)
    hold_really_full(told)
    assert ok
