"""River: each of its models in the house's frame, stored as numbers alone, refused where it is missing."""

from __future__ import annotations

import ast
import gc
import os
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import twins_river

import models.detectors.river
from models.configuration import MonitorConfig
from models.detectors.bank import Judged
from models.detectors.registry import DETECTORS, make_bank
from models.detectors.river.bank import ADAPTERS, RiverBank
from models.detectors.river.parameters import RiverParameters
from models.detectors.rows import WARMING
from models.errors import ConfigurationError, ParameterError, SnapshotError
from models.lab.catalogue import as_text, catalogue
from models.lab.warm import warm
from models.monitor import Monitor
from models.readings import Quality, ReadingBlock
from models.snapshot import pack_state, unpack_state
from models.wire.messages import ChannelEntry

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
SHORT = {"warmup_s": 3600.0, "learn_every_s": 30.0, "shingle": 3}
SMALL = {"window": 60, "trees": 4, "height": 5, "cuts": 12, "bins": 8, "neighbours": 5}
ALL = sorted(ADAPTERS)

every_model = pytest.mark.parametrize("model", ALL)


def wave(n, seed=1):
    """A temperature that swings in ten minutes, with noise; a reading every ten seconds."""
    noise = np.random.default_rng(seed).normal(0, 0.3, n)
    return np.round(20 + 3 * np.sin(2 * np.pi * np.arange(n) / 60) + noise, 2)


def block_of(value, begin=0, channel=0):
    time = START + (begin + np.arange(len(value))) * 10 * SECOND
    return ReadingBlock.of([channel] * len(value), time, value)


def bank_of(model, channels=(0,), **more):
    return make_bank("river", {"model": model, **SHORT, **SMALL, **more}, channels)


def two(n):
    """Readings of channels 0 and 1 in turn."""
    value = np.ravel(np.column_stack([wave(n, 1), wave(n, 2)]))
    return ReadingBlock.of(np.tile([0, 1], n), START + np.arange(2 * n) * 5 * SECOND, value)


def test_the_list_of_models_is_that_of_the_parameter():
    pattern = RiverParameters.model_json_schema()["properties"]["model"]["pattern"]
    assert sorted(pattern.strip("^$()").split("|")) == ALL


@every_model
def test_scores_are_those_of_river_used_directly(model):
    value = wave(1200)
    value[1100:1103] = 60.0
    twin = twins_river.RiverTwin(model, 3, 30.0, 3600.0, **SMALL)
    expected = [twin.score(START + k * 10 * SECOND, x) for k, x in enumerate(value)]
    assert bank_of(model).score(block_of(value)).score.tolist() == expected
    assert max(expected) == max(expected[1100:1103]) > 2.5


@every_model
def test_a_snapshot_goes_on_exactly_and_moves_to_other_places(model):
    rows = two(700)
    straight, before, after = bank_of(model, (0, 1)), bank_of(model, (0, 1)), bank_of(model, (7, 1, 0))
    expected = straight.score(rows).score
    before.score(rows.rows(0, 900))
    after.restore(before.snapshot([0, 1]), [2, 1])
    assert np.array_equal(after.score(rows.rows(900, 1400)).score, expected[900:])
    assert after.snapshot([2, 1]) == straight.snapshot()
    assert np.array_equal(before.score(rows.rows(900, 1400)).score, expected[900:]), "and it went on itself"


@every_model
def test_cuts_and_looks_at_the_state_change_nothing(model):
    rows = two(500)
    whole, pieces = bank_of(model, (0, 1)), bank_of(model, (0, 1))
    expected = whole.score(rows).table
    got = []
    for begin, end in ((0, 1), (1, 400), (400, 401), (401, 777), (777, 1000)):
        got.append(pieces.score(rows.rows(begin, end)).table)
        assert len(pieces.state) == 2
    assert np.array_equal(np.concatenate(got, axis=1), expected, equal_nan=True)
    assert pieces.state.tobytes() == whole.state.tobytes()


