"""What a device sends late, out of order or twice: the same readings, the same alerts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edge_rig import START
from fault_results import record
from hypothesis import given, settings
from hypothesis import strategies as st
from test_edge_black_box import Rig
from test_edge_judge import hot, run

from edge_agent.drivers.seam import Batch, DriverError
from edge_agent.outbox.spool import Spool
from edge_agent.sampler.backoff import Backoff
from edge_agent.sampler.calibration import Calibration
from edge_agent.sampler.clock_trust import Stamp
from edge_agent.sampler.device_loop import DeviceLoop
from edge_agent.sampler.ordering import Ordering
from models.alert import AlertState
from models.clock import SECOND_NS, ClockState, VirtualClock
from models.configuration import DeviceConfig
from models.readings import Quality

DEVICE = DeviceConfig.model_validate(
    {"name": "meter", "driver": "mqtt", "reorder_s": 60,
     "channels": [{"name": "t", "kind": "temperature", "source": "t", "resolution": 0.1}]}
)  # fmt: skip
WEEK_S = 7 * 86400
Arrival = tuple[float, float, float]  # seconds at which it comes, at which it was measured, value


class Sent:
    """A device whose messages come at given moments of a virtual clock. Breaks now and then, and sends again
    what was not acknowledged, as a broker does."""

    is_polled, owns_time = False, False

    def __init__(
        self, arrivals: list[Arrival], clock: VirtualClock, breaks: frozenset[int] = frozenset()
    ) -> None:
        self._coming, self._clock, self._breaks = sorted(arrivals), clock, breaks
        self._place = 0
        self._unacknowledged: dict[int, Batch] = {}
        self._again: list[Batch] = []
        self.acknowledged: list[int] = []
        self.loop: DeviceLoop | None = None

    def open(self, cursor: str | None) -> None:
        self._again = [self._unacknowledged[token] for token in sorted(self._unacknowledged)]

    def read(self, wait_s: float) -> Batch | None:
        if self._again:
            return self._again.pop(0)
        if self._place == len(self._coming):
            self.loop.ask_to_stop()
            return None
        at, measured, value = self._coming[self._place]
        self._clock.sleep(max(0.0, at - (self._clock.wall_ns() - START) / SECOND_NS))
        if self._place in self._breaks:
            self._breaks -= {self._place}
            raise DriverError("the connection ended")
        self._place += 1
        batch = Batch.of([0], [value], [START + round(measured * SECOND_NS)], None, self._place)
        self._unacknowledged[self._place] = batch
        return batch

    def taken(self, batch: Batch) -> None:
        self.acknowledged.append(batch.token)
        self._unacknowledged.pop(batch.token, None)

    def close(self) -> None: ...


def series(seed: int, seconds: int) -> list[Arrival]:
    """A reading a second, in order, with hazards of half a minute now and then."""
    chance = np.random.default_rng(seed)
    values = np.round(20 + chance.normal(0, 1, seconds), 1)
    for begin in chance.integers(100, seconds - 60, max(1, seconds // 400)):
        values[begin : begin + 30] = 80.0 + np.arange(len(values[begin : begin + 30])) / 10
    return [(float(k), float(k), float(v)) for k, v in enumerate(values)]


def troubled(sent: list[Arrival], seed: int, within_s: float = 55.0) -> list[Arrival]:
    """A tenth comes late, a tenth comes twice."""
    chance = np.random.default_rng(seed + 1)
    found = []
    for at, measured, value in sent:
        came = at + (float(chance.uniform(0, within_s)) if chance.random() < 0.1 else 0.0)
        found.append((came, measured, value))
        if chance.random() < 0.1:
            found.append((came + float(chance.uniform(0, within_s)), measured, value))
    return found


def heard(folder: Path, arrivals: list[Arrival], breaks: frozenset[int] = frozenset()):
    """What the spool holds of them and the alerts that came of it; and the driver."""
    spool = Spool(folder / "spool", boot="ab" * 16, life=lambda: "x", max_bytes=1 << 24)
    rig = Rig(spool, folder / "snapshots")
    driver = Sent(arrivals, rig.clock, breaks)
    loop = DeviceLoop(
        "meter", driver, Calibration(DEVICE, {"t": 1}, late_s=3600, ahead_s=60), spool, period_s=1,
        clock=rig.clock,
        stamp=lambda: Stamp(rig.clock.wall_ns(), rig.clock.monotonic_ns(), ClockState.TRUSTED),
        backoff=Backoff(base_s=0, ceiling_s=0, draw=lambda: 0.0), reorder_s=DEVICE.reorder_s,
    )  # fmt: skip
    driver.loop = loop
    loop.run()
    judge = rig.judge(hot(trigger={"on": 3.0, "on_delay_s": 10, "off_delay_s": 5}))
    run(judge)
    rows, position = [], 0
    while True:
        records, position = spool.read(position)
        if not records:
            break
        for block in (one.block for one in records):
            rows += zip(block.time.tolist(), block.value.tolist(), block.quality.tolist(), strict=True)
    spool.close()
    alerts = [(a.id, a.state, a.onset_at, a.fired_at, a.resolved_at) for a in rig.sink.alerts]
    return rows, alerts, driver


@pytest.mark.row("A15")
@pytest.mark.parametrize("seed", range(3))
def test_shuffled_and_repeated_readings_give_the_same_spool_and_alerts(tmp_path, seed):
    sent = series(seed, 600)
    in_order = heard(tmp_path / "in-order", sent)
    shuffled = heard(tmp_path / "shuffled", troubled(sent, seed))
    assert in_order[:2] == shuffled[:2]
    assert len(in_order[0]) == 600
    assert {one[1] for one in in_order[1]} == {AlertState.FIRING, AlertState.RESOLVED}


@pytest.mark.row("A15")
def test_connections_that_break_lose_and_double_nothing(tmp_path):
    sent = series(7, 400)
    arrivals = troubled(sent, 7)
    rows, _, driver = heard(tmp_path, arrivals, frozenset({50, 51, 200, 333}))
    assert sorted(time for time, _, _ in rows) == [START + k * SECOND_NS for k in range(400)]
    assert set(driver.acknowledged) == set(range(1, len(arrivals) + 1))


@pytest.mark.row("A15")
def test_reading_a_week_late_is_kept_at_its_time_and_raises_nothing(tmp_path):
    sent = series(3, 300)[:60] + [(float(WEEK_S + k), float(k), 95.0) for k in range(60, 100)]
    rows, alerts, _ = heard(tmp_path, sent)
    assert [time for time, _, _ in rows] == [START + k * SECOND_NS for k in range(100)]
    assert all(quality & Quality.TIME_PAST for _, _, quality in rows[60:]) and alerts == []


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=40))
@settings(max_examples=200, deadline=None)
def test_everything_held_comes_out_once_and_cursors_never_pass_what_waits(told):
    """Times out of order by up to 20 s against a wait of 8 s: later ones come as they come, none is lost."""
    ordering, out, at = Ordering(8.0), [], 0
    for number, (behind, passed) in enumerate(told):
        at += passed
        ordering.hold(
            Batch.of([0], [float(number)], [(at - behind) * SECOND_NS], f"{number}"), at * SECOND_NS
        )
        out += ordering.due(at * SECOND_NS)
    out += ordering.all()
    assert sorted(one.batch.cursor for one in out) == sorted(f"{k}" for k in range(len(told)))
    stored: set[int] = set()
    for one in out:
        stored.add(int(one.batch.cursor))
        if one.cursor is not None:
            assert stored >= set(range(int(one.cursor) + 1))


@pytest.mark.soak
@pytest.mark.row("A15")
@pytest.mark.timeout(0)
def test_late_readings_over_seeds(tmp_path_factory):
    runs, unlike, readings = 20, 0, 2000
    for seed in range(runs):
        folder, sent = tmp_path_factory.mktemp(f"seed-{seed}"), series(seed, readings)
        unlike += heard(folder / "a", sent)[:2] != heard(folder / "b", troubled(sent, seed))[:2]
    record(
        "A15", "test_late_readings_over_seeds", runs=runs,
        figure={"unlike": unlike, "readings": runs * readings}, unit="runs",
        target="10 % shuffled, 10 % duplicated -> same store and alerts as the ordered run", ok=not unlike,
        command="pytest -m soak tests/edge/test_edge_ordering.py",
        note="device data at the gateway, out of order by less than reorder_s; ids of alerts included",
    )  # fmt: skip
    assert not unlike
