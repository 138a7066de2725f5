"""Digests of frozen runs, so that the benchmark cannot change unnoticed under those who tuned on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from firmware_sim.benchmark.run import Run, truth_of
from firmware_sim.benchmark.truth import TrueEvent

DIGESTS_FILE = Path(__file__).parent / "digests.json"


def digest_of(run: Run) -> str:
    """16 hexadecimal digits of a run's truth, times and values.

    Values are hashed as whole steps of their resolution, so the last bit of an exponential on another
    processor does not matter.
    """
    hashed = hashlib.blake2b(truth_digest(run.truth).encode(), digest_size=8)
    for channel, time, value in zip(run.channels, run.time, run.value, strict=True):
        steps = np.where(np.isfinite(value), value, -1e9) / channel.sensor.resolution
        hashed.update(channel.name.encode())
        hashed.update(time.astype("<i8").tobytes() + np.rint(steps).astype("<i8").tobytes())
    return hashed.hexdigest()


def truth_digest(truth: Iterable[TrueEvent]) -> str:
    """16 hexadecimal digits of events, to the second."""
    rows = [
        [e.what, e.variant, list(e.places), round(e.from_s), round(e.to_s), round(e.calm_s), e.is_real]
        for e in truth
    ]
    return hashlib.blake2b(json.dumps(rows).encode(), digest_size=8).hexdigest()


def truths_digest(hazard: str, seeds: Iterable[int]) -> str:
    """One digest of the truths of many runs of a hazard, without making their readings."""
    parts = [truth_digest(truth_of(hazard, seed)) for seed in seeds]
    return hashlib.blake2b("".join(parts).encode(), digest_size=8).hexdigest()


def frozen_digests() -> dict[str, dict[str, str]]:
    """Hazard -> seed (or `truths`) -> digest, as committed."""
    found: dict[str, dict[str, str]] = json.loads(DIGESTS_FILE.read_text(encoding="utf-8"))
    return found
