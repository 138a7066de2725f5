"""A plan: everything a run needs, written into a folder; and reading it back.

plan.json              ports, seed, devices, when the run began
scenario.toml          the scenario as it was
truth.json             what will happen where, for those who check answers
organisation.toml      for `lastmile-cloud apply` (mode 600: it holds the people's passwords)
people.json            logins and passwords for the simulated people (mode 600)
GATEWAY/gateway.toml   for `lastmile-edge`
GATEWAY/document.json  the same devices and monitors, for `lastmile-cloud gateway desired`
GATEWAY/broker.conf    the gateway's local device broker
ledger.jsonl           written by the run
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_sim.errors import ScenarioError
from firmware_sim.scenario import Scenario, load_scenario
from firmware_sim.street import Street

PLAN_FILE, LEDGER_FILE, TRUTH_FILE, PEOPLE_FILE = "plan.json", "ledger.jsonl", "truth.json", "people.json"
# Files that tell a run something when they appear.
GO_FILE, CALM_FILE = "go", "calm"


@dataclass(frozen=True)
class GatewayPorts:
    """Where the devices of a gateway are: one Modbus port for all units, one local broker."""

    modbus: int
    broker: int


@dataclass(frozen=True)
class Plan:
    """A folder with a plan in it. `began_at_ns` is None until the first run began."""

    folder: Path
    scenario: Scenario
    seed: int
    recordings: Path | None
    ports: dict[str, GatewayPorts]
    units: dict[str, int]
    planned_at_ns: int
    began_at_ns: int | None = None

    @property
    def ledger_file(self) -> Path:
        return self.folder / LEDGER_FILE

    def street(self, began_s: float) -> Street:
        """The street whose timeline begins at this UTC second."""
        return Street(self.scenario, self.seed, began_s, self.recordings)

    def begin(self, now_ns: int) -> tuple[Plan, Street]:
        """The run's street. The first run fixes when it began; a run started again goes on from there."""
        began_ns = self.began_at_ns or now_ns
        plan = Plan(**(self.__dict__ | {"began_at_ns": began_ns}))
        street = plan.street(began_ns / 1e9)
        if self.began_at_ns is None:
            write_plan(plan)
            write_truth(plan, street)
        return plan, street

    def people(self) -> dict[str, str]:
        """Password by login."""
        found: dict[str, str] = json.loads((self.folder / PEOPLE_FILE).read_text())
        return found


def new_plan(
    scenario_name: str,
    seed: int,
    folder: Path,
    recordings: Path | None,
    now_ns: int,
    ports: Iterator[int],
) -> Plan:
    """A plan for a scenario, not yet written; takes two ports for each gateway."""
    scenario = load_scenario(scenario_name)
    found = {gateway.id: GatewayPorts(next(ports), next(ports)) for gateway in scenario.gateways}
    units = {d.name: unit for g in scenario.gateways for unit, d in enumerate(g.devices, start=1)}
    return Plan(folder, scenario, seed, recordings, found, units, now_ns)


def write_plan(plan: Plan) -> None:
    """plan.json and the scenario, replaced as wholes."""
    content = {
        "seed": plan.seed,
        "recordings": None if plan.recordings is None else str(plan.recordings),
        "ports": {gateway: vars(ports) for gateway, ports in plan.ports.items()},
        "units": plan.units,
        "planned_at_ns": plan.planned_at_ns,
        "began_at_ns": plan.began_at_ns,
        "scenario": plan.scenario.model_dump(mode="json"),
    }
    replace_file(plan.folder / PLAN_FILE, json.dumps(content, ensure_ascii=False, indent=1))


def read_plan(folder: Path) -> Plan:
    """The plan in a folder; ScenarioError when there is none."""
    file = folder / PLAN_FILE
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ScenarioError(f"{file}: no plan to read ({error}); type: lastmile-sim plan") from error
    return Plan(
        folder,
        Scenario.model_validate(content["scenario"]),
        content["seed"],
        Path(content["recordings"]) if content["recordings"] else None,
        {name: GatewayPorts(**ports) for name, ports in content["ports"].items()},
        content["units"],
        content["planned_at_ns"],
        content["began_at_ns"],
    )


def write_truth(plan: Plan, street: Street, hours: float = 2.0) -> None:
    """What happens where and when; times are UTC ns once the run began, else null beside seconds."""
    began = plan.began_at_ns
    spans: list[dict[str, Any]] = []
    for event in street.timeline.events:
        if event.from_s > hours * 3600:
            break
        span = vars(event) | {"word": event.word, "hazard": event.is_hazard, "real": event.is_real}
        if began is not None:
            span |= {"from_ns": began + round(event.from_s * 1e9), "to_ns": began + round(event.to_s * 1e9)}
        spans.append(span)
    content = {"began_at_ns": began, "spans": spans}
    replace_file(plan.folder / TRUTH_FILE, json.dumps(content, ensure_ascii=False, indent=1))


def make_passwords(scenario: Scenario) -> dict[str, str]:
    """A password for each person, from the system's own randomness: a seed must not open a door."""
    return {person.login: secrets.token_urlsafe(12) for person in scenario.people}


def replace_file(file: Path, text: str, mode: int = 0o644) -> None:
    """Write a file as a whole: readers see the old or the new one, never a half."""
    with _beside(file, mode) as beside:
        beside.write_text(text, encoding="utf-8")


@contextmanager
def _beside(file: Path, mode: int) -> Iterator[Path]:
    beside = file.with_name(file.name + ".new")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode))
    yield beside
    beside.replace(file)
