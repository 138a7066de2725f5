"""A gateway: the real spool, judge, cutter, outbox and uplink session on simulated machinery."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulated_broker import RECEIVE_MAXIMUM, Broker, Link
from simulated_disk import Disk
from simulated_world import Killed, World, WorldClock

from edge_agent.drivers.seam import Batch
from edge_agent.mqtt_connection import Acknowledged, Connected, Disconnected, Message, Subscribed
from edge_agent.pipeline import Pipeline
from edge_agent.sampler.calibration import Calibration
from edge_agent.sampler.clock_trust import ClockWatch
from edge_agent.settings import GatewaySettings, Limits, Settings
from edge_agent.state import StateFolder
from edge_agent.timekeeper import Timekeeper
from edge_agent.uplink.actions import Beat, Close, Connect, Publish, Report, Stop, Subscribe, Wake
from edge_agent.uplink.session import Manners, Session
from models.alert import AlertKind, Severity
from models.configuration import ChannelConfig, DeviceConfig, MonitorConfig, TriggerConfig
from models.errors import TransientError
from models.identity import Stream
from models.wire.messages import Health, Presence, Reported, ReportedState
from models.wire.topics import Down, Up, down_topic, up_topic

PERIOD_S = 1.0
_AFTERWARDS_S = 5.0  # nothing is read any more, and only the clearing up remains
CALM_LEVEL, HOT_LEVEL = 20.0, 90.0
_TICK = 1e-6  # each level is a value of its own, so that a reading can be recognised anywhere
MANNERS = Manners(reconnect_s=4.0, heartbeat_s=60.0, backlog_per_s=20.0)


def _channel(name: str) -> ChannelConfig:
    return ChannelConfig(
        name=name, kind="level", unit="1", source=name, resolution=0, minimum=-1e9, maximum=1e9
    )


DEVICE = DeviceConfig(
    name="d", driver="health", channels=tuple(map(_channel, ("d/count", "d/level", "d/noise")))
)
HOT = MonitorConfig(
    name="hot", detector="limit", parameters={"high": 80}, channels=("d/level",),
    trigger=TriggerConfig(on=3.0, on_delay_s=2.0, off_delay_s=2.0), kind=AlertKind.HAZARD, hazard="fire",
    severity=Severity.SEVERE,
)  # fmt: skip
LIMITS = Limits(outbox_mb=1, spool_mb=1, message_readings=6, message_seconds=3.0)


@dataclass
class Sample:
    """One poll's two readings, and what was promised of them."""

    number: int
    at_s: float
    level: float
    is_kept: bool = False  # the spool took it
    is_written: bool = False  # and not into memory, as while the disk takes nothing
    is_safe: bool = False  # and the disk has it
    is_exempt: bool = False  # what struck before that may have taken it


@dataclass
class Truth:
    """What a gateway did, as nobody in the simulated world can forget it."""

    samples: list[Sample] = field(default_factory=list)
    raised: dict[tuple[str, str], int] = field(default_factory=dict)
    readings_each: int = 2
    poisons: int = 0
    damages: int = 0
    power_cuts: list[float] = field(default_factory=list)
    most_unacknowledged: int = 0
    clock_faults: list[float] = field(default_factory=list)


