"""Half-space trees: a reading, with the changes that led to it, where hardly any lay in the window before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from models.compile import fetch_ahead, kernel
from models.detectors.bank import Columns, Judged, Trait, number
from models.detectors.half_space import node_count, work_spaces
from models.detectors.half_space_forest import Ground, Spaces, Walk, rarity_of, replant
from models.detectors.learned import step_of
from models.detectors.parameters import parameter
from models.detectors.rows import JUDGED, NEVER, SUSPECT, WARMING, clear, slot_of
from models.detectors.strangeness import (
    HEAD,
    StrangenessBank,
    StrangenessParameters,
    is_cut,
    judge_strangeness,
    learn_strangeness,
    say,
)
from models.readings import Bytes, Floats, Int32s

_SEED = 2011
_HEAD_LINES = 12  # of 64 bytes: the head, the recent readings, the usual range
_UPPER_LINES = 4  # of a tree: 64 nodes, where most walks end


class HalfSpaceTreesParameters(StrangenessParameters):
    """The window counts readings; trees and height are the paper's."""

    trees: int = parameter(
        25,
        title="Trees",
        zh="树的数量",
        ge=1,
        le=100,
        text="How many random trees judge together; more are steadier and slower.",
        text_zh="共同评判的随机树数量；越多越稳定，也越慢。",
    )
    height: int = parameter(
        15,
        title="Height",
        zh="树高",
        ge=1,
        le=15,
        text="How often a tree halves its space; higher trees see finer detail.",
        text_zh="每棵树对空间的对半划分次数；越高细节越精细。",
    )
    window: int = parameter(
        250,
        title="Window",
        zh="窗口",
        unit="points",
        ge=20,
        le=4096,
        text="Points that make a profile; readings are judged by the last full window.",
        text_zh="构成一个轮廓的点数；读数由上一个已满的窗口评判。",
    )
    every: int = parameter(
        16,
        title="Readings to a point",
        zh="每点读数个数",
        unit="readings",
        ge=1,
        le=1024,
        text="One reading in so many becomes a point, so that a window spans more time; first windows are "
        "closer, each twice as wide as the one before.",
        text_zh="每隔多少个读数取一个点，使窗口覆盖更长时间；最初的窗口较密，之后逐个加倍。",
    )
    shingle: int = parameter(
        4,
        title="Readings together",
        zh="连续读数个数",
        unit="readings",
        ge=1,
        le=16,
        text="How many consecutive readings are judged as one point: the newest and the changes up to it.",
        text_zh="作为一个点评判的连续读数个数：最新读数及其前的变化。",
    )


@kernel
def describe(value: float, recent: Floats, point: Floats) -> None:
    """The point of a reading: its value and the change since each of the readings before, `recent` first."""
    point[0] = value
    for back in range(1, point.shape[0]):
        point[back] = value - recent[back - 1]


@kernel
def is_due(head: Any) -> bool:
    """Whether the next reading becomes a point of the window: one in `thin` does."""
    head.passed += 1
    if head.passed < head.thin:
        return False
    head.passed = 0
    return True


@kernel
def keep_reading(head: Any, value: float, time: int, joined: int, recent: Floats) -> None:
    """The reading becomes the newest of the recent ones, `joined` of which belong together."""
    head.last = time
    head.joined = min(joined + 1, recent.shape[0])
    for back in range(recent.shape[0] - 1, 0, -1):
        recent[back] = recent[back - 1]
    recent[0] = value


@kernel
def fetch_next(
    heads: NDArray[Any], slots: NDArray[np.int32], base: int, channel: int, links: int, trees: int, nodes: int
) -> None:
    """Ask memory for what the next row's channel is judged by: its head and the upper nodes of its trees.

    `links`: where the forest begins in a record, bytes. With a thousand channels and more the records of all
    do not stay near the processor, and each level of a walk waits for the one above.
    """
    place = channel - base
    if place < 0 or place >= slots.shape[0] or slots[place] < 0:
        return
    record = heads.ctypes.data + slots[place] * heads.strides[0]
    for line in range(_HEAD_LINES):
        fetch_ahead(record + 64 * line)
    for tree in range(trees):
        for line in range(_UPPER_LINES):
            fetch_ahead(record + links + 4 * tree * nodes + 64 * line)


