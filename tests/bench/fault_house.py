"""Calm days of the hazard benchmark's house, channel by channel, for faults to be put into."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from fault_heard import HOUR_NS, Calm, Quiet
from fault_runs import Outcome, run_fault
from fault_series import DRIFT, FAULT_TYPES, STUCK, FaultType, Series

from firmware_sim.benchmark.house import HouseChannel, house_channels
from firmware_sim.benchmark.run import Run, make_run
from models.detectors.plausibility.natures import RESTS_AT_ZERO, nature_of

# Of each group a seed takes one channel, the next seed the next.
GROUPS = (
    ("temperature",),
    ("humidity", "co2"),
    ("pressure", "water_level", "smoke", "co", "gas"),
    ("flow", "power", "current", "vibration"),
    ("door", "motion", "contact", "pump"),
)
# Hazards that stay in one room each; a channel's calm days are those of hazards elsewhere.
_ELSEWHERE = {
    "lift_shaking": ("lift",),
    "lying_helpless": ("flat-302",),
    "hot_joint": ("switch-room",),
    "freezer_failing": ("cold-room",),
    "basement_flooding": ("sump", "boiler"),
    "carbon_monoxide": ("boiler", "kitchen", "living-room"),
    "gas_leak": ("kitchen", "living-room"),
}
_DRIFT_BLOCKS = 5


def channels_of(seed: int) -> list[HouseChannel]:
    """One channel of each group."""
    every = house_channels()
    groups = [[c for c in every if c.sensor.kind in kinds] for kinds in GROUPS]
    return [group[seed % len(group)] for group in groups]


def calm_series(channel: HouseChannel, seed: int, blocks: int = 1) -> tuple[Series, int, int]:
    """Ten learning days and four more for each block, none with a hazard where the channel is.

    Blocks are the judged days of several runs of one household, one after the other. Returns with it when the
    first day begins and when the learning days are over, ns.
    """
    hazards = [name for name, devices in _ELSEWHERE.items() if channel.device not in devices][:blocks]
    times, values = [], []
    for number, hazard in enumerate(hazards):
        run = _run(hazard, seed)
        place = next(k for k, one in enumerate(run.channels) if one.name == channel.name)
        rows = np.isfinite(run.value[place])
        if number:
            rows &= run.time[place] >= run.judged_ns
        times.append(run.time[place][rows] + number * (run.until_ns - run.judged_ns))
        values.append(run.value[place][rows])
    sensor = channel.sensor
    series = Series(
        kind=sensor.kind,
        unit=sensor.unit,
        resolution=sensor.resolution,
        time=np.concatenate(times),
        value=np.concatenate(values),
        minimum=sensor.minimum,
        maximum=sensor.maximum,
        has_limits=seed % 2 == 0,
    )
    return series, run.began_ns, run.judged_ns


@functools.lru_cache(maxsize=8)
def _run(hazard: str, seed: int) -> Run:
    return make_run(hazard, seed)


def house_outcomes(seed: int, only: Sequence[str] = ()) -> tuple[list[Outcome], list[Quiet]]:
    """Every fault on every channel of the seed that it suits; and what was said of calm days."""
    found, quiet = [], []
    for channel in channels_of(seed):
        kind = channel.sensor.kind
        known = [one for one in FAULT_TYPES if not only or one.name in only]
        suit = [one for one in known if one.suits(nature_of(kind), kind)]
        short, long = ([one for one in suit if (one.name == DRIFT) == drifts] for drifts in (False, True))
        for faults, blocks in ((short, 1), (long, _DRIFT_BLOCKS)):
            if not faults:
                continue
            series, began_ns, judged_ns = calm_series(channel, seed, blocks)
            calm = Calm(series, began_ns, judged_ns)
            for fault in faults:
                chance = np.random.default_rng((seed, *fault.name.encode(), *channel.name.encode()))
                at = _onset(series, judged_ns, fault, chance)
                where = {"source": "house", "channel": channel.name, "seed": seed}
                found.append(run_fault(calm, fault, at, chance, **where))
        if suit:
            quiet.append(calm.quiet(channel.name, seed))
    return found, quiet


def _onset(series: Series, judged_ns: int, fault: FaultType, chance: np.random.Generator) -> int:
    """A row of the first judged day, hours 6 to 18; not at zero where a rest there is ordinary.

    The hour before it is without a gap, for a silence of its own would be under way when the fault begins.
    """
    from_ns, to_ns = judged_ns + 6 * HOUR_NS, judged_ns + 18 * HOUR_NS
    steps = np.diff(series.time, prepend=series.time[0])
    gaps = series.time[steps > 2 * np.median(steps)]
    last_gap = np.searchsorted(gaps, series.time, side="right") - 1
    calm = (last_gap < 0) | (series.time - gaps[last_gap] > HOUR_NS)
    rows = np.flatnonzero((series.time >= from_ns) & (series.time < to_ns) & calm)
    if fault.name == STUCK and series.nature & RESTS_AT_ZERO:
        moving = rows[series.value[rows] != 0.0]
        rows = moving if len(moving) else rows
    return int(chance.choice(rows))
