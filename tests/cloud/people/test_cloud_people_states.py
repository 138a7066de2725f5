"""Transition and decision functions, by property."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.dispatch import states as tasks
from cloud.dispatch.choice import Candidate, choose_first, choose_next
from cloud.dispatch.limits import HAZARD, Clock, limit_ns
from cloud.dispatch.outcome import CONSEQUENCES
from cloud.incidents import states as incidents
from cloud.incidents.severity import Claim, judge_severity
from cloud.incidents.timeline import CODES
from cloud.people.roles import MATRIX, Permission, Role
from cloud.web.security.throttle import LONGEST_S, wait_s
from models.alert import Severity
from models.outcome import Verdict

UNTIMED = settings(deadline=None, max_examples=60)
ORDER = list(tasks.TaskState)
candidates = st.lists(
    st.builds(Candidate, st.sampled_from("abcdef"), st.integers(0, 3), st.integers(0, 5)),
    unique_by=lambda one: one.account_id,
)
officers = st.one_of(st.none(), st.just("duty"))


@UNTIMED
@given(st.lists(st.sampled_from(tasks.TaskAct), max_size=30))
def test_task_never_goes_back_but_by_reassigning_and_never_reopens(acts: list[tasks.TaskAct]) -> None:
    state = tasks.TaskState.ISSUED
    for act in acts:
        after, reason = tasks.next_state(state, act)
        assert (after != state) == (reason == "moved") or act is tasks.TaskAct.REASSIGN
        if act is not tasks.TaskAct.REASSIGN:
            assert ORDER.index(after) >= ORDER.index(state)
        if state is tasks.TaskState.CLOSED:
            assert after is state
        if state not in tasks.LIVE:
            assert after not in tasks.LIVE
        state = after


@UNTIMED
@given(st.sampled_from(tasks.TaskState), st.sampled_from(tasks.TaskAct))
def test_repeating_a_step_changes_nothing(state: tasks.TaskState, act: tasks.TaskAct) -> None:
    once, _ = tasks.next_state(state, act)
    twice, reason = tasks.next_state(once, act)
    assert twice == once
    assert reason in ("same", "behind", "refused") or act is tasks.TaskAct.REASSIGN


@UNTIMED
@given(st.lists(st.sampled_from(incidents.IncidentAct), max_size=20))
def test_incident_leaves_resolved_by_reopening_alone(acts: list[incidents.IncidentAct]) -> None:
    state = incidents.IncidentState.OPEN
    for act in acts:
        after, reason = incidents.next_state(state, act)
        assert (after != state) == (reason == "moved")
        if state is incidents.IncidentState.RESOLVED and after != state:
            assert act is incidents.IncidentAct.REOPEN
        state = after


def test_incident_table_covers_every_state_and_act() -> None:
    for state in incidents.IncidentState:
        for act in incidents.IncidentAct:
            assert incidents.next_state(state, act)[1] in ("moved", "same", "refused")


claims = st.lists(st.builds(Claim, st.sampled_from("abc"), st.sampled_from(Severity)), max_size=6)


@UNTIMED
@given(st.sampled_from(Severity), claims)
def test_severity_never_falls_and_rises_at_most_a_step_above_the_claims(
    now: Severity, said: list[Claim]
) -> None:
    after, reason = judge_severity(now, said)
    assert after.rank >= now.rank
    assert (reason == "same") == (after == now)
    strongest = max((claim.severity.rank for claim in said), default=-1)
    assert after == now or after.rank <= strongest + 1
    assert judge_severity(after, said) == (after, "same")


@UNTIMED
@given(candidates, officers)
def test_first_choice_is_somebody_whenever_there_is_somebody(
    people: list[Candidate], duty: str | None
) -> None:
    choice = choose_first(people, duty)
    assert (choice.account_id is None) == (not people and duty is None) == (choice.because == "nobody")
    if people:
        best = min(one.rank for one in people)
        chosen = next(one for one in people if one.account_id == choice.account_id)
        assert chosen.rank == best
        assert chosen.open_tasks == min(one.open_tasks for one in people if one.rank == best)


@UNTIMED
@given(candidates, officers)
def test_escalation_asks_everybody_once_then_rests_with_the_duty_officer(
    people: list[Candidate], duty: str | None
) -> None:
    holder = choose_first(people, duty).account_id
    asked = [holder] if holder else []
    for _ in range(len(people) + 3):
        choice = choose_next(people, duty, set(asked), holder)
        if choice.because == "escalation":
            assert choice.account_id != holder
            asked.append(choice.account_id or "")
        else:
            assert choice.account_id == holder  # never taken from somebody to be given to nobody
        holder = choice.account_id
    assert len(asked) == len(set(asked)) == len(people) + (duty is not None)
    assert holder == (duty if duty else asked[-1] if asked else None)


@UNTIMED
@given(st.integers(0, 1000), st.integers(0, 50), st.floats(0, 10_000))
def test_waits_are_bounded_and_never_shrink_with_failures(failures: int, free: int, since_s: float) -> None:
    wait = wait_s(failures, free, since_s)
    assert 0.0 <= wait <= LONGEST_S
    assert wait_s(failures + 1, free, since_s) >= wait


def test_limits_are_shorter_the_worse_it_is() -> None:
    assert set(HAZARD) == set(Severity)
    for clock in Clock:
        spans = [limit_ns(clock, "hazard", severity) for severity in Severity]
        assert spans == sorted(spans, reverse=True)
        assert limit_ns(clock, "maintenance", "extreme") > limit_ns(clock, "hazard", "minor")


def test_tables_are_complete() -> None:
    assert set(CONSEQUENCES) == set(Verdict)
    assert set(MATRIX) == set(Role)
    assert MATRIX[Role.ADMIN] == frozenset(Permission)
    assert all(code == code.lower() for code in CODES)
