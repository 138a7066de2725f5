"""What must be known after a power cut in the middle of an upgrade, and what the cloud is told at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from edge_agent.state import replace_file, sync_folder
from edge_agent.trial.verdict import Before, Parameters
from models.configuration import Strict
from models.wire.messages import UpgradeNote

M = TypeVar("M", bound=Strict)


class UpgradeCourse(Strict):
    """A release on trial: `PREFIX/upgrade.json`. `attempts`: how often its window began."""

    version: str
    earlier: str
    before: Before
    wants_receipt: bool
    since_at: int
    crashes: int = 0
    attempts: int = 1


class UpgradeOutcome(Strict):
    """How the last upgrade ended: `STATE/upgrade/last.json`. `outcome`: confirmed, returned or refused."""

    outcome: str
    version: str
    earlier: str
    reason: str = ""
    detail: str = ""
    parameters: Parameters = Field(default_factory=dict)
    at: int


def last_file(state: Path) -> Path:
    """Where the outcome of the last upgrade lies."""
    return state / "upgrade" / "last.json"


def last_upgrade(state: Path) -> UpgradeNote | None:
    """How the last one ended, as the heartbeat tells it."""
    last = load(last_file(state), UpgradeOutcome)
    return UpgradeNote.model_validate(last.model_dump()) if last is not None else None


def load(path: Path, model: type[M]) -> M | None:
    """What lies there; None when nothing does, or nothing sound."""
    try:
        return model.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def save(path: Path, record: Strict) -> None:
    replace_file(path, record.model_dump_json().encode())


def remove(path: Path) -> None:
    """So that it stays away after a power cut."""
    if path.exists():
        path.unlink()
        sync_folder(path.parent)
