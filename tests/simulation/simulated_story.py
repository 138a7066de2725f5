"""A seed's story: what strikes when, then calm, then the reckoning."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from simulated_broker import Broker
from simulated_checks import check
from simulated_cloud import Cloud, Databases, work_folder
from simulated_disk import simulated_disks
from simulated_gateway import Gateway
from simulated_world import STORM, World

STORM_S = 45.0  # faults strike before
CALM_S = 50.0  # and devices are read until
LINGERS_S = 62.0  # what struck last may last so long
QUIET_S = 320.0  # so long nothing new is heard before it counts as rest
PATIENCE_S = 6 * 3600.0  # for everything to come to rest
_EVENTS = ((9.0, 19.0), (29.0, 39.0))


@dataclass
class Outcome:
    """What became of a seed."""

    seed: int
    violations: list[str]
    strikes: list[str]
    trace: list[str] = field(default_factory=list)
    rested_at_s: float = 0.0
    readings: int = 0
    alerts: int = 0
    receipts: int = 0

    @property
    def holds(self) -> bool:
        return not self.violations


class Stage:
    """What one process's simulations share: a folder, databases, and gateways' code on simulated disks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._databases = Databases(folder)

    def play(self, seed: int, *, keep_trace: bool = False, with_faults: bool = True) -> Outcome:
        """Run one seed from beginning to end."""
        self._databases.reset()
        gateways = self._folder / "gateways"
        shutil.rmtree(gateways, ignore_errors=True)
        story = _Story(seed, self._databases, gateways, keep_trace=keep_trace)
        return story.run(with_faults=with_faults)


