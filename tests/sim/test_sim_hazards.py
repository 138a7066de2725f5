"""Hazards: plausible courses on several quantities, and look-alikes that can be told apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.hazards import HAZARDS
from firmware_sim.quantities.table import QUANTITIES

CALM = {"smoke": 0.1, "carbon_monoxide": 0.8, "kitchen_temperature": 22.0, "room_humidity": 48.0}
durations = st.floats(min_value=5.0, max_value=7200.0)


def course(hazard: str, quantity: str, duration_s: float, points: int = 200) -> np.ndarray:
    since = np.linspace(0.0, duration_s, points)
    return HAZARDS[hazard].apply(quantity, np.full(points, CALM.get(quantity, 1.0)), since, duration_s)


@pytest.mark.parametrize("name", sorted(HAZARDS))
def test_hazard_touches_only_quantities_that_exist(name: str) -> None:
    assert HAZARDS[name].effects and set(HAZARDS[name].effects) <= set(QUANTITIES)


@given(name=st.sampled_from(sorted(HAZARDS)), duration_s=durations, before_s=st.floats(-1e5, 0.0))
def test_nothing_happens_before_the_onset(name: str, duration_s: float, before_s: float) -> None:
    for quantity in HAZARDS[name].effects:
        assert float(HAZARDS[name].strength(quantity, before_s, duration_s)) == 0.0


@given(name=st.sampled_from(sorted(HAZARDS)), duration_s=durations)
def test_what_a_hazard_did_fades_when_it_is_over(name: str, duration_s: float) -> None:
    hazard = HAZARDS[name]
    for quantity in hazard.effects:
        after = hazard.strength(quantity, duration_s + hazard.fade_s * np.arange(10), duration_s)
        assert np.all(np.diff(after) <= 1e-12)
        assert after[-1] < 0.001


@given(duration_s=durations)
def test_smoke_of_a_smouldering_fire_only_rises(duration_s: float) -> None:
    smoke = course("smouldering_fire", "smoke", duration_s)
    assert np.all(np.diff(smoke) >= 0)
    assert smoke[-1] > 5.0


@given(duration_s=durations)
def test_cooking_smokes_like_a_fire_but_steams_and_makes_little_carbon_monoxide(duration_s: float) -> None:
    smoke = course("cooking", "smoke", duration_s)
    assert smoke.max() > 3.0, "it must look like a fire to a smoke head"
    assert np.any(np.diff(smoke) < 0), "clouds ebb"
    fire_co, wok_co = (course(h, "carbon_monoxide", duration_s) for h in ("smouldering_fire", "cooking"))
    assert wok_co.max() < 0.1 * fire_co.max()
    assert course("cooking", "room_humidity", duration_s).max() > CALM["room_humidity"] + 10
    assert course("smouldering_fire", "room_humidity", duration_s).max() <= CALM["room_humidity"]


@given(duration_s=durations)
def test_a_burst_pipe_shows_on_flow_and_pressure_at_once(duration_s: float) -> None:
    pipe = HAZARDS["burst_pipe"]
    soon = 0.06 * duration_s
    assert float(pipe.apply("tap_flow", np.array([0.0]), soon, duration_s)[0]) > 25
    assert float(pipe.apply("mains_pressure", np.array([3.7]), soon, duration_s)[0]) < 2.5


def test_only_cooking_is_a_look_alike() -> None:
    assert [name for name, hazard in HAZARDS.items() if not hazard.is_real] == ["cooking"]
