"""From an alert to what was found, told on virtual time."""

from __future__ import annotations

import pytest
from cloud_people_street import Street

from cloud.dispatch.conclude import conclude
from cloud.dispatch.outcome import record_outcome
from cloud.dispatch.progress import accept, arrive, deliver
from cloud.dispatch.tables import Assignment, Deadline, OutcomeRow, Task
from cloud.events.tables import Event
from cloud.incidents.intake import TakenAs
from cloud.incidents.tables import AlertRow, Incident
from cloud.people.accounts import account_id, disable_account
from cloud.storage.engine import transaction
from models.alert import AlertKind, AlertState, Severity
from models.clock import SECOND_NS
from models.outcome import OutcomeReport, Verdict

HOUR_NS = 3600 * SECOND_NS


def answer(verdict: Verdict, key: str = "answer-1") -> OutcomeReport:
    return OutcomeReport(key=key, verdict=verdict)


def test_alert_becomes_a_task_and_is_answered(street: Street) -> None:
    alert = street.alert()
    street.take(alert)
    wang = street.actor("wang")
    task = street.task()
    assert (task.assignee_id, task.assigned_because, task.state) == (account_id("wang"), "grid", "issued")
    assert task.issued_at >= task.measured_at == alert.measured_at

    street.clock.sleep(5)
    street.do(deliver, task, wang)
    street.do(accept, task, wang)
    assert street.incident().state == "acknowledged"
    street.clock.sleep(300)
    street.do(arrive, task, wang)
    street.do(record_outcome, task, answer(Verdict.FALSE_ALARM), wang)

    assert street.task().state == "closed"
    assert street.incident().state == "resolved"
    assert street.codes() == [
        "opened", "task_issued", "task_delivered", "task_accepted", "acknowledged", "task_on_site", "outcome",
        "task_closed", "resolved",
    ]  # fmt: skip
    assert {deadline.ended_as for deadline in street.all(Deadline)} == {"met"}
    kinds = [event.kind for event in street.all(Event)]
    assert kinds[:3] == ["alert.fired", "incident.opened", "task.issued"]
    assert kinds.count("outcome.recorded") == 1


def test_fifty_redeliveries_make_one_task(street: Street) -> None:
    alert = street.alert()
    street.take(alert)
    before = (street.codes(), len(street.all(Event)))
    for _ in range(50):
        assert street.take(alert).taken.what is TakenAs.SAME
    assert len(street.all(Task)) == len(street.all(Incident)) == len(street.all(AlertRow)) == 1
    assert (street.codes(), len(street.all(Event))) == before


def test_several_alerts_at_one_place_join_and_raise_the_severity(street: Street) -> None:
    street.take(street.alert(severity=Severity.MINOR))
    street.take(street.alert(severity=Severity.MODERATE))
    assert street.incident().severity == "moderate"  # one device is one witness
    street.take(street.alert(monitor="heat", channel="stove/smoke", severity=Severity.MODERATE))
    assert street.incident().severity == "severe"
    assert len(street.all(Task)) == 1
    assert street.codes().count("severity_raised") == 2


def test_other_hazards_and_places_are_matters_of_their_own(street: Street) -> None:
    street.take(street.alert())
    street.take(street.alert(hazard="water"))
    street.take(street.alert(gateway="gw-2"))
    assert len(street.all(Incident)) == len(street.all(Task)) == 3


def test_alert_that_overtakes_its_channel_table_finds_its_place(street: Street) -> None:
    street.take(street.alert(channel="attic/smoke", place="shed"))
    assert street.incident().place_id == "street:shed"


def test_alert_that_names_no_known_place_is_at_its_gateways(street: Street) -> None:
    street.take(street.alert(channel="attic/smoke", place="moon"))
    assert street.incident().place_id == "street:b1/f1/kitchen"


def test_maintenance_and_exercise_never_mix_with_hazards(street: Street) -> None:
    street.take(street.alert(hazard="device"))
    street.take(street.alert(hazard="device", kind=AlertKind.MAINTENANCE))
    street.take(street.alert(hazard="device", exercise=True))
    found = {(one.kind, one.exercise) for one in street.all(Incident)}
    assert found == {("hazard", False), ("maintenance", False), ("hazard", True)}
    assert {task.purpose for task in street.all(Task)} == {"verify", "maintain"}


def test_trial_alert_is_kept_and_makes_nothing(street: Street) -> None:
    response = street.take(street.alert(trial=True))
    assert response.taken.what is TakenAs.TRIAL
    assert len(street.all(AlertRow)) == 1
    assert street.all(Incident) == street.all(Task) == []


