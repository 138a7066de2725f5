"""Every class of assets: complete, in both languages, a source for each limit, and right in its stories."""

from __future__ import annotations

import re

import numpy as np
import pytest
from asset_cases import CASES, Course

from models.assets.asset import AssetConfig
from models.assets.expand import asset_monitors, expand_assets
from models.assets.library import asset_classes, template_of
from models.assets.show import describe_class, ready_toml
from models.assets.template import Parameter, Role
from models.clock import EARLIEST_NS, SECOND_NS
from models.configuration import ChannelConfig, DeviceConfig, MonitorConfig
from models.detectors.bank import Trait
from models.detectors.registry import entry_of, make_bank
from models.errors import ConfigurationError
from models.readings import ReadingBlock
from models.replay import replay
from models.wire.messages import ChannelEntry

START = EARLIEST_NS + 10**15
CHINESE = re.compile("[\u4e00-\u9fff]")


def asset_of(name: str, **parameters: float) -> AssetConfig:
    """An asset with every part of its class."""
    parts = {role.name: f"x/{role.name}" for role in template_of(name).roles}
    return AssetConfig(name="x", asset_class=name, place="b1/f2", channels=parts, parameters=parameters)


def device_of(name: str, units: dict[str, str] | None = None) -> DeviceConfig:
    """A device that gives every part of a class; only names, kinds and sources are written down."""
    told = units or {}
    channels = [
        {"name": f"x/{role.name}", "kind": role.kinds[0], "source": role.name}
        | ({"unit": told[role.name]} if role.name in told else {})
        for role in template_of(name).roles
    ]
    return DeviceConfig(name="d", driver="health", channels=[ChannelConfig(**one) for one in channels])


def expanded(name: str, units: dict[str, str] | None = None, **parameters: float):
    (device,), monitors = expand_assets(
        [asset_of(name, **parameters)], [device_of(name, units)], with_equipment=True
    )
    return {channel.name: channel for channel in device.channels}, monitors


def readings(course: Course, every_s: float) -> ReadingBlock:
    values: list[float] = []
    for level, minutes in course:
        first, last = level if isinstance(level, tuple) else (level, level)
        values += np.linspace(first, last, max(1, round(minutes * 60 / every_s))).tolist()
    times = [START + round(n * every_s * SECOND_NS) for n in range(len(values))]
    return ReadingBlock.of([1] * len(values), times, values, monotonic_offset_ns=START)


def told(name: str, monitor: str, role: str, block: ReadingBlock, **given) -> list[str]:
    channels, monitors = expanded(name, **given)
    config: MonitorConfig = next(one for one in monitors if one.name == f"x-{monitor}")
    own = channels[f"x/{role}"]
    entry = ChannelEntry(number=1, name=own.name, kind=own.kind, unit=own.unit, resolution=own.resolution)
    config = config.model_copy(update={"channels": (own.name,)})
    return [alert.state.value for alert in replay(config, {1: entry}, [block], gateway="gw").alerts]


def other_end(name: str, end: str, known: dict[str, Parameter]) -> dict[str, float]:
    """A low limit goes with its high one: moved alone to its end it could pass it, which is refused."""
    twin = name.replace("low", "high") if "low" in name else name.replace("high", "low")
    return {twin: getattr(known[twin], end)} if twin != name and twin in known else {}


def test_there_are_at_least_ten_classes_and_those_the_towns_asked_for():
    named = {"lift", "fire_lane", "freezer", "basement", "charging_pile", "elderly_flat", "boiler_room"}
    assert len(asset_classes()) >= 10
    assert named | {"gas_meter", "pump"} <= set(asset_classes())


@pytest.mark.parametrize("name", asset_classes())
def test_every_word_is_there_in_both_languages_and_every_limit_has_a_source(name):
    template = template_of(name)
    told = [template, *template.roles, *template.parameters, *template.monitors]
    assert all(CHINESE.search(one.title_zh) and not CHINESE.search(one.title) for one in told)
    assert CHINESE.search(template.text_zh)
    assert all(len(parameter.source) > 10 for parameter in template.parameters)
    used = str([monitor.parameters for monitor in template.monitors])
    assert [p.name for p in template.parameters if f"'{p.name}'" not in used] == []


@pytest.mark.parametrize("name", asset_classes())
@pytest.mark.parametrize("end", ["default", "minimum", "maximum"])
def test_every_detector_can_be_made_at_both_ends_of_every_parameter(name, end):
    known = {parameter.name: parameter for parameter in template_of(name).parameters}
    for parameter in known.values():
        given = {parameter.name: getattr(parameter, end)}
        given |= other_end(parameter.name, end, known)
        channels, monitors = expanded(name, **given)
        for monitor in monitors:
            traits = [
                Trait(one.kind, one.unit, one.resolution, one.name)
                for one in (channels[channel] for channel in monitor.channels)
            ]
            make_bank(monitor.detector, monitor.parameters, range(len(traits)), traits)


def test_every_rule_of_every_class_has_a_story():
    rules = {
        (name, monitor.name)
        for name in asset_classes()
        for monitor in template_of(name).monitors
        if not entry_of(monitor.detector).learned
    }
    assert rules == set(CASES)


@pytest.mark.parametrize(("name", "monitor"), CASES)
def test_rule_tells_what_must_be_told_and_keeps_quiet_on_ordinary_days(name, monitor):
    case = CASES[name, monitor]
    assert told(name, monitor, case.role, readings(case.calm, case.every_s)) == []
    assert told(name, monitor, case.role, readings(case.told, case.every_s))[:1] == ["firing"]


