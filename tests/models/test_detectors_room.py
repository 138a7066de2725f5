"""Rooms: channels that go together are judged together, and evidence holds all of them."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from models.alert import Evidence
from models.configuration import MonitorConfig
from models.detectors.registry import make_bank
from models.errors import ConfigurationError
from models.monitor import Monitor
from models.readings import Quality, ReadingBlock
from models.replay import drive, replay_evidence
from models.wire.columns import encode_columns
from models.wire.messages import ChannelEntry

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
SHORT = {"tau_s": 900.0, "warmup_s": 3600.0}
NAMES = ("kitchen/temperature", "kitchen/humidity", "kitchen/co2")
CHANNELS = {
    number: ChannelEntry(number=number, name=name, unit="1", kind="x") for number, name in enumerate(NAMES)
}


def air(n=9000, seed=1, wide=3):
    """What a room's channels do together: one slow course in all, and a little noise of each."""
    chance = np.random.default_rng(seed)
    course = np.cumsum(chance.normal(0, 1, n)) * 0.1
    course -= np.convolve(course, np.ones(600) / 600, "same")
    size = np.array([1.0, -4.0, 60.0])[:wide]
    return course[:, None] * size + chance.normal(0, 0.1, (n, wide)) * np.abs(size) + 20 * np.abs(size)


def block(value, begin=0, **more):
    n, wide = value.shape
    time = START + np.repeat(np.arange(begin, begin + n), wide) * SECOND
    return ReadingBlock.of(np.tile(np.arange(wide), n), time, value.reshape(-1), **more)


def scored(value, given=SHORT):
    """Score, flags and so on of all rows, and the bank."""
    bank = make_bank("room", given, range(value.shape[1]))
    return bank.score(block(value)), bank


def config(names=NAMES):
    """Fires after five seconds: with the first row of a new moment the others are still to come."""
    return MonitorConfig(
        name="kitchen",
        detector="room",
        parameters=SHORT,
        channels=names,
        hazard="fire",
        trigger={"on": 6.0, "on_delay_s": 5.0},
    )


def test_two_values_that_are_each_usual_but_not_together_are_found():
    value = air()
    usual = np.abs(value[5000:8500, 0] - value[5000:8500, 0].mean()).max()
    middle = value[8000:8500].mean(axis=0)
    value[8500:8520] = middle + usual * 0.6 * np.array([1.0, 4.0, 60.0])  # humidity goes the wrong way
    together, _ = scored(value)
    alone = make_bank("ewma", SHORT, range(3)).score(block(value))
    rows = slice(8500 * 3, 8520 * 3)
    assert together.score[rows].max() > 4
    assert together.score[rows].max() > alone.score[rows].max() + 1


def test_one_channel_speaks_with_what_the_others_let_expect():
    value = air()
    value[8500:8600, 1] += 12.0
    scores, _ = scored(value)
    by_channel = scores.score.reshape(-1, 3)[8500:8600]
    assert by_channel[:, 1].min() > 3
    assert by_channel[:, [0, 2]].max() < 1
    expected = scores.expected.reshape(-1, 3)[8500:8520, 1]
    assert np.abs(expected - (value[8500:8520, 1] - 12.0)).max() < 3
    lower, upper = scores.lower.reshape(-1, 3), scores.upper.reshape(-1, 3)
    assert (value[8500:8520, 1] > upper[8500:8520, 1]).all()
    assert ((lower <= value) & (value <= upper))[4000:8500].mean() > 0.99


def test_the_score_is_as_rare_as_it_says():
    scores, _ = scored(air(60_000))
    late = scores.score.reshape(-1, 3)[10_000:]
    for level, tolerance in ((1, 1.5), (2, 2.0), (3, 4.0)):
        assert (late >= level).mean() < tolerance * 10.0**-level
    assert (late >= 2).mean() > 0.3e-2


