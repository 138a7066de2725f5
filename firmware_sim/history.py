"""Days before the run, from the same models: calm, at a slow period, as CSV for `lastmile-edge import`."""

from __future__ import annotations

import csv
import io

import numpy as np

from firmware_sim.device import Probe
from firmware_sim.document import channel_name
from firmware_sim.plan import Plan


def history_csv(plan: Plan, gateway: str, days: float, period_s: float) -> str:
    """CSV text: `time` (ns UTC) and one column a channel, ending one period before the plan was made.

    Counters are not in it: what was never told has no number.
    """
    end_s = plan.planned_at_ns / 1e9
    steps = int(days * 86_400 / period_s)
    first = np.floor(end_s / period_s) * period_s - steps * period_s
    at_s = first + period_s * np.arange(steps)
    columns = {
        channel_name(device.name, probe.channel.name): _texts(probe, at_s, period_s)
        for device in plan.street(end_s).devices(gateway)
        for probe in device.probes
    }
    return _text(at_s, columns)


def _texts(probe: Probe, at_s: np.ndarray, period_s: float) -> list[str]:
    decimals = max(0, -int(np.floor(np.log10(probe.channel.step) + 1e-9)))
    return [f"{value:.{decimals}f}" for value in probe.history(at_s, period_s)]


def _text(at_s: np.ndarray, columns: dict[str, list[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["time", *columns])
    times = [str(round(t) * 1_000_000_000) for t in at_s]
    writer.writerows(zip(times, *columns.values(), strict=True))
    return out.getvalue()
