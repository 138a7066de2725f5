"""gateway.toml: identity, uplink, limits and the first channels. The only file that reads it."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator

from edge_agent.action_settings import ActionSettings, AloneSettings
from edge_agent.toml_lines import line_of, path_of
from models.alert import MonitorName
from models.assets.asset import AssetConfig
from models.assets.expand import expand_assets
from models.configuration import DeviceConfig, GatewayDocument, MonitorConfig, Strict
from models.errors import ConfigurationError

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class GatewaySettings(Strict):
    """Who this gateway is."""

    id: MonitorName


class UplinkSettings(Strict):
    """Where the cloud is. Without a host the gateway keeps everything in its outbox."""

    host: str = ""
    port: int = Field(default=8883, ge=1, le=65535)
    cloud: str = Field(default="", description="address of the cloud's HTTP API, for enrolment")
    tls: bool = Field(default=True, description="false only for trials on this very machine")
    keepalive_s: int = Field(default=30, ge=5, le=3600)
    heartbeat_s: float = Field(default=20.0, ge=1, le=60)
    reconnect_s: float = Field(
        default=40.0, gt=0, le=600, description="of which a random part is waited when the connection is lost"
    )
    backlog_per_s: float = Field(
        default=80.0, ge=1, le=10_000, description="messages that waited while offline"
    )

    @field_validator("tls")
    @classmethod
    def _plain_only_on_loopback(cls, tls: bool, info: Any) -> bool:
        host = info.data.get("host", "")
        if not tls and host not in ("", *LOOPBACK):
            raise ValueError(f"true for {host}; MQTT without TLS is refused off this machine")
        return tls


class Limits(Strict):
    """What the gateway may take, and how it cuts messages."""

    outbox_mb: int = Field(default=512, ge=1, le=1 << 20)
    spool_mb: int = Field(default=64, ge=1, le=4096)
    message_readings: int = Field(default=500, ge=1, le=10000)
    message_seconds: float = Field(default=5.0, gt=0, le=3600)
    late_s: float = Field(default=3600.0, ge=0, description="older device times are not believed")
    ahead_s: float = Field(default=60.0, ge=0, description="device times further ahead are not believed")
    evidence_before_s: float = Field(
        default=300.0, ge=0, le=86400, description="an alert's evidence begins so long before its onset"
    )
    evidence_after_s: float = Field(
        default=60.0, ge=5, le=3600, description="and ends so long after it fired"
    )
    trial_s: float = Field(default=60.0, ge=1, le=3600, description="how long a new document is on trial")
    trial_crashes: int = Field(default=2, ge=1, le=20, description="so many ends without a stop revert it")
    trial_onsets: int = Field(default=10, ge=1, le=10_000, description="onsets it may have beyond what was")
    trial_cpu_percent: float = Field(default=80.0, gt=0, le=10_000, description="of one core")
    trial_memory_mb: float = Field(default=256.0, gt=0, le=1 << 20, description="by which it may grow")


class DefaultMonitors(Strict):
    """Watch every device's channels by what their kinds say, beside the monitors written out.

    `except_channels` are left to those, or to nobody.
    """

    budget_per_week: float | None = Field(
        default=None, gt=0, le=1000, description="alert onsets wished for, a channel and monitor; none: 0.1"
    )
    except_channels: tuple[str, ...] = ()


class Settings(Strict):
    """gateway.toml as a whole."""

    gateway: GatewaySettings
    uplink: UplinkSettings = UplinkSettings()
    limits: Limits = Limits()
    devices: tuple[DeviceConfig, ...] = ()
    monitors: tuple[MonitorConfig, ...] = ()
    assets: tuple[AssetConfig, ...] = ()
    actions: tuple[ActionSettings, ...] = ()
    alone: AloneSettings = AloneSettings()
    default_monitors: DefaultMonitors | None = None

    @field_validator("actions")
    @classmethod
    def _actions_named_once(cls, actions: tuple[ActionSettings, ...]) -> tuple[ActionSettings, ...]:
        names = [action.name for action in actions]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"names of their own, not twice {twice[0]}")
        return actions

    def document(self) -> GatewayDocument:
        """The first channels and monitors as a document; stands for version 0.

        ConfigurationError with a key like `assets[0].channels.door` when an asset does not fit.
        """
        # With the default set every channel is watched for faults already.
        has_faults = self.default_monitors is not None
        devices, of_assets = expand_assets(self.assets, self.devices, with_equipment=not has_faults)
        return GatewayDocument(
            gateway=self.gateway.id,
            version=1,
            issued_at=0,
            devices=devices,
            monitors=(*self.monitors, *of_assets, *self._by_default(devices)),
        )

    def _by_default(self, devices: Sequence[DeviceConfig]) -> tuple[MonitorConfig, ...]:
        if self.default_monitors is None:
            return ()
        # Dear to load: only where it is asked for.
        from models.default_monitors import BUDGET_PER_WEEK, default_monitors
        from models.detectors.bank import Trait

        left_out = self.default_monitors.except_channels
        _refuse_unknown(left_out, devices)
        traits = [
            Trait(channel.kind, channel.unit, channel.resolution, channel.name)
            for device in devices
            for channel in device.channels
            if channel.name not in left_out
        ]
        return default_monitors(traits, self.default_monitors.budget_per_week or BUDGET_PER_WEEK)


def _refuse_unknown(left_out: Sequence[str], devices: Sequence[DeviceConfig]) -> None:
    """A misspelt exception would leave its channel watched without a word."""
    known = {channel.name for device in devices for channel in device.channels}
    for place, name in enumerate(left_out):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigurationError(
                f"no channel is called {name}",
                key=f"default_monitors.except_channels[{place}]",
                expected=near[0] if near else "the name of a channel of a device or an asset",
            )


def load_settings(path: Path) -> Settings:
    """Read and check gateway.toml; ConfigurationError names file, line, key and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as missing:
        raise ConfigurationError(
            "no such file; `lastmile-edge init` writes one with comments", file=str(path)
        ) from missing
    except (OSError, UnicodeDecodeError) as unreadable:
        raise ConfigurationError(f"cannot be read: {unreadable}", file=str(path)) from unreadable
    settings = _validated(text, str(path))
    try:
        settings.document()
    except ValidationError as wrong:
        raise _name_fault(wrong, text, str(path)) from wrong
    except ConfigurationError as wrong:
        line = line_of(text, path_of(wrong.key))
        raise ConfigurationError(
            wrong.said, file=str(path), line=line, key=wrong.key, expected=wrong.expected
        ) from wrong
    return settings


