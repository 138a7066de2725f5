"""An upgrade from bundle to verdict: check, stage, try beside, switch, watch, keep or go back."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from edge_agent.trial.verdict import Before, Verdict
from edge_agent.upgrade.agents import agents_of, end
from edge_agent.upgrade.bundle import open_bundle
from edge_agent.upgrade.errors import UpgradeError
from edge_agent.upgrade.journal import UpgradeCourse, UpgradeOutcome, last_file, load, remove, save
from edge_agent.upgrade.manifest import Manifest, rank
from edge_agent.upgrade.releases import CURRENT, STEADY, Releases
from edge_agent.upgrade.signature import check_signature
from edge_agent.upgrade.signs import Signs, read_signs
from edge_agent.upgrade.stage import stage
from edge_agent.upgrade.watch import Watch, Window, wait_for_verdict
from models.clock import Clock

log = logging.getLogger(__name__)
ATTEMPTS = 3
_PREFLIGHT_S = 900.0
_BACK_S = 120.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """`is_offline`: nothing runs to be watched; switch and believe. `again`: also what was left before."""

    again: bool = False
    older: bool = False
    is_offline: bool = False


class Upgrade:
    """One gateway's releases and the state they share. One process at a time."""

    def __init__(self, releases: Releases, state: Path, clock: Clock, window: Window) -> None:
        self._releases, self._state, self._clock, self._window = releases, state, clock, window
        self._last = last_file(state)
        self._aside = state / "snapshots" / "before-upgrade.snap"

    def install(self, path: Path, wishes: Wishes) -> UpgradeOutcome:
        """Bring the bundle into force, or go back. UpgradeError: refused, nothing was switched."""
        with self._releases.held():
            self._settle()
            earlier = self._releases.at(CURRENT)
            if not wishes.is_offline and not self._agents(earlier):
                raise UpgradeError("not_running", "no agent runs to be watched; start it, or say --offline")
            manifest = self._stage(path, earlier, wishes)
            self._preflight(manifest.version)
            if wishes.is_offline:
                self._releases.point(CURRENT, manifest.version)
                return self._confirm(manifest.version, earlier)
            self._begin(manifest.version, earlier)
            return self._try()

    def resume(self) -> UpgradeOutcome | None:
        """Go on with a trial that a power cut or a kill ended; None when there was none."""
        with self._releases.held():
            return self._settle()

    def back(self, version: str) -> UpgradeOutcome:
        """By hand: run an installed release again. UpgradeError `version` when it is not there."""
        with self._releases.held():
            self._settle()
            if version not in self._releases.complete():
                known = ", ".join(self._releases.complete())
                raise UpgradeError("version", f"{version} is not installed; there are: {known}")
            earlier = self._releases.at(CURRENT)
            self._switch(earlier, version)
            self._releases.point(STEADY, version)
            return self._told("returned", earlier, version, reason="by_hand")

    def refused(self, version: str, wrong: UpgradeError) -> UpgradeOutcome:
        """Note for the cloud that nothing was changed, and why."""
        earlier = self._releases.at(CURRENT)
        return self._told("refused", version, earlier, reason=wrong.reason, detail=str(wrong)[:500])

    # ---- before the switch

    def _stage(self, path: Path, earlier: str, wishes: Wishes) -> Manifest:
        with open_bundle(path) as bundle:
            check_signature(bundle.manifest_bytes, bundle.signature, self._releases.key)
            manifest = bundle.manifest()
            self._check_version(manifest.version, earlier, wishes)
            log.info("upgrade: %s is signed; making it ready beside %s", manifest.version, earlier)
            self._releases.remove_unused()
            return stage(bundle, self._releases)

    def _check_version(self, version: str, earlier: str, wishes: Wishes) -> None:
        last = load(self._last, UpgradeOutcome)
        if version == earlier:
            raise UpgradeError("version", f"{version} is what runs")
        if earlier and rank(version) < rank(earlier) and not wishes.older:
            raise UpgradeError("version", f"{version} is older than {earlier}; --older takes it all the same")
        if last and last.outcome == "returned" and last.version == version and not wishes.again:
            raise UpgradeError("returned", f"{version} was left before ({last.reason}); --again tries it")

    def _preflight(self, version: str) -> None:
        """The new code reads this state, and compiles what it will need; the old one goes on meanwhile."""
        program = self._releases.folder(version) / "bin" / "lastmile-edge"
        log.info("upgrade: trying %s beside what runs", version)
        try:
            _run([str(program), "check", "--in-force", "--state", str(self._state)])
        except UpgradeError:
            shutil.rmtree(self._releases.folder(version), ignore_errors=True)
            raise

    # ---- the switch and the trial

    def _begin(self, version: str, earlier: str) -> None:
        signs = read_signs(self._state / "status.json")
        if signs is None or not self._agents(earlier):
            raise UpgradeError("not_running", "the agent has ended meanwhile, or has not told of itself")
        self._set_learned_aside()
        course = UpgradeCourse(
            version=version,
            earlier=earlier,
            before=signs.before() if signs.is_running else Before(),
            wants_receipt=signs.has_receipts,
            since_at=self._clock.wall_ns(),
        )
        save(self._releases.journal, course)
        self._switch(earlier, version)

    def _settle(self) -> UpgradeOutcome | None:
        """Finish what an earlier process began."""
        course = load(self._releases.journal, UpgradeCourse)
        if course is None:
            remove(self._releases.journal)
            return None
        if course.attempts >= ATTEMPTS:
            return self._return(course, Verdict(False, "interrupted", {"attempts": course.attempts}))
        save(self._releases.journal, course.model_copy(update={"attempts": course.attempts + 1}))
        if self._releases.at(CURRENT) != course.version:
            self._switch(course.earlier, course.version)
        return self._try()

    def _try(self) -> UpgradeOutcome:
        course = load(self._releases.journal, UpgradeCourse)
        assert course is not None
        log.info("upgrade: %s is in force, on trial for %.0f s", course.version, self._window.bounds.trial_s)
        watch = Watch(
            self._window,
            course.version,
            course.before,
            wants_receipt=course.wants_receipt,
            since_at=course.since_at,
            since_ns=self._clock.monotonic_ns(),
            crashes=course.crashes,
        )

        def look() -> tuple[Signs | None, Collection[int]]:
            return self._signs(), self._agents(course.version)

        verdict = wait_for_verdict(
            watch, look, self._clock.monotonic_ns, self._clock.sleep, self._keep_crashes(course)
        )
        if not verdict.is_good:
            return self._return(course, verdict)
        return self._confirm(course.version, course.earlier)

    def _keep_crashes(self, course: UpgradeCourse) -> Callable[[int], None]:
        def keep(crashes: int) -> None:
            log.warning("upgrade: %s has ended by itself, %d times", course.version, crashes)
            save(self._releases.journal, course.model_copy(update={"crashes": crashes}))

        return keep

    def _confirm(self, version: str, earlier: str) -> UpgradeOutcome:
        self._releases.point(STEADY, version)
        told = self._told("confirmed", version, earlier)
        remove(self._releases.journal)
        self._aside.unlink(missing_ok=True)
        log.info("upgrade: %s is confirmed", version)
        return told

    def _return(self, course: UpgradeCourse, verdict: Verdict) -> UpgradeOutcome:
        log.error("upgrade: going back to %s: %s %s", course.earlier, verdict.reason, verdict.parameters)
        told = self._told(
            "returned", course.version, course.earlier, reason=verdict.reason, parameters=verdict.parameters
        )
        self._switch(course.version, course.earlier)
        remove(self._releases.journal)
        self._wait_for(course.earlier)
        self._aside.unlink(missing_ok=True)
        return told

    def _switch(self, old: str, new: str) -> None:
        """Point to the new one first: whatever ends the old program, the next start is of the new."""
        self._releases.point(CURRENT, new)
        end(self._agents(old))

    def _wait_for(self, version: str) -> None:
        """Until the release that is in force again tells of itself; it is not judged any more."""
        until = self._clock.monotonic_ns() + round(_BACK_S * 1e9)
        while self._clock.monotonic_ns() < until:
            signs = self._signs()
            if signs is not None and signs.version == version and signs.is_running:
                return
            self._clock.sleep(0.5)
        log.error("upgrade: %s has not told of itself after the return; look at its log", version)

    # ---- what is seen and told

    def _agents(self, version: str) -> list[int]:
        return agents_of(self._releases.folder(version), self._state)

    def _signs(self) -> Signs | None:
        return read_signs(self._state / "status.json")

    def _set_learned_aside(self) -> None:
        """What the monitors know, should the next release write it in a form that this one cannot read."""
        newest = self._state / "snapshots" / "monitors.snap"
        if newest.exists():
            shutil.copyfile(newest, self._aside)

    def _told(self, outcome: str, version: str, earlier: str, **more: object) -> UpgradeOutcome:
        told = UpgradeOutcome.model_validate(
            {"outcome": outcome, "version": version, "earlier": earlier, "at": self._clock.wall_ns(), **more}
        )
        save(self._last, told)
        return told


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PREFLIGHT_S, check=False)
    except subprocess.TimeoutExpired as late:
        raise UpgradeError("preflight", f"{command[0]} was not done after {_PREFLIGHT_S:.0f} s") from late
    except OSError as wrong:
        raise UpgradeError("preflight", str(wrong)) from wrong
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise UpgradeError("preflight", words[-1][:400] if words else f"exit {done.returncode}")


def describe(releases: Releases, state: Path) -> dict[str, object]:
    """What is installed, in force, and how the last upgrade ended."""
    last = load(last_file(state), UpgradeOutcome)
    course = load(releases.journal, UpgradeCourse)
    return {
        "current": releases.at(CURRENT),
        "steady": releases.at(STEADY),
        "installed": releases.complete(),
        "on_trial": course.version if course else None,
        "last": json.loads(last.model_dump_json()) if last else None,
    }