def test_a_companion_that_fell_silent_is_left_out():
    value = air()
    whole = block(value)
    silent = (whole.channel == 2) & (whole.time >= START + 6000 * SECOND)
    rest = ReadingBlock.of(whole.channel[~silent], whole.time[~silent], whole.value[~silent])
    scores = make_bank("room", SHORT, range(3)).score(rest)
    late = rest.time >= START + 6100 * SECOND
    all_heard = scored(value)[0].score[whole.time >= START + 6100 * SECOND]
    # Two are left to speak where three were, so each speaks more often.
    assert (scores.score[late] >= 2).mean() < 2 * (all_heard >= 2).mean()
    stale = block(value)
    stale.value[2::3][6000:] = value[6000, 2]  # what would be judged if it went on standing
    assert scores.score[late].max() < make_bank("room", SHORT, range(3)).score(stale).score[18_300:].max() - 1


def test_a_suspect_row_is_scored_but_stays_out_of_the_room():
    value = air()
    one, other = scored(value)[1], scored(value)[1]
    strange = ReadingBlock.of([0], [START + 9000 * SECOND], [500.0], [int(Quality.SUSPECT)])
    assert one.score(strange).score[0] > 4
    assert one.state.tobytes() == other.state.tobytes()


def test_the_hazard_does_not_become_usual_at_once():
    """An hour of broken correlation hardly moves what has been learned in hours before."""
    value = air(12_000)
    value[8000:11600, 1] += 12.0
    _, before = scored(value[:8000])
    _, after = scored(value)
    known, moved = (b.state["products"][:3, :3] for b in (before, after))
    known, moved = (p / np.sqrt(np.outer(np.diag(p), np.diag(p))) for p in (known, moved))
    assert np.abs(known - moved).max() < 0.25
    assert (np.sign(known) == np.sign(moved)).all()


def test_a_room_of_one_channel_is_refused_by_name():
    with pytest.raises(ConfigurationError, match=r"room: needs at least 2 .* given: kitchen/temperature"):
        Monitor(config(NAMES[:1]), CHANNELS, gateway="gw-1")


def test_evidence_of_a_room_gives_the_alert_again_with_its_parts():
    value = air()
    value[8500:8600] += [0.0, 6.0, 200.0]
    edge = Monitor(config(), CHANNELS, gateway="gw-1")
    blocks = [block(value[at : at + 100], at, first_index=3 * at) for at in range(0, 9000, 100)]
    for one in blocks[:80]:
        drive([edge], one)
    snapshot = edge.snapshot([1])  # of one channel: its companions go along
    raised = [alert for one in blocks[80:] for alert in drive([edge], one)]
    assert raised[0].channel == "kitchen/humidity"
    first, *others = raised[0].reasons
    assert (first.code, others[0].code) == ("unlike_room", "beside")
    assert {reason.parameters["channel"] for reason in others} <= set(NAMES) - {"kitchen/humidity"}
    assert sum(reason.share for reason in raised[0].reasons) == pytest.approx(1.0, abs=0.11)
    columns = ReadingBlock.of(
        *(np.concatenate([getattr(b, name) for b in blocks[80:]]) for name in ("channel", "time", "value")),
        first_index=3 * 8000,
    )
    evidence = Evidence(
        alert=raised[0].id,
        monitor="kitchen",
        configuration=config().model_dump(mode="json"),
        channels={number: NAMES[number] for number in edge.companions([1])},
        window=base64.b64encode(encode_columns(columns, np.zeros(3))).decode(),
        snapshot=base64.b64encode(snapshot).decode(),
        start_at=int(columns.time[0]),
        end_at=int(columns.time[-1]),
    )
    again = replay_evidence(evidence, gateway="gw-1").alerts
    same = {"unit": ""}
    assert [one.model_copy(update=same) for one in again] == [one.model_copy(update=same) for one in raised]


def test_a_channel_added_to_the_room_leaves_what_the_others_learned():
    value = air()
    before = Monitor(config(NAMES[:2]), CHANNELS, gateway="gw-1")
    drive([before], block(value[:6000, :2]))
    after = Monitor(config((NAMES[2], NAMES[1], NAMES[0])), CHANNELS, gateway="gw-1")
    after.restore(before.snapshot())
    fresh = Monitor(config(), CHANNELS, gateway="gw-1")
    fresh.restore(after.snapshot())
    pair = [m.judge(block(value[6000:6100, :2], 6000))[0][0].score for m in (before, after, fresh)]
    assert np.allclose(pair[1], pair[0], atol=1e-6)
    assert np.allclose(pair[2], pair[0], atol=1e-6)
