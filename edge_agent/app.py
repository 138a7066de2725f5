"""lastmile-edge run: wires everything, and alone does so."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from dataclasses import dataclass, field

import models
from edge_agent.drivers.table import make_driver
from edge_agent.mqtt_connection import ConnectionOptions, TlsFiles
from edge_agent.obedience import DesiredStore, InForce, Offer, check_devices, pinned_key, read_offer
from edge_agent.pipeline import Pipeline, exempt_monitors
from edge_agent.sampler.backoff import Backoff
from edge_agent.sampler.calibration import Calibration
from edge_agent.sampler.clock_trust import clock_state, is_synchronised
from edge_agent.sampler.device_loop import DeviceLoop
from edge_agent.settings import LOOPBACK, Settings
from edge_agent.state import StateFolder, replace_file
from edge_agent.uplink.uplink import Uplink
from models.clock import SECOND_NS, Clock, ClockState
from models.configuration import DeviceConfig
from models.errors import ConfigurationError, LastmileError
from models.identity import Stream
from models.wire.envelope import Kind
from models.wire.messages import (
    Health,
    OutageRecord,
    Presence,
    Reported,
    ReportedState,
    SignedDocument,
)

log = logging.getLogger(__name__)
TICK_S = 1.0
STATUS_EVERY_S = 3.0
# A shorter stop is not worth a record: pollers of a second or more have missed little.
OUTAGE_FROM_NS = 2 * SECOND_NS


@dataclass(slots=True)
class Running:
    """A device's loop and what it was made from."""

    config: DeviceConfig
    loop: DeviceLoop
    numbers: dict[str, int] = field(default_factory=dict)


