"""Many gateways' real uplinks in one process, each with its own certificate, outbox and connection.

python fault_herd.py FOLDER PORT RECONNECT_S NAME...     # FOLDER holds ca.crt, NAME.crt, NAME.key

Prints "ready" when every one has a receipt for all it had to send, and lives until its input ends.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from edge_agent.mqtt_connection import ConnectionOptions, TlsFiles
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.rows import BulkPart
from edge_agent.tls import Moment
from edge_agent.uplink.session import Manners
from edge_agent.uplink.uplink import Uplink
from models.clock import Clock, SystemClock
from models.identity import Stream
from models.readings import ReadingBlock
from models.wire.columns import encode_columns
from models.wire.envelope import Kind
from models.wire.messages import ChannelEntry, ChannelTable, Health, Presence

STARTS_A_SECOND = 20
MESSAGES = 3


class Gateway:
    """A gateway reduced to what speaks to the cloud."""

    def __init__(self, folder: Path, name: str, port: int, manners: Manners, clock: Clock) -> None:
        self.name, self._clock = name, clock
        self.outbox = Outbox(
            folder / f"{name}.db", name, max_mb=4, new_epoch=lambda: time.time_ns(), now=clock.wall_ns
        )
        tls = TlsFiles(folder / "ca.crt", folder / f"{name}.crt", folder / f"{name}.key", self._now)
        options = ConnectionOptions("127.0.0.1", port, client_id=name, tls=tls)
        self.uplink = Uplink(
            options, name, self.outbox, clock=clock, manners=manners, health=self._health,
            on_desired=lambda _payload: None,
        )  # fmt: skip

    def _now(self) -> Moment:
        return Moment(self._clock.wall_ns())

    def measure(self) -> None:
        """A table of channels and some telemetry to send."""
        entry = ChannelEntry(number=1, name="a", device="d")
        table = ChannelTable(channels=(entry,)).model_dump_json().encode()
        parts = [BulkPart(Kind.CHANNELS, table)]
        for _ in range(MESSAGES):
            times = self._clock.wall_ns() + np.arange(50) * 1_000_000
            block = ReadingBlock.of(np.ones(50, np.int32), times, np.arange(50.0), boot="0a" * 16)
            body = encode_columns(block, np.zeros(2))
            parts.append(BulkPart(Kind.TELEMETRY, body, 50, int(times[0]), int(times[-1])))
        self.outbox.put_bulk(parts)

    def is_back(self) -> bool:
        return self.uplink.state.is_connected and not self.outbox.backlog()

    def _health(self, presence: Presence, hello: bool) -> Health:
        return Health(
            presence=presence, hello=hello, sent_at=self._clock.wall_ns(), boot="0a" * 16,
            epoch=self.outbox.epoch, bulk_assigned=self.outbox.assigned(Stream.BULK),
        )  # fmt: skip


def main(folder: str, port: str, reconnect_s: str, *names: str) -> None:
    """Start the herd, a few a second, and wait for the word to end."""
    clock, manners = SystemClock(), Manners(reconnect_s=float(reconnect_s))
    herd = [Gateway(Path(folder), name, int(port), manners, clock) for name in names]
    for gateway in herd:
        gateway.measure()
        gateway.uplink.start()
        time.sleep(1 / STARTS_A_SECOND)
    while not all(gateway.is_back() for gateway in herd):
        time.sleep(0.2)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
