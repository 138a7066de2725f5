"""cloud.toml, typed: the only file of the cloud that reads configuration or the environment."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from cloud.errors import ConfigurationError
from models.configuration import Strict

FILE_NAME = "cloud.toml"
_Model = TypeVar("_Model", bound=BaseModel)
_HEADER = re.compile(r"^\s*\[(\[?)\s*([^\[\]]+?)\s*\]?\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+?)\s*=")
_LINE = re.compile(r"line (\d+)")


class Web(Strict):
    """Where pages and the API are served. Off loopback only with `certificate` and `key`."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    certificate: str = Field(default="", description="PEM file; relative to the state folder")
    key: str = ""
    names: tuple[str, ...] = Field(default=(), description="other host names people reach the pages by")

    @property
    def has_tls(self) -> bool:
        return bool(self.certificate and self.key)


class Broker(Strict):
    """The MQTT broker: `host` and `port` are what gateways are told, `bind` where it listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8883, ge=1, le=65535)
    bind: str = "127.0.0.1"
    names: tuple[str, ...] = Field(default=(), description="other names and addresses for its certificate")


class Storage(Strict):
    """SQLAlchemy addresses of the two databases; empty: SQLite files in the state folder."""

    main: str = ""
    series: str = ""
    busy_timeout_s: float = Field(default=10.0, gt=0, le=120)


class Ingest(Strict):
    """Bounds of the two MQTT sessions and of compaction."""

    receive_maximum: int = Field(default=200, ge=1, le=65535)
    bulk_batch: int = Field(default=500, ge=1, le=5000, description="messages a transaction at most")
    bulk_wait_ms: int = Field(default=50, ge=1, le=1000, description="and at most so long after the first")
    receipt_ms: int = Field(
        default=100, ge=10, le=5000, description="bulk receipts of a gateway, at most so often"
    )
    compact_s: float = Field(default=15.0, gt=0, description="pause between compactions")
    silent_s: float = Field(default=75.0, gt=0, description="a gateway not heard for so long is silent")


class Enrolment(Strict):
    """One-time codes, wrong tries a source may make, and the lives of certificates."""

    code_hours: float = Field(default=24.0, gt=0, le=24 * 30)
    wrong_codes: int = Field(default=10, ge=1)
    window_s: float = Field(default=600.0, gt=0)
    certificate_days: float = Field(
        default=365.0, gt=0, le=3650, description="life of a gateway's certificate; renewed at half of it"
    )
    grace_days: float = Field(
        default=365.0, ge=0, le=3650, description="how long after its end it may still be renewed"
    )
    overlap_days: float = Field(
        default=1.0, ge=0, le=30, description="how long a replaced certificate stays good beside the new one"
    )


class CloudFile(Strict):
    """What may stand in cloud.toml."""

    web: Web = Web()
    broker: Broker = Broker()
    storage: Storage = Storage()
    ingest: Ingest = Ingest()
    enrolment: Enrolment = Enrolment()


class Settings(CloudFile):
    """One cloud's settings and the folder they stand in."""

    state: Path

    @classmethod
    def load(cls, state: Path) -> Settings:
        """Read `state`/cloud.toml; ConfigurationError with file, line and key when it cannot be used.

        LASTMILE_MAIN_URL and LASTMILE_SERIES_URL, where set, stand above [storage], so that a password need
        not be in the file.
        """
        file = read_document(state / FILE_NAME, CloudFile, missing="run `lastmile-cloud init` first")
        storage = file.storage.model_copy(
            update={
                name: os.environ[variable]
                for name, variable in (("main", "LASTMILE_MAIN_URL"), ("series", "LASTMILE_SERIES_URL"))
                if os.environ.get(variable)
            }
        )
        parts = {name: getattr(file, name) for name in CloudFile.model_fields}
        return cls(state=state, **(parts | {"storage": storage}))

    @property
    def main_url(self) -> str:
        """Address of the main database."""
        return self.storage.main or f"sqlite:///{self.state / 'lastmile.db'}"

    @property
    def series_url(self) -> str:
        """Address of the series database."""
        return self.storage.series or f"sqlite:///{self.state / 'series.db'}"

    @property
    def keys(self) -> Path:
        """Folder of private keys: mode 700, in no backup that is not encrypted."""
        return self.state / "keys"

    @property
    def broker_folder(self) -> Path:
        """Folder of the files the broker reads."""
        return self.state / "broker"


def read_document(path: Path, model: type[_Model], *, missing: str = "") -> _Model:
    """A TOML file as `model`; ConfigurationError names file, line, key and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as wrong:
        raise ConfigurationError(f"no such file; {missing or 'check the path'}", file=str(path)) from wrong
    except (OSError, UnicodeDecodeError) as wrong:
        raise ConfigurationError(f"cannot be read: {wrong}", file=str(path)) from wrong
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as wrong:
        found = _LINE.search(str(wrong))
        line = int(found[1]) if found else text.count("\n") + 1
        raise ConfigurationError(str(wrong), file=str(path), line=line, expected="TOML") from wrong
    except ValidationError as wrong:
        raise _named(wrong, path, text) from wrong


def line_of(text: str, key: Sequence[Any]) -> int:
    """Line, from 1, on which the TOML `text` sets `key`, or its nearest enclosing key; 1 when none does.

    >>> line_of("[web]\\nport = 1\\n[[sites]]\\nid = 'a'\\n[[sites]]\\nid = 'b'\\n", ("sites", 1, "id"))
    6
    """
    counts: dict[tuple[Any, ...], int] = {}
    table: tuple[Any, ...] = ()
    lines: dict[tuple[Any, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _table(
                tuple(part.strip(" \"'") for part in header[2].split(".")), counts, bool(header[1])
            )
            lines.setdefault(table, number)
        elif named := _KEY.match(line):
            parts = tuple(part.strip(" \"'") for part in named[1].split("."))
            lines.setdefault(table + parts, number)
    for length in range(len(key), 0, -1):
        if found := lines.get(tuple(key[:length])):
            return found
    return 1


def _table(names: tuple[str, ...], counts: dict[tuple[Any, ...], int], is_array: bool) -> tuple[Any, ...]:
    """Full key of a table header: `[[a.b]]` under the second `[[a]]` is ("a", 1, "b", 0)."""
    path: tuple[Any, ...] = ()
    for position, name in enumerate(names):
        path += (name,)
        if is_array and position == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path += (counts[path],)
    return path


def _named(wrong: ValidationError, path: Path, text: str) -> ConfigurationError:
    # A misspelt key is both unknown and missing; the first says where it stands.
    first = min(wrong.errors(), key=lambda error: error["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"])
    line = line_of(text, first["loc"])
    expected = {"extra_forbidden": "a known key", "missing": "this key to be there"}.get(first["type"], "")
    return ConfigurationError(first["msg"], file=str(path), line=line, key=key, expected=expected)
