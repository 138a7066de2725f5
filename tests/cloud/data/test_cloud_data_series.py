"""The series store: what its seam promises, compaction, charts and pages.

The first stories are the contract of SeriesStore; the landed store runs them before and after compaction,
which must not be seen from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from cloud.errors import InvalidError
from cloud.series.chart import bucket, draw
from cloud.series.compaction import Compactor
from cloud.series.landed import LandedStore
from cloud.series.paging import read_page
from cloud.series.store import DAY_NS, Arrival, Put, Readings, merge
from cloud.series.tables import Chunk, Landing
from cloud.storage import migrate
from cloud.storage.engine import open_engine, reading, transaction
from models.readings import Quality, ReadingBlock
from models.wire.columns import encode_columns

T0 = 1_790_000_000_000_000_000 // DAY_NS * DAY_NS
END = (1 << 63) - 1
EPOCH = 3


class Directory:
    """Channel n + 1 is number n of gateway "g", for the numbers announced so far."""

    def __init__(self, announced: int = 4) -> None:
        self.announced = announced

    def numbers(self, gateway_id: str, epoch: int) -> dict[int, int]:
        return {n: n + 1 for n in range(self.announced)} if (gateway_id, epoch) == ("g", EPOCH) else {}

    def on_the_wire(self, channel_ids) -> list[tuple[int, str, int, int]]:
        return [(i, "g", EPOCH, i - 1) for i in channel_ids if 0 < i <= self.announced]

    def resolutions(self, channel_ids) -> dict[int, float]:
        return dict.fromkeys(channel_ids, 0.5)


def arrival(sequence: int, channels, times, values, quality=None, digest: bytes = b"") -> Arrival:
    block = ReadingBlock.of(channels, times, values, quality)
    body = encode_columns(block, np.full(8, 0.5))
    span = (int(block.time.min()), int(block.time.max()), len(block))
    return Arrival("g", EPOCH, sequence, digest or bytes([sequence % 251]) * 16, T0, body, *span)


@pytest.fixture
def landed(tmp_path: Path) -> LandedStore:
    engine = open_engine(f"sqlite:///{tmp_path / 'series.db'}")
    migrate.upgrade(engine, "series")
    return LandedStore(engine, Directory())


def compact(store: LandedStore, **limits: int):
    return Compactor(store._engine, store._directory, **limits).run()


def nothing(store: LandedStore) -> None:
    """Leave what landed as it is."""


STATES: list[Callable] = [nothing, compact]


@pytest.mark.parametrize("between", STATES)
def test_store_keeps_each_message_once(landed: LandedStore, between) -> None:
    first = arrival(1, [0, 1], [T0, T0], [1.0, 2.0])
    assert landed.put([first, first, arrival(2, [0], [T0 + 5], [3.0])]) == [
        Put.STORED,
        Put.DUPLICATE,
        Put.STORED,
    ]
    between(landed)
    clone = arrival(1, [0], [T0 + 9], [9.0], digest=b"x" * 16)
    assert landed.put([first, clone]) == [Put.DUPLICATE, Put.CLONE]
    assert landed.read(1, 0, END).values.tolist() == [1.0, 3.0]
    assert landed.read(2, 0, END).values.tolist() == [2.0]


@pytest.mark.parametrize("between", STATES)
def test_store_reads_by_time_with_ties_in_order_of_arrival(landed: LandedStore, between) -> None:
    landed.put([arrival(1, [0, 0, 0], [T0 + 7, T0 + 5, T0 + 5], [1.0, 2.0, 3.0], [0, 1, 2])])
    between(landed)
    landed.put([arrival(2, [0, 0], [T0 + 5, T0 + 9], [4.0, float("nan")], [4, 1])])
    between(landed)
    found = landed.read(1, T0, END)
    assert (found.times - T0).tolist() == [5, 5, 5, 7, 9]
    assert found.quality.tolist() == [1, 2, 4, 0, 1]
    assert np.array_equal(found.values, [2.0, 3.0, 4.0, 1.0, np.nan], equal_nan=True)


@pytest.mark.parametrize("between", STATES)
def test_store_reads_half_open_spans(landed: LandedStore, between) -> None:
    landed.put([arrival(1, [0] * 4, [T0, T0 + 1, T0 + 2, T0 + DAY_NS], [0.0, 1.0, 2.0, 3.0])])
    between(landed)
    assert landed.read(1, T0 + 1, T0 + 2).values.tolist() == [1.0]
    assert landed.read(1, T0 + 3, T0 + DAY_NS).values.tolist() == []
    assert landed.read(1, T0 + 2, T0 + DAY_NS + 1).values.tolist() == [2.0, 3.0]
    assert landed.read(4, 0, END).times.dtype == np.int64
    assert landed.read(99, 0, END).values.tolist() == []


@pytest.mark.parametrize("between", STATES)
def test_store_knows_the_newest_of_each_channel(landed: LandedStore, between) -> None:
    landed.put([arrival(1, [0, 1, 0], [T0 + 5, T0 + 6, T0 + 9], [1.0, 2.0, 3.0])])
    between(landed)
    landed.put([arrival(2, [0, 1], [T0 + 1, T0 + 7], [4.0, 5.0], [0, 2])])
    assert landed.latest([1, 2, 3]) == {1: (T0 + 9, 3.0, 0), 2: (T0 + 7, 5.0, 2)}


def test_identity_without_readings_is_stored_once_too(landed: LandedStore) -> None:
    poison = Arrival("g", EPOCH, 1, b"p" * 16, T0, quarantined=True)
    assert landed.put([poison]) + landed.put([poison]) == [Put.STORED, Put.DUPLICATE]
    assert landed.put([]) == []
    assert count(landed, Landing) == 0


def count(store: LandedStore, table) -> int:
    with reading(store._engine) as session:
        return session.query(table).count()


MESSAGES = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3), st.integers(0, 40)), min_size=1, max_size=12),
    min_size=1,
    max_size=12,
)


@budget(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MESSAGES, st.lists(st.booleans(), min_size=12, max_size=12), st.integers(1, 7))
def test_store_compacted_whenever_reads_what_arrived(tmp_path_factory, messages, compacted, chunk) -> None:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('p') / 's.db'}")
    migrate.upgrade(engine, "series")
    store = LandedStore(engine, Directory())
    rows: dict[int, list[tuple[int, float]]] = {channel: [] for channel in range(1, 5)}
    for sequence, message in enumerate(messages):
        times = [T0 + day * DAY_NS + offset for _, day, offset in message]
        values = [float(sequence * 100 + place) for place in range(len(message))]
        store.put([arrival(sequence, [channel for channel, _, _ in message], times, values)])
        for (channel, _, _), time, value in zip(message, times, values, strict=True):
            rows[channel + 1].append((time, value))
        if compacted[sequence]:
            compact(store, step=5, chunk=chunk)
    for channel, expected in rows.items():
        expected.sort(key=lambda row: row[0])
        found = store.read(channel, -END, END)
        assert list(zip(found.times.tolist(), found.values.tolist(), strict=True)) == expected
        pages, after = [], None
        while True:
            page = read_page(store, channel, -END, END, 3, after)
            pages += page.readings.values.tolist()
            after = page.next
            if after is None:
                break
        assert pages == found.values.tolist()
        newest = {number: found.time for number, found in store.latest([channel]).items()}
        assert newest == ({channel: expected[-1][0]} if expected else {})
    engine.dispose()


def test_compaction_waits_for_channels_not_announced_yet(landed: LandedStore) -> None:
    directory = landed._directory
    directory.announced = 1
    landed.put([arrival(1, [0, 1], [T0, T0], [1.0, 2.0]), arrival(2, [0], [T0 + 1], [3.0])])
    done = compact(landed)
    assert (done.messages, done.deferred, count(landed, Landing)) == (1, 1, 1)
    assert landed.read(1, 0, END).values.tolist() == [1.0, 3.0]
    directory.announced = 2
    assert compact(landed).messages == 1
    assert landed.read(2, 0, END).values.tolist() == [2.0]
    assert compact(landed).messages == 0


def test_compaction_rewrites_each_reading_a_few_times_only(landed: LandedStore) -> None:
    written = 0
    for sequence in range(64):
        landed.put([arrival(sequence, [0], [T0 + sequence], [1.0])])
        compact(landed)
        with reading(landed._engine) as session:
            written += session.query(Chunk).order_by(Chunk.id.desc()).first().readings
    assert count(landed, Chunk) <= 7
    assert written <= 64 * 7


def test_two_who_compact_do_not_double(landed: LandedStore) -> None:
    from cloud.errors import StoreError

    landed.put([arrival(1, [0], [T0], [1.0])])
    first = Compactor(landed._engine, landed._directory)
    step = first._next("g", 0)
    compact(landed)
    with pytest.raises(StoreError, match="one ingest"):
        first._compact(step)
    assert landed.read(1, 0, END).values.tolist() == [1.0]


def test_put_that_fails_stores_nothing_of_it(landed: LandedStore) -> None:
    from cloud.errors import StoreError

    with pytest.raises(StoreError), transaction(landed._engine) as session:
        session.connection().exec_driver_sql("PRAGMA max_page_count = 1")
        session.add(
            Landing(
                gateway_id="g", epoch=1, sequence=1, min_time=0, max_time=0, readings=1, body=b"x" * 99999
            )
        )
    assert count(landed, Landing) == 0


def naive_chart(readings: Readings, start: int, width: int) -> list[tuple]:
    """The slow, obvious twin of `bucket`."""
    rows = []
    for number in sorted({(time - start) // width for time in readings.times.tolist()}):
        inside = [
            (value, flags)
            for time, value, flags in zip(*(column.tolist() for column in readings), strict=True)
            if (time - start) // width == number
        ]
        good = [value for value, flags in inside if not flags & 15 and np.isfinite(value)]
        flags = 0
        for _, one in inside:
            flags |= one
        numbers = (sum(good) / len(good), min(good), max(good)) if good else (np.nan,) * 3
        rows.append((number * width + start + width // 2, *numbers, flags))
    return rows


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1000),
            st.floats(-1e6, 1e6) | st.just(float("nan")),
            st.sampled_from([0, 1, 2, 16, 64]),
        ),
        max_size=60,
    ),
    st.integers(1, 300),
)
def test_chart_agrees_with_its_naive_twin(rows, width) -> None:
    rows.sort(key=lambda row: row[0])
    times, values, quality = zip(*rows, strict=True) if rows else ((), (), ())
    readings = Readings(np.array(times, np.int64), np.array(values, float), np.array(quality, np.uint8))
    found = list(zip(*(column.tolist() for column in bucket(readings, 0, width)), strict=True))
    expected = naive_chart(readings, 0, width)
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        assert row == pytest.approx(wanted, nan_ok=True)


def test_chart_of_a_long_span_keeps_peaks_and_is_as_long_as_asked(landed: LandedStore) -> None:
    times = T0 + np.arange(0, 5 * DAY_NS, 600 * 10**9)
    values = np.zeros(len(times))
    values[333] = 50.0
    landed.put([arrival(1, np.zeros(len(times), np.int32), times, values)])
    chart = draw(landed, 1, T0, T0 + 5 * DAY_NS, 100)
    assert len(chart.times) == 100
    assert chart.maximum.max() == 50.0 and chart.values.max() < 50.0
    assert bool(np.all(np.diff(chart.times) > 0))


def test_chart_of_few_readings_shows_them_and_hides_what_is_not_believed(landed: LandedStore) -> None:
    bad = int(Quality.OUT_OF_RANGE)
    landed.put([arrival(1, [0, 0], [T0, T0 + 1], [20.0, 9999.0], [0, bad])])
    chart = draw(landed, 1, T0, T0 + 100, 50)
    assert chart.times.tolist() == [T0, T0 + 1]
    assert np.array_equal(chart.values, [20.0, np.nan], equal_nan=True)
    assert chart.quality.tolist() == [0, bad]
    assert len(draw(landed, 1, T0 + 50, T0 + 50, 10).times) == 0


@pytest.mark.parametrize("cursor", ["x", "1", "1.2.3", "9" * 30 + ".1", "-.1"])
def test_page_behind_no_cursor_is_refused(landed: LandedStore, cursor: str) -> None:
    with pytest.raises(InvalidError):
        read_page(landed, 1, 0, END, 10, cursor)


def test_merge_of_nothing_is_empty() -> None:
    assert [column.dtype for column in merge([])] == [np.int64, np.float64, np.uint8]
