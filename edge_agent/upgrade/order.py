"""An upgrade that the cloud ordered: noted by the agent, done by another program that may write releases.

The agent cannot write where code lies; `lastmile-upgrade.path` starts `lastmile-edge upgrade --pending` when
the note is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from edge_agent.state import replace_file
from edge_agent.upgrade.errors import UpgradeError
from models.configuration import Strict

LARGEST_MB = 1024


class UpgradeOrder(Strict):
    """`url`: absolute, or a path below the cloud's address."""

    url: str = Field(min_length=1, max_length=500)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(gt=0, le=LARGEST_MB << 20)
    version: str = Field(default="", max_length=60)
    again: bool = False
    older: bool = False


def order_file(state: Path) -> Path:
    return state / "upgrade" / "order.json"


def take_order(state: Path, parameters: Mapping[str, Any]) -> UpgradeOrder:
    """Note what a signed command asks for; UpgradeError `parameters` when it cannot be meant."""
    try:
        order = UpgradeOrder.model_validate(dict(parameters))
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise UpgradeError("parameters", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from wrong
    replace_file(order_file(state), order.model_dump_json().encode())
    return order


def pending_order(state: Path) -> UpgradeOrder | None:
    """The order that waits; None where there is none. One that cannot be read is dropped."""
    path = order_file(state)
    try:
        return UpgradeOrder.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        path.unlink()
        return None
