"""`lastmile-edge action test`: through the agent when it runs, by itself when not."""

from __future__ import annotations

from edge_agent.alone.actions import TEST_S, Actions
from edge_agent.alone.guarded import Guard
from edge_agent.alone.log import ActionLog
from edge_agent.settings import Settings
from edge_agent.state import StateBusyError, StateFolder, replace_file
from models.clock import Clock
from models.wire.messages import ActionNote

_ANSWER_S = 10.0
_LOOK_S = 0.2


def try_action(state: StateFolder, settings: Settings, name: str, clock: Clock) -> list[ActionNote]:
    """Switch an action on for two seconds; what the log says of it, empty when nobody answered.

    The interlock counts: a test too soon after the last switch is refused, and the notes say so.
    """
    known = len(ActionLog(state.actions).read())
    try:
        with state.lock():
            _by_ourselves(state, settings, name, clock)
    except StateBusyError:
        replace_file(state.test_wish, name.encode())
    for _ in range(round(_ANSWER_S / _LOOK_S)):
        notes = [note for note in ActionLog(state.actions).read()[known:] if note.action == name]
        if any(note.event in ("off", "refused") for note in notes):
            return notes
        clock.sleep(_LOOK_S)
    return notes


def _by_ourselves(state: StateFolder, settings: Settings, name: str, clock: Clock) -> None:
    guard = Guard(settings.actions, settings.gateway.id, clock)
    actions = Actions(settings.actions, guard, ActionLog(state.actions), clock)
    try:
        actions.step((), is_alone=False)
        if not actions.test(name):
            for _ in range(round(2 * TEST_S)):
                clock.sleep(1.0)
                actions.step((), is_alone=False)
    finally:
        guard.stop()
