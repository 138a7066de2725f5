"""The bank of river models: packed state as every bank's, and living models made from it when needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from models.detectors.bank import Columns, Judged, Trait, number
from models.detectors.river.adapter import Adapter, require
from models.detectors.river.kernels import GROUND, NEW_POINT, NOT_A_POINT, RECORD, is_due, make_points, settle
from models.detectors.river.library import version
from models.detectors.river.loda import LodaAdapter
from models.detectors.river.neighbours import NeighboursAdapter
from models.detectors.river.parameters import RiverParameters
from models.detectors.river.statistics import DeviationAdapter, GaussianAdapter
from models.detectors.river.trees import TreesAdapter
from models.detectors.rows import SECOND
from models.detectors.strangeness import StrangenessBank
from models.errors import SnapshotError
from models.readings import Bytes, Floats

ADAPTERS: dict[str, type[Adapter]] = {
    adapter.model: adapter
    for adapter in (GaussianAdapter, DeviationAdapter, TreesAdapter, LodaAdapter, NeighboursAdapter)
}
_MOST_POINTS = 1 << 40
_FAILED = (ArithmeticError, ValueError, TypeError)  # what river raises over numbers it cannot work with


class RiverBank(StrangenessBank[RiverParameters]):
    """A river model for each channel, in the packed record and alive beside it.

    The record is the truth: whoever asks for `state` gets everything in it, and the models are made anew from
    it at the next reading, so that it may be written to. Between such moments they live on, which is what
    makes river fast enough. A snapshot holds numbers alone, see `adapter`.

    A reading takes 3 us with StandardAbsoluteDeviation, 5 with GaussianScorer, 25 with HalfSpaceTrees, 100
    with LODA and 1000 with LocalOutlierFactor, each as the catalogue has it; a channel 9, 64, 1211, 113 and
    130 KB. OneClassSVM is not here: it is linear, and in tries on single channels its score said nothing.
    PredictiveAnomalyDetection learns while it scores. Filters decide, which is the trigger's part.
    """

    name = "river"
    code = "unlike_model"
    floor = 0.125
    head = np.dtype(RECORD)
    times = ("last", "teach_at")

    def __init__(
        self, parameters: RiverParameters, channels: Sequence[int], traits: Sequence[Trait] | None = None
    ) -> None:
        """As every bank's; ParameterError where river is not installed, or does not have the model."""
        self._adapter = ADAPTERS[parameters.model](parameters)
        self._models: dict[int, Any] = {}
        super().__init__(parameters, channels, traits)

    @classmethod
    def _arrays(cls, parameters: RiverParameters) -> list[tuple[str, DTypeLike, tuple[int, ...]]]:
        adapter = ADAPTERS[parameters.model](parameters)
        recent = ("recent", np.float64, (adapter.wide,))
        return [("ground", GROUND, (1,)), recent, *adapter.fields()]

    @property
    def state(self) -> NDArray[Any]:
        for slot in list(self._models):
            self._adapter.store(self._models.pop(slot), self._packed[slot])
        return self._packed

    @state.setter
    def state(self, packed: NDArray[Any]) -> None:
        self._models.clear()
        self._packed = packed

    @property
    def bytes_per_channel(self) -> int:
        """The record's, and those of the Python objects of a model that has filled up."""
        return int(self.dtype.itemsize) + self._adapter.live_bytes

    def _begin(self, traits: Sequence[Trait]) -> None:
        super()._begin(traits)
        self._grounds, self._recents = self._packed["ground"][:, 0], self._packed["recent"]
        self._grounds["floor"] = [0.5 * trait.resolution for trait in traits]
        self._every_ns = round(self.parameters.learn_every_s * SECOND)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        n, given = len(columns[0]), self.parameters
        points, steps = np.zeros((n, self._adapter.wide)), np.zeros(n, np.int64)
        kinds = np.empty(n, np.int64)
        make_points(
            self._heads,
            self._grounds,
            self._recents,
            self._slots,
            self._base,
            *columns,
            given.warmup_s,
            given.memory_s,
            points,
            steps,
            kinds,
            table,
            flags,
        )
        rows = np.flatnonzero(kinds != NOT_A_POINT)
        places = self._slots[columns[0][rows] - self._base]
        told = zip(rows.tolist(), places.tolist(), points[rows].tolist(), strict=True)
        for row, slot, point in told:
            learns = bool(kinds[row] == NEW_POINT)
            self._hear(slot, point, int(columns[1][row]), int(steps[row]), learns, table, flags, row)

    def _hear(
        self,
        slot: int,
        point: list[float],
        time: int,
        step: int,
        learns: bool,
        table: Floats,
        flags: Bytes,
        row: int,
    ) -> None:
        """Score a point of the channel at `slot`, then learn it when it is time to."""
        head, given = self._heads[slot : slot + 1], self.parameters
        model = self._model(slot)
        if head[0]["learned"] >= self._adapter.fewest:
            raw = self._ask(model, point)
            if np.isfinite(raw):
                strangeness = self._adapter.strangeness(raw)
                given_s = (given.warmup_s, given.memory_s)
                settle(head, raw, strangeness, learns, step, *given_s, table, flags, row)
        if learns and is_due(head, time, self._every_ns, table[0, row]):
            self._adapter.learn(model, point)

    def _model(self, slot: int) -> Any:
        """The living model, made from the record when there is none."""
        model = self._models.get(slot)
        if model is None:
            fresh = self._heads[slot]["learned"] == 0
            model = self._adapter.make() if fresh else self._adapter.load(self._packed[slot])
            self._models[slot] = model
        return model

    def _ask(self, model: Any, point: list[float]) -> float:
        try:
            return self._adapter.raw(model, point)
        except _FAILED:
            return np.nan

    def _binding(self) -> str:
        return f"{super()._binding()} river {version()}"

    def shift(self, delta_ns: int) -> None:
        models = self._models
        self._models = {}  # no model remembers a time, so none has to be written down and made anew
        super().shift(delta_ns)
        self._models = models

    def snapshot(self, slots: Sequence[int] | None = None) -> bytes:
        models = dict(self._models)
        data = super().snapshot(slots)
        self._models = models  # a snapshot is no reason to make them anew
        return data

    def restore(self, data: bytes, slots: Sequence[int] | None = None) -> None:
        before = self.state.copy()
        super().restore(data, slots)
        try:
            check_heads(self._heads)
            for slot in np.flatnonzero(self._heads["learned"]):
                self._adapter.load(self._packed[slot])
        except ValueError as error:
            self._packed[:] = before
            raise SnapshotError(f"snapshot holds what no {self.parameters.model} can have: {error}") from None

    def _told(self, judged: Judged) -> dict[str, float | None]:
        return {"raw": number(judged.detail)}


def check_heads(heads: NDArray[Any]) -> None:
    """ValueError where counts or times learned are none."""
    learned, taught = heads["learned"], heads["taught"]
    require(bool(((learned >= 0) & (learned < _MOST_POINTS)).all()), "points learned")
    require(bool((np.isfinite(taught) & (taught >= 0.0)).all()), "seconds learned")
