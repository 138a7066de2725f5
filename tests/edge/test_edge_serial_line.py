"""A serial line for microcontrollers: the document's golden frames, and what real wires do to them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from driver_cases import device
from hypothesis import given
from hypothesis import strategies as st
from serial_rig import SerialLine

import edge_agent
from edge_agent.drivers.line_frames import (
    DESCRIPTION,
    READINGS,
    FrameError,
    FrameSplitter,
    read_description,
    read_frame,
    read_values,
    unstuff,
)
from edge_agent.drivers.seam import Driver, DriverError
from edge_agent.drivers.serial_line import SerialLineDriver
from edge_agent.drivers.table import make_driver
from firmware_sim.serial_line import frame, readings, stuff
from models.clock import SystemClock
from models.errors import ConfigurationError

DOCUMENT = Path(edge_agent.__file__).parents[1] / "docs/wire/serial-line.md"
GOLDEN = [
    (bytes.fromhex(content), bytes.fromhex(wire))
    for content, wire in re.findall(r"content +([0-9a-f ]+)\n +wire +([0-9a-f ]+)\n", DOCUMENT.read_text())
]


@pytest.fixture
def line() -> Iterator[SerialLine]:
    made = SerialLine()
    yield made
    made.close()


@pytest.fixture
def node(line: SerialLine) -> Iterator[BinaryIO]:
    with open(line.far, "wb", buffering=0) as port:  # noqa: PTH123 (a device file)
        yield port


def listening(line: SerialLine, *sources: dict[str, int], cursor: str | None = None, **more: Any) -> Driver:
    made = device("serial_line", {"port": line.near, "node": 7, **more}, list(sources or [{"channel": 1}]))
    driver = make_driver(made, SystemClock())
    driver.open(cursor)
    return driver


def told(sequence: int, value: int | float | None, *, boot: int = 1, number: int = 7) -> bytes:
    return frame(READINGS, number, boot, sequence, readings({1: value}))


def drain(driver: Driver) -> list[float]:
    heard: list[float] = []
    while (batch := driver.read(0.4)) is not None:
        heard += batch.value.tolist()
    return heard


def test_golden_frames_of_the_document():
    assert len(GOLDEN) == 3
    for content, wire in GOLDEN:
        assert unstuff(wire[:-1]) == content
        assert FrameSplitter().feed(b"\0" + wire) == [wire[:-1]]
    first, second, third = (read_frame(wire[:-1]) for _, wire in GOLDEN)
    assert (first.node, first.boot, first.sequence, first.kind) == (7, 1, 300, READINGS)
    assert str(read_values(first.body)) == "[(1, 215.0), (2, nan)]"
    assert read_values(second.body) == [(1, -10.0), (2, 21.5), (3, 100000.0)]
    assert third.kind == DESCRIPTION
    name, channels = read_description(third.body)
    assert name == "hall"
    assert [(c.channel, c.exponent, c.kind, c.unit) for c in channels] == [
        (1, -1, "temperature", "Cel"),
        (2, 0, "door", ""),
    ]


@given(st.binary(max_size=253))
def test_what_was_stuffed_comes_out_again(content):
    stuffed = stuff(content)
    assert 0 not in stuffed
    assert len(stuffed) == len(content) + 1
    assert unstuff(stuffed) == content


@pytest.mark.parametrize("wire", [wire for _, wire in GOLDEN])
def test_no_single_damaged_byte_passes(wire):
    for at in range(len(wire) - 1):
        for change in range(1, 256):
            damaged = bytearray(wire)
            damaged[at] ^= change
            for piece in FrameSplitter().feed(b"\0" + bytes(damaged)):
                with pytest.raises(FrameError):
                    read_frame(piece)


@given(st.lists(st.binary(max_size=600)))
def test_noise_breaks_nothing(pieces):
    splitter = FrameSplitter()
    for piece in pieces:
        for stuffed in splitter.feed(piece):
            with pytest.raises(FrameError):
                frame_ = read_frame(stuffed)
                read_values(frame_.body)


def test_readings_come_through_whatever_stands_round_them(line, node):
    driver = listening(line, {"channel": 1}, {"channel": 2, "node": 8})
    node.write(b"\x99\x98\x00\x00")
    node.write(told(0, 215) + b"noise\x00" + b"\x55" * 700 + b"\x00")
    node.write(frame(READINGS, 8, 1, 0, readings({2: 21.5, 9: 1})))
    node.write(frame(READINGS, 99, 1, 0, readings({1: 5})))
    node.write(told(1, None))
    batches = [driver.read(2.0) for _ in range(3)]
    driver.close()
    assert [(b.channel.tolist(), str(b.value.tolist())) for b in batches] == [
        ([0], "[215.0]"),
        ([1], "[21.5]"),
        ([0], "[nan]"),
    ]


def test_repeated_frames_are_taken_once_and_lost_ones_counted(line, node):
    driver = listening(line)
    assert isinstance(driver, SerialLineDriver)
    node.write(b"\0")
    for sequence in (5, 5, 6, 5, 6, 9, 10, 9):
        node.write(told(sequence, sequence))
    assert drain(driver) == [5, 6, 9, 10]
    driver.close()
    assert (driver.lost, driver.damaged) == (2, 0)


def test_a_repeated_frame_is_known_after_a_restart_of_the_agent(line, node):
    driver = listening(line)
    node.write(b"\0" + told(3, 30))
    cursor = driver.read(2.0).cursor
    driver.close()
    again = listening(line, cursor=cursor)
    node.write(b"\0" + told(3, 30) + told(4, 40))
    assert drain(again) == [40]
    again.close()


@pytest.mark.parametrize(("boot", "sequence"), [(2, 0), (2, 500), (1, 0)], ids=["new", "late", "forgetful"])
def test_a_node_that_begins_anew_is_heard(line, node, boot, sequence):
    driver = listening(line)
    node.write(b"\0" + told(500, 1) + told(sequence, 2, boot=boot))
    assert drain(driver) == [1, 2]
    driver.close()


def test_sequence_goes_round(line, node):
    driver = listening(line)
    assert isinstance(driver, SerialLineDriver)
    node.write(b"\0" + b"".join(told(s & 0xFFFF, s & 7) for s in range(65533, 65540)))
    assert len(drain(driver)) == 7
    driver.close()
    assert driver.lost == 0


def test_other_versions_and_kinds_are_skipped(line, node):
    from firmware_sim.serial_line import crc16

    driver = listening(line)
    later = bytes([0x21, 7, 1, 0, 0, 1, 9, 9])
    node.write(b"\0" + stuff(later + crc16(later).to_bytes(2, "big")) + b"\0")
    node.write(frame(5, 7, 1, 1, b"??") + told(2, 20))
    assert drain(driver) == [20]
    driver.close()


def test_a_line_without_a_word_says_what_to_check(line):
    driver = listening(line, silent_s=0.3)
    with pytest.raises(DriverError, match="TX leads to our RX"):
        drain_until_error(driver)
    driver.close()


def test_bytes_without_a_frame_point_at_the_speed(line, node):
    driver = listening(line, silent_s=0.5)
    node.write(b"\xf0\x1e\xf0" * 20)
    with pytest.raises(DriverError, match="check speed"):
        drain_until_error(driver)
    driver.close()


def drain_until_error(driver: Driver) -> None:
    for _ in range(20):
        driver.read(0.3)


def test_a_line_of_nobody_else(line):
    first = listening(line)
    with pytest.raises(DriverError, match="another program"):
        listening(line)
    first.close()


@pytest.mark.parametrize("source", ["1", {"channel": 256}, {"node": 1}])
def test_sources_that_are_none_are_refused(source):
    with pytest.raises(ConfigurationError) as raised:
        make_driver(device("serial_line", {"port": "/dev/x"}, [source]), SystemClock())
    assert raised.value.key.startswith("channels[0].source")


def test_not_a_number_is_told_apart_from_zero():
    assert math.isnan(read_values(readings({1: None}))[0][1])
    assert read_values(readings({1: 0})) == [(1, 0.0)]