@kernel
def score_half_space_trees(
    heads: NDArray[Any],
    floats: Floats,
    whole: Int32s,
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    at: tuple[int, int],
    seed: int,
    height: int,
    window: int,
    every: int,
    warmup: float,
    memory: float,
    spaces: Spaces,
    walk: Walk,
    ground: Ground,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the rarity in the forest of the window before; detail is the rarity, in octaves.

    A row of `floats` has from at[0] on: recent readings, lower and upper ends of the usual range, the points
    (dimensions, window); a row of `whole` has from at[1] on the forest. A suspect or late reading is judged
    as if it were the newest, but not kept.
    """
    wide, trees = spaces[0].shape
    point = np.empty(wide)
    for row in range(channel.shape[0]):
        if row + 1 < channel.shape[0]:
            fetch_next(heads, slots, base, channel[row + 1], 4 * at[1], trees, ground[4].shape[1])
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            clear(out, flags, row)
            continue
        head = heads[slot]
        own = floats[slot, at[0] : at[0] + (3 + window) * wide]
        recent, low, high = own[:wide], own[wide : 2 * wide], own[2 * wide : 3 * wide]
        points = own[3 * wide :].reshape((wide, window))
        links = whole[slot, at[1] : at[1] + trees * ground[4].shape[1]]
        joined = 0 if is_cut(head, time[row]) else head.joined
        complete = joined >= wide - 1
        learns = not quality[row] & SUSPECT and time[row] > head.last
        step = step_of(head, time[row]) if learns and head.last != NEVER else 0
        describe(value[row], recent, point)
        score, marks, rarity = 0.0, JUDGED | WARMING, np.nan
        if complete and head.deepest > 0:
            rarity = rarity_of(point, low, high, head, height, window, spaces, walk, links)
            score, marks, beyond = judge_strangeness(head, rarity, warmup)
            if learns:
                learn_strangeness(head, rarity, beyond, step, warmup, memory)
        say(out, flags, row, score, marks, rarity)
        if not learns:
            continue
        keep_reading(head, value[row], time[row], joined, recent)
        if complete and is_due(head):
            points[:, head.filled] = point
            head.filled += 1
        if head.filled == window:
            first = head.deepest == 0
            head.deepest = replant(seed, height, points, low, high, first, spaces, ground, links)
            head.filled = 0
            head.thin = min(2 * head.thin, every)


class HalfSpaceTreesBank(StrangenessBank[HalfSpaceTreesParameters]):
    """Forest of the last full window and points of the next: 31 KB a channel at 25 trees of height 15."""

    name = "half_space_trees"
    code = "rare_pattern"
    floor = 1.0  # an octave
    head = np.dtype(
        [
            ("joined", "i4"),  # how many of the recent readings belong together
            ("filled", "i4"),  # points of the window so far
            *HEAD,
            ("thin", "i4"),  # one reading in so many becomes a point
            ("passed", "i4"),  # readings since the last point
            ("deepest", "i4"),  # depth of the forest; 0: none yet
            ("unused", "i4"),
        ]
    )

    @classmethod
    def _arrays(cls, parameters: HalfSpaceTreesParameters) -> list[tuple[str, DTypeLike, tuple[int, ...]]]:
        wide, window = parameters.shingle, parameters.window
        return [
            ("recent", np.float64, (wide,)),
            ("low", np.float64, (wide,)),
            ("high", np.float64, (wide,)),
            ("points", np.float64, (wide, window)),
            ("links", np.int32, (parameters.trees, node_count(window, parameters.height))),
        ]

    def _begin(self, traits: Sequence[Trait]) -> None:
        super()._begin(traits)
        given = self.parameters
        self.state["thin"] = 1
        starts = np.empty((given.shingle, given.trees))
        cells = np.full((given.shingle, given.trees), 2.0**given.height)
        work_spaces(_SEED, starts, cells)
        walk = (
            np.empty(given.shingle),
            np.zeros((16, given.trees), np.int32),
            np.empty(given.trees, np.int32),
        )
        window, count = given.window, node_count(given.window, given.height)
        shape, order = (given.shingle, window), np.empty(window, np.uint32)
        ground = (
            *(np.empty(shape), np.empty(shape, np.int32)),
            *(order, order.copy(), np.empty((5, count), np.int64)),
        )
        self._given = (
            (self._offset("recent"), self._offset("links")),
            *(_SEED, given.height, window, given.every, given.warmup_s, given.memory_s),
            *((starts, cells), walk, ground),
        )

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        at, seed, height, window, every, warmup, memory, spaces, walk, ground = self._given
        score_half_space_trees(
            self._heads,
            self._rows(np.float64),
            self._rows(np.int32),
            self._slots,
            self._base,
            *columns,
            at,
            seed,
            height,
            window,
            every,
            warmup,
            memory,
            spaces,
            walk,
            ground,
            table,
            flags,
        )

    def _told(self, judged: Judged) -> dict[str, float | None]:
        return {"rarity": number(judged.detail)}
