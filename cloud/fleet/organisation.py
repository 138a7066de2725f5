"""organisation.toml: who and what there is, as one file a person can keep and apply again."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from cloud.keys.authority import RESERVED_PREFIX
from models.configuration import Strict

NameText = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
PathText = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._/-]{0,126}$")]
Title = Annotated[str, Field(min_length=1, max_length=128)]
RoleText = Literal["operator", "engineer", "worker", "admin"]


class SiteEntry(Strict):
    """A place under watch with its own clock and calendar."""

    id: NameText
    name: Title
    timezone: str = "UTC"
    holidays: tuple[Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")], ...] = ()
    duty_officer: NameText | None = None

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as wrong:
            raise ValueError(f"{name!r} is no time zone, write one like Asia/Shanghai") from wrong
        return name


class RoleEntry(Strict):
    """A role at one site, or at all ("*")."""

    role: RoleText
    site: str


class PersonEntry(Strict):
    """Somebody who signs in."""

    login: NameText
    name: Title
    language: Literal["en", "zh"] = "en"
    password: str | None = None
    roles: tuple[RoleEntry, ...] = ()


class GridEntry(Strict):
    """A part of a site; `workers` in the order they are asked; `polygon` is [[longitude, latitude], ...]."""

    id: NameText
    site: NameText
    name: Title
    polygon: tuple[tuple[float, float], ...] = ()
    workers: tuple[NameText, ...] = ()


class PlaceEntry(Strict):
    """A node of the site's hierarchy."""

    site: NameText
    path: PathText
    name: Title
    kind: str = Field(default="room", max_length=64)
    grid: NameText | None = None
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)


class GatewayEntry(Strict):
    """A machine that will run edge_agent."""

    id: NameText
    site: NameText
    place: PathText | None = None
    name: Title

    @field_validator("id")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name.startswith(RESERVED_PREFIX):
            raise ValueError(f"names that begin with {RESERVED_PREFIX!r} belong to the cloud's own sessions")
        return name


class Organisation(Strict):
    """All of it. What the file does not name is left as it is."""

    sites: tuple[SiteEntry, ...] = ()
    people: tuple[PersonEntry, ...] = ()
    grids: tuple[GridEntry, ...] = ()
    places: tuple[PlaceEntry, ...] = ()
    gateways: tuple[GatewayEntry, ...] = ()
