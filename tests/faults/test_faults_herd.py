"""A12: a broker comes back to a thousand gateways that all lost it at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from fault_results import record
from fault_street import Street, open_street
from real_parts import ROOT, make_request, wait_until

from edge_agent.uplink.session import Manners

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto"), pytest.mark.row("A12")]
BACK_S, CONNECTS_A_SECOND = 180.0, 50
IN_ONE_PROCESS = 125
COMMAND = "python -m pytest -m soak tests/faults/test_faults_herd.py --timeout 0"
_CONNECTED = re.compile(r"(?m)^(\S+): New client connected from \S+ as (\S+) ")


@dataclass
class Return:
    """One outage: how long it was, when the last was back (s), and the most CONNECTs in one second."""

    outage_s: float
    back_s: float
    most_a_second: int


def sign(street: Street, names: list[str]) -> Path:
    """Certificates for all, by the cloud's own authority."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from cloud.keys.authority import Authority

    folder = street.folder / "herd"
    folder.mkdir()
    authority = Authority.load(street.settings.keys)
    (folder / "ca.crt").write_bytes(authority.pem)
    for name in names:
        key, csr = make_request(name)
        certificate = authority.sign_request(csr, name, time.time_ns(), 30)
        (folder / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        (folder / f"{name}.key").write_bytes(key)
    return folder


@contextmanager
def herd(street: Street, names: list[str], reconnect_s: float) -> Iterator[None]:
    """All of them connected and with nothing left to send."""
    folder, port = sign(street, names), street.settings.broker.port
    command = [sys.executable, str(ROOT / "tests" / "faults" / "fault_herd.py"), str(folder), str(port)]
    packs = [names[at : at + IN_ONE_PROCESS] for at in range(0, len(names), IN_ONE_PROCESS)]
    running = []
    try:
        for pack in packs:
            running.append(
                subprocess.Popen(
                    [*command, str(reconnect_s), *pack],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    text=True,
                )
            )
            assert running[-1].stdout is not None
            assert running[-1].stdout.readline() == "ready\n"
        yield
    finally:
        for process in running:
            process.kill()
            process.wait(10)


def outage(street: Street, names: list[str], outage_s: float, patience_s: float) -> Return:
    """kill -9 the broker, start it again after `outage_s`, and wait for all."""
    begun = len(street.broker_log)
    street.kill_broker()
    time.sleep(outage_s)
    started = time.time()
    street.start_broker()

    def seen() -> list[tuple[float, str]]:
        found = _CONNECTED.findall(street.broker_log[begun:])
        return [(datetime.fromisoformat(at).astimezone().timestamp(), name) for at, name in found]

    wait_until(lambda: {name for _, name in seen()} >= set(names), "all gateways", patience_s)
    firsts: dict[str, float] = {}
    for at, name in seen():
        firsts.setdefault(name, at)
    a_second = Counter(at for at, name in seen() if name in firsts)
    return Return(outage_s, max(firsts[name] for name in names) + 1 - started, max(a_second.values()))


@pytest.mark.timeout(300)
def test_a_herd_comes_back_spread_over_time() -> None:
    """Forty gateways that spread over 8 s: five a second on the average, not forty in the first."""
    names = [f"gw-{number:04}" for number in range(40)]
    with open_street(*names) as street, herd(street, names, reconnect_s=8.0):
        seen = outage(street, names, 0.0, 120.0)
    assert seen.most_a_second <= 20, seen


@pytest.mark.soak
def test_a_thousand_gateways_come_back() -> None:
    names = [f"gw-{number:04}" for number in range(1000)]
    with open_street(*names) as street, herd(street, names, reconnect_s=Manners().reconnect_s):
        short = outage(street, names, 0.0, 900.0)
        time.sleep(70.0)  # stable again: the back-off begins anew
        long = outage(street, names, 150.0, 900.0)
    back_s, most = max(short.back_s, long.back_s), max(short.most_a_second, long.most_a_second)
    record(
        "A12", "a_thousand_gateways_come_back", runs=2, unit="s; CONNECT/s",
        figure={"short_back_s": round(short.back_s, 1), "short_most_a_second": short.most_a_second,
                "long_back_s": round(long.back_s, 1), "long_most_a_second": long.most_a_second},
        target="1000 gateways -> back < 3 min, <= 50 CONNECT/s", command=COMMAND,
        ok=back_s < BACK_S and most <= CONNECTS_A_SECOND,
        note="outages of a moment and of 150 s; CONNECTs by the second in the broker's log",
    )  # fmt: skip
    assert back_s < 5 * BACK_S
    assert most <= 5 * CONNECTS_A_SECOND
