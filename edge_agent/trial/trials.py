"""The trial in course: begun before its document is applied, counted over restarts, ended by a verdict."""

from __future__ import annotations

import logging

from edge_agent.trial.record import Condemned, Course, TrialRecord, TrialStore
from edge_agent.trial.verdict import Before, Bounds, Now, Verdict, judge_trial
from models.clock import SECOND_NS, Clock

log = logging.getLogger(__name__)
_SAVED_EVERY_S = 5.0


class Trials:
    """Keeps trial.json. Nothing here touches devices or monitors: whoever asks does as it says."""

    def __init__(self, store: TrialStore, bounds: Bounds, clock: Clock) -> None:
        self._store, self._bounds, self._clock = store, bounds, clock
        self._record = store.load()
        self._earlier: Course | None = None
        self._is_running = False
        self._from_ns = clock.monotonic_ns()
        self._carried_s = self._saved_s = self._record.course.elapsed_s if self._record.course else 0.0

    @property
    def course(self) -> Course | None:
        """The trial that is under way, if its document is in force."""
        return self._record.course if self._is_running else None

    @property
    def condemned(self) -> Condemned | None:
        return self._record.condemned

    @property
    def began_ns(self) -> int:
        """Monotonic time since which this process has run the document on trial."""
        return self._from_ns

    def start(self, version: int) -> str | None:
        """This process begins, and desired.json holds `version`.

        Returns the document to go back to (see `Course.last_good`) when the program ended once too often
        without a stop, else None. A start after a crash gives the trial half of its time again.
        """
        course, condemned = self._record.course, self._record.condemned
        if course is None:
            return None
        if condemned is not None and condemned.version == course.version:
            return course.last_good  # it ended on the way back
        course = self._started(course)
        self._is_running = course.version == version
        # What was killed before it came into force is offered again, and counted again only then.
        self._save(course.model_copy(update={"was_stopped": not self._is_running}))
        self._carried_s = self._saved_s = course.elapsed_s
        self._from_ns = self._clock.monotonic_ns()
        verdict = judge_trial(course.before, Now(0.0, crashes=course.crashes), self._bounds)
        return self.condemn(verdict) if verdict is not None else None

    def _started(self, course: Course) -> Course:
        if course.was_stopped:
            return course
        left = min(course.elapsed_s, self._bounds.trial_s / 2)
        crashes = course.crashes + 1
        log.warning("configuration version %d is on trial, and the program ended without a stop: %d of %d",
                    course.version, crashes, self._bounds.crashes)  # fmt: skip
        return course.model_copy(update={"crashes": crashes, "elapsed_s": left})

    def begin(self, version: int, last_good: str, before: Before) -> None:
        """Note durably that `version` is on trial from now on. A trial under way hands on what was good."""
        self._earlier = known = self._record.course
        if known is not None:
            last_good, before = known.last_good, known.before
        crashes = known.crashes if known is not None and known.version == version else 0
        self._save(Course(version=version, last_good=last_good, before=before, crashes=crashes))
        self._carried_s = self._saved_s = 0.0
        self._from_ns = self._clock.monotonic_ns()
        self._is_running = True

    def withdraw(self, version: int) -> None:
        """The document could not be applied: what was before stands, a trial under way included."""
        self._save(self._earlier if self._earlier and self._earlier.version != version else None)
        self._carried_s = self._earlier.elapsed_s if self._earlier else 0.0
        self._is_running = self._record.course is not None

    def elapsed_s(self) -> float:
        return self._carried_s + (self._clock.monotonic_ns() - self._from_ns) / SECOND_NS

    def step(self, now: Now) -> Verdict | None:
        """Judge the trial under way; None while there is nothing to decide."""
        course = self.course
        if course is None:
            return None
        if now.elapsed_s - self._saved_s >= _SAVED_EVERY_S:
            self._saved_s = now.elapsed_s
            self._save(course.model_copy(update={"elapsed_s": now.elapsed_s}))
        return judge_trial(course.before, now, self._bounds)

    def confirm(self) -> None:
        """The document on trial is the last good one now."""
        self._save(None)
        self._is_running = False

    def condemn(self, verdict: Verdict) -> str:
        """The document on trial is never to be applied again; returns the one to go back to."""
        course = self._record.course
        assert course is not None
        log.error("configuration version %d is reverted: %s %s",
                  course.version, verdict.reason, verdict.parameters)  # fmt: skip
        condemned = Condemned(version=course.version, reason=verdict.reason, parameters=verdict.parameters)
        self._record = TrialRecord(course=course, condemned=condemned)
        self._store.save(self._record)
        return course.last_good

    def went_back(self) -> None:
        """The last good document lies in desired.json again."""
        self._save(None)
        self._is_running = False

    def stopped(self) -> None:
        """The program ends as it was told to."""
        course = self._record.course
        if course is not None:
            elapsed = self.elapsed_s() if self._is_running else course.elapsed_s
            self._save(course.model_copy(update={"was_stopped": True, "elapsed_s": elapsed}))

    def _save(self, course: Course | None) -> None:
        self._record = self._record.model_copy(update={"course": course})
        self._store.save(self._record)
