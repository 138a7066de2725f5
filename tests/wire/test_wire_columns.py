"""Columns bodies: lossless to the bit, small, and safe to read whatever the bytes say."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import columns_twin
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from wire_samples import BLOCKS, BOOT, START, TENTHS, block_of, calm_block, empty_block, odd_block

from models.clock import ClockState
from models.errors import BodyError
from models.readings import ReadingBlock, round_to_resolution
from models.wire.columns import MAX_ROWS, decode_columns, encode_columns, read_head

GOLDEN = Path(__file__).parent / "golden"


def said(block: ReadingBlock) -> tuple:
    """All of a block, floats as their bits, so that equal means equal to the bit."""
    columns = (block.channel, block.time, block.value, block.quality)
    header = (block.boot, block.first_index, block.monotonic_offset_ns, block.clock)
    return header, [(column.dtype, column.tobytes()) for column in columns]


def resealed(body: bytes) -> bytes:
    """The body with a check that fits it again: what a hostile sender would send."""
    return body[:2] + struct.pack(">I", zlib.crc32(body[:2] + body[6:])) + body[6:]


def twin_says(body: bytes) -> tuple:
    twin = columns_twin.read(body)
    rows = np.array(twin["rows"], object).reshape(-1, 4)
    columns = [rows[:, k].astype(kind) for k, kind in enumerate((np.int32, np.int64, np.int64, np.uint8))]
    header = (twin["boot"], twin["first_index"], twin["offset"], ClockState(twin["clock"]))
    return header, [(np.dtype(np.float64) if k == 2 else c.dtype, c.tobytes()) for k, c in enumerate(columns)]


@pytest.mark.parametrize("name", BLOCKS)
def test_columns_come_back_to_the_bit(name):
    block = BLOCKS[name]()
    assert said(decode_columns(encode_columns(block, TENTHS))) == said(block)


@pytest.mark.parametrize("name", BLOCKS)
def test_columns_read_the_same_by_a_reader_made_from_the_page(name):
    body = encode_columns(BLOCKS[name](), TENTHS)
    assert twin_says(body) == said(decode_columns(body))


@pytest.mark.row("A18")
@pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("*/columns-*.bin")), ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_columns_of_every_release_are_read(path):
    block = BLOCKS[path.stem.removeprefix("columns-")]()
    assert said(decode_columns(path.read_bytes())) == said(block)


@pytest.mark.parametrize("name", ["calm", "empty"])
def test_columns_are_written_as_in_the_newest_release(name):
    newest = max(GOLDEN.iterdir(), key=lambda folder: int(folder.name))
    assert encode_columns(BLOCKS[name](), TENTHS) == (newest / f"columns-{name}.bin").read_bytes()


def column(draw, rows: int, *kinds):
    """`rows` numbers of one of `kinds`."""
    return draw(st.lists(draw(st.sampled_from(kinds)), min_size=rows, max_size=rows))


@st.composite
def blocks(draw) -> ReadingBlock:
    rows = draw(st.integers(0, 40))
    numbers = draw(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5))
    whole = st.integers(-(1 << 63), (1 << 63) - 1)
    near = st.integers(0, 5000).map(lambda ms: START + ms * 1_000_000)
    tenths = st.integers(-500, 500).map(lambda step: step / 10.0)
    any_float = st.floats() | arrays.from_dtype(np.dtype(np.int64)).map(lambda b: b.view(np.float64))
    return block_of(
        column(draw, rows, st.sampled_from(numbers)),
        column(draw, rows, whole, near, st.just(START)),
        np.array(column(draw, rows, any_float, tenths), np.float64),
        column(draw, rows, st.just(0), st.integers(0, 255)),
        first_index=draw(st.integers(0, (1 << 63) - 1)),
        monotonic_offset_ns=draw(whole),
        clock=draw(st.sampled_from(ClockState)),
        boot=draw(st.integers(0, (1 << 128) - 1).map(lambda number: f"{number:032x}")),
    )


@settings(deadline=None, max_examples=200)
@given(blocks(), st.lists(st.sampled_from([0.0, 0.1, 0.3, 7.5, 1e-9, -1.0, float("nan"), 1e301]), max_size=3))
def test_columns_of_any_block_come_back_and_both_readers_agree(block, resolution):
    body = encode_columns(block, np.array(resolution, np.float64))
    assert said(decode_columns(body)) == said(block)
    assert twin_says(body) == said(block)


def test_columns_with_more_stated_resolutions_than_the_table_holds():
    channels = 300
    resolution = 0.3 + np.arange(channels) * 0.01
    channel = np.tile(np.arange(channels), 3)
    value = np.repeat([7.0, 8.0, 9.0], channels) * np.tile(resolution, 3)
    block = block_of(channel, np.full(3 * channels, START), value)
    assert said(decode_columns(encode_columns(block, resolution))) == said(block)


def test_columns_long_enough_to_try_planes_come_back():
    rows = 10_000
    wave = np.tile(np.arange(-50, 50), rows // 100) / 10.0
    block = block_of(np.zeros(rows), START + np.arange(rows) * 60_000_000_000, wave)
    body = encode_columns(block, TENTHS)
    assert said(decode_columns(body)) == said(block)
    # A pattern that repeats is found: far less than the step's own six bits.
    assert len(body) < rows * 0.1


def test_columns_take_views_into_bytes_that_cannot_be_written():
    block = calm_block()
    frozen = ReadingBlock(
        np.frombuffer(block.channel.tobytes(), np.int32),
        np.frombuffer(block.time.tobytes(), np.int64),
        np.frombuffer(np.repeat(block.value, 2).tobytes(), np.float64)[::2],
        np.frombuffer(block.quality.tobytes(), np.uint8),
        block.boot,
        block.first_index,
        block.monotonic_offset_ns,
        block.clock,
    )
    assert encode_columns(frozen, TENTHS) == encode_columns(block, TENTHS)


def test_columns_head_is_read_without_unpacking():
    head = read_head(encode_columns(odd_block(), TENTHS))
    assert (head.rows, head.channels, head.first_index, head.boot) == (48, 4, 4711, BOOT)


def test_rounded_readings_cost_no_raw_floats_even_around_zero():
    rng = np.random.default_rng(1)
    value = round_to_resolution(rng.normal(0, 0.1, 500), 0.1)
    block = block_of(np.zeros(500), START + np.arange(500) * 1_000_000_000, value)
    assert len(encode_columns(block, TENTHS)) < 54 + 500 / 2


@pytest.mark.parametrize(
    "broken",
    [
        {"boot": "no-boot"},
        {"boot": BOOT.upper()},
        {"first_index": -1},
        {"channel": [-1]},
    ],
)
def test_columns_refuse_to_write_what_is_no_block(broken):
    fields = {"channel": [1], "time": [START], "value": [1.0]} | broken
    with pytest.raises(ValueError, match=r"block|negative"):
        encode_columns(block_of(**fields), TENTHS)


def test_columns_refuse_to_write_more_rows_than_a_reader_takes():
    rows = MAX_ROWS + 1
    with pytest.raises(ValueError, match="rows"):
        encode_columns(block_of(np.zeros(rows), np.zeros(rows), np.zeros(rows)), TENTHS)


def code_of(body: bytes) -> str:
    with pytest.raises(BodyError) as caught:
        decode_columns(body)
    return caught.value.code


def test_every_flipped_bit_of_columns_is_seen():
    body = encode_columns(calm_block(), TENTHS)
    for place in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[place >> 3] ^= 1 << (place & 7)
        assert code_of(bytes(flipped)) in {"check", "version"}


@pytest.mark.parametrize("name", BLOCKS)
def test_every_truncation_of_columns_is_seen(name):
    body = encode_columns(BLOCKS[name](), TENTHS)
    for size in range(len(body)):
        assert code_of(body[:size]) in {"short", "check"}
        if size >= 54:
            assert code_of(resealed(body[:size])) in {"short", "zstd", "run", "size"}


def test_columns_of_a_newer_version_are_refused_by_name():
    assert code_of(resealed(b"\x02" + encode_columns(calm_block(), TENTHS)[1:])) == "version"


def with_columns(columns: bytes, rows: int, channels: int = 1, flags: int = 1) -> bytes:
    """A body around columns made by hand."""
    head = struct.pack(">BBIII16sQqq", 1, flags, 0, rows, channels, bytes(16), 0, 0, 0)
    return resealed(head + columns)


def framed(columns: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(columns)[4:]


REST = b"\x00" * 12  # columns of zeros, as far as any of the cases goes
HAND_MADE = {
    "more rows than any body has": (with_columns(b"", 4_000_000_000), "rows"),
    "more channels than rows": (with_columns(b"", 3, 4), "rows"),
    "rows without a channel": (with_columns(b"", 3, 0), "rows"),
    "a flag from the future": (with_columns(b"", 1, 1, flags=9), "flags"),
    "a clock state that is none": (with_columns(b"", 1, 1, flags=3), "flags"),
    "bytes after an empty block": (with_columns(b"\x00", 0, 0), "trailing"),
    "no columns at all": (with_columns(b"", 1), "short"),
    "a column nine bytes wide": (with_columns(b"\x0a", 1), "width"),
    "a column that runs past the end": (with_columns(b"\x08" + bytes(7), 1), "short"),
    "a channel number below zero": (with_columns(b"\x01\x01" + REST, 1), "channel"),
    "counts that do not sum up": (with_columns(b"\x00\x01\x02" + REST, 2), "count"),
    "a channel with more rows than it has": (with_columns(b"\x00\x00\x01\x01\x01" + REST, 2, 2), "order"),
    "a row of a channel that is not there": (with_columns(b"\x00\x00\x01\x07\x00" + REST, 2, 2), "order"),
    "times like those before the first": (with_columns(b"\x00\x00\x00\x00" + REST, 1), "time"),
    "an unknown unit of time": (with_columns(b"\x00\x00\x00\x01\x06" + REST, 1), "time"),
    "an unknown unit of first times": (with_columns(b"\x00\x00\x00\x01\x01\x04" + REST, 1), "time"),
    "an unknown value code": (with_columns(bytes.fromhex("0000000101000000000124") + REST, 1), "value"),
    "a run of zeros too long": (with_columns(b"\x09\x03" + REST, 1), "run"),
    "zstd that is none": (with_columns(b"\xff\xff\xff", 1, 1, flags=4), "zstd"),
    "a frame followed by bytes": (with_columns(framed(b"\x00" * 14) + b"\x00", 1, 1, flags=4), "zstd"),
    "a bomb": (with_columns(framed(bytes(65 << 20)), 1, 1, flags=4), "size"),
}


@pytest.mark.row("B10")
@pytest.mark.parametrize("case", HAND_MADE)
def test_hostile_columns_are_refused_by_name(case):
    body, code = HAND_MADE[case]
    assert code_of(body) == code


@pytest.mark.row("B10")
def test_a_frame_that_lies_about_its_size_is_refused():
    honest = zstandard.ZstdCompressor(write_content_size=True).compress(bytes(100_000))
    said_at = 5  # magic, frame header byte, then the content's size in four bytes
    size = zstandard.get_frame_parameters(honest).content_size
    assert int.from_bytes(honest[said_at : said_at + 4], "little") == size
    lying = honest[:said_at] + struct.pack("<I", 50) + honest[said_at + 4 :]
    assert code_of(with_columns(lying[4:], 1, 1, flags=4)) == "zstd"


@pytest.mark.row("B10")
def test_a_frame_that_does_not_say_its_size_is_refused():
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1000))
    assert code_of(with_columns(silent[4:], 1, 1, flags=4)) == "size"


@pytest.mark.row("B11")
def test_mutated_columns_give_a_block_or_an_error_of_ours():
    rng = random.Random(7)
    seeds = [encode_columns(make(), TENTHS) for make in (calm_block, odd_block, empty_block)]
    seeds += [with_columns(bytes(14), 1), with_columns(bytes(16), 1000, 10)]
    outcomes = {"read": 0}
    for _ in range(20_000):
        body = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(54 if len(body) > 54 and rng.random() < 0.9 else 0, len(body))
            body[place] = rng.choice([rng.randrange(256), body[place] ^ (1 << rng.randrange(8)), 0, 255, 9])
        if rng.random() < 0.1:
            body = body[: rng.randrange(len(body))] + rng.randbytes(rng.randrange(20))
        body[:1] = b"\x01"
        # A hundred million rows are refused by the head; a million would only slow the test down.
        body[6:8] = b"\x00\x00"
        try:
            block = decode_columns(resealed(bytes(body)))
        except BodyError as wrong:
            outcomes[wrong.code] = outcomes.get(wrong.code, 0) + 1
        else:
            outcomes["read"] += 1
            assert said(decode_columns(encode_columns(block, TENTHS))) == said(block)
    # The mutations reach every part of the reader, and some bodies stay readable.
    assert set(outcomes) >= {
        "read",
        "short",
        "count",
        "order",
        "time",
        "value",
        "quality",
        "trailing",
        "width",
    }
