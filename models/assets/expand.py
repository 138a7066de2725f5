"""From assets to the monitors that watch them and what their channels leave unsaid."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models.alert import AlertKind, Severity
from models.assets.asset import AssetConfig
from models.assets.library import template_of
from models.assets.template import Parameter, Reference, Role, Template, TemplateMonitor
from models.configuration import ChannelConfig, DeviceConfig, MonitorConfig, TriggerConfig
from models.errors import ConfigurationError


def expand_assets(
    assets: Sequence[AssetConfig], devices: Sequence[DeviceConfig], *, with_equipment: bool = False
) -> tuple[tuple[DeviceConfig, ...], tuple[MonitorConfig, ...]]:
    """Devices with what their parts in assets say, and the monitors of all assets.

    ConfigurationError with a key like `assets[0].channels.door`.
    """
    _check(assets)
    filled = fill_channels(devices, assets)
    channels = {channel.name: channel for device in filled for channel in device.channels}
    monitors: list[MonitorConfig] = []
    for index, asset in enumerate(assets):
        with _inside(index):
            monitors += asset_monitors(asset, channels, with_equipment=with_equipment)
    return filled, tuple(monitors)


def fill_channels(devices: Sequence[DeviceConfig], assets: Sequence[AssetConfig]) -> tuple[DeviceConfig, ...]:
    """Devices whose channels have what their roles say and they themselves leave out: unit, resolution,
    range, place. Of several assets that share a channel the first counts."""
    parts: dict[str, tuple[AssetConfig, Role]] = {}
    for asset in assets:
        for role in template_of(asset.asset_class).roles:
            for name in asset.channels_of(role.name):
                parts.setdefault(name, (asset, role))
    return tuple(
        device.model_copy(
            update={
                "channels": tuple(_filled(channel, parts.get(channel.name)) for channel in device.channels)
            }
        )
        for device in devices
    )


def asset_monitors(
    asset: AssetConfig, channels: Mapping[str, ChannelConfig], *, with_equipment: bool = False
) -> tuple[MonitorConfig, ...]:
    """The monitors of one asset, named `asset-monitor`.

    `channels`: all that are known, by name, as `fill_channels` left them. `with_equipment` adds one for
    faults of the sensors. ConfigurationError names what is wrong by its key inside the asset.
    """
    template = template_of(asset.asset_class)
    factors = _check_channels(asset, template, channels)
    values = _values(asset, template)
    made = [
        _monitor(asset, monitor, values, factors)
        for monitor in template.monitors
        if any(asset.channels_of(role) for role in monitor.roles)
    ]
    if with_equipment:
        made.append(_equipment(asset, template))
    return tuple(made)


def _check(assets: Sequence[AssetConfig]) -> None:
    names: set[str] = set()
    for index, asset in enumerate(assets):
        with _inside(index):
            template_of(asset.asset_class)
            if asset.name in names:
                raise ConfigurationError("two assets of this name", key="name", expected="a name of its own")
            names.add(asset.name)


@contextlib.contextmanager
def _inside(index: int) -> Iterator[None]:
    """What is wrong inside asset `index` says so."""
    try:
        yield
    except ConfigurationError as wrong:
        key = f"assets[{index}].{wrong.key}"
        raise ConfigurationError(wrong.said, key=key, expected=wrong.expected) from wrong


def _filled(channel: ChannelConfig, part: tuple[AssetConfig, Role] | None) -> ChannelConfig:
    if part is None:
        return channel
    asset, role = part
    unit = channel.unit if "unit" in channel.model_fields_set else role.unit
    factor = role.factor(unit)
    told: dict[str, Any] = {"unit": unit, "place": channel.place or asset.place}
    for name in ("resolution", "minimum", "maximum"):
        value = getattr(role, name)
        if name not in channel.model_fields_set and value is not None and factor is not None:
            told[name] = value * factor
    return channel.model_copy(update=told)


def _check_channels(
    asset: AssetConfig, template: Template, channels: Mapping[str, ChannelConfig]
) -> dict[str, float]:
    """Factor from the unit of each role to that of its channels."""
    roles = {role.name: role for role in template.roles}
    for name in asset.channels:
        if name not in roles:
            raise ConfigurationError(
                "no such part", key=f"channels.{name}", expected="one of " + ", ".join(roles)
            )
    factors = {}
    for role in template.roles:
        named = asset.channels_of(role.name)
        if role.required and not named:
            raise ConfigurationError("missing", key=f"channels.{role.name}", expected=role.title)
        found = {_factor(role, name, channels) for name in named}
        if len(found) > 1:
            raise ConfigurationError(
                "channels in different units", key=f"channels.{role.name}", expected="one unit for all"
            )
        if found:
            factors[role.name] = found.pop()
    return factors


def _factor(role: Role, name: str, channels: Mapping[str, ChannelConfig]) -> float:
    key, channel = f"channels.{role.name}", channels.get(name)
    if channel is None:
        raise ConfigurationError(f"no device has a channel {name!r}", key=key, expected="a known channel")
    if channel.kind not in role.kinds:
        raise ConfigurationError(
            f"{name} is of kind {channel.kind!r}", key=key, expected="kind " + " or ".join(role.kinds)
        )
    factor = role.factor(channel.unit)
    if factor is None:
        units = " or ".join((role.unit or "none", *role.also))
        raise ConfigurationError(f"{name} is in {channel.unit!r}", key=key, expected=f"unit {units}")
    return factor


def _values(asset: AssetConfig, template: Template) -> dict[str, float]:
    known: dict[str, Parameter] = {parameter.name: parameter for parameter in template.parameters}
    for name, value in asset.parameters.items():
        parameter = known.get(name)
        if parameter is None:
            raise ConfigurationError(
                "no such parameter", key=f"parameters.{name}", expected="one of " + ", ".join(known)
            )
        if not parameter.minimum <= value <= parameter.maximum:
            allowed = f"{parameter.minimum:g} to {parameter.maximum:g} {parameter.unit}"
            raise ConfigurationError(f"cannot be {value:g}", key=f"parameters.{name}", expected=allowed)
    return {name: asset.parameters.get(name, parameter.default) for name, parameter in known.items()}


def _monitor(
    asset: AssetConfig, monitor: TemplateMonitor, values: Mapping[str, float], factors: Mapping[str, float]
) -> MonitorConfig:
    parameters = {
        name: _resolved(value, values, factors) if isinstance(value, Reference) else value
        for name, value in monitor.parameters.items()
    }
    _check_range(monitor, parameters)
    return MonitorConfig(
        name=_named(asset, monitor.name),
        detector=monitor.detector,
        parameters=parameters,
        channels=tuple(name for role in monitor.roles for name in asset.channels_of(role)),
        trigger=TriggerConfig.model_validate(monitor.trigger),
        kind=monitor.kind,
        hazard=monitor.hazard,
        severity=monitor.severity,
    )


def _check_range(monitor: TemplateMonitor, parameters: Mapping[str, Any]) -> None:
    """Each of two limits may be within its own range and still pass the other."""
    low, high = monitor.parameters.get("low"), monitor.parameters.get("high")
    if isinstance(low, Reference) and isinstance(high, Reference) and parameters["low"] >= parameters["high"]:
        raise ConfigurationError(
            f"cannot be {parameters['low']:g}",
            key=f"parameters.{low.parameter}",
            expected=f"below {high.parameter}, {parameters['high']:g}",
        )


def _resolved(reference: Reference, values: Mapping[str, float], factors: Mapping[str, float]) -> float:
    factor = factors[reference.role] if reference.role is not None else 1.0
    # Rounded, so that 5 min * 60 is 300 s and not something beside it.
    return float(f"{values[reference.parameter] * reference.times * factor:.12g}")


def _equipment(asset: AssetConfig, template: Template) -> MonitorConfig:
    return MonitorConfig(
        name=_named(asset, "equipment"),
        detector="fault",
        channels=tuple(name for role in template.roles for name in asset.channels_of(role.name)),
        trigger=TriggerConfig(on=5.0, off_delay_s=900.0),
        kind=AlertKind.MAINTENANCE,
        hazard="device",
        severity=Severity.MINOR,
    )


def _named(asset: AssetConfig, monitor: str) -> str:
    name = f"{asset.name}-{monitor}"
    if len(name) > 63:
        raise ConfigurationError(
            f"{len(name)} characters with the monitor's", key="name", expected=f"at most {62 - len(monitor)}"
        )
    return name
