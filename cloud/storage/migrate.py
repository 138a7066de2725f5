"""Bringing a database to the schema this release needs: two chains, one for each file.

A new step after a change of tables, from the root of the repository:
`python -m cloud.storage.migrate main "add a column"` writes it under migrations/main; read it before use.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine

from cloud.errors import ConfigurationError

Chain = Literal["main", "series"]
FOLDER = Path(__file__).with_name("migrations")


def upgrade(engine: Engine, chain: Chain) -> list[str]:
    """Run the steps `engine` lacks, all in one transaction; the revisions it then has.

    ConfigurationError when the database was made by a newer release. Two programs may do this at once.
    """
    with engine.begin() as connection:
        config = _config(chain)
        config.attributes["connection"] = connection
        scripts = ScriptDirectory.from_config(config)
        known = {script.revision for script in scripts.walk_revisions()}
        if strange := set(_heads(connection)) - known:
            raise ConfigurationError(
                f"the database has schema {sorted(strange)}, which this release does not know",
                file=str(engine.url),
                expected=f"at most {scripts.get_current_head()}; start the newer release",
            )
        command.upgrade(config, "head")
        return _heads(connection)


def differences(engine: Engine, metadata: MetaData) -> list[Any]:
    """How the database differs from the tables declared; empty when migrations and models agree."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def _heads(connection: Any) -> list[str]:
    return list(MigrationContext.configure(connection).get_current_heads())


def _config(chain: Chain) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("version_locations", str(FOLDER / chain))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def _write_step(chain: Chain, message: str) -> None:
    """Compare the tables with an empty database brought to head, and write the step between them."""
    from cloud.storage.base import Base, SeriesBase

    for path in sorted(FOLDER.parents[1].glob("*/tables.py")):
        import_module(f"cloud.{path.parent.name}.tables")
    engine = create_engine("sqlite://")
    upgrade(engine, chain)
    with engine.begin() as connection:
        config = _config(chain)
        config.attributes["connection"] = connection
        config.attributes["metadata"] = Base.metadata if chain == "main" else SeriesBase.metadata
        number = len(list((FOLDER / chain).glob("*.py"))) + 1
        command.revision(config, message, autogenerate=True, rev_id=f"{chain}_{number:04d}")


if __name__ == "__main__":
    _write_step(sys.argv[1], sys.argv[2])  # type: ignore[arg-type]
