"""One contract, run over every detector of the registry; none is excused."""

from __future__ import annotations

import itertools
import math

import detector_twins as twins
import numpy as np
import pytest
import twins_calendar
import twins_default
import twins_fault
import twins_quiet
import twins_river
import twins_room
import twins_shapes
import twins_statistics
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors.bank import Judged, Trait
from models.detectors.parameters import parse
from models.detectors.purposes import PURPOSES
from models.detectors.registry import DETECTORS, entry_of, make_bank
from models.detectors.rows import JUDGED
from models.detectors.single import SingleChannel
from models.errors import ParameterError, SnapshotError
from models.readings import NOT_BELIEVED, Quality, ReadingBlock

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND

# The walk begins on Monday, 21 September 2026, late in the evening of China. What lies a week apart
# is for the step of the clock by a week.
SHIFTED_DAYS = {
    "holidays": ("2026-09-24", "2026-10-01", "2026-10-08"),
    "worked": ("2026-09-27", "2026-10-04"),
}

# For each detector: parameters short enough for tests, and its twin.
CASES = {
    "quiet": (
        {"active_above": 0.5, "apart_s": 600.0, "confirm_s": 3600.0, "warmup_s": 86400.0},
        lambda: twins_quiet.QuietTwin(0.5, 600.0, warmup_s=86400.0, confirm_s=3600.0),
    ),
    "default": ({"warmup_s": 9000.0}, lambda: twins_default.DefaultTwin(9000.0)),
    "limit": ({"low": -1.5, "high": 2.0}, lambda: twins.LimitTwin(-1.5, 2.0)),
    "dwell": ({"high": 1.0, "for_s": 2.5}, lambda: twins.HeldTwin(lambda value: value > 1.0, 2.5)),
    "rate": ({"rise_per_s": 0.4, "window_s": 7.0}, lambda: twins.RateTwin(0.4, math.inf, 7.0)),
    "flat_line": ({"for_s": 4.0, "tolerance": 0.8}, lambda: twins.FlatLineTwin(4.0, 0.8)),
    "absence": ({"after_s": 6.0}, lambda: twins.AbsenceTwin(6.0)),
    "state_duration": (
        {"state": 1.0, "tolerance": 0.9, "longest_s": 3.0},
        lambda: twins.HeldTwin(lambda value: 0.1 <= value <= 1.9, 3.0),
    ),
    "fault": (
        {"warmup_s": 100.0, "memory_s": 5000.0, "silence_s": 6.0, "drift_window_s": 20.0},
        lambda: twins_fault.FaultTwin(silence_s=6.0, warmup_s=100.0, memory_s=5000.0, window_s=20.0),
    ),
    "ewma": ({"tau_s": 30.0, "warmup_s": 100.0}, lambda: twins.EwmaTwin(30.0, 100.0)),
    "cusum": (
        {"tau_s": 300.0, "unit_s": 5.0, "warmup_s": 100.0},
        lambda: twins.CusumTwin(300.0, 5.0, 0.75, 100.0),
    ),
    "robust": (
        {"window_s": 60.0, "warmup_s": 100.0},
        lambda: twins_statistics.RobustTwin(60.0, 100.0),
    ),
    "level_shift": (
        {"window_s": 20.0, "warmup_s": 100.0, "memory_s": 600.0},
        lambda: twins_statistics.LevelShiftTwin(20.0, 100.0, 600.0),
    ),
    "variance": (
        {"window_s": 40.0, "warmup_s": 100.0},
        lambda: twins_statistics.VarianceTwin(40.0, 100.0),
    ),
    "slope": (
        {"window_s": 24.0, "warmup_s": 100.0, "memory_s": 600.0},
        lambda: twins_statistics.SlopeTwin(24.0, 100.0, 600.0),
    ),
    "time_of_day": (
        {"warmup_s": 86400.0, "utc_offset_s": 28800, "memory_s": 200000.0},
        lambda: twins.TimeOfDayTwin(28800, warmup_s=86400.0, memory_s=200000.0),
    ),
    "usual_duration": (
        {"active_above": 0.0, "shortest_s": 300.0, "warmup_s": 86400.0, "utc_offset_s": 28800}
        | {"least_s": 400.0},
        lambda: twins_calendar.UsualDurationTwin(0.0, 300.0, 86400.0, 28800, 400.0),
    ),
    "counts": (
        {
            "active_above": 1.2,
            "silence": "nothing",
            "warmup_s": 86400.0,
            "utc_offset_s": 28800,
            **SHIFTED_DAYS,
        },
        lambda: twins_calendar.CountsTwin(1.2, **SHIFTED_DAYS, utc_offset_s=28800, warmup_s=86400.0),
    ),
    "season": (
        {"warmup_s": 86400.0, "utc_offset_s": 28800, "memory_s": 400000.0, **SHIFTED_DAYS},
        lambda: twins_calendar.SeasonTwin(
            **SHIFTED_DAYS, utc_offset_s=28800, warmup_s=86400.0, memory_s=400000.0
        ),
    ),
    "half_space_trees": (
        {"trees": 4, "height": 9, "window": 60, "every": 2, "shingle": 3, "warmup_s": 100.0},
        lambda: twins_shapes.HalfSpaceTreesTwin(4, 9, 60, 2, 3, 100.0),
    ),
    "discord": (
        {"length": 8, "buffer": 160, "flat": 0.1, "warmup_s": 100.0},
        lambda: twins_shapes.DiscordTwin(8, 160, 0.1, 100.0),
    ),
    "nearest": (
        {"length": 4, "spread": 2, "store": 40, "neighbours": 2, "delay": 12}
        | {"warmup_s": 100.0, "memory_s": 3000.0},
        lambda: twins_shapes.NearestTwin(4, 2, 40, 2, 12, 100.0, 3000.0),
    ),
    "river": (
        {"model": "HalfSpaceTrees", "trees": 3, "height": 4, "window": 30, "shingle": 2}
        | {"learn_every_s": 3.0, "warmup_s": 100.0},
        lambda: twins_river.RiverTwin(
            "HalfSpaceTrees", 2, learn_every_s=3.0, warmup_s=100.0, trees=3, height=4, window=30
        ),
    ),
    "room": (
        {"tau_s": 300.0, "warmup_s": 100.0},
        lambda: twins_room.RoomTwin((3, 5), tau_s=300.0, warmup_s=100.0),
    ),
}
# Bytes a channel may take where it is not 128 for a rule and 512 for a learned detector: those with a season,
# and those that keep readings themselves, within what the default fusion may take.
# Three kinds of day take three seasons, two states two sketches.
# River's trees are Python objects, 240 bytes a node; that is why no gateway has them.
# A channel that is judged together with others keeps how it goes with each of them.
LARGEST = {
    "default": 64 * 1024,
    "quiet": 1200,
    "counts": 2400,
    "usual_duration": 1216,
    "time_of_day": 1200,
    "season": 2400,
    "robust": 1600,
    "level_shift": 800,
    "variance": 800,
    "slope": 800,
    "half_space_trees": 64 * 1024,
    "discord": 64 * 1024,
    "nearest": 64 * 1024,
    "room": 640,
    "river": 1300 * 1024,
}
STEPS = {
    "default": 450.0,
    "quiet": 450.0,
    "counts": 450.0,
    "usual_duration": 450.0,
    "time_of_day": 450.0,
    "season": 900.0,
}  # seconds between readings, where one second is too short to learn anything

