"""What the tests of people, incidents, dispatch and the API share."""

from __future__ import annotations

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

    return PasswordHasher().hash(PASSWORD)


@pytest.fixture
def street(tmp_path: Path, password_hash: str) -> Iterator[Street]:
    settings = Settings(state=tmp_path)
    engine, series = open_main(settings), open_series(settings)
    Base.metadata.create_all(engine)
    SeriesBase.metadata.create_all(series)
    series.dispose()
    clock = VirtualClock(START_NS)
    with transaction(engine) as session:
        add_people(session, password_hash)
        add_places(session)
    yield Street(settings, engine, clock)
    engine.dispose()


@pytest.fixture
def browser(street: Street) -> Iterator[Browser]:
    """Nobody signed in yet."""
    found = Browser(street)
    with found.client:
        yield found
