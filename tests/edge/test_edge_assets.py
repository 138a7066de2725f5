"""Assets in gateway.toml: what they become, and how a fault in one is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent.cli import main
from edge_agent.settings import load_settings
from models.errors import ConfigurationError

FILE = """\
[gateway]
id = "gw-1"
[[devices]]
name = "flat-302"
driver = "mqtt"
settings = { host = "127.0.0.1", topic = "flat/302" }
[[devices.channels]]
name = "flat-302/water"
kind = "counter"
unit = "m3"
source = "total"
[[devices.channels]]
name = "flat-302/motion"
kind = "motion"
source = "occupancy"
[[assets]]
name = "flat-302"
class = "elderly_flat"
place = "b3/f3/302"
channels = { water = "flat-302/water", motion = "flat-302/motion" }
parameters = { within_h = 24 }
"""


def written(folder: Path, text: str = FILE) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text)
    return path


def test_asset_becomes_monitors_and_fills_its_channels(tmp_path):
    document = load_settings(written(tmp_path)).document()
    monitors = {monitor.name: monitor for monitor in document.monitors}
    assert list(monitors) == [
        "flat-302-water-unused", "flat-302-water-running", "flat-302-still", "flat-302-unusually-still",
        "flat-302-equipment",
    ]  # fmt: skip
    assert monitors["flat-302-water-unused"].parameters == {"tolerance": 0.01, "for_s": 86400.0}
    water, motion = document.devices[0].channels
    assert (water.resolution, motion.resolution, motion.place) == (0.001, 1.0, "b3/f3/302")


def test_with_the_default_set_faults_are_watched_once(tmp_path):
    document = load_settings(written(tmp_path, FILE + "[default_monitors]\n")).document()
    names = [monitor.name for monitor in document.monitors if monitor.detector == "fault"]
    assert names == ["equipment"]


FAULTS = {
    'class = "elderly_flt"': ('class = "elderly_flat"', 18, "assets[0].class", "elderly_flat"),
    "within_h = 900": ("within_h = 24", 21, "assets[0].parameters.within_h", "1 to 168 h"),
    'water = "flat-302/motion"': (
        'water = "flat-302/water"', 20, "assets[0].channels.water", "kind counter or volume"
    ),
    "colour = 1\nplace": ("place", 19, "assets[0].colour", "class"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", FAULTS)
def test_fault_in_an_asset_names_file_line_key_and_what_was_expected(tmp_path, wrong):
    right, line, key, expected = FAULTS[wrong]
    path = written(tmp_path, FILE.replace(right, wrong, 1))
    with pytest.raises(ConfigurationError) as told:
        load_settings(path)
    assert (told.value.file, told.value.line, told.value.key) == (str(path), line, key)
    assert expected in told.value.expected


def test_command_lists_classes_and_shows_one(capsys):
    assert main(["assets"]) == 0
    assert "elderly_flat: Flat of a person living alone / 独居老人住宅" in capsys.readouterr().out
    assert main(["assets", "show", "elderly_flat"]) == 0
    shown = capsys.readouterr().out
    assert "least_l = 10 L (0.5 to 1000)" in shown and "[[assets]]" in shown
    assert main(["assets", "show", "lift", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["title_zh"] == "电梯"
    assert main(["assets", "show", "lft"]) == 78
    assert "lift" in capsys.readouterr().err
