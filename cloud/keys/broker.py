"""The folder from which mosquitto runs: its configuration, who may say what, and its own copies of keys.

mosquitto started by root gives up root before it reads any key. So the folder belongs to the account it
becomes; only where that account cannot reach the folder (a state folder below a private home) does the
configuration ask it to stay root, and says so. Started by anybody else it runs as that person, who owns
the folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from cloud.keys.authority import CLOUD_CLIENTS, Authority
from cloud.keys.files import make_private_folder, write_private
from cloud.settings import Broker

_URGENT, _BULK = CLOUD_CLIENTS
# What mosquitto itself turns into, in the order it tries.
_ACCOUNTS = ("mosquitto", "nobody")
MAX_MESSAGE = 1 << 20

ACCESS = f"""\
# Who may say and hear what. %u is the common name of the client's certificate, which is its only identity.
# Written by `lastmile-cloud init`; changes are lost when it is run again.
pattern write lm/1/%u/up/+
pattern read lm/1/%u/down/+

user {_URGENT}
topic read lm/1/+/up/urgent
topic read lm/1/+/up/health
topic read lm/1/+/up/reported
topic write lm/1/+/down/receipt
topic write lm/1/+/down/desired
topic write lm/1/+/down/command

user {_BULK}
topic read lm/1/+/up/bulk
topic write lm/1/+/down/receipt
"""

CONFIGURATION = """\
# Written by `lastmile-cloud init`; changes are lost when it is run again.
# Start it with: mosquitto -c {folder}/mosquitto.conf
{account}
per_listener_settings false
allow_anonymous false
acl_file {folder}/acl
allow_zero_length_clientid false

# Memory and disk are bounded; what is dropped here is sent again by the gateway, which waits for a receipt.
max_inflight_messages 1000
max_queued_messages 100000
max_queued_bytes 268435456
message_size_limit {limit}
max_packet_size {packet}
pid_file {folder}/mosquitto.pid
persistence true
persistence_location {folder}/data/
autosave_interval 60
persistent_client_expiration 14d
set_tcp_nodelay true
sys_interval 30

log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S

# The only listener: mutual TLS. The certificate's name is user name and client id alike, so nobody can take
# over another's session by naming its id.
listener {port} {bind}
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
crlfile {folder}/ca.crl
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
"""


def write_broker_folder(folder: Path, authority: Authority, broker: Broker, now: int) -> None:
    """Make or renew everything the broker reads; its server key is kept when it is there already.

    What is renewed: configuration, access list, authority, list of revoked certificates.
    """
    folder = folder.absolute()
    make_private_folder(folder)
    make_private_folder(folder / "data")
    if not (folder / "server.key").exists():
        names = (broker.host, broker.bind, "127.0.0.1", "localhost", *broker.names)
        authority.issue_server(folder, "server", (name for name in names if name != "0.0.0.0"), now)
    account = _account_for(folder)
    write_private(folder / "ca.crt", authority.pem)
    if not (folder / "ca.crl").exists():
        write_private(folder / "ca.crl", authority.revocations((), now))
    write_private(folder / "acl", ACCESS.encode())
    text = CONFIGURATION.format(
        folder=folder,
        account=_account_lines(account),
        port=broker.port,
        bind=broker.bind,
        limit=MAX_MESSAGE,
        packet=MAX_MESSAGE + (1 << 16),
    )
    write_private(folder / "mosquitto.conf", text.encode())
    if account:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, account.pw_name, account.pw_gid)


def _account_for(folder: Path) -> pwd.struct_passwd | None:
    """The account a broker started by root should become; None when it must stay who started it."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return account if _can_reach(account, folder.parents) else None
    return None


def _can_reach(account: pwd.struct_passwd, parents: Iterable[Path]) -> bool:
    """Whether the account may walk through every folder above its own."""
    return all(_may_enter(account, parent.stat()) for parent in parents)


def _may_enter(account: pwd.struct_passwd, folder: os.stat_result) -> bool:
    if folder.st_uid == account.pw_uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == account.pw_gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


def _account_lines(account: pwd.struct_passwd | None) -> str:
    if account:
        return f"user {account.pw_name}"
    if os.geteuid() == 0:
        return (
            "# Started by root it stays root: no other account can reach this folder. Put the state folder\n"
            "# where others may enter (for example /var/lib/lastmile) and run init again to give this up.\n"
            "user root"
        )
    return "# Runs as whoever starts it; started by root it would become one who cannot read these."
