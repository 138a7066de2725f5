"""Which channels a document has, under the numbers the outbox gives them."""

from __future__ import annotations

import logging

import numpy as np

from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.rows import table_digest
from edge_agent.state import StateFolder, replace_file
from models.configuration import GatewayDocument, ThinConfig
from models.readings import Floats
from models.wire.messages import ChannelEntry, ChannelTable

log = logging.getLogger(__name__)


def entries_of(document: GatewayDocument) -> list[ChannelEntry]:
    """A document's channels, not yet numbered."""
    return [
        ChannelEntry(
            number=0,
            name=channel.name,
            device=device.name,
            kind=channel.kind,
            unit=channel.unit,
            resolution=channel.resolution,
            place=channel.place or device.place,
            thinned_within=channel.thin.error if channel.thin is not None else 0.0,
        )
        for device in document.devices
        for channel in device.channels
    ]


class ChannelBook:
    """Channels by name, and everything that is derived from their numbers.

    A copy of the numbers lies beside the outbox, so that spooled readings keep their names when the outbox
    is lost.
    """

    def __init__(self, outbox: Outbox, state: StateFolder, boot: str) -> None:
        self._outbox, self._path, self._boot = outbox, state.channels, boot
        self.by_name: dict[str, ChannelEntry] = {}
        self.resolution: Floats = np.zeros(1)
        self.thin: dict[int, ThinConfig] = {}
        if not outbox.channels():
            outbox.number_channels(self._copy())

    def take(self, document: GatewayDocument) -> dict[str, ChannelEntry]:
        """Number a document's channels; they are known to whoever reads the stream before first use."""
        numbered = self._outbox.number_channels(entries_of(document))
        configs = (channel for device in document.devices for channel in device.channels)
        self.thin = {numbered[one.name].number: one.thin for one in configs if one.thin is not None}
        self._remember()
        return numbered

    def announce(self) -> None:
        """Put the table into the bulk stream, unless this boot's stream has it."""
        entries = self._outbox.channels()
        digest = table_digest(self._boot, entries)
        if entries and not self._outbox.table_is_sent(digest):
            body = ChannelTable(channels=tuple(entries)).model_dump_json().encode()
            self._outbox.put_table(body, digest)

    def _remember(self) -> None:
        entries = self._outbox.channels()
        self.by_name = {entry.name: entry for entry in entries}
        size = max((entry.number for entry in entries), default=0) + 1
        resolution = np.zeros(size)
        for entry in entries:
            resolution[entry.number] = entry.resolution
        self.resolution = resolution
        copy = ChannelTable(channels=tuple(entries)).model_dump_json().encode()
        if not self._path.exists() or self._path.read_bytes() != copy:
            replace_file(self._path, copy)

    def _copy(self) -> list[ChannelEntry]:
        try:
            return list(ChannelTable.model_validate_json(self._path.read_bytes()).channels)
        except FileNotFoundError:
            return []
        except ValueError as wrong:
            log.error("channels.json is damaged (%s); channels are numbered anew", wrong)
            return []
