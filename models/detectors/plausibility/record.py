"""What is kept of a channel, verdicts and faults by number, and every threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.detectors.bank import Trait
from models.detectors.plausibility.drift import DRIFT
from models.detectors.plausibility.natures import nature_of
from models.readings import Quality

OK, DOUBTED, HELD, FAULTY, RELEASED, RECOVERED = range(6)  # verdicts
NO_FAULT, SPIKE, DROPOUT, RANGE, UNIT, STUCK, ERRATIC, SILENT, DRIFTING = range(9)
CALM, HOLDING, FAILED = range(3)  # phases

PLAUSIBILITY: list[Any] = [
    ("seen", "i8"),  # time of the last row of any sort
    ("since", "i8"),  # when the present episode began
    ("failed", "i8"),  # when its present run of faulty rows did
    ("period", "i8"),  # usual ns between rows
    ("jitter", "i8"),  # usual distance from it
    ("gap", "i8"),  # longest ordinary ns between live rows
    ("still", "i8"),  # ns the present rest has lasted
    ("longest", "i8"),  # ns of the longest ordinary rest
    ("level", "f8"),  # the last value believed
    ("tall", "f8"),  # the tallest ordinary step
    ("usual", "f8"),  # the usual one, as a mean that fades over 64 rows
    ("reach", "f8"),  # how many of these a step may be
    ("low", "f8"),
    ("high", "f8"),
    ("taught", "f8"),  # seconds believed
    ("candidate", "f8"),  # the value held, or that of the fault
    ("told", "f8"),  # the number the fault's reason gives: a spike's height, a sentinel
    ("floor", "f4"),  # four steps of the channel's resolution: no jump
    ("run", "u4"),  # rows of the present rest
    ("count", "u4"),  # rows believed
    ("live", "u4"),  # live rows heard
    ("bad", "u4"),  # rows of the episode that were not believed
    ("nature", "u2"),
    ("moves", "u1"),  # rows that differed from the one before
    ("phase", "u1"),
    ("fault", "u1"),
    ("held", "u1"),  # rows held in a row
    ("same", "u1"),  # of these, equal to the first
    ("unit", "u1"),  # the conversion the held rows fit
    ("trouble", "u1"),  # missing values, leaking away with good ones
    ("calm", "u1"),  # believed rows since the last bad one
    ("stuck", "u1"),  # the present rest was declared a fault
    ("loose", "u1"),  # values have jumped and come back in this episode
    *DRIFT,
]
PLAUSIBILITY_TIMES = ("seen", "since", "failed")
# What rows that are not believed may change: the course of faults and the pace, nothing of the quantity.
EVIDENCE = (
    *("seen", "since", "failed", "period", "jitter", "gap", "live"),
    *("phase", "fault", "bad", "calm", "trouble", "held", "same", "unit", "candidate", "told"),
)

CALM_ROWS, LOOSE_TIMES = 12, 5
INVALID, BEYOND = int(Quality.INVALID), int(Quality.OUT_OF_RANGE)
NANO = 1e-9
PACES = 8  # a row stands for at most so many usual intervals; after a longer gap no step is a jump
FEWEST = 30  # rows and
FEWEST_MOVES = 8  # changes before a step can be called a jump
FRESH_REACH = 8.0  # tallest steps a step may be on the first day
REACH = 2.0  # and later
WARY_REACH = 1.25
USUAL_GAIN = 1.0 / 64.0
NEAR = 4.0  # usual steps that three rows go at most, as good as always
CLEAR = 1.5  # a jump that leads nowhere is a fault from so many reaches on
REST_TIMES = 3
REST_ROWS = 5  # rows a rest must have, however short the longest was
REST_FEWEST = 200  # rows believed before any rest is judged
MISSING, MISSING_LIMIT = 4, 12
HOLD_ROWS = 3
STEADY = 0.3  # share of a jump by which the rows that confirm it may differ
LOOSE_ROWS = 6  # rows a new level must stand while the contact is loose
BAND = 0.25  # share of its width by which the range may be left after a fault
_WORDS = (65535.0, 6553.5, 655.35, 32767.0, 3276.7, 327.67, -32768.0, -3276.8, -327.68, 4294967295.0)
SENTINELS = np.array((-999.0, -9999.0, -999.9, 999.9, 9999.0, *_WORDS))
SENTINELS_C = np.array([-127.0, 85.0])  # a DS18B20 without an answer, and after a brown-out


def begin_plausibility(states: NDArray[Any], traits: Sequence[Trait]) -> None:
    """Fill what a fresh state needs beyond zeros and NEVER."""
    states["floor"] = [4.0 * trait.resolution for trait in traits]
    states["nature"] = [nature_of(trait.kind) for trait in traits]
    states["reach"] = FRESH_REACH


@kernel
def teaches(verdict: int) -> bool:
    """Whether a row of this verdict may be learned from."""
    return verdict == OK or verdict >= RELEASED
