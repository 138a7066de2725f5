"""Detectors' parameters: typed, with unit, range and plain words in English and Chinese."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import ParameterError


class Parameters(BaseModel):
    """Root of every detector's parameters: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


P = TypeVar("P", bound=Parameters)


def parameter(
    default: Any, *, title: str, zh: str, text: str, text_zh: str, unit: str = "", **bounds: Any
) -> Any:
    """A field with all the catalogue shows: title and description in both languages, unit, range."""
    return Field(
        default,
        title=title,
        description=text,
        json_schema_extra={"unit": unit, "title_zh": zh, "description_zh": text_zh},
        **bounds,
    )


def utc_offset() -> Any:
    return parameter(
        0,
        title="Time zone",
        zh="时区",
        unit="s",
        ge=-50400,
        le=50400,
        text="Seconds the site's clock is ahead of UTC; 28800 in China.",
        text_zh="当地时间比 UTC 快多少秒；中国为 28800。",
    )


def parse(model: type[P], detector: str, values: Mapping[str, Any]) -> P:
    """Checked parameters; ParameterError names the parameter, what was wrong and its range.

    An unknown name is answered with the nearest known one.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ParameterError("; ".join(_told(model, detector, item) for item in error.errors())) from None


def _told(model: type[Parameters], detector: str, item: Any) -> str:
    name = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, model.model_fields, n=1)
        known = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(model.model_fields))}"
        return f"{detector}: unknown parameter {name!r} ({known})"
    reason = str(item["msg"]).removeprefix("Value error, ")
    return f"{detector}: {name or 'parameters'}: {reason}{_range(model, name)}, got {item['input']!r}"


def _range(model: type[Parameters], name: str) -> str:
    """The allowed range in words, when the field states one."""
    schema = model.model_json_schema()["properties"].get(name, {})
    choices = [schema, *schema.get("anyOf", [])]
    words = [
        f"{word} {choice[key]}"
        for choice in choices
        for key, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in choice
    ]
    return (
        f" (range: {', '.join(words)}{' ' + schema['unit'] if schema.get('unit') else ''})" if words else ""
    )
