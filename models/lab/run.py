"""Replay of a monitor over a file: which alerts it would have raised."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.configuration import MonitorConfig
from models.errors import ConfigurationError
from models.lab.csvfile import read_series
from models.lab.score import blocks_of
from models.replay import Replay, replay
from models.wire.messages import ChannelEntry


def read_monitor(path: Path) -> MonitorConfig:
    """A monitor's configuration from JSON or TOML (by the file's ending).

    A document with a list `monitors` may hold exactly one. ConfigurationError names file, key and reason.
    """
    text = path.read_text(encoding="utf-8")
    try:
        data: Any = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        line = getattr(error, "lineno", 0) or 0
        raise ConfigurationError(str(error), file=str(path), line=line) from None
    if isinstance(data, dict) and isinstance(data.get("monitors"), list):
        if len(data["monitors"]) != 1:
            found = f"{len(data['monitors'])} monitors"
            raise ConfigurationError(found, file=str(path), key="monitors", expected="one")
        data = data["monitors"][0]
    try:
        return MonitorConfig.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(first["msg"], file=str(path), key=key) from None


def replay_file(config: MonitorConfig, path: Path) -> Replay:
    """Run the monitor over a CSV whose columns bear its channels' names.

    A monitor of one channel also takes a file with the one column `value`.
    """
    try:
        series = read_series(path, config.channels)
    except ConfigurationError:
        if len(config.channels) > 1:
            raise
        series = read_series(path)
    entries = {number: ChannelEntry(number=number, name=name) for number, name in enumerate(config.channels)}
    return replay(config, entries, blocks_of(series), gateway="lab")
