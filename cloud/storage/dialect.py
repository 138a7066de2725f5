"""What differs between SQLite and PostgreSQL, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, event, insert, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

# Held until commit, so that event ids become visible in rising order.
_EVENTS_LOCK = 0x4C4D_4556


def is_sqlite(bind: Engine | Connection | Session) -> bool:
    """Whether this database is SQLite."""
    engine = bind.get_bind() if isinstance(bind, Session) else bind
    return engine.dialect.name == "sqlite"


def prepare_sqlite(engine: Engine, busy_timeout_s: float) -> None:
    """WAL, synchronous FULL, foreign keys, and BEGIN IMMEDIATE unless the engine was opened for reading.

    The driver's own transaction handling is switched off, as it begins late and never IMMEDIATE: two writers
    that read first would then fail at once instead of waiting for each other.
    """

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {round(busy_timeout_s * 1000)}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "journal_size_limit = 67108864",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("lastmile_reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def insert_new(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, leaving alone those whose key is there already."""
    if rows:
        dialect = sqlite if is_sqlite(session) else postgresql
        session.execute(dialect.insert(table).on_conflict_do_nothing(), list(rows))


def insert_all(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that must all be new; the database's own error when one is not."""
    if rows:
        session.execute(insert(table), list(rows))


def claim(query: Select[Any]) -> Select[Any]:
    """`query` so that several workers take different rows; SQLite's one writer needs no help."""
    return query.with_for_update(skip_locked=True)


def order_events(session: Session) -> None:
    """From here to the commit nobody else publishes, so a reader never passes an id that comes later."""
    if not is_sqlite(session):
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _EVENTS_LOCK})
