"""Faults: what fails in the equipment itself, whatever nature does.

dropout: the device does not answer; reboot: it is away for some seconds and comes back; zero, sentinel and
no_number: it answers, but with 0, with what stands for an error, with NaN; spike: every fifth sample jumps;
glitch: a single sample does; loose_contact: samples jump to and fro; stuck: the value stands still;
fahrenheit and factor: the value is told in another unit; rail: it stands at the end of the scale; drift and
drift_down: the zero wanders off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_sim.chance import Chance

Floats = NDArray[np.float64]

SILENT = frozenset({"dropout", "reboot"})
DRIFT_S = 60.0  # seconds in which a drift goes one span, in the demo's hurried world
_LOOSE_SHARE = 0.5  # of the samples of a loose contact


@dataclass(frozen=True)
class Fault:
    """One kind of failure. `word` is what a maintenance alert about it says.

    `in_bytes` is false for what the devices' bytes here cannot carry.
    """

    name: str
    word: str
    cause: str
    note_en: str
    note_zh: str
    in_bytes: bool = True


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "stuck",
            "stuck",
            "sensor_stuck",
            "Sensor shows the same value for ever. Replaced.",
            "传感器数值不动，已更换。",
        ),
        Fault(
            "spike",
            "spike",
            "loose_plug",
            "Plug was loose, readings jumped. Fixed.",
            "插头松动导致跳数，已插紧。",
        ),
        Fault(
            "glitch",
            "spike",
            "interference",
            "One wild reading when the pump's motor started. Cable shielded.",
            "水泵启动时出现一次异常读数，已给信号线加屏蔽。",
        ),
        Fault(
            "loose_contact",
            "erratic",
            "loose_contact",
            "Terminal was loose, readings jumped to and fro. Tightened.",
            "接线端子松动，读数忽高忽低，已紧固。",
        ),
        Fault(
            "drift",
            "drift",
            "dirty_sensor",
            "Sensor dirty, zero had drifted. Cleaned.",
            "传感器脏污零点漂移，已清洁。",
        ),
        Fault(
            "drift_down",
            "drift",
            "aged_sensor",
            "Sensor aged, reads lower every day. Calibrated.",
            "传感器老化，读数逐日偏低，已校准。",
        ),
        Fault(
            "dropout",
            "silent",
            "no_answer",
            "Device did not answer. Power supply reseated.",
            "设备无应答，已重新接好电源。",
        ),
        Fault("reboot", "silent", "reboot", "Device had restarted by itself.", "设备自行重启过。"),
        Fault(
            "zero",
            "dropout",
            "no_signal",
            "Transmitter without signal, told 0. Cable replaced.",
            "变送器无信号，读数为 0，已更换线缆。",
        ),
        Fault(
            "sentinel",
            "dropout",
            "sensor_lost",
            "Probe not found by its transmitter, which told an error value. Probe plugged in.",
            "变送器找不到探头，上报错误值，已重新插好探头。",
        ),
        Fault(
            "no_number",
            "dropout",
            "no_number",
            "Controller had no valid number. Restarted.",
            "控制器没有有效数值，已重启。",
            in_bytes=False,
        ),
        Fault(
            "fahrenheit",
            "unit",
            "wrong_unit",
            "Sensor was set to Fahrenheit. Set back to Celsius.",
            "传感器被设为华氏度，已改回摄氏度。",
        ),
        Fault(
            "factor",
            "unit",
            "wrong_scale",
            "After an update values came ten times too large. Scale corrected.",
            "升级后数值放大了十倍，已更正比例。",
        ),
        Fault(
            "rail",
            "range",
            "short_circuit",
            "Wire broken, input at the end of its scale. Repaired.",
            "导线断路，输入停在量程尽头，已修复。",
        ),
    )
}


class FaultyChannel:
    """What faults do to the values of one channel, sample by sample.

    >>> channel = FaultyChannel()
    >>> [channel.pass_through(v, {"stuck": 1.0}, span=10.0, sample=i) for i, v in enumerate((3.0, 4.0))]
    [3.0, 3.0]
    """

    def __init__(
        self,
        chance: Chance | None = None,
        *,
        drift_s: float = DRIFT_S,
        factor: float = 10.0,
        sentinel: float = -127.0,
        rail: float = 655.35,
    ) -> None:
        """`drift_s` is the time in which a drift goes one span; `chance` is what a loose contact jumps by."""
        self._chance = chance if chance is not None else Chance(0)
        self._drift_s, self._factor, self._sentinel, self._rail = drift_s, factor, sentinel, rail
        self._held: float | None = None
        self._glitched = False

    def pass_through(self, value: float, active: dict[str, float], *, span: float, sample: int) -> float:
        """The value as the failing equipment tells it.

        `active` maps a fault's name to the seconds since it began, `span` is a large step of the channel,
        `sample` its counter (a spike hits every fifth).
        """
        drifted = active.get("drift", 0.0) - active.get("drift_down", 0.0)
        value += span * drifted / self._drift_s
        value = self._jumped(value, active, span, sample)
        if "fahrenheit" in active:
            value = value * 1.8 + 32.0
        if "factor" in active:
            value *= self._factor
        return self._replaced(self._stood(value, active), active)

    def _jumped(self, value: float, active: dict[str, float], span: float, sample: int) -> float:
        if "spike" in active and sample % 5 == 0:
            value += 4.0 * span
        if "loose_contact" in active and self._chance.uniform("loose", sample) < _LOOSE_SHARE:
            value += span * self._chance.between("jump", sample, -4.0, 4.0)
        if "glitch" not in active:
            self._glitched = False
        elif not self._glitched:
            self._glitched = True
            value += 4.0 * span
        return value

    def _stood(self, value: float, active: dict[str, float]) -> float:
        if "stuck" not in active:
            self._held = None
            return value
        if self._held is None:
            self._held = value
        return self._held

    def _replaced(self, value: float, active: dict[str, float]) -> float:
        """What stands for a value when there is none."""
        if "zero" in active:
            return 0.0
        if "sentinel" in active:
            return self._sentinel
        if "rail" in active:
            return self._rail
        return math.nan if "no_number" in active else value


def with_fault(
    fault: str, values: Floats, since_s: Floats, span: float, channel: FaultyChannel, duration_s: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """A stretch of a channel's values with a fault on those rows where 0 <= since_s < duration_s.

    Returns the values told and whether each was told at all. `since_s` is the time since the fault began.

    >>> values, since_s = np.full(3, 21.0), np.array([-1.0, 0.0, 1.0])
    >>> told, heard = with_fault("zero", values, since_s, 8.0, FaultyChannel(), 1.0)
    >>> told.tolist(), heard.tolist()
    ([21.0, 0.0, 21.0], [True, True, True])
    """
    told = values.copy()
    lasting = (since_s >= 0.0) & (since_s < duration_s)
    heard = ~lasting if fault in SILENT else np.ones(len(values), np.bool_)
    for row in np.flatnonzero(lasting).tolist():
        told[row] = channel.pass_through(
            float(values[row]), {fault: float(since_s[row])}, span=span, sample=row
        )
    return told, heard
