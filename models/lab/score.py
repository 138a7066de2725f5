"""Scores of a detector over files, one causal pass each."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.configuration import MonitorConfig, TriggerConfig
from models.lab.csvfile import Series, read_series
from models.lab.onsets import onsets_of
from models.readings import Floats, Quality, ReadingBlock
from models.replay import replay
from models.wire.messages import ChannelEntry

_BLOCK = 4096


def score_files(
    detector: str,
    parameters: Mapping[str, Any],
    files: Sequence[Path],
    out: Path,
    channels: Sequence[str] | None = None,
    *,
    onsets: bool = False,
) -> Iterator[Path]:
    """Write `timestamp,value,anomaly_score` for each file; yields what was written.

    Files from several folders keep their place below the folder they share.
    """
    shared = Path(os.path.commonpath([file.resolve().parent for file in files]))
    for file in files:
        series = read_series(file, channels)
        target = out / file.resolve().relative_to(shared)
        target.parent.mkdir(parents=True, exist_ok=True)
        score = score_series(detector, parameters, series)
        write_scores(target, series, onsets_of(score) if onsets else score)
        yield target


def score_series(detector: str, parameters: Mapping[str, Any], series: Series) -> Floats:
    """Score in 0..1 for each row: the highest of its channels, each judged by itself."""
    if not len(series.text):
        return np.empty(0)
    names = tuple(f"c{number}" for number in range(len(series.names)))
    config = MonitorConfig(
        name="lab",
        detector=detector,
        parameters=dict(parameters),
        channels=names,
        hazard="lab",
        trigger=TriggerConfig(on=10.0),
    )
    entries = {number: ChannelEntry(number=number, name=name) for number, name in enumerate(names)}
    run = replay(config, entries, blocks_of(series), gateway="lab")
    by_row = run.scores.score.reshape(len(series.text), len(series.names))
    return np.asarray(by_row.max(axis=1) / 10.0)


def blocks_of(series: Series) -> Iterator[ReadingBlock]:
    """The series as reading blocks; column k is channel k, rows of one time stand together."""
    width = len(series.names)
    for start in range(0, len(series.text), _BLOCK):
        value = series.value[start : start + _BLOCK]
        rows = len(value)
        flat = value.reshape(-1)
        yield ReadingBlock.of(
            np.tile(np.arange(width, dtype=np.int32), rows),
            np.repeat(series.time[start : start + _BLOCK], width),
            flat,
            np.where(np.isfinite(flat), 0, int(Quality.INVALID)).astype(np.uint8),
            first_index=start * width,
        )


def write_scores(target: Path, series: Series, score: Floats) -> None:
    """Times as they were written, the first channel's value, the score to six places."""
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("timestamp", "value", "anomaly_score"))
        for text, value, points in zip(series.text, series.value[:, 0].tolist(), score.tolist(), strict=True):
            writer.writerow((text, "" if value != value else repr(value), f"{points:.6f}"))
