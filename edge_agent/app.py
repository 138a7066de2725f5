"""lastmile-edge run: wires everything, and alone does so."""

from __future__ import annotations

import json
import logging
import queue
import random
import uuid

import models
from edge_agent.alone.alone import Alone
from edge_agent.commands.commander import Commander
from edge_agent.commands.errors import CommandError
from edge_agent.commands.table import Means
from edge_agent.devices import Devices
from edge_agent.identity.moment import by_stamps
from edge_agent.identity.rotation import Rotation
from edge_agent.mqtt_connection import ConnectionOptions
from edge_agent.obedience import DesiredStore, pinned_keys
from edge_agent.obeyer import Obeyer
from edge_agent.pipeline import Pipeline
from edge_agent.sampler.clock_trust import ClockWatch
from edge_agent.settings import Settings
from edge_agent.state import StateFolder, replace_file
from edge_agent.status import describe, measures, monitors_told
from edge_agent.timekeeper import Timekeeper
from edge_agent.trial.pulse import Pulse
from edge_agent.trial.record import TrialStore
from edge_agent.trial.trials import Trials
from edge_agent.trial.verdict import Bounds
from edge_agent.trouble import Trouble
from edge_agent.upgrade.journal import last_upgrade
from edge_agent.uplink.identity import tls_files
from edge_agent.uplink.session import Manners
from edge_agent.uplink.state import UplinkState
from edge_agent.uplink.uplink import Uplink
from edge_agent.watchdog.kernels import load_wire_kernels
from edge_agent.watchdog.parts import parts_of, words_of
from edge_agent.watchdog.record import StandstillStore
from edge_agent.watchdog.supervisor import Supervisor
from edge_agent.watchdog.watchdog import FIRST_JUDGED_LIMIT_S, Part, Watchdog
from models.clock import SECOND_NS, Clock, ClockState
from models.identity import Stream
from models.wire.envelope import Kind
from models.wire.messages import Health, Presence, Reported

log = logging.getLogger(__name__)
TICK_S = 1.0
STATUS_EVERY_S = 3.0
UPLINK_AFTER_S = 2.0
# A damaged outbox is salvaged, a long spool read through.
OPENING_LIMIT_S = 180.0


