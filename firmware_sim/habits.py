"""How a person goes about a task: a plan of steps with times, drawn once; then only the clock decides."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from firmware_sim.chance import Chance
from firmware_sim.scenario import PersonSpec

LATE_FACTOR = 4.0
RETURNS_AFTER_S = 8.0


class Step(enum.StrEnum):
    """What a person does next with a task."""

    DELIVER = "deliver"
    ACCEPT = "accept"
    ARRIVE = "arrive"
    NO_ACCESS = "no_access"
    ANSWER = "answer"


@dataclass
class Visit:
    """Steps still to do for one task, with the time of each (seconds of any steady clock)."""

    task: str
    steps: list[tuple[float, Step]] = field(default_factory=list)

    def due(self, now_s: float) -> Step | None:
        """The next step if its time has come."""
        return self.steps[0][1] if self.steps and self.steps[0][0] <= now_s else None

    def done(self) -> None:
        self.steps.pop(0)


def plan_visit(person: PersonSpec, chance: Chance, number: int, task: str, now_s: float) -> Visit:
    """What this person will do with their `number`-th task, noticed now. Silence is an empty plan."""

    def draw(what: str, low: float, high: float) -> float:
        return chance.between(f"{person.login}/{what}", number, low, high)

    visit = Visit(task)
    if draw("silent", 0, 1) < person.silent:
        return visit
    slow = LATE_FACTOR if draw("late", 0, 1) < person.late else 1.0
    at_s = now_s
    for step, span in (
        (Step.DELIVER, (0.0, 0.3)),
        (Step.ACCEPT, person.accepts_after_s),
        (Step.ARRIVE, person.walks_s),
        (Step.ANSWER, person.looks_s),
    ):
        at_s += slow * draw(step, *span)
        if step is Step.ANSWER and draw("no_access", 0, 1) < person.no_access:
            visit.steps.append((at_s, Step.NO_ACCESS))
            at_s += RETURNS_AFTER_S
        visit.steps.append((at_s, step))
    return visit
