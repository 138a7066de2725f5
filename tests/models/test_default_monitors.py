"""The default set: what a site is watched with when nobody has configured anything."""

from __future__ import annotations

import pytest

from models.alert import AlertKind, Severity
from models.default_monitors import NORMS, default_monitors
from models.detectors.bank import Trait
from models.detectors.registry import entry_of, make_bank

HOUSE = (
    Trait("smoke", "%/m", 0.01, "hall/smoke"),
    Trait("co", "ppm", 0.1, "boiler/co"),
    Trait("gas", "%LEL", 0.1, "kitchen/gas"),
    Trait("temperature", "Cel", 0.1, "cellar/temperature"),
    Trait("flow", "L/min", 0.02, "flat/flow"),
    Trait("vibration", "mm/s", 0.01, "lift/vibration"),
    Trait("motion", "", 1.0, "flat/motion"),
    Trait("door", "", 1.0, "flat/door"),
    Trait("", "", 0.0, "who/knows"),
)


def by_name(traits=HOUSE, **given):
    return {monitor.name: monitor for monitor in default_monitors(traits, **given)}


def test_every_detector_of_it_can_be_made_for_its_channels():
    traits = {trait.name: trait for trait in HOUSE}
    for monitor in default_monitors(HOUSE):
        own = [traits[name] for name in monitor.channels]
        bank = make_bank(monitor.detector, monitor.parameters, range(len(own)), own)
        assert len(bank.channels) == len(monitor.channels)


def test_every_channel_is_watched_for_faults_and_by_what_suits_its_kind():
    found = by_name()
    assert found["equipment"].kind == AlertKind.MAINTENANCE
    assert found["equipment"].channels == tuple(trait.name for trait in HOUSE)
    watched = {
        name for monitor in found.values() if monitor is not found["equipment"] for name in monitor.channels
    }
    assert watched == {trait.name for trait in HOUSE} - {"flat/door"}, "a door alone says nothing of danger"
    assert (
        found["unusual-smoke-fast"].trigger.on_delay_s < found["unusual-temperature-fast"].trigger.on_delay_s
    )
    assert found["unusual-temperature-slow"].parameters["smooth_s"] == 3600.0
    assert found["running-l-min"].detector == "usual_duration" and found["life"].detector == "quiet"
    assert found["unusual-any-fast"].hazard == "other"


def test_what_burns_or_poisons_is_severe_and_has_a_norm():
    found = by_name()
    for name in ("unusual-smoke-fast", "unusual-co-fast", "unusual-gas-fast"):
        assert found[name].severity == Severity.SEVERE
    norms = [monitor for monitor in found.values() if monitor.name.startswith("norm-")]
    assert len(norms) == len(NORMS)
    assert all(monitor.trigger.budget_per_week is None for monitor in norms), "no budget outvotes a norm"
    readings = {monitor.hazard: monitor.trigger.on_readings for monitor in norms}
    assert readings == {"fire": 2, "gas": 2, "lift": 1}, "a spike is no gas; a ride is over at once"


def test_a_norm_is_not_put_on_a_channel_told_in_another_unit():
    found = by_name((Trait("co", "mg/m3", 0.1, "boiler/co"), Trait("flow", "gal/min", 0.1, "flat/flow")))
    assert not [name for name in found if name.startswith(("norm", "running"))]
    assert "unusual-co-fast" in found


def test_the_budget_is_passed_on_to_all_that_learn():
    for monitor in default_monitors(HOUSE, budget_per_week=0.5):
        learns = entry_of(monitor.detector).learned and monitor.kind == AlertKind.HAZARD
        assert monitor.trigger.budget_per_week == (0.5 if learns else None)


def test_a_channel_without_a_name_is_refused_and_none_gives_none():
    with pytest.raises(ValueError, match="names"):
        default_monitors([Trait("smoke", "%/m")])
    with pytest.raises(ValueError, match="budget"):
        default_monitors(HOUSE, budget_per_week=0.0)
    assert default_monitors([]) == ()
