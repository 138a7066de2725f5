"""TLS on a machine whose clock may be wrong: certificates' dates are judged by the time we believe.

A machine without a battery wakes in 1970 and would take every certificate for one of the future; it could
then never reach the server that would tell it the time. So OpenSSL is told to leave dates alone (all else,
chain, name and signatures, is checked as ever), and they are judged after the handshake, before anything is
sent.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.clock import SECOND_NS

# X509_V_FLAG_NO_CHECK_TIME of OpenSSL 1.1 and later; the ssl module has no name for it.
_NO_CHECK_TIME = 0x200000


@dataclass(frozen=True, slots=True)
class Moment:
    """The time as far as it is known: where the clock is not set, `ns` is what it is at least."""

    ns: int
    is_known: bool = True


Now = Callable[[], Moment]


def client_context(
    now: Now, *, authority: Path | None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """TLS 1.2 or newer, the server's name checked, our certificate shown where there is one.

    Without `authority` the system's are believed. Raises what ssl raises for files that cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= _NO_CHECK_TIME
    context.sslsocket_class = _judging(now)
    if authority is not None:
        context.load_verify_locations(authority)
    else:
        context.load_default_certs()
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def fault_of_dates(certificate: Mapping[str, Any], moment: Moment) -> str:
    """Why a certificate (as `getpeercert` tells it) is not good at this moment; "" when it is.

    Where the time is only known to be later than something, a beginning in the future is no fault: the
    certificate may have been made after the last time we knew.
    """
    begins = ssl.cert_time_to_seconds(certificate["notBefore"]) * SECOND_NS
    ends = ssl.cert_time_to_seconds(certificate["notAfter"]) * SECOND_NS
    if moment.ns > ends:
        return f"it ended on {certificate['notAfter']}"
    if moment.is_known and moment.ns < begins:
        return f"it begins on {certificate['notBefore']}"
    return ""


def _judging(now: Now) -> type[ssl.SSLSocket]:
    class DatedSocket(ssl.SSLSocket):
        """Whose handshake ends with a look at the other side's dates."""

        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            told = self.getpeercert()
            if told and (fault := fault_of_dates(told, now())):
                raise ssl.SSLCertVerificationError(f"the server's certificate is not good: {fault}")

    return DatedSocket
