"""What a template file may say. Every word people read is there in English and Chinese."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from models.alert import AlertKind, MonitorName, Severity
from models.configuration import Strict

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
Words = Annotated[str, Field(min_length=1, max_length=400)]


class Role(Strict):
    """A channel's part in an asset.

    `also`: other units it may be told in, and how many of each one `unit` is. `resolution`, `minimum` and
    `maximum`, in `unit`, stand in for what the channel's own configuration leaves out.
    """

    name: Name
    title: Words
    title_zh: Words
    kinds: tuple[str, ...] = Field(min_length=1)
    unit: str = ""
    also: dict[str, float] = Field(default_factory=dict)
    resolution: float = Field(ge=0)
    minimum: float | None = None
    maximum: float | None = None
    required: bool = True

    def factor(self, unit: str) -> float | None:
        """How many of `unit` one of the role's own unit is; None where nobody says."""
        return 1.0 if unit == self.unit else self.also.get(unit)


class Parameter(Strict):
    """A number that towns set differently, with where its default comes from."""

    name: Name
    title: Words
    title_zh: Words
    unit: str
    default: float
    minimum: float
    maximum: float
    source: Words

    @model_validator(mode="after")
    def _default_fits(self) -> Parameter:
        if not self.minimum <= self.default <= self.maximum:
            raise ValueError(f"default {self.default} outside {self.minimum} to {self.maximum}")
        return self


class Reference(Strict):
    """Stands for `parameter` * `times`, and where a role is named, in the unit of that role's channels."""

    parameter: Name
    times: float = 1.0
    role: Name | None = None


class TemplateMonitor(Strict):
    """A monitor on the channels of its roles. Values may be references; `trigger` as in a configuration."""

    name: MonitorName
    title: Words
    title_zh: Words
    roles: tuple[Name, ...] = Field(min_length=1)
    detector: str
    parameters: dict[str, Reference | float | str | bool] = Field(default_factory=dict)
    trigger: dict[str, Any] = Field(default_factory=dict)
    kind: AlertKind = AlertKind.HAZARD
    hazard: str = Field(max_length=64)
    severity: Severity


class Template(Strict):
    """One class of assets."""

    title: Words
    title_zh: Words
    text: Words
    text_zh: Words
    roles: tuple[Role, ...] = Field(min_length=1)
    parameters: tuple[Parameter, ...] = ()
    monitors: tuple[TemplateMonitor, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _references_fit(self) -> Template:
        roles, parameters = {r.name for r in self.roles}, {p.name for p in self.parameters}
        for monitor in self.monitors:
            references = [v for v in monitor.parameters.values() if isinstance(v, Reference)]
            named = {*monitor.roles, *(r.role for r in references if r.role is not None)}
            if unknown := sorted((named - roles) | ({r.parameter for r in references} - parameters)):
                raise ValueError(f"monitor {monitor.name} refers to {unknown}, which the template has not")
        return self
