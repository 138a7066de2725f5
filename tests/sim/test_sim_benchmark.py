"""The hazard benchmark: frozen, lifelike in its bounds, and without artefacts that give the hazard away."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from firmware_sim.benchmark.digest import digest_of, frozen_digests, truths_digest
from firmware_sim.benchmark.house import house_channels
from firmware_sim.benchmark.onset import KINDS
from firmware_sim.benchmark.run import FROZEN_SEEDS, HAZARD_NAMES, HELD_OUT_SEEDS, hazard_of, make_run
from firmware_sim.benchmark.scene import END_S, JUDGED_S, Scene
from firmware_sim.benchmark.shapes import add_bump, add_pulse, follow, mean_over
from firmware_sim.cli import main
from firmware_sim.errors import ScenarioError
from models.readings import round_to_resolution

LOOK_ALIKES = {"cooking", "shower", "opened_window", "boiler_test"}


@pytest.fixture(scope="module", params=HAZARD_NAMES)
def run(request):
    return make_run(request.param, FROZEN_SEEDS[0])


def test_a_frozen_run_is_what_it_was(run):
    """Detectors are tuned on these: whoever changes the simulator makes new sets and says so."""
    assert digest_of(run) == frozen_digests()[run.hazard][str(run.seed)]


@pytest.mark.parametrize("hazard", ["flaming_fire", "lying_helpless"])
def test_frozen_truths_are_what_they_were(hazard):
    assert truths_digest(hazard, [*FROZEN_SEEDS, *HELD_OUT_SEEDS]) == frozen_digests()[hazard]["truths"]


def test_every_hazard_is_frozen():
    assert set(frozen_digests()) == set(HAZARD_NAMES) == set(KINDS)
    assert len(FROZEN_SEEDS) == len(HELD_OUT_SEEDS) == 50
    assert not set(FROZEN_SEEDS) & set(HELD_OUT_SEEDS)


def test_judged_days_have_one_hazard_and_all_look_alikes(run):
    real = [event for event in run.truth if event.is_real]
    assert [event.what for event in real] == [run.hazard]
    assert {event.what for event in run.truth if not event.is_real} == LOOK_ALIKES
    hazard = hazard_of(run)
    low, high = KINDS[run.hazard].lasts_s
    assert low <= hazard.to_s - hazard.from_s <= high
    assert JUDGED_S < hazard.from_s < hazard.to_s < hazard.calm_s < END_S
    assert all(event.from_s >= JUDGED_S for event in run.truth)


def test_truth_names_places_that_have_channels(run):
    known = {channel.place for channel in run.channels}
    assert all(set(event.places) <= known for event in run.truth)


def test_values_are_whole_steps_as_both_ends_round_them(run):
    for channel, value in zip(run.channels, run.value, strict=True):
        told = value[np.isfinite(value)]
        assert np.array_equal(round_to_resolution(told, channel.sensor.resolution), told)
        assert channel.sensor.minimum <= told.min() and told.max() <= channel.sensor.maximum


def test_rows_come_in_order_of_time_and_leave_out_what_was_lost(run):
    channel, time, value = run.rows(run.began_ns, run.until_ns + 60 * 10**9)
    assert np.all(np.diff(time) >= 0) and np.all(np.isfinite(value))
    assert len(value) == np.isfinite(run.value).sum()
    lost = 1.0 - len(value) / run.value.size
    assert 0.0002 < lost < 0.02
    assert np.all(np.diff(time[channel == 3]) > 0)


def test_learning_days_are_the_same_for_all_hazards_of_a_seed():
    runs = [make_run(hazard, 7) for hazard in HAZARD_NAMES]
    first = runs[0].rows(runs[0].began_ns, runs[0].judged_ns)
    for other in runs[1:]:
        for ours, theirs in zip(first, other.rows(other.began_ns, other.judged_ns), strict=True):
            assert np.array_equal(ours, theirs), other.hazard
    last = [r.value[3, -2880:] for r in runs]
    assert not np.array_equal(last[0], last[1], equal_nan=True), "judged days differ"


def test_two_seeds_are_two_households():
    one, other = make_run("gas_leak", 1), make_run("gas_leak", 2)
    assert one.began_ns != other.began_ns
    assert not np.allclose(np.nanmedian(one.value, axis=1), np.nanmedian(other.value, axis=1), rtol=0.01)


@pytest.mark.parametrize("hazard", HAZARD_NAMES)
def test_a_hazard_shows_at_every_place_it_names(hazard):
    """Against the same run without it: nothing before the onset, something at each place."""
    run, calm = make_run(hazard, 5), calm_twin(hazard, 5)
    event = hazard_of(run)
    at_s = (run.time - run.began_ns) / 1e9
    differs = ~((run.value == calm) | (np.isnan(run.value) & np.isnan(calm)))
    assert not differs[at_s < event.from_s].any()
    touched = {c.place for c, row in zip(run.channels, differs, strict=True) if row.any()}
    assert set(event.places) <= touched
    neighbours = {place.rsplit("/", 1)[0] for place in touched - set(event.places)}
    assert neighbours <= {"house/f0", "house/f1/flat-101"}


def calm_twin(hazard: str, seed: int) -> np.ndarray:
    """The run's values with an onset that does nothing."""
    from dataclasses import replace

    from firmware_sim.benchmark import run as module
    from firmware_sim.benchmark.elder import Elder
    from firmware_sim.benchmark.household import Household
    from firmware_sim.benchmark.onset import draw_onset
    from firmware_sim.benchmark.sensors import lost_steps, told

    scene = Scene(hazard, seed)
    house, elder = Household(scene), Elder(scene)
    nothing = replace(draw_onset(scene, house, elder), what="nothing", variant="")
    real = module._quantities(scene, house, elder, nothing)
    return np.stack(
        [
            np.where(lost_steps(scene, c.device), np.nan, told(scene, c, real[c.sensor.quantity]))
            for c in house_channels()
        ]
    )


@pytest.mark.parametrize("tau_s", [10.0, 600.0, 36_000.0])
def test_follow_equals_the_loop(tau_s):
    target = np.random.default_rng(1).normal(20.0, 5.0, 3000)
    keep, level, slow = np.exp(-30.0 / tau_s), target[0], []
    for value in target:
        level = keep * level + (1.0 - keep) * value
        slow.append(level)
    assert np.allclose(follow(target, tau_s), slow, rtol=0, atol=1e-9)


def test_a_short_pulse_shows_its_mean():
    into = np.zeros(40_320)
    add_pulse(into, 75.0, 130.0, 6.0)
    assert into[2:5].tolist() == [3.0, 6.0, 2.0] and into.sum() == 11.0
    where, share = mean_over(-50.0, -10.0)
    assert share.sum() == 0.0 and where.start == 0


def test_a_bump_rises_and_fades():
    into = np.zeros(40_320)
    add_bump(into, 300.0, 900.0, 10.0, 60.0, 120.0)
    assert into[:10].max() == 0.0 and 9.9 < into[30] <= 10.0 and into[60] < 0.01


def test_an_unknown_hazard_is_refused_by_name():
    with pytest.raises(ScenarioError, match=r"no hazard 'gas' in .*gas_leak"):
        make_run("gas", 1)


def test_a_run_can_be_written_and_looked_at(tmp_path):
    assert main(["benchmark", "--hazard", "burst_pipe", "--seed", "3", "--out", str(tmp_path)]) == 0
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert [row["what"] for row in truth if row["real"]] == ["burst_pipe"]
    with (tmp_path / "readings.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 40_320 and float(rows[0]["kitchen/temperature"]) > 5.0
