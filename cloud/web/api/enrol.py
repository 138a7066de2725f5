"""How a machine becomes a gateway, and stays one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field

from cloud.fleet.enrolment import Enrolled, enrol
from cloud.fleet.renewal import renew
from cloud.web.api.answers import Answer
from cloud.web.security.access import PUBLIC
from cloud.web.state import State

router = APIRouter(tags=["enrolment"])


class Application(Answer):
    """A one-time code and a PEM certificate request for a key that never leaves the machine."""

    code: Annotated[str, Field(max_length=64)]
    csr: Annotated[str, Field(max_length=8192)]


class Renewal(Answer):
    """The certificate a gateway has, a request for the next key, and the old key's signature over it.

    `signature`: ECDSA with SHA-256, DER, base64, over the words `lastmile renewal`, a line feed and `csr`.
    """

    certificate: Annotated[str, Field(max_length=8192)]
    csr: Annotated[str, Field(max_length=8192)]
    signature: Annotated[str, Field(max_length=256)]


class BrokerAddress(Answer):
    """Where to connect."""

    host: str
    port: int


class EnrolmentAnswer(Answer):
    """Everything a gateway needs; PEM texts, the signing key raw in base64."""

    gateway: str
    certificate: str
    ca: str
    signing_key: str
    broker: BrokerAddress


@router.post("/enrol", dependencies=[PUBLIC])
def enrol_gateway(given: Application, request: Request, state: State) -> EnrolmentAnswer:
    """Trade a code for a certificate. Wrong codes are counted by address and slowed down."""
    source = _source(request)
    return _answer(
        enrol(state.main, state.settings, code=given.code, csr=given.csr, source=source, now=state.now)
    )


@router.post("/renew", dependencies=[PUBLIC])
def renew_certificate(given: Renewal, request: Request, state: State) -> EnrolmentAnswer:
    """Trade a certificate, by a signature of its key, for the next one. Good after its end, for a grace."""
    return _answer(
        renew(
            state.main,
            state.settings,
            certificate=given.certificate,
            csr=given.csr,
            signature=given.signature,
            source=_source(request),
            now=state.now,
        )
    )


def _source(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _answer(made: Enrolled) -> EnrolmentAnswer:
    return EnrolmentAnswer(
        gateway=made.gateway,
        certificate=made.certificate,
        ca=made.ca,
        signing_key=made.signing_key,
        broker=BrokerAddress(host=made.host, port=made.port),
    )