class Gateway:
    """One machine. Off until `boot`; `kill`, `cut_power` and the disk's steps end it at any moment."""

    def __init__(
        self,
        world: World,
        name: str,
        root: Path,
        broker: Broker,
        slowness: Callable[[], float],
        is_hot: Callable[[float], bool],
        *,
        is_trial: bool = False,
        noise: int = 0,
    ) -> None:
        self.world, self.name, self.truth = world, name, Truth()
        self.disk, self.clock = Disk(world, root), WorldClock(world, name)
        self.broker, self._slowness, self._is_hot = broker, slowness, is_hot
        self.state = StateFolder(root)
        self.settings = Settings(
            gateway=GatewaySettings(id=name), limits=LIMITS, devices=(DEVICE,),
            monitors=(HOT.model_copy(update={"trial": is_trial}),),
        )  # fmt: skip
        self.network_is_up = True
        self._noise = noise  # readings a sample more, so that it weighs something
        self.truth.readings_each = 2 + noise
        self.samples_until_s = float("inf")
        self.pipeline: Pipeline | None = None
        self.uplink: _Uplink | None = None
        self._life = 0
        self._is_up = False
        self._held_alerts: set[tuple[str, str]] = set()
        self._pending: Sample | None = None
        self._pending_block: Any = None
        self._chance = random.Random(world.chance.random())

    @property
    def is_on(self) -> bool:
        return self.pipeline is not None

    @property
    def _is_connected(self) -> bool:
        return self.uplink is not None and self.uplink.session.state.is_connected

    # ---- fate

    def boot(self, *, machine: bool = True) -> None:
        """Start the program, and with `machine` the machine under it."""
        if self._is_up:
            return
        self._is_up = True
        if machine:
            self.clock.reboot()
        self._life += 1
        self.world.say(self.name, "starts", "after power" if machine else "again")
        self._guarded(self._start)

    def kill(self, why: str = "killed") -> None:
        """kill -9: memory is gone, what was written is there."""
        if not self._is_up:
            return
        self.world.say(self.name, why)
        self._gone()

    def cut_power(self) -> None:
        """As `kill`, and what the disk had not been told to keep goes too."""
        self.truth.power_cuts.append(self.world.now_s)
        self.kill("loses power")
        late = [s for s in self.truth.samples if s.is_kept and not s.is_safe and not s.is_exempt]
        for sample in late:
            sample.is_exempt = True
            if self.world.now_s - sample.at_s > 2.5 and not self.disk.is_full:
                self.world.wrong(f"{self.name}: reading {sample.number} was not synced for more than 2.5 s")
        self.disk.forget_unsynced()

    def stop(self) -> None:
        """SIGTERM: an end in good order."""

        def work() -> None:
            if self.pipeline is None or self.uplink is None:
                return
            self.pipeline.judge.stop()
            self.pipeline.cutter.step(final=True)
            self._note_safe()
            self.uplink.feed(Stop())

        self.world.say(self.name, "is stopped")
        self._guarded(work)
        self.world.after(1.5, lambda: self.kill("has stopped"))

    def arm(self, steps: int) -> None:
        """Kill it in the middle of whatever it does `steps` from now."""
        if self.is_on:
            self.disk.steps_left = steps

    def damage(self) -> None:
        """The card flips bits of the outbox's file while the machine is off."""
        self.kill("is off")
        if (self.disk.root / "outbox.db").exists():
            self.truth.damages += 1
            self.disk.damage()

    def set_clock(self, wrong_s: float | None) -> None:
        """The wall clock is off by so many seconds from here on; None: it was never set."""
        self.world.say(self.name, "clock", "not set" if wrong_s is None else f"{wrong_s:+.0f} s")
        self.truth.clock_faults.append(self.world.now_s)
        self.clock.is_right = wrong_s is not None
        self.clock.wrong_ns = -self.world.wall_ns if wrong_s is None else round(wrong_s * 1e9)

    def set_network(self, is_up: bool) -> None:
        self.world.say(self.name, "network", "up" if is_up else "down")
        self.network_is_up = is_up
        link = self.broker.link_of(self.name)
        if not is_up and link is not None:
            link.cut("network down")

    def poison(self) -> None:
        """A message whose body nobody can read, sealed and numbered like any other."""

        def work() -> None:
            from edge_agent.outbox.rows import BulkPart
            from models.wire.envelope import Kind

            assert self.pipeline is not None
            self.pipeline.outbox.put_bulk([BulkPart(Kind.TELEMETRY, b"\x00 no columns", 0, 0, 0)])
            self.truth.poisons += 1

        if self.is_on and self.disk.steps_left is None and not self.disk.is_full:
            self._guarded(work)

    # ---- life

    def _start(self) -> None:
        watch = ClockWatch(
            self.clock, self.state.clock, synchronised=lambda: self.clock.is_right, rtc=lambda: False
        )
        pipeline = Pipeline.open(
            self.state, self.settings, self.clock, right=watch.right, waits=lambda: self._timekeeper.waits()
        )
        self._watch = watch
        self._timekeeper = Timekeeper(pipeline, watch, lambda: self._is_connected)
        self.pipeline = pipeline
        self._note_safe()
        self._timekeeper.begin()
        numbers = {name: entry.number for name, entry in pipeline.book.by_name.items()}
        self._calibration = Calibration(DEVICE, numbers, late_s=3600, ahead_s=60)
        real_raise = pipeline.outbox.raise_alert

        def raise_alert(alert: Any) -> bool:
            is_new = real_raise(alert)
            if is_new:
                key = (alert.id, alert.state.value)
                self.truth.raised[key] = self.truth.raised.get(key, 0) + 1
                if pipeline.outbox.problem:
                    self._held_alerts.add(key)
                self.world.say(self.name, "raises", alert.id[:8], alert.state.value, f"value {alert.value}")
            return is_new

        pipeline.outbox.raise_alert = raise_alert  # type: ignore[method-assign]
        self.uplink = _Uplink(self, pipeline)
        life = self._life
        self.world.after(self._chance.random() * PERIOD_S, lambda: self._tick(life))

    def _tick(self, life: int) -> None:
        if life != self._life or not self.is_on:
            return
        is_over = self.world.now_s > self.samples_until_s + 10.0
        self.world.after(_AFTERWARDS_S if is_over else PERIOD_S, lambda: self._tick(life))
        self._guarded(self._work)

    def _work(self) -> None:
        assert self.pipeline is not None
        self._sample()
        try:
            if not self.pipeline.judge.step():
                self.pipeline.judge.silence()
        except Exception as wrong:  # as Judge._run does
            self.world.say(self.name, "judge", repr(wrong))
        try:
            self._timekeeper.look()
            self.pipeline.cutter.step()
            self._note_safe()
            self.pipeline.tidy()
        except OSError as wrong:
            self.world.say(self.name, "cutter", repr(wrong))

    def _sample(self) -> None:
        """As DeviceLoop: a block that finds no room is held, and polls meanwhile are left out."""
        assert self.pipeline is not None
        if self._pending is None:
            if self.world.now_s >= self.samples_until_s:
                return
            number = len(self.truth.samples)
            level = (HOT_LEVEL if self._is_hot(self.world.now_s) else CALM_LEVEL) + number * _TICK
            self._pending = Sample(number, self.world.now_s, level)
            self.truth.samples.append(self._pending)
            stamp = self._watch.stamp()
            noise = [self._chance.random() for _ in range(self._noise)]
            self._pending_block = self._calibration.block(
                Batch.of([0, 1, *[2] * len(noise)], [float(number), level, *noise]),
                wall_ns=stamp.wall_ns, monotonic_ns=stamp.monotonic_ns, state=stamp.state,
            )  # fmt: skip
        try:
            self.pipeline.spool.append(self._pending_block, "d", None)
        except (TransientError, OSError) as full:
            self.world.say(self.name, "holds a reading:", full)
            return
        self._pending.is_kept = True
        self._pending = None
        self._note_written()

    def _note_written(self) -> None:
        """Without a problem nothing is held in memory."""
        assert self.pipeline is not None
        if not self.pipeline.outbox.problem:
            self._held_alerts.clear()
        if self.pipeline.spool.problem:
            return
        for sample in reversed(self.truth.samples):
            if sample.is_written:
                return
            sample.is_written = sample.is_kept

    def _note_safe(self) -> None:
        self._note_written()
        for sample in reversed(self.truth.samples):
            if sample.is_safe:
                return
            sample.is_safe = sample.is_written

    def _guarded(self, work: Callable[[], None]) -> None:
        """Run the gateway's own code; it may end in the middle of it."""
        try:
            with self.disk.in_use():
                work()
        except Killed:
            self.kill("is killed in the middle of something")
            self._come_back()
        except Exception as crash:
            self.world.say(self.name, "crashes:", repr(crash))
            self.kill("has crashed")
            self._come_back()

    def run(self, work: Callable[[], None]) -> None:
        """For what comes to the gateway from outside."""
        if self.is_on:
            self._guarded(work)

    def _come_back(self) -> None:
        # systemd starts it again.
        self.world.after(0.5 + 2 * self._chance.random(), lambda: self.boot(machine=False))

    def _gone(self) -> None:
        self._life += 1
        self._is_up = False
        if self._pending is not None:
            self._pending.is_exempt, self._pending = True, None
        for sample in reversed(self.truth.samples):
            if sample.is_written:
                break
            sample.is_exempt = True
        for key in self._held_alerts:
            self.truth.raised.pop(key, None)
        self._held_alerts.clear()
        if self.uplink is not None:
            self.uplink.drop()
        self.pipeline = self.uplink = None
        self.disk.steps_left = None
        self.disk.drop()