class Agent:
    """The program on a gateway. `run` returns when `stop` was called and everything is put away."""

    def __init__(
        self, state: StateFolder, settings: Settings, clock: Clock, supervisor: Supervisor | None = None
    ) -> None:
        self._state, self._settings, self._clock = state, settings, clock
        self._supervisor = supervisor or Supervisor()
        self._supervisor.starting("opening what the last run left", OPENING_LIMIT_S)
        self._gateway = settings.gateway.id
        self._wishes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._started_ns = clock.monotonic_ns()
        self._trials = open_trials(state, settings, clock)
        self._clock_watch = ClockWatch(clock, state.clock)
        self._pipeline = Pipeline.open(
            state, settings, clock, right=self._clock_watch.right, waits=lambda: self._timekeeper.waits()
        )
        self._timekeeper = Timekeeper(self._pipeline, self._clock_watch, self._is_connected)
        pulse = Pulse(clock)
        self._devices = Devices(self._pipeline, pulse, clock=clock, stamp=self._clock_watch.stamp)
        self._obeyer = Obeyer(self._pipeline, self._devices, self._trials, pulse, self._report)
        self._run_name = uuid.uuid4().hex
        self._now = by_stamps(self._clock_watch.stamp)
        self._uplink = self._make_uplink()
        self._rotation = self._make_rotation()
        self._commander = self._make_commander()
        self.wants_restart = False
        self._alone = Alone(state, settings, clock)
        self._watchdog = Watchdog(self._supervisor, StandstillStore(state.watchdog), clock, self._parts)
        self._status_ns = 0
        self._storing, self._obeying = Trouble("outbox or spool"), Trouble("configuration")
        self._telling = Trouble("status.json")

    def stop(self) -> None:
        """May be called from a signal handler: unlike an Event's, this queue's `put` takes no lock that the
        interrupted code may hold."""
        self._wishes.put(None)

    def run(self) -> None:
        pipeline = self._pipeline
        self._supervisor.starting("waiting for the first reading", FIRST_JUDGED_LIMIT_S)
        self._alone.start()
        if self._obeyer.in_force.document.devices:
            self._timekeeper.begin()
        pipeline.judge.start()
        self._devices.start(self._obeyer.in_force.document.devices)
        # Judging comes first: loading MQTT and TLS would hold up the first reading.
        pipeline.judge.has_judged.wait(UPLINK_AFTER_S)
        load_wire_kernels()
        if self._rotation is not None:
            self._rotation.start()
        self._commander.start()
        if self._uplink is not None:
            self._uplink.report(self._obeyer.standing())
            self._uplink.start()
        in_force = self._obeyer.in_force
        log.info("running: %d devices, %d monitors, configuration version %d", len(self._devices.all()),
                 len(in_force.document.monitors), in_force.version)  # fmt: skip
        try:
            while not self._is_stopped_within(TICK_S):
                self._tick()
            self._trials.stopped()
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
        with self._storing.told():
            self._timekeeper.look()
            self._pipeline.cutter.step()
            self._pipeline.tidy()
        with self._obeying.told():
            self._obeyer.step()
        self._step_alone()
        now = self._clock.monotonic_ns()
        if now - self._status_ns >= STATUS_EVERY_S * SECOND_NS:
            self._status_ns = now
            self._write_status("running")
        self._watch()

    def _watch(self) -> None:
        uplink = None if self._uplink is None else self._uplink.state
        words = words_of(self._devices.all(), uplink, self._obeyer.in_force.version)
        has_begun = self._pipeline.judge.has_judged.is_set() or not self._devices.all()
        self._watchdog.step(words, has_begun=has_begun)

    def _parts(self) -> list[Part]:
        return parts_of(self._pipeline.judge, self._devices.all(), self._uplink)

    def _step_alone(self) -> None:
        uplink = self._uplink.state if self._uplink is not None else UplinkState()
        self._alone.step(
            self._pipeline.judge.firing,
            last_receipt_at=uplink.last_receipt_at,
            is_connected=uplink.is_connected,
            backlog=self._pipeline.outbox.backlog(),
        )

    def _end(self) -> None:
        log.info("stopping")
        self._supervisor.stopping()
        self._alone.stop()
        self._commander.stop()
        if self._rotation is not None:
            self._rotation.stop()
        self._devices.stop()
        pipeline = self._pipeline
        pipeline.judge.stop()
        pipeline.cutter.step(final=True)
        pipeline.tidy()
        if self._uplink is not None:
            self._uplink.stop()
        self._write_status("stopped")
        self._clock_watch.close()
        pipeline.close()
        log.info("stopped")

    # ---- uplink and status

    def _is_connected(self) -> bool:
        return self._uplink is not None and self._uplink.state.is_connected

    def _report(self, reported: Reported) -> None:
        if self._uplink is not None:
            self._uplink.report(reported)

    def _make_uplink(self) -> Uplink | None:
        uplink = self._settings.uplink
        if not uplink.host:
            log.info("no [uplink] host: everything stays in the outbox")
            return None
        options = ConnectionOptions(
            uplink.host,
            uplink.port,
            client_id=self._gateway,
            tls=tls_files(self._state, self._settings, self._now),
            keepalive_s=uplink.keepalive_s,
        )
        return Uplink(
            options,
            self._gateway,
            self._pipeline.outbox,
            clock=self._clock,
            manners=Manners(uplink.reconnect_s, uplink.heartbeat_s, uplink.backlog_per_s),
            health=self._health,
            on_desired=self._obeyer.offered,
            on_command=lambda raw: self._commander.offered(raw),
        )

    def _make_rotation(self) -> Rotation | None:
        uplink = self._settings.uplink
        if self._uplink is None or not uplink.tls or not uplink.cloud:
            return None
        return Rotation(
            self._state,
            self._gateway,
            uplink,
            self._now,
            clock=self._clock,
            draw=random.random,
            on_renewed=lambda: self._uplink.reconnect("a new certificate") if self._uplink else None,
        )

    def _make_commander(self) -> Commander:
        state, outbox = self._state, self._pipeline.outbox
        means = Means(
            state,
            self._settings,
            self._clock,
            status=lambda: self._status("running"),
            renew=self._renew,
            restart=self._restart,
        )
        return Commander(
            means,
            self._gateway,
            keys=lambda: pinned_keys(state),
            now=self._now,
            tell=lambda result: outbox.put_urgent(Kind.RESULT, result.model_dump_json().encode()),
        )

    def _renew(self) -> dict[str, object]:
        if self._rotation is None:
            raise CommandError("no_identity", "this gateway has no certificate, or no [uplink] cloud to ask")
        self._rotation.renew()
        return self._rotation.describe()

    def _restart(self) -> None:
        self.wants_restart = True
        self.stop()

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
            readings=sum(running.loop.state.readings for running in self._devices.all()),
            code_version=models.__version__,
            clock_trusted=self._clock_watch.read() is not ClockState.UNTRUSTED,
            measures={**measures(), "unheard_s": round(self._alone.cloud.unheard_s, 1)},
            actions=self._alone.notes,
            run=self._run_name,
            certificate=self._rotation.state.serial if self._rotation is not None else "",
            upgrade=last_upgrade(self._state.root),
        )

    def _write_status(self, phase: str) -> None:
        with self._telling.told():
            told = self._status(phase)
            self._alone.show(told)
            replace_file(self._state.status, json.dumps(told).encode(), durable=False)

    def _status(self, phase: str) -> dict[str, object]:
        return describe(self._facts(phase), self._pipeline, self._uplink, self._devices.all())

    def _facts(self, phase: str) -> dict[str, object]:
        return {
            "gateway": self._gateway,
            "phase": phase,
            "written_at": self._clock.wall_ns(),
            "up_s": round((self._clock.monotonic_ns() - self._started_ns) / SECOND_NS, 1),
            "config_version": self._obeyer.in_force.version,
            "on_trial": self._trials.course is not None,
            "clock": self._clock_watch.read().name.lower(),
            "monitors": monitors_told(self._obeyer.in_force.document, self._pipeline.judge.failed),
            "identity": self._rotation.describe() if self._rotation is not None else None,
            **self._alone.describe(),
        }


def open_trials(state: StateFolder, settings: Settings, clock: Clock) -> Trials:
    """Count this start against a document on trial, before anything of it runs; go back where it must."""
    limits, store = settings.limits, DesiredStore(state)
    bounds = Bounds(
        trial_s=limits.trial_s,
        crashes=limits.trial_crashes,
        onsets=limits.trial_onsets,
        cpu_percent=limits.trial_cpu_percent,
        memory_mb=limits.trial_memory_mb,
    )
    trials = Trials(TrialStore(state.trial), bounds, clock)
    in_force = store.load(pinned_keys(state), settings.gateway.id)
    last_good = trials.start(in_force.version if in_force is not None else 0)
    if last_good is not None:
        store.put_back(last_good)
        trials.went_back()
    return trials
