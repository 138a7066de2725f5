"""Devices and services that answer over HTTP, with JSON or with plain text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from edge_agent.drivers.http_request import Answer, HttpRequester
from edge_agent.drivers.json_paths import as_number, find
from edge_agent.drivers.options import read_options, source_text
from edge_agent.drivers.seam import Batch, DriverError, setting_fault
from edge_agent.drivers.stamps import parse_stamp
from models.clock import Clock
from models.configuration import DeviceConfig, Strict


class HttpOptions(Strict):
    """Settings of an address that is asked."""

    url: str
    format: Literal["json", "text"] = "json"
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    headers: dict[str, str] = Field(default_factory=dict)
    authorization_file: str = Field(default="", description="a file with the value of that header")
    ca_file: str = Field(default="", description="whose certificates count; none: the machine's")
    time_path: str | None = Field(default=None, description="JSON path, or pattern, of the device's time")
    time_format: str | None = None

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("http[s]://host[:port]/path, without a name and password in it")
        return url


class HttpDriver:
    """Asks once a period. The cursor is the device's time taken last, where it tells one.

    With a device's time, an answer that is not newer than the one before gives nothing: a service that renews
    its figures each ten minutes may be asked each minute. Without, each answer is a reading of this moment,
    also "304 not modified", by which the server says that the value still holds.
    """

    is_polled = True
    owns_time = False

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._options = options = read_options(device, HttpOptions)
        words = "a JSON path" if options.format == "json" else "a regular expression"
        self._sources = [source_text(device, i, words) for i in range(len(device.channels))]
        if options.format == "text":
            _check_patterns(device, self._sources, options.time_path)
        self._requester = HttpRequester(options.url, options.timeout_s, options.ca_file, clock)
        self._latest = 0
        self._last: tuple[str, bytes] | None = None

    def open(self, cursor: str | None) -> None:
        self._latest = int(cursor) if cursor and cursor.isdigit() else 0
        self._last = None
        self._requester.open()

    def read(self, wait_s: float) -> Batch | None:
        answer = self._requester.get(self._headers())
        body = self._body(answer)
        try:
            return self._batch(body)
        except (ValueError, RecursionError) as wrong:
            shown = body[:60].decode(errors="replace")
            raise DriverError(
                f"{self._options.url} answers what cannot be read: {wrong}; it begins {shown!r}"
            ) from wrong

    def taken(self, batch: Batch) -> None:
        if isinstance(batch.token, int):
            self._latest = max(self._latest, batch.token)

    def close(self) -> None:
        self._requester.close()

    def _headers(self) -> dict[str, str]:
        options = self._options
        headers = {"User-Agent": "lastmile-edge", **options.headers}
        if options.authorization_file:
            try:
                headers["Authorization"] = (
                    Path(options.authorization_file).read_text(encoding="utf-8").strip()
                )
            except OSError as missing:
                raise DriverError(f"{options.authorization_file}: {missing.strerror}") from missing
        if self._last is not None:
            headers["If-None-Match"] = self._last[0]
        return headers

    def _body(self, answer: Answer) -> bytes:
        if answer.status == 304 and self._last is not None:
            return self._last[1]
        if answer.status != 200:
            raise DriverError(f"{self._options.url} answers {answer.status} {answer.reason}{_advice(answer)}")
        self._last = (answer.etag, answer.body) if answer.etag else None
        return answer.body

    def _batch(self, body: bytes) -> Batch:
        find_text = self._finder(body)
        found = [(i, find_text(source)) for i, source in enumerate(self._sources)]
        present = [(i, as_number(value)) for i, value in found if value is not None]
        if not present:
            raise ValueError("none of the channels' sources is in it")
        channels, values = [i for i, _ in present], [value for _, value in present]
        if self._options.time_path is None:
            return Batch.of(channels, values)
        stamp = find_text(self._options.time_path)
        if stamp is None:
            raise ValueError(f"there is no {self._options.time_path} in it")
        time = parse_stamp(stamp, self._options.time_format)
        if time <= self._latest:
            return Batch.of([], [])
        return Batch.of(channels, values, [time] * len(channels), str(time), time)

    def _finder(self, body: bytes) -> Any:
        if self._options.format == "json":
            document = json.loads(body)
            return lambda path: find(document, path)
        text = body.decode("utf-8", errors="replace")

        def search(pattern: str) -> str | None:
            hit = re.search(pattern, text, re.MULTILINE)
            return hit[1] if hit else None

        return search


def _check_patterns(device: DeviceConfig, sources: list[str], time_path: str | None) -> None:
    keys = [f"channels[{i}].source" for i in range(len(sources))]
    for key, pattern in [*zip(keys, sources, strict=True), ("settings.time_path", time_path)]:
        try:
            groups = 1 if pattern is None else re.compile(pattern).groups
        except re.error as wrong:
            raise setting_fault(device, key, str(wrong), "a regular expression") from wrong
        if groups != 1:
            raise setting_fault(device, key, f"{pattern!r} has {groups} groups", "one, round the number")


def _advice(answer: Answer) -> str:
    if answer.status in (401, 403):
        return "; check authorization_file"
    if 300 <= answer.status < 400:
        return f"; write the new address: {answer.location}"
    return ""
