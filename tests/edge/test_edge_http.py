"""Polling over HTTP, against a real server that misbehaves in the ways servers do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from driver_cases import device
from edge_rig import START
from http_rig import HttpServer, Reply, Serve, self_signed

from edge_agent.drivers.seam import Driver, DriverError
from edge_agent.drivers.table import make_driver
from models.clock import SystemClock
from models.errors import ConfigurationError

pytestmark = pytest.mark.integration
METER = {"meter": {"flow": 1.5, "valve": "open", "list": [7]}, "at": START // 10**9}


@pytest.fixture
def serve() -> Iterator[Serve]:
    made: list[HttpServer] = []

    def start(body: Any = METER, tls: Any = None, **more: Any) -> HttpServer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        made.append(HttpServer(Reply(raw, **more), tls))
        return made[-1]

    yield start
    for server in made:
        server.stop()


def polled(url: str, *sources: str, **settings: Any) -> Driver:
    return make_driver(
        device("http", {"url": url, **settings}, list(sources or ["meter.flow"])), SystemClock()
    )


def opened(url: str, *sources: str, **settings: Any) -> Driver:
    driver = polled(url, *sources, **settings)
    driver.open(None)
    return driver


def test_json_paths_words_and_query(serve):
    server = serve()
    driver = opened(server.url + "/now?id=3", "meter.flow", "meter.valve", "meter.list.0", "meter.none")
    batch = driver.read(1.0)
    driver.close()
    assert (batch.channel.tolist(), batch.value.tolist()) == ([0, 1, 2], [1.5, 1.0, 7.0])
    assert server.heard[0]["path"] == "/now?id=3"


def test_plain_text_by_patterns(serve):
    server = serve(b"# TYPE\nroom_temperature 21.5\nroom_humidity 40\n")
    driver = opened(server.url, r"^room_temperature (\S+)", r"^room_humidity (\S+)", format="text")
    assert driver.read(1.0).value.tolist() == [21.5, 40.0]
    driver.close()


@pytest.mark.parametrize("pattern", ["room", "(a)(b)", "("])
def test_patterns_without_one_group_are_refused(pattern):
    with pytest.raises(ConfigurationError) as raised:
        polled("http://127.0.0.1", pattern, format="text")
    assert raised.value.key == "channels[0].source"


def test_a_figure_that_is_not_renewed_is_taken_once_also_after_a_restart(serve):
    server = serve()
    driver = opened(server.url, time_path="at")
    first = driver.read(1.0)
    driver.taken(first)
    assert first.time.tolist() == [START]
    assert len(driver.read(1.0)) == 0
    driver.close()
    driver.open(first.cursor)
    assert len(driver.read(1.0)) == 0
    server.reply.body = json.dumps({**METER, "at": START // 10**9 + 600}).encode()
    assert driver.read(1.0).time.tolist() == [START + 600 * 10**9]
    driver.close()


def test_a_figure_that_was_not_stored_is_taken_again(serve):
    driver = opened(serve().url, time_path="at")
    assert len(driver.read(1.0)) == len(driver.read(1.0)) == 1
    driver.close()


def test_not_modified_means_that_the_value_still_holds(serve):
    server = serve(headers={"ETag": '"a"'})
    driver = opened(server.url)
    assert [driver.read(1.0).value.tolist() for _ in range(3)] == [[1.5]] * 3
    driver.close()
    assert ["If-None-Match" in request for request in server.heard] == [False, True, True]


def test_the_connection_is_kept_and_opened_anew_when_the_server_let_go(serve):
    server = serve()
    driver = opened(server.url)
    driver.read(1.0)
    driver.read(1.0)
    assert server.connections == 1
    server.reply.then_closes = True
    driver.read(1.0)
    assert driver.read(1.0).value.tolist() == [1.5]
    driver.close()


def test_authorization_comes_from_a_file_and_its_lack_is_said(serve, tmp_path):
    server = serve(status=401)
    driver = opened(server.url)
    with pytest.raises(DriverError, match=r"401 .*authorization_file"):
        driver.read(1.0)
    driver.close()
    secret = tmp_path / "secret"
    secret.write_text("Bearer abc\n")
    server.reply.status = 200
    driver = opened(server.url, authorization_file=str(secret), headers={"X-Site": "b1"})
    driver.read(1.0)
    driver.close()
    assert server.heard[-1]["Authorization"] == "Bearer abc"
    assert server.heard[-1]["X-Site"] == "b1"


def test_a_redirect_is_told_and_not_followed(serve, tmp_path):
    other = serve()
    driver = opened(serve(status=302, headers={"Location": other.url}).url)
    with pytest.raises(DriverError, match=f"302 .*{other.url}"):
        driver.read(1.0)
    driver.close()
    assert other.heard == []


def test_an_unknown_certificate_is_refused_and_a_named_one_taken(serve, tmp_path):
    server = serve(tls=self_signed(tmp_path))
    with pytest.raises(DriverError, match="not to be trusted"):
        opened(server.url)
    driver = opened(server.url, ca_file=str(tmp_path / "certificate.pem"))
    assert driver.read(1.0).value.tolist() == [1.5]
    driver.close()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"body": b"<html>busy</html>"}, "begins '<html>busy"),
        ({"body": b'{"other": 1}'}, "none of the channels"),
        ({"body": b"[" * 5000}, "cannot be read"),
        ({"status": 503}, "503"),
        ({"withheld": 10}, "broke off"),
        ({"body": b"x" * (1 << 20) + b"x"}, "more than"),
    ],
)
def test_answers_that_are_none_are_told_in_words(serve, reply, words):
    driver = opened(serve(**reply).url)
    with pytest.raises(DriverError, match=words):
        driver.read(1.0)
    driver.close()


def test_an_answer_that_drips_in_ends_at_the_limit(serve):
    driver = opened(serve(body=b'{"meter": {"flow": 1.5}}' + b" " * 200, drip_s=0.05).url, timeout_s=0.5)
    with pytest.raises(DriverError, match=r"longer than 0\.5 s"):
        driver.read(1.0)
    driver.close()


@pytest.mark.parametrize("url", ["ftp://x/y", "http://", "http://me:secret@meter/", "meter/"])
def test_addresses_that_are_none_are_refused(url):
    with pytest.raises(ConfigurationError) as raised:
        polled(url)
    assert raised.value.key == "settings.url"
