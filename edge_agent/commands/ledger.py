"""commands.json: which orders were taken, by their counters, and which was begun and is not yet answered."""

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
    """`taken`: counters of the last 32 orders obeyed; every one obeyed before them is at most `floor`.

    So an order that was overtaken by a later one is still obeyed, and none is twice. `issued_at`: when the
    newest was issued by the cloud's clock, so it is surely later than that.
    """

    taken: tuple[int, ...] = ()
    floor: int = 0
    issued_at: int = 0
    begun: Begun | None = None


class LedgerStore:
    """Written before anything is done: what is cut off is not done twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.ledger = self._load()

    def begin(self, command: Command, now: int) -> None:
        """Remember an order over any crash. OSError: that cannot be done, and it must not be obeyed."""
        begun = Begun(id=command.id, name=command.name, at=now)
        issued_at = max(command.issued_at, self.ledger.issued_at)
        taken = sorted((*self.ledger.taken, command.counter))
        floor = max([self.ledger.floor, *taken[:-_REMEMBERED]])
        kept = tuple(taken[-_REMEMBERED:])
        self._save(Ledger(taken=kept, floor=floor, issued_at=issued_at, begun=begun))

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
