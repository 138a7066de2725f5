"""What the default keeps of one channel: about 24 KB, most of it the store of past shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.detectors.plausibility import PLAUSIBILITY
from models.detectors.surprise import SKETCH

RECENT, BEFORE = 12, 144  # frames whose mean is held against the mean of those before them
RING = RECENT + BEFORE
EMBED = 8  # frames of a shape
SHAPES = 500  # past shapes that are kept
DELAY = 16  # frames a shape must be old: it is no neighbour of itself
CLOSINGS = 32  # frames whose end is kept, above DELAY + 1
BUCKETS = 48  # half hours of a day
CELLS = 80  # steps of the fused evidence

DAY, SHIFT, SHAPE, EXTREME = range(4)
PARTS = 4
CALIBRATED = 3  # the extreme needs no sketch: it is a share of the range seen

HEAD: list[Any] = [
    ("last", "i8"),
    ("pace", "i8"),  # usual ns between readings
    ("seen", "f8"),  # readings learned
    ("taught", "f8"),  # seconds learned
    ("anchor", "f8"),  # the first value; all else is kept relative to it
    ("smooth", "f8"),  # the reading, smoothed where that is asked for
    ("scatter", "f8"),  # usual distance of a reading from it
    ("floor", "f4"),  # a change below it matters to nobody
    ("side", "i4"),  # 0 both, 1 high alone, -1 low alone
    # the frame being filled
    ("frame", "i8"),  # its number since 1970
    ("sum", "f8"),
    ("count", "f8"),
    ("closed", "i8"),  # frames closed in all
    ("unbroken", "i8"),  # frames closed since the last gap
    ("recent", "f8"),  # sum of the last RECENT - 1 closed frames
    ("before", "f8"),  # sum of the BEFORE frames before those
    # the day
    ("visit", "i8"),  # half hours since 1970 of the present visit
    ("visit_sum", "f8"),
    ("visit_weight", "f8"),
    ("level", "f8"),  # how much the channel lies above its day
    ("slack", "f8"),  # so far above or below that it may be, for some time after a silence
    # the range
    ("high", "f8"),
    ("low", "f8"),
    # the store
    ("stored", "i8"),  # shapes stored in all
    ("novel", "f8"),  # distance from which a shape is worth keeping
    # the parts
    ("usual", "f8", (CALIBRATED,)),  # usual size of each part's statistic
    ("weight", "f8", (CALIBRATED,)),  # seconds it was learned over
    ("largest", "f8", (CALIBRATED,)),  # largest size of late
]
BLEND: list[Any] = [
    ("cells", "f4", (CELLS,)),  # readings that had such evidence
    ("rarity", "f4", (CELLS + 1,)),  # surprise at each cell's lower edge
    ("known", "f4"),  # the rarest surprise this channel can have shown itself: log10 of its readings
    ("fresh", "f4"),
    ("due", "f4"),
]
FIELDS: list[Any] = [
    *HEAD,
    ("frames", "f4", (RING,)),
    ("season", "f4", (BUCKETS,)),
    ("visits", "f4", (BUCKETS,)),
    ("shapes", "f4", (EMBED, SHAPES)),
    ("newest", "f4", (EMBED,)),  # the shape that was last judged; NaN first where there was none
    ("ended", "i8", (SHAPES,)),  # when each of the past shapes ended
    ("closings", "i8", (CLOSINGS,)),  # when each of the last frames ended
    ("sketch", np.dtype(SKETCH), (CALIBRATED,)),
    ("blend", np.dtype(BLEND)),
    ("plausibility", np.dtype(PLAUSIBILITY, align=True)),  # aligned, or the arrays before it would not be
]
VIEWS = (
    "frames",
    "season",
    "visits",
    "shapes",
    "newest",
    "ended",
    "closings",
    "sketch",
    "blend",
    "plausibility",
)
TIMES = ("last", "ended", "closings")
