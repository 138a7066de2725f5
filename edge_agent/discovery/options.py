"""The command line of `lastmile-edge discover`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.check import seconds
from models.errors import ConfigurationError

if TYPE_CHECKING:
    from edge_agent.discovery.search import Wish

_PLACES = ("mqtt", "modbus", "serial", "w1", "bacnet")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where to look, and for how long."""
    parser.add_argument("--mqtt", metavar="HOST[:PORT]", help="listen to everything a broker passes on")
    parser.add_argument("--mqtt-user", metavar="NAME")
    parser.add_argument("--mqtt-password-file", metavar="FILE", type=Path)
    parser.add_argument("--modbus", metavar="HOST[:PORT]", help="ask Modbus TCP units for their registers")
    parser.add_argument("--units", default="1-16", metavar="A-B", help="which Modbus units to ask")
    parser.add_argument("--serial", metavar="PORT", help="microcontrollers on a line, else Modbus RTU units")
    parser.add_argument(
        "--w1", nargs="?", const="/sys", metavar="ROOT", help="1-wire, IIO and hwmon sensors of this machine"
    )
    parser.add_argument("--bacnet", nargs="?", const="", metavar="ADDRESS", help="who-is, to all or to one")
    parser.add_argument(
        "--bacnet-local",
        default="0.0.0.0:0",
        metavar="ADDRESS[/BITS]:PORT",
        help="where to speak BACnet from",
    )
    parser.add_argument("--wait", type=seconds, default=10.0, metavar="S", help="how long to listen")
    parser.add_argument("--append", action="store_true", help="add what was found to gateway.toml")


def wish_of(chosen: argparse.Namespace) -> Wish:
    """What was asked for; ConfigurationError when that is nothing or unclear."""
    from edge_agent.discovery.search import Wish

    if all(getattr(chosen, place) is None for place in _PLACES):
        named = ", ".join(f"--{place}" for place in _PLACES)
        raise ConfigurationError("nowhere to look", key="discover", expected=f"one or more of {named}")
    return Wish(
        mqtt=_address("--mqtt", chosen.mqtt, 1883),
        modbus=_address("--modbus", chosen.modbus, 502),
        serial=chosen.serial,
        w1=chosen.w1,
        bacnet=chosen.bacnet,
        bacnet_local=chosen.bacnet_local,
        units=_units(chosen.units),
        wait_s=chosen.wait,
        username=chosen.mqtt_user,
        password=chosen.mqtt_password_file.read_text().strip() if chosen.mqtt_password_file else None,
    )


def _address(key: str, text: str | None, usual: int) -> tuple[str, int] | None:
    if text is None:
        return None
    host, colon, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if not host or (colon and not (port.isdigit() and 0 < int(port) < 65536)):
        raise ConfigurationError(f"{text!r} is no address", key=key, expected="HOST or HOST:PORT")
    return host, int(port) if colon else usual


def _units(text: str) -> range:
    first, _, last = text.partition("-")
    if first.isdigit() and (last.isdigit() or not last):
        units = range(int(first), int(last or first) + 1)
        if units and units[0] >= 1 and units[-1] <= 247:
            return units
    raise ConfigurationError(f"{text!r} are no units", key="--units", expected="such as 1-16, within 1-247")
