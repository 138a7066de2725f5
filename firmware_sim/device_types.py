"""Device types: what a device of a kind measures, how precisely, and where in its bytes it stands."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from firmware_sim.errors import ScenarioError
from firmware_sim.quantities.table import QUANTITIES

TYPES_FILE = Path(__file__).parent / "scenarios" / "devices.toml"
RegisterType = Literal["int16", "uint16", "int32", "uint32", "float32"]
WIDTH = {"int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2}
COUNTER_WIDTH = 2


class Strict(BaseModel):
    """A part of a file: immutable, typed, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ChannelType(Strict):
    """One measured quantity of a device type; `quantity` for a simulated one, `column` for a recorded one."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    kind: str
    unit: str = ""
    quantity: str = ""
    column: str = ""
    path: str = Field(default="", description="JSON path in the payload; empty: the name")
    flag: bool = Field(default=False, description="sent as true or false")
    type: RegisterType = "int16"
    scale: float = 1.0
    resolution: float | None = Field(default=None, description="none: the scale")
    minimum: float | None = None
    maximum: float | None = None
    noise: float = Field(default=0.0, ge=0)
    lag_s: float = Field(default=0.0, ge=0)
    span: float = Field(gt=0)
    numbers: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_origin(self) -> ChannelType:
        if bool(self.quantity) == bool(self.column):
            raise ValueError(f"channel {self.name} needs either quantity or column")
        if self.quantity and self.quantity not in QUANTITIES:
            raise ValueError(f"channel {self.name}: unknown quantity {self.quantity!r}")
        return self

    @property
    def step(self) -> float:
        """Resolution of the channel in its unit."""
        return self.scale if self.resolution is None else self.resolution


class RecordingType(Strict):
    """What a device plays instead of the street's quantities."""

    file: str
    row_s: float = Field(gt=0)
    only: dict[str, str] = Field(default_factory=dict)


class DeviceType(Strict):
    """A kind of device on the market."""

    title: str
    protocol: Literal["modbus", "zigbee", "plain", "senml"]
    recording: RecordingType | None = None
    channels: Annotated[tuple[ChannelType, ...], Field(min_length=1)]

    def registers(self) -> dict[str, int]:
        """First register of each channel; the counter holds 0 and 1."""
        found, at = {}, COUNTER_WIDTH
        for channel in self.channels:
            found[channel.name] = at
            at += WIDTH[channel.type]
        return found

    def register_count(self) -> int:
        """Registers of the device, counter included."""
        return COUNTER_WIDTH + sum(WIDTH[channel.type] for channel in self.channels)


@functools.lru_cache(maxsize=4)
def load_device_types(file: Path = TYPES_FILE) -> dict[str, DeviceType]:
    """All device types of a file; ScenarioError names the file and the key."""
    try:
        with file.open("rb") as stream:
            return TypeAdapter(dict[str, DeviceType]).validate_python(tomllib.load(stream))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{file}: {error}") from error
    except ValidationError as error:
        raise ScenarioError(f"{file}: {first_complaint(error)}") from error


def first_complaint(error: ValidationError) -> str:
    """Where and what, of the first thing wrong."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
