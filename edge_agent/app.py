"""lastmile-edge run: wires everything, and alone does so."""

from __future__ import annotations

import json
import logging
import queue
import random
import threading

import models
from edge_agent.drivers.table import make_driver
from edge_agent.mqtt_connection import ConnectionOptions
from edge_agent.obedience import DesiredStore, InForce, Offer, check_devices, pinned_key, read_offer
from edge_agent.pipeline import Pipeline, exempt_monitors
from edge_agent.sampler.backoff import Backoff
from edge_agent.sampler.calibration import Calibration
from edge_agent.sampler.clock_trust import ClockWatch
from edge_agent.sampler.device_loop import DeviceLoop
from edge_agent.settings import Settings
from edge_agent.state import StateFolder, replace_file
from edge_agent.status import Running, describe, measures
from edge_agent.uplink.identity import tls_files
from edge_agent.uplink.uplink import Uplink
from models.clock import SECOND_NS, Clock, ClockState
from models.configuration import DeviceConfig
from models.errors import LastmileError
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
UPLINK_AFTER_S = 2.0
# A shorter stop is not worth a record: pollers of a second or more have missed little.
OUTAGE_FROM_NS = 2 * SECOND_NS


class Agent:
    """The program on a gateway. `run` returns when `stop` was called and everything is put away."""

    def __init__(self, state: StateFolder, settings: Settings, clock: Clock) -> None:
        self._state, self._settings, self._clock = state, settings, clock
        self._gateway = settings.gateway.id
        self._wishes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._started_ns = clock.monotonic_ns()
        self._pipeline = Pipeline.open(state, settings, clock)
        self._in_force = self._pipeline.in_force
        self._devices: dict[str, Running] = {}
        self._offers: list[bytes] = []
        self._offers_lock = threading.Lock()
        self._clock_state = ClockWatch(clock)
        self._uplink = self._make_uplink()
        self._status_ns = 0

    def stop(self) -> None:
        """May be called from a signal handler: unlike an Event's, this queue's `put` takes no lock that the
        interrupted code may hold."""
        self._wishes.put(None)

    def run(self) -> None:
        pipeline = self._pipeline
        self._note_outage()
        pipeline.judge.start()
        self._start_devices(self._in_force.document.devices)
        # Judging comes first: loading MQTT and TLS would hold up the first reading.
        pipeline.judge.has_judged.wait(UPLINK_AFTER_S)
        if self._uplink is not None:
            self._uplink.report(self._reported(ReportedState.APPLIED))
            self._uplink.start()
        log.info("running: %d devices, %d monitors, configuration version %d", len(self._devices),
                 len(self._in_force.document.monitors), self._in_force.version)  # fmt: skip
        try:
            while not self._is_stopped_within(TICK_S):
                self._tick()
        finally:
            self._end()

    def _is_stopped_within(self, seconds: float) -> bool:
        try:
            self._wishes.get(timeout=seconds)
        except queue.Empty:
            return False
        return True

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
        return Running(device, loop)

    # ---- obedience

    def _offered(self, raw: bytes) -> None:
        """From the uplink's thread; obeyed in the next tick."""
        with self._offers_lock:
            self._offers = [*self._offers[-7:], raw]

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
            tls=tls_files(self._state, self._settings),
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
            measures=measures(),
        )

    def _write_status(self, phase: str) -> None:
        try:
            told = describe(self._facts(phase), self._pipeline, self._uplink, list(self._devices.values()))
            replace_file(self._state.status, json.dumps(told).encode(), durable=False)
        except OSError as wrong:
            log.error("status.json: %s", wrong)

    def _facts(self, phase: str) -> dict[str, object]:
        return {
            "gateway": self._gateway,
            "phase": phase,
            "written_at": self._clock.wall_ns(),
            "up_s": round((self._clock.monotonic_ns() - self._started_ns) / SECOND_NS, 1),
            "config_version": self._in_force.version,
            "clock": self._clock_state.read().name.lower(),
        }
