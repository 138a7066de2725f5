"""A cloud's state as an evening on two sites would leave it: every page has something to show.

Made through the cloud's own functions, so that pages are tried against what really is stored. Names are long,
Chinese, and some try to be markup.
"""

from __future__ import annotations

from pathlib import Path

from console_judged import judged_freezer
from console_series import BOOT, SERIES, fill_series
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from cloud.dispatch.assign import issue_task
from cloud.dispatch.escalate import fire_due
from cloud.dispatch.outcome import record_outcome
from cloud.dispatch.progress import accept, arrive, deliver
from cloud.dispatch.respond import respond_to_alert
from cloud.dispatch.tables import Task
from cloud.fleet.apply import apply_file, place_id
from cloud.fleet.channels import take_table
from cloud.fleet.status import raise_flag, take_health, take_reported
from cloud.fleet.tables import Channel, Desired, Gateway, GatewayStatus
from cloud.incidents.report import add_note, report_incident
from cloud.incidents.tables import AlertRow, EvidenceRow, Incident
from cloud.ingest.tables import Quarantine
from cloud.people.accounts import actor_of, find_account
from cloud.people.roles import Actor
from cloud.people.tables import Account
from cloud.storage.engine import transaction
from models.alert import Alert, AlertKind, AlertState, Reason, Severity
from models.clock import SECOND_NS
from models.identity import alert_id
from models.outcome import OutcomeReport, Verdict
from models.wire.messages import ChannelEntry, ChannelTable, Health, Presence, Reported, ReportedState

ORGANISATION = Path(__file__).with_name("two_sites.toml")
PASSWORD = "plum-blossom-9"
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 86400 * SECOND_NS
MARKUP = '<img src=x onerror="document.title=\'pwned\'"><script>document.title="pwned"</script>'


def seed(main: Engine, series: Engine, now: int) -> None:
    """Fill both databases. `now` is ns UTC; what happened lies before it."""
    with transaction(main) as session:
        apply_file(session, ORGANISATION, now - 40 * DAY_NS)
        for gateway_id in sorted({one.gateway for one in SERIES}):
            _add_channels(session, gateway_id)
    with transaction(main) as session:
        evening = Evening(session, now)
        evening.end_some()
        evening.raise_some()
        evening.report_some()
        evening.try_markup()
    with transaction(main) as session:
        _add_statuses(session, now)
    fill_series(main, series, now)


def _add_channels(session: Session, gateway_id: str) -> None:
    rows = [one for one in SERIES if one.gateway == gateway_id]
    entries = [
        ChannelEntry(
            number=number,
            name=one.name,
            device=one.name.replace("/", "-"),
            kind=one.kind,
            unit=one.unit,
            resolution=one.resolution,
            place=one.place,
        )
        for number, one in enumerate(rows)
    ]
    if gateway_id == "gw-b2":
        entries.append(ChannelEntry(number=99, name=MARKUP, device="odd", kind="<b>kind", place="b2/odd"))
    take_table(session, session.get_one(Gateway, gateway_id), 1, ChannelTable(channels=tuple(entries)))


def reason(code: str, share: float = 1.0, **parameters: float) -> Reason:
    return Reason(code=code, parameters=parameters, share=share)


