"""How a machine becomes a gateway."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field

from cloud.fleet.enrolment import enrol
from cloud.web.api.answers import Answer
from cloud.web.security.access import PUBLIC
from cloud.web.state import State

router = APIRouter(tags=["enrolment"])


class Application(Answer):
    """A one-time code and a PEM certificate request for a key that never leaves the machine."""

    code: Annotated[str, Field(max_length=64)]
    csr: Annotated[str, Field(max_length=8192)]


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
    source = request.client.host if request.client else "unknown"
    made = enrol(state.main, state.settings, code=given.code, csr=given.csr, source=source, now=state.now)
    return EnrolmentAnswer(
        gateway=made.gateway,
        certificate=made.certificate,
        ca=made.ca,
        signing_key=made.signing_key,
        broker=BrokerAddress(host=made.host, port=made.port),
    )