def test_alert_with_anothers_id_changes_nothing(street: Street) -> None:
    alert = street.alert()
    street.take(alert)
    forged = street.resolved(alert).model_copy(update={"gateway": "gw-2"})
    assert street.take(forged).taken.what is TakenAs.FOREIGN
    assert street.all(AlertRow)[0].state == "firing"


def test_firing_after_resolved_changes_nothing(street: Street) -> None:
    alert = street.alert()
    street.take(street.resolved(alert))
    assert street.take(alert).taken.what is TakenAs.REFUSED
    assert street.all(AlertRow)[0].state == AlertState.RESOLVED.value
    assert len(street.all(Task)) == 1  # short and over, but fresh: somebody looks


def test_incident_is_quiet_when_its_last_alert_resolves(street: Street) -> None:
    first, second = street.alert(), street.alert(monitor="heat")
    street.take(first)
    street.take(second)
    assert not street.take(street.resolved(first)).taken.is_quiet
    assert street.incident().quiet_since is None
    assert street.take(street.resolved(second)).taken.is_quiet
    assert street.incident().quiet_since == street.now
    assert street.incident().state == "open"  # quiet is not resolved: nobody has looked


def test_alert_soon_after_resolution_reopens_and_asks_again(street: Street) -> None:
    street.take(street.alert())
    street.do(conclude, street.incident(), "person/duty", "looked")
    street.clock.sleep(9 * 60)
    response = street.take(street.alert())
    assert response.taken.what is TakenAs.REOPENED
    assert street.incident().state == "open"
    assert {task.purpose: task.state for task in street.all(Task)} == {
        "verify": "closed",
        "verify-2": "issued",
    }


def test_alert_long_after_resolution_is_a_new_matter(street: Street) -> None:
    street.take(street.alert())
    street.do(conclude, street.incident(), "person/duty", "looked")
    street.clock.sleep(11 * 60)
    assert street.take(street.alert()).taken.what is TakenAs.OPENED
    assert len(street.all(Incident)) == 2


def test_late_alert_that_is_over_pages_nobody(street: Street) -> None:
    late = street.alert(onset_at=street.now - 3 * HOUR_NS)
    over = late.model_copy(update={"state": AlertState.RESOLVED, "resolved_at": street.now - 2 * HOUR_NS})
    assert street.take(over).taken.is_late
    assert street.all(Task) == []
    assert street.incident().state == "open"
    assert "late" in street.codes()


def test_late_alert_that_still_fires_pages(street: Street) -> None:
    street.take(street.alert(onset_at=street.now - 3 * HOUR_NS))
    assert street.task().state == "issued"


def test_late_alert_belongs_to_the_matter_it_was_part_of(street: Street) -> None:
    street.take(street.alert())
    street.do(conclude, street.incident(), "person/duty", "looked")
    over = street.alert(state=AlertState.RESOLVED, resolved_at=street.now, onset_at=street.now)
    street.clock.sleep(3 * 3600)
    assert street.take(over).taken.what is TakenAs.JOINED
    assert street.incident().state == "resolved"
    assert len(street.all(Task)) == 1


def test_place_in_no_grid_goes_to_the_duty_officer(street: Street) -> None:
    street.take(street.alert(gateway="gw-2"))
    assert (street.task().assignee_id, street.task().assigned_because) == (account_id("duty"), "duty_officer")


def test_site_without_anybody_shows_a_task_nobody_has(street: Street) -> None:
    street.take(street.alert(gateway="gw-h"))
    task = street.task()
    assert (task.assignee_id, task.assigned_because, task.state) == (None, "nobody", "issued")
    assert "task_unassigned" in street.codes()
    stranger = street.actor("stranger")
    street.do(accept, task, stranger)
    assert street.task().assignee_id == stranger.account_id


def test_disabled_worker_is_not_asked(street: Street) -> None:
    with transaction(street.engine) as session:
        disable_account(session, account_id("wang"), street.now)
    street.take(street.alert())
    assert street.task().assignee_id == account_id("li")


def test_real_keeps_the_matter_until_it_has_been_calm(street: Street) -> None:
    alert, scheduler, wang = street.alert(), street.scheduler(), street.actor("wang")
    street.take(alert)
    street.do(record_outcome, street.task(), answer(Verdict.REAL), wang)
    assert (street.task().state, street.incident().state) == ("verified", "acknowledged")
    street.after(scheduler, 60)
    assert street.incident().state == "acknowledged"  # it still fires
    street.take(street.resolved(alert))
    street.after(scheduler, 9)
    assert street.incident().state == "acknowledged"
    street.after(scheduler, 2)
    assert (street.task().state, street.incident().state) == ("closed", "resolved")


