"""Looks where it was told to, and puts together what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edge_agent.discovery.proposal import ProposedDevice, named_apart
from edge_agent.drivers.seam import DriverError
from edge_agent.settings import Settings, parse_settings
from edge_agent.state import StateFolder, replace_file
from models.clock import Clock
from models.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Wish:
    """Where to look; what is None is left out."""

    mqtt: tuple[str, int] | None = None
    modbus: tuple[str, int] | None = None
    serial: str | None = None
    w1: str | None = None
    bacnet: str | None = None
    bacnet_local: str | None = None
    units: range = range(1, 17)
    wait_s: float = 10.0
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """Devices to be written down, and what else is to be said."""

    devices: list[ProposedDevice]
    notes: list[str]

    def text(self) -> str:
        """TOML, to be pasted into gateway.toml or appended to it."""
        return "\n".join(device.text() for device in self.devices)


def discover(wish: Wish, clock: Clock, settings: Settings | None) -> Discovery:
    """One place after another; one that does not answer is a note and keeps nobody from the next."""
    found: list[ProposedDevice] = []
    notes: list[str] = []
    for where, look in _places(wish, clock):
        try:
            here = look()
        except DriverError as wrong:
            notes.append(f"{where}: {wrong}")
            continue
        found += here
        notes += [f"{where}: {device.name}: {device.about}" for device in here if not device.channels]
        if not here:
            notes.append(f"{where}: nothing was found; check that it is on, or look longer (--wait)")
    known = settings.devices if settings is not None else ()
    devices = named_apart(found, known)
    if skipped := sum(bool(device.channels) for device in found) - len(devices):
        notes.append(f"{skipped} devices are in gateway.toml already")
    return Discovery(devices, notes)


def append(state: StateFolder, discovery: Discovery) -> None:
    """Add the devices to gateway.toml, if the whole is a good file then. ConfigurationError otherwise."""
    text = state.settings.read_text(encoding="utf-8")
    whole = f"{text.rstrip()}\n\n{discovery.text()}"
    try:
        parse_settings(whole).document()
    except ValueError as wrong:
        raise ConfigurationError(
            f"with the new devices the file would not be good: {wrong}", file=str(state.settings)
        ) from wrong
    replace_file(state.settings, whole.encode())


def _places(wish: Wish, clock: Clock) -> Iterable[tuple[str, Callable[[], Sequence[ProposedDevice]]]]:
    if wish.mqtt is not None:
        yield f"broker {wish.mqtt[0]}:{wish.mqtt[1]}", lambda: _broker(wish, clock)
    if wish.modbus is not None:
        yield f"modbus {wish.modbus[0]}:{wish.modbus[1]}", lambda: _modbus(wish)
    if wish.serial is not None:
        yield f"serial {wish.serial}", lambda: _serial(wish, clock)
    if wish.w1 is not None:
        yield f"files {wish.w1}", lambda: _kernel(wish)
    if wish.bacnet is not None:
        yield f"bacnet {wish.bacnet or 'on the local network'}", lambda: _bacnet(wish)


def _broker(wish: Wish, clock: Clock) -> list[ProposedDevice]:
    from edge_agent.discovery.broker import listen
    from edge_agent.discovery.broker_families import propose_from_broker

    assert wish.mqtt is not None
    host, port = wish.mqtt
    heard = listen(host, port, clock, wish.wait_s, wish.username, wish.password)
    own = {"host": host, "port": port, "username": wish.username, "password": wish.password}
    return propose_from_broker(heard, {key: value for key, value in own.items() if value is not None})


def _modbus(wish: Wish) -> list[ProposedDevice]:
    from edge_agent.discovery.modbus import scan_tcp

    assert wish.modbus is not None
    return scan_tcp(*wish.modbus, wish.units)


def _serial(wish: Wish, clock: Clock) -> list[ProposedDevice]:
    """Microcontrollers speak by themselves; if none does, Modbus units are asked."""
    from edge_agent.discovery.line import listen_line
    from edge_agent.discovery.modbus import scan_serial

    assert wish.serial is not None
    return listen_line(wish.serial, clock, wish.wait_s) or scan_serial(wish.serial, wish.units)


def _kernel(wish: Wish) -> list[ProposedDevice]:
    from edge_agent.discovery.kernel import scan_kernel

    assert wish.w1 is not None
    return scan_kernel(wish.w1)


def _bacnet(wish: Wish) -> list[ProposedDevice]:
    from edge_agent.discovery.bacnet import scan_bacnet

    return scan_bacnet(wish.bacnet or None, wish.bacnet_local, wish.wait_s)
