"""A street for the fault rows: real broker with TLS and access list, real cloud processes, real agents.

Everything is loopback and in one folder; every process is ended by its own id.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fault_link import Link
from real_parts import (
    ORGANISATION,
    PATIENCE_S,
    Process,
    enrol_gateway,
    make_state,
    start_broker,
    start_ingest,
    wait_until,
)
from sqlalchemy import func, select

from edge_agent.outbox.inspect import outbox_figures
from edge_agent.pipeline import Pipeline
from edge_agent.settings import load_settings
from edge_agent.state import StateFolder
from models.clock import SystemClock
from models.readings import Floats

END_S = 60.0
UPLINK = """\
[gateway]
id = "{name}"
[uplink]
host = "127.0.0.1"
port = {port}
reconnect_s = 1
{uplink}
[limits]
{limits}
"""


def organisation(gateways: Sequence[str]) -> str:
    """The tests' street with these gateways in it."""
    text = ORGANISATION.split("[[gateways]]")[0]
    for name in gateways:
        text += f'[[gateways]]\nid = "{name}"\nsite = "street"\nplace = "b1"\nname = "{name}"\n'
    return text


class Agent:
    """One gateway: its state folder, and `lastmile-edge run` in it."""

    def __init__(self, state: Path, name: str, broker_log: Path) -> None:
        self.name, self.state, self._broker_log = name, state, broker_log
        self.log = state.parent / f"{name}.log"
        self.process: Process | None = None
        self.stops_s: list[float] = []
        self._started_at = 0.0

    def start(self) -> None:
        command = [sys.executable, "-X", "faulthandler", "-m", "edge_agent.cli", "run", "--state", self.state]
        self._started_at = time.time()
        self.process = Process(command, self.log)

    def start_connected(self, wait_s: float = PATIENCE_S) -> None:
        """Start it, and wait until its uplink stands."""
        before = self.connects()
        self.start()
        wait_until(lambda: self.is_down() or self.connects() > before, f"the uplink of {self.name}", wait_s)
        assert not self.is_down(), self.tail()

    def is_down(self) -> bool:
        return self.process is None or self.process.code is not None

    def kill(self) -> None:
        assert self.process is not None and self.process.code is None, self.tail()
        self.process.kill()

    def end(self) -> None:
        """SIGTERM; it must end well, and says where every thread stood when it does not."""
        assert self.process is not None
        begun = time.monotonic()
        os.kill(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(AssertionError):
            wait_until(self.is_down, "its end", END_S)
        self.stops_s.append(time.monotonic() - begun)
        if not self.is_down():
            os.kill(self.process.pid, signal.SIGABRT)
        code = self.process.end(5.0)
        assert code == 0, f"ended with {code} after {self.stops_s[-1]:.1f} s:\n{self.tail(8000)}"

    def close(self) -> None:
        if not self.is_down():
            assert self.process is not None
            self.process.kill()

    def connects(self) -> int:
        """How often its uplink has connected, all lives together, by the broker's log."""
        log = self._broker_log.read_text(errors="replace") if self._broker_log.exists() else ""
        return len(re.findall(rf"New client connected from \S+ as {self.name} ", log))

    def is_judging(self) -> bool:
        """Whether this life of it has told that it judges; false while it comes up."""
        status = self.state / "status.json"
        if not status.exists() or status.stat().st_mtime < self._started_at:
            return False
        return bool(json.loads(status.read_text())["judge"]["judged_readings"])

    def tail(self, size: int = 2000) -> str:
        return self._said()[-size:]

    def waiting(self) -> int:
        """Messages without a receipt."""
        figures = outbox_figures(self.state / "outbox.db")
        return figures["urgent_messages"] + figures["bulk_messages"]

    def figures(self) -> dict[str, int]:
        return outbox_figures(self.state / "outbox.db")

    def played(self) -> dict[str, int]:
        """Rows taken of each tape, as the next start would go on from; for an agent that has ended."""
        folder = StateFolder(self.state)
        pipeline = Pipeline.open(folder, load_settings(folder.settings), SystemClock())
        try:
            return {device: int(row) for device, row in pipeline.cursors.items()}
        finally:
            pipeline.close()

    def _said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Street:
    """Broker, ingest and agents; whatever runs is ended by `close`."""

    def __init__(self, folder: Path, gateways: Sequence[str], *, broker_lines: dict[str, str] | None = None):
        self.folder = folder
        self.cloud = folder / "cloud"
        self.settings: Any = make_state(self.cloud, organisation(gateways))
        if broker_lines is not None:
            self._reconfigure(broker_lines)
        self.agents: dict[str, Agent] = {}
        self.broker: Process | None = None
        self.ingest: Process | None = None
        self._store: Store | None = None
        self._links: list[Link] = []

    # ---- the cloud's side

    def start_broker(self) -> None:
        self.broker = start_broker(self.cloud, self.settings.broker.port)

    def kill_broker(self, *, wiped: bool = False) -> None:
        """kill -9; `wiped`: what it kept on disk is gone too."""
        assert self.broker is not None and self.broker.code is None, self.broker_log
        self.broker.kill()
        if wiped:
            for file in (self.cloud / "broker" / "data").iterdir():
                file.unlink()

    @property
    def broker_log(self) -> str:
        return (self.cloud / "broker.log").read_text(errors="replace")

    def start_ingest(self) -> None:
        self.ingest = start_ingest(self.cloud)

    @property
    def store(self) -> Store:
        self._store = self._store or Store(self.settings)
        return self._store

    def link(self) -> Link:
        """A road to the broker, cut at first; closed with the street."""
        self._links.append(Link(self.settings.broker.port))
        return self._links[-1]

    # ---- gateways

    def add_agent(
        self, name: str, devices: str, limits: str = "", *, port: int = 0, uplink: str = ""
    ) -> Agent:
        """Enrol a gateway and write its gateway.toml; nothing runs yet. `port`: of a link to the broker."""
        state = self.folder / name
        identity = state / "identity"
        identity.mkdir(mode=0o700, parents=True)
        made = enrol_gateway(self.settings, name)
        shutil.copy(made.ca, identity / "ca.crt")
        shutil.copy(made.certificate, identity / "gateway.crt")
        shutil.copy(made.key, identity / "gateway.key")
        head = UPLINK.format(name=name, port=port or self.settings.broker.port, limits=limits, uplink=uplink)
        (state / "gateway.toml").write_text(head + devices)
        self.agents[name] = Agent(state, name, self.cloud / "broker.log")
        return self.agents[name]

    def settle(self, agent: Agent) -> dict[str, int]:
        """Let everything an agent has reach the cloud, and end it well; rows played of each tape.

        A clean stop cuts the last message and may not see its receipt: then it is started once more.
        """
        for _ in range(6):
            agent.start_connected()
            wait_until(lambda: agent.waiting() == 0, "an empty outbox")
            agent.end()
            if agent.waiting() == 0:
                return agent.played()
        raise AssertionError(f"the outbox never emptied: {agent.figures()}\n{agent.tail()}")

    def close(self) -> None:
        for agent in self.agents.values():
            agent.close()
        for link in self._links:
            link.close()
        for process in (self.ingest, self.broker):
            if process is not None and process.code is None:
                process.end()
        if self._store is not None:
            self._store.close()

    def _reconfigure(self, lines: dict[str, str]) -> None:
        """Change lines of mosquitto.conf by their first word; an empty text removes the line."""
        path = self.cloud / "broker" / "mosquitto.conf"
        text = path.read_text()
        for key, line in lines.items():
            text, count = re.subn(rf"(?m)^{key} .*\n", f"{line}\n" if line else "", text)
            assert count, f"mosquitto.conf has no line {key}"
        path.write_text(text)


class Store:
    """What the cloud holds, read from its databases beside running ingest."""

    def __init__(self, settings: Any) -> None:
        from cloud.fleet.channels import ChannelDirectory
        from cloud.series.landed import LandedStore
        from cloud.storage.engine import open_main, open_series

        self._main, self._series = open_main(settings), open_series(settings)
        self._landed = LandedStore(self._series, ChannelDirectory(self._main))

    def close(self) -> None:
        self._main.dispose()
        self._series.dispose()

    def values(self, gateway: str) -> dict[str, Floats]:
        """Every channel's values by time."""
        from cloud.fleet.tables import Channel
        from cloud.storage.engine import reading

        with reading(self._main) as session:
            query = select(Channel.name, Channel.id).filter_by(gateway_id=gateway)
            channels = dict(session.execute(query).all())
        ends = np.iinfo(np.int64)
        return {
            name: self._landed.read(channel, int(ends.min), int(ends.max)).values
            for name, channel in channels.items()
        }

    def readings(self, gateway: str) -> int:
        """How many readings, landed and compacted, the store holds of one gateway."""
        return sum(len(values) for values in self.values(gateway).values())

    def bulk_times(self, gateway: str) -> list[int]:
        """When each bulk message was stored, ns, sorted."""
        from cloud.series.tables import BulkIdentity
        from cloud.storage.engine import reading

        with reading(self._series) as session:
            query = select(BulkIdentity.received_at).filter_by(gateway_id=gateway)
            return sorted(session.scalars(query))

    def bulk_count(self, gateway: str) -> int:
        """How many bulk messages are stored."""
        from cloud.series.tables import BulkIdentity
        from cloud.storage.engine import reading

        query = select(func.count()).select_from(BulkIdentity).filter_by(gateway_id=gateway)
        with reading(self._series) as session:
            return session.scalars(query).one()

    def alerts(self, gateway: str) -> list[Any]:
        """Rows of all its alerts, by onset."""
        from cloud.incidents.tables import AlertRow
        from cloud.storage.engine import reading

        with reading(self._main) as session:
            query = select(AlertRow).filter_by(gateway_id=gateway).order_by(AlertRow.onset_at)
            return list(session.scalars(query))

    def quarantined(self) -> int:
        from cloud.ingest.tables import Quarantine
        from cloud.storage.engine import reading

        with reading(self._main) as session:
            return int(session.scalar(select(func.count()).select_from(Quarantine)) or 0)

    def status(self, gateway: str) -> Any:
        """What the cloud shows of a gateway; None before it was heard."""
        from cloud.fleet.tables import GatewayStatus
        from cloud.storage.engine import reading

        with reading(self._main) as session:
            return session.get(GatewayStatus, gateway)


@contextlib.contextmanager
def open_street(*gateways: str, broker_lines: dict[str, str] | None = None) -> Iterator[Street]:
    """A street in a folder of its own, with broker and ingest running.

    Not pytest's folder, which is closed to others: a broker started by root gives up root.
    """
    with tempfile.TemporaryDirectory(prefix="lastmile-faults-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        street = Street(folder, gateways, broker_lines=broker_lines)
        try:
            street.start_broker()
            street.start_ingest()
            yield street
        finally:
            street.close()


def memory_mb(pid: int) -> float:
    """Anonymous memory of a process, MB: what its queues hold, without programs and files."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no RssAnon of process {pid}")
