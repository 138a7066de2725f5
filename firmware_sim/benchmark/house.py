"""The benchmark's house: its devices and channels, as house.toml has them."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from firmware_sim.device_types import Strict, first_complaint
from firmware_sim.errors import ScenarioError

HOUSE_FILE = Path(__file__).parent / "house.toml"


class HouseSensor(Strict):
    """One measured quantity: what it is, in which steps it is told, how well it is measured."""

    name: str
    kind: str
    unit: str
    resolution: float = Field(gt=0)
    quantity: str
    noise: float = Field(default=0.0, ge=0)
    relative: float = Field(default=0.0, ge=0)
    lag_s: float = Field(default=0.0, ge=0)
    offset: float = Field(default=0.0, ge=0)
    minimum: float
    maximum: float


class HouseDevice(Strict):
    """A device and the room it is in."""

    name: str
    place: str
    channels: tuple[HouseSensor, ...]


class House(Strict):
    """All devices."""

    devices: tuple[HouseDevice, ...]


@dataclass(frozen=True)
class HouseChannel:
    """A channel of the house by its full name, as a gateway would have it."""

    name: str
    device: str
    place: str
    sensor: HouseSensor


@functools.lru_cache(maxsize=2)
def house_channels(file: Path = HOUSE_FILE) -> tuple[HouseChannel, ...]:
    """All channels, in the order written; ScenarioError names the file and the key."""
    try:
        house = House.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ScenarioError(f"{file}: {first_complaint(error)}") from error
    return tuple(
        HouseChannel(f"{device.name}/{sensor.name}", device.name, device.place, sensor)
        for device in house.devices
        for sensor in device.channels
    )
