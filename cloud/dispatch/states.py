"""A task's states and the one function that moves between them."""

from __future__ import annotations

import enum


class TaskState(enum.StrEnum):
    """How far a request to look has come."""

    ISSUED = "issued"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    ON_SITE = "on_site"
    VERIFIED = "verified"
    CLOSED = "closed"


class TaskAct(enum.StrEnum):
    """What is asked of a task."""

    DELIVER = "deliver"  # the person's device has it
    ACCEPT = "accept"
    ARRIVE = "arrive"
    VERIFY = "verify"  # found real: answered, and the matter goes on
    CLOSE = "close"  # answered or no longer needed
    REASSIGN = "reassign"  # goes to somebody else, who begins anew


_S, _A = TaskState, TaskAct
_ORDER = tuple(TaskState)
LIVE = (_S.ISSUED, _S.DELIVERED, _S.ACCEPTED, _S.ON_SITE)
_LEADS_TO = {
    _A.DELIVER: _S.DELIVERED,
    _A.ACCEPT: _S.ACCEPTED,
    _A.ARRIVE: _S.ON_SITE,
    _A.VERIFY: _S.VERIFIED,
    _A.CLOSE: _S.CLOSED,
}


def next_state(now: TaskState, act: TaskAct) -> tuple[TaskState, str]:
    """State after `act`, and the reason: `moved`, `same`, `behind` or `refused`.

    Steps may be skipped forwards, as a person may accept what was never marked delivered. What a task has
    passed already is `behind`: harmless, nothing changes, so that a slow phone may repeat itself. An
    answered task takes no step but to closed; a closed one takes none.

    >>> next_state(TaskState.ISSUED, TaskAct.ACCEPT)
    (<TaskState.ACCEPTED: 'accepted'>, 'moved')
    >>> next_state(TaskState.ON_SITE, TaskAct.DELIVER)
    (<TaskState.ON_SITE: 'on_site'>, 'behind')
    >>> next_state(TaskState.CLOSED, TaskAct.ACCEPT)
    (<TaskState.CLOSED: 'closed'>, 'refused')
    """
    if act is _A.REASSIGN:
        return (_S.ISSUED, "moved") if now in LIVE else (now, "refused")
    target = _LEADS_TO[act]
    if target is now:
        return now, "same"
    if now not in LIVE and act is not _A.CLOSE:
        return now, "refused"
    if _ORDER.index(target) < _ORDER.index(now):
        return now, "behind"
    return target, "moved"
