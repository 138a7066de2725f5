"""The fault benchmark in short: each fault is told by its name, in time, once, and as no hazard."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
try:
    heard, house, runs, series, bench = (
        importlib.import_module(name)
        for name in ("fault_heard", "fault_house", "fault_runs", "fault_series", "bench_faults")
    )
finally:
    sys.path.pop(0)

pytestmark = pytest.mark.row("A19")
SEED, LEARNED_DAYS = 5001, 3
CHANNELS = ("bathroom/temperature", "mains/pressure", "living-room/co2")
# What is told of a day of calm takes longer than a test may.
FAULTS = {one.name: one for one in series.FAULT_TYPES if one.name != series.DRIFT}


@pytest.fixture(scope="module")
def calm():
    """Monitors that know three days of each channel, made once."""
    known = {}

    def of(name):
        if name not in known:
            channel = next(one for one in house.house_channels() if one.name == name)
            readings, _, judged_ns = house.calm_series(channel, SEED)
            from_ns = judged_ns - LEARNED_DAYS * 24 * heard.HOUR_NS
            known[name] = heard.Calm(readings, from_ns, judged_ns)
        return known[name]

    return of


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_told_by_its_name_in_time_once_and_as_no_hazard(calm, channel, fault):
    one, known = FAULTS[fault], calm(channel)
    if not one.suits(known.series.nature, known.series.kind):
        pytest.skip("no fault of such a channel")
    at = int(np.searchsorted(known.series.time, known.knows_ns + 8 * heard.HOUR_NS))
    chance = np.random.default_rng(1)
    outcome = runs.run_fault(known, one, at, chance, source="house", channel=channel, seed=SEED)
    assert outcome.code in one.codes
    assert fault in bench.UNTIMED or bench.in_time(outcome)
    assert outcome.maintenance == 1
    assert outcome.hazards == ()
    assert all(back.is_back for back in outcome.back)


def test_calm_days_give_no_false_fault(calm):
    for channel in CHANNELS:
        known = calm(channel)
        known.heard(known.knows_ns)
        assert set(known.quiet(channel, SEED).codes) <= {"silent"}, "silences are real in the house"


def test_a_fault_that_is_not_told_is_seen_by_the_benchmark(calm):
    known, never = calm(CHANNELS[0]), FAULTS["spike"]._replace(spoil=lambda s, rows, _: s.value[rows])
    at = int(np.searchsorted(known.series.time, known.knows_ns + 8 * heard.HOUR_NS))
    outcome = runs.run_fault(
        known, never, at, np.random.default_rng(1), source="house", channel=CHANNELS[0], seed=SEED
    )
    row = bench.row_of(never, [outcome])
    assert (row["told"], row["right"], row["in_time"], row["one_alert"]) == (0.0, 0.0, 0.0, 0.0)
    assert row["back"] == row["answers"] == 1.0 and row["no_hazard"] == 1.0