def test_town_that_waits_a_day_for_ten_litres_says_so():
    course = [((0, 60), 12 * 60), ((60, 64), 20 * 60)]
    assert told("elderly_flat", "water-unused", "water", readings(course, 900)) == ["firing"]
    assert told("elderly_flat", "water-unused", "water", readings(course, 900), within_h=24) == []


def test_little_water_is_told_within_twice_the_window_wherever_the_litres_fall():
    """Flat line counts from the last change beyond its tolerance: litres before the window may delay it."""
    for litres in (1, 5, 9):
        course = [((0, 60), 12 * 60), ((60, 60 + litres), 5), ((60 + litres, 69.5), 24 * 60)]
        assert told("elderly_flat", "water-unused", "water", readings(course, 900)) == ["firing"]


def test_meter_in_cubic_metres_is_judged_by_the_same_litres():
    channels, monitors = expanded("elderly_flat", {"water": "m3"})
    assert channels["x/water"].resolution == 0.001
    unused = next(monitor for monitor in monitors if monitor.name == "x-water-unused")
    assert unused.parameters == {"tolerance": 0.01, "for_s": 43200.0}
    running = next(monitor for monitor in monitors if monitor.name == "x-water-running")
    assert running.parameters["rise_per_s"] == pytest.approx(8 / 60 / 1000)


def test_channels_take_from_their_class_what_they_do_not_say_themselves():
    channels, monitors = expanded("freezer")
    inside = channels["x/temperature"]
    assert (inside.unit, inside.resolution, inside.minimum, inside.place) == ("Cel", 0.1, -60.0, "b1/f2")
    own = ChannelConfig(
        name="x/temperature",
        kind="temperature",
        unit="Cel",
        source=0,
        resolution=0.5,
        minimum=-90,
        place="b2",
    )
    device = DeviceConfig(name="d", driver="health", channels=(own,))
    asset = AssetConfig(name="x", asset_class="freezer", channels={"temperature": "x/temperature"})
    (device,), monitors = expand_assets([asset], [device])
    assert device.channels[0] == own.model_copy(update={"maximum": 60.0})
    assert [monitor.name for monitor in monitors] == ["x-warm", "x-thawing"], "no door, no alert of the door"


def test_several_channels_may_play_one_part():
    bays = tuple(ChannelConfig(name=f"bay/{n}", kind="presence", source=n) for n in range(3))
    asset = AssetConfig(
        name="lane", asset_class="fire_lane", channels={"occupied": tuple(c.name for c in bays)}
    )
    (monitor,) = asset_monitors(asset, {bay.name: bay for bay in bays})
    assert monitor.channels == ("bay/0", "bay/1", "bay/2")


FAULTS = {
    "unknown class": ({"asset_class": "freezr"}, "assets[0].class", "freezer"),
    "unknown part": ({"channels": {"temperature": "t", "lid": "t"}}, "assets[0].channels.lid", "temperature"),
    "part missing": ({"channels": {"door": "door"}}, "assets[0].channels.temperature", "Temperature inside"),
    "unknown channel": ({"channels": {"temperature": "no"}}, "assets[0].channels.temperature", "known"),
    "wrong kind": (
        {"channels": {"temperature": "door"}},
        "assets[0].channels.temperature",
        "kind temperature",
    ),
    "wrong unit": ({"channels": {"temperature": "f"}}, "assets[0].channels.temperature", "unit Cel"),
    "unknown parameter": ({"parameters": {"warm": 1}}, "assets[0].parameters.warm", "warm_c"),
    "out of range": ({"parameters": {"warm_c": 9}}, "assets[0].parameters.warm_c", "-40 to 0 Cel"),
    "name too long": ({"name": "x" * 60}, "assets[0].name", "at most"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_asset_that_does_not_fit_is_refused_by_key_with_what_was_expected(name):
    change, key, expected = FAULTS[name]
    given = {"name": "f", "asset_class": "freezer", "channels": {"temperature": "t"}} | change
    device = DeviceConfig(
        name="d", driver="health",
        channels=(
            ChannelConfig(name="t", kind="temperature", unit="Cel", source=0),
            ChannelConfig(name="f", kind="temperature", unit="degF", source=1),
            ChannelConfig(name="door", kind="door", source=2),
        ),
    )  # fmt: skip
    with pytest.raises(ConfigurationError) as wrong:
        expand_assets([AssetConfig(**given)], [device])
    assert (wrong.value.key, expected in wrong.value.expected) == (key, True)


def test_low_limit_above_its_high_one_is_refused():
    with pytest.raises(ConfigurationError) as wrong:
        expanded("power_cabinet", voltage_low_v=240)
    assert wrong.value.key == "assets[0].parameters.voltage_low_v"
    assert wrong.value.expected == "below voltage_high_v, 235.4"


def test_two_assets_of_one_name_are_refused():
    with pytest.raises(ConfigurationError, match="two assets"):
        expand_assets([asset_of("lift"), asset_of("lift")], [device_of("lift")])


@pytest.mark.parametrize("name", asset_classes())
def test_class_is_told_with_its_sources_and_toml_that_can_be_read(name):
    import tomllib

    lines = describe_class(name)
    assert all(parameter.source in "\n".join(lines) for parameter in template_of(name).parameters)
    (table,) = tomllib.loads("\n".join(ready_toml(name)))["assets"]
    asset = AssetConfig.model_validate(table)
    assert asset.parameters == {p.name: p.default for p in template_of(name).parameters}


def test_role_knows_how_its_units_stand_to_each_other():
    role = Role(name="r", title="r", title_zh="r", kinds=("k",), unit="L", also={"m3": 0.001}, resolution=1)
    assert [role.factor(unit) for unit in ("L", "m3", "gal")] == [1.0, 0.001, None]
