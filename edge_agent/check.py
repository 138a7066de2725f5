"""What `lastmile-edge check` does: the file first, then, if asked, the devices themselves."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edge_agent.settings import Settings
from edge_agent.state import StateBusyError, StateFolder
from models.clock import EARLIEST_NS, SECOND_NS, SystemClock
from models.errors import ConfigurationError

if TYPE_CHECKING:
    from edge_agent.probe import DeviceFound

WAIT_S = 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """--probe, --wait and --in-force."""
    parser.add_argument(
        "--in-force", action="store_true", help="try the document the cloud has sent as well, if there is one"
    )
    parser.add_argument(
        "--probe",
        action="store_true",
        help="open each device, read it once, say what answers and what does not",
    )
    parser.add_argument(
        "--wait",
        type=seconds,
        default=WAIT_S,
        metavar="S",
        help="how long to wait for devices that speak by themselves",
    )


def check_in_force(state: StateFolder, settings: Settings) -> None:
    """Whether this program can work by the document in force; ConfigurationError says why not.

    Each monitor judges two readings, so that the machine code for all of it is there before it is needed.
    """
    import numpy as np

    from edge_agent.channels import entries_of
    from edge_agent.judge.seats import make_seats
    from edge_agent.obedience import DesiredStore, check_devices, pinned_keys
    from models.readings import ReadingBlock
    from models.replay import drive
    from models.wire.columns import encode_columns

    desired = DesiredStore(state).load(pinned_keys(state), settings.gateway.id)
    if desired is None and state.desired.exists():
        raise ConfigurationError("the document in force cannot be used", file=str(state.desired))
    document = desired.document if desired is not None else settings.document()
    check_devices(document, SystemClock())
    channels = {e.name: e.model_copy(update={"number": n}) for n, e in enumerate(entries_of(document), 1)}
    seats = make_seats(
        document.monitors, channels, gateway=settings.gateway.id, config_version=0, code_version=""
    )
    numbers = [entry.number for entry in channels.values()]
    times = [EARLIEST_NS] * len(numbers) + [EARLIEST_NS + SECOND_NS] * len(numbers)
    block = ReadingBlock.of(numbers * 2, times, [1.0] * len(times))
    for seat in seats:
        drive([seat.monitor], block)
        seat.monitor.advance(EARLIEST_NS + 2 * SECOND_NS)
    encode_columns(block, np.zeros(len(numbers) + 1))


def probe(
    state: StateFolder, settings: Settings, wait_s: float
) -> tuple[list[dict[str, Any]], list[str], bool]:
    """What the devices of gateway.toml gave: for machines, for people, and whether all is well."""
    from edge_agent.probe import probe_devices  # dear to load, and no other command needs it

    found = probe_devices(settings.devices, settings.limits, SystemClock(), wait_s)
    return [device.as_json() for device in found], _words(state, found), all(each.is_well for each in found)


def seconds(text: str) -> float:
    """A time span from the command line."""
    value = float(text)
    if not math.isfinite(value) or not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("seconds, above 0, at most 3600")
    return value


def _words(state: StateFolder, found: Sequence[DeviceFound]) -> list[str]:
    from edge_agent.probe import words_of

    lines = [line for device in found for line in words_of(device)]
    well = sum(device.is_well for device in found)
    lines.append(f"{well} of {len(found)} devices are in order")
    if well < len(found) and _agent_runs(state):
        lines.append("the agent is running and may hold serial lines and ports that a probe cannot have too")
    return lines


def _agent_runs(state: StateFolder) -> bool:
    try:
        state.lock().release()
    except StateBusyError:
        return True
    except OSError:
        return False
    return False
