"""A4: power cuts that drop, tear and reorder what was not synced; outbox, spool and snapshots go on."""

from __future__ import annotations

import logging
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_damage import Hand, open_store, values_in
from fault_disk import Disk, compile_shim, read_steps
from fault_results import record

from edge_agent.judge.snapshots import SnapshotStore
from models.identity import Stream
from models.wire.columns import decode_columns
from models.wire.envelope import Kind, open_envelope

pytestmark = [pytest.mark.row("A4"), pytest.mark.needs("gcc")]
COMMAND = "python -m pytest -m soak tests/faults/test_faults_power.py --timeout 0"
A_SECOND = 100  # readings


@dataclass
class Cut:
    """One start after a power cut."""

    at: int
    corrupt: bool
    lost_alerts: int
    lost_readings: int  # of those older than a second
    lost_in_last_second: int
    doubled: int
    snapshot_lost: bool

    @property
    def is_right(self) -> bool:
        return not (
            self.corrupt or self.lost_alerts or self.lost_readings or self.doubled or self.snapshot_lost
        )


def life_on_disk(folder: Path, seconds: int, seed: int) -> tuple[Path, Path]:
    """Let the gateway write for so many seconds of its time; its root and the log of what it did."""
    root, log = folder / f"root-{seed}", folder / f"steps-{seed}"
    root.mkdir()
    child = Path(__file__).with_name("fault_power_child.py")
    shim = compile_shim(folder)
    # The real disk need not be waited for: what a sync means is played by `Disk`.
    more = {"LD_PRELOAD": str(shim), "DISK_ROOT": str(root), "DISK_LOG": str(log), "DISK_LAZY": "1"}
    path = f"{Path(__file__).parents[2]}:{Path(__file__).parents[1]}"
    subprocess.run(
        [sys.executable, str(child), str(root), str(seconds), str(seed)],
        env={**os.environ, **more, "PYTHONPATH": path}, check=True, timeout=600,
    )  # fmt: skip
    return root, log


def cuts(folder: Path, count: int, seconds: int, seed: int) -> Iterator[Cut]:
    """Cut the power `count` times in one life, at random moments."""
    root, log = life_on_disk(folder, seconds, seed)
    steps, chance, disk = list(read_steps(log)), random.Random(seed), Disk()
    moments = sorted(chance.randrange(len(steps)) for _ in range(count))
    marks, done = b"", 0
    marks_inode = next(step.inode for step in steps if step.what == "C" and step.data.endswith(b"/marks"))
    for moment in moments:
        for step in steps[done:moment]:
            disk.do(step)
            if step.what == "W" and step.inode == marks_inode:
                marks += step.data
        done = moment
        after = folder / "after"
        disk.after_cut(str(root), after, chance)
        (after / "state").mkdir(parents=True, exist_ok=True)
        yield start_after(after / "state", marks.decode().split("\n")[:-1], moment)
        shutil.rmtree(after)


def start_after(state: Path, marks: list[str], moment: int) -> Cut:
    """Start, use what is there, and hold it against what was said before the cut."""
    alerts = {int(mark.split()[1]) for mark in marks if mark.startswith("alert")}
    seconds = 1 + max((int(mark.split()[1]) for mark in marks if mark.startswith("second")), default=-1)
    epochs = list(state.glob("outbox.db.damaged-*"))
    store = open_store(state, Hand(), max_mb=2, boot="ef" * 16)
    corrupt = bool(list(state.glob("outbox.db.damaged-*"))) and not epochs
    read = list(values_in(store.spool, max(store.cutter.position, store.spool.start)))
    has_received = bool(store.outbox._life.settled[Stream.BULK].all)
    values: list[float] = []
    found: set[int] = set()
    rows = store.outbox._database.execute(
        "SELECT raw FROM urgent UNION ALL SELECT raw FROM bulk ORDER BY 1"
    ).fetchall()
    for (raw,) in rows:
        envelope = open_envelope(raw)
        if envelope.kind == Kind.TELEMETRY:
            values += decode_columns(envelope.body).value.tolist()
        elif envelope.kind == Kind.ALERT:
            found.add(int(b"".join(envelope.body.split(b'"id":"')[1:])[:32], 16))
    # What was received and let go, to make room, is where the cloud has it: seconds before the oldest kept.
    oldest = min(values, default=0.0) if has_received else 0.0
    kept = set(values) | set(read)
    safe = {float(v) for v in range(int(oldest), seconds * A_SECOND)}
    late = {float(v) for v in range(seconds * A_SECOND, (seconds + 1) * A_SECOND)}
    doubled = len(values) + len(read) - len(kept)
    saved = SnapshotStore(state / "snapshots")
    snapshot_lost = seconds > 11 and saved.load() is None
    store.cutter.step(final=True)
    store.close()
    return Cut(
        moment, corrupt, len(alerts - found), len(safe - kept), len(late - kept), doubled, snapshot_lost
    )


def test_power_cuts_corrupt_nothing_and_take_at_most_the_last_second(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    found = list(cuts(tmp_path, 25, seconds=60, seed=1))
    assert [one for one in found if not one.is_right] == []


def test_disk_that_forgets_a_sync_would_be_noticed(tmp_path, caplog):
    """The test of the test: with syncs left out alerts are lost."""
    caplog.set_level(logging.CRITICAL)
    root, log = life_on_disk(tmp_path, 40, 2)
    steps = list(read_steps(log))
    disk, chance = Disk(), random.Random(2)
    for step in steps:
        if step.what not in "S":
            disk.do(step)
    lost = 0
    for number in range(6):
        after = tmp_path / f"after-{number}"
        disk.after_cut(str(root), after, chance)
        (after / "state").mkdir(parents=True, exist_ok=True)
        marks = [line for line in (root / "marks").read_text().split("\n") if line]
        outcome = start_after(after / "state", marks, len(steps))
        lost += outcome.lost_alerts + outcome.lost_readings + outcome.corrupt
    assert lost > 0


@pytest.mark.soak
def test_five_hundred_power_cuts(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    found = [cut for seed in range(10) for cut in cuts(tmp_path, 50, seconds=150, seed=seed)]
    wrong = [one for one in found if not one.is_right]
    figure = {
        "corrupt_starts": sum(one.corrupt for one in found),
        "lost_alerts": sum(one.lost_alerts for one in found),
        "lost_readings_older_than_1s": sum(one.lost_readings for one in found),
        "doubled_readings": sum(one.doubled for one in found),
        "lost_of_last_second_at_most": max(one.lost_in_last_second for one in found) / A_SECOND,
    }
    record(
        "A4", "test_five_hundred_power_cuts", runs=len(found), figure=figure,
        unit="starts, alerts, readings, s",
        target="0 corrupt starts, <= 1 s telemetry lost, 0 raised alerts lost",
        ok=not wrong, command=COMMAND,
        note="writes reach the disk by the page, in any order, some torn; names in order of change",
    )  # fmt: skip
    assert wrong == []
