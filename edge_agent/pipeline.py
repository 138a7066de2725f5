"""From spool to outbox: what a running gateway and an import share."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import models
from edge_agent.channels import ChannelBook
from edge_agent.judge.judge import Judge
from edge_agent.judge.seats import Seat, make_seats
from edge_agent.judge.snapshots import SnapshotStore
from edge_agent.obedience import DesiredStore, InForce, pinned_keys
from edge_agent.outbox.cutter import Cutter
from edge_agent.outbox.ledger import new_epoch
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.spool import Spool
from edge_agent.settings import Settings
from edge_agent.state import StateFolder
from models.clock import Clock
from models.configuration import GatewayDocument
from models.mending import RightTime
from models.wire.messages import ChannelEntry

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Pipeline:
    """Spool, judge, cutter and outbox of one state folder, wired; nothing runs yet."""

    state: StateFolder
    settings: Settings
    clock: Clock
    spool: Spool
    outbox: Outbox
    book: ChannelBook
    judge: Judge
    cutter: Cutter
    in_force: InForce
    cursors: dict[str, str]
    last_time: int

    @classmethod
    def open(
        cls,
        state: StateFolder,
        settings: Settings,
        clock: Clock,
        *,
        teaches_only: bool = False,
        right: Callable[[], RightTime | None] = lambda: None,
        waits: Callable[[], bool] = bool,
    ) -> Pipeline:
        """Open what the last run left, mend it, and put monitors in force. `right`, `waits`: see Cutter.

        ConfigurationError when the document in force cannot be judged by this program.
        """
        limits = settings.limits
        outbox = Outbox(
            state.outbox, settings.gateway.id, max_mb=limits.outbox_mb, new_epoch=new_epoch,
            now=clock.wall_ns, monotonic=clock.monotonic_ns,
        )  # fmt: skip
        mark = outbox.mark()
        spool = Spool(
            state.spool,
            boot=clock.boot(),
            life=lambda: secrets.token_hex(16),
            max_bytes=limits.spool_mb << 20,
            at_least=mark.position,
        )
        if mark.boot == spool.boot:
            spool.count_from(mark.next_index)
        in_force = configuration_in_force(state, settings)
        book = ChannelBook(outbox, state, spool.boot)
        judge = Judge(
            spool,
            outbox,
            SnapshotStore(state.snapshots),
            clock,
            resolution=lambda: book.resolution,
            teaches_only=teaches_only,
            before_s=limits.evidence_before_s,
            after_s=limits.evidence_after_s,
        )
        cutter = Cutter(
            spool,
            outbox,
            resolution=lambda: book.resolution,
            announce=book.announce,
            readings=limits.message_readings,
            seconds=limits.message_seconds,
            monotonic_ns=clock.monotonic_ns,
            thin=lambda: book.thin,
            full=lambda: {book.by_name[name].number for name in judge.near_alerts if name in book.by_name},
            waits=waits,
            right=right,
        )
        cursors, last_time = _catch_up(spool, cutter.position, dict(mark.cursors), mark.last_time)
        pipeline = cls(
            state, settings, clock, spool, outbox, book, judge, cutter, in_force, cursors, last_time
        )
        channels = book.take(in_force.document)
        judge.begin(pipeline.seats(in_force, channels), exempt_monitors(in_force.document))
        return pipeline

    def seats(self, in_force: InForce, channels: dict[str, ChannelEntry]) -> list[Seat]:
        """Fresh monitors for a document."""
        return make_seats(
            in_force.document.monitors,
            channels,
            gateway=self.settings.gateway.id,
            config_version=in_force.version,
            code_version=models.__version__,
        )

    def tidy(self) -> None:
        """Give back spool that is cut and no longer needed to judge again."""
        self.spool.release(min(self.cutter.position, self.judge.needed_from))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.spool.close()
        self.outbox.close()


def configuration_in_force(state: StateFolder, settings: Settings) -> InForce:
    """The last document obeyed, or else the gateway's own file as version 0."""
    desired = DesiredStore(state).load(pinned_keys(state), settings.gateway.id)
    return desired or InForce(settings.document(), 0)


def exempt_monitors(document: GatewayDocument) -> frozenset[str]:
    """Monitors of channels that live in recorded time, where the wall clock says nothing of silence."""
    recorded = {
        channel.name
        for device in document.devices
        if device.settings.get("start") == "recorded" or device.settings.get("pace") == "fast"
        for channel in device.channels
    }
    return frozenset(m.name for m in document.monitors if recorded.intersection(m.channels))


def _catch_up(
    spool: Spool, position: int, cursors: dict[str, str], last_time: int
) -> tuple[dict[str, str], int]:
    """Cursors and latest time including what is spooled but not yet cut."""
    while True:
        records, position = spool.read(position)
        if not records:
            return cursors, last_time
        for record in records:
            if record.cursor is not None:
                cursors[record.device] = record.cursor
            if len(record.block):
                last_time = max(last_time, int(record.block.time.max()))