class Evening:
    """What happened, oldest first, through the functions that ingest, the API and the scheduler call.

    Times are minutes before now.
    """

    def __init__(self, session: Session, now: int) -> None:
        self.session, self.now = session, now

    def at(self, minutes_ago: float) -> int:
        return self.now - round(minutes_ago * MINUTE_NS)

    def person(self, login: str) -> Actor:
        account = find_account(self.session, login)
        assert account is not None
        return actor_of(self.session, account)

    def assignee(self, task: Task) -> Actor:
        return actor_of(self.session, self.session.get_one(Account, task.assignee_id))

    def raise_alert(
        self, gateway: str, channel: str, monitor: str, ago: float, lasted: float = 0.0, **about: object
    ) -> Task:
        """An alert that fired `ago` and began `lasted` earlier; the task it led to, or that it joined."""
        begun = self.at(ago + lasted)
        fixed = {
            "id": alert_id(gateway, monitor, BOOT, begun),
            "gateway": gateway,
            "channel": channel,
            "monitor": monitor,
            "device": channel.split("/")[0],
            "state": AlertState.FIRING,
            "boot": BOOT,
            "onset_index": 1000,
            "onset_at": begun,
            "fired_at": self.at(ago),
            "measured_at": self.at(ago),
            "threshold": 3.0,
            "config_version": 7,
            "code_version": "0.1.0",
        }
        return self.take(Alert.model_validate({"score": 10.0, "value": None} | fixed | about))

    def take(self, alert: Alert) -> Task:
        """What ingest does with an alert; the task it led to, or that it joined."""
        response = respond_to_alert(self.session, alert, alert.fired_at + 400_000_000)
        incident = response.taken.incident
        assert incident is not None
        return self.session.scalars(select(Task).where(Task.incident_id == incident.id)).one()

    def answer(self, task: Task, ago: float, verdict: Verdict, **words: object) -> None:
        who = self.assignee(task)
        deliver(self.session, task, who, self.at(ago + 12))
        accept(self.session, task, who, self.at(ago + 10))
        arrive(self.session, task, who, self.at(ago + 4))
        report = OutcomeReport.model_validate({"key": f"seed-{task.id[:24]}", "verdict": verdict} | words)
        record_outcome(self.session, task, report, who, self.at(ago))

    def end_some(self) -> None:
        """Matters that are over: cooking, and a sensor with an empty battery."""
        silent = {"kind": AlertKind.MAINTENANCE, "severity": Severity.MINOR, "hazard": "silent"}
        why = (reason("silent", seconds=912, limit=60),)
        task = self.raise_alert(
            "gw-b1", "kitchen/temperature", "kitchen-silent", 420, detector="absence", reasons=why, **silent
        )
        self.answer(task, 380, Verdict.SENSOR_FAULT, cause="battery", measured_value=2.1, measured_unit="V")
        cooking = {"hazard": "smoke", "severity": Severity.SEVERE, "value": 331.0, "unit": "ppm"}
        why = (reason("above_limit", value=331.0, limit=300.0),)
        task = self.raise_alert(
            "gw-b1", "kitchen/smoke", "smoke-limit", 300, detector="limit", reasons=why, **cooking
        )
        self.answer(task, 280, Verdict.FALSE_ALARM, cause="cooking", note="红烧肉，窗户已打开。")

    def raise_some(self) -> None:
        """A leak, gas where nobody answers, a freezer with somebody at it, and a fire two devices see."""
        leak = {"hazard": "water", "severity": Severity.MINOR, "value": 1.0}
        why = (reason("above_limit", value=1.0, limit=0.5),)
        self.raise_alert("gw-b1", "boiler/leak", "boiler-leak", 178, detector="limit", reasons=why, **leak)
        gas = {"hazard": "gas", "severity": Severity.SEVERE, "value": 14.9, "unit": "%LEL"}
        why = (reason("dwelt", value=14.9, limit=10.0, seconds=125.0),)
        self.raise_alert("gw-hall", "hall/gas", "gas", 74, 2, detector="dwell", reasons=why, **gas)
        self._freezer()
        fire = {"hazard": "fire", "severity": Severity.SEVERE, "value": 412.0, "unit": "ppm"}
        why = (reason("above_limit", value=412.0, limit=300.0),)
        self.raise_alert(
            "gw-b1", "kitchen/smoke", "smoke-limit", 7, 0.4, detector="limit", reasons=why, **fire
        )
        self._second_witness()
        fire_due(self.session, self.at(0.5))

    def _freezer(self) -> None:
        alert, evidence = judged_freezer(self.now)
        task = self.take(alert)
        body, arrived = evidence.model_dump(mode="json"), alert.fired_at + 6 * SECOND_NS
        self.session.add(EvidenceRow(alert_id=alert.id, site_id="street", received_at=arrived, body=body))
        who = self.assignee(task)
        deliver(self.session, task, who, self.at(41))
        accept(self.session, task, who, self.at(39))
        arrive(self.session, task, who, self.at(22))
        incident = self.session.get_one(Incident, task.incident_id)
        add_note(self.session, incident, "person/chen", f"Door seal looks torn. {MARKUP}", self.at(12))

    def _second_witness(self) -> None:
        band = {"value": 28.4, "expected": 20.1, "lower": 19.2, "upper": 21.0}
        hot = {"hazard": "fire", "severity": Severity.MODERATE, "unit": "Cel", "score": 4.7}
        why = (
            reason("unexpected", share=0.7, **band, surprise=4.7, extrapolated=0),
            reason("rate", share=0.3, per_s=0.052, limit=0.03, window_s=60),
        )
        about = {"detector": "time_of_day", "device": "kitchen-2", "reasons": why}
        self.raise_alert("gw-b1", "kitchen/temperature", "kitchen-usual", 6, **hot, **band, **about)

    def report_some(self) -> None:
        """What people saw, and an exercise."""
        stopped = "Lift stopped between floors 3 and 4, two people inside, calm"
        self._report("b2/lift", "lift", Severity.MODERATE, stopped, 18)
        exercise = "Evacuation exercise, building 1"
        self._report("b1", "fire", Severity.EXTREME, exercise, 25, exercise=True)

    def _report(
        self, place: str, hazard: str, severity: Severity, summary: str, ago: float, exercise: bool = False
    ) -> None:
        incident, _ = report_incident(
            self.session,
            site_id="street",
            place=place,
            hazard=hazard,
            severity=severity,
            summary=summary,
            actor="person/chen",
            exercise=exercise,
            now=self.at(ago),
        )
        issue_task(self.session, incident, None, self.at(ago))

    def try_markup(self) -> None:
        """A stuck sensor; then a hazard, unit and reason no catalogue knows, on a channel named in markup."""
        stuck = {"kind": AlertKind.MAINTENANCE, "severity": Severity.MINOR, "hazard": "stuck"}
        why = (reason("flat", value=61.0, seconds=5400.0, limit=1800.0),)
        task = self.raise_alert(
            "gw-b2", "canteen/humidity", "humidity-flat", 55, detector="flat_line", value=61.0, unit="%RH",
            reasons=why, **stuck,
        )  # fmt: skip
        accept(self.session, task, self.assignee(task), self.at(50))
        odd = {"hazard": "<b>radiation</b>", "severity": Severity.MODERATE, "value": 3.0, "unit": "<i>Sv</i>"}
        strange = Reason(code="<u>new_code</u>", parameters={"<s>x</s>": MARKUP, "n": 4})
        task = self.raise_alert("gw-b2", "odd/one", "odd", 9, detector="<i>none", reasons=(strange,), **odd)
        channel = self.session.scalar(select(Channel.id).where(Channel.name == MARKUP))
        self.session.execute(update(AlertRow).where(AlertRow.monitor == "odd").values(channel_id=channel))
        at_odd = update(Incident).where(Incident.id == task.incident_id)
        self.session.execute(at_odd.values(place_id=place_id("street", "b2/odd")))


