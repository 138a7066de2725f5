"""The score of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015), as published.

A detection is worth a sigmoid of its place: most at a window's beginning, nothing at its end, and less than
nothing after it or far from any. Of a window only the earliest detection counts, and a missed one costs. The
first rows of a file are probation and count nothing. One threshold serves all files; a profile's score is
that of its best threshold, 0 for a silent detector and 100 for a perfect one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.readings import Floats, Int64s

PROBATION_SHARE, PROBATION_ROWS = 0.15, 750
_FAR = 3.0  # window widths after which a false detection costs in full


@dataclass(frozen=True, slots=True)
class Profile:
    """What is paid: a hit at a window's beginning earns 1."""

    name: str
    miss: float
    false: float


PROFILES = (
    Profile("standard", 1.0, 0.11),
    Profile("reward_low_FP", 1.0, 0.22),
    Profile("reward_low_FN", 2.0, 0.11),
)


@dataclass(frozen=True, slots=True)
class Marked:
    """One file ready to be scored: rows after probation or in a window.

    `score` float64 (n,); `worth` float64 (n,): of a detection there, without the profile's weights; `window`
    int64 (n,): number of the window within the file, -1 outside; `windows`: how many the file has.
    """

    score: Floats
    worth: Floats
    window: Int64s
    windows: int


@dataclass(frozen=True, slots=True)
class Result:
    """A profile's score at a threshold, 100 at most; `hit` windows found, `false` detections outside."""

    score: float
    threshold: float
    hit: int
    windows: int
    false: int


def _sigmoid(y: Floats) -> Floats:
    return np.where(y > _FAR, -1.0, 2.0 / (1.0 + np.exp(5.0 * np.minimum(y, _FAR))) - 1.0)


def mark(score: Floats, time: Sequence[str], windows: Sequence[Sequence[str]]) -> Marked:
    """Rows of a file with their worth. `time` and `windows` as ISO text, compared to the second."""
    stamps = np.asarray([text[:19] for text in time])
    n = len(stamps)
    spans = sorted(_span(stamps, window) for window in windows)
    worth, place = np.full(n, -1.0), np.full(n, -1, np.int64)
    for number, (first, last) in enumerate(spans):
        width = last - first + 1
        follows = spans[number + 1][0] if number + 1 < len(spans) else n
        inside, after = np.arange(first, last + 1), np.arange(last + 1, follows)
        worth[inside] = _sigmoid(-(last - inside + 1) / width) / _sigmoid(np.asarray(-1.0))
        worth[after] = _sigmoid((after - last) / max(width - 1, 1))
        place[inside] = number
    counts = (np.arange(n) >= min(int(PROBATION_SHARE * n), PROBATION_ROWS)) | (place >= 0)
    return Marked(np.asarray(score)[counts], worth[counts], place[counts], len(spans))


def _span(stamps: NDArray[np.str_], window: Sequence[str]) -> tuple[int, int]:
    inside = np.flatnonzero((stamps >= window[0][:19]) & (stamps <= window[1][:19]))
    if not len(inside):
        raise ValueError(f"no row lies in the window {window[0]} to {window[1]}")
    return int(inside[0]), int(inside[-1])


def evaluate(files: Mapping[str, Marked], profile: Profile, threshold: float | None = None) -> Result:
    """The profile's score over files, at `threshold` or at the best one."""
    levels, gains = _gains(files, profile)
    total = sum(file.windows for file in files.values())
    raw = np.concatenate([[0.0], np.cumsum(gains)]) - profile.miss * total
    ends = np.concatenate([levels[1:] != levels[:-1], [True]]) if len(levels) else np.empty(0, bool)
    stops = np.concatenate([[0], np.flatnonzero(ends) + 1])
    if threshold is None:
        stop = int(stops[np.argmax(raw[stops])])
    else:
        stop = int(np.searchsorted(-levels, -threshold, side="right"))
    level = float(levels[stop - 1]) if stop else np.inf
    best = 100.0 * (raw[stop] + profile.miss * total) / (total * (1.0 + profile.miss)) if total else 0.0
    return Result(float(best), level, *_counts(files, level if threshold is None else threshold))


def _gains(files: Mapping[str, Marked], profile: Profile) -> tuple[Floats, Floats]:
    """Scores falling, and what each adds to the raw score when the threshold is lowered to it."""
    levels, gains = [np.empty(0)], [np.empty(0)]
    for file in files.values():
        gain = np.where(file.window < 0, profile.false * file.worth, 0.0)
        for number in range(file.windows):
            rows = np.flatnonzero(file.window == number)
            rows = rows[np.argsort(-file.score[rows], kind="stable")]
            best = np.maximum.accumulate(file.worth[rows])
            gain[rows] = np.diff(np.concatenate([[-profile.miss], best]))
        levels.append(file.score)
        gains.append(gain)
    level, gain = np.concatenate(levels), np.concatenate(gains)
    order = np.argsort(-level, kind="stable")
    return level[order], gain[order]


def _counts(files: Mapping[str, Marked], threshold: float) -> tuple[int, int, int]:
    hit = false = windows = 0
    for file in files.values():
        found = file.score >= threshold
        hit += len(set(file.window[found & (file.window >= 0)].tolist()))
        false += int(np.count_nonzero(found & (file.window < 0)))
        windows += file.windows
    return hit, windows, false