class Agent:
    """The program on a gateway. `run` returns when `stop` was called and everything is put away."""

    def __init__(self, state: StateFolder, settings: Settings, clock: Clock) -> None:
        self._state, self._settings, self._clock = state, settings, clock
        self._gateway = settings.gateway.id
        self._stop = threading.Event()
        self._started_ns = clock.monotonic_ns()
        self._pipeline = Pipeline.open(state, settings, clock)
        self._in_force = self._pipeline.in_force
        self._devices: dict[str, Running] = {}
        self._offers: list[bytes] = []
        self._offers_lock = threading.Lock()
        self._clock_state = _ClockWatch(clock)
        self._uplink = self._make_uplink()
        self._status_ns = 0

    def stop(self) -> None:
        """May be called from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        pipeline = self._pipeline
        self._note_outage()
        pipeline.judge.start()
        self._start_devices(self._in_force.document.devices)
        if self._uplink is not None:
            self._uplink.report(self._reported(ReportedState.APPLIED))
            self._uplink.start()
        log.info("running: %d devices, %d monitors, configuration version %d", len(self._devices),
                 len(self._in_force.document.monitors), self._in_force.version)  # fmt: skip
        try:
            while not self._stop.wait(TICK_S):
                self._tick()
        finally:
            self._end()

    # ---- each second

    def _tick(self) -> None:
        try:
            self._pipeline.cutter.step()
            self._pipeline.tidy()
        except OSError as wrong:
            log.error("outbox or spool: %s", wrong)
        self._obey_offers()
        now = self._clock.monotonic_ns()
        if now - self._status_ns >= STATUS_EVERY_S * SECOND_NS:
            self._status_ns = now
            self._write_status("running")

    def _end(self) -> None:
        log.info("stopping")
        for running in self._devices.values():
            running.loop.ask_to_stop()
        for running in self._devices.values():
            running.loop.stop()
        pipeline = self._pipeline
        pipeline.judge.stop()
        pipeline.cutter.step(final=True)
        pipeline.tidy()
        if self._uplink is not None:
            self._uplink.stop()
        self._write_status("stopped")
        pipeline.close()
        log.info("stopped")

    def _note_outage(self) -> None:
        """What could not be sampled since the last reading was spooled."""
        before, now = self._pipeline.last_time, self._clock.wall_ns()
        was = self._pipeline.outbox.mark().boot
        if not before or not self._in_force.document.devices or now - before < OUTAGE_FROM_NS:
            return
        record = OutageRecord(
            from_at=before,
            to_at=now,
            boot_before=was,
            boot_after=self._pipeline.spool.boot,
            reason="restart" if was == self._pipeline.spool.boot else "reboot",
        )
        self._pipeline.outbox.put_urgent(Kind.OUTAGE, record.model_dump_json().encode())

    # ---- devices

    def _start_devices(self, devices: tuple[DeviceConfig, ...]) -> None:
        for device in devices:
            running = self._make_device(device)
            self._devices[device.name] = running
            running.loop.start()

    def _make_device(self, device: DeviceConfig) -> Running:
        driver = make_driver(device, self._clock)
        limits = self._settings.limits
        numbers = {c.name: self._pipeline.book.by_name[c.name].number for c in device.channels}
        calibration = Calibration(
            device, numbers, late_s=limits.late_s, ahead_s=limits.ahead_s, owns_time=driver.owns_time
        )
        loop = DeviceLoop(
            device.name,
            driver,
            calibration,
            self._pipeline.spool,
            period_s=device.period_s,
            clock=self._clock,
            clock_state=self._clock_state.read,
            backoff=Backoff(base_s=1.0, ceiling_s=30.0, draw=random.random),
            cursor=self._pipeline.cursors.get(device.name),
        )
        return Running(device, loop, numbers)

    # ---- obedience

    def _offered(self, raw: bytes) -> None:
        """From the uplink's thread; obeyed in the next tick."""
        with self._offers_lock:
            self._offers = [*self._offers[-3:], raw]

    def _obey_offers(self) -> None:
        with self._offers_lock:
            offers, self._offers = self._offers, []
        for raw in offers:
            self._obey(raw)

    def _obey(self, raw: bytes) -> None:
        offer = read_offer(
            raw,
            key=pinned_key(self._state.signing_key),
            gateway=self._gateway,
            in_force=self._in_force.version,
            in_force_text=self._in_force.text,
            now_ns=self._clock.wall_ns(),
        )
        if offer.is_repeated:
            return
        if offer.document is None:
            self._refuse(offer)
            return
        text = SignedDocument.model_validate_json(raw).document
        wished = InForce(offer.document, offer.version, text)
        try:
            check_devices(offer.document, self._clock)
            self._apply(wished, raw)
        except LastmileError as wrong:
            self._refuse(Offer(None, "unusable", str(wrong), offer.version))
            return
        log.info("configuration version %d is in force", offer.version)
        self._report(self._reported(ReportedState.APPLIED, offered=offer.version))

    def _apply(self, wished: InForce, raw: bytes) -> None:
        """Make everything that can fail, store the document, then change what differs."""
        pipeline = self._pipeline
        channels = pipeline.book.take(wished.document)
        seats = pipeline.seats(wished, channels)
        DesiredStore(self._state).save(raw)
        self._in_force = wished
        self._change_devices(wished.document.devices)
        pipeline.judge.change(seats, exempt_monitors(wished.document))

    def _change_devices(self, devices: tuple[DeviceConfig, ...]) -> None:
        wanted = {device.name: device for device in devices}
        changed = [n for n, running in self._devices.items() if wanted.get(n) != running.config]
        for name in changed:
            self._devices[name].loop.ask_to_stop()
        for name in changed:
            cursor = self._devices.pop(name).loop.stop()
            if cursor is not None:
                self._pipeline.cursors[name] = cursor
        self._start_devices(tuple(d for d in devices if d.name not in self._devices))

    def _refuse(self, offer: Offer) -> None:
        log.warning("a desired document was refused (%s): %s", offer.reason, offer.detail)
        self._report(
            self._reported(
                ReportedState.REFUSED, offered=offer.version, reason=offer.reason, detail=offer.detail
            )
        )

    def _reported(
        self, state: ReportedState, *, offered: int | None = None, reason: str = "", detail: str = ""
    ) -> Reported:
        version = self._in_force.version
        return Reported(
            version=version,
            offered=version if offered is None else offered,
            state=state,
            reason=reason,
            detail=detail[:500],
            sent_at=self._clock.wall_ns(),
        )

    def _report(self, reported: Reported) -> None:
        if self._uplink is not None:
            self._uplink.report(reported)

    # ---- uplink and status

    def _make_uplink(self) -> Uplink | None:
        uplink = self._settings.uplink
        if not uplink.host:
            log.info("no [uplink] host: everything stays in the outbox")
            return None
        options = ConnectionOptions(
            uplink.host,
            uplink.port,
            client_id=self._gateway,
            tls=_tls_files(self._state, self._settings),
            keepalive_s=uplink.keepalive_s,
        )
        return Uplink(
            options,
            self._gateway,
            self._pipeline.outbox,
            clock=self._clock,
            backoff=Backoff(base_s=2.0, ceiling_s=60.0, draw=random.random),
            heartbeat_s=uplink.heartbeat_s,
            health=self._health,
            on_desired=self._offered,
        )

    def _health(self, presence: Presence, hello: bool) -> Health:
        outbox = self._pipeline.outbox
        return Health(
            presence=presence,
            hello=hello,
            sent_at=self._clock.wall_ns(),
            boot=self._pipeline.spool.boot,
            epoch=outbox.epoch,
            urgent_assigned=outbox.assigned(Stream.URGENT),
            bulk_assigned=outbox.assigned(Stream.BULK),
            backlog_messages=outbox.backlog(),
            readings=sum(running.loop.state.readings for running in list(self._devices.values())),
            code_version=models.__version__,
            clock_trusted=self._clock_state.read() is not ClockState.UNTRUSTED,
            measures=_measures(),
        )

    def _write_status(self, phase: str) -> None:
        try:
            replace_file(self._state.status, json.dumps(self._status(phase)).encode(), durable=False)
        except OSError as wrong:
            log.error("status.json: %s", wrong)

    def _status(self, phase: str) -> dict[str, object]:
        pipeline, uplink = self._pipeline, self._uplink
        judge = pipeline.judge
        return {
            "gateway": self._gateway,
            "phase": phase,
            "written_at": self._clock.wall_ns(),
            "up_s": round((self._clock.monotonic_ns() - self._started_ns) / SECOND_NS, 1),
            "code_version": models.__version__,
            "config_version": self._in_force.version,
            "clock": self._clock_state.read().name.lower(),
            "memory_mb": round(_resident_mb(), 1),
            "devices": [_device_status(name, running) for name, running in self._devices.items()],
            "judge": {
                "judged_readings": judge.judged,
                "behind_bytes": max(0, pipeline.spool.end - judge.position),
                "alerts": judge.alerts,
                "failed_monitors": judge.failed,
                "first_judged_at": judge.first_judged_at,
                "start_to_first_judged_ms": self._first_judged_ms(),
            },
            "spool": {
                "bytes": pipeline.spool.end - pipeline.spool.start,
                "uncut_bytes": pipeline.spool.end - pipeline.cutter.position,
                "damaged_bytes": pipeline.spool.damaged_bytes,
            },
            "outbox": pipeline.outbox.counts(),
            "uplink": {
                "is_connected": bool(uplink and uplink.state.is_connected),
                "connects": uplink.state.connects if uplink else 0,
                "last_receipt_at": uplink.state.last_receipt_at if uplink else 0,
                "refused_messages": uplink.state.refused_messages if uplink else 0,
                "problem": uplink.state.problem if uplink else "no [uplink] host",
            },
        }

    def _first_judged_ms(self) -> float | None:
        """From the start of this process, interpreter and imports included."""
        first = self._pipeline.judge.first_judged_at
        return round((first - process_start_ns()) / 1e6, 1) if first else None


