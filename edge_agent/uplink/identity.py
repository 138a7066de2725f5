"""The files that prove who this gateway is to the broker."""

from __future__ import annotations

from edge_agent.identity.staging import Staging
from edge_agent.mqtt_connection import TlsFiles
from edge_agent.settings import LOOPBACK, Settings
from edge_agent.state import StateFolder
from edge_agent.tls import Now
from models.errors import ConfigurationError


def tls_files(state: StateFolder, settings: Settings, now: Now) -> TlsFiles | None:
    """Files for mutual TLS; None where the settings allow plain TCP on this very machine."""
    uplink = settings.uplink
    if not uplink.tls:
        if uplink.host not in LOOPBACK:
            raise ConfigurationError(
                "MQTT without TLS is refused off this machine",
                file=str(state.settings), key="uplink.tls", expected="true",
            )  # fmt: skip
        return None
    Staging(state).finish()
    files = TlsFiles(state.ca, state.certificate, state.key, now)
    for path in (files.ca, files.certificate, files.key):
        if not path.exists():
            raise ConfigurationError(
                f"{path} is missing; enrol first: lastmile-edge enroll --cloud URL --code CODE",
                file=str(state.settings), key="uplink.host", expected="an enrolled gateway",
            )  # fmt: skip
    return files
