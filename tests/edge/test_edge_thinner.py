"""Thinning: the error bound holds on any series, and nothing that matters is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from edge_rig import BOOT, START
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_edge_cutter import Hand

from edge_agent.outbox.cutter import Cutter
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.spool import Spool
from edge_agent.outbox.thinner import THINNED, Thinner
from models.clock import SECOND_NS, ClockState
from models.configuration import ThinConfig
from models.identity import Stream
from models.readings import Quality, ReadingBlock
from models.wire.columns import decode_columns
from models.wire.envelope import Kind, open_envelope

Reading = tuple[int, float, int]
THIN = ThinConfig(error=0.5, longest_s=60)

values = st.one_of(
    st.floats(-100, 100),
    st.sampled_from([20.0, 20.5, 21.0, 0.0, 1.0]),
    st.floats(allow_nan=True, allow_infinity=True),
)
flags = st.sampled_from([0, 0, 0, 0, 0, int(Quality.SUSPECT), int(Quality.OUT_OF_RANGE), int(Quality.INVALID),
                         int(Quality.CLOCK_UNTRUSTED)])  # fmt: skip
steps = st.sampled_from([0, 1, 1, 1, 1, 1, 5, 40, 90, -3])
series = st.lists(st.tuples(steps, values, flags), min_size=1, max_size=60)


def readings_of(told: list[tuple[int, float, int]]) -> list[Reading]:
    """Times from steps in seconds: some stand still, some go back."""
    at = START
    found = []
    for step, value, quality in told:
        at += step * SECOND_NS
        found.append((at, value, quality))
    return found


def block_of(readings: list[Reading], channel: int = 1) -> ReadingBlock:
    times, numbers, quality = ([row[k] for row in readings] for k in range(3))
    return ReadingBlock.of([channel] * len(readings), times, numbers, quality)


def rows_of(blocks: list[ReadingBlock], channel: int = 1) -> list[Reading]:
    return [
        (int(t), float(v), int(q))
        for block in blocks
        for c, t, v, q in zip(block.channel, block.time, block.value, block.quality, strict=True)
        if c == channel
    ]


def thinned(readings: list[Reading], thin: ThinConfig = THIN, cuts: int = 1) -> list[Reading]:
    """All of a series through a thinner that forgets between blocks all but its state, and the end of it."""
    state, out = "", []
    for part in np.array_split(np.arange(len(readings)), cuts):
        thinner = Thinner(state)
        out += thinner.take(block_of([readings[k] for k in part]), {1: thin}, ())
        state = thinner.state
    return rows_of(out + Thinner(state).flush())


def key(row: Reading) -> tuple[int, str, int]:
    return row[0], repr(row[1]), row[2] & ~THINNED


def assert_told(readings: list[Reading], kept: list[Reading], thin: ThinConfig) -> None:
    """`kept` is a subsequence of `readings`, and what was left out lies within the error of a marked line."""
    place = 0
    for before, row in zip([None, *kept], kept, strict=False):
        left = []
        while key(readings[place]) != key(row):
            left.append(readings[place])
            place += 1
        place += 1
        assert bool(row[2] & THINNED) == bool(left)
        for time, value, quality in left:
            assert before is not None and np.isfinite(value) and quality == row[2] & ~THINNED
            assert before[0] < time < row[0] and row[0] - before[0] <= thin.longest_s * SECOND_NS
            line = before[1] + (row[1] - before[1]) * ((time - before[0]) / (row[0] - before[0]))
            assert abs(line - value) <= thin.error * (1 + 1e-9)
    assert place == len(readings), "the last reading is always told"


@given(told=series, cuts=st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_what_is_left_out_lies_within_the_stated_error(told, cuts):
    readings = readings_of(told)
    assert_told(readings, thinned(readings, cuts=cuts), THIN)


@given(told=series, cuts=st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_cuts_and_restarts_change_nothing(told, cuts):
    readings = readings_of(told)
    assert [key(row) for row in thinned(readings, cuts=cuts)] == [key(row) for row in thinned(readings)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_error_holds_on_long_noisy_walks(seed, scale):
    chance = np.random.default_rng(seed)
    walk = np.round(np.cumsum(chance.normal(0, 0.3, 3000)) * scale, 6)
    readings = [(START + k * SECOND_NS, float(v), 0) for k, v in enumerate(walk)]
    thin = ThinConfig(error=scale, longest_s=300)
    kept = thinned(readings, thin, cuts=7)
    assert_told(readings, kept, thin)
    assert len(kept) < len(readings) / 3


def test_calm_channel_is_told_as_often_as_stated_and_a_jump_at_once():
    readings = [(START + k * SECOND_NS, 20.0 if k < 600 else 25.0, 0) for k in range(900)]
    kept = thinned(readings, ThinConfig(error=0.1, longest_s=300))
    assert [(time - START) // SECOND_NS for time, _, _ in kept] == [0, 300, 599, 600, 899]


def test_other_channels_and_those_near_an_alert_go_out_in_full():
    calm = [(START + k * SECOND_NS, 20.0, 0) for k in range(10)]
    thinner = Thinner()
    out = thinner.take(block_of(calm[:5]), {1: THIN}, ())
    out += thinner.take(block_of(calm[5:], channel=2), {1: THIN}, ())
    out += thinner.take(block_of(calm[5:]), {1: THIN}, full={1})
    assert rows_of(out, 2) == calm[5:]
    assert [row[0] for row in rows_of(out)] == [calm[0][0], *(row[0] for row in calm[4:])]
    assert thinner.state == ""


def test_what_is_held_back_goes_out_under_its_own_clock():
    calm = [(START + k * SECOND_NS, 20.0, 0) for k in range(6)]
    first = replace(block_of(calm[:3]), monotonic_offset_ns=START, clock=ClockState.UNTRUSTED)
    then = replace(block_of(calm[3:]), monotonic_offset_ns=START + 3600 * SECOND_NS, clock=ClockState.TRUSTED)
    thinner = Thinner()
    thinner.take(first, {1: THIN}, ())
    held, _ = Thinner(thinner.state).take(then, {1: THIN}, ())
    assert (held.monotonic_offset_ns, held.clock, held.time.tolist()) == (
        START, ClockState.UNTRUSTED, [calm[2][0]],
    )  # fmt: skip


def stored(outbox: Outbox) -> list[Reading]:
    envelopes = [open_envelope(raw) for _, raw in outbox.messages(Stream.BULK, 0, 10_000)]
    return rows_of([decode_columns(one.body) for one in envelopes if one.kind == Kind.TELEMETRY])


@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_thinned_telemetry_is_whole_over_crashes(tmp_path_factory, data):
    """Cutter, spool and outbox die and come back anywhere: every reading is told or lies within the error."""
    life = tmp_path_factory.mktemp("life")
    chance = np.random.default_rng(data.draw(st.integers(0, 1000)))
    readings: list[Reading] = []
    hand = Hand()
    last = data.draw(st.integers(1, 4))
    for run in range(last + 1):
        spool = Spool(life / "spool", boot=BOOT, life=lambda: "x", max_bytes=1 << 20)
        outbox = Outbox(life / "outbox.db", "gw-1", max_mb=8, new_epoch=lambda: 5, now=lambda: START)
        cutter = Cutter(
            spool, outbox, resolution=lambda: np.zeros(2), announce=lambda: None, readings=5, seconds=5,
            monotonic_ns=hand, thin=lambda: {1: THIN},
        )  # fmt: skip
        for _ in range(data.draw(st.integers(0, 8)) if run < last else 0):
            more = [
                (START + (len(readings) + k) * SECOND_NS, float(np.round(20 + chance.normal(0, 0.3), 2)), 0)
                for k in range(int(chance.integers(1, 9)))
            ]
            spool.append(block_of(more), "boiler", None)
            readings += more
            hand.ns += int(chance.integers(0, 3)) * 5 * SECOND_NS
            cutter.step()
        if run == last:
            cutter.step(final=True)
            if readings:
                assert_told(readings, stored(outbox), THIN)
        spool.close()
        outbox.close()
