"""The outbox: fixed bytes, two streams, receipts, a bound, a new life when damaged."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from edge_rig import START

from edge_agent.outbox.inspect import outbox_figures
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.rows import BulkPart, SpoolMark
from models.alert import Alert, AlertState, Severity
from models.identity import Stream
from models.wire.envelope import Kind, open_envelope
from models.wire.messages import ChannelEntry, GapRecord, Receipt


def bulk(count: int, size: int = 50) -> list[BulkPart]:
    chance = random.Random(count)
    return [BulkPart(Kind.TELEMETRY, chance.randbytes(size), 500, START + i, START + i) for i in range(count)]


def receipt(outbox: Outbox, stream: Stream, through: int, **more: tuple[int, ...]) -> Receipt:
    return Receipt(epoch=outbox.epoch, stream=stream, through=through, sent_at=START, **more)


def alert(state: AlertState = AlertState.FIRING, onset: int = 7) -> Alert:
    return Alert(
        id=f"{onset:032x}", gateway="gw-1", monitor="hot", detector="limit", channel="t", hazard="fire",
        severity=Severity.SEVERE, state=state, boot="0" * 32, onset_index=onset, onset_at=START,
        fired_at=START, measured_at=START, score=10, threshold=3, value=80.0,
    )  # fmt: skip


def kinds(outbox: Outbox, stream: Stream) -> list[int]:
    return [open_envelope(raw).kind for _, raw in outbox.messages(stream, 0, 1000)]


def test_message_has_the_same_identity_and_bytes_after_a_restart(make_outbox):
    first = make_outbox()
    first.put_bulk(bulk(3))
    sent = first.messages(Stream.BULK, 0, 10)
    first.close()
    again = make_outbox()
    assert again.messages(Stream.BULK, 0, 10) == sent
    assert again.epoch == first.epoch
    again.put_bulk(bulk(1))
    assert [number for number, _ in again.messages(Stream.BULK, 0, 10)] == [1, 2, 3, 4]


def test_streams_count_apart_and_name_their_stream(make_outbox):
    outbox = make_outbox()
    outbox.put_bulk(bulk(2))
    outbox.raise_alert(alert())
    identities = [open_envelope(raw).identity for s in Stream for _, raw in outbox.messages(s, 0, 10)]
    assert [(i.stream, i.sequence) for i in identities] == [
        (Stream.URGENT, 1), (Stream.BULK, 1), (Stream.BULK, 2),
    ]  # fmt: skip


def test_receipt_frees_what_it_names_and_nothing_else(make_outbox):
    outbox = make_outbox()
    outbox.put_bulk(bulk(6))
    outbox.raise_alert(alert())
    freed = outbox.receive(receipt(outbox, Stream.BULK, 2, beyond=(4,), quarantined=(6,)))
    assert freed == 4
    assert [number for number, _ in outbox.messages(Stream.BULK, 0, 10)] == [3, 5]
    assert len(outbox.messages(Stream.URGENT, 0, 10)) == 1


def test_receipt_of_another_epoch_frees_nothing(make_outbox):
    outbox = make_outbox()
    outbox.put_bulk(bulk(2))
    outbox.receive(Receipt(epoch=outbox.epoch + 1, stream=Stream.BULK, through=2, sent_at=START))
    assert len(outbox.messages(Stream.BULK, 0, 10)) == 2


@pytest.mark.row("A23")
def test_receipt_above_what_was_assigned_begins_a_new_epoch_with_everything_in_it(make_outbox, tmp_path):
    outbox = make_outbox()
    outbox.put_bulk(bulk(2))
    outbox.close()
    shutil.copy(tmp_path / "outbox.db", tmp_path / "image.db")
    restored = make_outbox("image.db")
    restored.raise_alert(alert())
    sealed = [raw for _, raw in restored.messages(Stream.BULK, 0, 10)]
    old = restored.epoch
    restored.receive(receipt(restored, Stream.BULK, 9))
    fresh = [open_envelope(raw) for _, raw in restored.messages(Stream.BULK, 0, 10)]
    assert restored.epoch != old
    assert [(e.identity.epoch, e.identity.sequence) for e in fresh] == [
        (restored.epoch, 1),
        (restored.epoch, 2),
    ]
    # Inside is the message with the identity it had: a cloud that has it already stores nothing twice.
    assert [(e.kind, e.body) for e in fresh] == [(Kind.CARRIED, raw) for raw in sealed]
    assert restored.assigned(Stream.URGENT) == 1


def test_alert_raised_again_after_a_restart_is_sent_once(make_outbox):
    outbox = make_outbox()
    assert outbox.raise_alert(alert())
    outbox.close()
    again = make_outbox()
    assert not again.raise_alert(alert())
    assert again.raise_alert(alert(AlertState.RESOLVED))
    assert again.assigned(Stream.URGENT) == 2


@pytest.mark.row("A7")
def test_full_outbox_drops_the_oldest_telemetry_counts_it_and_keeps_alerts(make_outbox):
    outbox = make_outbox(max_mb=1)
    for onset in range(20):
        outbox.put_bulk(bulk(10, size=8000))
        assert outbox.raise_alert(alert(onset=onset))
    left = [number for number, _ in outbox.messages(Stream.BULK, 0, 1000)]
    urgent = [open_envelope(raw) for _, raw in outbox.messages(Stream.URGENT, 0, 1000)]
    gaps = [GapRecord.model_validate_json(e.body) for e in urgent if e.kind == Kind.GAP]
    dropped = {n for gap in gaps for n in range(gap.first_sequence, gap.last_sequence + 1)}
    assert sum(e.kind == Kind.ALERT for e in urgent) == 20
    assert dropped | set(left) == set(range(1, 201))
    assert not dropped & set(left)
    assert sum(gap.readings for gap in gaps) == 500 * len(dropped)
    assert outbox.counts()["used_bytes"] <= 1 << 20


def test_outbox_full_of_telemetry_goes_on_taking_evidence_and_then_only_alerts(make_outbox):
    outbox = make_outbox(max_mb=1)
    kept = [outbox.put_evidence(f"{n:032x}", b"e" * 50_000) for n in range(30)]
    assert any(kept)
    assert not all(kept)
    assert outbox.raise_alert(alert())


@pytest.mark.row("A6")
@pytest.mark.parametrize("seed", range(12))
def test_damaged_outbox_is_set_aside_and_a_new_epoch_begins(make_outbox, tmp_path: Path, seed: int):
    outbox = make_outbox()
    outbox.put_bulk(bulk(200, size=300))
    epoch = outbox.epoch
    outbox.close()
    path = tmp_path / "outbox.db"
    raw = bytearray(path.read_bytes())
    chance = random.Random(seed)
    if seed % 3 == 0:
        raw = raw[: chance.randrange(1, len(raw) // 2)]
    else:
        for _ in range(40):
            raw[chance.randrange(len(raw) if seed % 3 == 1 else 4096)] ^= 0xFF
    path.write_bytes(raw)
    again = make_outbox()
    again.put_bulk(bulk(1))
    again.messages(Stream.BULK, 0, 1000)
    assert again.raise_alert(alert())
    if again.epoch != epoch:
        assert Kind.GAP in kinds(again, Stream.URGENT)
        assert list(tmp_path.glob("outbox.db.damaged-*"))


def test_channel_keeps_its_number_and_a_new_one_gets_another(make_outbox):
    outbox = make_outbox()
    first = outbox.number_channels([ChannelEntry(number=0, name="a"), ChannelEntry(number=0, name="b")])
    second = outbox.number_channels(
        [ChannelEntry(number=0, name="c"), ChannelEntry(number=0, name="b", unit="K")]
    )
    assert [first["a"].number, first["b"].number, second["c"].number] == [1, 2, 3]
    assert second["b"].number == first["b"].number
    assert [entry.unit for entry in outbox.channels()] == ["", "K", ""]


def test_channel_numbers_outlive_a_lost_outbox(make_outbox):
    known = list(make_outbox().number_channels([ChannelEntry(number=0, name=n) for n in "abc"]).values())
    fresh = make_outbox("fresh.db")
    fresh.number_channels([known[2]])
    assert fresh.number_channels([ChannelEntry(number=0, name="z"), known[0]])["z"].number == 4
    assert [(e.number, e.name) for e in fresh.channels()] == [(1, "a"), (3, "c"), (4, "z")]


def test_mark_is_stored_with_the_messages_it_belongs_to(make_outbox):
    outbox = make_outbox()
    outbox.put_bulk(bulk(1), SpoolMark(77, "ab" * 16, 5, {"boiler": "row-5"}, START))
    outbox.close()
    assert make_outbox().mark() == SpoolMark(77, "ab" * 16, 5, {"boiler": "row-5"}, START)


def test_figures_are_read_beside_a_running_agent(make_outbox, tmp_path):
    outbox = make_outbox()
    outbox.put_bulk(bulk(3))
    figures = outbox_figures(tmp_path / "outbox.db")
    assert (figures["bulk_messages"], figures["bulk_readings"], figures["epoch"]) == (3, 1500, outbox.epoch)
