"""How rare a count is: tails of the gamma-Poisson (negative binomial) distribution, by logarithms.

A rate that is itself known only as a gamma distribution of shape k makes counts of mean m negative binomial:
variance m + m^2 / k. Their tails are incomplete beta functions (Abramowitz and Stegun 1964, 26.5), taken by
the continued fraction of Lentz 1976, so that a tail far below the smallest float still has a logarithm.
"""

from __future__ import annotations

import math

from models.compile import kernel

FARTHEST = 1000.0  # no distance is larger
_LARGEST = (
    1e4  # larger counts are judged in groups: their own chance is small beside what the rate leaves open
)
_LEAST_SPREAD = 1e-4  # no rate is known better than to one in a hundred
_TURNS = 500
_CLOSE = 1e-9
_TINY = 1e-300
_HALF_LOG_TAU = 0.5 * math.log(math.tau)
_LOG_2 = math.log(2.0)


@kernel
def log_gamma(x: float) -> float:
    """Logarithm of the gamma function for x > 0, by Stirling's series; the last digits are its own.

    The library's differs from one machine to another; scores must not.
    """
    product = 1.0
    while x < 8.0:
        product *= x
        x += 1.0
    per = 1.0 / (x * x)
    series = (
        1.0 / 12.0 - per * (1.0 / 360.0 - per * (1.0 / 1260.0 - per * (1.0 / 1680.0 - per / 1188.0)))
    ) / x
    return (x - 0.5) * math.log(x) - x + _HALF_LOG_TAU + series - math.log(product)


@kernel
def _fraction(a: float, b: float, x: float) -> float:
    """The incomplete beta function's continued fraction; it converges fast for x < (a + 1) / (a + b + 2)."""
    above, below = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    below = 1.0 / (below if abs(below) > _TINY else _TINY)
    found = below
    for turn in range(1, _TURNS):
        even = turn * (b - turn) * x / ((a + 2.0 * turn - 1.0) * (a + 2.0 * turn))
        odd = -(a + turn) * (a + b + turn) * x / ((a + 2.0 * turn) * (a + 2.0 * turn + 1.0))
        change = 1.0
        for factor in (even, odd):
            below = 1.0 + factor * below
            above = 1.0 + factor / above
            below = 1.0 / (below if abs(below) > _TINY else _TINY)
            above = above if abs(above) > _TINY else _TINY
            change = above * below
            found *= change
        if abs(change - 1.0) < _CLOSE:
            break
    return found


@kernel
def log_beta_share(a: float, b: float, x: float, y: float) -> float:
    """Logarithm of the regularised incomplete beta function I_x(a, b); `y` is 1 - x."""
    front = log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * math.log(x) + b * math.log(y)
    if x < (a + 1.0) / (a + b + 2.0):
        return front + math.log(_fraction(a, b, x) / a)
    other = math.exp(front) * _fraction(b, a, y) / b
    return math.log(max(_TINY, 1.0 - other))


@kernel
def distance_of(count: float, mean: float, spread: float) -> float:
    """-ln of the two-sided tail of a count: above 0 for too many, below for too few, 0 in the middle.

    `mean` > 0; `spread` is 1 / k, the variance of the rate over its square.
    """
    most = max(count, mean)
    if most > _LARGEST:
        count *= _LARGEST / most
        mean *= _LARGEST / most
    shape = 1.0 / max(_LEAST_SPREAD, spread)
    few, many = shape / (shape + mean), mean / (shape + mean)
    if count > mean:
        distance = -_LOG_2 - log_beta_share(count, shape, many, few)
        return min(FARTHEST, distance) if distance > 0.0 else 0.0
    distance = -_LOG_2 - log_beta_share(shape, count + 1.0, few, many)
    return -min(FARTHEST, distance) if distance > 0.0 else 0.0
