"""The files other programs read, from a plan: organisation, gateways, local brokers, people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from firmware_sim.document import device_entry, document, health_entry, monitor_entries
from firmware_sim.plan import PEOPLE_FILE, Plan, make_passwords, replace_file, write_plan, write_truth
from firmware_sim.scenario import GatewaySpec
from firmware_sim.street import Street
from firmware_sim.toml_text import table

PRIVATE = 0o600
# A local broker for devices: loopback, no persistence (each device keeps what is not acknowledged).
BROKER = """# Local device broker of {gateway}: loopback only.
per_listener_settings false
listener {port} 127.0.0.1
allow_anonymous true
user {user}
persistence false
max_queued_messages 100000
log_dest stderr
log_type error
log_type warning
"""


@dataclass(frozen=True)
class Uplink:
    """Where the cloud is, for the gateways."""

    host: str = "127.0.0.1"
    port: int = 8883
    cloud: str = "http://127.0.0.1:8080"
    reconnect_s: float = 2.0  # a street of two gateways is no herd


def write_everything(plan: Plan, uplink: Uplink) -> None:
    """All files of a plan; the folder is made."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    street = plan.street(plan.planned_at_ns / 1e9)
    write_plan(plan)
    write_truth(plan, street)
    passwords = make_passwords(plan.scenario)
    replace_file(plan.folder / PEOPLE_FILE, json.dumps(passwords, indent=1), PRIVATE)
    replace_file(plan.folder / "organisation.toml", organisation_text(plan, passwords), PRIVATE)
    for gateway in plan.scenario.gateways:
        _write_gateway(plan, street, gateway, uplink)


def organisation_text(plan: Plan, passwords: dict[str, str]) -> str:
    """organisation.toml, as docs/architecture.md has it."""
    scenario, site = plan.scenario, plan.scenario.site
    parts = [table("[[sites]]", site.model_dump(exclude={"utc_offset_s", "outdoor_c"}))]
    for person in scenario.people:
        entry = {"login": person.login, "name": person.name, "language": person.language}
        entry["password"] = passwords[person.login]
        parts.append(table("[[people]]", entry | {"roles": [{"role": person.role, "site": site.id}]}))
    for grid in scenario.grids:
        parts.append(table("[[grids]]", {"site": site.id} | grid.model_dump()))
    for place in scenario.places:
        entry = {"site": site.id} | {k: v for k, v in place.model_dump().items() if v != ""}
        parts.append(table("[[places]]", entry))
    for gateway in scenario.gateways:
        entry = {"id": gateway.id, "site": site.id, "place": gateway.place, "name": gateway.name}
        parts.append(table("[[gateways]]", entry))
    return "\n".join(parts)


def gateway_entries(plan: Plan, street: Street, gateway: GatewaySpec) -> tuple[list[Any], list[Any]]:
    """Devices and monitors of a gateway, as its document has them."""
    ports = plan.ports[gateway.id]
    devices = [
        device_entry(
            spec,
            plan.scenario.type_of(spec),
            modbus=(ports.modbus, plan.units[spec.name]),
            broker=ports.broker,
        )
        for spec in gateway.devices
        if street.has_device(spec)
    ]
    devices.append(health_entry(gateway.id, gateway.place))
    names = [channel["name"] for device in devices for channel in device["channels"]]
    return devices, monitor_entries(plan.scenario.monitors, names)


def _write_gateway(plan: Plan, street: Street, gateway: GatewaySpec, uplink: Uplink) -> None:
    folder = plan.folder / gateway.id
    folder.mkdir(exist_ok=True)
    devices, monitors = gateway_entries(plan, street, gateway)
    replace_file(folder / "gateway.toml", gateway_text(gateway.id, uplink, devices, monitors))
    whole = document(gateway.id, 1, plan.planned_at_ns, devices, monitors)
    replace_file(folder / "document.json", json.dumps(whole, ensure_ascii=False, indent=1))
    port = plan.ports[gateway.id].broker
    replace_file(folder / "broker.conf", BROKER.format(gateway=gateway.id, port=port, user="nobody"))


def gateway_text(gateway: str, uplink: Uplink, devices: list[Any], monitors: list[Any]) -> str:
    """gateway.toml, as docs/architecture.md has it."""
    parts = [
        table("[gateway]", {"id": gateway}),
        table("[uplink]", vars(uplink)),
        table("[limits]", {"outbox_mb": 256, "message_readings": 500, "message_seconds": 5}),
    ]
    for device in devices:
        parts.append(table("[[devices]]", {k: v for k, v in device.items() if k != "channels"}))
        parts += [table("[[devices.channels]]", channel) for channel in device["channels"]]
    parts += [table("[[monitors]]", monitor) for monitor in monitors]
    return "\n".join(parts)