def parse_settings(text: str) -> Settings:
    """As `load_settings`, from text."""
    return _validated(text, "gateway.toml")


def locate_device_fault(path: Path, index: int, key: tuple[str | int, ...]) -> tuple[str, int]:
    """File and line of something wrong inside device `index`, found after the file was read."""
    return str(path), line_of(path.read_text(encoding="utf-8"), ("devices", index, *key))


def locate_monitor_fault(path: Path, index: int, key: tuple[str | int, ...]) -> tuple[str, int]:
    """File and line of something wrong inside monitor `index`."""
    return str(path), line_of(path.read_text(encoding="utf-8"), ("monitors", index, *key))


def _validated(text: str, file: str) -> Settings:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        found = re.search(r"\(at line (\d+)", str(wrong))
        line = int(found[1]) if found else len(text.splitlines()) or 1
        raise ConfigurationError(
            f"not TOML: {str(wrong).split(' (at')[0]}", file=file, line=line, expected="key = value"
        ) from wrong
    try:
        return Settings.model_validate(table)
    except ValidationError as wrong:
        raise _semantic_fault(wrong, text, table, file) from wrong


def _semantic_fault(
    wrong: ValidationError, text: str, table: Mapping[str, Any], file: str
) -> ConfigurationError:
    """The first fault of a validation, in a person's words."""
    faults = wrong.errors()
    fault = faults[0]
    location: tuple[str | int, ...] = tuple(fault["loc"])
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    message, expected = _words(fault, location)
    return ConfigurationError(
        message + more, file=file, line=line_of(text, location), key=_dotted(location), expected=expected
    )


def _words(fault: Any, location: tuple[str | int, ...]) -> tuple[str, str]:
    if fault["type"] == "extra_forbidden":
        return "unknown key", "one of " + ", ".join(_known_keys(location[:-1]))
    if fault["type"] == "missing":
        return "missing", "a value"
    said = fault["msg"].removeprefix("Value error, ")
    expected = said.removeprefix("Input should be ").removeprefix("String should ")
    return f"cannot be {_short(fault.get('input'))}", expected


def _known_keys(location: tuple[str | int, ...]) -> list[str]:
    model: Any = Settings
    for part in location:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(part)
            model = field.annotation if field else None
        elif isinstance(part, int):
            model = get_args(model)[0] if get_args(model) else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [field.alias or name for name, field in model.model_fields.items()]
    return ["the documented keys"]


def _name_fault(wrong: ValidationError, text: str, file: str) -> ConfigurationError:
    """Names that do not fit together: twice the same, or a monitor on an unknown channel."""
    said = wrong.errors()[0]["msg"].removeprefix("Value error, ")
    section = "monitors" if said.startswith("monitor") else "devices"
    named = re.search(r"\['([^']+)'", said)
    line = _last_line_naming(text, named[1]) if named else line_of(text, (section, 0))
    return ConfigurationError(
        said, file=file, line=line, key=section, expected="names that are unique and known"
    )


def _last_line_naming(text: str, name: str) -> int:
    lines = text.splitlines()
    naming = [number for number, line in enumerate(lines, 1) if f'"{name}"' in line]
    defining = [number for number in naming if re.match(r"\s*name\s*=", lines[number - 1])]
    return (defining or naming or [1])[-1]


def _dotted(location: tuple[str | int, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
