"""Home Assistant's MQTT discovery: which entities a message announces, and where their values are."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from edge_agent.drivers.json_paths import as_number, as_object, find

# What stands for what, of the keys read here (home-assistant.io, MQTT discovery, "supported abbreviations").
_ABBREVIATIONS = {
    "avty": "availability", "avty_t": "availability_topic", "cmps": "components", "dev": "device",
    "dev_cla": "device_class", "ids": "identifiers", "p": "platform", "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available", "pl_off": "payload_off", "pl_on": "payload_on",
    "stat_t": "state_topic", "stat_cla": "state_class", "t": "topic", "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template", "mdl": "model",
}  # fmt: skip
_READ = ("sensor", "binary_sensor", "switch", "number", "lock")
_TEMPLATE = re.compile(
    r"""^\{\{\s*(?P<root>value_json|value)
    (?P<steps>(?:\.\w+|\[\s*(?:'[^']*'|"[^"]*"|\d+)\s*\])*)
    (?P<filters>(?:\s*\|\s*\w+(?:\([^()]*\))?)*)\s*\}\}$""",
    re.VERBOSE,
)
_STEP = re.compile(r"""\.(\w+)|\[\s*(?:'([^']*)'|"([^"]*)"|(\d+))\s*\]""")
# Filters that leave a number what it is.
_HARMLESS = {"float", "round", "default", "is_defined"}


class TemplateError(ValueError):
    """A template that does more than pick a value."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One announced value. `path` is None for a payload that is the value itself."""

    unique_id: str
    component: str
    state_topic: str
    name: str = ""
    path: str | None = None
    unit: str = ""
    device_class: str = ""
    on: str = "ON"
    off: str = "OFF"
    unavailable: dict[str, str] = field(default_factory=dict)  # topic -> the word for offline
    device_name: str = ""
    device_id: str = ""

    def number(self, payload: bytes) -> float | None:
        """The value in a state message; None when it is about something else, ValueError when unreadable.

        >>> door = Entity("a", "binary_sensor", "t", path="contact", on="False", off="True")
        >>> door.number(b'{"contact": false}')
        1.0
        """
        text = payload.decode("utf-8", errors="replace").strip()
        value = text if self.path is None else find(json.loads(text), self.path)
        if value is None:
            return None
        if self.component != "sensor":
            word = str(value).lower()
            if word in (self.on.lower(), self.off.lower()):
                return 1.0 if word == self.on.lower() else 0.0
        return as_number(value)


def read_config(topic: str, payload: bytes, prefix: str = "homeassistant") -> list[Entity]:
    """Entities that can be read in a config message; ValueError when it is none.

    TemplateError, a ValueError too, when a value is made by more than a path.
    """
    if not payload:
        return []  # so an entity is withdrawn
    document = _spelt_out(json.loads(payload))
    if not isinstance(document, dict):
        raise ValueError("a discovery message is an object")
    component = topic.removeprefix(f"{prefix}/").split("/")[0]
    if component == "device":
        shared = {key: value for key, value in document.items() if key != "components"}
        parts = as_object(document.get("components")).values()
        found = [_entity({**shared, **p}, str(p.get("platform"))) for p in parts if isinstance(p, dict)]
    else:
        found = [_entity(document, component)]
    return [entity for entity in found if entity is not None]


def template_path(template: str) -> str | None:
    """The JSON path that a value template picks; None for the payload itself.

    >>> template_path("{{ value_json['BME280'].Temperature | round(1) }}")
    'BME280.Temperature'
    """
    fits = _TEMPLATE.match(template.strip())
    if fits is None:
        raise TemplateError(f"the template {template!r} is more than a path")
    strange = set(re.findall(r"\|\s*(\w+)", fits["filters"])) - _HARMLESS
    if strange:
        raise TemplateError(f"the template {template!r} computes ({', '.join(sorted(strange))})")
    steps = [next(part for part in step if part) for step in _STEP.findall(fits["steps"])]
    if fits["root"] == "value":
        if steps:
            raise TemplateError(f"the template {template!r} is more than a path")
        return None
    return ".".join(steps)


def _entity(document: dict[str, Any], component: str) -> Entity | None:
    topic, unique_id = document.get("state_topic"), document.get("unique_id")
    if component not in _READ or not isinstance(topic, str) or not unique_id:
        return None
    template = document.get("value_template")
    device = as_object(document.get("device"))
    ids = device.get("identifiers", "")
    return Entity(
        str(unique_id),
        component,
        topic,
        str(document.get("name") or ""),
        template_path(str(template)) if template else None,
        str(document.get("unit_of_measurement") or ""),
        str(document.get("device_class") or ""),
        str(document.get("payload_on", "ON")),
        str(document.get("payload_off", "OFF")),
        _unavailable(document),
        str(device.get("name", "")),
        str(ids[0] if isinstance(ids, list) and ids else ids),
    )


def _unavailable(document: dict[str, Any]) -> dict[str, str]:
    """Availability topics and their words for offline; those with a template are left to the device."""
    listed = document.get("availability")
    entries = [document] if "availability_topic" in document else listed if isinstance(listed, list) else []
    return {
        str(entry.get("availability_topic") or entry.get("topic")): str(
            entry.get("payload_not_available", "offline")
        )
        for entry in entries
        if isinstance(entry, dict) and "value_template" not in entry
    }


def _spelt_out(document: Any) -> Any:
    """Abbreviations written out, and `~` replaced in topics."""
    if isinstance(document, list):
        return [_spelt_out(entry) for entry in document]
    if not isinstance(document, dict):
        return document
    whole = {_ABBREVIATIONS.get(key, key): _spelt_out(value) for key, value in document.items()}
    base = whole.pop("~", None)
    return _with_base(whole, base) if isinstance(base, str) else whole


def _with_base(document: Any, base: str) -> Any:
    if isinstance(document, list):
        return [_with_base(entry, base) for entry in document]
    if not isinstance(document, dict):
        return document
    return {
        key: _with_base(value, base) if not isinstance(value, str) else _topic(key, value, base)
        for key, value in document.items()
    }


def _topic(key: str, value: str, base: str) -> str:
    if not key.endswith("topic"):
        return value
    if value.startswith("~"):
        return base + value[1:]
    return value[:-1] + base if value.endswith("~") else value
