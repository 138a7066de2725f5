"""River's LODA: the bins of every projection's histogram; the projections are drawn again from their seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.detectors.river.adapter import Adapter, Fields, named, require
from models.detectors.river.library import part_of_river

_FEWEST = 50


class LodaAdapter(Adapter):
    """Bins stand in order; a histogram's unused ones are 0."""

    model = "LODA"
    fewest = _FEWEST

    @property
    def live_bytes(self) -> int:
        return 8000 + self.given.cuts * (730 + 110 * self.given.bins)

    def fields(self) -> Fields:
        bins = (self.given.cuts, self.given.bins)
        return [
            ("bin_edges", np.float64, (2, *bins)),
            ("bin_counts", np.int64, bins),
            ("bin_totals", np.int64, bins[:1]),
        ]

    def make(self) -> Any:
        given = self.given
        return self._class(n_bins=given.bins, n_random_cuts=given.cuts, seed=given.seed)

    def raw(self, model: Any, point: Sequence[float]) -> float:
        return float(model.score_one(named(point)))

    def learn(self, model: Any, point: Sequence[float]) -> None:
        model.learn_one(named(point))

    def store(self, model: Any, record: Any) -> None:
        record["bin_edges"], record["bin_counts"] = 0.0, 0
        for cut, histogram in enumerate(model.histograms_):
            bins = histogram.data
            record["bin_edges"][0, cut, : len(bins)] = [one.left for one in bins]
            record["bin_edges"][1, cut, : len(bins)] = [one.right for one in bins]
            record["bin_counts"][cut, : len(bins)] = [one.count for one in bins]
            record["bin_totals"][cut] = histogram.n

    def load(self, record: Any) -> Any:
        edges, counts = record["bin_edges"], record["bin_counts"]
        require(bool(np.isfinite(edges).all() and (counts >= 0).all()), "bins")
        require(bool((record["bin_totals"] == counts.sum(axis=1)).all()), "totals of bins")
        model = self.make()
        model.learn_one(named([0.0] * self.wide))  # so that the projections are drawn
        bin_of = part_of_river("sketch.histogram").Bin
        for cut, histogram in enumerate(model.histograms_):
            used = int((counts[cut] > 0).sum())
            rows = zip(edges[0, cut].tolist(), edges[1, cut].tolist(), counts[cut].tolist(), strict=True)
            histogram.data = [bin_of(*row) for row in list(rows)[:used]]
            histogram.n = int(record["bin_totals"][cut])
        return model
