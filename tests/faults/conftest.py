"""What the fault runs share."""

from __future__ import annotations

import numpy as np
import pytest

from models.clock import EARLIEST_NS, SECOND_NS
from models.configuration import MonitorConfig, TriggerConfig
from models.monitor import Monitor
from models.readings import ReadingBlock
from models.replay import drive
from models.wire.columns import decode_columns, encode_columns
from models.wire.messages import ChannelEntry


@pytest.fixture(scope="session", autouse=True)
def warm_kernels() -> None:
    """Compile once, here, what every process would otherwise compile for itself after a change: an agent that
    is killed while it compiles would never come to publish."""
    config = MonitorConfig(
        name="hot", detector="limit", parameters={"high": 60}, channels=("t",), hazard="fire",
        trigger=TriggerConfig(on_delay_s=0.1),
    )  # fmt: skip
    times = EARLIEST_NS + np.arange(4) * SECOND_NS
    some = ReadingBlock.of(np.ones(4, np.int32), times, np.array([20.0, 80.0, 80.0, 20.0]), boot="ab" * 16)
    monitor = Monitor(config, {1: ChannelEntry(number=1, name="t")}, gateway="gw-1")
    drive([monitor], some)
    monitor.advance(int(times[-1]) + 60 * SECOND_NS)
    decode_columns(encode_columns(some, np.array([0.0, 1.0])))
