"""Bringing a database to the schema this release needs: two chains, one for each file.

A new step after a change of tables, from the root of the repository:
`python -m cloud.storage.migrate main "add a column"` writes it under migrations/main; read it before use.
Alembic is imported only where there is something to do: every program asks at its start.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, Engine, MetaData, create_engine, inspect, text

from cloud.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config

Chain = Literal["main", "series"]
FOLDER = Path(__file__).with_name("migrations")


def upgrade(engine: Engine, chain: Chain) -> str:
    """Run the steps `engine` lacks, all in one transaction; the revision it then has.

    ConfigurationError when the database was made by a newer release. Two programs may do this at once.
    """
    newest = _known(chain)[-1]
    with engine.connect().execution_options(lastmile_reading=True) as connection:
        if _revision(connection) == newest:
            return newest
    from alembic import command

    with engine.begin() as connection:
        _refuse_newer(connection, chain)
        command.upgrade(_config(chain, connection), "head")
    return newest


def differences(engine: Engine, metadata: MetaData) -> list[Any]:
    """How the database differs from the tables declared; empty when migrations and models agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def _known(chain: Chain) -> list[str]:
    """Revisions of a chain, oldest first: files are named {chain}_{number}_{words}.py."""
    return ["_".join(path.stem.split("_")[:2]) for path in sorted((FOLDER / chain).glob("*_*.py"))]


def _revision(connection: Connection) -> str | None:
    """What the database says it is; None when it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _refuse_newer(connection: Connection, chain: Chain) -> None:
    revision, known = _revision(connection), _known(chain)
    if revision is not None and revision not in known:
        raise ConfigurationError(
            f"the database has schema {revision}, which this release does not know",
            file=str(connection.engine.url),
            expected=f"at most {known[-1]}; start the newer release",
        )


def _config(chain: Chain, connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("version_locations", str(FOLDER / chain))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _write_step(chain: Chain, message: str) -> None:
    """Compare the tables with an empty database brought to head, and write the step between them."""
    from alembic import command

    from cloud.storage.base import Base, SeriesBase

    for path in sorted(FOLDER.parents[1].glob("*/tables.py")):
        import_module(f"cloud.{path.parent.name}.tables")
    engine = create_engine("sqlite://")
    number = len(_known(chain)) + 1
    if number > 1:
        upgrade(engine, chain)
    with engine.begin() as connection:
        config = _config(chain, connection)
        config.attributes["metadata"] = Base.metadata if chain == "main" else SeriesBase.metadata
        command.revision(config, message, autogenerate=True, rev_id=f"{chain}_{number:04d}")


if __name__ == "__main__":
    _write_step(sys.argv[1], sys.argv[2])  # type: ignore[arg-type]
