"""A broken gateway.toml names file, line, key and what was expected, and ends with 78."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent.cli import main
from edge_agent.settings import load_settings
from edge_agent.toml_lines import line_of
from models.errors import ConfigurationError

GOOD = """\
[gateway]
id = "gw-1"

[uplink]
host = "broker.example"
port = 8883

[[devices]]
name = "boiler"
driver = "modbus_tcp"
settings = { host = "127.0.0.1", port = 5020 }
[[devices.channels]]
name = "boiler/temperature"
kind = "temperature"
source = { register = 0, type = "int16" }

[[devices]]
name = "hall"
driver = "mqtt"
settings = { host = "127.0.0.1", topic = "zigbee2mqtt/hall" }
[[devices.channels]]
name = "hall/temperature"
kind = "temperature"
source = "temperature"
scale = 1.0

[[monitors]]
name = "hot"
detector = "limit"
parameters = { high = 60 }
channels = ["boiler/temperature"]
hazard = "fire"
"""

FAULTS = [
    ('id = "gw-1"', 'id = "GW 1"', 2, "gateway.id", "match"),
    ("port = 8883", "port = 99999", 6, "uplink.port", "65535"),
    ("port = 8883", 'prot = "8883"', 6, "uplink.prot", "port"),
    ("scale = 1.0", 'scale = "ten"', 25, "devices[1].channels[0].scale", "number"),
    ('kind = "temperature"\nsource = "temp', 'source = "temp', 21, "devices[1].channels[0].kind", "a value"),
    ('name = "hall/temperature"', 'name = "boiler/temperature"', 22, "devices", "unique"),
    ('channels = ["boiler/temperature"]', 'channels = ["attic"]', 31, "monitors", "known"),
    ("port = 8883", "port = = 8883", 6, "", "key = value"),
    ("port = 8883", "port = 8883\ntls = false", 7, "uplink.tls", "TLS"),
]


def write(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text)
    return path


def test_good_file_is_read(tmp_path):
    settings = load_settings(write(tmp_path, GOOD))
    assert [device.name for device in settings.devices] == ["boiler", "hall"]


@pytest.mark.parametrize(("good", "bad", "line", "key", "expected"), FAULTS)
def test_broken_file_names_line_key_and_what_was_expected(tmp_path, good, bad, line, key, expected):
    assert good in GOOD
    path = write(tmp_path, GOOD.replace(good, bad))
    with pytest.raises(ConfigurationError) as raised:
        load_settings(path)
    wrong = raised.value
    assert (wrong.file, wrong.line, wrong.key) == (str(path), line, key)
    assert expected in str(wrong)


DRIVER_FAULTS = [
    ('driver = "mqtt"', 'driver = "zigbee"', 19, "modbus_tcp, mqtt"),
    ("port = 5020 }", "prot = 5020 }", 11, "port"),
    ("register = 0,", "register = -1,", 15, "greater than or equal to 0"),
    ('detector = "limit"', 'detector = "guess"', 30, "guess"),
    ("{ high = 60 }", "{ hgih = 60 }", 30, "hgih"),
]


@pytest.mark.parametrize(("good", "bad", "line", "expected"), DRIVER_FAULTS)
def test_check_tries_drivers_and_detectors_and_ends_with_78(tmp_path, capsys, good, bad, line, expected):
    write(tmp_path, GOOD.replace(good, bad))
    assert main(["check", "--state", str(tmp_path), "--json"]) == 78
    said = capsys.readouterr()
    error = json.loads(said.out)["error"]
    assert error["file"].endswith("gateway.toml")
    assert abs(error["line"] - line) <= 1
    assert expected in said.err


def test_check_of_a_good_file_says_what_it_holds(tmp_path, capsys):
    write(tmp_path, GOOD)
    assert main(["check", "--state", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "devices": 2, "channels": 2, "monitors": 1}


def test_missing_file_says_how_to_make_one(tmp_path, capsys):
    assert main(["run", "--state", str(tmp_path)]) == 78
    assert "lastmile-edge init" in capsys.readouterr().err


def test_written_template_is_a_good_file(tmp_path):
    assert main(["init", "--state", str(tmp_path / "new")]) == 0
    assert main(["check", "--state", str(tmp_path / "new")]) == 0


@pytest.mark.row("B1")
def test_plain_mqtt_is_taken_on_loopback_alone(tmp_path):
    local = GOOD.replace("port = 8883", "port = 8883\ntls = false")
    with pytest.raises(ConfigurationError, match="refused off this machine"):
        load_settings(write(tmp_path, local))
    loopback = local.replace("broker.example", "127.0.0.1")
    assert load_settings(write(tmp_path, loopback)).uplink.tls is False


def test_line_of_a_key_in_the_second_table_of_an_array():
    assert line_of(GOOD, ("devices", 1, "channels", 0, "scale")) == 25
    assert line_of(GOOD, ("devices", 1, "settings", "topic")) == 20


def test_default_monitors_watch_all_channels_but_those_excepted(tmp_path, capsys):
    written = tmp_path / "gateway.toml"
    written.write_text(
        GOOD + '\n[default_monitors]\nbudget_per_week = 0.3\nexcept_channels = ["hall/temperature"]\n'
    )
    monitors = load_settings(written).document().monitors
    assert monitors[0].name == "hot", "what is written out stays"
    added = {monitor.name: monitor for monitor in monitors[1:]}
    assert added["unusual-temperature-slow"].channels == ("boiler/temperature",)
    assert added["unusual-temperature-slow"].trigger.budget_per_week == 0.3
    assert added["equipment"].detector == "fault"
    assert main(["check", "--state", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["monitors"] == 4


def test_default_monitors_refuse_an_exception_that_names_no_channel(tmp_path):
    written = tmp_path / "gateway.toml"
    written.write_text(GOOD + '\n[default_monitors]\nexcept_channels = ["hall/temperatur"]\n')
    with pytest.raises(ConfigurationError) as refused:
        load_settings(written)
    assert refused.value.key == "default_monitors.except_channels[0]"
    assert refused.value.expected == "hall/temperature"
    assert refused.value.line == len(GOOD.splitlines()) + 3


def test_default_monitors_refuse_a_budget_of_nothing_by_line(tmp_path):
    written = tmp_path / "gateway.toml"
    written.write_text(GOOD + "\n[default_monitors]\nbudget_per_week = 0\n")
    with pytest.raises(ConfigurationError) as refused:
        load_settings(written)
    assert refused.value.key == "default_monitors.budget_per_week"
    assert refused.value.line == len(GOOD.splitlines()) + 3