class _Uplink:
    """What the uplink's thread does with paho, done with a simulated broker."""

    def __init__(self, gateway: Gateway, pipeline: Pipeline) -> None:
        self._gateway, self._world, self._outbox = gateway, gateway.world, pipeline.outbox
        self._pipeline = pipeline
        self.session = Session(gateway.name, pipeline.outbox, MANNERS, gateway._chance.random)
        self._link: Link | None = None
        self._generation = 0
        self._unacknowledged: set[int] = set()
        self._turn = 0
        self._is_busy = False
        self._woken: list[Stream] = []
        pipeline.outbox.listen(self._wake)
        self.feed(Report(Reported(version=0, state=ReportedState.APPLIED, sent_at=0)))

    def drop(self) -> None:
        self._turn += 1
        if self._link is not None:
            self._link.cut("peer gone", tell_client=False)
            self._link = None

    def _wake(self, stream: Stream) -> None:
        if stream not in self._woken:
            self._woken.append(stream)
            turn = self._turn
            self._world.after(0.001, lambda: self._gateway.run(lambda: self._wake_up(turn)))

    def _wake_up(self, turn: int) -> None:
        woken, self._woken = self._woken, []
        if self._gateway.uplink is self:
            for stream in woken:
                self.feed(Wake(stream))

    def feed(self, event: object) -> None:
        """One turn of the uplink's thread."""
        now = self._gateway.clock.monotonic_ns()
        try:
            actions = self.session.step(event, now)
        except Exception as wrong:  # as Uplink._step does
            self._world.say(self._gateway.name, "uplink", repr(wrong))
            actions = self.session.fail(repr(wrong), now)
        for action in actions:
            self._gateway.disk.step()
            self._do(action)
        self._turn += 1
        turn = self._turn
        wait_s = max(0.001, (self.session.due_ns - now) / 1e9)
        self._world.after(min(wait_s, 5.0), lambda: self._due(turn))

    def _due(self, turn: int) -> None:
        if turn == self._turn and self._gateway.uplink is self:
            self._gateway.run(lambda: self.feed(None))

    def _do(self, action: object) -> None:
        match action:
            case Connect(generation):
                self._connect(generation)
            case Subscribe():
                topics = [down_topic(self._gateway.name, kind) for kind in Down]
                self._send(lambda link: self._gateway.broker.subscribe(link, topics))
                self._hear_later(lambda: Subscribed(self._generation, False))
            case Publish(ticket, kind, payload, retain):
                self._publish(ticket, kind, payload, retain=retain)
            case Beat(ticket, presence, hello):
                payload = self._health(presence, hello).model_dump_json().encode()
                self._publish(ticket, Up.HEALTH, payload, retain=True)
            case Close():
                if self._link is not None:
                    self._link.cut("closed", tell_client=False)
                self._link = None

    def _connect(self, generation: int) -> None:
        gateway = self._gateway
        self._generation, self._unacknowledged = generation, set()
        if not gateway.network_is_up or not gateway.broker.is_up:
            hangs = self._world.chance.random() < 0.3
            if not hangs:
                self._world.after(0.05, lambda: self._event(Disconnected(generation, "no broker")))
            return
        link = self._link = Link(self._world, gateway.broker, self, gateway._slowness)
        gone = Health(presence=Presence.OFFLINE, sent_at=gateway.clock.wall_ns(), boot=gateway.clock.boot())
        will = (up_topic(gateway.name, Up.HEALTH), gone.model_dump_json().encode())
        link.up(
            lambda: gateway.broker.connect(
                link, gateway.name, self, will=will, receive_maximum=RECEIVE_MAXIMUM
            )
        )

    def _publish(self, ticket: int, kind: Up, payload: bytes, *, retain: bool) -> None:
        topic = up_topic(self._gateway.name, kind)
        self._unacknowledged.add(ticket)
        self._gateway.truth.most_unacknowledged = max(
            self._gateway.truth.most_unacknowledged, len(self._unacknowledged)
        )
        self._send(
            lambda link: self._gateway.broker.publish(link, ticket, topic, payload, qos=1, retain=retain)
        )

    def _send(self, what: Callable[[Link], None]) -> None:
        link = self._link
        if link is not None:
            link.up(lambda: what(link))

    def _hear_later(self, event: Callable[[], object]) -> None:
        if self._link is not None:
            self._link.down(lambda: self._event(event()))

    def _event(self, event: object) -> None:
        if self._gateway.uplink is self:
            self._gateway.run(lambda: self.feed(event))

    def _health(self, presence: Presence, hello: bool) -> Health:
        return Health(
            presence=presence, hello=hello, sent_at=self._gateway.clock.wall_ns(),
            boot=self._pipeline.spool.boot, epoch=self._outbox.epoch,
            urgent_assigned=self._outbox.assigned(Stream.URGENT),
            bulk_assigned=self._outbox.assigned(Stream.BULK), backlog_messages=self._outbox.backlog(),
        )  # fmt: skip

    # ---- what the broker says (simulated_broker.Client)

    def connected(self, *, session_present: bool) -> None:
        self._event(Connected(self._generation, session_present, RECEIVE_MAXIMUM))

    def acknowledged(self, packet: int, reason: int) -> None:
        self._unacknowledged.discard(packet)
        self._event(Acknowledged(self._generation, packet, reason))

    def message(self, mid: int, topic: str, payload: bytes, qos: int, *, dup: bool, retained: bool) -> None:
        if qos:
            self._send(lambda link: self._gateway.broker.acknowledge(link, mid))
        self._event(Message(self._generation, mid, topic, payload, qos, dup, retained))

    def lost(self, reason: str) -> None:
        self._event(Disconnected(self._generation, reason))
