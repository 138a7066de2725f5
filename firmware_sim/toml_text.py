"""TOML written by hand: values, and tables of them. Reads back with tomllib.

>>> import tomllib
>>> tomllib.loads(table("[[people]]", {"login": "wang", "roles": [{"role": "worker"}]}))
{'people': [{'login': 'wang', 'roles': [{'role': 'worker'}]}]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def value_text(value: Any) -> str:
    """One value: text, number, truth, list or inline table. TypeError for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key_text(k)} = {value_text(v)}" for k, v in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")


def key_text(key: str) -> str:
    """A key, quoted where it must be."""
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def table(header: str, content: Mapping[str, Any]) -> str:
    """A table under its header, one line a key; None is left out."""
    lines = [f"{key_text(k)} = {value_text(v)}" for k, v in content.items() if v is not None]
    return "\n".join([header, *lines]) + "\n"
