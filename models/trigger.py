"""Scores to transitions: thresholds with hysteresis, delays in event time, packed per channel.

        score >= on               on_delay passed            score < off
    IDLE ----------> PENDING ----------------------> FIRING -----------> HOLDING
      ^                 | score < on                    ^ score >= off      |
      +-----------------+                               +-------------------+
      ^------------------------- off_delay passed --------------------------+

A delay of zero passes at once. `on_readings` above 1 keeps it PENDING until so many readings in a row have
reached `on`, however long that takes: one odd reading is no alert. Between readings the last score stands;
delays that end between readings end on a whole second. Readings that are imported, not believed or not
judged never move a trigger.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.budget import BUDGET, fresh_budgets
from models.budget import TIMES as BUDGET_TIMES
from models.configuration import TriggerConfig
from models.detectors.bank import AdvanceScores, Scores
from models.detectors.rows import NEVER, SECOND
from models.errors import SnapshotError
from models.readings import Int64s, ReadingBlock
from models.snapshot import pack_state, unpack_state
from models.trigger_pass import STATE, TIMES, settle, step_judgements, step_rows

# Rows of a block at which event time enters a new whole second, and those seconds in ns.
Crossings = tuple[Int64s, Int64s]
NO_CROSSINGS: Crossings = (np.empty(0, np.int64), np.empty(0, np.int64))


class Phase(enum.IntEnum):
    """Where a channel's trigger stands; the alert is out in FIRING and HOLDING. Numbers as in the pass."""

    IDLE = 0
    PENDING = 1
    FIRING = 2
    HOLDING = 3


class Why(enum.IntEnum):
    """The reason of a decision."""

    QUIET = 0  # below on, and was
    ROSE = 1  # reached on
    WAITING = 2  # pending, its delay not over
    LASTED = 3  # pending long enough: fires
    FELL = 4  # below the threshold that kept it
    STAYED = 5  # firing goes on
    RETURNED = 6  # holding, but the score came back
    ENDING = 7  # holding, its delay not over
    RECOVERED = 8  # resolved


def next_phase(
    phase: Phase,
    score: float,
    waited_ns: int,
    on: float,
    off: float,
    on_delay_ns: int,
    off_delay_ns: int,
    missing: int = 0,
) -> tuple[Phase, Why]:
    """Phase after hearing `score`, `waited_ns` after the present phase began, and why.

    `missing`: how many more readings in a row must reach `on` before it fires.

    >>> next_phase(Phase.IDLE, 10.0, 0, 3.0, 2.1, 0, 0)
    (<Phase.FIRING: 2>, <Why.ROSE: 1>)
    """
    above = score >= on
    below = score < off or score <= 0.0 < on
    if phase == Phase.IDLE:
        if not above:
            return Phase.IDLE, Why.QUIET
        return (Phase.PENDING if on_delay_ns or missing > 0 else Phase.FIRING), Why.ROSE
    if phase == Phase.PENDING:
        if not above:
            return Phase.IDLE, Why.FELL
        has_lasted = waited_ns >= on_delay_ns and missing <= 0
        return (Phase.FIRING, Why.LASTED) if has_lasted else (Phase.PENDING, Why.WAITING)
    if phase == Phase.FIRING:
        if not below:
            return Phase.FIRING, Why.STAYED
        return (Phase.HOLDING, Why.FELL) if off_delay_ns else (Phase.IDLE, Why.RECOVERED)
    if not below:
        return Phase.FIRING, Why.RETURNED
    return (Phase.IDLE, Why.RECOVERED) if waited_ns >= off_delay_ns else (Phase.HOLDING, Why.ENDING)


@dataclass(frozen=True, slots=True)
class Transition:
    """An alert's beginning or end on the channel at `slot`, with the trigger's state at that moment."""

    slot: int
    fired: bool
    at: int
    state: Any


