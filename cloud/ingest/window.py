"""How far a stream has come: every number up to `through`, some beyond, and what was poison among them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.ingest.tables import LedgerRecord, UrgentIdentity
from cloud.series.tables import BulkIdentity
from models.identity import Stream
from models.wire.messages import RECEIPT_NAMES, Receipt

MOST_BEYOND = 10_000  # kept in memory; more is read from the database again when its turn comes
MOST_QUARANTINED = 100
GAP = "gap"

Identities = type[UrgentIdentity] | type[BulkIdentity]


@dataclass(slots=True)
class Window:
    """State of one (gateway, epoch, stream).

    >>> window = Window()
    >>> for sequence in (1, 2, 4, 5): window.mark(sequence)
    >>> window.through, sorted(window.beyond)
    (2, [4, 5])
    >>> window.cover(3, 3)
    >>> window.through
    5
    """

    through: int = 0
    beyond: set[int] = field(default_factory=set)
    quarantined: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_QUARANTINED))
    gaps: list[tuple[int, int]] = field(default_factory=list)

    def mark(self, sequence: int, *, quarantined: bool = False) -> None:
        """A number is stored; marking it again changes nothing."""
        if quarantined and sequence not in self.quarantined:
            self.quarantined.append(sequence)
        if sequence > self.through:
            self.beyond.add(sequence)
            self._advance()

    def cover(self, first: int, last: int) -> None:
        """The gateway has dropped first..last and said so: nobody waits for them."""
        self.gaps.append((first, last))
        self._advance()

    @property
    def is_too_wide(self) -> bool:
        """Whether so much lies beyond that it is better read anew from the database."""
        return len(self.beyond) > MOST_BEYOND

    def receipt(self, epoch: int, stream: Stream, now: int) -> Receipt:
        """What the gateway may forget."""
        return Receipt(
            epoch=epoch,
            stream=stream,
            through=self.through,
            beyond=tuple(sorted(self.beyond)[:RECEIPT_NAMES]),
            quarantined=tuple(sorted(self.quarantined)),
            sent_at=now,
        )

    def _advance(self) -> None:
        while True:
            following = self.through + 1
            ends = [last for first, last in self.gaps if first <= following <= last]
            if following in self.beyond:
                self.through = following
                self.beyond.discard(following)
            elif ends:
                self.through = max(ends)
                self.gaps = [gap for gap in self.gaps if gap[1] > self.through]
                self.beyond = {number for number in self.beyond if number > self.through}
            else:
                return


def load_window(
    session: Session, identities: Identities, gateway_id: str, epoch: int, gaps: list[tuple[int, int]]
) -> Window:
    """A window as the database knows it. Walks whole runs of numbers, not number by number."""
    window = Window(gaps=sorted(gaps))
    ours = (identities.gateway_id == gateway_id, identities.epoch == epoch)
    window.through = _run_end(session, identities, ours, 0)
    while True:
        before = window.through
        window._advance()
        window.through = _run_end(session, identities, ours, window.through)
        if window.through == before:
            break
    later = select(identities.sequence).where(*ours, identities.sequence > window.through)
    window.beyond = set(session.scalars(later.order_by(identities.sequence).limit(MOST_BEYOND)))
    poison = select(identities.sequence).where(*ours, identities.quarantined)
    newest = session.scalars(poison.order_by(identities.sequence.desc()).limit(MOST_QUARANTINED))
    window.quarantined.extend(sorted(newest))
    return window


def gaps_of(session: Session, gateway_id: str, epoch: int, stream: Stream) -> list[tuple[int, int]]:
    """Ranges of numbers of which this gateway said that they will not come, from the main database."""
    records = select(LedgerRecord.record).filter_by(gateway_id=gateway_id, kind=GAP)
    return [
        (record["first_sequence"], record["last_sequence"])
        for record in session.scalars(records)
        if record["epoch"] == epoch and record.get("stream", Stream.BULK) == stream
    ]


def _run_end(session: Session, identities: Identities, ours: tuple, through: int) -> int:  # type: ignore[type-arg]
    """End of the run of stored numbers that begins right behind `through`; `through` when none does."""
    beyond = (*ours, identities.sequence > through)
    count, first, last = session.execute(
        select(func.count(), func.min(identities.sequence), func.max(identities.sequence)).where(*beyond)
    ).one()
    if first != through + 1:
        return through
    if last - through == count:
        return last
    after = identities.__table__.alias()
    followed = select(after.c.sequence).where(
        after.c.gateway_id == identities.gateway_id,
        after.c.epoch == identities.epoch,
        after.c.sequence == identities.sequence + 1,
    )
    ends = select(identities.sequence).where(*beyond, ~followed.exists())
    return session.scalars(ends.order_by(identities.sequence).limit(1)).one()
