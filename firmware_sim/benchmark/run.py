"""One run of the benchmark: all readings of the house for two weeks, and the truth, from (hazard, seed)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_sim.benchmark.elder import Elder, elder_quantities
from firmware_sim.benchmark.house import HouseChannel, house_channels
from firmware_sim.benchmark.household import Household
from firmware_sim.benchmark.machines import boiler, boiler_tests, cold_room, lift, switch_room
from firmware_sim.benchmark.onset import KINDS, Onset, draw_onset
from firmware_sim.benchmark.rooms import rooms
from firmware_sim.benchmark.scene import END_S, JUDGED_S, PERIOD_S, Floats, Scene
from firmware_sim.benchmark.sensors import lost_steps, told
from firmware_sim.benchmark.truth import (
    BATHROOM,
    BOILER_ROOM,
    KITCHEN,
    LIVING_ROOM,
    METER,
    WATER_ROOM,
    TrueEvent,
)
from firmware_sim.benchmark.water import flat_flow, mains, sump
from firmware_sim.errors import ScenarioError

HAZARD_NAMES = tuple(KINDS)
FROZEN_SEEDS, HELD_OUT_SEEDS = range(1001, 1051), range(2001, 2051)
SECOND = 1_000_000_000
Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """`time` int64 (channels, steps), ns UTC; `value` float64, same shape, NaN where a reading was lost.

    Judging begins at `judged_ns`; before it lie the learning days, the same for all hazards of a seed.
    `truth` holds the one hazard and the judged days' look-alikes, by time.
    """

    hazard: str
    seed: int
    began_ns: int
    judged_ns: int
    until_ns: int
    channels: tuple[HouseChannel, ...]
    time: Int64s
    value: Floats
    truth: tuple[TrueEvent, ...]

    def rows(self, from_ns: int, to_ns: int) -> tuple[NDArray[np.int32], Int64s, Floats]:
        """Channel index, time, value of all readings with from <= time < to, in the order they were taken."""
        told_at = (self.time >= from_ns) & (self.time < to_ns) & np.isfinite(self.value)
        channel = np.broadcast_to(np.arange(len(self.channels), dtype=np.int32)[:, None], self.time.shape)
        order = np.lexsort((channel[told_at], self.time[told_at]))
        return channel[told_at][order], self.time[told_at][order], self.value[told_at][order]


def make_run(hazard: str, seed: int) -> Run:
    """The run; the same for the same hazard and seed. ScenarioError when there is no such hazard."""
    if hazard not in KINDS:
        raise ScenarioError(f"no hazard {hazard!r} in the benchmark; known: {', '.join(HAZARD_NAMES)}")
    scene = Scene(hazard, seed)
    house, elder = Household(scene), Elder(scene)
    onset = draw_onset(scene, house, elder)
    real = _quantities(scene, house, elder, onset)
    channels = house_channels()
    lost = {device: lost_steps(scene, device) for device in dict.fromkeys(c.device for c in channels)}
    values = [np.where(lost[c.device], np.nan, told(scene, c, real[c.sensor.quantity])) for c in channels]
    began_ns = int(scene.began_s) * SECOND
    return Run(
        hazard,
        seed,
        began_ns,
        began_ns + int(JUDGED_S) * SECOND,
        began_ns + int(END_S) * SECOND,
        channels,
        np.stack([began_ns + _times(scene, c.device) for c in channels]),
        np.stack(values),
        _truth(scene, house, onset),
    )


def _quantities(scene: Scene, house: Household, elder: Elder, onset: Onset) -> dict[str, Floats]:
    flow = flat_flow(scene, house, onset)
    lonely = elder_quantities(scene, elder, onset)
    return (
        rooms(scene, house, onset)
        | lonely
        | {"flat_flow": flow}
        | mains(scene, flow + lonely["elder_flow"], onset)
        | sump(scene, onset)
        | boiler(scene, onset)
        | cold_room(scene, onset)
        | lift(scene, onset)
        | switch_room(scene, onset)
    )


def _times(scene: Scene, device: str) -> Int64s:
    """Each device asks in its own part of the half minute, a few milliseconds early or late."""
    phase = scene.number(f"phase/{device}", 0.5, PERIOD_S - 0.5)
    late = 0.01 * scene.uniforms(f"late/{device}")
    return np.rint((scene.at_s + phase + late) * 1e3).astype(np.int64) * 1_000_000


def look_alikes(scene: Scene, house: Household) -> list[TrueEvent]:
    """What looks like a hazard in the judged days and is none."""
    found = [
        ("cooking", (KITCHEN, LIVING_ROOM), m.from_s, m.to_s, 1800.0) for m in house.cookings() if m.smoke
    ]
    found += [("shower", (BATHROOM, METER, WATER_ROOM), s.from_s, s.to_s, 3600.0) for s in house.showers()]
    found += [("opened_window", (LIVING_ROOM,), a.from_s, a.to_s, 3600.0) for a in house.airings()]
    found += [("boiler_test", (BOILER_ROOM,), t.from_s, t.to_s, 3600.0) for t in boiler_tests(scene)]
    return [
        TrueEvent(what, places, from_s, to_s, to_s + fades_s, False)
        for what, places, from_s, to_s, fades_s in found
        if JUDGED_S <= from_s < END_S
    ]


def truth_of(hazard: str, seed: int) -> tuple[TrueEvent, ...]:
    """The truth of a run without its readings."""
    scene = Scene(hazard, seed)
    house = Household(scene)
    return _truth(scene, house, draw_onset(scene, house, Elder(scene)))


def _truth(scene: Scene, house: Household, onset: Onset) -> tuple[TrueEvent, ...]:
    return tuple(sorted([onset.truth(), *look_alikes(scene, house)], key=lambda event: event.from_s))


def hazard_of(run: Run) -> TrueEvent:
    """The run's one hazard."""
    return next(event for event in run.truth if event.is_real)
