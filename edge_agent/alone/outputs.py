"""What can be switched: a line of a GPIO chip, a lamp of the board, a hook over HTTP."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

LEDS = Path("/sys/class/leds")


class Output(Protocol):
    """Something with two states. OSError when it cannot be switched now."""

    def switch(self, on: bool) -> None:
        """Switch; returns when it is done. Off may be asked for at any time and is harmless."""
        ...

    def close(self) -> None:
        """Give it up, switched off before."""
        ...


class GpioOutput:
    """A line of the kernel's character device, taken at first use with its inactive value.

    The kernel gives a line to one program only; it is given back when the program ends.
    """

    def __init__(self, chip: str, line: int | str, *, active_low: bool) -> None:
        self._chip, self._line, self._active_low = chip, line, active_low
        self._request: Any = None

    def switch(self, on: bool) -> None:
        from gpiod.line import Value

        if self._request is None:
            self._request = self._take()
        self._request.set_value(self._line, Value.ACTIVE if on else Value.INACTIVE)

    def close(self) -> None:
        if self._request is not None:
            self._request.release()
            self._request = None

    def _take(self) -> Any:
        import gpiod
        from gpiod.line import Direction, Value

        line = gpiod.LineSettings(
            direction=Direction.OUTPUT, output_value=Value.INACTIVE, active_low=self._active_low
        )
        try:
            return gpiod.request_lines(self._chip, consumer="lastmile-edge", config={self._line: line})
        except (ValueError, OSError) as wrong:
            raise OSError(f"{self._chip} line {self._line}: {wrong}") from wrong


class LedOutput:
    """A lamp under /sys/class/leds; its own trigger is switched off."""

    def __init__(self, led: str) -> None:
        self._folder = Path(led) if "/" in led else LEDS / led

    def switch(self, on: bool) -> None:
        trigger = self._folder / "trigger"
        if trigger.exists() and "[none]" not in trigger.read_text():
            trigger.write_text("none")
        top = self._folder / "max_brightness"
        brightest = top.read_text().strip() if top.exists() else "1"
        (self._folder / "brightness").write_text(brightest if on else "0")

    def close(self) -> None:
        """Nothing is held."""


class HttpOutput:
    """POST of a small JSON body, once for on and once for off."""

    def __init__(self, url: str, timeout_s: float, told: Mapping[str, str]) -> None:
        self._url, self._timeout_s, self._told = url, timeout_s, dict(told)
        self._is_on = False

    def switch(self, on: bool) -> None:
        if not on and not self._is_on:
            return  # nobody needs to hear at every start that nothing is on
        body = json.dumps({**self._told, "on": on}).encode()
        request = urllib.request.Request(
            self._url,
            body,
            {"Content-Type": "application/json", "User-Agent": "lastmile-edge"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=self._timeout_s):
            self._is_on = on

    def close(self) -> None:
        """Nothing is held."""


def make_output(told: Mapping[str, Any]) -> Output:
    """From an action's settings as plain values, and the gateway's name."""
    if told["kind"] == "gpio":
        return GpioOutput(told["chip"], told["line"], active_low=told["active_low"])
    if told["kind"] == "led":
        return LedOutput(told["led"])
    return HttpOutput(told["url"], told["timeout_s"], {"gateway": told["gateway"], "action": told["name"]})
