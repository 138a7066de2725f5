"""A forest of half-space trees: the usual range it is grown in, growing it, how rare a point is in it."""

from __future__ import annotations

import math
from typing import Any

from models.compile import kernel
from models.detectors.half_space import Uint32s, cell_of, grow, mass_of
from models.readings import Floats, Int32s, Int64s

Spaces = tuple[Floats, Floats]  # where each tree's space starts, cells per unit: (dimensions, trees)
Walk = tuple[Floats, Int32s, Int32s]  # scratch of one point: scaled, its cells, where its walks are
Ground = tuple[Floats, Int32s, Uint32s, Uint32s, Int64s]  # scratch of a window: see `replant`

_TINY = 1e-300
_OUTER = 50  # one reading in so many lies below the usual range, one above
_SLOWER = 0.125  # the usual range widens at once and narrows by an eighth of the way in each window


@kernel
def scaled(at: float, low: float, high: float) -> float:
    """A coordinate with the usual range as 0..1."""
    middle = 0.5 * low + 0.5 * high
    return 0.5 + 0.5 * (at - middle) / max(0.5 * high - 0.5 * low, _TINY)


@kernel
def move_range(column: Floats, low: Floats, high: Floats, at: int, first: bool) -> None:
    """Take in the usual range of a window's coordinates, which are sorted in place."""
    column.sort()
    outer = column.shape[0] // _OUTER
    bottom, top = column[outer], column[column.shape[0] - 1 - outer]
    low[at] = bottom if first or bottom < low[at] else low[at] + _SLOWER * (bottom - low[at])
    high[at] = top if first or top > high[at] else high[at] + _SLOWER * (top - high[at])


@kernel
def replant(
    seed: int,
    height: int,
    points: Floats,
    low: Floats,
    high: Floats,
    first: bool,
    spaces: Spaces,
    ground: Ground,
    links: Int32s,
) -> int:
    """Grow the forest anew from a full window `points` (dimensions, window); returns the deepest depth."""
    starts, cells = spaces
    scaled_points, digits, order, spare, nodes = ground
    wide, window = points.shape
    for dimension in range(wide):
        scaled_points[dimension, :] = points[dimension]
        move_range(scaled_points[dimension], low, high, dimension, first)
        for at in range(window):
            place = points[dimension, at]
            scaled_points[dimension, at] = scaled(place, low[dimension], high[dimension])
    last, count, deepest = 2.0**height - 1.0, nodes.shape[1], 0
    for tree in range(starts.shape[1]):
        for dimension in range(wide):
            start, per_unit = starts[dimension, tree], cells[dimension, tree]
            for at in range(window):
                digits[dimension, at] = cell_of(scaled_points[dimension, at], start, per_unit, last)
        mine = links[tree * count : (tree + 1) * count]
        deepest = max(deepest, grow(seed, tree, height, digits, order, spare, nodes, mine))
    return deepest


@kernel
def rarity_of(
    point: Floats,
    low: Floats,
    high: Floats,
    head: Any,
    height: int,
    window: int,
    spaces: Spaces,
    walk: Walk,
    links: Int32s,
) -> float:
    """How many octaves the forest is less dense at the point than where all mass lies in one deepest node."""
    starts, cells = spaces
    within, digits, ends = walk
    for at in range(point.shape[0]):
        within[at] = scaled(point[at], low[at], high[at])
    mass = mass_of(within, starts, cells, 2.0**height - 1.0, links, head.deepest, digits, ends)
    full = starts.shape[1] * window * 2.0**height
    return math.log(full / (mass + 1.0)) * (1.0 / math.log(2.0))
