"""A gateway's whole writing at its own pace but on a clock moved by hand: run by test_faults_wear.py.

100 channels read each second, judged by the default monitors, cut, received by a cloud a second later; status
as the agent writes it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from edge_agent.app import STATUS_EVERY_S
from edge_agent.drivers.seam import Batch
from edge_agent.pipeline import Pipeline
from edge_agent.sampler.calibration import Calibration
from edge_agent.settings import load_settings
from edge_agent.state import StateFolder, replace_file
from edge_agent.status import describe
from models.clock import EARLIEST_NS, SECOND_NS, ClockState, VirtualClock
from models.identity import Stream
from models.wire.messages import Receipt

KINDS = (("temperature", "Cel"), ("humidity", "%RH"), ("pressure", "kPa"), ("load", "A"), ("co2", "ppm"))
DEVICES, CHANNELS = 5, 20


def settings_text() -> str:
    text = '[gateway]\nid = "gw-1"\n[default_monitors]\n'
    for device in range(DEVICES):
        kind, unit = KINDS[device]
        text += (
            f'[[devices]]\nname = "plc{device}"\ndriver = "modbus_tcp"\nperiod_s = 1.0\n'
            'settings = { host = "127.0.0.1", port = 1 }\n'
        )
        for channel in range(CHANNELS):
            text += (
                f'[[devices.channels]]\nname = "plc{device}/c{channel}"\nkind = "{kind}"\nunit = "{unit}"\n'
                f'source = {{ register = {channel}, table = "input" }}\nresolution = 0.1\n'
            )
    return text


def main(root: Path, warm_s: int, seconds: int) -> None:
    state = StateFolder(root / "state")
    state.make()
    state.settings.write_text(settings_text())
    settings = load_settings(state.settings)
    clock = VirtualClock(EARLIEST_NS + 10**7 * SECOND_NS, boot="0f" * 16)
    pipeline = Pipeline.open(state, settings, clock)
    numbers = {name: entry.number for name, entry in pipeline.book.by_name.items()}
    devices = pipeline.in_force.document.devices
    calibrations = [Calibration(device, numbers, late_s=300, ahead_s=300) for device in devices]
    chance = np.random.default_rng(1)
    level = chance.normal(20, 3, (DEVICES, CHANNELS))
    marks = os.open(root / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for second in range(warm_s + seconds):
        if second == warm_s:
            os.write(marks, b"begin\n")
        level += chance.normal(0, 0.01, level.shape)
        for device, calibration in enumerate(calibrations):
            raw = level[device] + chance.normal(0, 0.1, CHANNELS)
            block = calibration.block(
                Batch(np.arange(CHANNELS, dtype=np.int32), raw), wall_ns=clock.wall_ns(),
                monotonic_ns=clock.monotonic_ns(), state=ClockState.TRUSTED,
            )  # fmt: skip
            pipeline.spool.append(block, devices[device].name, None)
            while pipeline.judge.step():
                pass
        _receive(pipeline)
        clock.sleep(1.0)
        pipeline.cutter.step()
        pipeline.tidy()
        if second % round(STATUS_EVERY_S) == 0:
            told = describe({"gateway": "gw-1"}, pipeline, None, [])
            replace_file(state.status, json.dumps(told).encode(), durable=False)
        os.write(marks, b"second\n")


def _receive(pipeline: Pipeline) -> None:
    """What the cloud says a second after each message."""
    outbox = pipeline.outbox
    for stream in Stream:
        if outbox.assigned(stream):
            through = outbox.assigned(stream)
            outbox.receive(Receipt(epoch=outbox.epoch, stream=stream, through=through, sent_at=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
