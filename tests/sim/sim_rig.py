"""What the simulator's tests share: a small scenario, plans in a folder, a mosquitto, a store over HTTP."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

from programs import find_program

from firmware_sim.plan import Plan, new_plan
from firmware_sim.plan_files import Uplink, write_everything
from firmware_sim.ports import free_ports

NOON_S = 1_790_136_000.0
NOON_NS = int(NOON_S) * 1_000_000_000


def make_plan(folder: Path, seed: int = 5, recordings: Path | None = None) -> Plan:
    """The street's plan, written into `folder`."""
    plan = new_plan("street", seed, folder, recordings, NOON_NS, free_ports())
    write_everything(plan, Uplink())
    return plan


@contextmanager
def device_broker(config: Path, port: int) -> Iterator[None]:
    """A mosquitto of our own on a free loopback port, as the plan configures it."""
    broker = subprocess.Popen([find_program("mosquitto"), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port))
        yield
    finally:
        broker.terminate()
        broker.wait(5)


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition, seconds: float = 10.0) -> None:
    """Wait until something holds; an AssertionError when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class FakeStore:
    """A cloud that only speaks GET /api/v1/series/raw, over readings kept by (gateway, channel)."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str], list[tuple[int, float]]] = {}
        self.tokens: set[str] = set()
        self.page = 7
        self.address = ""

    def put(self, gateway: str, channel: str, time_ns: int, value: float) -> None:
        self.series.setdefault((gateway, channel), []).append((time_ns, value))

    def answer(self, query: dict[str, list[str]]) -> dict[str, object] | None:
        rows = self.series.get((query["gateway"][0], query["channel"][0]))
        if rows is None:
            return None
        rows = sorted(rows, key=lambda row: row[0])
        start = int(query.get("after", ["0"])[0])
        page = rows[start : start + self.page]
        more = start + self.page < len(rows)
        return {
            "times_ns": [row[0] for row in page],
            "values": [row[1] for row in page],
            "quality": [0] * len(page),
            "next": str(start + self.page) if more else None,
        }


@contextmanager
def served(store: FakeStore) -> Iterator[FakeStore]:
    """The store behind a real HTTP server on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlparse(self.path)
            content = store.answer(parse_qs(parts.query)) if parts.path == "/api/v1/series/raw" else None
            store.tokens.add(self.headers.get("Authorization", ""))
            body = json.dumps(content or {"error": {"code": "not_found"}}).encode()
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *rest: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
