"""The alarm budget: onsets are counted as the trigger has them; the threshold keeps to what was wished."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.budget import LEVELS, STEP, fresh_budgets, watch
from models.configuration import MonitorConfig, TriggerConfig
from models.detectors.bank import Scores
from models.detectors.rows import JUDGED, WARMING
from models.monitor import Monitor
from models.readings import Quality, ReadingBlock
from models.replay import drive
from models.trigger import Trigger
from models.wire.messages import ChannelEntry

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND


def noise(seed, n, tail=1.0):
    """Scores as correlated channels have them: surprise of a slow walk's rank, exponential in the tail."""
    chance = np.random.default_rng(seed)
    walk = np.empty(n)
    at = 0.0
    for k, step in enumerate(chance.normal(0, 1, n)):
        at = 0.9 * at + math.sqrt(1 - 0.81) * step
        walk[k] = at
    upper = np.array([0.5 * math.erfc(x / math.sqrt(2)) for x in walk])
    return np.clip(-tail * np.log10(np.maximum(upper, 1e-12)), 0.0, 9.9)


def onsets_above(scores, level):
    """How often scores rise to a level after having been below 0.7 of it, counted by looking."""
    found, armed = 0, True
    for score in scores:
        if armed and score >= level:
            found, armed = found + 1, False
        elif score < 0.7 * level:
            armed = True
    return found


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), tail=st.floats(0.5, 2.0))
def test_onsets_are_counted_as_by_looking(seed, tail):
    scores = np.round(noise(seed, 400, tail), 3)
    [state] = fresh_budgets(1)
    for k, score in enumerate(scores):
        watch(state, START + k * SECOND, score, 1.0)
    for k in range(LEVELS):
        assert float(state["onsets"][k]) == pytest.approx(onsets_above(scores, STEP * (k + 1)), rel=1e-3)


@pytest.mark.parametrize("tail", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("wished", [0.5, 3.0])
def test_threshold_keeps_to_the_budget_whatever_the_tail(tail, wished):
    """Twenty channels at five minutes for twelve weeks: pooled onsets within a factor of two."""
    n, found, weeks = 12 * 2016, 0, 0.0
    for seed in range(20):
        scores = noise(seed, n, tail)
        trigger = Trigger(TriggerConfig(on=1.0, budget_per_week=wished), 1)
        time = START + np.arange(n) * 300 * SECOND
        block = ReadingBlock.of(np.zeros(n, np.int32), time, scores)
        table = np.full((5, n), np.nan)
        table[0] = scores
        moved = trigger.step(block, Scores(table, np.full(n, JUDGED, np.uint8)), np.zeros(1, np.int32), 0, 0)
        found += sum(one.fired for one in moved if one.at >= int(time[2016]))
        weeks += 11
    assert wished * weeks / 2 <= found <= wished * weeks * 2


def test_warming_rows_are_not_heard_and_imported_ones_are():
    scores = np.array([0.0, 5.0, 0.0, 5.0])
    block = ReadingBlock.of([0] * 4, [START + k * SECOND for k in range(4)], scores)
    table = np.full((5, 4), np.nan)
    table[0] = scores
    trigger = Trigger(TriggerConfig(on=9.0, budget_per_week=1.0), 1)
    slots = np.zeros(1, np.int32)
    trigger.step(block, Scores(table, np.full(4, JUDGED | WARMING, np.uint8)), slots, 0, 0)
    assert trigger.budgets["onsets"].sum() == 0
    historic = ReadingBlock.of(block.channel, block.time, block.value, [int(Quality.HISTORIC)] * 4)
    assert not trigger.step(historic, Scores(table, np.full(4, JUDGED, np.uint8)), slots, 0, 0)
    assert trigger.budgets["onsets"][0, 3] == pytest.approx(2, rel=1e-3)


def budgeted():
    config = MonitorConfig(
        name="m",
        detector="ewma",
        parameters={"warmup_s": 3600.0},
        channels=("a",),
        hazard="unusual",
        trigger=TriggerConfig(on=1.0, budget_per_week=40.0),
    )
    return Monitor(config, {1: ChannelEntry(number=1, name="a")}, gateway="gw-1")


def test_monitor_with_a_budget_goes_on_exactly_from_a_snapshot_and_tells_its_threshold():
    chance = np.random.default_rng(4)
    n = 6000
    value = np.round(chance.normal(20, 1, n), 2)
    block = ReadingBlock.of([1] * n, START + np.arange(n) * 60 * SECOND, value)
    straight, before, after = budgeted(), budgeted(), budgeted()
    expected = drive([straight], block)
    first = drive([before], block.rows(0, 3300))
    after.restore(before.snapshot())
    assert first + drive([after], block.rows(3300, n)) == expected
    assert after.snapshot() == straight.snapshot()
    fired = [alert for alert in expected if alert.resolved_at is None]
    assert len(fired) > 5 and len({alert.threshold for alert in fired}) > 1
    assert all(alert.score >= alert.threshold > 1.0 for alert in fired)


def test_a_budget_may_come_and_go_without_losing_what_was_learned():
    with_budget = budgeted()
    without = Monitor(
        with_budget.config.model_copy(update={"trigger": TriggerConfig(on=4.0)}),
        {1: ChannelEntry(number=1, name="a")},
        gateway="gw-1",
    )
    drive([with_budget], ReadingBlock.of([1] * 200, START + np.arange(200) * 60 * SECOND, np.arange(200) % 7))
    without.restore(with_budget.snapshot())
    again = budgeted()
    again.restore(without.snapshot())
    assert again.snapshot([1])
