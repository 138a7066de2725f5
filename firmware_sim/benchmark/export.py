"""A run as files a person can open: readings.csv, truth.json, channels.json."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from firmware_sim.benchmark.run import SECOND, Run
from firmware_sim.benchmark.scene import PERIOD_S
from firmware_sim.benchmark.truth import TrueEvent


def write_run(run: Run, folder: Path) -> None:
    """`readings.csv` has a line for each half minute (`time`: its beginning, ns UTC) and a column a channel.

    Devices are asked each at its own moment within the half minute; a lost reading is an empty field.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "readings.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["time", *(channel.name for channel in run.channels)])
        times = run.began_ns + (PERIOD_S * np.arange(run.value.shape[1])).astype(np.int64) * SECOND
        writer.writerows(zip(times.tolist(), *_texts(run), strict=True))
    _write(folder / "truth.json", [truth_row(run, event) for event in run.truth])
    _write(
        folder / "channels.json",
        [
            {"name": c.name, "kind": c.sensor.kind, "unit": c.sensor.unit, "place": c.place}
            for c in run.channels
        ],
    )


def truth_row(run: Run, event: TrueEvent) -> dict[str, Any]:
    """An event with its times in ns UTC."""
    times = {"from": event.from_s, "to": event.to_s, "calm": event.calm_s}
    return {
        "what": event.what,
        "variant": event.variant,
        "real": event.is_real,
        "places": list(event.places),
        **{name: run.began_ns + round(at_s * 1e9) for name, at_s in times.items()},
    }


def _texts(run: Run) -> list[list[str]]:
    return [["" if math.isnan(value) else f"{value:g}" for value in row] for row in run.value.tolist()]


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