# Seconds of silence after the walk, for detectors that must have learned before time alone tells them more.
SILENCES = {"counts": 6 * 3600, "usual_duration": 6 * 3600}

every_detector = pytest.mark.parametrize("name", list(DETECTORS))


def few(name):
    """The fewest channels the detector works on."""
    return (3, 5)[: entry_of(name).fewest]


def bank(name, channels=(3, 5)):
    return make_bank(name, CASES[name][0], channels)


def walk(name, n=900, seed=1, channels=(3, 5)):
    """Irregular readings of some channels with calm, noise and jumps; times rise."""
    chance = np.random.default_rng(seed)
    step = STEPS.get(name, 1.0)
    time = START + np.cumsum(chance.integers(1, 2 * int(step * 1e9), n))
    value = np.round(chance.normal(0, 1, n), 2) + np.where(chance.random(n) < 0.02, 8.0, 0.0)
    value[n // 3 : n // 3 + 40] = 1.25
    return ReadingBlock.of(chance.choice(channels, n), time, value)


def run(one, block, cuts=()):
    """Scores of all rows with time let pass at whole seconds of each row, in pieces cut at `cuts`."""
    tables, judged = [], []
    edges = [0, *sorted(cuts), len(block)]
    for begin, end in itertools.pairwise(edges):
        piece = block.rows(begin, end)
        if not one.needs_time:
            tables.append(one.score(piece).table)
            continue
        for row in range(len(piece)):
            result = one.advance(int(piece.time[row]) // SECOND * SECOND)
            if result is not None:
                judged += list(zip(result.slot.tolist(), result.at.tolist(), strict=True))
            tables.append(one.score(piece.rows(row, row + 1)).table)
    return np.concatenate(tables, axis=1), judged


def fields_of(state, prefix=""):
    """Bytes of each field, those of a record in it as `record.field`."""
    found = {}
    for name in state.dtype.names:
        inner = state[name]
        nested = inner.dtype.names is not None
        found |= fields_of(inner, f"{prefix}{name}.") if nested else {prefix + name: inner.tobytes()}
    return found


def test_every_detector_has_a_case_and_a_complete_entry():
    assert set(CASES) == set(DETECTORS)
    for name, entry in DETECTORS.items():
        assert entry.name == name
        assert entry.title and entry.title_zh and entry.source and entry.warm_up
        assert entry.cost_ns > 0
        usual = make_bank(name, {}, few(name)) if entry.learned else bank(name)
        assert entry.bytes_per_channel == usual.bytes_per_channel
        assert entry.bytes_per_channel <= LARGEST.get(name, 512 if entry.learned else 128)
        for field in entry.parameters.model_json_schema()["properties"].values():
            assert field["title"] and field["title_zh"] and field["description"] and field["description_zh"]


@every_detector
def test_detector_equals_its_slow_twin(name):
    block = walk(name, channels=few(name))
    one, twin = bank(name, few(name)), CASES[name][1]()
    expected = []
    for row in range(len(block)):
        if one.needs_time:
            # The twin walks every second; the bank is called once and must come out the same.
            before = int(block.time[row - 1]) // SECOND if row else int(block.time[0]) // SECOND - 1
            for second in range(before + 1, int(block.time[row]) // SECOND + 1):
                twin.advance(second * SECOND)
        # Twins of one channel are not told which it is.
        which = [int(block.channel[row])] if len(few(name)) > 1 else []
        expected.append(twin.score(int(block.time[row]), float(block.value[row]), *which))
    got, _ = run(one, block)
    assert got[0].tolist() == expected
    if name not in ("absence",):
        assert max(expected) > 0, "the walk must give the detector something to find"


@every_detector
def test_skipping_seconds_gives_what_stepping_through_them_gives(name):
    if not bank(name).needs_time:
        assert bank(name).advance(START) is None
        return
    stepped, jumped, begin, silence = bank(name), bank(name), START, 60
    if name in SILENCES:
        taught = walk(name)
        begin, silence = (int(taught.time[-1]) // SECOND + 1) * SECOND, SILENCES[name]
    for one in (stepped, jumped):
        if name in SILENCES:
            run(one, taught)
        one.advance(begin)
        one.score(ReadingBlock.of([3, 5], [begin + 5, begin + SECOND + 7], [1.5, 1.5]))
    seen = []
    for second in range(1, silence):
        result = stepped.advance(begin + second * SECOND)
        seen += [] if result is None else zip(result.slot.tolist(), result.at.tolist(), strict=True)
    result = jumped.advance(begin + (silence - 1) * SECOND)
    assert sorted(zip(result.slot.tolist(), result.at.tolist(), strict=True)) == sorted(seen)
    assert {slot for slot, _ in seen} == {0, 1}
    assert len(seen) == 2 or name in SILENCES
    assert stepped.state.tobytes() == jumped.state.tobytes()


@every_detector
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=6), seed=st.integers(0, 1000))
def test_cutting_blocks_changes_nothing(name, cuts, seed):
    block = walk(name, 300, seed)
    whole, pieces = bank(name), bank(name)
    expected, judged = run(whole, block)
    got, judged_again = run(pieces, block, cuts)
    assert np.array_equal(got, expected, equal_nan=True)
    assert judged_again == judged
    assert pieces.state.tobytes() == whole.state.tobytes()


@every_detector
def test_snapshot_continues_exactly(name):
    block = walk(name)
    straight, before, after = bank(name), bank(name), bank(name)
    expected, _ = run(straight, block)
    run(before, block.rows(0, 500))
    after.restore(before.snapshot())
    got, _ = run(after, block.rows(500, 900))
    assert np.array_equal(got, expected[:, 500:], equal_nan=True)
    assert after.snapshot() == straight.snapshot()


@every_detector
def test_snapshot_of_a_channel_and_its_companions_goes_on_without_the_others(name):
    """What evidence holds: the state and the readings of these alone give the same scores again."""
    block = walk(name)
    both = bank(name)
    run(both, block.rows(0, 500))
    together = both.companions(1)
    assert 1 in together and all(both.companions(slot) == together for slot in together)
    alone = bank(name, tuple(both.channels[slot] for slot in together))
    alone.restore(both.snapshot(together))
    assert [alone.state[place].tobytes() for place in range(len(together))] == [
        both.state[slot].tobytes() for slot in together
    ]
    rest = block.rows(500, 900)
    own = np.isin(rest.channel, alone.channels)
    expected, _ = run(both, rest)
    got, _ = run(alone, ReadingBlock.of(rest.channel[own], rest.time[own], rest.value[own]))
    assert np.array_equal(got, expected[:, own], equal_nan=True)


@every_detector
def test_snapshot_goes_to_other_places(name):
    """Monitors match channels by name, so that one can be added or moved."""
    block = walk(name)
    here, there = bank(name, (3, 5)), bank(name, (7, 5, 3))
    run(here, block.rows(0, 500))
    there.restore(here.snapshot([0, 1]), [2, 1])
    expected, _ = run(here, block.rows(500, 900))
    got, _ = run(there, block.rows(500, 900))
    # The detail is the bank's own and may name channels by their places.
    assert np.allclose(got[:4], expected[:4], rtol=1e-9, atol=1e-9, equal_nan=True)


@every_detector
def test_damaged_or_foreign_snapshot_is_refused(name):
    one = bank(name)
    run(one, walk(name, 100))
    data = one.snapshot()
    kept = one.state.tobytes()
    for at in range(0, len(data), max(1, len(data) // 40)):
        with pytest.raises(SnapshotError):
            one.restore(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(SnapshotError):
            one.restore(data[:at])
    other = next(detector for detector in DETECTORS if detector != name)
    with pytest.raises(SnapshotError):
        one.restore(bank(other).snapshot())
    with pytest.raises(SnapshotError):
        one.restore(bank(name, (3, 5, 7)).snapshot())
    assert one.state.tobytes() == kept


@every_detector
@pytest.mark.parametrize("flag", [flag for flag in Quality if flag & NOT_BELIEVED])
def test_unbelieved_rows_score_nothing_and_teach_nothing(name, flag):
    block = walk(name)
    clean, dirty = bank(name), bank(name)
    run(clean, block)
    run(dirty, block)
    bad = ReadingBlock.of(
        [3, 3, 5, 9, -4],
        [int(block.time[-1]) + k for k in range(5)],
        [99.0, math.nan, math.inf, 99.0, 99.0],
        [int(flag), 0, 0, 0, 0],
    )
    scores = dirty.score(bad)
    heard = 3 if entry_of(name).judges_unbelieved else 0  # rows that may be evidence about the equipment
    assert scores.score[heard:].tolist() == [0.0] * (5 - heard)
    assert not (scores.flags[heard:] & JUDGED).any()
    assert np.isnan(scores.expected[heard:]).all()
    assert np.isnan(scores.lower).all() and np.isnan(scores.upper).all()
    if heard:
        assert bool(scores.flags[0] & JUDGED) == (flag in (Quality.INVALID, Quality.OUT_OF_RANGE))
    before, after = fields_of(clean.state), fields_of(dirty.state)
    assert {field for field in before if before[field] != after[field]} <= set(dirty.evidence) <= set(before)


@every_detector
def test_scores_stay_between_0_and_10_whatever_comes(name):
    chance = np.random.default_rng(5)
    size = 10.0 ** chance.uniform(-300, 300, 4000) * chance.choice([-1, 1], 4000)
    time = START + chance.integers(-(10**15), 10**15, 4000)
    block = ReadingBlock.of(chance.choice((3, 5), 4000), time, size, chance.integers(0, 256, 4000))
    scores = bank(name).score(block)
    assert ((scores.score >= 0) & (scores.score <= 10)).all()


@every_detector
def test_empty_block_and_read_only_columns_are_fine(name):
    one = bank(name)
    assert len(one.score(ReadingBlock.of([], [], [])).score) == 0
    frozen = walk(name, 50)
    for column in (frozen.channel, frozen.time, frozen.value, frozen.quality):
        column.flags.writeable = False
    assert np.array_equal(one.score(frozen).score, bank(name).score(walk(name, 50)).score)


@every_detector
def test_a_step_of_the_wall_clock_leaves_durations_true(name):
    step = 7 * 24 * 3600 * SECOND  # whole weeks, so that even the hour and the kind of day are the same
    block = walk(name)
    straight, stepped = bank(name), bank(name)
    expected, _ = run(straight, block)
    first, _ = run(stepped, block.rows(0, 450))
    stepped.shift(step)
    late = block.rows(450, 900)
    moved = ReadingBlock.of(late.channel, late.time + step, late.value, late.quality)
    second, _ = run(stepped, moved)
    assert first[0].tolist() + second[0].tolist() == expected[0].tolist()


@every_detector
def test_unknown_and_impossible_parameters_are_refused_by_name(name):
    model = entry_of(name).parameters
    with pytest.raises(ParameterError, match="unknown parameter 'hihg'"):
        parse(model, name, {**CASES[name][0], "hihg": 1})
    for field, schema in model.model_json_schema()["properties"].items():
        if "exclusiveMinimum" in schema or "minimum" in schema:
            with pytest.raises(ParameterError, match=rf"{name}: {field}: .*range"):
                parse(model, name, {**CASES[name][0], field: -1e18})


@every_detector
def test_detector_with_rivers_face_scores_as_the_bank(name):
    """Channels that are judged together are read together: one `x` holds a value of each."""
    wide = len(few(name))
    alone = walk(name, 300, channels=(0,))
    value = np.repeat(alone.value, wide) * np.tile(np.arange(1, wide + 1), 300)
    block = ReadingBlock.of(np.tile(np.arange(wide), 300), np.repeat(alone.time, wide), value)
    single = SingleChannel(name, **CASES[name][0])
    expected, _ = run(bank(name, range(wide)), block)
    got = []
    for row in range(0, len(block), wide):
        values = {f"v{place}": float(block.value[row + place]) for place in range(wide)}
        x = {**values, "time": int(block.time[row]) / SECOND}
        got.append(single.score_one(x))
        assert single.score_one(x) == got[-1], "scoring twice must give the same"
        single.learn_one(x)
    assert np.allclose(got, expected[0].reshape(-1, wide).max(axis=1), atol=1e-3)


@every_detector
def test_detector_refuses_channels_it_cannot_work_on_by_name(name):
    entry = entry_of(name)
    if entry.fewest > 1:
        with pytest.raises(ParameterError, match=rf"{name}: needs at least {entry.fewest} .*: kitchen/t"):
            make_bank(name, CASES[name][0], (3,), [Trait(name="kitchen/t")])
    if entry.most:
        with pytest.raises(ParameterError, match=f"{name}: judges at most {entry.most} channels"):
            bank(name, range(entry.most + 1))
    given = [Trait(kind="temperature", name=f"kitchen/{k}") for k in range(len(few(name)))]
    if entry.only:
        with pytest.raises(ParameterError, match=rf"{name}: channel kitchen/0 is of kind temperature"):
            make_bank(name, CASES[name][0], few(name), given)
    else:
        make_bank(name, CASES[name][0], few(name), given)
    for kind in entry.kinds:
        make_bank(name, CASES[name][0], few(name), [Trait(kind=kind)] * len(few(name)))
    make_bank(name, CASES[name][0], few(name), [Trait(kind="kind nobody knows")] * len(few(name)))


@every_detector
def test_reasons_are_among_those_the_catalogue_names(name):
    one = bank(name)
    table, _ = run(one, walk(name))
    given = {
        reason.code
        for score, expected, lower, upper, detail in table[:, table[0] > 0.0].T.tolist()
        for reason in one.explain(Judged(score, 1.25, expected, lower, upper, detail, False))
    }
    silent = name == "absence"  # no row ever has its score
    assert given <= PURPOSES[name].reasons.keys() and bool(given) != silent


def newest(block, channel):
    return int(block.time[block.channel == channel][-1])


@every_detector
def test_moments_lie_in_the_past_the_most_similar_first(name):
    block = walk(name)
    one = bank(name)
    run(one, block)
    before = one.state.tobytes()
    for slot, channel in enumerate(one.channels):
        last = newest(block, channel)
        found = one.moments(slot, last)
        assert bool(found) == one.keeps_moments
        assert all(int(block.time[0]) - SECOND <= moment.at < last for moment in found)
        assert [moment.distance for moment in found] == sorted(moment.distance for moment in found)
        assert all(moment.usual is not None and math.isfinite(moment.distance) for moment in found)
        assert one.moments(slot, last - 1) == (), "not asked of the newest reading"
    assert one.state.tobytes() == before, "telling changes nothing"


@every_detector
def test_moments_depend_on_readings_alone(name):
    """Neither on how blocks were cut, nor on a snapshot, nor on which channels it holds."""
    block = walk(name)
    whole, first = bank(name), bank(name)
    run(whole, block)
    run(first, block.rows(0, 500), cuts=(7, 300))
    together = first.companions(0)
    alone = bank(name, tuple(first.channels[slot] for slot in together))
    alone.restore(first.snapshot(together))
    run(alone, block.rows(500, 900).only(alone.channels))
    last = newest(block, whole.channels[0])
    assert alone.moments(together.index(0), last) == whole.moments(0, last)


@every_detector
def test_moments_move_with_a_step_of_the_wall_clock(name):
    step = 7 * 24 * 3600 * SECOND
    block = walk(name)
    one = bank(name)
    run(one, block)
    last = newest(block, one.channels[0])
    before = one.moments(0, last)
    one.shift(step)
    moved = [moment.model_copy(update={"at": moment.at + step}) for moment in before]
    assert list(one.moments(0, last + step)) == moved


def test_near_names_are_suggested():
    with pytest.raises(ParameterError, match="did you mean ewma"):
        make_bank("ewms", {}, [1])


def test_bank_refuses_channels_it_cannot_hold():
    with pytest.raises(ValueError, match="each once"):
        make_bank("limit", {"high": 1}, [1, 1])
    with pytest.raises(ValueError, match="span"):
        make_bank("limit", {"high": 1}, [1, 2**30])
