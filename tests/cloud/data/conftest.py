"""A cloud's state, with and without a real broker beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cloud_data_street import Store
from real_parts import Identity, Process, enrol_gateway, make_state, start_broker, start_ingest

from cloud.settings import Settings


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with the street applied; copied for each test, as making one takes a second."""
    return make_state(tmp_path_factory.mktemp("made") / "cloud").state


@pytest.fixture
def settings(made_once: Path, tmp_path: Path) -> Settings:
    """A fresh cloud with the street applied. Its broker folder still names the original's path."""
    state = tmp_path / "cloud"
    shutil.copytree(made_once, state)
    return Settings.load(state)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """Its databases."""
    opened = Store(settings)
    yield opened
    opened.close()


@dataclass
class Running:
    """A cloud with a broker, two enrolled gateways and ingest as processes."""

    settings: Settings
    broker: Process
    ingest: Process
    store: Store
    a: Identity
    b: Identity

    @property
    def port(self) -> int:
        return self.settings.broker.port


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for the tests of a file, as starting takes seconds."""
    settings = make_state(tmp_path_factory.mktemp("running") / "cloud")
    with start_broker(settings.state, settings.broker.port) as broker:
        parts = Running(
            settings,
            broker,
            start_ingest(settings.state),
            Store(settings),
            enrol_gateway(settings, "gw-a"),
            enrol_gateway(settings, "gw-b"),
        )
        yield parts
        if parts.ingest.code is None:
            parts.ingest.end()
        parts.store.close()
