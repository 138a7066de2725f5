"""Faults: what fails in the equipment itself, whatever nature does.

stuck: the value stands still; spike: single samples jump; drift: the zero wanders off; dropout: the device
does not answer; reboot: it is away for some seconds and comes back.
"""

from __future__ import annotations

from dataclasses import dataclass

SILENT = frozenset({"dropout", "reboot"})


@dataclass(frozen=True)
class Fault:
    """One kind of failure. `word` is what a maintenance alert about it says."""

    name: str
    word: str
    cause: str
    note_en: str
    note_zh: str


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
            "drift",
            "drift",
            "dirty_sensor",
            "Sensor dirty, zero had drifted. Cleaned.",
            "传感器脏污零点漂移，已清洁。",
        ),
        Fault(
            "dropout",
            "silent",
            "no_answer",
            "Device did not answer. Power supply reseated.",
            "设备无应答，已重新接好电源。",
        ),
        Fault("reboot", "silent", "reboot", "Device had restarted by itself.", "设备自行重启过。"),
    )
}


class FaultyChannel:
    """What faults do to the values of one channel, sample by sample.

    >>> channel = FaultyChannel()
    >>> [channel.pass_through(v, {"stuck": 1.0}, span=10.0, sample=i) for i, v in enumerate((3.0, 4.0))]
    [3.0, 3.0]
    """

    def __init__(self) -> None:
        self._held: float | None = None

    def pass_through(self, value: float, active: dict[str, float], *, span: float, sample: int) -> float:
        """The value as the failing equipment tells it.

        `active` maps a fault's name to the seconds since it began, `span` is a large step of the channel,
        `sample` its counter (a spike hits every fifth).
        """
        if "drift" in active:
            value += span * active["drift"] / 60.0
        if "spike" in active and sample % 5 == 0:
            value += 4.0 * span
        if "stuck" not in active:
            self._held = None
            return value
        if self._held is None:
            self._held = value
        return self._held
