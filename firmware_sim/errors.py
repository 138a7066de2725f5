"""What can go wrong here, as one tree.

SimError                     exit 1
|- ScenarioError             a scenario, device type or plan that cannot be used: exit 78
|- MissingProgram            a program is not on this machine; names the command to type
`- ApiError                  the cloud refused or did not answer
"""

from __future__ import annotations


class SimError(Exception):
    """Anything this program gives up on; the message tells the person what to check."""

    exit_code = 1


class ScenarioError(SimError):
    """A file of ours that cannot be used. Names the file, the key and what was expected."""

    exit_code = 78


class MissingProgram(SimError):  # noqa: N818 - reads as what it is
    """A program this needs is not here."""

    def __init__(self, program: str, command: str) -> None:
        super().__init__(f"{program} was not found; type: {command}")


class ApiError(SimError):
    """The cloud's answer was not the one wished. `status` is 0 when there was none."""

    def __init__(self, what: str, status: int, detail: str = "") -> None:
        super().__init__(f"{what}: {status or 'no answer'} {detail}".rstrip())
        self.status = status
