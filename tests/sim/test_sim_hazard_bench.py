"""The hazard bench: its reference is fit for the house, and its short cuts change no alert."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from firmware_sim.benchmark.house import house_channels
from firmware_sim.benchmark.run import FROZEN_SEEDS, HELD_OUT_SEEDS
from models.configuration import MonitorConfig, TriggerConfig
from models.evaluation import Tally
from models.monitor import Monitor
from models.replay import drive

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
try:
    bench, fixed, detectors, runs = (
        importlib.import_module(name)
        for name in ("bench_hazards", "fixed_limits", "hazard_detectors", "hazard_runs")
    )
finally:
    sys.path.pop(0)
SEED = 3001


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return runs.RunStore(tmp_path_factory.mktemp("runs"))


def told(alerts):
    return sorted((a.monitor, a.channel, a.state.value, a.fired_at, a.resolved_at or 0) for a in alerts)


def test_every_fixed_limit_has_a_channel_a_source_and_room_to_move():
    known = {channel.name for channel in house_channels()}
    for rule in fixed.FIXED_LIMITS:
        assert rule.channel in known and rule.source
        limit, for_s = rule.at(1.0)
        assert (limit, for_s) == (rule.limit, rule.for_s)
        assert rule.at(0.5) != rule.at(2.0)
    monitors = fixed.limit_monitors(list(runs.channel_table().values()))
    assert len(monitors) == len(fixed.FIXED_LIMITS) == len({monitor.name for monitor in monitors})


def test_a_lower_limit_stays_one_under_every_factor():
    table = list(runs.channel_table().values())
    for factor in fixed.FACTORS:
        by_channel = {m.channels[0]: m.parameters for m in fixed.limit_monitors(table, factor)}
        assert set(by_channel["mains/pressure"]) == {"low"} and set(by_channel["cold-room/air"]) == {"high"}
        assert set(by_channel["flat-302/motion"]) == set(by_channel["cold-room/power"]) == {"low"}
        assert set(by_channel["sump/pump"]) == set(by_channel["kitchen/gas"]) == {"high"}


def test_fixed_limits_find_a_gas_leak_and_say_when(store):
    chosen = detectors.detector_sets()["limits"]
    found = runs.judge_seed(SEED, ["gas_leak"], [chosen], store)
    [delay_s] = found["limits", "gas_leak"].delays_s
    assert 0.0 < delay_s < 4 * 3600.0


def test_a_monitor_that_sees_only_its_channels_says_the_same(store):
    """The bench leaves out the rows a monitor would pass over; its delays end at the same second."""
    rows = store.rows("burst_pipe", SEED, "judged")
    table = runs.channel_table()
    configs = fixed.limit_monitors(list(table.values()), 0.5)[-12:]
    alone = runs._drive([Monitor(c, table, gateway="g") for c in configs], rows, 0)
    whole = [Monitor(c, table, gateway="g") for c in configs]
    alerts = [alert for block in runs.blocks_of(rows, 0) for alert in drive(whole, block)]
    alerts += [alert for monitor in whole for alert in monitor.advance(int(rows["time"][-1]))]
    assert told(alone) == told(alerts) and len(alerts) > 3


def test_learning_once_for_all_hazards_is_learning_for_each(store):
    names = ("kitchen/smoke", "kitchen/gas", "living-room/temperature")
    trigger = TriggerConfig(on=3, off_delay_s=900)
    config = MonitorConfig(name="m", detector="ewma", channels=names, trigger=trigger, hazard="x")
    one = detectors.DetectorSet("some", lambda _channels: [config])
    learning, judged = store.rows("gas_leak", SEED, "learning"), store.rows("gas_leak", SEED, "judged")
    resumed = runs._judged(one, runs._taught(one, learning), judged, len(learning))
    through = Monitor(config, runs.channel_table(), gateway="benchmark")
    for block in runs.blocks_of(learning, 0):
        drive([through], block)
    alerts = [alert for block in runs.blocks_of(judged, len(learning)) for alert in drive([through], block)]
    alerts += through.advance(int(judged["time"][-1]))
    assert told(resumed) == told(alerts) and len(alerts) > 1


def test_the_store_gives_back_what_it_kept(store):
    first, again = (store.rows("gas_leak", SEED, "judged") for _ in range(2))
    made = runs.RunStore(None).rows("gas_leak", SEED, "judged")
    assert np.array_equal(first, again) and np.array_equal(first, made)


def test_sets_are_apart():
    sets = list(runs.SETS.values())
    assert sets[:2] == [FROZEN_SEEDS, HELD_OUT_SEEDS]
    assert len({seed for one in sets for seed in one}) == sum(len(one) for one in sets)


def test_rows_compare_at_equal_recall(tmp_path):
    hits, half = Tally((60.0,), 1, {"cooking": 1}), Tally((None,), 0)
    given = {
        ("limits", "gas_leak"): [hits, Tally((120.0,))],
        ("limits x0.5", "gas_leak"): [hits, Tally((30.0,), 3, {"other": 3})],
        ("limits x2", "gas_leak"): [half, Tally((300.0,))],
        ("ewma", "gas_leak"): [half, Tally((20.0,), 1, {"other": 1})],
    }
    rows = bench.result_rows(given, ["gas_leak"], ["limits", "ewma"])
    assert [(row["detector"], row["hazard"], row["recall"]) for row in rows] == [
        ("limits", "gas_leak", 1.0),
        ("limits", "all", 1.0),
        ("ewma", "gas_leak", 0.5),
        ("ewma", "all", 0.5),
    ]
    assert rows[0]["limits_at_equal_recall"] == {"factor": 1.0, "recall": 1.0, "false_alarm_ratio": 0.333}
    assert rows[2]["limits_at_equal_recall"] == {"factor": 2.0, "recall": 0.5, "false_alarm_ratio": 0.0}
    assert rows[2]["median_lead_s"] == "-endless" and rows[2]["limits_alone"] == 1
    assert "ewma" in bench.table_of(rows)
    bench.write(tmp_path / "hazards.json", rows)
    bench.write(tmp_path / "hazards.json", rows[2:])
    assert json.loads((tmp_path / "hazards.json").read_text()) == rows
