"""A5: what a day at 100 readings a second costs a card, counted at the calls that reach it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fault_disk import compile_shim, read_steps
from fault_results import record

pytestmark = [pytest.mark.row("A5"), pytest.mark.needs("gcc")]
COMMAND = "python -m pytest -m soak tests/faults/test_faults_wear.py --timeout 0"
DAY_S, PAGE = 86_400, 4096
BYTES_A_DAY, SYNCS_A_SECOND = 1.5e9, 1.2
WRITEBACK_S = 30  # the kernel writes what nobody synced after so long


@dataclass
class Wear:
    """Pages that reach the card, and waits for it, in `seconds` of the gateway's time."""

    seconds: int = 0
    syncs: int = 0
    pages: Counter[str] = field(default_factory=Counter)

    @property
    def bytes_a_day(self) -> float:
        return self.pages.total() * PAGE / self.seconds * DAY_S

    @property
    def syncs_a_second(self) -> float:
        return self.syncs / self.seconds


def wear_of(folder: Path, warm_s: int, seconds: int) -> Wear:
    """Let the gateway live and count what it cost after it had warmed up."""
    root, log = folder / "root", folder / "steps"
    root.mkdir()
    child = Path(__file__).with_name("fault_wear_child.py")
    more = {"LD_PRELOAD": str(compile_shim(folder)), "DISK_ROOT": str(root), "DISK_LOG": str(log)}
    subprocess.run(
        [sys.executable, str(child), str(root), str(warm_s), str(seconds)], check=True,
        env={**os.environ, **more, "DISK_LAZY": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    return count(log)


def count(log: Path) -> Wear:
    """A page written several times before it is synced, or written back by the kernel, is written once."""
    wear, dirty, names = Wear(), {}, {}
    begun, second = False, 0
    for step in read_steps(log):
        if step.what in "CO":
            names[step.inode] = step.data.decode().rpartition("/")[2]
            dirty.setdefault(step.inode, {})
        elif step.what == "W" and names[step.inode] == "marks":
            second += step.data == b"second\n"
            if step.data == b"begin\n":
                begun, wear = True, Wear()
            wear.seconds += begun and step.data == b"second\n"
            for inode, pages in dirty.items():
                old = [page for page, since in pages.items() if second - since >= WRITEBACK_S]
                _written(wear, names[inode], pages, old)
        elif step.what == "W":
            pages = range(step.at // PAGE, (step.at + len(step.data) - 1) // PAGE + 1)
            for page in pages:
                dirty[step.inode].setdefault(page, second)
        elif step.what in "SD":
            wear.syncs += 1
            pages = dirty.get(step.inode, {})
            _written(wear, names.get(step.inode, "folder"), pages, list(pages))
        elif step.what == "R":
            # A file that replaces another is written out first (ext4's auto_da_alloc).
            new = step.paths[0].rpartition("/")[2]
            for inode in [inode for inode, name in names.items() if name == new]:
                _written(wear, new, dirty[inode], list(dirty[inode]))
    return wear


def _written(wear: Wear, name: str, pages: dict[int, int], gone: list[int]) -> None:
    for page in gone:
        del pages[page]
    wear.pages["spool" if name.endswith(".seg") else name] += len(gone)


def test_writing_of_a_hundred_readings_a_second_spares_the_card(tmp_path):
    wear = wear_of(tmp_path, 10, 60)
    assert wear.seconds == 60
    assert wear.syncs_a_second <= SYNCS_A_SECOND
    assert wear.bytes_a_day <= BYTES_A_DAY


@pytest.mark.soak
def test_day_of_writing_by_an_hour_of_it(tmp_path):
    wear = wear_of(tmp_path, 600, 3600)
    parts = {f"gb_{name}": round(n * PAGE / wear.seconds * DAY_S / 1e9, 3) for name, n in wear.pages.items()}
    figure = {
        "gb_a_day": round(wear.bytes_a_day / 1e9, 3),
        "fsync_a_second": round(wear.syncs_a_second, 3),
        **{name: size for name, size in parts.items() if size > 0.001},
    }
    ok = wear.bytes_a_day <= BYTES_A_DAY and wear.syncs_a_second <= SYNCS_A_SECOND
    record(
        "A5", "test_day_of_writing_by_an_hour_of_it", runs=1, figure=figure, unit="GB a day, 1/s",
        target="24 h at 100 readings/s -> <= 1.5 GB written, <= 1.2 fsync/s", ok=ok, command=COMMAND,
        note="an hour of the gateway's time, whole pages of 4 KB; without the file system's own journal",
    )  # fmt: skip
    assert ok, figure
