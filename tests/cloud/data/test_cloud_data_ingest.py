"""Ingest without a broker: inspection, the two intakes, windows, receipts, downlinks."""

from __future__ import annotations

import json
import threading

import pytest
from cloud_data_street import Store, alert, poison, table, telemetry, times, urgent
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from sqlalchemy import delete

from cloud.errors import StoreError
from cloud.fleet.desired import queue_downlink
from cloud.fleet.registry import Registry, Where
from cloud.fleet.tables import Downlink, GatewayFlag
from cloud.incidents.tables import AlertRow, EvidenceRow
from cloud.ingest.bulk import BulkIntake
from cloud.ingest.housekeeping import send_downlinks
from cloud.ingest.inbox import Inbox, Waiting
from cloud.ingest.inspection import Poison, Sound, inspect
from cloud.ingest.lane import Lane
from cloud.ingest.receipts import Receipts
from cloud.ingest.session import Received
from cloud.ingest.tables import LedgerRecord, Quarantine, UrgentIdentity
from cloud.ingest.urgent import Fate, take_urgent
from cloud.ingest.window import Window, load_window
from cloud.series.tables import BulkIdentity
from cloud.storage.engine import reading, transaction
from models.clock import EARLIEST_NS, SystemClock, VirtualClock
from models.identity import MessageIdentity, Stream
from models.wire.envelope import Kind, seal
from models.wire.messages import OutageRecord
from models.wire.topics import Down, Up, up_topic

STREET = Where("street", None)
OUTAGE = OutageRecord(from_at=1, to_at=2, boot_before="", boot_after="", reason="power")


def where(gateway: str) -> Where | None:
    return STREET if gateway in ("gw-a", "gw-b") else None


def code_of(topic: str, payload: bytes, stream: Stream = Stream.BULK) -> tuple[str, bool]:
    """Code of what was found, and whether its identity is sound."""
    found = inspect(topic, payload, stream, where)
    return ("sound" if isinstance(found, Sound) else found.code), found.envelope is not None


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        (up_topic("gw-a", Up.BULK), telemetry("gw-a", 1), ("sound", True)),
        (up_topic("gw-a", Up.BULK), poison("gw-a", 1), ("short", True)),
        (up_topic("gw-a", Up.BULK), telemetry("gw-b", 1), ("spoofed", False)),
        (up_topic("gw-x", Up.BULK), telemetry("gw-x", 1), ("unknown_gateway", False)),
        (up_topic("gw-a", Up.BULK), alert("gw-a", 1), ("stream", False)),
        (up_topic("gw-a", Up.BULK), b"", ("short", False)),
        (up_topic("gw-a", Up.BULK), telemetry("gw-a", 1)[:-1], ("digest", False)),
        (up_topic("gw-a", Up.BULK), b"XX" + telemetry("gw-a", 1)[2:], ("magic", False)),
        ("lm/1/../up/bulk", telemetry("gw-a", 1), ("topic", False)),
        (
            up_topic("gw-a", Up.BULK),
            seal(MessageIdentity("gw-a", 1, Stream.BULK, 1), Kind.ALERT, 0, b"{}"),
            ("kind", True),
        ),
        (
            up_topic("gw-a", Up.BULK),
            seal(MessageIdentity("gw-a", 1, Stream.BULK, 1), 99, 0, b""),  # type: ignore[arg-type]
            ("kind", True),
        ),
        (
            up_topic("gw-a", Up.BULK),
            seal(MessageIdentity("gw-a", 1, Stream.BULK, 1), Kind.CHANNELS, 0, b"[" * 100_000),
            ("body", True),
        ),
    ],
)
def test_message_is_refused_by_name(topic: str, payload: bytes, expected: tuple[str, bool]) -> None:
    assert code_of(topic, payload) == expected


