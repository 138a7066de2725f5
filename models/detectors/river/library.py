"""River itself, loaded at the first use; nothing else here imports it."""

from __future__ import annotations

import importlib
from typing import Any

from models.errors import ParameterError


def part_of_river(name: str) -> Any:
    """The module `river.name`, river itself for no name; ParameterError where it is not installed.

    >>> part_of_river("anomaly").__name__
    'river.anomaly'
    """
    try:
        return importlib.import_module(f"river.{name}" if name else "river")
    except ImportError as error:
        raise ParameterError(
            "river: river is not installed here: it serves in the cloud, the lab and the bench, a gateway "
            f"has no room for it; choose another detector, or install lastmile[cloud] ({error})"
        ) from None


def version() -> str:
    """River's version, which snapshots are bound to."""
    return str(part_of_river("").__version__)
