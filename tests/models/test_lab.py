"""The command lastmile-lab, as an engineer types it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from models.detectors.purposes import PURPOSES
from models.detectors.registry import DETECTORS
from models.lab.catalogue import catalogue
from models.lab.cli import main
from models.lab.csvfile import read_series
from models.lab.page import as_markdown


@pytest.fixture
def series(tmp_path):
    """A day at five minutes with a jump near the end, in tmp/in/cat/a.csv."""
    chance = np.random.default_rng(1)
    folder = tmp_path / "in" / "cat"
    folder.mkdir(parents=True)
    rows = ["timestamp,value,other"]
    for k in range(1200):
        minute = k * 5
        time = f"2026-03-{1 + minute // 1440:02d} {minute // 60 % 24:02d}:{minute % 60:02d}:00"
        value = 90.0 if k > 1150 else round(20 + chance.normal(), 2)
        rows.append(f"{time},{value},{k % 7}")
    path = folder / "a.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def scores(path):
    with path.open() as file:
        return [float(row["anomaly_score"]) for row in csv.DictReader(file)]


def test_catalogue_lists_every_detector_in_both_languages(capsys):
    assert main(["catalogue", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert {"limit", "ewma", "time_of_day"} <= {entry["name"] for entry in entries}
    tau = next(
        field
        for entry in entries
        if entry["name"] == "ewma"
        for field in entry["parameters"]
        if field["name"] == "tau_s"
    )
    assert (tau["unit"], tau["default"], tau["exclusiveMinimum"]) == ("s", 600.0, 0)
    assert tau["title_zh"] and tau["description_zh"]
    assert main(["catalogue"]) == 0
    assert "基准水平" not in (text := capsys.readouterr().out) and "偏离近期水平" in text


def test_every_detector_says_what_it_is_for():
    assert set(PURPOSES) == set(DETECTORS)
    for purpose in PURPOSES.values():
        assert purpose.text and purpose.text_zh and purpose.reasons and all(purpose.reasons.values())


def test_page_of_detectors_does_not_depend_on_what_is_installed():
    here, elsewhere = ([entry | {"installed": there} for entry in catalogue()] for there in (True, False))
    assert as_markdown(here) == as_markdown(elsewhere)


def test_page_of_detectors_is_what_the_registry_says(capsys):
    docs = Path(__file__).parents[2] / "docs"
    assert main(["catalogue", "--markdown"]) == 0
    assert (docs / "detectors.md").read_text(encoding="utf-8") == capsys.readouterr().out
    assert {path.stem for path in (docs / "pictures").glob("*.svg")} == set(DETECTORS)


def test_score_writes_a_causal_score_between_0_and_1(series, tmp_path):
    out = tmp_path / "out"
    assert (
        main(
            [
                "score",
                "--detector",
                "ewma",
                "--set",
                "warmup_s=43200",
                "--out",
                str(out),
                str(series),
                "--channels",
                "value",
            ]
        )
        == 0
    )
    written = out / "a.csv"
    got = scores(written)
    assert len(got) == 1200
    assert all(0 <= point <= 1 for point in got)
    assert got[1151] == max(got) > 0.4
    assert written.read_text().startswith("timestamp,value,anomaly_score\n2026-03-01 00:00:00,")
    # Causal: the first half scored alone is the same.
    half = series.with_name("half.csv")
    half.write_text("\n".join(series.read_text().splitlines()[:601]) + "\n")
    main(
        [
            "score",
            "--detector",
            "ewma",
            "--set",
            "warmup_s=43200",
            "--out",
            str(out),
            str(half),
            "--channels",
            "value",
        ]
    )
    assert scores(out / "half.csv") == got[:600]


def test_several_channels_take_the_highest_score(series, tmp_path):
    both = ["score", "--detector", "limit", "--set", "high=80", "--out", str(tmp_path / "o"), str(series)]
    assert main([*both, "--channels", "other,value"]) == 0
    assert sum(scores(tmp_path / "o" / "a.csv")) == 49


def test_files_of_several_folders_keep_their_place(series, tmp_path):
    other = series.parent.parent / "dog" / "a.csv"
    other.parent.mkdir()
    other.write_text("time,v\n0,1\n1,2\n")
    out = tmp_path / "out"
    command = ["score", "--detector", "limit", "--set", "high=1.5", "--out", str(out), str(other)]
    series.write_text("timestamp,value\n2026-03-01T00:00:00+08:00,1\n")
    assert main([*command, str(series)]) == 0
    assert scores(out / "dog" / "a.csv") == [0, 1]
    assert (out / "cat" / "a.csv").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("timestamp,value\n2026-01-01,1\n2026-01-02,x\n", "3: value: 'x' (expected a number)"),
        ("timestamp,value\nyesterday,1\n", "2: timestamp: 'yesterday' (expected ISO 8601 or unix time)"),
        ("timestamp,value\n2026-01-01\n", "2: 1 fields (expected 2)"),
        ("a,b\n1,2\n", "1: columns ['a', 'b'] (expected one called timestamp"),
        ("", "1: columns [] (expected one called timestamp"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, capsys, text, told):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    assert main(["score", "--detector", "ewma", "--out", str(tmp_path), str(path)]) == 78
    assert f"{path}:{told}" in capsys.readouterr().err


def test_wrong_words_are_answered_with_near_ones(series, tmp_path, capsys):
    command = ["--out", str(tmp_path / "o"), str(series)]
    assert main(["score", "--detector", "time_of_dya", *command]) == 78
    assert "did you mean time_of_day" in capsys.readouterr().err
    assert main(["score", "--detector", "ewma", "--set", "tau=3", *command]) == 78
    assert "did you mean tau_s" in capsys.readouterr().err
    assert main(["score", "--detector", "ewma", "--set", "tau_s=-3", *command]) == 78
    assert "range: above 0" in capsys.readouterr().err
    assert main(["score", "--detector", "ewma", "--out", str(tmp_path), str(tmp_path / "none.csv")]) == 1
    with pytest.raises(SystemExit) as stopped:
        main(["score", "--set", "oops", *command])
    assert stopped.value.code == 2


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_replay_tells_the_alerts(series, tmp_path, capsys, ending):
    monitor = tmp_path / f"monitor.{ending}"
    monitor.write_text(
        'name = "hot"\ndetector = "limit"\nchannels = ["value"]\nhazard = "fire"\n[parameters]\nhigh = 80\n'
        if ending == "toml"
        else json.dumps(
            {
                "name": "hot",
                "detector": "limit",
                "channels": ["value"],
                "hazard": "fire",
                "parameters": {"high": 80},
            }
        )
    )
    command = ["replay", "--monitor", str(monitor), "--csv", str(series)]
    assert main([*command, "--json"]) == 0
    [alert] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (alert["state"], alert["value"], alert["onset_index"]) == ("firing", 90.0, 1151)
    assert main(command) == 0
    assert "above_limit value 90.0, limit 80.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"name": "hot"', "Expecting"),
        ('{"name": "hot", "detector": "limit", "channels": ["v"], "hazard": "x", "hgih": 1}', "hgih"),
        ('{"monitors": []}', "0 monitors (expected one)"),
    ],
)
def test_a_bad_monitor_is_named(series, tmp_path, capsys, text, told):
    monitor = tmp_path / "m.json"
    monitor.write_text(text)
    assert main(["replay", "--monitor", str(monitor), "--csv", str(series)]) == 78
    error = capsys.readouterr().err
    assert str(monitor) in error and told in error


def test_missing_values_and_all_kinds_of_times_are_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "time,v\n1767225600,1\n1767225600000,\n1767225600000000000,NaN\n2026-01-01T00:00:00Z,2\n\n"
    )
    got = read_series(path)
    assert got.time.tolist() == [1767225600 * 10**9] * 4
    assert np.isnan(got.value[:, 0]).tolist() == [False, True, True, False]
