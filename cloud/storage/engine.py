"""The two databases and how a transaction on them is begun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import ArgumentError, DatabaseError, DataError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from cloud.errors import ConfigurationError, StoreError
from cloud.settings import Settings
from cloud.storage import dialect


def open_main(settings: Settings) -> Engine:
    """The database of everything but the series."""
    return open_engine(settings.main_url, settings.storage.busy_timeout_s)


def open_series(settings: Settings) -> Engine:
    """The database of bulk identities, landed messages and chunks; ingest alone writes it."""
    return open_engine(settings.series_url, settings.storage.busy_timeout_s)


def open_engine(url: str, busy_timeout_s: float = 10.0) -> Engine:
    """An engine for `url`, prepared as its dialect needs it. Opens no connection yet."""
    try:
        engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    except (ArgumentError, ImportError) as wrong:
        raise ConfigurationError(f"cannot open database {url!r}: {wrong}", key="storage") from wrong
    if dialect.is_sqlite(engine):
        dialect.prepare_sqlite(engine, busy_timeout_s)
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """A session in one write transaction: committed at the end, rolled back on any exception.

    StoreError when the database fails for now (full, locked, gone); the same work may be tried again.
    """
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            # SQLAlchemy begins late; here the place in the queue of writers is taken before anything is read.
            session.connection()
            yield session
    except (IntegrityError, DataError, ProgrammingError):
        raise
    except DatabaseError as wrong:
        # Full, locked, unreachable, damaged: nothing of it is the fault of what was to be written.
        raise StoreError(f"the database refused for now: {wrong.orig}") from wrong


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that sees one moment of the database and waits for no writer; nothing is kept."""
    view = engine.execution_options(lastmile_reading=True)
    try:
        with Session(view, expire_on_commit=False) as session:
            yield session
            session.expunge_all()  # rows that were read stay usable; a rollback would empty them
            session.rollback()
    except (DataError, ProgrammingError):
        raise
    except DatabaseError as wrong:
        raise StoreError(f"the database cannot be read for now: {wrong.orig}") from wrong