@contextmanager
def stage() -> Iterator[Stage]:
    """Everything simulations need, cleared away afterwards."""
    folder = work_folder()
    try:
        with simulated_disks():
            scene = Stage(folder)
            # What is loaded and compiled on first use must not count as a step of any seed.
            scene.play(0, with_faults=False)
            yield scene
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Story:
    def __init__(self, seed: int, databases: Databases, folder: Path, *, keep_trace: bool) -> None:
        self._world = world = World(seed, keep_trace=keep_trace)
        draw = world.chance
        self._latency_s = draw.choice((0.005, 0.02, 0.1))
        self._jitter = draw.choice((0.5, 3.0))
        self._broker = Broker(world, most_queued=draw.choice((15, 100, 1000)))
        self._cloud = Cloud(world, databases, self._broker, self._slowness)
        shift = draw.uniform(-5, 5)
        self._events = [(start + shift, end + shift) for start, end in _EVENTS]
        spare_pages = draw.randint(3, 8) if draw.random() < 0.15 else None
        self._gateway = Gateway(world, "gw-a", folder / "gw-a", self._broker, self._slowness, self._is_hot)
        self._gateway.state.make()
        self._gateway.disk.spare_pages = spare_pages
        self._strikes: list[str] = []

    def run(self, *, with_faults: bool) -> Outcome:
        world, gateway = self._world, self._gateway
        gateway.boot()
        if with_faults:
            self._plan()
        world.after(STORM_S, self._calm)
        gateway.samples_until_s = CALM_S
        moment = STORM_S + LINGERS_S
        world.run_until(moment)
        while moment < PATIENCE_S and not self._is_at_rest():
            moment += 30.0
            world.run_until(moment)
        if self._cloud.restores:
            # It is asked every five minutes, and may have to be told all of it again.
            moment += QUIET_S
            world.run_until(moment)
            while moment < PATIENCE_S and not self._is_at_rest():
                moment += 30.0
                world.run_until(moment)
        if world.happened >= STORM:
            world.wrong("a storm: two parts keep each other busy for ever")
        elif not self._is_at_rest():
            world.wrong(f"does not come to rest: {self._unrest()}")
        world.run_until(moment + 5.0)
        kept = self._cloud.kept(gateway.name)
        check(world, gateway, kept, self._events, self._cloud.restores)
        alerts, readings = len(kept.alerts), sum(map(len, kept.values.values()))
        gateway.kill("ends")
        self._cloud.kill()
        return Outcome(
            world.seed, world.violations, self._strikes, world.lines, moment, readings, alerts,
            self._cloud.receipts,
        )  # fmt: skip

    # ---- faults

    def _plan(self) -> None:
        draw = self._world.chance
        faults: list[tuple[Callable[[], None], int]] = [
            (self._cut_link, 3), (self._stall_link, 1), (self._network_down, 2),
            (self._kill_broker, 2), (self._wipe_broker, 2), (self._stop_broker, 1),
            (self._kill_cloud, 2), (self._break_cloud, 4), (self._fail_series, 2), (self._fail_main, 1),
            (self._kill_gateway, 2), (self._break_gateway, 6), (self._cut_power, 2), (self._stop_gateway, 1),
            (self._damage_outbox, 1), (self._restore_cloud, 1), (self._step_clock, 1), (self._lose_clock, 1),
            (self._fill_disk, 1), (self._poison, 1), (self._slow_down, 1), (self._duplicate, 2),
        ]  # fmt: skip
        if self._gateway.disk.spare_pages is not None:
            self._world.after(draw.uniform(2, 20), lambda: self._strike(self._network_down))
        weights = [weight for _, weight in faults]
        for _ in range(draw.randint(3, 8)):
            strike = draw.choices(faults, weights)[0][0]
            at = draw.uniform(2.0, STORM_S)
            self._world.after(at, lambda strike=strike: self._strike(strike))  # type: ignore[misc]

    def _strike(self, fault: Callable[[], None]) -> None:
        name = fault.__name__.strip("_")
        self._strikes.append(f"{name}@{self._world.now_s:.0f}")
        self._world.say("STRIKE", name)
        fault()

    def _calm(self) -> None:
        """No fault strikes any more, and what was broken is mended."""
        self._world.say("CALM")
        gateway, cloud = self._gateway, self._cloud
        gateway.disk.steps_left = cloud.steps_left = None
        gateway.disk.is_full = cloud.series_fails = cloud.main_fails = False
        self._jitter = 0.5
        self._latency_s = min(self._latency_s, 0.02)
        gateway.network_is_up = True
        gateway.set_clock(0)
        self._broker.start()
        cloud.start()
        gateway.boot(machine=True)

    def _later(self, low: float, high: float, what: Callable[[], None]) -> None:
        self._world.after(self._world.chance.uniform(low, high), what)

    def _slowness(self) -> float:
        return self._latency_s * (1.0 + self._jitter * self._world.chance.random())

    def _cut_link(self) -> None:
        link = self._broker.link_of("gw-a")
        if link is not None:
            link.cut()

    def _stall_link(self) -> None:
        link = self._broker.link_of("gw-a")
        if link is not None:
            link.stall()

    def _duplicate(self) -> None:
        """The way to the cloud breaks: the broker sends again what was not acknowledged."""
        link = self._broker.link_of(self._world.chance.choice(("cloud-urgent", "cloud-bulk")))
        if link is not None:
            link.cut()

    def _network_down(self) -> None:
        self._gateway.set_network(False)
        self._later(1, 40, lambda: self._gateway.set_network(True))

    def _kill_broker(self) -> None:
        self._broker.kill(wiped=False)
        self._later(0.1, 30, self._broker.start)

    def _wipe_broker(self) -> None:
        self._broker.kill(wiped=True)
        self._later(0.1, 30, self._broker.start)

    def _stop_broker(self) -> None:
        self._broker.stall_all()

    def _kill_cloud(self) -> None:
        self._cloud.kill()
        self._later(0.5, 20, self._cloud.start)

    def _break_cloud(self) -> None:
        self._cloud.arm(self._world.chance.randint(1, 60))

    def _fail_series(self) -> None:
        self._cloud.series_fails = True
        self._later(1, 40, self._mend_stores)

    def _fail_main(self) -> None:
        self._cloud.main_fails = True
        self._later(1, 20, self._mend_stores)

    def _mend_stores(self) -> None:
        self._cloud.series_fails = self._cloud.main_fails = False

    def _kill_gateway(self) -> None:
        self._gateway.kill()
        self._later(0.5, 15, lambda: self._gateway.boot(machine=False))

    def _break_gateway(self) -> None:
        self._gateway.arm(self._world.chance.randint(1, 120))

    def _cut_power(self) -> None:
        self._gateway.cut_power()
        self._later(2, 30, self._gateway.boot)

    def _stop_gateway(self) -> None:
        self._gateway.stop()
        self._later(3, 15, lambda: self._gateway.boot(machine=False))

    def _fill_disk(self) -> None:
        self._gateway.disk.is_full = True
        self._world.say("disk full")
        self._later(2, 30, self._free_disk)

    def _free_disk(self) -> None:
        self._gateway.disk.is_full = False
        self._world.say("disk has room")

    def _damage_outbox(self) -> None:
        self._gateway.damage()
        self._later(1, 5, self._gateway.boot)

    def _restore_cloud(self) -> None:
        """A backup now, and some time later the server is lost and comes back from it."""
        self._cloud.back_up()
        self._later(5, 40, self._cloud_comes_back)

    def _cloud_comes_back(self) -> None:
        self._cloud.restore()
        self._later(0.5, 10, self._cloud.start)

    def _step_clock(self) -> None:
        self._gateway.set_clock(self._world.chance.choice((-1, 1)) * self._world.chance.uniform(2, 3600))
        self._later(5, 60, lambda: self._gateway.set_clock(0))

    def _lose_clock(self) -> None:
        """A power cut, and a machine without a battery for its clock."""
        self._gateway.cut_power()
        self._gateway.set_clock(None)
        self._later(1, 10, self._gateway.boot)
        self._later(5, 60, lambda: self._gateway.set_clock(0))

    def _poison(self) -> None:
        self._gateway.poison()

    def _slow_down(self) -> None:
        self._latency_s *= 20
        self._later(5, 30, self._speed_up)

    def _speed_up(self) -> None:
        self._latency_s = min(self._latency_s / 20, 0.1)

    # ---- the end

    def _is_hot(self, at_s: float) -> bool:
        return any(start <= at_s < end for start, end in self._events)

    def _is_at_rest(self) -> bool:
        pipeline = self._gateway.pipeline
        return (
            pipeline is not None
            and pipeline.outbox.backlog() == 0
            and pipeline.cutter.position >= pipeline.spool.end
        )

    def _unrest(self) -> str:
        pipeline, uplink = self._gateway.pipeline, self._gateway.uplink
        if pipeline is None or uplink is None:
            return "the gateway is off"
        state, uncut = uplink.session.state, pipeline.spool.end - pipeline.cutter.position
        waiting = pipeline.outbox.backlog()
        return f"{waiting} messages wait, {uncut} bytes are not cut, {state.is_connected} {state.problem}"
