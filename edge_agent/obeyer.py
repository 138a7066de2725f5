"""Obeys desired documents: applies them on trial, confirms or reverts them, and says what became of each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edge_agent.devices import Devices
from edge_agent.obedience import (
    DesiredStore,
    InForce,
    Offer,
    check_devices,
    fitting_key,
    pinned_keys,
    read_offer,
)
from edge_agent.pipeline import Pipeline, configuration_in_force, exempt_monitors
from edge_agent.status import resident_mb
from edge_agent.trial.load import Load, Sample, processor_s
from edge_agent.trial.pulse import BEFORE_S, Pulse
from edge_agent.trial.record import Condemned
from edge_agent.trial.trials import Trials
from edge_agent.trial.verdict import Before, Now, Verdict
from models.clock import Clock
from models.errors import LastmileError
from models.wire.messages import Reported, ReportedState, SignedDocument, TrialPhase

log = logging.getLogger(__name__)
_OFFERS = 8


class Obeyer:
    """Documents are offered from any thread and obeyed in `step`, once a second."""

    def __init__(
        self,
        pipeline: Pipeline,
        devices: Devices,
        trials: Trials,
        pulse: Pulse,
        report: Callable[[Reported], None],
    ) -> None:
        self._pipeline, self._devices, self._trials, self._pulse = pipeline, devices, trials, pulse
        self._report = report
        self._clock: Clock = pipeline.clock
        self._store = DesiredStore(pipeline.state)
        self._load = Load()
        self._offers: list[bytes] = []
        self._lock = threading.Lock()
        self._onsets_then = self._failed_then = self._spooled = 0
        self.in_force = pipeline.in_force
        if trials.course is None:
            pipeline.judge.drop_aside()

    def offered(self, raw: bytes) -> None:
        """A document came; of many in one second the last eight count."""
        with self._lock:
            self._offers = [*self._offers[1 - _OFFERS :], raw]

    def step(self) -> None:
        """Measure, obey what was offered, judge the trial under way."""
        self._load.add(self._sample())
        with self._lock:
            offers, self._offers = self._offers, []
        for raw in offers:
            self._obey(raw)
        if self._trials.course is None:
            return  # most of the time: nothing to measure by
        verdict = self._trials.step(self._now())
        if verdict is not None:
            self._end_trial(verdict)

    def standing(self) -> Reported:
        """What is in force and how far it has come; after a start, what was reverted at it."""
        condemned = self._trials.condemned
        if (
            self._trials.course is None
            and condemned is not None
            and condemned.version > self.in_force.version
        ):
            return self._reverted(condemned)
        return self._applied()

    # ---- an offer

    def _obey(self, raw: bytes) -> None:
        pipeline = self._pipeline
        offer = read_offer(
            raw,
            key=fitting_key(raw, pinned_keys(pipeline.state)),
            gateway=pipeline.settings.gateway.id,
            in_force=self.in_force.version,
            in_force_text=self.in_force.text,
            now_ns=self._clock.wall_ns(),
        )
        if offer.is_repeated:
            # The same words under another key: the old one may be forgotten then.
            if raw.decode() != self._store.raw():
                self._store.save(raw)
            return
        condemned = self._trials.condemned
        if offer.document is not None and condemned is not None and offer.version <= condemned.version:
            self._refuse_condemned(offer, condemned)
        elif offer.document is None:
            self._refuse(offer)
        else:
            text = SignedDocument.model_validate_json(raw).document
            self._try(InForce(offer.document, offer.version, text), raw)

    def _try(self, wished: InForce, raw: bytes) -> None:
        """On trial durably first: what kills the program from here on is counted against the document."""
        if self._trials.course is None:
            self._pipeline.judge.set_aside()
        self._trials.begin(wished.version, self._store.raw(), self._before())
        try:
            check_devices(wished.document, self._clock)
            self._apply(wished, lambda: self._store.save(raw))
        except LastmileError as wrong:
            self._trials.withdraw(wished.version)
            if self._trials.course is None:
                self._pipeline.judge.drop_aside()
            self._refuse(Offer(None, "unusable", str(wrong), wished.version))
            return
        log.info("configuration version %d is in force, on trial", wished.version)
        self._report(self._applied())

    def _apply(self, wished: InForce, store: Callable[[], None]) -> None:
        """Make everything that can fail, store the document, then change what differs."""
        pipeline = self._pipeline
        channels = pipeline.book.take(wished.document)
        seats = pipeline.seats(wished, channels)
        store()
        self.in_force = wished
        self._devices.change(wished.document.devices)
        pipeline.judge.change(seats, exempt_monitors(wished.document))
        self._onsets_then, self._failed_then = pipeline.judge.onsets, len(pipeline.judge.failed)

    # ---- the trial

    def _before(self) -> Before:
        names = {entry.number: name for name, entry in self._pipeline.book.by_name.items()}
        return Before(
            onsets=self._load.onsets(BEFORE_S),
            firing=len(self._pipeline.judge.firing),
            cpu_share=self._load.cpu_share(BEFORE_S),
            memory_mb=self._load.latest.memory_mb,
            gaps={names[number]: gap for number, gap in self._pulse.gaps().items() if number in names},
        )

    def _now(self) -> Now:
        judge, numbers = self._pipeline.judge, self._pipeline.book.by_name
        watched = {numbers[name].number: name for name in self.in_force.document.channel_names()}
        quiet = self._pulse.quiet(watched, self._trials.began_ns)
        # What was read a second ago ought to be judged by now.
        spooled, self._spooled = self._spooled, self._pipeline.spool.end
        return Now(
            elapsed_s=self._trials.elapsed_s(),
            onsets=judge.onsets - self._onsets_then,
            cpu_share=self._load.cpu_share(self._pipeline.settings.limits.trial_s / 3),
            memory_mb=self._load.latest.memory_mb,
            quiet={watched[number]: quiet_s for number, quiet_s in quiet.items()},
            failed=tuple(judge.failed[self._failed_then :]),
            is_behind=judge.position < spooled,
        )

    def _end_trial(self, verdict: Verdict) -> None:
        if verdict.is_good:
            self._trials.confirm()
            self._pipeline.judge.drop_aside()
            log.info("configuration version %d is confirmed", self.in_force.version)
            self._report(self._applied())
            return
        last_good = self._trials.condemn(verdict)
        self._store.put_back(last_good)
        self._trials.went_back()
        pipeline = self._pipeline
        self._apply(configuration_in_force(pipeline.state, pipeline.settings), lambda: None)
        pipeline.judge.drop_aside()
        self._report(self.standing())

    # ---- what is said

    def _sample(self) -> Sample:
        return Sample(self._clock.monotonic_ns(), processor_s(), resident_mb(), self._pipeline.judge.onsets)

    def _refuse(self, offer: Offer) -> None:
        log.warning("a desired document was refused (%s): %s", offer.reason, offer.detail)
        said = self._reported(ReportedState.REFUSED, offer.version)
        self._report(said.model_copy(update={"reason": offer.reason, "detail": offer.detail[:500]}))

    def _refuse_condemned(self, offer: Offer, condemned: Condemned) -> None:
        if offer.version == condemned.version:
            log.warning("version %d was reverted and is not applied again", offer.version)
            self._report(self._reverted(condemned))
        else:
            known = f"version {offer.version}, known is {condemned.version}"
            self._refuse(Offer(None, "version", known, offer.version))

    def _applied(self) -> Reported:
        said = self._reported(ReportedState.APPLIED, self.in_force.version)
        if not self.in_force.version:
            return said
        phase = TrialPhase.TRIAL if self._trials.course is not None else TrialPhase.CONFIRMED
        return said.model_copy(update={"phase": phase})

    def _reverted(self, condemned: Condemned) -> Reported:
        said = self._reported(ReportedState.REFUSED, condemned.version)
        told = {"reason": condemned.reason, "parameters": condemned.parameters}
        return said.model_copy(update={**told, "phase": TrialPhase.REVERTED})

    def _reported(self, state: ReportedState, offered: int) -> Reported:
        return Reported(
            version=self.in_force.version, offered=offered, state=state, sent_at=self._clock.wall_ns()
        )
