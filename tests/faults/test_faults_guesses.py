"""Somebody guesses codes at the real door: none is let in, and after ten tries hardly anything is tried."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter

import pytest
from fault_results import record
from real_parts import Process, cloud_command, is_open, make_request, make_state, run_cloud, wait_until
from sqlalchemy import func, select

from cloud.errors import InvalidError, ThrottledError
from cloud.fleet.enrolment import enrol, make_code, new_code
from cloud.fleet.tables import Gateway
from cloud.settings import Settings
from cloud.storage.engine import open_main, reading, transaction

pytestmark = [pytest.mark.integration, pytest.mark.row("B6")]


def guess_at_the_door(settings: Settings, guesses: int) -> Counter[int]:
    """Offer so many codes over HTTP, as fast as it goes; how often each status was answered."""
    answers: Counter[int] = Counter()
    _, csr = make_request("gw-a")
    with Process(cloud_command(settings.state, "web"), settings.state / "web.log"):
        wait_until(lambda: is_open(settings.web.port), "the web's port")
        door = http.client.HTTPConnection("127.0.0.1", settings.web.port, timeout=30)
        for _ in range(guesses):
            body = json.dumps({"code": new_code(), "csr": csr})
            door.request("POST", "/api/v1/enrol", body, {"Content-Type": "application/json"})
            answer = door.getresponse()
            answer.read()
            answers[answer.status] += 1
        door.close()
    return answers


def enrolled(settings: Settings) -> int:
    engine = open_main(settings)
    with reading(engine) as session:
        count = session.scalar(select(func.count()).where(Gateway.enrolled_at.is_not(None)))
    engine.dispose()
    return count or 0


def guess_from_everywhere(settings: Settings, guesses: int, sources: int) -> Counter[str]:
    """The same from many addresses, while a good code waits to be found."""
    engine, now = open_main(settings), time.time_ns()
    outcomes: Counter[str] = Counter()
    _, csr = make_request("gw-a")
    with transaction(engine) as session:
        make_code(session, "gw-a", new_code(), now, 24.0)
    for number in range(guesses):
        try:
            enrol(engine, settings, code=new_code(), csr=csr, source=str(number % sources), now=now)
        except (InvalidError, ThrottledError) as refused:
            outcomes[refused.code] += 1
        else:
            outcomes["enrolled"] += 1
    engine.dispose()
    return outcomes


def test_guesses_at_the_door_are_throttled_after_ten_and_enrol_nobody(tmp_path) -> None:
    settings = make_state(tmp_path / "cloud")
    run_cloud(settings.state, "gateway", "code", "gw-a")
    answers = guess_at_the_door(settings, 60)
    assert answers == {422: settings.enrolment.wrong_codes, 429: 60 - settings.enrolment.wrong_codes}
    assert settings.enrolment.wrong_codes <= 10
    assert enrolled(settings) == 0


@pytest.mark.soak
def test_ten_thousand_guesses_enrol_nobody(tmp_path) -> None:
    settings = make_state(tmp_path / "cloud")
    run_cloud(settings.state, "gateway", "code", "gw-a")
    answers = guess_at_the_door(settings, 10_000)
    tried = sum(count for status, count in answers.items() if status != 429)
    outcomes = guess_from_everywhere(settings, 10_000, 1000)
    ok = enrolled(settings) == 0 and tried <= 10 and set(outcomes) == {"code"}
    record(
        "B6", "10,000 guesses at the door", runs=10_000, figure=tried, unit="tried before the throttle",
        target="0 enrolled, throttled after <= 10", ok=ok,
        command="pytest -m soak tests/faults/test_faults_guesses.py",
        note=f"{enrolled(settings)} enrolled; 10,000 more from 1000 addresses: {dict(outcomes)}",
    )  # fmt: skip
    assert ok, (answers, outcomes)
