"""Settings, databases and migrations."""

from __future__ import annotations

import threading
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text

import cloud
from cloud.errors import ConfigurationError, StoreError
from cloud.events import bus
from cloud.events.tables import Event
from cloud.settings import FILE_NAME, Settings, line_of
from cloud.storage import migrate
from cloud.storage.base import Base, SeriesBase
from cloud.storage.engine import open_engine, open_main, reading, transaction


def load_tables() -> None:
    for path in sorted(Path(cloud.__file__).parent.glob("*/tables.py")):
        import_module(f"cloud.{path.parent.name}.tables")


@pytest.mark.parametrize(("chain", "base"), [("main", Base), ("series", SeriesBase)])
def test_migrations_make_the_tables_declared(chain, base, tmp_path: Path) -> None:
    load_tables()
    engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    assert migrate.upgrade(engine, chain) == migrate.upgrade(engine, chain)
    assert migrate.differences(engine, base.metadata) == []
    assert len(inspect(engine).get_table_names()) == len(base.metadata.tables) + 1


def test_database_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    migrate.upgrade(engine, "series")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'series_9999'"))
    with pytest.raises(ConfigurationError, match="series_9999"):
        migrate.upgrade(engine, "series")


def test_transaction_that_fails_leaves_nothing(store) -> None:
    with pytest.raises(RuntimeError), transaction(store.main) as session:
        bus.publish(session, site_id="street", kind="k", subject="s", payload={}, at=1)
        session.flush()
        raise RuntimeError
    assert store.count(Event, kind="k") == 0


def test_writers_wait_for_each_other_and_readers_for_nobody(store) -> None:
    def add() -> None:
        for _ in range(20):
            with transaction(store.main) as session:
                row = session.get_one(Event, first)
                row.payload = {"n": row.payload["n"] + 1}

    with transaction(store.main) as session:
        bus.publish(session, site_id="street", kind="k", subject="s", payload={"n": 0}, at=1)
        session.flush()
        first = bus.last_id(session)
        with reading(store.main) as other:
            assert other.get(Event, first) is None
    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(store.main) as session:
        assert session.get_one(Event, first).payload == {"n": 60}


def test_full_database_is_a_store_error_and_keeps_what_it_has(store) -> None:
    with transaction(store.main) as session:
        bus.publish(session, site_id="street", kind="before", subject="s", payload={}, at=1)
    with store.main.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    with pytest.raises(StoreError) as caught, transaction(store.main) as session:
        session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        payload = {"long": "x" * 500_000}
        bus.publish(session, site_id="street", kind="after", subject="s", payload=payload, at=1)
    assert caught.value.retry
    assert (store.count(Event, kind="before"), store.count(Event, kind="after")) == (1, 0)


def test_events_are_read_on_from_where_one_stopped(store) -> None:
    with transaction(store.main) as session:
        start = bus.last_id(session)
        for number, site in enumerate(["street", "harbour", "street"]):
            bus.publish(session, site_id=site, kind="k", subject=str(number), payload={}, at=number)
    with reading(store.main) as session:
        mine = bus.read_after(session, start, {"street"})
        assert [event.subject for event in mine] == ["0", "2"]
        assert [event.subject for event in bus.read_after(session, mine[0].id, {"*"})] == ["1", "2"]
        assert len(bus.read_after(session, start, {"*"}, limit=1)) == 1
    with transaction(store.main) as session:
        bus.forget_before(session, 100)
        assert [event.subject for event in session.scalars(select(Event))] == ["2"]


@pytest.mark.parametrize(
    ("written", "line", "key"),
    [
        ("[web]\nport = 0\n", 2, "web.port"),
        ("[web]\nport = 80\nprt = 1\n", 3, "web.prt"),
        ("\n[broker]\nport = 'x'\n", 3, "broker.port"),
        ("[storage]\nbusy_timeout_s = nan\n", 2, "storage.busy_timeout_s"),
        ("[web\n", 1, ""),
        ("[nonsense]\n", 1, "nonsense"),
    ],
)
def test_settings_that_are_wrong_name_file_line_and_key(
    written: str, line: int, key: str, tmp_path: Path
) -> None:
    (tmp_path / FILE_NAME).write_text(written)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(tmp_path)
    assert (caught.value.file, caught.value.line) == (str(tmp_path / FILE_NAME), line)
    assert caught.value.key == key


def test_settings_that_are_missing_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="lastmile-cloud init"):
        Settings.load(tmp_path)


def test_addresses_in_the_environment_stand_above_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE_NAME).write_text("")
    monkeypatch.setenv("LASTMILE_MAIN_URL", "sqlite:///elsewhere.db")
    settings = Settings.load(tmp_path)
    assert settings.main_url == "sqlite:///elsewhere.db"
    assert settings.series_url == f"sqlite:///{tmp_path / 'series.db'}"
    with pytest.raises(ConfigurationError, match="storage"):
        open_main(settings.model_copy(update={"storage": settings.storage.model_copy(update={"main": "no"})}))


def test_line_of_a_key_in_nested_tables_is_found() -> None:
    written = "a = 1\n[[s]]\nid = 1\n[[s.t]]\nx = 1\n[[s]]\nid = 2\n[s.u]\ny = 1\n"
    assert line_of(written, ("a",)) == 1
    assert line_of(written, ("s", 0, "t", 0, "x")) == 5
    assert line_of(written, ("s", 1, "id")) == 7
    assert line_of(written, ("s", 1, "u", "y")) == 9
    assert line_of(written, ("s", 1, "missing")) == 6
