"""lastmile-edge import: readings from before there was a gateway. They teach, and raise nothing."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edge_agent.drivers.seam import Batch
from edge_agent.drivers.stamps import parse_stamp
from edge_agent.pipeline import Pipeline
from edge_agent.sampler.calibration import Calibration
from models.clock import ClockState
from models.configuration import ChannelConfig, DeviceConfig
from models.errors import LastmileError
from models.readings import ReadingBlock

log = logging.getLogger(__name__)
ROWS_AT_ONCE = 500
Row = tuple[int, list[tuple[str, float]]]


class HistoryError(LastmileError):
    """A file that cannot be imported; names file, line and what was expected."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of it."""

    rows: int
    readings: int
    skipped_rows: int
    messages: int


def import_history(
    pipeline: Pipeline, path: Path, progress: Callable[[int, int], None] = lambda rows, readings: None
) -> Imported:
    """Run a CSV through spool, monitors and outbox as historic readings.

    Columns `time` and channels' names, or `time, channel, value`; times in unix s, ms, ns or ISO 8601;
    values in the channels' units. Interrupted and called again, it goes on where it stopped.
    """
    channels = {entry.name: entry for entry in pipeline.book.by_name.values()}
    device = f"import:{path.name}"
    done = int(pipeline.cursors.get(device, "0") or 0)
    calibration = _plain_calibration(pipeline)
    rows = readings = 0
    skipped = done
    for chunk in _chunks(read_rows(path, set(channels)), done):
        block = _block(chunk, calibration, pipeline)
        rows += len(chunk)
        readings += len(block)
        pipeline.spool.append(block, device, str(done + rows))
        _drain(pipeline)
        progress(done + rows, readings)
    before = pipeline.outbox.counts()["bulk_assigned"]
    _drain(pipeline, final=True)
    messages = pipeline.outbox.counts()["bulk_assigned"]
    log.debug("last cut made %d messages", messages - before)
    return Imported(rows, readings, skipped, messages)


def read_rows(path: Path, channels: set[str]) -> Iterator[Row]:
    """Rows of a history file as time and (channel, value) pairs; empty cells are left out.

    HistoryError when the header fits neither form, or a time cannot be read.
    """
    try:
        file = path.open(newline="", encoding="utf-8-sig")
    except OSError as missing:
        raise HistoryError(f"{path} cannot be read: {missing.strerror}") from missing
    with file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        if header[:1] != ["time"]:
            raise HistoryError(f"{path}:1: the first column is {header[:1]}, expected time")
        is_long = header == ["time", "channel", "value"]
        names = [] if is_long else header[1:]
        if unknown := sorted(set(names) - channels):
            raise HistoryError(
                f"{path}:1: no channel {unknown[0]!r} in the configuration; it has {sorted(channels)[:20]}"
            )
        for number, cells in enumerate(reader, 2):
            if cells:
                yield _row(path, number, cells, names, channels)


def _row(path: Path, number: int, cells: list[str], names: list[str], channels: set[str]) -> Row:
    try:
        time = parse_stamp(cells[0])
    except ValueError as wrong:
        raise HistoryError(
            f"{path}:{number}: {cells[0]!r} is no time (unix s, ms, ns or ISO 8601)"
        ) from wrong
    if not names:
        if len(cells) < 3 or cells[1] not in channels:
            raise HistoryError(
                f"{path}:{number}: expected time,channel,value with a known channel: {cells[:3]}"
            )
        return time, [(cells[1], _number(cells[2]))]
    pairs = [(name, _number(cell)) for name, cell in zip(names, cells[1:], strict=False) if cell.strip()]
    return time, pairs


def _chunks(rows: Iterator[Row], skip: int) -> Iterator[list[Row]]:
    rows = islice(rows, skip, None)
    while chunk := list(islice(rows, ROWS_AT_ONCE)):
        yield chunk


def _plain_calibration(pipeline: Pipeline) -> dict[str, tuple[int, Calibration]]:
    """For each channel its place in one wide calibration without scale: history holds real units."""
    document = pipeline.in_force.document
    channels = tuple(
        ChannelConfig.model_validate({**channel.model_dump(), "scale": 1.0, "offset": 0.0})
        for device in document.devices
        for channel in device.channels
    )
    wide = DeviceConfig(name="import", driver="import", channels=channels)
    numbers = {channel.name: pipeline.book.by_name[channel.name].number for channel in channels}
    calibration = Calibration(wide, numbers, late_s=0, ahead_s=0, owns_time=True)
    return {channel.name: (place, calibration) for place, channel in enumerate(channels)}


def _block(chunk: list[Row], places: dict[str, tuple[int, Calibration]], pipeline: Pipeline) -> ReadingBlock:
    found = [
        (places[name][0], value, time) for time, pairs in chunk for name, value in pairs if name in places
    ]
    columns = [list(column) for column in zip(*found, strict=True)] if found else [[], [], []]
    batch = Batch.of(columns[0], columns[1], columns[2])
    _, calibration = next(iter(places.values()))
    return calibration.block(
        batch,
        wall_ns=pipeline.clock.wall_ns(),
        monotonic_ns=pipeline.clock.monotonic_ns(),
        state=ClockState.UNKNOWN,
        historic=True,
    )


def _drain(pipeline: Pipeline, *, final: bool = False) -> None:
    """Judge and cut what was appended, when enough has come together."""
    behind = pipeline.spool.end - pipeline.cutter.position
    if not final and behind < pipeline.spool.max_bytes // 8:
        return
    while pipeline.judge.step():
        pass
    pipeline.cutter.step(final=final)
    pipeline.tidy()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
