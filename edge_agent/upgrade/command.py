"""lastmile-edge upgrade: a bundle at hand, an order of the cloud, or the way back."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

from edge_agent.settings import Limits, load_settings
from edge_agent.state import StateFolder
from edge_agent.trial.verdict import Bounds
from edge_agent.upgrade.errors import UpgradeError
from edge_agent.upgrade.fetch import fetch
from edge_agent.upgrade.journal import UpgradeOutcome, remove
from edge_agent.upgrade.order import UpgradeOrder, order_file, pending_order
from edge_agent.upgrade.releases import Releases
from edge_agent.upgrade.upgrade import Upgrade, Wishes, describe
from edge_agent.upgrade.watch import Window
from models.clock import Clock, SystemClock

log = logging.getLogger(__name__)


def upgrade(chosen: argparse.Namespace, state: StateFolder) -> tuple[dict[str, object], list[str], int]:
    """What came of it: for machines, for people, and the exit code: 0 in force, 1 not."""
    releases = Releases(chosen.prefix)
    if chosen.show:
        told = describe(releases, state.root)
        return told, [f"{key}: {value}" for key, value in told.items()], 0
    clock = SystemClock()
    doing = Upgrade(releases, state.root, clock, _window(chosen, _limits(state)))
    if chosen.pending:
        return _pending(doing, state, clock)
    if chosen.back:
        return _say(doing.back(chosen.back), is_wanted="returned")
    wishes = Wishes(again=chosen.again, older=chosen.older, is_offline=chosen.offline)
    return _say(_or_refused(doing, "", lambda: doing.install(chosen.bundle, wishes)))


def _pending(doing: Upgrade, state: StateFolder, clock: Clock) -> tuple[dict[str, object], list[str], int]:
    resumed = doing.resume()
    order = pending_order(state.root)
    if resumed is not None:
        remove(order_file(state.root))
        return _say(resumed)
    if order is None:
        return {"pending": False}, ["nothing is ordered"], 0
    path = state.root / "upgrade" / "ordered.bundle"
    wishes = Wishes(again=order.again, older=order.older)

    def bring() -> UpgradeOutcome:
        _fetch(order, path, state, clock)
        return doing.install(path, wishes)

    # An order is done once, whatever comes of it; only a power cut leaves it to be gone on with.
    try:
        return _say(_or_refused(doing, order.version, bring))
    finally:
        remove(order_file(state.root))
        path.unlink(missing_ok=True)


def _fetch(order: UpgradeOrder, path: Path, state: StateFolder, clock: Clock) -> None:
    Releases(state.root).check_space(order.size)
    url = urljoin(load_settings(state.settings).uplink.cloud.rstrip("/") + "/", order.url)
    log.info("upgrade: fetching %s", url)
    fetch(url, path, size=order.size, sha256=order.sha256, authority=state.ca, sleep=clock.sleep)


def _or_refused(doing: Upgrade, version: str, install: Callable[[], UpgradeOutcome]) -> UpgradeOutcome:
    try:
        return install()
    except UpgradeError as wrong:
        return doing.refused(version, wrong)


def _say(outcome: UpgradeOutcome, is_wanted: str = "confirmed") -> tuple[dict[str, object], list[str], int]:
    told = outcome.model_dump(mode="json")
    why = f" ({outcome.reason}{': ' + outcome.detail if outcome.detail else ''})" if outcome.reason else ""
    line = {
        "confirmed": f"{outcome.version} is in force",
        "returned": f"{outcome.version} was left, {outcome.earlier} is in force again{why}",
        "refused": f"nothing was changed{why}",
    }[outcome.outcome]
    return told, [line], 0 if outcome.outcome == is_wanted else 1


def _limits(state: StateFolder) -> Limits:
    return load_settings(state.settings).limits


def _window(chosen: argparse.Namespace, limits: Limits) -> Window:
    bounds = Bounds(
        trial_s=chosen.window,
        crashes=limits.trial_crashes,
        onsets=limits.trial_onsets,
        cpu_percent=limits.trial_cpu_percent,
        memory_mb=limits.trial_memory_mb,
    )
    window = Window(bounds)
    wished = {"start_s": chosen.start, "stale_s": chosen.stale}
    return replace(window, **{key: value for key, value in wished.items() if value is not None})
