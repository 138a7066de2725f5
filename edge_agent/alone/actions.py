"""Which action is on now: alerts and loneliness in, orders to the guard and notes in the log out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edge_agent.action_settings import ActionSettings, ActionTrigger
from edge_agent.alone.guarded import Told
from edge_agent.alone.interlock import DAY_NS, Limits, State, Why, next_state
from edge_agent.alone.log import ActionLog, latest
from models.alert import Alert, AlertKind
from models.clock import SECOND_NS, Clock
from models.wire.messages import ActionNote

log = logging.getLogger(__name__)
TEST_S = 2.0
ALONE = "alone"  # stands for an alert's id where loneliness asks
TEST = "test"


class Switches(Protocol):
    """Where orders go. The guard is one."""

    def beat(self) -> bool:
        """Once a second; False when everything was switched off meanwhile and may be switched again."""
        ...

    def order(self, name: str, on: bool, for_s: float | None = None) -> bool:
        """Switch; False when nobody takes the order."""
        ...

    def told(self) -> list[Told]:
        """What became of orders since the last call."""
        ...


def asks(trigger: ActionTrigger, alert: Alert) -> bool:
    """Whether an alert is one that `trigger` waits for. Trials and exercises never switch anything; faults
    of the equipment do where their monitor is named."""
    if alert.trial or alert.exercise or trigger.alone:
        return False
    if trigger.monitors and alert.monitor not in trigger.monitors:
        return False
    if alert.kind is AlertKind.MAINTENANCE and not trigger.monitors:
        return False
    if trigger.hazards and alert.hazard not in trigger.hazards:
        return False
    return trigger.severity is None or alert.severity.rank >= trigger.severity.rank


@dataclass(slots=True)
class _Action:
    settings: ActionSettings
    limits: Limits
    state: State = field(default_factory=State)
    for_whom: str = ""
    done: set[str] = field(default_factory=set)
    refused: set[tuple[str, str]] = field(default_factory=set)
    problem: str = ""


class Actions:
    """All actions of a gateway. What the log holds of the last day counts on after a restart."""

    def __init__(
        self, settings: Sequence[ActionSettings], switches: Switches, book: ActionLog, clock: Clock
    ) -> None:
        self._switches, self._book, self._clock = switches, book, clock
        self._actions = {one.name: _Action(one, _limits(one)) for one in settings}
        notes = book.read()
        self.notes = latest(notes)
        for note in notes:
            self._remember(note)

    def step(self, firing: Sequence[Alert], *, is_alone: bool) -> None:
        """Once a second: beat, hear what became of orders, decide anew."""
        if not self._switches.beat():
            self._all_went_off()
        for said in self._switches.told():
            self._hear(said)
        for action in self._actions.values():
            self._decide(action, firing, is_alone)

    def test(self, name: str) -> str:
        """Switch an action on for two seconds, its interlock permitting; "" or why not."""
        action = self._actions.get(name)
        if action is None:
            return "unknown"
        if action.state.is_on:
            return "on"
        before = action.state
        now = self._clock.monotonic_ns()
        state, why = next_state(before, action.limits, now, wants=True, is_new=True)
        if why is not Why.STARTED:
            self._note(action, "refused", why.value, TEST)
            return why.value
        action.state, action.for_whom = state, TEST
        self._note(action, "test", "", TEST)
        self._switches.order(name, True, TEST_S)
        return ""

    def describe(self) -> list[dict[str, object]]:
        """For the status page."""
        return [
            {
                "name": name,
                "kind": action.settings.kind,
                "is_on": action.state.is_on,
                "problem": action.problem,
                "today": len([1 for at in action.state.starts if self._clock.monotonic_ns() - at < DAY_NS]),
                "per_day": action.settings.per_day,
            }
            for name, action in self._actions.items()
        ]

    # ---- one action

    def _decide(self, action: _Action, firing: Sequence[Alert], is_alone: bool) -> None:
        now = self._clock.monotonic_ns()
        asking = self._asking(action.settings, firing, is_alone)
        if action.for_whom == TEST and action.state.is_on:
            since = action.state.since_ns or 0
            asking = [TEST] if now - since < TEST_S * SECOND_NS else []
        # What asks no more may ask anew; only loneliness has no id of its own.
        if not is_alone:
            action.done.discard(ALONE)
        action.refused = {(who, why) for who, why in action.refused if who in asking}
        news = [who for who in asking if who not in action.done]
        state, why = next_state(action.state, action.limits, now, wants=bool(asking), is_new=bool(news))
        action.state = state
        if why is Why.STARTED:
            self._start(action, news)
        elif why in (Why.ENDED, Why.MAX_ON):
            self._note(action, "off", why.value, action.for_whom)
            self._switches.order(action.settings.name, False)
            action.for_whom = ""
        elif why in (Why.PAUSE, Why.PER_DAY) and (news[0], why.value) not in action.refused:
            action.refused.add((news[0], why.value))
            self._note(action, "refused", why.value, news[0])
        elif why is Why.STAYS:
            action.done.update(asking)

    def _asking(self, settings: ActionSettings, firing: Sequence[Alert], is_alone: bool) -> list[str]:
        if settings.on.alone:
            return [ALONE] if is_alone else []
        if settings.only_alone and not is_alone:
            return []
        return [alert.id for alert in firing if asks(settings.on, alert)]

    def _start(self, action: _Action, news: Sequence[str]) -> None:
        """Into the log first: a crash in between must not let it sound again for the same alert."""
        action.for_whom = news[0]
        action.done.update(news)
        self._note(action, "on", Why.STARTED.value, news[0])
        longest = action.settings.longest_s
        if not self._switches.order(action.settings.name, True, longest):
            self._note(action, "failed", "no_guard", news[0])

    def _hear(self, said: Told) -> None:
        action = self._actions.get(said.name)
        if action is None or said.problem == action.problem:
            return
        action.problem = said.problem
        if said.problem:
            self._note(action, "failed", "output", action.for_whom, said.problem)

    def _all_went_off(self) -> None:
        """The guard is new, and everything off: what still asks is switched on again."""
        for action in self._actions.values():
            if action.state.is_on:
                self._note(action, "failed", "guard_lost", action.for_whom)
                since = action.state.since_ns or 0
                left = None
                if action.limits.max_on_ns:
                    spent = self._clock.monotonic_ns() - since
                    left = max(0.0, (action.limits.max_on_ns - spent) / SECOND_NS)
                self._switches.order(action.settings.name, True, left)

    # ---- the log

    def _note(self, action: _Action, event: str, reason: str, who: str, detail: str = "") -> None:
        alert = "" if who in (ALONE, TEST) else who
        note = ActionNote(
            at=self._clock.wall_ns(),
            action=action.settings.name,
            event=event,
            reason=ALONE if event == "on" and who == ALONE else reason,
            alert=alert,
            detail=detail[:200],
        )
        log.info("action %s: %s %s", note.action, note.event, note.reason)
        self.notes = latest((*self.notes, note))
        try:
            self._book.add(note)
        except OSError as wrong:  # a full disk silences no siren
            log.error("actions.jsonl: %s", wrong)

    def _remember(self, note: ActionNote) -> None:
        """Starts of the last day and the last switch count; a clock that was not set makes them recent."""
        action = self._actions.get(note.action)
        if action is None or note.event not in ("on", "off", "test"):
            return
        age = max(0, self._clock.wall_ns() - note.at)
        if age >= DAY_NS:
            return
        at = self._clock.monotonic_ns() - age
        starts = action.state.starts if note.event == "off" else (*action.state.starts, at)
        action.state = State(False, at, starts)
        if note.event == "on" and note.alert:
            action.done.add(note.alert)


def _limits(settings: ActionSettings) -> Limits:
    longest = settings.longest_s
    return Limits(
        max_on_ns=round(longest * SECOND_NS) if longest is not None else 0,
        min_pause_ns=round(settings.min_pause_s * SECOND_NS),
        per_day=settings.per_day,
    )
