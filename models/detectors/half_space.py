"""Half-space trees as kernels: from the readings of one window to a forest, and a reading's mass in it.

A tree halves a random work space h times, each time along a dimension drawn for that node. The halvings of
one dimension are the binary digits of the coordinate in the work space, so no threshold is kept, and a node's
dimension is drawn from its number, so no tree is kept either. A walk ends where at most a tenth of the window
lies: nodes below never matter. What is kept of a window is therefore the few nodes above: 229 of 65535 at
height 15, found when the window is full.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.readings import Floats, Int32s, Int64s

Uint32s = NDArray[np.uint32]

SPARSE = 10  # a node with at most a window's tenth of mass is not halved again (Tan et al. 2011, sizeLimit)
_WEYL, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def node_count(window: int, height: int) -> int:
    """The largest number of nodes a tree can need: those with more than a tenth of the window, two for each.

    >>> node_count(250, 15)
    229
    """
    wide = window // (window // SPARSE + 1)
    halved = sum(min(1 << depth, wide) for depth in range(height))
    return 1 + 2 * halved


@kernel
def drawn(seed: int, tree: int, index: int) -> int:
    """A number 0..2^31-1 that looks random, the same everywhere (Steele, Lea and Flood 2014: splitmix64)."""
    mixed = np.uint64(seed * 1000003 + tree) * np.uint64(_WEYL) + np.uint64(index)
    for _ in range(2):
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_FIRST)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_SECOND)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return int(np.int64(mixed >> np.uint64(33)))


@kernel
def work_spaces(seed: int, starts: Floats, cells: Floats) -> None:
    """Each tree's space in each dimension: where it starts and cells per unit, the usual range being 0..1.

    `starts`, `cells` float64 (dimensions, trees). A point s is drawn in 0..1 and the space reaches
    2 max(s, 1 - s) to both sides of it (Tan et al. 2011). `cells` comes in as cells in the whole space.
    """
    for dimension in range(starts.shape[0]):
        for tree in range(starts.shape[1]):
            middle = drawn(seed, tree, -1 - dimension) / 2147483648.0
            reach = 2.0 * max(middle, 1.0 - middle)
            starts[dimension, tree] = middle - reach
            cells[dimension, tree] /= 2.0 * reach


@kernel
def cell_of(at: float, start: float, cells: float, last: float) -> int:
    """Cell 0..last of a coordinate in a tree's space; the nearest one outside it, the first for no number."""
    cell = (at - start) * cells
    cell = cell if cell > 0.0 else 0.0
    return int(np.int32(cell if cell < last else last))


@kernel
def mass_of(
    point: Floats,
    starts: Floats,
    cells: Floats,
    last: float,
    links: Int32s,
    deepest: int,
    digits: Int32s,
    ends: Int32s,
) -> int:
    """Sum over the trees of mass x 2^depth where the point's walks end: its density but for a constant.

    All trees take a step together, as often as the deepest needs, for the processor then has nothing to
    guess. `digits` int32 (16, trees) and `ends` (trees,) are scratch.
    """
    trees = starts.shape[1]
    nodes = links.shape[0] // trees
    for dimension in range(point.shape[0]):
        for tree in range(trees):
            digits[dimension, tree] = cell_of(
                point[dimension], starts[dimension, tree], cells[dimension, tree], last
            )
    for tree in range(trees):
        ends[tree] = links[tree * nodes]
    for _ in range(deepest):
        for tree in range(trees):
            link = ends[tree]
            # Unsigned, because numba asks of every other index whether it counts from the end.
            bit = (digits[np.uint32((link >> 4) & 15), tree] >> (link & 15)) & 1
            ends[tree] = links[np.uint64(tree * nodes + ((link >> 8) & 255) + bit)]
    mass = np.int64(0)
    for tree in range(trees):
        mass += np.int64(ends[tree] >> 16) << ((ends[tree] >> 4) & 15)
    return int(mass)


@kernel
def grow(
    seed: int,
    tree: int,
    height: int,
    digits: Int32s,
    order: Uint32s,
    spare: Uint32s,
    nodes: Int64s,
    links: Int32s,
) -> int:
    """Grow a tree over a window's points, whose cells are `digits` (dimensions, window); returns its depth.

    A link has four parts: 16 bits mass, 8 bits next, 4 bits dimension, 4 bits digit. It leads to the node
    `next` where that digit is 0, to the one beside where it is 1. Where the walk ends it has the mass and,
    for dimension, the depth, and leads to itself: no cell has a digit 15. `order`, `spare` (window,) and
    `nodes` (5, count) are scratch: points grouped by node; a node's first point, end, depth, number in the
    tree, digits used of each dimension (four bits each).
    """
    dimensions, window = digits.shape
    sparse = window // SPARSE
    for point in range(window):
        order[point] = point
    nodes[:, 0] = (0, window, 0, 1, 0)
    node, count = 0, 1
    while node < count:
        begin, end, depth, path, used = nodes[:, node]
        if end - begin <= sparse or depth == height:
            links[node] = ((end - begin) << 16) | (node << 8) | (depth << 4) | 15
            node += 1
            continue
        dimension = drawn(seed, tree, path) % dimensions
        digit = height - 1 - ((used >> (4 * dimension)) & 15)
        middle = halve(digits[dimension], order, spare, begin, end, digit)
        links[node] = (count << 8) | (dimension << 4) | digit
        used += 1 << (4 * dimension)
        nodes[:, count] = (begin, middle, depth + 1, 2 * path, used)
        nodes[:, count + 1] = (middle, end, depth + 1, 2 * path + 1, used)
        count += 2
        node += 1
    return int(nodes[2, count - 1])


@kernel
def halve(digits: Int32s, order: Uint32s, spare: Uint32s, begin: int, end: int, digit: int) -> int:
    """Put the points begin..end with a 0 before those with a 1 at the digit; returns where the latter begin.

    Both places are written each time: no branch that the processor would have to guess.
    """
    left, right = np.uint64(begin), np.uint64(0)
    for at in range(begin, end):
        point = order[at]
        bit = np.uint64((digits[point] >> digit) & 1)
        order[left] = point
        spare[right] = point
        left += np.uint64(1) - bit
        right += bit
    for at in range(right):
        order[left + at] = spare[at]
    return int(np.int64(left))
