"""The programs of the demo, brought up: as much as possible at once."""

from __future__ import annotations

import json
import queue
import secrets
import shutil
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from firmware_sim.cloud_api import CloudApi
from firmware_sim.demo.children import Child, Children
from firmware_sim.demo.programs import find_mosquitto, find_own
from firmware_sim.errors import SimError
from firmware_sim.plan import GO_FILE, Plan

HISTORY_DAYS = 7
HISTORY_PERIOD_S = 60
OPERATOR = "operator"


@dataclass
class Stack:
    """What runs. `state` is the demo's folder; ports are free ones on loopback."""

    state: Path
    plan: Plan
    children: Children
    http_port: int
    broker_port: int
    say: Callable[[str], None]
    here: Path = field(default_factory=Path.cwd)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    token: str = ""
    history_readings: int = 0
    agents: dict[str, Child] = field(default_factory=dict)
    street: Child | None = None
    events: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        self._mosquitto = find_mosquitto(self.here)
        self._cloud, self._edge = find_own("lastmile-cloud"), find_own("lastmile-edge")
        self._sim = find_own("lastmile-sim")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def gateways(self) -> list[str]:
        return [gateway.id for gateway in self.plan.scenario.gateways]

    def come_up(self) -> None:
        """Cloud and gateways at once, then devices, then agents."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            prepared = [pool.submit(self._prepare_gateway, gateway) for gateway in self.gateways]
            self._cloud_up(pool)
            codes = [pool.submit(self._code, gateway) for gateway in self.gateways]
            self._wait_for_web([*prepared, *codes])
            enrolled = [
                pool.submit(self._enrol, gateway, code)
                for gateway, code in zip(self.gateways, codes, strict=True)
            ]
            command = [*self._sim, "run", "--hold", "--plan", str(self.plan.folder), "--api", self.address]
            self.street = self.children.start("street", command, speaks=True)
            for gateway in self.gateways:
                broker = self.plan.folder / gateway / "broker.conf"
                self.children.start(f"devices-broker-{gateway}", [self._mosquitto, "-c", str(broker)])
            self.history_readings = sum(done.result() for done in prepared)
            for done in enrolled:
                done.result()
        for gateway in self.gateways:
            wait_for_port(self.plan.ports[gateway].broker)
        self.children.check()
        for gateway in self.gateways:
            command = [*self._edge, "run", "--state", str(self.state / gateway)]
            self.agents[gateway] = self.children.start(f"agent-{gateway}", command)
        (self.plan.folder / GO_FILE).touch()

    def send_documents(self) -> dict[str, int]:
        """Desire of each gateway, signed by the cloud, what its own file says; the versions they got."""
        api = CloudApi(self.address, self.token)
        versions = {}
        for gateway in self.gateways:
            document = json.loads((self.plan.folder / gateway / "document.json").read_text(encoding="utf-8"))
            wish = {"document": document, "reason": "the street's first signed document"}
            versions[gateway] = int(api.put(f"/gateways/{gateway}/desired", wish)["version"])
        return versions

    def _cloud_up(self, pool: ThreadPoolExecutor) -> None:
        """Returns when people and tokens are there; web and ingest may still be starting."""
        ports = ["--broker-port", str(self.broker_port), "--http-port", str(self.http_port)]
        self._ask_cloud("init", *ports)
        config = self.state / "cloud" / "broker" / "mosquitto.conf"
        self.children.start("broker", [self._mosquitto, "-c", str(config)])
        serve = [*self._cloud, "serve", "--state", str(self.state / "cloud")]
        self.children.start("cloud", serve)
        self._ask_cloud("apply", str(self.plan.folder / "organisation.toml"))
        site = self.plan.scenario.site.id
        machine = ["--role", "admin", "--site", site, "--json"]
        made: Future[str] = pool.submit(self._ask_cloud, "token", "add", "simulator", *machine)
        user = ["user", "add", OPERATOR, "--role", "operator", "--site", site, "--password-stdin"]
        self._ask_cloud(*user, given=self.password + "\n")
        self.token = json.loads(made.result())["token"]

    def _ask_cloud(self, *words: str, given: str = "") -> str:
        command = [*self._cloud, *words, "--state", str(self.state / "cloud")]
        return self.children.run("cloud-commands", command, given)

    def _code(self, gateway: str) -> str:
        return str(json.loads(self._ask_cloud("gateway", "code", gateway, "--json"))["code"])

    def _prepare_gateway(self, gateway: str) -> int:
        """Its files and its history; how many readings the history has."""
        state, log = str(self.state / gateway), f"prepare-{gateway}"
        (self.state / gateway).mkdir(mode=0o700)
        shutil.copy(self.plan.folder / gateway / "gateway.toml", self.state / gateway / "gateway.toml")
        self.children.run(log, [*self._edge, "init", "--state", state])
        days = ["--days", str(HISTORY_DAYS), "--period-s", str(HISTORY_PERIOD_S), "--gateway", gateway]
        self.children.run(log, [*self._sim, "history", "--plan", str(self.plan.folder), *days])
        file = str(self.plan.folder / f"{gateway}.csv")
        done = self.children.run(log, [*self._edge, "import", "--state", state, "--json", file])
        readings = int(json.loads(done)["readings"])
        self.say(f"{gateway} has learned from {HISTORY_DAYS} days of history: {readings} readings")
        return readings

    def _enrol(self, gateway: str, code: Future[str]) -> None:
        words = ["enroll", "--state", str(self.state / gateway), "--cloud", self.address]
        settings = self.state / gateway / "gateway.toml"
        wait(settings.exists, 60.0, f"{settings} was not written")
        self.children.run(f"enrol-{gateway}", [*self._edge, *words, "--code", code.result()])
        self.say(f"{gateway} is enrolled: its key was made there, its certificate by the cloud")

    def _wait_for_web(self, beside: list[Future[Any]]) -> None:
        """Until the cloud answers; what fails beside it is heard at once."""

        def is_ready() -> bool:
            self.children.check()
            for done in beside:
                if done.done():
                    done.result()
            try:
                return httpx.get(f"{self.address}/readyz", timeout=5, trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False

        wait(is_ready, 60.0, f"the cloud's pages did not come up at {self.address}")
        self.say("broker and cloud are up")


def wait_for_port(port: int, wait_s: float = 20.0) -> None:
    """Until somebody listens on a loopback port."""

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait(listens, wait_s, f"nothing listens on 127.0.0.1:{port}")


def wait(condition: Callable[[], bool], wait_s: float, trouble: str) -> None:
    """Until `condition()`; SimError with `trouble` when it does not come."""
    deadline = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() >= deadline:
            raise SimError(trouble)
        time.sleep(0.05)