@pytest.mark.row("B11")
@given(st.binary(max_size=300), st.integers(0, 400), st.integers(1, 255))
def test_mutated_messages_never_raise(noise: bytes, place: int, flip: int) -> None:
    sound = bytearray(telemetry("gw-a", 1))
    sound[place % len(sound)] ^= flip
    identity = MessageIdentity("gw-a", 1, Stream.URGENT, 1)
    assert inspect(up_topic("gw-a", Up.BULK), bytes(sound), Stream.BULK, where).envelope is None
    for kind in (Kind.ALERT, Kind.EVIDENCE, Kind.GAP, Kind.OUTAGE):
        assert isinstance(
            inspect(up_topic("gw-a", Up.URGENT), seal(identity, kind, 0, noise), Stream.URGENT, where), Poison
        )


def take(store: Store, payload: bytes, sender: str = "gw-a") -> Fate:
    topic = up_topic(sender, Up.URGENT)
    return take_urgent(store.main, topic, payload, inspect(topic, payload, Stream.URGENT, where), 5)


def test_urgent_messages_are_stored_once_with_what_they_cause(store: Store) -> None:
    outage = urgent("gw-a", 2, Kind.OUTAGE, OUTAGE.model_dump_json().encode())
    assert [take(store, alert("gw-a", 1)), take(store, outage)] == [Fate.STORED, Fate.STORED]
    assert [take(store, alert("gw-a", 1)), take(store, outage)] == [Fate.DUPLICATE, Fate.DUPLICATE]
    assert (store.count(AlertRow), store.count(LedgerRecord, kind="outage")) == (1, 1)
    assert store.all(LedgerRecord)[0].record["epoch"] == 1


def test_evidence_is_kept_for_its_alert(store: Store) -> None:
    body = {
        "alert": "0" * 32,
        "monitor": "smoke",
        "configuration": {},
        "channels": {"0": "a"},
        "window": "",
        "snapshot": "",
        "start_at": 1,
        "end_at": 2,
    }
    assert take(store, urgent("gw-a", 1, Kind.EVIDENCE, json.dumps(body).encode())) is Fate.STORED
    assert [row.body["channels"] for row in store.all(EvidenceRow)] == [{"0": "a"}]


def test_urgent_clone_leaves_the_first_and_flags_the_gateway(store: Store) -> None:
    take(store, alert("gw-a", 1))
    assert take(store, alert("gw-a", 1, onset=2)) is Fate.CLONE
    assert take(store, urgent("gw-a", 1, Kind.ALERT, b"{}")) is Fate.CLONE
    assert (store.count(AlertRow), store.count(Quarantine, code="clone")) == (1, 2)
    assert [flag.count for flag in store.all(GatewayFlag)] == [2]


def test_urgent_poison_is_kept_and_named(store: Store) -> None:
    bad = urgent("gw-a", 1, Kind.ALERT, b'{"id": 1}')
    assert [take(store, bad), take(store, bad)] == [Fate.QUARANTINED, Fate.QUARANTINED]
    assert take(store, b"noise") is Fate.LOST_IDENTITY
    assert sorted(row.code for row in store.all(Quarantine)) == ["body", "short"]
    assert [row.quarantined for row in store.all(UrgentIdentity)] == [True]


def waiting(payload: bytes, sender: str = "gw-a", order: int = 0) -> Waiting:
    return Waiting(1, order, Received(up_topic(sender, Up.BULK), payload, 1, False, 1, 1), 5)


@pytest.fixture
def intake(store: Store) -> BulkIntake:
    registry = Registry(store.main, SystemClock())
    return BulkIntake(store.main, store.readings, registry.where)


