"""River's HalfSpaceTrees: the masses of all nodes; the trees grow again from their seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.detectors.river.adapter import Adapter, Fields, named, octaves, require

_PER_REACH = 1.0 / 16.0  # the model expects 0..1


class TreesAdapter(Adapter):
    """Nodes stand in the order river walks them; each has a mass of the last window and of this one."""

    model = "HalfSpaceTrees"

    @property
    def fewest(self) -> int:
        return self.given.window

    @property
    def live_bytes(self) -> int:
        return 30_000 + 223 * self.given.trees * self._nodes

    @property
    def _nodes(self) -> int:
        return int(2 ** (self.given.height + 1)) - 1

    def fields(self) -> Fields:
        masses = (2, self.given.trees, self._nodes)
        return [("tree_window", np.int64, (2,)), ("masses", np.int32, masses)]

    def make(self) -> Any:
        given = self.given
        return self._class(
            n_trees=given.trees, height=given.height, window_size=given.window, seed=given.seed
        )

    def raw(self, model: Any, point: Sequence[float]) -> float:
        return float(model.score_one(_scaled(point)))

    def learn(self, model: Any, point: Sequence[float]) -> None:
        model.learn_one(_scaled(point))

    def store(self, model: Any, record: Any) -> None:
        record["tree_window"] = model.counter, int(model._first_window)
        for tree, nodes in enumerate(model._tree_nodes):
            record["masses"][0, tree] = [node.r_mass for node in nodes]
            record["masses"][1, tree] = [node.l_mass for node in nodes]

    def load(self, record: Any) -> Any:
        counter, first = record["tree_window"].tolist()
        require(0 <= counter < self.given.window and first in (0, 1), "a place in a window")
        require(bool((record["masses"] >= 0).all()), "masses")
        model = self.make()
        model.learn_one(_scaled([0.0] * self.wide))  # so that the trees grow
        for tree, nodes in enumerate(model._tree_nodes):
            before, now = record["masses"][:, tree].tolist()
            for place, node in enumerate(nodes):
                node.r_mass, node.l_mass = before[place], now[place]
        model.counter, model._first_window = counter, bool(first)
        return model

    def strangeness(self, raw: float) -> float:
        return octaves(raw)


def _scaled(point: Sequence[float]) -> dict[str, float]:
    return named([(value + 8.0) * _PER_REACH for value in point])
