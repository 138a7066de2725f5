"""trial.json: the document on trial, the last good one, and what was reverted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from edge_agent.state import replace_file
from edge_agent.trial.verdict import Before, Parameters
from models.configuration import Strict

log = logging.getLogger(__name__)


class Course(Strict):
    """A trial. `last_good`: the signed document before, "" for gateway.toml.

    `crashes`: starts that no stop went before. `was_stopped`: the program ended as it was told to.
    """

    version: int
    last_good: str
    before: Before
    elapsed_s: float = 0.0
    crashes: int = 0
    was_stopped: bool = False


class Condemned(Strict):
    """The last document that was reverted, and why; its version is never applied again."""

    version: int
    reason: str
    parameters: Parameters = Field(default_factory=dict)


class TrialRecord(Strict):
    """What the file holds."""

    course: Course | None = None
    condemned: Condemned | None = None


@dataclass(frozen=True, slots=True)
class TrialStore:
    """Where the record lies."""

    path: Path

    def load(self) -> TrialRecord:
        """The record; an empty one when there is none or it is damaged."""
        try:
            return TrialRecord.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return TrialRecord()
        except ValidationError as wrong:
            log.error("trial.json is damaged (%s); what is in force counts as confirmed", wrong)
            return TrialRecord()

    def save(self, record: TrialRecord) -> None:
        replace_file(self.path, record.model_dump_json().encode())
