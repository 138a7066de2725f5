"""Devices and channels as they would stand in gateway.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from edge_agent.discovery.kinds import Quantity
from models.configuration import DeviceConfig


@dataclass(frozen=True, slots=True)
class ProposedChannel:
    """A channel; `seen` is what was heard, for the reader of the file."""

    name: str
    quantity: Quantity
    source: Any
    seen: str = ""

    def table(self, device: str) -> dict[str, Any]:
        """As in gateway.toml, without what is the default anyway."""
        quantity = self.quantity
        whole = {
            "name": f"{device}/{slug(self.name)}",
            "kind": quantity.kind,
            "unit": quantity.unit,
            "source": self.source,
            "scale": None if quantity.scale == 1 else quantity.scale,
            "offset": None if quantity.offset == 0 else quantity.offset,
            "resolution": quantity.resolution,
            "minimum": quantity.minimum,
            "maximum": quantity.maximum,
        }
        return {key: value for key, value in whole.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ProposedDevice:
    """A device; `about` is what it is, for the reader of the file."""

    name: str
    driver: str
    settings: dict[str, Any]
    channels: tuple[ProposedChannel, ...]
    about: str = ""
    period_s: float | None = None
    comments: tuple[str, ...] = field(default=())

    def table(self) -> dict[str, Any]:
        """As in gateway.toml."""
        name = slug(self.name)
        head: dict[str, Any] = {"name": name, "driver": self.driver}
        if self.period_s is not None:
            head["period_s"] = self.period_s
        return head | {"settings": self.settings, "channels": [c.table(name) for c in self.channels]}

    def text(self) -> str:
        """TOML, to be pasted."""
        table = self.table()
        channels = table.pop("channels")
        comments = [self.about, *self.comments]
        lines = [f"# {_one_line(comment)}" for comment in comments if comment]
        lines += ["[[devices]]", *_lines(table)]
        for channel, proposed in zip(channels, self.channels, strict=True):
            seen = f"  # {_one_line(proposed.seen)}" if proposed.seen else ""
            lines += [f"[[devices.channels]]{seen}", *_lines(channel)]
        return "\n".join(lines) + "\n"


def named_apart(
    devices: Iterable[ProposedDevice], taken: Iterable[DeviceConfig] = ()
) -> list[ProposedDevice]:
    """Without those that gateway.toml has already, and each with a name of its own."""
    known = list(taken)
    there = {_identity(d.driver, d.settings, [c.source for c in d.channels]) for d in known}
    names = {device.name for device in known}
    found: list[ProposedDevice] = []
    for device in devices:
        identity = _identity(device.driver, device.settings, [c.source for c in device.channels])
        if identity in there or not device.channels:
            continue
        there.add(identity)
        name = _free(slug(device.name), names)
        names.add(name)
        found.append(replace(device, name=name, channels=_channels_apart(device.channels)))
    return found


def decimals_of(value: Any) -> float:
    """The step in which a number was written: 0.01 for 21.48; 0 when that says nothing.

    >>> decimals_of(21.48), decimals_of("40"), decimals_of(0.1 + 0.2)
    (0.01, 1.0, 0.0)
    """
    try:
        exponent = Decimal(str(value)).normalize().as_tuple().exponent
    except ArithmeticError:
        return 0.0
    if not isinstance(exponent, int) or exponent < -6:
        return 0.0
    return float(Decimal(1).scaleb(min(exponent, 0)))


def slug(words: str) -> str:
    """A name as gateway.toml takes it.

    >>> slug("Kitchen / Fridge (left)"), slug("灯")
    ('kitchen-fridge-left', 'device')
    """
    plain = re.sub(r"[^a-z0-9._]+", "-", words.lower()).strip("-._")
    return plain[:60].strip("-._") or "device"


def _channels_apart(channels: tuple[ProposedChannel, ...]) -> tuple[ProposedChannel, ...]:
    names: set[str] = set()
    apart = []
    for channel in channels:
        name = _free(slug(channel.name), names)
        names.add(name)
        apart.append(replace(channel, name=name))
    return tuple(apart)


def _free(name: str, taken: set[str]) -> str:
    number, wished = 2, name
    while wished in taken:
        wished, number = f"{name}-{number}", number + 1
    return wished


def _identity(driver: str, settings: Mapping[str, Any], sources: list[Any]) -> str:
    """What makes it this device; for some drivers that is what is read, since all share their settings."""
    own = {key: value for key, value in settings.items() if key not in ("client_id", "username", "password")}
    read = sorted(map(str, sources)) if driver in ("homeassistant", "files") else []
    return driver + json.dumps([own, read], sort_keys=True)


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _one_line(words: str) -> str:
    """Words of others as a comment: they must not end it."""
    return "".join(letter if letter.isprintable() else " " for letter in words)[:100]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {_value(each)}" for key, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