def test_no_access_keeps_the_task_open_on_a_new_rung(street: Street) -> None:
    wang = street.actor("wang")
    street.take(street.alert())
    street.do(accept, street.task(), wang)
    street.do(record_outcome, street.task(), answer(Verdict.NO_ACCESS), wang)
    assert (street.task().state, street.incident().state) == ("accepted", "acknowledged")
    verified = street.all(Deadline, clock="verified")
    assert [(one.rung, one.ended_as) for one in verified] == [(0, "met"), (1, None)]


def test_answer_sent_twice_counts_once(street: Street) -> None:
    wang = street.actor("wang")
    street.take(street.alert())
    _, first = street.do(record_outcome, street.task(), answer(Verdict.SENSOR_FAULT), wang)
    before = street.codes()
    _, second = street.do(record_outcome, street.task(), answer(Verdict.SENSOR_FAULT), wang)
    assert (first, second) == (True, False)
    assert street.codes() == before
    assert len(street.all(OutcomeRow)) == 1


def test_answer_to_a_closed_task_is_kept(street: Street) -> None:
    wang = street.actor("wang")
    street.take(street.alert())
    street.do(conclude, street.incident(), "person/duty", "looked")
    street.do(record_outcome, street.task(), answer(Verdict.REAL), wang)
    assert len(street.all(OutcomeRow)) == 1
    assert street.task().state == "closed"


def test_unanswered_task_goes_to_the_next_worker_then_the_duty_officer(street: Street) -> None:
    scheduler = street.scheduler()
    street.take(street.alert())
    assert street.after(scheduler, 14.9) == 0
    assert street.after(scheduler, 0.2) == 1
    assert street.task().assignee_id == account_id("li")
    assert street.after(scheduler, 15.1) == 1
    assert street.task().assignee_id == account_id("duty")
    assert street.after(scheduler, 15.1) == 1
    assert street.task().assignee_id == account_id("duty")  # nobody else to ask: reminded
    asked = [one.account_id for one in sorted(street.all(Assignment), key=lambda one: one.rung)]
    assert asked == [account_id(login) for login in ("wang", "li", "duty")]
    assert street.codes().count("escalated") == 3


def test_accepted_but_unanswered_task_goes_on(street: Street) -> None:
    scheduler, wang = street.scheduler(), street.actor("wang")
    street.take(street.alert())
    street.do(accept, street.task(), wang)
    assert street.after(scheduler, 59) == 0
    assert street.after(scheduler, 1.1) == 1
    task = street.task()
    assert (task.state, task.assignee_id, task.accepted_at) == ("issued", account_id("li"), None)


@pytest.mark.row("A24")
def test_two_schedulers_escalate_once_through_restarts(street: Street) -> None:
    street.take(street.alert())
    street.take(street.alert(hazard="water"))
    street.clock.sleep(16 * 60)
    fired = [street.scheduler().look() for _ in range(4)]  # each one is newly started
    assert fired == [2, 0, 0, 0]
    assert street.codes().count("escalated") == 2


@pytest.mark.row("A14")
@pytest.mark.parametrize("hours", [-1, 1])
def test_step_of_the_servers_clock_escalates_nothing_early_or_late(street: Street, hours: int) -> None:
    one, other = street.scheduler(), street.scheduler()
    street.take(street.alert())
    one.look(), other.look()
    street.after(one, 10)
    street.clock.step(hours * 3600)
    assert one.look() == other.look() == 0
    assert street.after(other, 4.9) == 0
    assert street.after(one, 0.2) == 1


def test_step_while_no_scheduler_ran_is_followed_at_start(street: Street) -> None:
    street.scheduler().look()
    street.take(street.alert())
    street.clock.step(3600)
    fresh = street.scheduler()
    assert fresh.look() == 0
    assert street.after(fresh, 14.9) == 0
    assert street.after(fresh, 0.2) == 1


def test_equal_ranks_share_the_work(street: Street) -> None:
    from cloud.fleet.tables import GridWorker

    with transaction(street.engine) as session:
        for worker in session.query(GridWorker):
            worker.rank = 0
    for hazard in ("fire", "gas", "water", "smoke"):
        street.take(street.alert(hazard=hazard))
    assigned = sorted(task.assignee_id for task in street.all(Task))
    assert assigned == sorted([account_id("li"), account_id("wang")] * 2)
