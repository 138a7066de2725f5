"""Banks whose levels stand in lanes while they score, and in records whenever somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from models.compile import bound
from models.detectors.bank import P, PackedBank
from models.detectors.lanes import DESK, FEWEST, GROUP, LANE, LANES, side_by_side
from models.detectors.rows import NEVER
from models.readings import Bytes, Columns, Floats


class LanedBank(PackedBank[P]):
    """A packed bank that splits each channel's record: the fields in `laned` into lanes, the rest beside.

    `state` puts the records together; what is written to them holds, for the next `score` splits them anew.
    So snapshots and restores are those of every packed bank. All of `times` must be among `laned`. Lanes come
    by 64, and the desk takes 11 KB; a bank of fewer channels than make a run has none.
    """

    laned: ClassVar[list[Any]]  # the fields of `dtype` that stand in lanes
    kernel: ClassVar[Any]  # takes lanes, rest, desks, slots, base, columns, the parameters, table, flags

    # One object for all banks: numba is slow to see that the types of two arrays are the same.
    _group: ClassVar[np.dtype[Any]]
    _others: ClassVar[np.dtype[Any]]
    _bound: ClassVar[Callable[..., None] | None] = None

    _whole: NDArray[Any] | None = None  # the records, or none while lanes and rest are the truth
    _lanes: NDArray[Any]
    _rest: NDArray[Any]
    _desks: NDArray[Any]

    def __init_subclass__(cls) -> None:
        names = {name for name, *_ in cls.laned}
        others = [name for name in cls.dtype.names or () if name not in names]
        cls._group = side_by_side(cls.laned)
        cls._others = np.dtype([(name, cls.dtype[name]) for name in others])

    @property
    def state(self) -> NDArray[Any]:
        if self._whole is None:
            self._whole = self._records(np.arange(len(self._rest)))
            del self._lanes, self._rest
        return self._whole

    @state.setter
    def state(self, whole: NDArray[Any]) -> None:
        self._whole = whole
        self._desks = np.empty(1 if len(whole) >= FEWEST else 0, DESK)

    def shift(self, delta_ns: int) -> None:
        if self._whole is not None:
            super().shift(delta_ns)
            return
        for field in self.times:
            column = self._lanes[field]
            column[column != NEVER] += delta_ns

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        given = (*self._split(), self._slots, self._base, *columns, *self._given, table, flags)
        if self._bound is None:
            type(self)._bound = staticmethod(bound(self.kernel, *given))
        assert self._bound is not None
        self._bound(*given)

    def _split(self) -> tuple[NDArray[Any], ...]:
        """Lanes, the other fields as records, and the desk, as kernels take them."""
        if self._whole is not None:
            whole, groups = self._whole, -(-len(self._whole) // LANES)
            self._lanes, self._rest = np.zeros(groups, self._group), np.zeros(len(whole), self._others)
            at = np.arange(len(whole))
            for field in self._group.names or ():
                self._lanes[field][at >> GROUP, at & LANE] = whole[field]
            for field in self._others.names or ():
                self._rest[field] = whole[field]
            self._whole = None
        return self._lanes, self._rest, self._desks

    def _rows_of(self, slots: Sequence[int]) -> NDArray[Any]:
        # An alert's evidence asks for a channel or two: no reason to put all together.
        return super()._rows_of(slots) if self._whole is not None else self._records(np.array(slots, int))

    def _records(self, at: NDArray[Any]) -> NDArray[Any]:
        """Records of the channels at these places, put together."""
        records = np.zeros(len(at), self.dtype)
        for field in self._group.names or ():
            records[field] = self._lanes[field][at >> GROUP, at & LANE]
        for field in self._others.names or ():
            records[field] = self._rest[field][at]
        return records
