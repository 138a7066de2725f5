"""What fails again and again, said when it begins, when its words change, and when it is over."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


class Trouble:
    """Of one thing that is done every second. OSError is told and passed over: the next round tries again.

    >>> disk = Trouble("status.json")
    >>> with disk.told():
    ...     raise OSError("no space left")
    >>> disk.words
    'no space left'
    >>> with disk.told():
    ...     pass
    >>> disk.words
    ''
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.words = ""

    @contextmanager
    def told(self) -> Iterator[None]:
        """Do it within."""
        try:
            yield
        except OSError as wrong:
            if str(wrong) != self.words:
                log.error("%s: %s", self._what, wrong)
            self.words = str(wrong)
            return
        if self.words:
            log.info("%s: works again", self._what)
        self.words = ""
