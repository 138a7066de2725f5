"""Spooled blocks become messages: each in exactly one, whatever is killed when."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from edge_rig import BOOT, block
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.outbox.cutter import Cutter
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.spool import Spool
from models.clock import SECOND_NS
from models.identity import Stream
from models.wire.columns import decode_columns
from models.wire.envelope import Kind, open_envelope


class Hand:
    """Monotonic time that moves when told."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


def make_cutter(spool: Spool, outbox: Outbox, hand: Hand, readings: int = 10) -> Cutter:
    return Cutter(
        spool, outbox, resolution=lambda: np.zeros(2), announce=lambda: None, readings=readings, seconds=5,
        monotonic_ns=hand,
    )  # fmt: skip


def readings_in(outbox: Outbox) -> list[tuple[int, float]]:
    """Index and value of every reading in the outbox's telemetry, in order."""
    found = []
    for _, raw in outbox.messages(Stream.BULK, 0, 10_000):
        envelope = open_envelope(raw)
        if envelope.kind == Kind.TELEMETRY:
            body = decode_columns(envelope.body)
            found += [(body.first_index + i, float(v)) for i, v in enumerate(body.value)]
    return found


def test_cutter_waits_for_enough_readings_or_five_seconds(make_spool, make_outbox):
    spool, outbox, hand = make_spool(), make_outbox(), Hand()
    cutter = make_cutter(spool, outbox, hand)
    spool.append(block([1.0] * 4), "boiler", None)
    assert cutter.step() == 0
    hand.ns += 4 * SECOND_NS
    assert cutter.step() == 0
    hand.ns += SECOND_NS
    assert cutter.step() == 1
    for _ in range(5):
        spool.append(block([2.0] * 4), "boiler", None)
    assert cutter.step() == 2
    spool.append(block([3.0] * 9), "boiler", None)
    assert cutter.step() == 0
    assert cutter.step(final=True) == 1
    assert [index for index, _ in readings_in(outbox)] == list(range(33))


@pytest.mark.row("A1")
def test_what_an_earlier_life_left_is_cut_at_once(make_spool, make_outbox):
    spool, outbox, hand = make_spool(), make_outbox(), Hand()
    spool.append(block([1.0] * 4), "boiler", None)
    spool.close()
    later = make_spool()
    cutter = make_cutter(later, outbox, hand)
    later.append(block([2.0] * 3), "boiler", None)
    assert cutter.step() == 1
    later.append(block([3.0] * 3), "boiler", None)
    assert cutter.step() == 0
    hand.ns += 5 * SECOND_NS
    assert cutter.step() == 1
    assert [index for index, _ in readings_in(outbox)] == list(range(10))


def test_cutting_makes_everything_durable_so_the_spool_waits_for_the_disk_only_in_between(
    make_spool, make_outbox, monkeypatch
):
    syncs: list[int] = []
    monkeypatch.setattr("edge_agent.outbox.spool.os.fdatasync", syncs.append)
    spool, outbox, hand = make_spool(), make_outbox(), Hand()
    cutter = make_cutter(spool, outbox, hand)
    syncs.clear()  # the one at the spool's opening
    for second in range(10):
        spool.append(block([float(second)]), "boiler", None)
        cutter.step()
        hand.ns += SECOND_NS
    # Cut once, at the sixth step, by the outbox's commit.
    assert (len(readings_in(outbox)), len(syncs)) == (6, 9)


def test_spool_that_lost_what_the_outbox_has_goes_on_behind_it(make_spool, make_outbox, tmp_path: Path):
    spool, outbox = make_spool(), make_outbox()
    spool.append(block([1.0, 2.0]), "boiler", None)
    spool.sync()
    kept = spool.end
    spool.append(block([3.0]), "boiler", None)
    make_cutter(spool, outbox, Hand()).step(final=True)
    spool.close()
    # The power cut took what was never synced.
    path = tmp_path / "spool" / f"{0:016x}.seg"
    path.write_bytes(path.read_bytes()[:kept])
    again = make_spool(boot="12" * 16, at_least=outbox.mark().position)
    again.append(block([4.0]), "boiler", None)
    make_cutter(again, outbox, Hand()).step(final=True)
    assert [value for _, value in readings_in(outbox)] == [1.0, 2.0, 3.0, 4.0]
    assert again.read(0)[0][0].block.value.tolist() == [1.0, 2.0]
    assert again.damaged_bytes == 0


def test_cutter_keeps_boots_and_clock_steps_apart(make_spool, make_outbox):
    from dataclasses import replace

    spool, outbox = make_spool(), make_outbox()
    spool.append(block([1.0]), "boiler", None)
    spool.append(replace(block([2.0]), monotonic_offset_ns=0), "boiler", None)
    cutter = make_cutter(spool, outbox, Hand())
    assert cutter.step(final=True) == 2


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_reading_is_cut_exactly_once_over_crashes_at_any_point(tmp_path_factory, data):
    """A crash is a copy of the folder as it stands, the unsynced tail of the spool possibly torn."""
    life = tmp_path_factory.mktemp("life")
    written: list[float] = []
    hand = Hand()
    for _ in range(data.draw(st.integers(1, 4))):
        spool = Spool(life / "spool", boot=BOOT, life=lambda: "x", max_bytes=1 << 20)
        outbox = Outbox(life / "outbox.db", "gw-1", max_mb=8, new_epoch=lambda: 5, now=lambda: 1)
        cutter = make_cutter(spool, outbox, hand)
        written = _spooled(spool)
        for _ in range(data.draw(st.integers(0, 12))):
            step = data.draw(st.sampled_from(["append", "cut", "wait"]))
            if step == "append":
                values = [float(len(written) + i) for i in range(data.draw(st.integers(1, 7)))]
                spool.append(block(values), "boiler", str(len(written)))
                written += values
            elif step == "cut":
                cutter.step()
            else:
                hand.ns += 5 * SECOND_NS
        crashed = tmp_path_factory.mktemp("crashed") / "life"
        shutil.copytree(life, crashed)
        spool.close()
        outbox.close()
        life = crashed
    spool = Spool(life / "spool", boot=BOOT, life=lambda: "x", max_bytes=1 << 20)
    outbox = Outbox(life / "outbox.db", "gw-1", max_mb=8, new_epoch=lambda: 5, now=lambda: 1)
    make_cutter(spool, outbox, hand).step(final=True)
    assert readings_in(outbox) == list(enumerate(written))
    spool.close()
    outbox.close()


def _spooled(spool: Spool) -> list[float]:
    found: list[float] = []
    position = 0
    while True:
        records, position = spool.read(position)
        if not records:
            return found
        found += [float(v) for record in records for v in record.block.value]


def test_spool_is_given_back_only_when_cut(make_spool, make_outbox, tmp_path: Path):
    spool, outbox = make_spool(max_bytes=40_000), make_outbox()
    cutter = make_cutter(spool, outbox, Hand())
    for _ in range(10):
        spool.append(block([1.0] * 100), "boiler", None)
    spool.release(cutter.position)
    assert spool.start == 0
    cutter.step(final=True)
    spool.release(cutter.position)
    assert spool.start > 0
    assert len(list((tmp_path / "spool").glob("*.seg"))) < 5
