"""watchdog.json: which part stood still when the program was last ended for that."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edge_agent.state import replace_file
from models.configuration import Strict

log = logging.getLogger(__name__)


class Standstill(Strict):
    """`times`: ends for this part in a row, without an hour of peace between."""

    part: str
    stood_s: float
    at: int
    times: int = 1


@dataclass(frozen=True, slots=True)
class StandstillStore:
    """Where it lies."""

    path: Path

    def load(self) -> Standstill | None:
        """The last one; None when there was none or the file is damaged."""
        try:
            return Standstill.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as wrong:
            log.warning("%s cannot be used (%s)", self.path.name, wrong)
            return None

    def save(self, standstill: Standstill) -> None:
        replace_file(self.path, standstill.model_dump_json().encode())

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
