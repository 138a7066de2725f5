"""State duration: a valve open, a door ajar, a pump running for too long."""

from __future__ import annotations

from models.alert import Reason
from models.detectors.bank import Judged, number
from models.detectors.held import HeldBank
from models.detectors.parameters import Parameters, parameter


class StateDurationParameters(Parameters):
    """Which state, and how long it may be held."""

    state: float = parameter(
        1.0,
        title="State",
        zh="状态值",
        text="The value that means the state: 1 for open, on, running.",
        text_zh="表示该状态的值：1 表示打开、开启、运行。",
    )
    tolerance: float = parameter(
        0.5,
        title="Tolerance",
        zh="容差",
        ge=0,
        text="Values this near count as the state.",
        text_zh="与状态值相差不超过此值即视为该状态。",
    )
    longest_s: float = parameter(
        300.0,
        title="Longest",
        zh="最长时间",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="Holding the state longer than this is an alert, also when no further reading comes.",
        text_zh="保持该状态超过此时长即告警，即使不再有新读数。",
    )


class StateDurationBank(HeldBank[StateDurationParameters]):
    """Judged on whole seconds of event time, 40 bytes a channel."""

    name = "state_duration"

    def _condition(self) -> tuple[float, float, bool]:
        given = self.parameters
        return given.state - given.tolerance, given.state + given.tolerance, True

    def _held_s(self) -> float:
        return self.parameters.longest_s

    def _reason(self, judged: Judged) -> Reason:
        return Reason(
            code="held",
            parameters={
                "seconds": number(judged.detail),
                "state": self.parameters.state,
                "limit": self.parameters.longest_s,
            },
        )
