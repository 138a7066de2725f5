"""After the receipt: rows are kept a day of service, for a cloud that is restored from a backup."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edge_rig import START
from hypothesis import given
from hypothesis import strategies as st
from test_edge_outbox import alert, bulk, kinds, receipt

from edge_agent.outbox.inspect import outbox_figures
from edge_agent.outbox.outbox import KEPT_S, STEP_S, Outbox
from edge_agent.outbox.settled import Fate, Settled, merge, without
from models.clock import SECOND_NS
from models.identity import Stream
from models.wire.envelope import Kind, open_envelope
from models.wire.messages import GapRecord

HOUR_NS = 3600 * SECOND_NS


class Hand:
    """Monotonic time that moves when told."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def make_kept(tmp_path: Path, hand: Hand) -> Iterator[Callable[..., Outbox]]:
    made: list[Outbox] = []

    def make(*, max_mb: int = 8, wall: int = START) -> Outbox:
        path = tmp_path / "outbox.db"
        outbox = Outbox(path, "gw-1", max_mb=max_mb, new_epoch=lambda: 7, now=lambda: wall, monotonic=hand)
        made.append(outbox)
        return outbox

    yield make
    for outbox in made:
        outbox.close()


def numbers(outbox: Outbox, stream: Stream = Stream.BULK) -> list[int]:
    return [number for number, _ in outbox.messages(stream, 0, 10_000)]


def gaps(outbox: Outbox) -> list[GapRecord]:
    opened = [open_envelope(raw) for _, raw in outbox.messages(Stream.URGENT, 0, 10_000)]
    return [GapRecord.model_validate_json(one.body) for one in opened if one.kind == Kind.GAP]


def test_received_rows_are_not_sent_nor_counted_and_yet_are_there(make_kept, tmp_path):
    outbox = make_kept()
    outbox.put_bulk(bulk(5))
    outbox.receive(receipt(outbox, Stream.BULK, 3))
    assert (numbers(outbox), outbox.backlog(), outbox.message(Stream.BULK, 2)) == ([4, 5], 2, None)
    counts = outbox.counts()
    assert (counts["bulk_rows"], counts["bulk_readings"], counts["received_rows"]) == (2, 1000, 3)
    figures = outbox_figures(tmp_path / "outbox.db")
    assert (figures["bulk_messages"], figures["received_messages"]) == (2, 3)


@pytest.mark.row("A28")
def test_restored_cloud_that_lacks_what_it_had_gets_it_again_with_the_same_bytes(make_kept):
    outbox = make_kept()
    outbox.put_bulk(bulk(6))
    sent = outbox.messages(Stream.BULK, 0, 10)
    woken: list[Stream] = []
    outbox.listen(woken.append)
    outbox.receive(receipt(outbox, Stream.BULK, 6))
    assert outbox.backlog() == 0
    outbox.receive(receipt(outbox, Stream.BULK, 2, beyond=(5,)))
    assert outbox.messages(Stream.BULK, 0, 10) == [sent[2], sent[3], sent[5]]
    assert (woken, outbox.rewinds) == ([Stream.BULK], 1)


@pytest.mark.row("A28")
def test_alert_received_and_lost_by_the_cloud_goes_again_after_a_restart_of_the_gateway(make_kept):
    first = make_kept()
    assert first.raise_alert(alert())
    first.receive(receipt(first, Stream.URGENT, 1))
    first.close()
    again = make_kept()
    assert again.backlog() == 0
    again.receive(receipt(again, Stream.URGENT, 0))
    assert kinds(again, Stream.URGENT) == [Kind.ALERT]


def test_receipt_cut_short_says_nothing_of_higher_numbers(make_kept):
    outbox = make_kept()
    outbox.put_bulk(bulk(1500))
    outbox.receive(receipt(outbox, Stream.BULK, 0, beyond=tuple(range(2, 502))))
    outbox.receive(receipt(outbox, Stream.BULK, 0, beyond=tuple(range(1001, 1501))))
    # The second names none of 2 to 501, though it could have: they are missing. 502 to 1000 never were there.
    assert outbox.backlog() == 1000
    outbox.receive(receipt(outbox, Stream.BULK, 0, beyond=tuple(range(2, 502))))
    # Full again: that 1001 and more are not named means nothing.
    assert outbox.backlog() == 500


