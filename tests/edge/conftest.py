"""Fixtures of the gateway's tests."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edge_rig import BOOT, START, Broker, ModbusServer

from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.spool import Spool


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
    if not (shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists()):
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