class _ClockWatch:
    """The clock's state, asked of the kernel at most once in ten seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked_ns = -(10**18)
        self._synchronised: bool | None = None

    def read(self) -> ClockState:
        now = self._clock.monotonic_ns()
        if now - self._asked_ns > 10 * SECOND_NS:
            self._asked_ns, self._synchronised = now, is_synchronised()
        return clock_state(self._clock.wall_ns(), synchronised=self._synchronised)


def _tls_files(state: StateFolder, settings: Settings) -> TlsFiles | None:
    """Files for mutual TLS; None where the settings allow plain TCP on this very machine."""
    uplink = settings.uplink
    if not uplink.tls:
        if uplink.host not in LOOPBACK:
            raise ConfigurationError(
                "MQTT without TLS is refused off this machine",
                file=str(state.settings), key="uplink.tls", expected="true",
            )  # fmt: skip
        return None
    files = TlsFiles(state.ca, state.certificate, state.key)
    for path in (files.ca, files.certificate, files.key):
        if not path.exists():
            raise ConfigurationError(
                f"{path} is missing; enrol first: lastmile-edge enroll --state {state.root} --cloud URL --code CODE",
                file=str(state.settings), key="uplink.host", expected="an enrolled gateway",
            )  # fmt: skip
    return files


def _device_status(name: str, running: Running) -> dict[str, object]:
    state = running.loop.state
    return {
        "name": name,
        "driver": running.config.driver,
        "is_up": state.is_up,
        "readings": state.readings,
        "last_reading_at": state.last_reading_at,
        "failures": state.failures,
        "skipped_polls": state.skipped_polls,
        "problem": state.problem,
    }


def _measures() -> dict[str, float]:
    from edge_agent.drivers.health import measure

    names = ("cpu_temperature_c", "cpu_percent", "load_1m", "memory_percent", "disk_percent")
    values = {name: measure(name) for name in names}
    values["memory_mb"] = round(_resident_mb(), 1)
    return {name: value for name, value in values.items() if value == value}


def _resident_mb() -> float:
    try:
        from pathlib import Path

        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * 4096 / 1e6
    except OSError:
        return 0.0


def process_start_ns() -> int:
    """Wall time at which this process was started."""
    import psutil

    return round(psutil.Process().create_time() * SECOND_NS) if psutil else time.time_ns()
