"""Late, shuffled and repeated messages: the same store and the same alerts as in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cloud_data_street import CHANNELS, T0, Store, table
from fault_results import record

from cloud.incidents.tables import AlertRow
from cloud.ingest.clocks import Clocks
from cloud.ingest.inbox import Waiting
from cloud.ingest.inspection import inspect
from cloud.ingest.session import Received
from cloud.ingest.tables import Quarantine
from cloud.ingest.urgent import take_urgent
from models.alert import Alert, AlertState, Severity
from models.clock import SECOND_NS, VirtualClock
from models.identity import MessageIdentity, Stream, alert_id
from models.readings import ReadingBlock
from models.wire.columns import encode_columns
from models.wire.envelope import Kind, seal

GATEWAY = "gw-a"
HOUR_NS = 3600 * SECOND_NS
WEEK_NS = 7 * 24 * HOUR_NS


def telemetry(sequence: int, chance: np.random.Generator) -> bytes:
    """A message with some readings of both channels, every five minutes."""
    rows = 20
    times = T0 + (sequence * 300 + np.arange(rows) * 10) * SECOND_NS
    block = ReadingBlock.of(
        np.arange(rows, dtype=np.int32) % 2, times, np.round(20 + chance.normal(0, 1, rows), 1),
        first_index=sequence * rows,
    )  # fmt: skip
    identity = MessageIdentity(GATEWAY, 1, Stream.BULK, sequence)
    return seal(identity, Kind.TELEMETRY, T0, encode_columns(block, np.full(2, 0.1)))


def alert(number: int, state: AlertState, sequence: int) -> bytes:
    """Alerts of three monitors, half an hour apart; each is over after ten minutes."""
    onset = T0 + number * HOUR_NS // 2
    body = Alert(
        id=alert_id(GATEWAY, f"m{number % 3}", "0" * 32, number),
        gateway=GATEWAY, monitor=f"m{number % 3}", detector="limit", channel=CHANNELS[number % 2], value=1.0,
        hazard=("fire", "gas", "water")[number % 3], severity=Severity.SEVERE, state=state, boot="0" * 32,
        onset_index=number, onset_at=onset, fired_at=onset, measured_at=onset, score=10, threshold=3,
        resolved_at=onset + 600 * SECOND_NS if state is AlertState.RESOLVED else None,
    )  # fmt: skip
    identity = MessageIdentity(GATEWAY, 1, Stream.URGENT, sequence)
    return seal(identity, Kind.ALERT, T0, body.model_dump_json().encode())


def told(seed: int, messages: int) -> list[tuple[Stream, bytes, int]]:
    """What a gateway sends, and when it would arrive in order."""
    chance = np.random.default_rng(seed)
    found = [(Stream.BULK, table(GATEWAY), T0)]
    urgent = 0
    for sequence in range(2, messages + 2):
        at = T0 + sequence * 300 * SECOND_NS
        found.append((Stream.BULK, telemetry(sequence, chance), at))
        if sequence % 6 == 0:
            for state in (AlertState.FIRING, AlertState.RESOLVED):
                urgent += 1
                found.append((Stream.URGENT, alert(sequence // 6, state, urgent), at))
    return found


def troubled(sent: list[tuple[Stream, bytes, int]], seed: int) -> list[tuple[Stream, bytes, int]]:
    """A tenth comes up to seven days late, a tenth comes twice: an alert may end here before it began."""
    chance = np.random.default_rng(seed + 1000)
    late = chance.random(len(sent)) < 0.1
    twice = chance.random(len(sent)) < 0.1
    found = []
    for k, (stream, raw, at) in enumerate(sent):
        by = int(chance.integers(0, WEEK_NS)) if late[k] else 0
        found.append((stream, raw, at + by))
        if twice[k]:
            found.append((stream, raw, at + by + int(chance.integers(0, WEEK_NS))))
    return sorted(found, key=lambda one: one[2])


class Cloud:
    """The databases of one cloud, and its ways in."""

    def __init__(self, store: Store) -> None:
        from cloud.fleet.registry import Registry
        from cloud.ingest.bulk import BulkIntake

        self.store = store
        self._where = Registry(store.main, VirtualClock(T0)).where
        self._intake = BulkIntake(store.main, store.readings, self._where)

    def take(self, sent: list[tuple[Stream, bytes, int]]) -> None:
        for number, (stream, raw, at) in enumerate(sent):
            topic = f"lm/1/{GATEWAY}/up/{stream.name.lower()}"
            if stream is Stream.URGENT:
                take_urgent(self.store.main, topic, raw, inspect(topic, raw, stream, self._where), at)
            else:
                self._intake.take([Waiting(1, number, Received(topic, raw, 1, False, 1, 1), at)])
            if number % 100 == 99:
                self.compact()

    def compact(self) -> None:
        from cloud.fleet.channels import ChannelDirectory
        from cloud.series.compaction import Compactor

        directory = ChannelDirectory(self.store.main)
        Compactor(self.store.series, directory, right=Clocks(self.store.main).right).run()

    def shown(self) -> dict[str, Any]:
        """What is stored, without when it came."""
        rows = [
            (row.id, row.state, row.onset_at, row.measured_at, row.resolved_at, row.body)
            for row in self.store.all(AlertRow)
        ]
        return {
            "readings": [self.store.times_of(GATEWAY, name) for name in CHANNELS],
            "alerts": sorted(rows, key=lambda row: row[0]),
            "quarantine": self.store.count(Quarantine),
        }


def both(settings_a: Any, settings_b: Any, seed: int, messages: int) -> tuple[dict[str, Any], dict[str, Any]]:
    sent = told(seed, messages)
    shown = []
    for settings, order in ((settings_a, sent), (settings_b, troubled(sent, seed))):
        store = Store(settings)
        cloud = Cloud(store)
        cloud.take(order)
        cloud.compact()
        shown.append(cloud.shown())
        store.close()
    return shown[0], shown[1]


@pytest.fixture
def two_clouds(made_once: Path, tmp_path_factory: pytest.TempPathFactory):
    """Makes pairs of fresh clouds."""
    import shutil

    from cloud.settings import Settings

    def make() -> list[Any]:
        folders = [tmp_path_factory.mktemp("pair") / "cloud" for _ in range(2)]
        for folder in folders:
            shutil.copytree(made_once, folder)
        return [Settings.load(folder) for folder in folders]

    return make


@pytest.mark.row("A15")
@pytest.mark.parametrize("seed", range(2))
def test_shuffled_and_repeated_messages_leave_the_same_store_and_alerts(two_clouds, seed):
    in_order, shuffled = both(*two_clouds(), seed, 60)
    assert in_order == shuffled
    assert sum(map(len, in_order["readings"])) == 60 * 20 and len(in_order["alerts"]) == 10
    assert in_order["quarantine"] == 0


@pytest.mark.soak
@pytest.mark.row("A15")
@pytest.mark.timeout(0)
def test_late_messages_over_seeds(two_clouds):
    runs, unlike, messages = 5, 0, 500
    for seed in range(runs):
        in_order, shuffled = both(*two_clouds(), seed, messages)
        unlike += in_order != shuffled
    record(
        "A15", "test_late_messages_over_seeds", runs=runs,
        figure={"unlike": unlike, "messages": runs * messages}, unit="runs",
        target="10 % shuffled, 10 % duplicated, <= 7 d late -> same store and alerts as the ordered run",
        ok=not unlike, command="pytest -m soak tests/cloud/data/test_cloud_data_late.py",
        note="messages of both streams at the cloud, compacted in between",
    )  # fmt: skip
    assert not unlike
