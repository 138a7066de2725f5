"""Roles, what each permits, and whoever asks."""

from __future__ import annotations

import enum
from dataclasses import dataclass

ALL_SITES = "*"


class Role(enum.StrEnum):
    """What somebody is at a site; one person may be several."""

    OPERATOR = "operator"
    ENGINEER = "engineer"
    WORKER = "worker"
    ADMIN = "admin"


class Permission(enum.StrEnum):
    """What a route asks for; every route names exactly one, or is declared public."""

    SELF = "self"  # one's own name, session and language: anybody signed in
    SEE = "see"  # sites, places, fleet, series, alerts, incidents, the event stream
    SEE_PEOPLE = "see_people"
    SEE_LEDGER = "see_ledger"  # raw readings, identities, gaps, quarantine
    SEE_TASKS = "see_tasks"
    REPORT = "report"  # open an incident, add a note
    DECIDE = "decide"  # acknowledge, resolve
    WORK = "work"  # deliver, accept, arrive, answer
    WORK_FOR_OTHERS = "work_for_others"  # the same on a task somebody else has
    CONFIGURE = "configure"  # desired documents


_P = Permission
# The whole of access control: what is not written here is refused.
MATRIX: dict[Role, frozenset[Permission]] = {
    Role.WORKER: frozenset({_P.SELF, _P.SEE, _P.SEE_TASKS, _P.REPORT, _P.WORK}),
    Role.OPERATOR: frozenset(
        {
            _P.SELF,
            _P.SEE,
            _P.SEE_TASKS,
            _P.SEE_PEOPLE,
            _P.SEE_LEDGER,
            _P.REPORT,
            _P.DECIDE,
            _P.WORK,
            _P.WORK_FOR_OTHERS,
        }
    ),
    Role.ENGINEER: frozenset(
        {_P.SELF, _P.SEE, _P.SEE_TASKS, _P.SEE_LEDGER, _P.REPORT, _P.CONFIGURE},
    ),
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks: a person signed in, or a machine with a token.

    `grants` are (site, role) pairs, site "*" meaning all. `account_id` is None for a token.

    >>> asker = Actor("wang", "Wang Fang", frozenset({("street", Role.WORKER)}), account_id="a1")
    >>> asker.may(Permission.WORK, "street"), asker.may(Permission.WORK, "harbour")
    (True, False)
    """

    login: str
    display_name: str
    grants: frozenset[tuple[str, Role]]
    account_id: str | None = None
    language: str = "en"

    @property
    def name(self) -> str:
        """As written in timelines and the audit: stable, and never a secret."""
        return f"person/{self.login}" if self.account_id else f"token/{self.login}"

    @property
    def is_person(self) -> bool:
        return self.account_id is not None

    def sites(self, permission: Permission) -> frozenset[str]:
        """Sites at which this is permitted; {"*"} for all, empty for none."""
        found = frozenset(site for site, role in self.grants if permission in MATRIX[role])
        return frozenset({ALL_SITES}) if ALL_SITES in found else found

    def may(self, permission: Permission, site_id: str) -> bool:
        """Whether this is permitted at that site."""
        allowed = self.sites(permission)
        return ALL_SITES in allowed or site_id in allowed


def covers(site_ids: frozenset[str], site_id: str) -> bool:
    """Whether a set of sites, in which "*" means all, holds this one."""
    return ALL_SITES in site_ids or site_id in site_ids
