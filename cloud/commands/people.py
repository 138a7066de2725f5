"""Commands about accounts and tokens."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from sqlalchemy.orm import Session

from cloud.errors import InvalidError, NotFoundError
from cloud.fleet.tables import Site
from cloud.people import accounts, tokens
from cloud.settings import Settings
from cloud.storage.engine import open_main, transaction
from models.clock import Clock


def add_user(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Make an account with one role; with no password it cannot sign in yet."""
    password = _password() if arguments.password_stdin else None
    with transaction(open_main(settings)) as session:
        _check_site(session, arguments.site)
        account_id = accounts.create_account(
            session,
            login=arguments.login,
            display_name=arguments.name or arguments.login,
            language=arguments.language,
            password=password,
            now=clock.wall_ns(),
        )
        accounts.grant(session, account_id, arguments.site, arguments.role)
    return {"login": arguments.login, "role": arguments.role, "site": arguments.site}


def set_password(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Change a password (from standard input) and sign the account out everywhere."""
    password = _password()
    with transaction(open_main(settings)) as session:
        account = accounts.find_account(session, arguments.login)
        if account is None:
            raise NotFoundError("account", f"there is no account {arguments.login!r}")
        accounts.set_password(session, account.id, password)
    return {"login": arguments.login, "password": "changed"}


def add_token(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Make a machine's key; it is shown this once."""
    with transaction(open_main(settings)) as session:
        _check_site(session, arguments.site)
        secret = tokens.add_token(
            session, name=arguments.name, role=arguments.role, site_id=arguments.site, now=clock.wall_ns()
        )
    return {"name": arguments.name, "token": secret}


def _check_site(session: Session, site_id: str) -> None:
    if site_id != "*" and session.get(Site, site_id) is None:
        raise NotFoundError("site", f"there is no site {site_id!r}; '*' means all")


def _password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise InvalidError("password", "standard input held no password")
    return password
