"""Shapes in time on the scene's steps: slow followers, pulses, rises that fade, courses of hazards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from firmware_sim.benchmark.scene import PERIOD_S, STEPS, Floats


def follow(target: Floats, tau_s: float) -> Floats:
    """First-order lag: after a step of the target, 63 % of it has arrived after `tau_s`.

    y[n] = a y[n-1] + (1-a) x[n] as a product of filters, since 1/(1 - a z) = (1 + a z)(1 + a2 z2)(1 + a4
    z4)...: seventeen passes over whole arrays instead of a loop over readings.
    """
    if tau_s <= 0:
        return target
    keep = float(np.exp(-PERIOD_S / tau_s))
    start = target[0]
    level, step = (target - start) * (1.0 - keep), 1
    while step < len(level) and keep > 1e-18:
        level[step:] += keep * level[:-step].copy()
        keep, step = keep * keep, step * 2
    return level + start


def mean_over(from_s: float, to_s: float) -> tuple[slice, Floats]:
    """Share of each step's half minute that lies in from..to, and the steps concerned."""
    first, last = max(int(from_s // PERIOD_S), 0), min(int(to_s // PERIOD_S) + 1, STEPS)
    edges = PERIOD_S * np.arange(first, max(last, first) + 1, dtype=np.float64)
    inside = np.clip(edges[1:], from_s, to_s) - np.clip(edges[:-1], from_s, to_s)
    return slice(first, max(last, first)), inside / PERIOD_S


def add_pulse(into: Floats, from_s: float, to_s: float, height: float) -> None:
    """Add `height` from..to, as a mean over each step: a tap of 15 s shows half its flow."""
    where, share = mean_over(from_s, to_s)
    into[where] += height * share


def add_bump(into: Floats, from_s: float, to_s: float, height: float, rise_s: float, fall_s: float) -> None:
    """Add what rises towards `height` with `rise_s` from..to, and fades with `fall_s` after."""
    first = max(int(np.ceil(from_s / PERIOD_S)), 0)
    last = min(int((to_s + 9.0 * fall_s) / PERIOD_S) + 1, STEPS)
    if last <= first:
        return
    at = PERIOD_S * np.arange(first, last, dtype=np.float64)
    risen = 1.0 - np.exp(-(np.minimum(at, to_s) - from_s) / rise_s)
    into[first:last] += height * risen * np.exp(-np.clip(at - to_s, 0.0, None) / fall_s)


def strength(
    at_s: Floats, from_s: float, to_s: float, shape: Callable[[Floats], Floats], fade_s: float
) -> Floats:
    """0 before, `shape` of the share of from..to that has passed, fading with `fade_s` after."""
    during = shape(np.clip((at_s - from_s) / (to_s - from_s), 0.0, 1.0))
    fading = np.exp(-np.clip(at_s - to_s, 0.0, None) / fade_s)
    return np.where(at_s <= from_s, 0.0, during * fading)
