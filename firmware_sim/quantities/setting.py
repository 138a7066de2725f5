"""Where a quantity stands: the street round it, its place, and the numbers of this one example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firmware_sim.surroundings import Surroundings

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """`name` seeds what is particular to it; `numbers` are the parameters of the device type."""

    street: Surroundings
    place: str
    name: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def number(self, key: str, default: float) -> float:
        """The parameter `key`, or `default`."""
        return float(self.numbers.get(key, default))

    def wander(self, at_s: ArrayLike, period_s: float, what: str = "") -> Floats:
        """A smooth random curve of this quantity's own."""
        return self.street.chance.wander(f"{self.name}/{what}", at_s, period_s)

    def phase(self, at_s: ArrayLike, period_s: float, what: str = "") -> Floats:
        """Where in a cycle of `period_s` we are, 0..1; each place begins its cycle at another moment."""
        shift = float(self.street.chance.uniform(f"{self.place}/{what}/phase", 0))
        return np.asarray((np.asarray(at_s, dtype=np.float64) / period_s + shift) % 1.0)

    def happens(self, at_s: ArrayLike, slot_s: float, likelihood: ArrayLike, what: str) -> Floats:
        """1 in those slots of `slot_s` seconds in which something goes on, else 0; shared by the place."""
        slot = np.floor(np.asarray(at_s, dtype=np.float64) / slot_s)
        drawn = self.street.chance.uniform(f"{self.place}/{what}", slot)
        return np.asarray((drawn < np.asarray(likelihood)).astype(np.float64))


Quantity = Callable[[Setting, Floats], Floats]
