"""Fetching a bundle from a real HTTP server: broken off, gone on with, bounded, checked."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.upgrade.errors import UpgradeError
from edge_agent.upgrade.fetch import TRIES, fetch
from edge_agent.upgrade.order import order_file, pending_order, take_order

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Gives CONTENT; breaks off after `gives` bytes of an answer while `breaks` is above zero."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.breaks, self.gives, self.knows_ranges, self.asked = 0, len(CONTENT), True, []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/release"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wished = self.headers.get("Range")
        self.server.asked.append(wished)
        start = int(wished.removeprefix("bytes=").rstrip("-")) if wished and self.server.knows_ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = len(CONTENT)
        if self.server.breaks:
            self.server.breaks -= 1
            end = start + self.server.gives
        self.wfile.write(CONTENT[start:end])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def bring(url: str, path: Path, *, size: int = len(CONTENT), sha256: str = DIGEST) -> list[float]:
    pauses: list[float] = []
    fetch(url, path, size=size, sha256=sha256, authority=None, sleep=pauses.append)
    return pauses


def test_bundle_is_fetched(server, tmp_path):
    assert bring(server.url, tmp_path / "new" / "bundle") == []
    assert (tmp_path / "new" / "bundle").read_bytes() == CONTENT


def test_broken_off_fetch_goes_on_where_it_was(server, tmp_path):
    server.breaks, server.gives = 2, 300_000
    assert bring(server.url, tmp_path / "bundle") == [2.0, 4.0]
    assert (tmp_path / "bundle").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=600000-"]


def test_server_without_ranges_gives_it_anew(server, tmp_path):
    server.breaks, server.gives, server.knows_ranges = 1, 300_000, False
    bring(server.url, tmp_path / "bundle")
    assert (tmp_path / "bundle").read_bytes() == CONTENT


def test_what_an_earlier_run_left_is_gone_on_with(server, tmp_path):
    (tmp_path / "bundle").write_bytes(CONTENT[:1000])
    bring(server.url, tmp_path / "bundle")
    assert server.asked == ["bytes=1000-"]


def test_other_file_than_ordered_is_refused_and_removed(server, tmp_path):
    with pytest.raises(UpgradeError) as refused:
        bring(server.url, tmp_path / "bundle", sha256="0" * 64)
    assert refused.value.reason == "digest"
    assert not (tmp_path / "bundle").exists()


def test_no_more_is_written_than_was_ordered(server, tmp_path):
    with pytest.raises(UpgradeError):
        bring(server.url, tmp_path / "bundle", size=5000)
    assert not (tmp_path / "bundle").exists()


def test_server_that_never_gives_all_is_given_up(server, tmp_path):
    server.breaks, server.gives = 100, 10
    with pytest.raises(UpgradeError) as refused:
        bring(server.url, tmp_path / "bundle")
    assert refused.value.reason == "fetch"
    assert len(server.asked) == TRIES


@pytest.mark.parametrize(
    "url", ["http://cloud.example/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "release"]
)
def test_address_without_tls_off_this_machine_is_refused(url, tmp_path):
    with pytest.raises(UpgradeError) as refused:
        bring(url, tmp_path / "bundle")
    assert refused.value.reason == "address"


def test_order_is_kept_until_it_is_done(tmp_path):
    asked = {"url": "/releases/x.bundle", "sha256": "a" * 64, "size": 5, "version": "0.2.0"}
    take_order(tmp_path, asked)
    order = pending_order(tmp_path)
    assert order is not None
    assert (order.url, order.version, order.older) == ("/releases/x.bundle", "0.2.0", False)


@pytest.mark.parametrize(
    "wrong",
    [{"size": 0}, {"size": 1 << 40}, {"sha256": "short"}, {"url": ""}, {"shell": "rm"}, {"size": None}],
)
def test_order_that_cannot_be_meant_is_refused_by_name(wrong, tmp_path):
    asked = {"url": "/x", "sha256": "a" * 64, "size": 5, **wrong}
    with pytest.raises(UpgradeError) as refused:
        take_order(tmp_path, asked)
    assert refused.value.reason == "parameters"
    assert not order_file(tmp_path).exists()
