"""Tries every device once, beside or before the agent: what answers and what does not, in plain words."""

from __future__ import annotations

import math
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from edge_agent.drivers.mqtt_listener import MqttListener
from edge_agent.drivers.seam import Batch, Driver, DriverError
from edge_agent.drivers.table import make_driver
from edge_agent.sampler.calibration import Calibration
from edge_agent.settings import Limits
from models.clock import SECOND_NS, Clock, ClockState
from models.configuration import ChannelConfig, DeviceConfig
from models.readings import Quality

_AT_ONCE = 8
_POLLS = 3


@dataclass(frozen=True, slots=True)
class ChannelFound:
    """What a channel gave: a value in its unit, or None; and what is to be said against it."""

    name: str
    value: float | None
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class DeviceFound:
    """What a device gave. `problem` is empty where it answers."""

    name: str
    driver: str
    answers: bool
    problem: str
    channels: tuple[ChannelFound, ...]

    @property
    def is_well(self) -> bool:
        """Whether it answers with a believable value for each channel."""
        return self.answers and all(c.value is not None and not c.note for c in self.channels)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.is_well}


def probe_devices(
    devices: tuple[DeviceConfig, ...], limits: Limits, clock: Clock, wait_s: float
) -> list[DeviceFound]:
    """Opens and reads each device once; waits no longer than `wait_s` for those that speak by themselves.

    Nothing is acknowledged or stored, and a broker's session of the running agent is not touched.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probe") as pool:
        return list(pool.map(lambda device: _probe(device, limits, clock, wait_s), devices))


def words_of(found: DeviceFound) -> list[str]:
    """For people: a line for the device, and one for each channel."""
    with_value = sum(channel.value is not None for channel in found.channels)
    head = f"{found.name} ({found.driver}): "
    if not found.answers:
        return [head + found.problem]
    lines = [head + f"answers; {with_value} of {len(found.channels)} channels gave a value"]
    for channel in found.channels:
        value = "no value" if channel.value is None else f"{channel.value:.10g} {channel.unit}".rstrip()
        lines.append(f"  {channel.name}: {value}{'; ' if channel.note else ''}{channel.note}")
    if found.problem:
        lines.append(f"  then: {found.problem}")
    return lines


class _Trial:
    """One driver while it is tried."""

    def __init__(self, device: DeviceConfig, limits: Limits, clock: Clock) -> None:
        self.device, self._clock = device, clock
        self.driver = _make_apart(device, clock)
        numbers = {channel.name: place for place, channel in enumerate(device.channels)}
        self._calibration = Calibration(
            device, numbers, late_s=limits.late_s, ahead_s=limits.ahead_s, owns_time=self.driver.owns_time
        )
        self.found: dict[int, ChannelFound] = {}

    def listen(self, wait_s: float) -> None:
        """Reads until each channel gave something, or it is enough."""
        deadline = self._clock.monotonic_ns() + round(wait_s * SECOND_NS)
        polls = 0
        while len(self.found) < len(self.device.channels):
            left = (deadline - self._clock.monotonic_ns()) / SECOND_NS
            if left <= 0 or (self.driver.is_polled and polls == _POLLS):
                return
            polls += 1
            batch = self.driver.read(left)
            if batch is not None and len(batch):
                self._note(batch)

    def _note(self, batch: Batch) -> None:
        now = self._clock.wall_ns()
        block = self._calibration.block(
            batch, wall_ns=now, monotonic_ns=self._clock.monotonic_ns(), state=ClockState.UNKNOWN
        )
        for place, value, time, quality in zip(
            block.channel, block.value, block.time, block.quality, strict=True
        ):
            channel = self.device.channels[int(place)]
            number = None if math.isnan(value) else float(value)
            note = _note_of(channel, int(quality), (now - int(time)) / SECOND_NS)
            self.found[int(place)] = ChannelFound(channel.name, number, channel.unit, note)


def _probe(device: DeviceConfig, limits: Limits, clock: Clock, wait_s: float) -> DeviceFound:
    trial = _Trial(device, limits, clock)
    problem = ""
    try:
        trial.driver.open(None)
        trial.listen(wait_s)
    except DriverError as wrong:
        problem = str(wrong)
    except Exception as bug:  # one driver's bug must not hide the other devices
        problem = f"the driver failed: {bug!r}"
    finally:
        trial.driver.close()
    if not trial.found and not problem:
        problem = _silence(trial.driver, wait_s)
    silent = f"nothing heard within {wait_s:g} s; check its source"
    channels = tuple(
        trial.found.get(place, ChannelFound(channel.name, None, channel.unit, silent))
        for place, channel in enumerate(device.channels)
    )
    return DeviceFound(device.name, device.driver, bool(trial.found), problem, channels)


def _make_apart(device: DeviceConfig, clock: Clock) -> Driver:
    """The driver; behind a broker with a short session of its own, so that a running agent keeps its."""
    driver = make_driver(device, clock)
    if not isinstance(driver, MqttListener):
        return driver
    ours = {"client_id": f"lastmile-probe-{uuid.uuid4().hex[:8]}", "session_s": 0}
    return make_driver(device.model_copy(update={"settings": {**device.settings, **ours}}), clock)


def _silence(driver: Driver, wait_s: float) -> str:
    if isinstance(driver, MqttListener):
        topics = ", ".join(driver.topics())
        return (
            f"the broker answers, but nothing came on {topics} within {wait_s:g} s; check that the device is "
            "on, the topic's spelling, or wait longer (--wait)"
        )
    return f"nothing came within {wait_s:g} s; check power and wires, or wait longer (--wait)"


def _note_of(channel: ChannelConfig, quality: int, age_s: float) -> str:
    if quality & Quality.INVALID:
        return "not a number: the sensor does not answer, or the source means something else"
    if quality & Quality.OUT_OF_RANGE:
        low = "-inf" if channel.minimum is None else f"{channel.minimum:g}"
        high = "inf" if channel.maximum is None else f"{channel.maximum:g}"
        return f"outside {low}..{high}: check source, type and scale"
    if quality & Quality.TIME_PAST:
        return f"measured {age_s:.0f} s ago by the device's clock: check that clock"
    if quality & Quality.TIME_FUTURE:
        return f"{-age_s:.0f} s ahead by the device's clock: check that clock"
    return ""
