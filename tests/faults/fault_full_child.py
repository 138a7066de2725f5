"""A gateway on a file system that is really full: run by test_faults_full.py in a mount namespace of its own.

Prints what happened as one line of JSON.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fault_damage import Hand, alert_of, open_store, readings, values_in

from models.clock import SECOND_NS
from models.identity import Stream
from models.wire.columns import decode_columns
from models.wire.envelope import Kind, open_envelope
from models.wire.messages import GapRecord


class Heard(logging.Handler):
    """What was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def main(folder: Path, full_s: int) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
    heard, hand = Heard(), Hand()
    logging.getLogger().addHandler(heard)
    store = open_store(folder, hand, max_mb=16)
    judged, position, alerts = [], 0, []
    filler = folder / "filler"
    written: list[float] = []
    back_s, held_back = 0.0, 0
    for second in range(30 + full_s + 60):
        if second == 30:
            _fill(filler)
        if second == 30 + full_s:
            held_back = store.outbox.counts()["held_back"]
            filler.unlink()
            back = time.monotonic()
        block = readings(second)
        store.spool.append(block, "boiler", None)
        written += block.value.tolist()
        records, position = store.spool.read(position)
        judged += [value for record in records for value in record.block.value.tolist()]
        if second % 25 == 0:
            assert store.outbox.raise_alert(alert_of(second))
            alerts.append(second)
        store.cutter.step()
        store.spool.release(min(store.cutter.position, position))
        if second == 30 + full_s:
            back_s = time.monotonic() - back
        hand.ns += SECOND_NS
    store.cutter.step(final=True)
    told = _told(store, heard, written, judged, alerts, back_s)
    print(json.dumps({**told, "held_back": held_back}))
    store.close()


def _fill(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    for size in (1 << 20, 4096, 1):
        try:
            while True:
                os.write(handle, bytes(size))
        except OSError:
            continue
    os.close(handle)


def _told(store, heard, written, judged, alerts, back_s) -> dict[str, object]:  # type: ignore[no-untyped-def]
    values: list[float] = []
    found: list[int] = []
    gap_readings = 0
    for stream in Stream:
        for _, raw in store.outbox.messages(stream, 0, 100_000):
            envelope = open_envelope(raw)
            if envelope.kind == Kind.TELEMETRY:
                values += decode_columns(envelope.body).value.tolist()
            elif envelope.kind == Kind.ALERT:
                found.append(int(json.loads(envelope.body)["id"], 16))
            elif envelope.kind == Kind.GAP:
                gap_readings += GapRecord.model_validate_json(envelope.body).readings
    left = list(values_in(store.spool, store.cutter.position))
    return {
        "written": len(written),
        "not_judged": len(set(written) - set(judged)),
        "lost": len(set(written) - set(values) - set(left)),
        "doubled": len(values) - len(set(values)),
        "counted": gap_readings,
        "alerts_missing": sorted(set(alerts) - set(found)),
        "alerts_doubled": len(found) - len(set(found)),
        "back_s": back_s,
        "problems": [store.spool.problem, store.outbox.problem],
        "log": heard.lines,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
