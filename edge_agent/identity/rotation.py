"""A new key and certificate when half of the old one's life is gone, or when it has ended while we were away.

Asked for over HTTP, proved by the old key, tried at the broker, and only then put in the old one's place.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass

from edge_agent.identity.certificate import CertificateError, Facts, facts_of, is_signed_by, read_certificate
from edge_agent.identity.cloud_api import EnrolmentError, Given, ask, checked_address
from edge_agent.identity.keys import load_key, own_key, request_pem, sign_renewal
from edge_agent.identity.staging import Staging
from edge_agent.identity.trial import try_identity
from edge_agent.settings import UplinkSettings
from edge_agent.state import StateFolder
from edge_agent.tls import Now
from models.clock import SECOND_NS, Clock
from models.errors import LastmileError

log = logging.getLogger(__name__)
HALF = 0.5
SPREAD = 0.05  # of the life, so that gateways enrolled on one day do not ask in one minute
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 60.0, 6 * 3600.0
_LOOK_AT_MOST_S = 60.0
_TRIES_OF_A_LIFE = 50


@dataclass(slots=True)
class RotationState:
    """What can be told of it. `problem` "" : all is well."""

    serial: str = ""
    ends_at: int = 0
    renew_at: int = 0
    renewals: int = 0
    problem: str = ""
    needs_code: bool = False


class Rotation:
    """A thread of its own, as asking may take as long as the network does."""

    def __init__(
        self,
        state: StateFolder,
        gateway: str,
        uplink: UplinkSettings,
        now: Now,
        *,
        clock: Clock,
        draw: Callable[[], float],
        on_renewed: Callable[[], None],
    ) -> None:
        self.state = RotationState()
        self._files, self._gateway, self._uplink, self._now = state, gateway, uplink, now
        self._staging = Staging(state)
        self._clock, self._draw, self._on_renewed = clock, draw, on_renewed
        self._stopping, self._asked = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="rotation", daemon=True)
        self._not_before_ns, self._failures = 0, 0
        self._look()

    def start(self) -> None:
        self._thread.start()

    def stop(self, limit_s: float = 2.0) -> None:
        """End, or be left behind waiting for the network: every step may be cut off."""
        self._stopping.set()
        self._asked.set()
        if self._thread.ident is not None:
            self._thread.join(limit_s)

    def describe(self) -> dict[str, object]:
        """What the status says of it."""
        return asdict(self.state)

    def wish(self) -> None:
        """Renew now, whatever the dates say."""
        self._not_before_ns = 0
        self._asked.set()

    def renew(self) -> None:
        """Ask, try, switch; LastmileError when it did not come to that. What was begun is gone on with."""
        with self._staging.lock():
            self._renew()
        self._look()
        self.state.renewals += 1
        self.state.problem, self.state.needs_code, self._failures = "", False, 0
        log.info("identity: certificate %s is in use", self.state.serial)
        self._on_renewed()

    # ---- the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            is_wished = self._asked.is_set()
            self._asked.clear()
            if is_wished or self._is_due():
                self._try()
            self._asked.wait(self._pause_s())

    def _try(self) -> None:
        try:
            self.renew()
        except (LastmileError, OSError, ValueError) as wrong:
            self._failed(wrong)

    def _failed(self, wrong: Exception) -> None:
        self._failures += 1
        said = str(wrong)
        if said != self.state.problem:
            log.warning("identity: no new certificate: %s", said)
        self.state.problem = said
        self.state.needs_code = isinstance(wrong, EnrolmentError) and wrong.is_final
        pause_s = min(self._shortest_pause_s() * 2 ** min(self._failures - 1, 20), _LONGEST_PAUSE_S)
        pause_s = _LONGEST_PAUSE_S if self.state.needs_code else pause_s * (0.5 + self._draw())
        self._not_before_ns = self._clock.monotonic_ns() + round(pause_s * SECOND_NS)

    def _is_due(self) -> bool:
        has_rested = self._clock.monotonic_ns() >= self._not_before_ns
        return has_rested and bool(self.state.renew_at) and self._now().ns >= self.state.renew_at

    def _pause_s(self) -> float:
        return min(_LOOK_AT_MOST_S, max(0.2, self._shortest_pause_s() / 2))

    def _shortest_pause_s(self) -> float:
        """A minute; less for certificates that live for minutes."""
        left_s = (self.state.ends_at - self.state.renew_at) / SECOND_NS
        return min(_FIRST_PAUSE_S, max(0.2, left_s / _TRIES_OF_A_LIFE))

    # ---- the steps

    def _renew(self) -> None:
        self._staging.finish()
        self._staging.make()
        key = own_key(self._staging.key)
        if self._read_staged(key) is None:
            given = self._ask(key)
            facts = read_certificate(given.certificate.encode(), key, self._gateway)
            if not is_signed_by(given.certificate.encode(), self._files.ca.read_bytes()):
                raise CertificateError(f"certificate {facts.serial} is not by the authority we believe")
            self._staging.put("gateway.crt", given.certificate.encode())
        try_identity(
            self._uplink.host,
            self._uplink.port,
            self._now,
            authority=self._files.ca,
            certificate=self._staging.certificate,
            key=self._staging.key,
        )
        self._staging.commit()

    def _ask(self, key: object) -> Given:
        csr = request_pem(key, self._gateway)
        body = {
            "certificate": self._files.certificate.read_text(),
            "csr": csr,
            "signature": sign_renewal(load_key(self._files.key), csr),
        }
        return ask(f"{checked_address(self._uplink.cloud)}/api/v1/renew", body, self._now, self._files.ca)

    def _read_staged(self, key: object) -> Facts | None:
        """What lies there from a try before; None when it is nothing, not this key's, or old by now."""
        with contextlib.suppress(FileNotFoundError, CertificateError):
            facts = read_certificate(self._staging.certificate.read_bytes(), key, self._gateway)
            return facts if self._now().ns < facts.at_share(HALF) else None
        return None

    def _look(self) -> None:
        try:
            facts = facts_of(self._files.certificate, self._files.key, self._gateway)
        except (OSError, ValueError, CertificateError) as wrong:
            self.state.problem = f"the identity cannot be read: {wrong}"
            return
        self.state.serial, self.state.ends_at = facts.serial, facts.ends_at
        self.state.renew_at = facts.at_share(HALF + SPREAD * self._draw())
