"""Evidence through real programs: what the agent judged, the cloud has judged again to the same."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from real_parts import ROOT, Process, cloud_command, make_state, run_cloud, start_broker, wait_until

from models.alert import Alert, Evidence
from models.replay import moments_of, replay_evidence

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto"), pytest.mark.timeout(300)]
# Parameters, and the score that fires.
DETECTORS: dict[str, tuple[dict[str, Any], float]] = {
    "default": ({}, 5.0),
    "nearest": ({"warmup_s": 7200}, 5.0),
    "discord": ({"warmup_s": 7200, "length": 16}, 3.0),
}
LEARNED, PERIOD_S = 3000, 10

SETTINGS = """\
[gateway]
id = "gw-a"
[uplink]
host = "127.0.0.1"
port = {broker}
reconnect_s = 2
cloud = "http://127.0.0.1:{http}"
[limits]
message_readings = 20
message_seconds = 1
[[devices]]
name = "pump"
driver = "recording"
period_s = 0.05
place = "b1/f1/kitchen"
settings = {{ file = "{file}" }}
"""
CHANNEL = """\
[[devices.channels]]
name = "pump/current"
kind = "current"
unit = "A"
source = "current"
resolution = 0.01
"""
MONITOR = """\
[[monitors]]
name = "{detector}"
detector = "{detector}"
parameters = {parameters}
channels = ["pump/current"]
hazard = "water"
trigger = {{ on = {on}, on_delay_s = 0.1 }}
"""


def pump(n: int) -> np.ndarray:
    """The current of a pump that runs every 25 readings."""
    chance = np.random.default_rng(3).normal(0, 0.02, n)
    return np.round(4.0 + 0.5 * np.abs(np.sin(np.arange(n) / 25 * np.pi)) + chance, 2)


def toml(parameters: dict[str, Any]) -> str:
    return "{ " + ", ".join(f"{name} = {value}" for name, value in parameters.items()) + " }"


def run_edge(state: Path, *words: str | Path) -> None:
    command = [sys.executable, "-m", "edge_agent.cli", *map(str, words), "--state", str(state)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"


def write_gateway(state: Path, settings: Any) -> None:
    """What the pump did for eight hours, to learn from, and what it does now."""
    values = pump(LEARNED + 60)
    values[-30:] = np.round(4.5 + 2.0 * np.minimum(1.0, np.arange(30) / 10), 2)
    state.mkdir(mode=0o700)
    begin = int(time.time()) - LEARNED * PERIOD_S
    past = (f"{begin + row * PERIOD_S},{value}" for row, value in enumerate(values[:LEARNED]))
    (state / "past.csv").write_text("\n".join(("time,pump/current", *past)))
    (state / "now.csv").write_text("\n".join(("current", *map(str, values[LEARNED:]))))
    text = SETTINGS.format(broker=settings.broker.port, http=settings.web.port, file=state / "now.csv")
    text += CHANNEL
    for detector, (parameters, on) in DETECTORS.items():
        text += MONITOR.format(detector=detector, parameters=toml(parameters), on=on)
    (state / "gateway.toml").write_text(text)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[dict[str, Any], ...]]]:
    """By detector: the alert, its evidence and its band, as the cloud's API gives them."""
    folder = tmp_path_factory.mktemp("evidence")
    cloud, gateway = folder / "cloud", folder / "gw-a"
    cloud.mkdir()
    settings = make_state(cloud)
    write_gateway(gateway, settings)
    run_edge(gateway, "import", gateway / "past.csv")
    code = json.loads(run_cloud(cloud, "gateway", "code", "gw-a", "--json"))["code"]
    added = run_cloud(cloud, "token", "add", "reader", "--role", "engineer", "--site", "street", "--json")
    headers = {"Authorization": f"Bearer {json.loads(added)['token']}"}
    api = httpx.Client(
        base_url=f"http://127.0.0.1:{settings.web.port}/api/v1", headers=headers, trust_env=False, timeout=20
    )

    def evidence_of(alert: dict[str, Any]) -> dict[str, Any] | None:
        answer = api.get(f"/alerts/{alert['id']}/evidence")
        return answer.json() if answer.status_code == 200 else None

    def alert_of(detector: str) -> dict[str, Any] | None:
        found = [one for one in api.get("/alerts").json()["items"] if one["monitor"] == detector]
        return api.get(f"/alerts/{found[-1]['id']}").json() if found else None

    def is_up() -> bool:
        try:
            return httpx.get(f"{str(api.base_url)[:-8]}/readyz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    serve = Process(cloud_command(cloud, "serve"), folder / "serve.log")
    with api, start_broker(cloud, settings.broker.port), serve:
        wait_until(is_up, "the cloud's pages")
        run_edge(gateway, "enroll", "--cloud", f"http://127.0.0.1:{settings.web.port}", "--code", code)
        command = [sys.executable, "-m", "edge_agent.cli", "run", "--state", gateway]
        with Process(command, folder / "agent.log"):
            found = {}
            for detector in DETECTORS:
                alert = wait_until(lambda name=detector: alert_of(name), f"an alert of {detector}")
                evidence = wait_until(lambda one=alert: evidence_of(one), f"evidence of {detector}")
                found[detector] = (alert, evidence, api.get(f"/alerts/{alert['id']}/band").json())
            yield found


@pytest.mark.parametrize("detector", list(DETECTORS))
def test_alert_replayed_from_its_evidence_is_the_alert_that_was_raised(told, detector):
    raised, body, band = told[detector]
    alert, evidence = Alert.model_validate(raised["alert"]), Evidence.model_validate(body)
    again = next(one for one in replay_evidence(evidence, gateway="gw-a").alerts if one.id == alert.id)
    assert (again.score, again.threshold, again.reasons) == (alert.score, alert.threshold, alert.reasons)
    assert (again.value, again.lower, again.upper) == (alert.value, alert.lower, alert.upper)
    assert (again.onset_at, again.fired_at, again.measured_at) == (
        alert.onset_at,
        alert.fired_at,
        alert.measured_at,
    )
    assert len(evidence.moments) == 3 and moments_of(evidence, alert) == evidence.moments
    assert evidence.moments[0].at < evidence.start_at, "remembered from the history that was imported"
    assert alert.score in band["score"], "the page's chart judges again to the same"


def test_alert_carries_all_that_explains_it(told):
    for detector, (raised, body, _) in told.items():
        alert = Alert.model_validate(raised["alert"])
        assert alert.detector == detector and alert.value is not None and alert.unit == "A"
        assert alert.score >= alert.threshold == DETECTORS[detector][1]
        assert sum(reason.share for reason in alert.reasons) == pytest.approx(1.0, abs=0.2)
        assert (
            alert.code_version
            and alert.clock_trusted is not None
            and body["configuration"]["detector"] == detector
        )
        assert body["start_at"] <= alert.measured_at <= body["end_at"]
