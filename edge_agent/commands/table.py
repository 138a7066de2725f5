"""Every order a gateway can be given, by name: the closed list.

To add one: a name in `models.wire.messages.CommandName`, a function here or in a file of its own, a line in
`HANDLERS`. A handler returns what is answered, or None when the next run of the program owes the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.alone.trying import try_action
from edge_agent.commands import signing_keys
from edge_agent.commands.diagnostics import diagnostics
from edge_agent.commands.errors import CommandError
from edge_agent.settings import Settings
from edge_agent.state import StateFolder
from edge_agent.upgrade.errors import UpgradeError
from edge_agent.upgrade.order import take_order
from models.clock import Clock
from models.wire.messages import CommandName

Output = dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Means:
    """What handlers may use of the agent. `restart` returns at once; the program ends soon after."""

    state: StateFolder
    settings: Settings
    clock: Clock
    status: Callable[[], dict[str, Any]]
    renew: Callable[[], dict[str, Any]]
    restart: Callable[[], None]


Handler = Callable[[Means, Mapping[str, Any]], Output]


def _run_action_test(means: Means, parameters: Mapping[str, Any]) -> Output:
    name = _only(parameters, "action")
    if name not in [one.name for one in means.settings.actions]:
        raise CommandError("parameters", f"there is no action {name!r}")
    notes = try_action(means.state, means.settings, name, means.clock)
    if "off" not in {note.event for note in notes}:
        said = notes[-1].reason if notes else "no answer within ten seconds"
        raise CommandError("not_switched", f"the action was not switched on and off: {said}")
    return {"notes": [note.model_dump(mode="json") for note in notes]}


def _send_status(means: Means, parameters: Mapping[str, Any]) -> Output:
    _none(parameters)
    return means.status()


def _renew_certificate(means: Means, parameters: Mapping[str, Any]) -> Output:
    _none(parameters)
    return means.renew()


def _restart_agent(means: Means, parameters: Mapping[str, Any]) -> Output:
    _none(parameters)
    means.restart()
    return None


def _collect_diagnostics(means: Means, parameters: Mapping[str, Any]) -> Output:
    _none(parameters)
    return diagnostics(means.state, means.settings, means.status())


def _upgrade(means: Means, parameters: Mapping[str, Any]) -> Output:
    """Noted only: another program does it, and the heartbeat tells how it ended."""
    try:
        order = take_order(means.state.root, parameters)
    except UpgradeError as wrong:
        raise CommandError(wrong.reason, str(wrong)) from wrong
    return {"ordered": order.version or order.url}


HANDLERS: dict[CommandName, Handler] = {
    CommandName.RUN_ACTION_TEST: _run_action_test,
    CommandName.SEND_STATUS: _send_status,
    CommandName.RENEW_CERTIFICATE: _renew_certificate,
    CommandName.RESTART_AGENT: _restart_agent,
    CommandName.COLLECT_DIAGNOSTICS: _collect_diagnostics,
    CommandName.TRUST_SIGNING_KEY: lambda means, given: signing_keys.trust(means.state, given),
    CommandName.FORGET_SIGNING_KEY: lambda means, given: signing_keys.forget(means.state, given),
    CommandName.UPGRADE: _upgrade,
}


def _only(parameters: Mapping[str, Any], name: str) -> str:
    if set(parameters) != {name} or not isinstance(parameters[name], str):
        raise CommandError("parameters", f"expected {name}=WORD and nothing else")
    return str(parameters[name])


def _none(parameters: Mapping[str, Any]) -> None:
    if parameters:
        raise CommandError("parameters", f"takes no parameters, not {', '.join(sorted(parameters))}")
