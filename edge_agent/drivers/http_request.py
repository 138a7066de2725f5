"""One GET at a time over a connection that is kept, with a limit on time and size. TLS is always verified.

No redirect is followed: it would carry our authorization to wherever the answer points.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from edge_agent.drivers.seam import DriverError
from models.clock import SECOND_NS, Clock

MAX_BYTES = 1 << 20
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    reason: str
    body: bytes
    etag: str = ""
    location: str = ""


class HttpRequester:
    """Asks one address. DriverError says what to check."""

    def __init__(self, url: str, timeout_s: float, ca_file: str, clock: Clock) -> None:
        self._url, self._parts = url, urlsplit(url)
        self._timeout_s, self._ca_file, self._clock = timeout_s, ca_file, clock
        self._connection: http.client.HTTPConnection | None = None
        self._is_fresh = True

    def open(self) -> None:
        """Connect."""
        self.close()
        host = self._parts.hostname or ""
        if self._parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, self._parts.port, timeout=self._timeout_s, context=self._context()
            )
        else:
            connection = http.client.HTTPConnection(host, self._parts.port, timeout=self._timeout_s)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as refused:
            raise DriverError(
                f"the certificate of {host} is not to be trusted: {refused.verify_message}; "
                "check ca_file and the clock"
            ) from refused
        except OSError as unreachable:
            raise DriverError(f"nobody answers at {self._url}: {unreachable}") from unreachable
        self._connection, self._is_fresh = connection, True

    def get(self, headers: dict[str, str]) -> Answer:
        """The answer, whatever its status. A kept connection that was closed meanwhile is opened anew."""
        if self._connection is None:
            self.open()
        was_fresh, self._is_fresh = self._is_fresh, False
        try:
            return self._ask(headers)
        except (http.client.RemoteDisconnected, ConnectionError) as lost:
            if was_fresh:
                raise DriverError(f"{self._url}: connection lost: {lost}") from lost
        except (http.client.HTTPException, OSError) as wrong:
            raise DriverError(f"{self._url}: no whole answer: {wrong!r}") from wrong
        self.open()
        return self.get(headers)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, headers: dict[str, str]) -> Answer:
        assert self._connection is not None
        deadline = self._clock.monotonic_ns() + round(self._timeout_s * SECOND_NS)
        path = self._parts.path or "/"
        self._connection.request(
            "GET", f"{path}?{self._parts.query}" if self._parts.query else path, headers=headers
        )
        response = self._connection.getresponse()
        body = b""
        while piece := response.read1(_PIECE):
            body += piece
            # The socket's own limit counts from one byte to the next.
            if len(body) > MAX_BYTES or self._clock.monotonic_ns() > deadline:
                self.close()
                raise DriverError(
                    f"{self._url}: more than {MAX_BYTES} bytes, or longer than {self._timeout_s} s"
                )
        response.close()
        promised = response.headers.get("Content-Length", "")
        if response.status != 304 and promised.isdigit() and len(body) < int(promised):
            raise DriverError(f"{self._url}: the answer broke off after {len(body)} of {promised} bytes")
        return Answer(
            response.status,
            response.reason,
            body,
            response.headers.get("ETag", ""),
            response.headers.get("Location", ""),
        )

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file or None)
        except (OSError, ssl.SSLError) as missing:
            raise DriverError(f"ca_file {self._ca_file}: {missing}") from missing