def test_bulk_batch_is_sorted_out_message_by_message(store: Store, intake: BulkIntake) -> None:
    batch = [
        waiting(table("gw-a")),
        waiting(telemetry("gw-a", 2)),
        waiting(poison("gw-a", 3)),
        waiting(telemetry("gw-a", 2)),
        waiting(telemetry("gw-a", 2, readings=3)),
        waiting(telemetry("gw-b", 9)),
        waiting(table("gw-a", 4, names=("other/name",))),
        waiting(telemetry("gw-a", 5, readings=0)),
    ]
    fates = [one.fate for one in intake.take(batch)]
    assert fates == [
        Fate.STORED,
        Fate.STORED,
        Fate.QUARANTINED,
        Fate.DUPLICATE,
        Fate.CLONE,
        Fate.LOST_IDENTITY,
        Fate.QUARANTINED,
        Fate.STORED,
    ]
    assert store.times_of("gw-a") == times([2])
    kept = {row.code for row in store.all(Quarantine)}
    assert kept == {"short", "clone", "spoofed", "channel_conflict"}
    again = [one.fate for one in intake.take(batch)]
    assert again[0] is Fate.DUPLICATE and store.count(Quarantine) == 4
    assert store.times_of("gw-a") == times([2])


def test_message_this_program_cannot_take_is_quarantined(store: Store, intake: BulkIntake) -> None:
    assert [one.fate for one in intake.take([waiting(telemetry("gw-a", 2))], "bug")] == [Fate.QUARANTINED]
    assert [row.detail for row in store.all(Quarantine, code="internal")] == ["bug"]


class Session:
    """Stands for the broker: remembers what was acknowledged."""

    name = "fake"

    def __init__(self) -> None:
        self.acknowledged: list[Waiting] = []

    def acknowledge(self, received: Received) -> bool:
        self.acknowledged.append(received)
        return True


class TroubledLane(Lane):
    """A lane whose store fails as told: by message, for ever or a number of times."""

    def __init__(self, failures: dict[bytes, list[Exception]]) -> None:
        clock = SystemClock()
        receipts = Receipts(Stream.BULK, lambda *_: Window(), lambda *_: True, clock, 0)
        super().__init__(Session(), Inbox(10, clock, "/urgent"), receipts, clock, threading.Event())  # type: ignore[arg-type]
        self.failures, self.stored, self.broken = failures, [], []

    def _gather(self) -> list[Waiting]:
        return []

    def _store(self, batch, broken) -> None:
        for one in batch:
            if broken:
                self.broken.append(one.received.payload)
            elif left := self.failures.get(one.received.payload):
                raise left.pop(0)
        if not broken:
            self.stored += [one.received.payload for one in batch]


def test_lane_finds_the_one_message_it_cannot_take() -> None:
    lane = TroubledLane({b"bad": [ValueError("a bug")] * 99})
    lane._take([waiting(payload) for payload in (b"one", b"bad", b"two")])
    assert (lane.stored, lane.broken) == ([b"one", b"two"], [b"bad"])
    assert len(lane.session.acknowledged) == 3


@pytest.mark.row("A8")
def test_lane_waits_for_its_database_and_acknowledges_after_it() -> None:
    lane = TroubledLane({b"one": [StoreError("full"), StoreError("full")]})
    lane._take([waiting(b"one")])
    assert (lane.stored, lane.broken) == ([b"one"], [])
    assert len(lane.session.acknowledged) == 1


@pytest.mark.row("A8")
def test_lane_stopped_while_its_database_fails_acknowledges_nothing() -> None:
    lane = TroubledLane({b"one": [StoreError("full")] * 99})
    lane._stop.set()
    lane._take([waiting(b"one")])
    assert (lane.stored, lane.session.acknowledged) == ([], [])


def test_inbox_lets_urgent_overtake_and_is_bounded() -> None:
    inbox = Inbox(3, SystemClock(), first="/urgent")
    kinds = ["health", "urgent", "health", "health", "health"]
    for number, kind in enumerate(kinds):
        inbox.put(Received(f"lm/1/gw-a/up/{kind}", bytes([number]), 0, False, 0, 1))
    assert inbox.dropped == 2
    assert [inbox.take(0).received.payload for _ in range(3)] == [b"\x01", b"\x00", b"\x02"]
    assert inbox.take(0) is None


