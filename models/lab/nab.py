"""The Numenta Anomaly Benchmark run over a folder of its files: one configuration, one causal pass a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ConfigurationError
from models.lab.csvfile import read_series
from models.lab.nab_score import PROFILES, Marked, evaluate, mark
from models.lab.onsets import onsets_of
from models.lab.score import score_series, write_scores

LABELS = Path("labels", "combined_windows.json")
SPLITS, RESAMPLES = 40, 400


def read_labels(data: Path) -> dict[str, list[list[str]]]:
    """File -> windows. ConfigurationError when the folder does not hold the benchmark."""
    try:
        found: dict[str, list[list[str]]] = json.loads((data / LABELS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            "no labels there", file=str(data / LABELS), expected="a folder laid out as numenta/NAB's data"
        ) from None
    return found


def run_files(
    data: Path, detector: str, parameters: Mapping[str, Any], out: Path | None = None
) -> Iterator[tuple[str, Marked]]:
    """Score each file and mark its rows; with `out`, also write them as `lastmile-lab score` would."""
    for name, windows in read_labels(data).items():
        series = read_series(data / name)
        score = onsets_of(score_series(detector, parameters, series))
        if out is not None:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            write_scores(out / name, series, score)
        yield name, mark(score, series.text, windows)


def summarised(files: Mapping[str, Marked]) -> dict[str, dict[str, Any]]:
    """For each profile: score, threshold, hits, a 90 % interval over files, and left-out halves.

    `left_out`: the threshold is chosen on a random half of the files and judged on the other, as the mean of
    40 such splits; `left_out_own`: what those other halves give at their own best threshold.
    """
    names = sorted(files)
    found = {}
    for profile in PROFILES:
        chance = np.random.default_rng(7)
        boot = [
            evaluate(_numbered(files, chance.choice(names, len(names)).tolist()), profile).score
            for _ in range(RESAMPLES)
        ]
        halves = [_halves(files, chance.permutation(names).tolist()) for _ in range(SPLITS)]
        pairs = [
            (
                evaluate(other, profile, evaluate(one, profile).threshold).score,
                evaluate(other, profile).score,
            )
            for one, other in halves
        ]
        left, own = np.mean(pairs, axis=0)
        low, high = np.percentile(boot, [5, 95])
        found[profile.name] = asdict(evaluate(files, profile)) | {
            "low": float(low),
            "high": float(high),
            "left_out": float(left),
            "left_out_own": float(own),
        }
    return found


def _numbered(files: Mapping[str, Marked], names: Sequence[str]) -> dict[str, Marked]:
    return {f"{number} {name}": files[name] for number, name in enumerate(names)}


def _halves(files: Mapping[str, Marked], names: list[str]) -> tuple[dict[str, Marked], dict[str, Marked]]:
    half = len(names) // 2
    return {name: files[name] for name in names[:half]}, {name: files[name] for name in names[half:]}