@every_model
def test_a_score_of_three_is_about_one_in_a_thousand(model):
    n = 3000 if model == "LocalOutlierFactor" else 12_000
    bank = bank_of(model, shingle=1, learn_every_s=0.0, window=200, warmup_s=7200.0)
    score = bank.score(block_of(np.random.default_rng(3).normal(0, 1, n))).score[n // 3 :]
    assert (score >= 1).mean() < 2e-1
    assert 0.3e-2 < (score >= 2).mean() < 2.5e-2
    assert (score >= 3).mean() < 3e-3


@every_model
def test_a_hazard_of_hours_is_still_news_at_its_end(model):
    """Two weeks of calm, then four hours far away; a reading every five minutes, a window of five hours.

    LODA makes a bin of whatever it has once learned, so it is the first to find it less odd.
    """
    begin, end = 4032, 4080
    value = np.random.default_rng(5).normal(20, 1, end)
    value[begin:] += 12.0
    time = START + np.arange(end) * 300 * SECOND
    bank = bank_of(model, shingle=1, learn_every_s=300.0, warmup_s=86400.0)
    bank.score(ReadingBlock.of([0] * begin, time[:begin], value[:begin]))
    learned = int(bank.state["learned"][0])
    score = bank.score(ReadingBlock.of([0] * (end - begin), time[begin:], value[begin:])).score
    assert score[:3].max() > 3
    assert score[-6:].min() > (1.8 if model == "LODA" else 2.5)
    assert bank.state["learned"][0] - learned < (50 if model == "LODA" else 6)


@every_model
def test_numbers_no_model_can_work_with_leave_it_working(model):
    bank = bank_of(model)
    odd = wave(900)
    odd[300:420] = 20.0  # a window without any spread
    odd[500:520:2] = 1e300
    odd[501:520:2] = -1e300
    odd[600] = np.nan
    scores = bank.score(block_of(odd)).score
    assert np.isfinite(scores).all() and scores.max() <= 10
    again = bank_of(model)
    again.restore(bank.snapshot())
    assert np.array_equal(
        again.score(block_of(wave(50), 900)).score, bank.score(block_of(wave(50), 900)).score
    )


@every_model
def test_a_suspect_or_late_reading_is_scored_but_not_learned(model):
    bank = bank_of(model)
    bank.score(block_of(wave(1000)))
    kept = bank.state.tobytes()
    suspect = ReadingBlock.of([0], [START + 10_000 * SECOND], [60.0], [int(Quality.SUSPECT)])
    assert bank.score(suspect).score[0] > 2
    assert bank.score(block_of([60.0], 900)).score[0] > 2
    assert bank.state.tobytes() == kept


@every_model
def test_bytes_are_as_measured(model):
    """What a full model of the catalogue's own parameters takes, its objects traced one by one."""
    given = RiverParameters(model=model)
    bank = RiverBank(given, [0])
    adapter = ADAPTERS[model](given)

    def filled(points):
        living = adapter.make()
        for point in np.random.default_rng(1).normal(0, 1.2, (points, adapter.wide)).tolist():
            adapter.learn(living, point)
        return living

    filled(3)  # what river sets up once is no channel's
    gc.collect()  # nor is what Python has put by for the next objects
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        living = filled(1500)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    told = bank.bytes_per_channel - bank.dtype.itemsize
    assert living is not None
    assert 0.8 * taken < told < 1.25 * taken, (taken, told)


@every_model
def test_state_stays_as_large_as_it_is(model):
    bank = bank_of(model)
    size = bank.dtype.itemsize
    for turn in range(5):
        bank.score(block_of(wave(400, turn), 400 * turn))
        assert len(bank.state.tobytes()) == size


def test_readings_across_a_gap_make_no_point():
    bank = bank_of("HalfSpaceTrees")
    bank.score(block_of(wave(1000)))
    late = bank.score(block_of(wave(10), 5000))
    assert (late.flags & WARMING > 0).tolist() == [True, True] + [False] * 8


def test_the_reason_gives_rivers_own_score():
    [reason] = bank_of("LODA").explain(Judged(4.2, 60.0, np.nan, np.nan, np.nan, 7.5, True))
    assert reason.code == "unlike_model"
    assert reason.parameters == {"value": 60.0, "surprise": 4.2, "extrapolated": 1, "raw": 7.5}


class Hostile:
    """Unpickled, it would run a command."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@every_model
def test_a_hostile_pickle_is_refused_and_runs_nothing(model, tmp_path):
    bank = bank_of(model)
    bank.score(block_of(wave(400)))
    kept, mark = bank.state.tobytes(), tmp_path / "ran"
    size = bank.dtype.itemsize
    hostile = pickle.dumps(Hostile(mark))
    for data in (
        hostile,
        pack_state(bank._binding(), 1, hostile),
        pack_state(bank._binding(), 1, hostile + bytes(size - len(hostile))),
    ):
        with pytest.raises(SnapshotError):
            bank.restore(data)
        assert bank.state.tobytes() == kept
    assert not mark.exists()


def test_nothing_here_unpickles():
    """Whoever adds a model writes its state down as numbers."""
    folder = Path(models.detectors.river.__file__).parent
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        loaded = {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        assert not names & {"eval", "exec", "compile", "__import__"}
        assert not loaded & {"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}


@pytest.mark.parametrize(
    ("model", "field", "wrong"),
    [
        ("GaussianScorer", "moments", [61.0, 0.0, 1.0]),
        ("GaussianScorer", "moments", [5.5, 0.0, 1.0]),
        ("StandardAbsoluteDeviation", "moments", [np.inf, 0.0, 1.0]),
        ("HalfSpaceTrees", "tree_window", [60, 0]),
        ("HalfSpaceTrees", "masses", -1),
        ("LODA", "bin_totals", 3),
        ("LODA", "bin_edges", np.nan),
        ("LocalOutlierFactor", "held", 61),
        ("LocalOutlierFactor", "points", np.inf),
    ],
)
def test_numbers_no_model_can_have_are_refused(model, field, wrong):
    """A snapshot may be forged with a right digest; what it claims must still be possible."""
    bank, forged = bank_of(model), bank_of(model)
    for one in (bank, forged):
        one.score(block_of(wave(600)))
    count, body = unpack_state(forged._binding(), forged.snapshot())
    rows = np.frombuffer(bytearray(body), forged.dtype)
    rows[field] = wrong
    kept = bank.state.tobytes()
    with pytest.raises(SnapshotError, match=f"no {model} can have"):
        bank.restore(pack_state(forged._binding(), count, rows.tobytes()))
    assert bank.state.tobytes() == kept
    assert bank.score(block_of(wave(10), 600)).score.shape == (10,)


@pytest.fixture
def without_river(monkeypatch):
    """As on a gateway: `import river` fails."""
    for name in [name for name in sys.modules if name.split(".")[0] == "river"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "river", None)


def test_where_river_is_missing_it_is_refused_by_name_and_marked_in_the_catalogue(without_river, monkeypatch):
    with pytest.raises(ParameterError, match=r"^river: river is not installed here: .*a gateway has no room"):
        make_bank("river", {}, [1])
    entry = next(one for one in catalogue() if one["name"] == "river")
    assert (entry["needs"], entry["installed"]) == ("river", False)
    assert "needs river, NOT INSTALLED here; never on a gateway" in as_text([entry])
    assert all(one["installed"] for one in catalogue() if one["name"] != "river")
    monkeypatch.setattr("models.lab.warm.DETECTORS", {"river": DETECTORS["river"]})
    assert "river" not in [name for name, _ in warm()]


def test_where_river_is_missing_a_configuration_that_names_it_is_refused_with_the_reason(without_river):
    config = MonitorConfig(name="m", detector="river", channels=("t",), hazard="unusual")
    with pytest.raises(ConfigurationError, match=r"monitors\.m: river: river is not installed here"):
        Monitor(config, {1: ChannelEntry(number=1, name="t")}, gateway="g")


def test_a_river_without_the_model_is_refused_by_name(monkeypatch):
    from river import anomaly

    monkeypatch.delattr(anomaly, "LODA")
    with pytest.raises(ParameterError, match="river: the river installed here has no LODA"):
        bank_of("LODA")


def test_the_catalogue_is_loaded_without_river():
    code = "import sys, models.detectors.registry; print('river' in sys.modules, 'scipy' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]
    assert DETECTORS["river"].is_installed