@given(st.permutations(range(1, 25)), st.sets(st.integers(1, 24)), st.integers(1, 20), st.integers(0, 6))
def test_window_agrees_with_its_naive_twin(order, lost, first, length) -> None:
    window, seen = Window(), set()
    gap = set(range(first, first + length))
    for place, sequence in enumerate(order):
        if place == 12 and gap:
            window.cover(min(gap), max(gap))
        if sequence not in lost:
            window.mark(sequence)
            window.mark(sequence)
            seen.add(sequence)
    done = seen | gap
    through = next(n for n in range(1, 100) if n not in done) - 1
    assert window.through == through
    assert window.beyond == {n for n in seen if n > through}


@budget(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(1, 20), max_size=20), st.integers(1, 15), st.integers(0, 6))
def test_window_loaded_is_the_window_kept(store: Store, numbers, first, length) -> None:
    kept = Window()
    gaps = [(first, first + length - 1)] if length else []
    for gap in gaps:
        kept.cover(*gap)
    with transaction(store.series) as session:
        session.execute(delete(BulkIdentity))
        for number in numbers:
            is_poison = number % 7 == 0
            kept.mark(number, quarantined=is_poison)
            key = {"gateway_id": "g", "epoch": 1, "sequence": number}
            session.add(BulkIdentity(**key, digest=b"", received_at=0, quarantined=is_poison))
    with reading(store.series) as session:
        loaded = load_window(session, BulkIdentity, "g", 1, gaps)
    assert (loaded.through, loaded.beyond) == (kept.through, kept.beyond)
    assert sorted(loaded.quarantined) == sorted(kept.quarantined)


def test_receipts_are_coalesced_and_cumulative() -> None:
    clock, told = VirtualClock(EARLIEST_NS), []
    receipts = Receipts(
        Stream.BULK,
        lambda *_: Window(),
        lambda topic, payload: told.append((topic, json.loads(payload))) or True,
        clock,
        0.1,
    )
    clock.sleep(1)
    for sequence in (1, 2, 4):
        receipts.mark(MessageIdentity("gw-a", 1, Stream.BULK, sequence), quarantined=sequence == 2)
        receipts.flush()
    assert [(topic, one["through"]) for topic, one in told] == [("lm/1/gw-a/down/receipt", 1)]
    clock.sleep(0.1)
    receipts.flush()
    receipts.flush()
    assert len(told) == 2
    assert {key: told[1][1][key] for key in ("through", "beyond", "quarantined", "epoch", "stream")} == {
        "through": 2,
        "beyond": [4],
        "quarantined": [2],
        "epoch": 1,
        "stream": 2,
    }


def test_downlinks_are_sent_in_order_and_marked_when_the_broker_has_them(store: Store) -> None:
    sent: list[tuple[str, bytes, bool]] = []

    def publish(topic: str, payload: bytes, *, retain: bool) -> bool:
        if payload == b"two" and not sent_again:
            return False
        sent.append((topic, payload, retain))
        return True

    with transaction(store.main) as session:
        for payload, kind, retained in (
            (b"one", Down.DESIRED, True),
            (b"two", Down.COMMAND, False),
            (b"three", Down.DESIRED, True),
        ):
            queue_downlink(session, "street", "gw-a", kind, payload, 1, retained=retained)
    sent_again = False
    assert send_downlinks(store.main, publish, 7) == 1
    sent_again = True
    assert send_downlinks(store.main, publish, 8) == 2
    assert send_downlinks(store.main, publish, 9) == 0
    assert [payload for _, payload, _ in sent] == [b"one", b"two", b"three"]
    assert sent[1] == ("lm/1/gw-a/down/command", b"two", False)
    assert [row.sent_at for row in store.all(Downlink)] == [7, 8, 8]
