"""The seam to a river model: how it is made, asked and taught, and what of it has to be stored.

A model's state is written down as plain arrays, by hand for each class. Nothing is pickled: arrays that come
from a stranger are numbers out of range at worst, and those are refused.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from models.detectors.river.library import part_of_river
from models.detectors.river.parameters import RiverParameters
from models.errors import ParameterError

Fields = list[tuple[str, DTypeLike, tuple[int, ...]]]
_SMALLEST = 1e-16
_NAMES = tuple(f"v{back}" for back in range(16))  # one object for each, however many points are kept


class Adapter(ABC):
    """One class of river's.

    A point is a list of readings, newest first, each in usual distances from the channel's mean, within
    -8..8. `store` then `load` give a model that goes on exactly as the first would have.
    """

    model: str  # its name in river.anomaly

    def __init__(self, given: RiverParameters) -> None:
        """ParameterError where this river does not have the class."""
        self.given = given
        anomaly = part_of_river("anomaly")
        if not hasattr(anomaly, self.model):
            raise ParameterError(f"river: the river installed here has no {self.model}")
        self._class: Any = getattr(anomaly, self.model)

    @property
    def wide(self) -> int:
        """Readings that make a point."""
        return self.given.shingle

    @property
    @abstractmethod
    def fewest(self) -> int:
        """Points learned before the model's scores mean anything."""

    @property
    @abstractmethod
    def live_bytes(self) -> int:
        """Bytes of the Python objects of one model in use, measured with tracemalloc; grows to this."""

    @abstractmethod
    def fields(self) -> Fields:
        """Arrays that hold one model's state."""

    @abstractmethod
    def make(self) -> Any:
        """A fresh model."""

    @abstractmethod
    def raw(self, model: Any, point: Sequence[float]) -> float:
        """River's own score; changes nothing."""

    @abstractmethod
    def learn(self, model: Any, point: Sequence[float]) -> None: ...

    @abstractmethod
    def store(self, model: Any, record: Any) -> None:
        """Write the model's state into the record's arrays."""

    @abstractmethod
    def load(self, record: Any) -> Any:
        """The model of a record that has learned something; ValueError where none can have left it so."""

    def strangeness(self, raw: float) -> float:
        """River's score as something that grows evenly; its own where it is no share of one."""
        return raw


def octaves(share: float) -> float:
    """A score that crowds towards 1, told by what is left to 1.

    >>> round(octaves(0.999), 3), round(octaves(1.0), 1)
    (6.908, 36.8)
    """
    return -math.log(max(_SMALLEST, 1.0 - share))


def named(point: Sequence[float]) -> dict[str, float]:
    """A point as river wants it."""
    return dict(zip(_NAMES, point, strict=False))


def require(claim: bool, what: str) -> None:
    """ValueError unless the claim holds."""
    if not claim:
        raise ValueError(what)