class Trigger:
    """One trigger for all channels of a monitor."""

    def __init__(self, config: TriggerConfig, channels: int) -> None:
        self._on, self._off = config.on, config.off_threshold
        self._delays = (round(config.on_delay_s * SECOND), round(config.off_delay_s * SECOND))
        self._patience = (*self._delays, config.on_readings)
        self.needs_time = bool(self._delays[0] or self._delays[1])
        self._wished = config.budget_per_week or 0.0
        self.state = fresh_state(channels)
        self.budgets = fresh_budgets(channels if self._wished else 0)
        self._share = self._off / self._on if self._on > 0 else 1.0
        self.state["on"], self.state["off"] = self._on, self._off
        self._moved = np.empty((0, 3), np.int64)
        self._told = np.empty(0, STATE)

    def step(
        self,
        block: ReadingBlock,
        scores: Scores,
        slots: NDArray[np.int32],
        base: int,
        boot: int,
        cuts: Crossings = NO_CROSSINGS,
    ) -> list[Transition]:
        """Hear a block's scores, in order of rows; at `cuts` event time passes and delays may end."""
        moved, told = self._room(2 * len(block) + len(self.state))
        channel, time, value, quality = block.columns()
        found = step_rows(
            self.state,
            slots,
            base,
            channel,
            time,
            value,
            quality,
            block.first_index,
            boot,
            scores.table,
            scores.flags,
            cuts[0],
            cuts[1],
            self.budgets,
            self._wished,
            self._on,
            self._share,
            *self._patience,
            moved,
            told,
        )
        return self._transitions(found)

    def judge(self, judged: AdvanceScores) -> list[Transition]:
        """Hear what a bank's `advance` says."""
        moved, told = self._room(2 * len(judged.slot))
        found = step_judgements(
            self.state, judged.slot, judged.at, judged.table, *self._patience, moved, told
        )
        return self._transitions(found)

    def advance(self, time_ns: int) -> list[Transition]:
        """Let delays end by event time `time_ns`."""
        moved, told = self._room(len(self.state))
        return self._transitions(settle(self.state, time_ns, *self._patience, moved, told, 0))

    def shift(self, delta_ns: int) -> None:
        """Move remembered times by a step of the wall clock. What alerts will say stays as it was said."""
        for state, fields in ((self.state, TIMES), (self.budgets, BUDGET_TIMES)):
            for field in fields:
                column = state[field]
                column[column != NEVER] += delta_ns

    def snapshot(self, slots: Sequence[int]) -> bytes:
        chosen, budgets = self.state[list(slots)], self.budgets[list(slots) if len(self.budgets) else []]
        return pack_state(_BINDING, len(chosen), chosen.tobytes() + budgets.tobytes())

    def restore(self, data: bytes, slots: Sequence[int]) -> None:
        """Take stored state; row i goes to `slots[i]` (-1: dropped). A budget may have come or gone since."""
        count, body = unpack_state(_BINDING, data)
        own, told = count * STATE.itemsize, count * BUDGET.itemsize
        if count != len(slots) or len(body) not in (own, own + told):
            raise SnapshotError(f"snapshot holds {count} triggers, {len(slots)} expected")
        rows, budgets = np.frombuffer(body[:own], STATE), np.frombuffer(body[own:], BUDGET)
        for row, slot in enumerate(slots):
            if slot >= 0:
                self.state[slot] = rows[row]
                if len(budgets) and len(self.budgets):
                    self.budgets[slot] = budgets[row]
                else:
                    self.state[slot]["on"], self.state[slot]["off"] = self._on, self._off

    def _room(self, rows: int) -> tuple[Int64s, NDArray[Any]]:
        if rows > len(self._moved):
            self._moved, self._told = np.empty((rows, 3), np.int64), np.empty(rows, STATE)
        return self._moved, self._told

    def _transitions(self, found: int) -> list[Transition]:
        return [
            Transition(slot, kind == 1, at, self._told[row].copy())
            for row, (slot, kind, at) in enumerate(self._moved[:found].tolist())
        ]


_BINDING = f"trigger {STATE.descr} {BUDGET.descr}"


def fresh_state(channels: int) -> NDArray[Any]:
    """Idle triggers that have heard nothing."""
    state = np.zeros(channels, STATE)
    for field in TIMES:
        state[field] = NEVER
    state["last_index"] = -1
    state["run_index"] = -1
    state["last_value"] = np.nan
    return state
