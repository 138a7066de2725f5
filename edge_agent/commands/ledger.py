"""commands.json: how far the counter of orders has come, and which order was begun and not yet answered."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from edge_agent.state import replace_file
from models.configuration import Strict
from models.wire.messages import Command

log = logging.getLogger(__name__)
_REMEMBERED = 32


class Begun(Strict):
    """An order that is being obeyed. Found at a start, it was cut off, or it was the order to start anew."""

    id: str
    name: str
    at: int


class Ledger(Strict):
    """`counter`: the highest ever taken. `issued_at`: by the cloud's clock, so it is surely later.

    `last`: ids of those taken of late; the broker or the cloud may deliver one of them twice in good faith.
    """

    counter: int = 0
    issued_at: int = 0
    begun: Begun | None = None
    last: tuple[str, ...] = ()


class LedgerStore:
    """Written before anything is done: what is cut off is not done twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.ledger = self._load()

    def begin(self, command: Command, now: int) -> None:
        """Remember an order over any crash. OSError: that cannot be done, and it must not be obeyed."""
        begun = Begun(id=command.id, name=command.name, at=now)
        issued_at = max(command.issued_at, self.ledger.issued_at)
        last = (*self.ledger.last[1 - _REMEMBERED :], command.id)
        self._save(Ledger(counter=command.counter, issued_at=issued_at, begun=begun, last=last))

    def answered(self) -> None:
        """The answer lies where it cannot be lost."""
        self._save(self.ledger.model_copy(update={"begun": None}))

    def _save(self, ledger: Ledger) -> None:
        replace_file(self._path, ledger.model_dump_json().encode())
        self.ledger = ledger

    def _load(self) -> Ledger:
        try:
            return Ledger.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Ledger()
        except (OSError, ValidationError) as wrong:
            # Orders live for minutes: what could be heard again has expired by the time the cloud gave us.
            log.error("%s cannot be read (%s): orders are judged by their time alone", self._path.name, wrong)
            return Ledger()
