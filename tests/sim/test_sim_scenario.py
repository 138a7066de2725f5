"""Scenario files: the street is sound, and what is wrong in a file is named."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from firmware_sim.chance import Chance
from firmware_sim.device_types import load_device_types
from firmware_sim.errors import ScenarioError
from firmware_sim.hazards import HAZARDS
from firmware_sim.scenario import FOLDER, load_scenario
from firmware_sim.timeline import Timeline, happenings

STREET = (FOLDER / "street.toml").read_text(encoding="utf-8")


def broken(folder: Path, old: str, new: str) -> str:
    assert old in STREET
    file = folder / "broken.toml"
    file.write_text(STREET.replace(old, new, 1), encoding="utf-8")
    return str(file)


def test_street_has_two_gateways_and_forty_to_a_hundred_channels() -> None:
    street = load_scenario("street")
    channels = sum(1 + len(street.type_of(device).channels) for device in street.devices())
    assert len(street.gateways) == 2
    assert 40 <= channels <= 100


def test_street_speaks_every_protocol() -> None:
    street = load_scenario("street")
    spoken = {street.type_of(device).protocol for device in street.devices()}
    assert spoken == {"modbus", "zigbee", "plain", "senml"}


def test_every_hazard_of_the_street_touches_a_device_at_its_places() -> None:
    street = load_scenario("street")
    for event in street.timeline.events:
        if event.what in HAZARDS:
            for place in event.places:
                measured = {
                    channel.quantity
                    for device in street.devices()
                    if device.place == place
                    for channel in street.type_of(device).channels
                }
                assert measured & set(HAZARDS[event.what].effects), (event.what, place)


def test_every_real_hazard_of_the_street_has_a_monitor_for_its_word() -> None:
    street = load_scenario("street")
    words = {monitor.hazard for monitor in street.monitors}
    events = [event.what for event in street.timeline.events]
    assert {HAZARDS[what].word for what in events if what in HAZARDS} <= words


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('type = "boiler"', 'type = "kettle"', "unknown type 'kettle'"),
        ('place = "b1/lift" }', 'place = "b1/attic" }', "unknown place 'b1/attic'"),
        ('what = "gas_leak"', 'what = "meteor"', "unknown event 'meteor'"),
        ('duty_officer = "duty"', 'duty_officer = "duty"\ncolour = "red"', "site.colour"),
        ("gap_s = [22, 36]", 'gap_s = "often"', "timeline.gap_s"),
        ("[site]", "[site", "line"),
    ],
)
def test_broken_scenario_names_file_and_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(told)) as caught:
        load_scenario(broken(tmp_path, old, new))
    assert "broken.toml" in str(caught.value)


def test_unknown_scenario_lists_the_known() -> None:
    with pytest.raises(ScenarioError, match="street"):
        load_scenario("harbour")


def test_device_types_serve_whole_registers_in_a_row() -> None:
    for name, type_ in load_device_types().items():
        if type_.protocol == "modbus":
            assert next(iter(type_.registers().values())) == 2, name
            assert type_.register_count() <= 120, name


def test_timeline_begins_with_a_fire_and_goes_on_for_ever() -> None:
    street = load_scenario("street")
    events = list(happenings(street.timeline, Chance(1), 3600))
    assert (events[0].what, events[0].from_s) == ("smouldering_fire", 15.0)
    gaps = [after.from_s - before.from_s for before, after in itertools.pairwise(events)]
    assert min(gaps) >= 22 and max(gaps) <= 36
    assert events[-1].from_s > 3500
    assert any(event.what == "cooking" for event in events[:4])


def test_timeline_is_the_seeds() -> None:
    spec = load_scenario("street").timeline
    assert list(happenings(spec, Chance(1), 3600)) == list(happenings(spec, Chance(1), 3600))
    assert list(happenings(spec, Chance(1), 3600)) != list(happenings(spec, Chance(2), 3600))


def test_calm_ends_what_goes_on_and_begins_nothing_new() -> None:
    timeline = Timeline.of(load_scenario("street").timeline, Chance(1), 3600)
    calm = timeline.ended_by(30.0)
    assert [event.what for event in calm.events] == ["smouldering_fire"]
    assert calm.events[0].to_s == pytest.approx(30.0)
