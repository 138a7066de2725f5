"""Figures of the fault rows in docs/results/faults.json: one line a row and test, by the long runs."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[1] / "docs" / "results" / "faults.json"


def record(
    row: str,
    test: str,
    *,
    runs: int,
    figure: float | dict[str, float],
    unit: str,
    target: str,
    ok: bool,
    command: str,
    note: str = "",
    path: Path = PATH,
) -> None:
    """Put one result in its place, beside those of other rows; safe with several tests at once.

    `row` is of RELIABILITY's tables ("A6"), `figure` what was measured in `unit`, `target` the words of
    the table, `command` what makes it again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    line: dict[str, Any] = {
        "row": row, "test": test, "runs": runs, "figure": figure, "unit": unit, "target": target,
        "ok": bool(ok), "command": command, "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }  # fmt: skip
    if note:
        line["note"] = note
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        lines = json.loads(path.read_text()) if path.exists() else []
        lines = [old for old in lines if (old["row"], old["test"]) != (row, test)]
        lines.append(line)
        lines.sort(key=_order)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n")
        fresh.replace(path)
    finally:
        os.close(folder)


def _order(line: dict[str, Any]) -> tuple[str, int, str]:
    row: str = line["row"]
    return row[0], int(row[1:]), line["test"]
