"""What the tests of people, incidents, dispatch and the API share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud_people_browser import Browser
from cloud_people_street import PASSWORD, START_NS, Street, add_people, add_places

from cloud.settings import Settings
from cloud.storage.base import Base, SeriesBase
from cloud.storage.engine import open_main, open_series, transaction
from models.clock import VirtualClock


@pytest.fixture(scope="session")
def password_hash() -> str:
    from argon2 import PasswordHasher

    # Real argon2id, but cheap: the cost stands in the hash, and many tests sign in.
    return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Path:
    """Both databases with the street in them, built once and copied for each test."""
    folder = tmp_path_factory.mktemp("street")
    settings = Settings(state=folder)
    engine, series = open_main(settings), open_series(settings)
    Base.metadata.create_all(engine)
    SeriesBase.metadata.create_all(series)
    with transaction(engine) as session:
        add_people(session, password_hash)
        add_places(session)
    for one in (engine, series):
        one.dispose()
    return folder


@pytest.fixture
def street(tmp_path: Path, built: Path) -> Iterator[Street]:
    for name in ("lastmile.db", "series.db"):
        shutil.copy(built / name, tmp_path / name)
    settings = Settings(state=tmp_path)
    engine = open_main(settings)
    yield Street(settings, engine, VirtualClock(START_NS))
    engine.dispose()


@pytest.fixture
def browser(street: Street) -> Iterator[Browser]:
    """Nobody signed in yet."""
    found = Browser(street)
    with found.client:
        yield found
