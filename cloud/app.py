"""What the cloud's programs are made of: the only file that wires them together."""

from __future__ import annotations

import ipaddress
import logging
import signal
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine

from cloud.errors import ConfigurationError
from cloud.keys.authority import CLOUD_CLIENTS, Authority
from cloud.keys.broker import write_broker_folder
from cloud.keys.files import make_private_folder, write_private
from cloud.keys.signing import create_signing_key
from cloud.settings import FILE_NAME, Settings
from cloud.storage import migrate
from cloud.storage.engine import open_main, open_series
from models.clock import Clock, SystemClock

_log = logging.getLogger(__name__)
# The broker's account must be able to walk through; everything inside is its owner's alone.
_STATE_MODE = 0o711
_SHUTDOWN_S = 3

CLOUD_TOML = """\
# Settings of this cloud; `lastmile-cloud init` made it, people change it. Unknown keys are refused.

[web]
host = "127.0.0.1"        # off loopback only with certificate and key
port = {http_port}
# certificate = "web.crt"   # PEM, relative to this folder
# key = "web.key"
# names = ["cloud.example.org"]

[broker]
host = "127.0.0.1"        # what gateways are told to connect to
port = {broker_port}
# bind = "127.0.0.1"        # where mosquitto listens; always mutual TLS
# names = ["broker.example.org"]   # further names in its certificate

# [storage]                 # PostgreSQL instead of two SQLite files
# main = "postgresql+psycopg://lastmile@db/lastmile"
# series = "postgresql+psycopg://lastmile@db/lastmile_series"

# [ingest]
# silent_s = 75

# [enrolment]
# code_hours = 24
# certificate_days = 365    # life of a gateway's certificate; renewed at half of it
# grace_days = 365          # how long after its end it may still be renewed
"""


def initialise(state: Path, *, broker_port: int | None, http_port: int | None, clock: Clock) -> Settings:
    """Make what is missing in `state`: cloud.toml, keys, databases, broker folder. Nothing is lost by doing
    it again; ports that contradict the cloud.toml there are a ConfigurationError."""
    if not state.exists():
        state.mkdir(parents=True)
        state.chmod(_STATE_MODE)
    if not (state / FILE_NAME).exists():
        text = CLOUD_TOML.format(broker_port=broker_port or 8883, http_port=http_port or 8080)
        write_private(state / FILE_NAME, text.encode())
    settings = Settings.load(state.absolute())
    for key, wanted, there in (
        ("broker.port", broker_port, settings.broker.port),
        ("web.port", http_port, settings.web.port),
    ):
        if wanted is not None and wanted != there:
            raise ConfigurationError(f"is {there}, not {wanted}", file=str(state / FILE_NAME), key=key)
    now = clock.wall_ns()
    make_private_folder(settings.keys)
    authority = Authority.create(settings.keys, now)
    create_signing_key(settings.keys)
    for name in CLOUD_CLIENTS:
        if not (settings.keys / f"{name}.key").exists():
            authority.issue_client(settings.keys, name, now)
    write_broker_folder(settings.broker_folder, authority, settings.broker, now)
    migrate_databases(settings)
    return settings


def migrate_databases(settings: Settings) -> dict[str, str]:
    """Bring both databases to this release's schema; the revisions they have."""
    return {
        "main": migrate.upgrade(open_main(settings), "main"),
        "series": migrate.upgrade(open_series(settings), "series"),
    }


def open_databases(settings: Settings) -> tuple[Engine, Engine]:
    """Both databases, ready for this release."""
    migrate_databases(settings)
    return open_main(settings), open_series(settings)


def check_web(settings: Settings) -> None:
    """ConfigurationError when pages would be served off loopback in the clear."""
    web = settings.web
    file = str(settings.state / FILE_NAME)
    if not _is_loopback(web.host) and not web.has_tls:
        raise ConfigurationError(
            f"{web.host!r} is not loopback, and there is no TLS",
            file=file,
            line=_line(settings, ("web", "host")),
            key="web.host",
            expected="127.0.0.1, or certificate and key beside it",
        )
    for key in ("certificate", "key"):
        name = getattr(web, key)
        if name and not (settings.state / name).is_file():
            raise ConfigurationError(
                f"no such file: {name}", file=file, line=_line(settings, ("web", key)), key=f"web.{key}"
            )


def run_ingest(settings: Settings) -> int:
    """Take messages from the broker until told to stop."""
    from cloud.ingest.service import IngestService

    service = IngestService(settings, *open_databases(settings), SystemClock())
    stop_at_signal(service.stop)
    return service.run()


def run_web(settings: Settings) -> int:
    """Serve pages and the API until told to stop."""
    import uvicorn

    from cloud.web.app import create_app

    check_web(settings)
    migrate_databases(settings)
    web = settings.web
    config = uvicorn.Config(
        create_app(settings),
        host=web.host,
        port=web.port,
        ssl_certfile=str(settings.state / web.certificate) if web.has_tls else None,
        ssl_keyfile=str(settings.state / web.key) if web.has_tls else None,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 1


def run_scheduler(settings: Settings) -> int:
    """Keep deadlines until told to stop."""
    from cloud import scheduler

    migrate_databases(settings)
    scheduler.run(settings)
    return 0


def stop_at_signal(stop: Callable[[], None]) -> None:
    """Call `stop` at SIGTERM and SIGINT; for the main thread. `stop` must take no lock."""

    def handle(_number: int, _frame: object) -> None:
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _line(settings: Settings, key: tuple[str, ...]) -> int:
    from cloud.settings import line_of

    return line_of((settings.state / FILE_NAME).read_text(encoding="utf-8"), key)
