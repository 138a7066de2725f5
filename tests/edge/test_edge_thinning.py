"""Thinning: the error bound holds on any series, nothing else is touched, and it is marked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from edge_rig import START, block
from hypothesis import given, settings
from hypothesis import strategies as st
from test_edge_cutter import Hand

from edge_agent.outbox.cutter import Cutter
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.spool import Spool
from edge_agent.outbox.thinning import midranges, thin_block
from models.clock import SECOND_NS
from models.configuration import ThinConfig
from models.identity import Stream
from models.readings import NOT_BELIEVED, Quality, ReadingBlock, round_to_resolution
from models.replay import Replay
from models.wire.columns import decode_columns, encode_columns
from models.wire.envelope import Kind, open_envelope

THINNED = int(Quality.THINNED)

values = st.one_of(
    st.floats(-100, 100),
    st.sampled_from([20.0, 20.1, 20.2, 0.0, -0.0, 1.0]),
    st.floats(allow_nan=True, allow_infinity=True),
)
flags = st.sampled_from([0, 0, 0, 0, *(int(flag) for flag in Quality if flag != Quality.THINNED)])
series = st.lists(st.tuples(st.integers(1, 3), values, flags), max_size=80)


def block_of(told: list[tuple[int, float, int]]) -> ReadingBlock:
    """Rows of three channels; times stand still and go back now and then."""
    times = [START + (row - row % 3 * 2) * SECOND_NS for row in range(len(told))]
    channels, numbers, quality = ([row[k] for row in told] for k in range(3))
    return ReadingBlock.of(channels, times, numbers, quality)


@given(told=series, error=st.floats(1e-3, 50), step=st.sampled_from([0.0, 0.01, 0.1, 0.25, 5.0]))
@settings(max_examples=400, deadline=None)
def test_every_value_is_within_the_error_and_all_else_is_as_it_was(told, error, step):
    given_block = block_of(told)
    if step:
        with np.errstate(invalid="ignore", over="ignore"):
            given_block.value[:] = round_to_resolution(given_block.value, step)
    out = thin_block(given_block, {1: ThinConfig(error=error)}, np.full(4, step))
    ours = (given_block.channel == 1) & np.isfinite(given_block.value)
    ours &= (given_block.quality & int(NOT_BELIEVED)) == 0
    assert np.array_equal(out.channel, given_block.channel) and np.array_equal(out.time, given_block.time)
    assert out.value[~ours].tobytes() == given_block.value[~ours].tobytes()
    assert np.array_equal(out.quality[~ours], given_block.quality[~ours])
    slack = 1e-12 * np.abs(given_block.value[ours])  # float64's own
    assert np.all(np.abs(out.value[ours] - given_block.value[ours]) <= error + slack)
    assert np.array_equal(out.quality[ours], given_block.quality[ours] | THINNED)
    back = decode_columns(encode_columns(out, np.full(4, step)))
    assert back.value.tobytes() == out.value.tobytes()


@given(told=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), error=st.floats(0.01, 1e5))
@settings(max_examples=200, deadline=None)
def test_no_fewer_runs_keep_within_the_error(told, error):
    """Against the slow way: the longest run from each beginning, one after the other."""
    runs, at = 0, 0
    while at < len(told):
        end = at + 1
        while end < len(told) and _fits(told[at : end + 1], error):
            end += 1
        runs, at = runs + 1, end
    found = midranges(np.array(told), error, 0.0)
    assert 1 + int(np.count_nonzero(np.diff(found))) <= runs


def _fits(run: list[float], error: float) -> bool:
    middle = min(run) + (max(run) - min(run)) / 2
    bound = error + 1e-13 * (abs(min(run)) + abs(max(run)))
    return max(run) - middle <= bound and middle - min(run) <= bound


def test_state_of_a_door_is_never_between_its_states():
    states = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    assert midranges(states, error=0.4, step=1.0).tolist() == states.tolist()


def cut(spool: Spool, outbox: Outbox, full: set[int]) -> list[ReadingBlock]:
    cutter = Cutter(
        spool, outbox, resolution=lambda: np.full(3, 0.1), announce=lambda: None, readings=10, seconds=5,
        monotonic_ns=Hand(), thin=lambda: {1: ThinConfig(error=0.5), 2: ThinConfig(error=0.5)},
        full=lambda: full,
    )  # fmt: skip
    cutter.step(final=True)
    envelopes = [open_envelope(raw) for _, raw in outbox.messages(Stream.BULK, 0, 100)]
    return [decode_columns(one.body) for one in envelopes if one.kind == Kind.TELEMETRY]


def test_message_tells_thinned_values_and_a_channel_near_an_alert_in_full(
    make_spool: Callable[..., Spool], make_outbox: Callable[..., Outbox]
):
    spool, outbox = make_spool(), make_outbox()
    measured = [20.0, 20.4, 20.1, 27.0]
    spool.append(block(measured), "boiler", None)
    spool.append(block(measured, channel=2), "boiler", None)
    [told] = cut(spool, outbox, full={2})
    assert told.value[:4].tolist() == [20.2, 20.2, 20.2, 27.0] and told.value[4:].tolist() == measured
    assert told.quality.tolist() == [THINNED] * 4 + [0] * 4


@pytest.mark.parametrize("is_thinned", [False, True])
def test_replay_says_whether_it_may_be_held_against_the_gateway(is_thinned):
    given_block = block([20.0, 20.1])
    if is_thinned:
        given_block = thin_block(given_block, {1: ThinConfig(error=0.5)}, np.zeros(2))
    assert Replay((), (given_block,), None).is_exact is not is_thinned
