"""River's LocalOutlierFactor: the points of its window, oldest first, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.detectors.river.adapter import Adapter, Fields, named, require
from models.detectors.river.library import part_of_river


class NeighboursAdapter(Adapter):
    """Exact search over the window."""

    model = "LocalOutlierFactor"

    @property
    def fewest(self) -> int:
        return min(self.given.window, 2 * self.given.neighbours + 1)

    @property
    def live_bytes(self) -> int:
        return 8000 + self.given.window * (350 + 26 * self.given.shingle)

    def fields(self) -> Fields:
        points = (self.given.window, self.wide)
        return [("points", np.float64, points), ("held", np.int64, (1,))]

    def make(self) -> Any:
        search = part_of_river("neighbors").LazySearch(window_size=self.given.window)
        return self._class(n_neighbors=self.given.neighbours, engine=search)

    def raw(self, model: Any, point: Sequence[float]) -> float:
        return float(model.score_one(named(point)))

    def learn(self, model: Any, point: Sequence[float]) -> None:
        model.learn_one(named(point))

    def store(self, model: Any, record: Any) -> None:
        points = [list(item[0].values()) for item, *_ in model._nn.window]
        record["points"] = 0.0
        record["points"][: len(points)] = points
        record["held"] = len(points)

    def load(self, record: Any) -> Any:
        held = int(record["held"][0])
        require(0 < held <= self.given.window, "points of a window")
        require(bool(np.isfinite(record["points"]).all()), "points")
        model = self.make()
        for point in record["points"][:held].tolist():
            self.learn(model, point)
        return model
