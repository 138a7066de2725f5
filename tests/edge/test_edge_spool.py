"""The spool: what was appended is there, whatever happens to its end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from edge_rig import BOOT, block
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.outbox.record import pack_record, parse_records
from edge_agent.outbox.spool import Spool, SpoolFullError


def values_of(spool: Spool, position: int = 0) -> list[float]:
    found: list[float] = []
    while True:
        records, position = spool.read(position)
        if not records:
            return found
        for record in records:
            found.extend(record.block.value.tolist())


def test_spool_gives_back_blocks_with_indices_that_go_on(make_spool):
    spool = make_spool()
    spool.append(block([1.0, 2.0]), "boiler", None)
    spool.append(block([3.0]), "boiler", "row-3")
    records, end = spool.read(0)
    assert [record.block.first_index for record in records] == [0, 2]
    assert [record.cursor for record in records] == [None, "row-3"]
    assert {record.block.boot for record in records} == {spool.boot}
    assert end == spool.end


def test_spool_reopened_in_the_same_boot_counts_on(make_spool):
    first = make_spool()
    first.append(block([1.0, 2.0]), "boiler", None)
    first.close()
    second = make_spool()
    second.append(block([3.0]), "boiler", None)
    assert second.boot == first.boot
    assert second.next_index == 3
    assert values_of(second) == [1.0, 2.0, 3.0]


def test_spool_reopened_after_a_reboot_counts_from_zero_under_another_boot(make_spool):
    first = make_spool()
    first.append(block([1.0]), "boiler", None)
    first.close()
    second = make_spool(boot="12" * 16)
    assert (second.next_index, second.boot != first.boot) == (0, True)


def test_spool_rotated_just_before_a_crash_still_counts_on(make_spool):
    spool = make_spool(max_bytes=4096 * 8)
    spool.append(block([0.0] * 300), "boiler", None)
    spool._rotate(spool.end)
    spool.close()
    assert make_spool(max_bytes=4096 * 8).next_index == 300


@given(cut=st.integers(0, 400), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spool_torn_at_any_byte_keeps_every_whole_block(tmp_path_factory, cut, seed):
    folder = tmp_path_factory.mktemp("torn")
    spool = Spool(folder, boot=BOOT, life=lambda: "x", max_bytes=1 << 20)
    ends = []
    for number in range(4):
        spool.append(block([float(number)] * (1 + seed % 3)), "boiler", None)
        ends.append(spool.end)
    spool.close()
    path = folder / f"{0:016x}.seg"
    path.write_bytes(path.read_bytes()[: max(0, spool.end - cut)])
    whole = [number for number, end in enumerate(ends) if end <= spool.end - cut]
    mended = Spool(folder, boot=BOOT, life=lambda: "x", max_bytes=1 << 20)
    assert sorted(set(values_of(mended))) == [float(number) for number in whole]
    mended.append(block([99.0]), "boiler", None)
    assert values_of(mended)[-1] == 99.0
    mended.close()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spool_with_one_flipped_bit_loses_that_block_alone(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("flipped")
    spool = Spool(folder, boot=BOOT, life=lambda: "x", max_bytes=1 << 20)
    for number in range(5):
        spool.append(block([float(number)]), "boiler", None)
    size = spool.end
    spool.close()
    chance = random.Random(seed)
    path = folder / f"{0:016x}.seg"
    raw = bytearray(path.read_bytes())
    at = chance.randrange(size)
    raw[at] ^= 1 << chance.randrange(8)
    path.write_bytes(raw)
    mended = Spool(folder, boot=BOOT, life=lambda: "x", max_bytes=1 << 20)
    hit = at // (size // 5)
    found = values_of(mended)
    # A length that was hit hides nothing but its own block.
    assert set(found) == {float(n) for n in range(5) if n != hit}
    mended.close()


def test_spool_full_refuses_until_somebody_has_read(make_spool):
    spool = make_spool(max_bytes=40_000)
    with pytest.raises(SpoolFullError):
        for _ in range(100):
            spool.append(block([1.0] * 100), "boiler", None)
    spool.release(spool.end)
    spool.append(block([2.0]), "boiler", None)
    assert values_of(spool, spool.start)[-1] == 2.0


def test_spool_behind_the_outbox_begins_where_the_outbox_ends(make_spool):
    spool = make_spool(at_least=5000)
    spool.append(block([1.0]), "boiler", None)
    assert (spool.start, values_of(spool)) == (5000, [1.0])


def test_record_carries_a_cursor_of_no_letters(make_spool):
    raw = pack_record(make_spool_block(), "d", "")
    records, used, damaged = parse_records(raw, 0)
    assert (records[0].cursor, used, damaged) == ("", len(raw), 0)


def make_spool_block():
    from dataclasses import replace

    return replace(block([1.0]), boot=BOOT)


_WRITER = """
import sys
sys.path.insert(0, {tests!r})
from edge_rig import block
from edge_agent.outbox.spool import Spool
from pathlib import Path
spool = Spool(Path({folder!r}), boot="ab" * 16, life=lambda: "x", max_bytes=1 << 26)
number = spool.next_index
while True:
    spool.append(block([float(number)]), "boiler", str(number))
    print(number, flush=True)
    number += 1
"""


def test_spool_of_a_process_killed_again_and_again_has_every_reading_it_said(tmp_path: Path):
    said = -1
    for _ in range(3):
        script = _WRITER.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "spool"))
        writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for line in writer.stdout:
            said = int(line)
            if said % 200 == 199:
                break
        writer.send_signal(signal.SIGKILL)
        rest = [int(line) for line in writer.stdout.read().split("\n")[:-1]]
        said = max([said, *rest])
        writer.wait()
    spool = Spool(tmp_path / "spool", boot=BOOT, life=lambda: "x", max_bytes=1 << 26)
    found = values_of(spool)
    assert found == [float(number) for number in range(len(found))]
    assert len(found) > said
    spool.close()


@pytest.mark.row("A4")
def test_what_the_last_run_had_no_time_to_sync_is_synced_at_the_start(tmp_path, monkeypatch):
    first = Spool(tmp_path / "spool", boot=BOOT, life=lambda: "x", max_bytes=1 << 20)
    first.append(block([1.0]), "boiler", None)
    sizes: list[int] = []
    monkeypatch.setattr("os.fdatasync", lambda handle: sizes.append(os.fstat(handle).st_size))
    again = Spool(tmp_path / "spool", boot=BOOT, life=lambda: "x", max_bytes=1 << 20)
    assert sizes == [again.end]
    assert values_of(again) == [1.0]
    first.close()
    again.close()
