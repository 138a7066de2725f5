"""Nearest: the latest readings, far from the moments most like them of a bounded past."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from models.alert import Moment
from models.detectors.bank import Columns, Judged, Trait, number
from models.detectors.nearest_kernels import FEWEST, score_nearest
from models.detectors.parameters import parameter
from models.detectors.strangeness import HEAD, StrangenessBank, StrangenessParameters
from models.readings import Bytes, Floats


class NearestParameters(StrangenessParameters):
    """A window is `length` values of `spread` readings each; two monitors see two scales."""

    length: int = parameter(
        6,
        title="Values in a window",
        zh="窗口内数值个数",
        ge=1,
        le=16,
        text="How many consecutive values are compared together.",
        text_zh="一起比较的连续数值个数。",
    )
    spread: int = parameter(
        1,
        title="Readings to a value",
        zh="每个数值的读数个数",
        unit="readings",
        ge=1,
        le=64,
        text="How many readings are averaged into a value; more see slower events.",
        text_zh="多少个读数平均为一个数值；越多越能看到较慢的事件。",
    )
    store: int = parameter(
        512,
        title="Moments remembered",
        zh="记住的时刻数量",
        ge=32,
        le=4096,
        text="How many unlike windows of the past are kept; the one unused for longest makes room.",
        text_zh="保留多少个互不相似的历史窗口；最久未用的让位。",
    )
    neighbours: int = parameter(
        3,
        title="Neighbours",
        zh="近邻个数",
        ge=1,
        le=8,
        text="How many of the most similar moments count; what came fewer times stays strange.",
        text_zh="与多少个最相似的时刻比较；出现次数更少的仍视为异样。",
    )
    delay: int = parameter(
        256,
        title="Delay",
        zh="记忆延迟",
        unit="readings",
        ge=1,
        le=4096,
        text="Readings after which a moment may be remembered, so that nothing is compared with itself.",
        text_zh="经过多少个读数后才可记住一个时刻，避免与自身比较。",
    )


class NearestBank(StrangenessBank[NearestParameters]):
    """The last readings and a store of unlike windows with their times: 25 KB a channel."""

    name = "nearest"
    code = "unlike_past"
    floor = 0.0
    times = ("last", "moments", "ended", "used")
    keeps_moments = True
    head = np.dtype(
        [
            ("anchor", "f8"),  # the first reading, which the store counts from
            *HEAD,
            ("novel", "f8"),  # distance from which on a window is worth keeping
            ("place", "i4"),  # where the next reading goes
            ("joined", "i4"),  # readings in the ring that belong together
            ("stored", "i4"),
            ("asked", "i4"),  # readings since a window was asked
        ]
    )

    @classmethod
    def _arrays(cls, parameters: NearestParameters) -> list[tuple[str, DTypeLike, tuple[int, ...]]]:
        kept = parameters.length * parameters.spread + parameters.delay
        return [
            ("ring", np.float64, (kept,)),
            ("moments", np.int64, (kept,)),
            ("ended", np.int64, (parameters.store,)),
            ("used", np.int64, (parameters.store,)),
            ("store", np.float32, (parameters.length, parameters.store)),
        ]

    def _begin(self, traits: Sequence[Trait]) -> None:
        super()._begin(traits)
        given = self.parameters
        self.state["floor"] = [0.5 * trait.resolution for trait in traits]
        at = tuple(self._offset(name) for name in ("ring", "moments", "ended", "used", "store"))
        settings = (given.store, given.spread, given.delay, given.warmup_s, given.memory_s)
        window, apart = np.empty(given.length, np.float32), np.empty(given.store, np.float32)
        least, which = np.empty(given.neighbours, np.float32), np.empty(given.neighbours, np.int64)
        self._given = (at, settings, (window, apart, least, which))

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        at, (size, spread, delay, warmup, memory), (window, apart, least, which) = self._given
        score_nearest(
            self._heads,
            self._rows(np.float32),
            self._rows(np.float64),
            self._rows(np.int64),
            self._slots,
            self._base,
            *columns,
            at,
            size,
            spread,
            delay,
            warmup,
            memory,
            window,
            apart,
            least,
            which,
            table,
            flags,
        )

    def moments(self, slot: int, time_ns: int) -> tuple[Moment, ...]:
        state, given = self.state[slot], self.parameters
        stored, spread = int(state["stored"]), given.spread
        span = given.length * spread
        if state["last"] != time_ns or stored < FEWEST or state["joined"] < span:
            return ()
        newest_first = np.take(state["ring"], int(state["place"]) - 1 - np.arange(span), mode="wrap")
        window = newest_first.reshape(given.length, spread).mean(axis=1) - state["anchor"]
        apart = ((state["store"][:, :stored] - window[:, None].astype(np.float32)) ** 2).sum(axis=0)
        nearest = np.argsort(apart, kind="stable")[: given.neighbours]
        return self._moments_at(slot, state["ended"][nearest], np.sqrt(apart[nearest].astype(np.float64)))

    def _told(self, judged: Judged) -> dict[str, float | None]:
        return {"seconds": number(judged.detail)}
