"""Deadlines that have run out, on the server's clock; `lastmile-cloud scheduler`."""

from cloud.scheduler.loop import Scheduler, run

__all__ = ["Scheduler", "run"]
