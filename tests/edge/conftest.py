"""Fixtures of the gateway's tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edge_rig import BOOT, START, Broker, ModbusServer, block
from programs import find_program

from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.spool import Spool
from models.configuration import MonitorConfig, TriggerConfig
from models.monitor import Monitor
from models.replay import drive
from models.wire.columns import decode_columns, encode_columns
from models.wire.messages import ChannelEntry


@pytest.fixture(scope="session")
def warm_kernels() -> None:
    """Compile once, here, what every agent process would otherwise compile for itself after a change."""
    config = MonitorConfig(
        name="hot", detector="limit", parameters={"high": 60}, channels=("t",), hazard="fire",
        trigger=TriggerConfig(on_delay_s=0.1),
    )  # fmt: skip
    monitor = Monitor(config, {1: ChannelEntry(number=1, name="t")}, gateway="gw-1")
    drive([monitor], block([20.0, 80.0, 80.0, 20.0]))
    monitor.advance(START * 2)
    decode_columns(encode_columns(replace(block([20.0]), boot=BOOT), np.zeros(2)))


@pytest.fixture
def make_spool(tmp_path: Path) -> Iterator[Callable[..., Spool]]:
    made: list[Spool] = []

    def make(
        folder: str = "spool", *, boot: str = BOOT, max_bytes: int = 1 << 20, at_least: int = 0
    ) -> Spool:
        spool = Spool(
            tmp_path / folder, boot=boot, life=lambda: "cd" * 16, max_bytes=max_bytes, at_least=at_least
        )
        made.append(spool)
        return spool

    yield make
    for spool in made:
        spool.close()


@pytest.fixture
def make_outbox(tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    made: list[Outbox] = []
    epochs = itertools.count(1000)

    def make(name: str = "outbox.db", *, max_mb: int = 8) -> Outbox:
        outbox = Outbox(
            tmp_path / name, "gw-1", max_mb=max_mb, new_epoch=lambda: next(epochs), now=lambda: START
        )
        made.append(outbox)
        return outbox

    yield make
    for outbox in made:
        outbox.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if find_program("mosquitto") is None:
        pytest.skip("needs mosquitto")
    folder = tmp_path / "broker"
    folder.mkdir()
    made = Broker(folder)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def modbus() -> Iterator[Callable[..., ModbusServer]]:
    made: list[ModbusServer] = []

    def make(registers: list[int], bits: list[bool] | None = None) -> ModbusServer:
        server = ModbusServer(registers, bits)
        server.start()
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()
