"""The catalogue: what each detector is, takes and costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.detectors.purposes import PURPOSES
from models.detectors.registry import DETECTORS, DetectorEntry


def catalogue() -> list[dict[str, Any]]:
    """All entries as plain data, parameters as a list of their fields."""
    return [described(entry) for entry in DETECTORS.values()]


def described(entry: DetectorEntry) -> dict[str, Any]:
    """One entry as plain data."""
    schema, purpose = entry.parameters.model_json_schema(), PURPOSES[entry.name]
    required = set(schema.get("required", []))
    return {
        "name": entry.name,
        "title": entry.title,
        "title_zh": entry.title_zh,
        "text": purpose.text,
        "text_zh": purpose.text_zh,
        "reasons": dict(purpose.reasons),
        "learned": entry.learned,
        "kinds": list(entry.kinds),
        "cost_ns": entry.cost_ns,
        "bytes_per_channel": entry.bytes_per_channel,
        "warm_up": entry.warm_up,
        "source": entry.source,
        "needs": entry.needs,
        "installed": entry.is_installed,
        "parameters": [_field(name, field, name in required) for name, field in schema["properties"].items()],
    }


def _field(name: str, schema: Mapping[str, Any], required: bool) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for choice in (schema, *schema.get("anyOf", ())):
        for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern"):
            if key in choice:
                bounds[key] = choice[key]
    texts = {
        key: schema.get(key, "") for key in ("title", "title_zh", "description", "description_zh", "unit")
    }
    return {"name": name, "required": required, "default": schema.get("default"), **texts, **bounds}


def as_text(entries: list[dict[str, Any]]) -> str:
    """For people: a paragraph for each detector."""
    return "\n\n".join(_paragraph(entry) for entry in entries)


def _paragraph(entry: Mapping[str, Any]) -> str:
    kind = "learned" if entry["learned"] else "rule"
    lines = [
        f"{entry['name']}  {entry['title']} / {entry['title_zh']}  ({kind})",
        f"  {entry['text']}",
        f"  {entry['cost_ns']} ns a reading, {entry['bytes_per_channel']} bytes a channel,"
        f" warm-up: {entry['warm_up']}",
        f"  suits: {', '.join(entry['kinds']) or 'any channel'}; source: {entry['source']}",
    ]
    if entry["needs"]:
        here = "installed" if entry["installed"] else "NOT INSTALLED"
        lines.append(f"  needs {entry['needs']}, {here} here; never on a gateway")
    lines.append(f"  reasons: {', '.join(entry['reasons'])}")
    for field in entry["parameters"]:
        unit = f" {field['unit']}" if field["unit"] else ""
        default = "none" if field["default"] is None else field["default"]
        lines.append(f"    {field['name']} = {default}{unit}  {field['description']}")
    return "\n".join(lines)
