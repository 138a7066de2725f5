"""Who is asked: a pure decision over who there is, with its reason."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple


class Candidate(NamedTuple):
    """A worker of the place's grid. `rank`: lowest asked first; `open_tasks`: what they have in hand."""

    account_id: str
    rank: int
    open_tasks: int


class Choice(NamedTuple):
    """Who has it now. `because`: grid, duty_officer, escalation or nobody."""

    account_id: str | None
    because: str


def choose_first(candidates: Sequence[Candidate], duty_officer: str | None) -> Choice:
    """Who is asked first: the lowest rank, among equals whoever has least in hand, else the duty officer.

    >>> choose_first([Candidate("li", 1, 2), Candidate("wang", 1, 0), Candidate("zhao", 2, 0)], "duty")
    Choice(account_id='wang', because='grid')
    >>> choose_first([], None)
    Choice(account_id=None, because='nobody')
    """
    if candidates:
        return Choice(_fairest(candidates).account_id, "grid")
    return Choice(duty_officer, "duty_officer" if duty_officer else "nobody")


def choose_next(
    candidates: Sequence[Candidate],
    duty_officer: str | None,
    asked: Collection[str],
    holder: str | None,
) -> Choice:
    """Who is asked when a clock has run out: the next worker not asked yet, then the duty officer.

    When everybody was asked it goes to, or stays with, the duty officer; without one it stays where it is.
    It is never taken from somebody to be given to nobody.

    >>> choose_next([Candidate("wang", 1, 1), Candidate("li", 2, 0)], "duty", {"wang"}, "wang")
    Choice(account_id='li', because='escalation')
    >>> choose_next([Candidate("wang", 1, 1)], "duty", {"wang"}, "wang")
    Choice(account_id='duty', because='escalation')
    >>> choose_next([], None, {"wang"}, "wang")
    Choice(account_id='wang', because='exhausted')
    """
    fresh = [candidate for candidate in candidates if candidate.account_id not in asked]
    if fresh:
        return Choice(_fairest(fresh).account_id, "escalation")
    if duty_officer and duty_officer != holder:
        return Choice(duty_officer, "escalation")
    return Choice(holder, "exhausted" if holder else "nobody")


def _fairest(candidates: Sequence[Candidate]) -> Candidate:
    return min(candidates, key=lambda one: (one.rank, one.open_tasks, one.account_id))
