"""Chance and the day: the same seed tells the same street, in whatever order one asks."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import firmware_sim.chance
import firmware_sim.faults
import firmware_sim.sensor
import firmware_sim.surroundings
import firmware_sim.toml_text
from firmware_sim.chance import Chance
from firmware_sim.surroundings import Surroundings


@pytest.mark.parametrize(
    "module",
    [
        firmware_sim.chance,
        firmware_sim.faults,
        firmware_sim.sensor,
        firmware_sim.surroundings,
        firmware_sim.toml_text,
    ],
    ids=lambda module: module.__name__,
)
def test_docstring_examples_run(module) -> None:
    tried = doctest.testmod(module)
    assert tried.attempted > 0 and tried.failed == 0


def test_chance_does_not_depend_on_the_order_of_asking() -> None:
    forwards = [float(Chance(3).uniform("door", i)) for i in range(50)]
    backwards = [float(Chance(3).uniform("door", i)) for i in reversed(range(50))]
    assert forwards == backwards[::-1]
    assert np.array_equal(Chance(3).uniform("door", np.arange(50)), forwards)


def test_chance_of_another_seed_or_name_is_another() -> None:
    numbers = Chance(3).uniform("door", np.arange(1000))
    for other in (Chance(4).uniform("door", np.arange(1000)), Chance(3).uniform("tap", np.arange(1000))):
        assert abs(np.corrcoef(numbers, other)[0, 1]) < 0.1


def test_uniform_numbers_fill_their_range_evenly() -> None:
    counts, _ = np.histogram(Chance(9).uniform("x", np.arange(20_000)), bins=10, range=(0, 1))
    assert counts.min() > 1800 and counts.max() < 2200


def test_wander_never_jumps() -> None:
    curve = Chance(2).wander("weather", np.arange(0, 100_000, 10.0), 3600)
    assert np.abs(np.diff(curve)).max() < 0.05
    assert 0.3 < curve.std() < 1.5


def test_afternoon_is_warmer_than_dawn_and_the_stove_is_cold_at_night() -> None:
    street = Surroundings(Chance(1), utc_offset_s=8 * 3600, outdoor_c=10.0)
    days = np.arange(60) * 86_400.0
    dawn, afternoon = days + (5 - 8) % 24 * 3600, days + (15 - 8) * 3600.0
    assert street.outdoor(afternoon).mean() > street.outdoor(dawn).mean() + 5
    assert street.cooking(days + 19 * 3600.0, "k").max() < 0.01  # three in the morning, local
    assert street.cooking(days + (18 - 8) * 3600.0, "k").mean() > 0.7
