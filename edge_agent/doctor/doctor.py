"""lastmile-edge doctor: all that can be looked at from here."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.doctor.agent import look_at_agent
from edge_agent.doctor.broker import look_at_broker
from edge_agent.doctor.finding import Finding, Mark, bad, well
from edge_agent.doctor.machine import look_at_machine
from edge_agent.settings import Settings, load_settings
from edge_agent.state import StateFolder
from models.clock import Clock
from models.errors import ConfigurationError


def findings(state: StateFolder, clock: Clock) -> Iterator[Finding]:
    """Settings, machine, agent and the way to the cloud, one after the other."""
    if not state.root.is_dir():
        yield bad("state", f"{state.root} is not there", "type: lastmile-edge init, or give --state DIR")
        return
    settings: Settings | None = None
    try:
        settings = load_settings(state.settings)
        yield well("settings", f"{state.settings} can be used")
    except ConfigurationError as wrong:
        yield bad("settings", str(wrong), "mend that line; type: lastmile-edge check")
    yield from look_at_machine(state.root, settings)
    yield from look_at_agent(state, settings, clock)
    if settings is not None:
        yield from look_at_broker(state, settings, clock)


def summary(found: list[Finding]) -> str:
    """One line at the end."""
    counts = {mark: sum(finding.mark is mark for finding in found) for mark in Mark}
    return f"{counts[Mark.BAD]} to mend, {counts[Mark.WATCH]} to watch, {counts[Mark.WELL]} well"