def _add_statuses(session: Session, now: int) -> None:
    """Gateways in every state they can be in."""
    for gateway_id in ("gw-b1", "gw-b2", "gw-hall", "gw-hall-2"):
        session.get_one(Gateway, gateway_id).enrolled_at = now - 9 * DAY_NS
    _tell(session, "gw-b1", "street", Presence.ONLINE, backlog=0, at=now - 4 * SECOND_NS)
    _tell(session, "gw-b2", "street", Presence.ONLINE, backlog=12, at=now - 400 * SECOND_NS, version=6)
    _tell(session, "gw-hall", "harbour", Presence.OFFLINE, backlog=12480, at=now - 9000 * SECOND_NS)
    reported = Reported(version=6, offered=7, sent_at=now, reason="expired", state=ReportedState.REFUSED)
    take_reported(session, "gw-hall", "harbour", reported, now)
    for ago_s in (90, 60):
        raise_flag(session, "gw-b2", "street", "clone", {}, now - ago_s * SECOND_NS)
    session.add(
        Quarantine(
            site_id="street",
            gateway_id="gw-b2",
            topic="lm/1/gw-b2/up/bulk",
            epoch=1,
            stream=2,
            sequence=9,
            code="clone",
            detail="",
            payload=b"",
            payload_hash="0" * 64,
            received_at=now,
        )
    )


def _tell(
    session: Session,
    gateway_id: str,
    site: str,
    presence: Presence,
    *,
    backlog: int,
    at: int,
    version: int = 7,
) -> None:
    health = Health(
        presence=presence,
        sent_at=at,
        backlog_messages=backlog,
        code_version="0.1.0",
        measures={"cpu_temperature_c": 48.2, "memory_mb": 161.0, "disk_percent": 12.0},
        clock_trusted=gateway_id != "gw-hall",
    )
    take_health(session, gateway_id, site, health, at, is_live=True)
    session.get_one(GatewayStatus, gateway_id).heard_at = at
    applied = Reported(version=version, offered=version, sent_at=at, state=ReportedState.APPLIED)
    take_reported(session, gateway_id, site, applied, at)
    desired = {"version": 7, "site_id": site, "signed": {}, "created_at": at}
    session.add(Desired(gateway_id=gateway_id, created_by="person/root", reason="seed", **desired))
