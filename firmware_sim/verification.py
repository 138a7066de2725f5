"""The ledger against the store: was everything that surely arrived kept, once, and as it was told?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from firmware_sim.cloud_api import CloudApi
from firmware_sim.device_types import ChannelType
from firmware_sim.document import channel_name
from firmware_sim.errors import ApiError
from firmware_sim.ledger import DeviceLedger, Told, read_ledger
from firmware_sim.plan import Plan
from firmware_sim.scenario import DeviceSpec

PAGE = 20_000
MOST_EXAMPLES = 12
# Clocks of gateways may stand a little beside ours.
SLACK_NS = 3_600_000_000_000
Series = dict[int, list[float]]


@dataclass
class Comparison:
    """What was found; `examples` names the first things that are not as they should be."""

    told: int = 0
    sure: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return self.lost == self.duplicated == self.wrong == 0

    def note(self, text: str) -> None:
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(text)

    def content(self) -> dict[str, Any]:
        return asdict(self)


def stored_value(channel: ChannelType, raw: float) -> float:
    """What the store must hold for a raw number: scaled, then rounded to whole steps of the resolution.

    The written rule of the readings: a resolution whose inverse is whole divides, any other multiplies.
    """
    steps = float(round(raw * channel.scale / channel.step))
    inverse = round(1.0 / channel.step)
    if inverse >= 1 and abs(inverse * channel.step - 1.0) < 1e-9:
        return steps / inverse
    return steps * channel.step


class Store:
    """The raw series of one gateway, read page by page."""

    def __init__(self, api: CloudApi, gateway: str, start_ns: int, end_ns: int) -> None:
        self._api, self._gateway = api, gateway
        self._start, self._end = _iso(start_ns), _iso(end_ns)

    def series(self, channel: str) -> Series:
        """Values by time in ns; a time met twice holds two. Empty for an unknown channel."""
        found: Series = {}
        after: Any = None
        while True:
            try:
                page = self._page(channel, after)
            except ApiError as error:
                if error.status == 404:
                    return found
                raise
            for time_ns, value in zip(page["times_ns"], page["values"], strict=True):
                found.setdefault(int(time_ns), []).append(math.nan if value is None else float(value))
            after = page.get("next")
            if after is None:
                return found

    def _page(self, channel: str, after: Any) -> dict[str, Any]:
        query = {"gateway": self._gateway, "channel": channel, "start": self._start, "end": self._end}
        page: dict[str, Any] = self._api.get("/series/raw", **query, after=after, limit=PAGE)
        return page


def _iso(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat().replace("+00:00", "Z")


def compare_device(
    spec: DeviceSpec,
    channels: tuple[ChannelType, ...],
    ledger: DeviceLedger,
    store: Store,
    result: Comparison,
) -> None:
    """Add what is found about one device to `result`."""
    at: dict[int, list[int]] = {}
    for time_ns, numbers in store.series(channel_name(spec.name, "counter")).items():
        for number in numbers:
            at.setdefault(int(number), []).append(time_ns)
    told = ledger.told
    result.told += len(told)
    result.sure += sum(sample.is_sure for sample in told.values())
    result.stored += sum(map(len, at.values()))
    for number, sample in told.items():
        if sample.is_sure and number not in at:
            result.lost += 1
            result.note(f"{spec.name}: number {number} told at {_iso(sample.at_ns)} is lost")
    for number, times in at.items():
        if number not in told:
            result.wrong += 1
            result.note(f"{spec.name}: number {number} is stored and was never told")
        if len(times) > 1:
            result.duplicated += len(times) - 1
            result.note(f"{spec.name}: number {number} is stored {len(times)} times")
    for channel in channels:
        _compare_channel(spec, channel, told, at, store, result)


def _compare_channel(
    spec: DeviceSpec,
    channel: ChannelType,
    told: dict[int, Told],
    at: dict[int, list[int]],
    store: Store,
    result: Comparison,
) -> None:
    name = channel_name(spec.name, channel.name)
    series = store.series(name)
    for number, times in at.items():
        if number not in told:
            continue
        expected = stored_value(channel, told[number].raw[channel.name])
        for time_ns in set(times):
            values = series.pop(time_ns, [])
            if len(values) > times.count(time_ns):
                result.duplicated += len(values) - times.count(time_ns)
                result.note(f"{name}: {len(values)} values at {_iso(time_ns)}")
            if not values or any(abs(v - expected) > channel.step * 1e-6 for v in values):
                result.wrong += 1
                result.note(f"{name}: number {number} should be {expected}, is {values or 'missing'}")
    if series:
        result.wrong += len(series)
        result.note(f"{name}: {len(series)} values at times without a counter")


def compare(plan: Plan, api: CloudApi) -> Comparison:
    """The whole ledger of a plan against the store."""
    ledger = read_ledger(plan.ledger_file)
    result = Comparison()
    times = [sample.at_ns for device in ledger.values() for sample in device.told.values()]
    if not times:
        return result
    for gateway in plan.scenario.gateways:
        store = Store(api, gateway.id, _begin(plan, min(times)), max(times) + SLACK_NS)
        for spec in gateway.devices:
            if spec.name in ledger:
                channels = plan.scenario.type_of(spec).channels
                compare_device(spec, channels, ledger[spec.name], store, result)
    return result


def _begin(plan: Plan, first_ns: int) -> int:
    """Imported history ends where the plan was made; readings told begin after it."""
    return max(plan.planned_at_ns + 1, first_ns - SLACK_NS)


def missing_count(plan: Plan, api: CloudApi) -> int:
    """How many sure samples are not stored yet; asks for the counters alone."""
    ledger = read_ledger(plan.ledger_file)
    times = [sample.at_ns for device in ledger.values() for sample in device.told.values()]
    missing = 0
    for gateway in plan.scenario.gateways:
        for spec in (spec for spec in gateway.devices if spec.name in ledger):
            store = Store(api, gateway.id, _begin(plan, min(times)), max(times) + SLACK_NS)
            held = {
                int(v) for values in store.series(channel_name(spec.name, "counter")).values() for v in values
            }
            sure = {number for number, sample in ledger[spec.name].told.items() if sample.is_sure}
            missing += len(sure - held)
    return missing


def wait_until_caught_up(
    plan: Plan, api: CloudApi, wait_s: float, now_s: Callable[[], float], sleep: Callable[[float], None]
) -> bool:
    """Wait until nothing is missing, at most `wait_s`; whether it came to that."""
    deadline = now_s() + wait_s
    while missing_count(plan, api) > 0:
        if now_s() >= deadline:
            return False
        sleep(1.0)
    return True
