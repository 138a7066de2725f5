"""A scenario file: the street's places, gateways, devices, people, and what will happen to them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from firmware_sim.device_types import DeviceType, Strict, first_complaint, load_device_types
from firmware_sim.errors import ScenarioError
from firmware_sim.faults import FAULTS
from firmware_sim.hazards import HAZARDS

FOLDER = Path(__file__).parent / "scenarios"


class SiteSpec(Strict):
    """The place under watch and its clock."""

    id: str
    name: str
    timezone: str
    utc_offset_s: int = Field(description="of that zone, for the rhythm of the day")
    outdoor_c: float = 12.0
    duty_officer: str
    holidays: tuple[str, ...] = ()


class GridSpec(Strict):
    """A part of the site and the people who answer for it."""

    id: str
    name: str
    polygon: tuple[tuple[float, float], ...]
    workers: tuple[str, ...]


class PlaceSpec(Strict):
    """A node of building, floor and room."""

    path: str
    name: str
    kind: str = "room"
    grid: str = ""
    latitude: float | None = None
    longitude: float | None = None


class PersonSpec(Strict):
    """Somebody with tasks: how soon they answer, how often they stay silent or find nobody at home."""

    login: str
    name: str
    language: Literal["en", "zh"]
    role: Literal["worker", "operator", "engineer", "admin"] = "worker"
    accepts_after_s: tuple[float, float] = (1.0, 3.0)
    walks_s: tuple[float, float] = (1.0, 3.0)
    looks_s: tuple[float, float] = (1.0, 3.0)
    silent: float = Field(default=0.0, ge=0, le=1, description="share of tasks never answered")
    late: float = Field(default=0.0, ge=0, le=1, description="share of tasks answered four times as slowly")
    no_access: float = Field(default=0.0, ge=0, le=1, description="share of visits with nobody at home")


class DeviceSpec(Strict):
    """One device: of which type, where, under which gateway."""

    name: str
    type: str
    place: str


class GatewaySpec(Strict):
    """A gateway and its devices."""

    id: str
    name: str
    place: str
    devices: tuple[DeviceSpec, ...]


class MonitorSpec(Strict):
    """A monitor as the gateway's document has it; channels may end in `*` patterns of channel names."""

    name: str
    detector: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    channels: tuple[str, ...]
    trigger: dict[str, float] = Field(default_factory=dict)
    kind: Literal["hazard", "maintenance"] = "hazard"
    hazard: str
    severity: Literal["minor", "moderate", "severe", "extreme"] = "moderate"
    trial: bool = False


class EventSpec(Strict):
    """A hazard at places, or a fault of a device's channel."""

    what: str
    places: tuple[str, ...] = ()
    device: str = ""
    channel: str = ""
    duration_s: float = Field(gt=0)

    @model_validator(mode="after")
    def _is_known(self) -> EventSpec:
        if self.what in HAZARDS and not self.places:
            raise ValueError(f"hazard {self.what} needs places")
        if self.what in FAULTS and not self.device:
            raise ValueError(f"fault {self.what} needs a device")
        if self.what in FAULTS and not FAULTS[self.what].in_bytes:
            raise ValueError(f"fault {self.what} is for columns of values: devices' bytes cannot carry it")
        if self.what not in HAZARDS and self.what not in FAULTS:
            raise ValueError(f"unknown event {self.what!r}; known: {', '.join([*HAZARDS, *FAULTS])}")
        return self


class TimelineSpec(Strict):
    """First the events in their order, then all of them again and again in another order each round."""

    first_after_s: float = Field(ge=0)
    gap_s: tuple[float, float]
    events: tuple[EventSpec, ...] = ()


class Scenario(Strict):
    """Everything about one street."""

    title: str
    site: SiteSpec
    grids: tuple[GridSpec, ...] = ()
    places: tuple[PlaceSpec, ...]
    people: tuple[PersonSpec, ...] = ()
    gateways: tuple[GatewaySpec, ...]
    monitors: tuple[MonitorSpec, ...] = ()
    timeline: TimelineSpec

    @model_validator(mode="after")
    def _names_fit(self) -> Scenario:
        places = {place.path for place in self.places}
        types = load_device_types()
        for device in self.devices():
            if device.type not in types:
                raise ValueError(f"device {device.name}: unknown type {device.type!r}")
            if device.place not in places:
                raise ValueError(f"device {device.name}: unknown place {device.place!r}")
        names = [device.name for device in self.devices()]
        for event in self.timeline.events:
            if missing := sorted(set(event.places) - places):
                raise ValueError(f"event {event.what}: unknown places {missing}")
            if event.device and event.device not in names:
                raise ValueError(f"event {event.what}: unknown device {event.device!r}")
        if len(names) != len(set(names)):
            raise ValueError("device named twice")
        return self

    def devices(self) -> list[DeviceSpec]:
        """Devices of all gateways."""
        return [device for gateway in self.gateways for device in gateway.devices]

    def type_of(self, device: DeviceSpec) -> DeviceType:
        """The device's type."""
        return load_device_types()[device.type]


def load_scenario(name_or_file: str) -> Scenario:
    """A scenario by the name of a file that comes with the program, or by path.

    ScenarioError names file, key and what was expected.
    """
    file = Path(name_or_file)
    if not file.suffix:
        file = FOLDER / f"{name_or_file}.toml"
    if not file.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.toml") if p.stem != "devices"))
        raise ScenarioError(f"no scenario {name_or_file!r}; known by name: {known}")
    try:
        return Scenario.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{file}: {error}") from error
    except ValidationError as error:
        raise ScenarioError(f"{file}: {first_complaint(error)}") from error
