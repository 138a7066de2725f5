"""Plans: files other programs read, determined by the seed; passwords by nobody."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import numpy as np
import pytest
from sim_rig import NOON_NS, make_plan

from firmware_sim.cli import main
from firmware_sim.history import history_csv
from firmware_sim.plan import read_plan
from firmware_sim.recording import Recording


def test_same_seed_gives_the_same_history_and_another_does_not(tmp_path: Path) -> None:
    first, again, other = (make_plan(tmp_path / name, seed) for name, seed in (("a", 5), ("b", 5), ("c", 6)))
    texts = [history_csv(plan, "gw-b1", days=0.5, period_s=60) for plan in (first, again, other)]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_history_ends_before_the_plan_and_keeps_its_period(tmp_path: Path) -> None:
    rows = history_csv(make_plan(tmp_path), "gw-b2", days=1, period_s=60).splitlines()
    times = np.array([int(row.split(",", 1)[0]) for row in rows[1:]])
    assert rows[0].startswith("time,canteen/smoke,")
    assert len(times) == 1440 and np.all(np.diff(times) == 60_000_000_000)
    assert 0 < NOON_NS - times[-1] <= 120_000_000_000


def test_history_stays_inside_what_channels_can_be(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    limits = {
        f"{spec.name}/{channel.name}": (channel.minimum, channel.maximum)
        for spec in plan.scenario.devices()
        for channel in plan.scenario.type_of(spec).channels
    }
    header, *rows = (row.split(",") for row in history_csv(plan, "gw-b1", days=1, period_s=60).splitlines())
    columns = np.array([[float(field) for field in row] for row in rows]).T
    for name, column in zip(header[1:], columns[1:], strict=True):
        low, high = limits[name]
        assert column.min() >= low and column.max() <= high, name


def test_documents_of_gateway_and_cloud_say_the_same(tmp_path: Path) -> None:
    make_plan(tmp_path)
    file = tomllib.loads((tmp_path / "gw-b1" / "gateway.toml").read_text(encoding="utf-8"))
    document = json.loads((tmp_path / "gw-b1" / "document.json").read_text(encoding="utf-8"))
    assert file["devices"] == document["devices"]
    assert file["monitors"] == document["monitors"]
    assert file["gateway"]["id"] == document["gateway"] == "gw-b1"
    drivers = {device["driver"] for device in file["devices"]}
    assert drivers == {"modbus_tcp", "mqtt", "senml", "health"}


def test_monitors_watch_only_channels_of_their_gateway(tmp_path: Path) -> None:
    make_plan(tmp_path)
    for gateway in ("gw-b1", "gw-b2"):
        document = json.loads((tmp_path / gateway / "document.json").read_text(encoding="utf-8"))
        names = {channel["name"] for device in document["devices"] for channel in device["channels"]}
        assert document["monitors"]
        assert all(set(monitor["channels"]) <= names for monitor in document["monitors"])


def test_organisation_names_the_places_of_all_devices(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    organisation = tomllib.loads((tmp_path / "organisation.toml").read_text(encoding="utf-8"))
    places = {place["path"] for place in organisation["places"]}
    assert {device.place for device in plan.scenario.devices()} <= places
    assert [site["duty_officer"] for site in organisation["sites"]] == ["duty"]


def test_passwords_are_private_and_never_the_seeds(tmp_path: Path) -> None:
    first, again = make_plan(tmp_path / "a", 5), make_plan(tmp_path / "b", 5)
    assert not set(first.people().values()) & set(again.people().values())
    for name in ("people.json", "organisation.toml"):
        assert stat.S_IMODE((tmp_path / "a" / name).stat().st_mode) == 0o600


def test_plan_reads_back_as_written(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    assert read_plan(tmp_path) == plan


def test_run_fixes_when_it_began_and_a_second_goes_on_from_there(tmp_path: Path) -> None:
    plan, street = make_plan(tmp_path).begin(NOON_NS + 5)
    again, same = read_plan(tmp_path).begin(NOON_NS + 99_000_000_000)
    assert again.began_at_ns == plan.began_at_ns == NOON_NS + 5
    assert same.timeline.events == street.timeline.events
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert truth["spans"][0]["from_ns"] == NOON_NS + 5 + 15_000_000_000
    assert truth["spans"][0]["real"] is True


def test_without_recordings_their_devices_are_left_out(tmp_path: Path) -> None:
    make_plan(tmp_path)
    text = (tmp_path / "gw-b1" / "gateway.toml").read_text(encoding="utf-8")
    assert "kitchen-101" in text and "mote-b1" not in text


def test_recorded_devices_play_what_was_recorded(tmp_path: Path, recordings: Path) -> None:
    plan = make_plan(tmp_path, recordings=recordings)
    names = {device.name for device in plan.street(0.0).devices("gw-b2")}
    assert {"roof-air", "store-room", "reading-room"} <= names
    mote = next(d for d in plan.street(NOON_NS / 1e9).devices("gw-b1") if d.name == "mote-b1")
    sample = mote.sample(NOON_NS / 1e9 + 0.5)
    assert sample.raw == {"temperature": 2797.0, "humidity": 4593.0}


def test_recording_repeats_the_last_value_where_there_is_none(tmp_path: Path) -> None:
    from firmware_sim.device_types import RecordingType
    from firmware_sim.recording import load_recording

    (tmp_path / "air.csv").write_text("hour,pm\n0,NA\n1,5\n2,\n3,7\n")
    played = load_recording(tmp_path, RecordingType(file="air.csv", row_s=2), ["pm"], start_s=100.0)
    assert played.values("pm", np.array([100, 102, 104, 106, 108.0])).tolist() == [5, 5, 5, 7, 5]
    assert isinstance(played, Recording) and played.values("pm", 98.0).tolist() == 7


def test_commands_say_what_is_wrong_and_exit_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--scenario", "harbour", "--out", str(tmp_path)]) == 78
    assert "known by name: street" in capsys.readouterr().err
    assert main(["history", "--plan", str(tmp_path)]) == 78
    assert "lastmile-sim plan" in capsys.readouterr().err
