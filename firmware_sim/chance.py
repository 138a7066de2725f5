"""Chance that can be asked again: the same seed, name and index give the same number, in any order.

Drawing from a stream would make a reading depend on who asked before. Here every number is a hash of
(seed, name, index), so history, live run and tests see one and the same street.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_GOLDEN, _MIX1, _MIX2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_LOW_64 = (1 << 64) - 1


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64 (Steele, Lea, Flood 2014): 64 well mixed bits from 64."""
    z = state * np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX2)
    return z ^ (z >> np.uint64(31))


def _mix_one(state: int) -> int:
    """The same for one number: eight times as fast as a column of one, and a live street asks one by one."""
    z = (state * _GOLDEN) & _LOW_64
    z = ((z ^ (z >> 30)) * _MIX1) & _LOW_64
    z = ((z ^ (z >> 27)) * _MIX2) & _LOW_64
    return z ^ (z >> 31)


class Chance:
    """All randomness of one run.

    >>> chance = Chance(7)
    >>> float(chance.uniform("door", 3)) == float(Chance(7).uniform("door", 3))
    True
    >>> bool(abs(chance.normal("noise", np.arange(10_000)).mean()) < 0.05)
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._keys: dict[str, int] = {}

    def _key(self, name: str) -> int:
        if name not in self._keys:
            digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest()
            self._keys[name] = int.from_bytes(digest, "little")
        return self._keys[name]

    def uniform(self, name: str, index: ArrayLike) -> Floats:
        """Numbers in [0, 1), one for each whole index; same shape as `index`."""
        numbers = np.asarray(index)
        key = self._key(name)
        if numbers.size == 1:
            bits_of_one = _mix_one((int(numbers.reshape(())) & _LOW_64) ^ key)
            return np.full(numbers.shape, (bits_of_one >> 11) / float(1 << 53))
        bits = _mix(numbers.astype(np.int64).astype(np.uint64) ^ np.uint64(key))
        return np.asarray((bits >> np.uint64(11)).astype(np.float64) / float(1 << 53))

    def normal(self, name: str, index: ArrayLike) -> Floats:
        """Standard normal numbers, one for each whole index (Box-Muller)."""
        radius = np.sqrt(-2.0 * np.log(1.0 - self.uniform(name + "/r", index)))
        return np.asarray(radius * np.cos(2.0 * np.pi * self.uniform(name + "/a", index)))

    def wander(self, name: str, at_s: ArrayLike, period_s: float) -> Floats:
        """A smooth random curve about 0 with spread about 1, new knots every `period_s`.

        Between knots it follows a cosine, so it never jumps.
        """
        position = np.asarray(at_s, dtype=np.float64) / period_s
        knot = np.floor(position)
        share = 0.5 - 0.5 * np.cos(np.pi * (position - knot))
        before, after = self.normal(name, knot), self.normal(name, knot + 1)
        return np.asarray(before * (1.0 - share) + after * share)

    def between(self, name: str, index: int, low: float, high: float) -> float:
        """One number in [low, high)."""
        return low + (high - low) * float(self.uniform(name, index))

    def order(self, name: str, count: int) -> list[int]:
        """0..count-1 shuffled."""
        return [int(i) for i in np.argsort(self.uniform(name, np.arange(count)), kind="stable")]