def test_rows_go_a_day_of_service_after_their_receipt_whatever_the_wall_clock_says(make_kept, hand):
    outbox = make_kept(wall=0)  # 1970
    outbox.put_bulk(bulk(3))
    outbox.receive(receipt(outbox, Stream.BULK, 3))
    hand.ns += 23 * HOUR_NS
    outbox.put_bulk(bulk(1))
    assert outbox.counts()["received_rows"] == 3
    outbox.close()
    hand.ns = 0  # a reboot, and now the clock is set
    again = make_kept(wall=START)
    hand.ns += HOUR_NS // 2
    again.put_bulk(bulk(1))
    assert again.counts()["received_rows"] == 3
    hand.ns += HOUR_NS
    again.put_bulk(bulk(1))
    assert again.counts()["received_rows"] == 0
    assert numbers(again) == [4, 5, 6]


@pytest.mark.row("A28")
def test_cloud_restored_from_too_old_a_backup_is_told_not_to_wait(make_kept, hand):
    outbox = make_kept()
    outbox.put_bulk(bulk(4))
    outbox.raise_alert(alert())
    for stream, through in ((Stream.BULK, 4), (Stream.URGENT, 1)):
        outbox.receive(receipt(outbox, stream, through))
    hand.ns += (KEPT_S + 2 * STEP_S) * SECOND_NS
    outbox.put_bulk(bulk(1))
    outbox.receive(receipt(outbox, Stream.BULK, 1))
    outbox.receive(receipt(outbox, Stream.URGENT, 0))
    told = [(g.stream, g.first_sequence, g.last_sequence, g.messages, g.reason) for g in gaps(outbox)]
    assert told == [(Stream.BULK, 2, 4, 3, "not_kept"), (Stream.URGENT, 1, 1, 1, "not_kept")]
    outbox.receive(receipt(outbox, Stream.BULK, 1))
    assert len(gaps(outbox)) == 2, "said once"


@pytest.mark.row("A7")
def test_full_outbox_lets_received_rows_go_before_any_that_wait(make_kept):
    outbox = make_kept(max_mb=1)
    outbox.put_bulk(bulk(60, size=8000))
    outbox.receive(receipt(outbox, Stream.BULK, 60))
    outbox.put_bulk(bulk(90, size=8000))
    assert numbers(outbox) == list(range(61, 151))
    assert not gaps(outbox)


def test_receipt_waits_for_no_disk_and_survives_the_process(make_kept):
    outbox = make_kept()
    outbox.put_bulk(bulk(2))
    outbox.receive(receipt(outbox, Stream.BULK, 1))
    # Not closed: as after kill -9.
    assert numbers(make_kept()) == [2]


@given(
    marks=st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 10), st.sampled_from(Fate), st.booleans()), max_size=12
    )
)
def test_spans_say_what_a_table_of_numbers_would(marks):
    spans, twin = Settled(), {}
    for first, length, fate, clears in marks:
        one = [(first, first + length)]
        spans = spans.clear(one) if clears else spans.mark(one, fate)
        for number in range(first, first + length + 1):
            twin.pop(number, None)
            if not clears:
                twin[number] = fate
    for fate in Fate:
        assert _listed(spans.of(fate)) == sorted(n for n, f in twin.items() if f is fate)
    assert _listed(spans.waiting(50, after=3)) == [n for n in range(4, 51) if n not in twin]
    ends = [(a.last, b.first) for a, b in zip(spans.spans, spans.spans[1:], strict=False)]
    assert all(last < first for last, first in ends)
    assert without(merge([(1, 50)]), spans.all) == spans.waiting(50)


def _listed(ranges):
    return [n for first, last in ranges for n in range(first, last + 1)]
