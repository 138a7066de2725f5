"""A driver's settings: checked once, at the border."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from edge_agent.drivers.seam import setting_fault
from models.configuration import DeviceConfig, Strict

Options = TypeVar("Options", bound=Strict)


def read_options(device: DeviceConfig, model: type[Options]) -> Options:
    """`device.settings` as `model`; ConfigurationError names the key."""
    return _checked(device, model, device.settings, "settings")


def read_source(device: DeviceConfig, index: int, model: type[Options]) -> Options:
    """The source of channel `index` as `model`; ConfigurationError names the key."""
    source = device.channels[index].source
    if not isinstance(source, dict):
        expected = "{ " + ", ".join(model.model_fields) + " }"
        raise setting_fault(device, f"channels[{index}].source", f"cannot be {source!r}", expected)
    return _checked(device, model, source, f"channels[{index}].source")


def source_text(device: DeviceConfig, index: int, expected: str) -> str:
    """The source of channel `index` as words; ConfigurationError when it is no text."""
    source = device.channels[index].source
    if not isinstance(source, str) or not source:
        raise setting_fault(device, f"channels[{index}].source", f"cannot be {source!r}", expected)
    return source


def _checked(device: DeviceConfig, model: type[Options], given: dict[str, object], key: str) -> Options:
    try:
        return model.model_validate(given)
    except ValidationError as wrong:
        fault = wrong.errors()[0]
        where = ".".join([key, *(str(part) for part in fault["loc"])])
        expected = fault["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        if fault["type"] == "extra_forbidden":
            expected = "one of " + ", ".join(model.model_fields)
        raise setting_fault(device, where, "does not fit", expected) from wrong
